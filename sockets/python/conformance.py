"""Delivers payloads that come as lines of JSON, and prints what became of each: so the tests of all sockets drive this one.

    python conformance.py CONFIGURATION.json [BYTES OF MEMORY] < {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
"""

import base64
import json
import sys

from preamp_exporter import ComponentError, ConfigurationError, Exporter


def answer(exporter, payload, content_type, content_encoding):
    try:
        outcome = exporter.deliver(base64.b64decode(payload), content_type, content_encoding)
    except ComponentError as problem:
        return 500, False, str(problem).encode()
    if outcome.status == 503:
        print(outcome.explanations, file=sys.stderr)
    return outcome.status, any(name == "retry-after" for name, _ in outcome.headers), outcome.body


with open(sys.argv[1], encoding="utf-8") as file:
    try:
        exporter = Exporter(file.read(), memory_limit=int(sys.argv[2]) if sys.argv[2:] else None)
    except ConfigurationError as problem:
        sys.exit(f"conformance: {problem}")
for line in sys.stdin:
    one = json.loads(line)
    status, retry_after, body = answer(exporter, one["payload"], one["contentType"], one["contentEncoding"])
    printed = {"status": status, "retryAfter": retry_after, "body": base64.b64encode(body).decode()}
    print(json.dumps(printed), flush=True)
