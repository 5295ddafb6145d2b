"""Captures what real producers of metrics send over OTLP, as test data.

Usage: capture.py FOLDER NAME COMMAND…

Starts an OTLP/HTTP receiver on loopback, runs COMMAND with three more arguments (the receiver's URL, the scenario and
NAME, which is to become `service.namespace`), and keeps in FOLDER/NAME each body that arrived, in order: 1.otlp for
protobuf, 1.otlp.json for JSON. What the command prints, one line of JSON that says what it is, becomes producer.json.
"""

import gzip
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCENARIO = Path(__file__).with_name("scenario.json")
PATIENCE_S = 120
EXTENSIONS = {"application/x-protobuf": ".otlp", "application/json": ".otlp.json"}


class Receiver(BaseHTTPRequestHandler):
    """Takes every payload, and keeps it on the server as (file name extension, bytes)."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.body()
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        media_type = self.headers["content-type"].partition(";")[0]
        answer = b"{}" if media_type == "application/json" else b""
        with self.server.lock:
            self.server.bodies.append((EXTENSIONS[media_type], body))
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers["content-length"]))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_):
        pass


def capture(command, name):
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.bodies, server.lock = [], threading.Lock()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1/metrics"
        played = subprocess.run(
            [*command, url, SCENARIO, name], stdout=subprocess.PIPE, check=True, timeout=PATIENCE_S
        )
        server.shutdown()
    return server.bodies, json.loads(played.stdout)


def main(folder, name, *command):
    bodies, producer = capture(command, name)
    if not bodies:
        sys.exit(f"{name} sent nothing")
    folder = Path(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, (extension, body) in enumerate(bodies, start=1):
        (folder / f"{number}{extension}").write_bytes(body)
    (folder / "producer.json").write_text(json.dumps(producer) + "\n", encoding="utf-8")
    size = sum(len(body) for _, body in bodies)
    print(f"   {name}: {producer['sdk']} {producer['version']}, {len(bodies)} payloads, {size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
