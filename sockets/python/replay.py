"""Replays the vectors of sockets/conformance: `python replay.py FILE`. No network is needed."""

import base64
import hashlib
import json
import sys

from preamp_exporter import ConfigurationError, Outcome, derive_key
from preamp_exporter._component import Component, KeyRequest, Request, Wait

BODY_MAX = 4 << 10
"""A body of more bytes stands in the file as its digest."""


def shown(step: Request | KeyRequest | Wait | Outcome) -> dict:
    """What the component says, as it stands in the file."""
    match step:
        case Request():
            content = {"body": _base64(step.body)}
            if len(step.body) > BODY_MAX:
                content = {"sha256": hashlib.sha256(step.body).hexdigest(), "length": len(step.body)}
            return {"send": {"method": step.method, "url": step.url, "headers": _pairs(step.headers), **content}}
        case KeyRequest():
            scope = {"date": step.date, "region": step.region, "service": step.service}
            return {"key": {**scope, "isRefused": step.is_refused}}
        case Wait(seconds):
            return {"wait": round(seconds * 1000)}
        case _:
            points = {
                "delivered": step.delivered,
                "partlyRejected": step.partly_rejected,
                "rejected": step.rejected,
                "unsettled": step.unsettled,
            }
            explanations = [vars(explanation) for explanation in step.explanations]
            answer = {"status": step.status, "headers": _pairs(step.headers), "body": _base64(step.body)}
            return {"done": {**answer, **points, "explanations": explanations}}


def difference(expected, said, place: str) -> str | None:
    """Where two values differ first, in words."""
    if expected == said:
        return None
    keys = []
    if isinstance(expected, dict) and isinstance(said, dict):
        keys = [key for key in expected if key in said]
    elif isinstance(expected, list) and isinstance(said, list):
        keys = range(min(len(expected), len(said)))
    found = (difference(expected[key], said[key], f"{place}/{key}") for key in keys)
    return next(filter(None, found), f"{place}: expected {expected!r}, not {said!r}")


def replayed(vector: dict) -> str | None:
    """Makes the calls of a vector, all for the passage that was begun last, and says what is not as expected."""
    try:
        component, problems = Component(vector["configuration"]), []
    except ConfigurationError as refused:
        component, problems = None, _pairs(refused.problems)
    different = difference(vector["problems"], problems, "problems")
    passage = None
    for number, call in enumerate(vector["calls"]):
        if different:
            break
        at = call.get("at", 0) * 1_000_000
        match call["call"]:
            case "pass":
                if passage is not None:
                    component.drop(passage)
                payload = base64.b64decode(call["payload"])
                passage = component.pass_(payload, call["contentType"], call["contentEncoding"], at)
            case "next":
                different = difference(call["expect"], shown(component.next(passage, at)), f"call {number}")
            case "give-key":
                component.give_key(passage, _key(call["key"]), at)
            case "answered":
                body = base64.b64decode(call["body"])
                component.answered(passage, call["status"], call["headers"], body, at)
            case "give-up":
                different = difference(call["expect"], shown(component.give_up(passage)), f"call {number}")
            case other:
                raise ValueError(f"there is no call {other}")
    return different


def _key(key: dict | None) -> dict | None:
    if key is None:
        return None
    scope = {name: key[name] for name in ("date", "region", "service")}
    derived = derive_key(key["secretAccessKey"], *scope.values())
    return {"access_key_id": key["accessKeyId"], "session_token": key["sessionToken"], "derived": derived, **scope}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pairs(pairs) -> list[list[str]]:
    return [list(pair) for pair in pairs]


def replay(file: str) -> bool:
    """Replays a file, prints how many of its vectors are as expected, and returns whether all are."""
    with open(file, encoding="utf-8") as lines:
        vectors = [json.loads(line) for line in lines]
    same = 0
    for vector in vectors:
        different = replayed(vector)
        same += different is None
        if different:
            print(f"{vector['name']}: {different}", file=sys.stderr)
    print(f"{same} of {len(vectors)}")
    return same == len(vectors)


sys.exit(0 if replay(sys.argv[1]) else 1)
