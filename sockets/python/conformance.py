"""What the tests of all sockets drive:

    python conformance.py CONFIGURATION.json   delivers payloads that come as lines of JSON, and prints what became of each:
                                               {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
    python conformance.py replay FILE          replays the vectors of sockets/conformance
"""

import base64
import json
import sys

from preamp_exporter import ConfigurationError, Exporter
from replay import replay

if sys.argv[1] == "replay":
    sys.exit(0 if replay(sys.argv[2]) else 1)
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
