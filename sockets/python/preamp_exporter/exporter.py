"""Delivers payloads: does what the component wants done, and decides nothing."""

import hashlib
import hmac
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from ._component import Component, KeyRequest, Outcome, Request, Wait

TIMEOUT = 5.0
PATIENCE = 4.0
ANSWER_BYTES = 1 << 10


@dataclass(frozen=True)
class Credentials:
    """AWS credentials. The secret never reaches the component."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


def environment_credentials() -> Credentials | None:
    """AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN")) if key and secret else None


def botocore_credentials(session=None) -> Callable[[], Credentials | None]:
    """The chain of all AWS tools, by botocore, which renews what ends."""
    import botocore.session

    found = (session or botocore.session.get_session()).get_credentials()

    def credentials() -> Credentials | None:
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
    """Delivers OTLP metrics, one payload after the other. It may be used from many threads."""

    def __init__(
        self,
        configuration: str,
        credentials: Callable[[], Credentials | None] = environment_credentials,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ):
        """Opens an exporter from a configuration: JSON, the options of the component. Raises ConfigurationError."""
        self._configuration, self._credentials = configuration, credentials
        self._timeout, self._patience = timeout, patience
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._component: Component | None = Component(configuration)

    def deliver(self, payload: bytes, content_type: str = "application/x-protobuf", content_encoding: str = "") -> Outcome:
        """Brings a payload to its end: an OTLP export request, packed and encoded as these fields say.

        Raises if the component itself fails; the payload may be handed in again.
        """
        with self._lock:
            component = self._component or Component(self._configuration)
            # A call that fails may leave anything in the memory of the instance.
            self._component = None
            outcome = self._deliver(component, payload, content_type, content_encoding)
            self._component = component
            return outcome

    def _deliver(self, component: Component, payload: bytes, content_type: str, content_encoding: str) -> Outcome:
        passage = component.pass_(payload, content_type, content_encoding, time.time_ns())
        patience = self._patience
        while True:
            match component.next(passage, time.time_ns()):
                case Request() as request:
                    component.answered(passage, *self._send(request), time.time_ns())
                case KeyRequest() as wanted:
                    component.give_key(passage, self._key(wanted), time.time_ns())
                case Wait(seconds):
                    patience -= seconds
                    if patience < 0:
                        outcome = component.give_up(passage)
                        break
                    time.sleep(seconds)
                case outcome:
                    break
        component.drop(passage)
        return outcome

    def _key(self, wanted: KeyRequest) -> dict | None:
        found = self._credentials()
        if found is None:
            return None
        derived = derive_key(found.secret_access_key, wanted.date, wanted.region, wanted.service)
        scope = {"date": wanted.date, "region": wanted.region, "service": wanted.service}
        return {"access_key_id": found.access_key_id, "session_token": found.session_token, "derived": derived, **scope}

    def _send(self, wanted: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        body = None if wanted.method == "GET" else wanted.body
        request = urllib.request.Request(wanted.url, data=body, headers=dict(wanted.headers), method=wanted.method)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return answer.status, _lower(answer.headers), answer.read(ANSWER_BYTES)
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, _lower(answer.headers), answer.read(ANSWER_BYTES)
        except OSError as problem:
            return 0, [], str(problem).encode()


def _lower(headers) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]
