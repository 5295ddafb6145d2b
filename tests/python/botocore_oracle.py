"""Signs requests with botocore, as an oracle for other signers.

Reads one JSON object a line on standard input, each a request to sign:

    method, url        as sent; the Host field is taken from the URL
    headers            list of [name, value]
    body               in hex
    access_key, secret_key, token (or null), region, service
    time               seconds since the Unix epoch

and writes one JSON object a line: canonical_request, string_to_sign, authorization.
"""

import datetime
import json
import sys

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class RecordingAuth(auth.SigV4Auth):
    """Keeps the texts a signature is made from."""

    def canonical_request(self, request):
        self.canonical = super().canonical_request(request)
        return self.canonical

    def string_to_sign(self, request, canonical_request):
        self.to_sign = super().string_to_sign(request, canonical_request)
        return self.to_sign


def sign(order):
    request = AWSRequest(method=order["method"], url=order["url"], data=bytes.fromhex(order["body"]))
    for name, value in order["headers"]:
        request.headers.add_header(name, value)
    now = datetime.datetime.fromtimestamp(order["time"], datetime.timezone.utc)
    auth.get_current_datetime = lambda: now
    credentials = Credentials(order["access_key"], order["secret_key"], order["token"])
    signer = RecordingAuth(credentials, order["service"], order["region"])
    signer.add_auth(request)
    return {
        "canonical_request": signer.canonical,
        "string_to_sign": signer.to_sign,
        "authorization": request.headers["Authorization"],
    }


for line in sys.stdin:
    print(json.dumps(sign(json.loads(line))))
