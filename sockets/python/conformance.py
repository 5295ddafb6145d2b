"""Delivers payloads that come as lines of JSON, and prints what became of each: so the tests of all sockets drive this one.

    python conformance.py CONFIGURATION.json < {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
"""

import base64
import json
import sys

from preamp_exporter import ConfigurationError, Exporter

with open(sys.argv[1], encoding="utf-8") as file:
    try:
        exporter = Exporter(file.read())
    except ConfigurationError as problem:
        sys.exit(f"conformance: {problem}")
for line in sys.stdin:
    one = json.loads(line)
    outcome = exporter.deliver(base64.b64decode(one["payload"]), one["contentType"], one["contentEncoding"])
    printed = {
        "status": outcome.status,
        "body": base64.b64encode(outcome.body).decode(),
        "delivered": outcome.delivered,
        "partlyRejected": outcome.partly_rejected,
        "rejected": outcome.rejected,
        "unsettled": outcome.unsettled,
        "retryAfter": any(name == "retry-after" for name, _ in outcome.headers),
    }
    print(json.dumps(printed), flush=True)
