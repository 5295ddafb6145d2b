"""Delivers payloads: does what the component wants done, and decides nothing."""

import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

from ._component import Component, ComponentError, Explanation, KeyRequest, Outcome, Request, Wait

TIMEOUT = 5.0
PATIENCE = 4.0
ANSWER_BYTES = 1 << 10


@dataclass(frozen=True, repr=False)
class Credentials:
    """AWS credentials. The secret never reaches the component."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


CredentialsFunction = Callable[[bool], Credentials | None]
"""Gives credentials; None, or an exception, says that there are none now. It is called when a signing key is needed: once a
day, and, with True, after the receiver refused the last ones."""


def environment_credentials(is_refused: bool = False) -> Credentials | None:
    """AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN")) if key and secret else None


def botocore_credentials(session=None) -> CredentialsFunction:
    """The chain of all AWS tools, by botocore, which renews what ends. After a refusal the chain is asked anew, unless a
    session was given."""
    import botocore.session

    found = None

    def credentials(is_refused: bool = False) -> Credentials | None:
        nonlocal found
        if found is None or is_refused:
            found = (session or botocore.session.get_session()).get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return credentials


def derive_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    """Derives a signing key (AWS Signature Version 4, "Derive a signing key")."""
    key = b"AWS4" + secret_access_key.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments, **_named):
        return None


class Exporter:
    """Delivers OTLP metrics, one payload after the other. It may be used from many threads, and after a fork."""

    def __init__(
        self,
        configuration: str | dict,
        credentials: CredentialsFunction = environment_credentials,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        memory_limit: int | None = None,
    ):
        """Opens an exporter from a configuration: the options of the component, as JSON or as what JSON is made of.

        `timeout` is how long the receiver may be silent, and `patience` after how long a delivery ends in place of pausing,
        both in seconds. `memory_limit` bounds the memory of the component, in bytes. Raises ConfigurationError.
        """
        self._configuration = configuration if isinstance(configuration, str) else json.dumps(configuration)
        self._credentials, self._memory_limit = credentials, memory_limit
        self._timeout, self._patience = timeout, patience
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._component: Component | None = self._open()
        _exporters.add(self)

    def _open(self) -> Component:
        return Component(self._configuration, self._memory_limit)

    def deliver(
        self,
        payload: bytes,
        content_type: str = "application/x-protobuf",
        content_encoding: str = "",
        *,
        patience: float | None = None,
    ) -> Outcome:
        """Brings a payload to its end: an OTLP export request, packed and encoded as these fields say.

        Raises ComponentError if the component itself fails. Another instance takes its place, and no other payload is lost.
        """
        with self._lock:
            component = self._component or self._open()
            # A delivery that fails may leave anything in the memory of the instance.
            self._component = None
            try:
                end = time.monotonic() + (self._patience if patience is None else patience)
                outcome = self._deliver(component, payload, content_type, content_encoding, end)
            except BaseException:
                component.close()
                raise
            self._component = component
            return outcome

    def settled(self, timeout: float) -> bool:
        """Waits until what was handed in has come to its end, for at most so many seconds; whether it has."""
        if not self._lock.acquire(timeout=max(timeout, 0)):
            return False
        self._lock.release()
        return True

    def _deliver(
        self, component: Component, payload: bytes, content_type: str, content_encoding: str, end: float
    ) -> Outcome:
        passage = component.pass_(payload, content_type, content_encoding, time.time_ns())
        troubles: list[Explanation] = []
        while True:
            match component.next(passage, time.time_ns()):
                case Request() as request:
                    answer, troubles = self._send(request)
                    component.answered(passage, *answer, time.time_ns())
                case KeyRequest() as wanted:
                    key, troubles = self._key(wanted)
                    component.give_key(passage, key, time.time_ns())
                case Wait(seconds):
                    if time.monotonic() + seconds > end:
                        outcome = component.give_up(passage)
                        break
                    time.sleep(seconds)
                case outcome:
                    break
        component.drop(passage)
        # What went wrong on this side is why something is open.
        return replace(outcome, explanations=troubles + outcome.explanations) if outcome.status == 503 else outcome

    def _key(self, wanted: KeyRequest) -> tuple[dict | None, list[Explanation]]:
        try:
            found = self._credentials(wanted.is_refused)
            why = "the function `credentials` gave none"
        except Exception as problem:
            found, why = None, f"the function `credentials` failed: {problem}"
        if found is None:
            return None, [Explanation("no-credentials", why, "give `credentials` that may write to the workspace")]
        derived = derive_key(found.secret_access_key, wanted.date, wanted.region, wanted.service)
        scope = {"date": wanted.date, "region": wanted.region, "service": wanted.service}
        key = {"access_key_id": found.access_key_id, "session_token": found.session_token, "derived": derived, **scope}
        return key, []

    def _send(self, wanted: Request) -> tuple[tuple[int, list[tuple[str, str]], bytes], list[Explanation]]:
        body = None if wanted.method == "GET" else wanted.body
        request = urllib.request.Request(wanted.url, data=body, headers=dict(wanted.headers), method=wanted.method)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return (answer.status, _lower(answer.headers), answer.read(ANSWER_BYTES)), []
        except urllib.error.HTTPError as answer:
            with answer:
                try:
                    body = answer.read(ANSWER_BYTES)
                except (OSError, http.client.HTTPException):
                    # The status is what counts.
                    body = b""
                return (answer.code, _lower(answer.headers), body), []
        except (OSError, http.client.HTTPException) as problem:
            why = str(problem) or type(problem).__name__
            remedy = "look at `endpoint`, and at the way of this host to it"
            return (0, [], why.encode()), [Explanation("no-answer", why, remedy)]

    def _after_fork(self) -> None:
        # The thread that held it may be in the parent alone. What that was delivering is not in `_component`.
        self._lock = threading.Lock()


def _lower(headers) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


_exporters: "weakref.WeakSet[Exporter]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for exporter in _exporters:
        exporter._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
