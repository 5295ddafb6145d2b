#!/usr/bin/env python3
"""Records the files that a version of preamp leaves behind: `record.py PREAMP DIRECTORY`.

Run it with the executable of the version whose formats are to be kept, once for each format. The files are
compressed (zstd), since segments of the queue are mostly empty.
"""

import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

# 2026-11-01T12:00:00Z, in nanoseconds.
BEGIN = 1_793_534_400 * 10**9
SECOND = 10**9

CONFIGURATION = """receivers:
  otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:0}}}}}}
exporters:
  prometheusremotewrite:
    endpoint: http://127.0.0.1:{port}/api/v1/write
    profile: prometheus
    protobuf_message: {message}
    target_info: {{enabled: false}}
    wal: {{directory: {folder}/queue}}
    max_queue_bytes: 1048576
    remote_write_queue: {{num_consumers: {consumers}}}
    delta: accumulate
    delta_state_file: {folder}/totals
service:
  telemetry: {{logs: {{level: debug}}, metrics: {{level: none}}}}
  pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers as `mode` says, and counts."""

    mode = "take"
    requests = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        status, text = 204, ""
        if Receiver.mode == "unavailable":
            status = 503
        elif Receiver.mode == "lost":
            status, text = 404, "no such path"
        elif b"unwanted" in body:
            status, text = 400, "received a series whose label value length exceeds the limit"
        Receiver.requests += 1
        self.send_response(status)
        if status == 204 and "v2" in self.headers.get("content-type", ""):
            self.send_header("x-prometheus-remote-write-samples-written", "1000")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def point(name, value, at, begin=None):
    point = {"asDouble": value, "timeUnixNano": str(BEGIN + at * SECOND)}
    point["attributes"] = [{"key": "phase", "value": {"stringValue": name}}]
    if begin is not None:
        point["startTimeUnixNano"] = str(BEGIN + begin * SECOND)
    return point


def gauge(names, value, at):
    return {"name": "power", "unit": "W", "gauge": {"dataPoints": [point(name, value, at) for name in names]}}


def delta(value, at):
    data = {"aggregationTemporality": 1, "isMonotonic": True}
    data["dataPoints"] = [point("all", value, at, at - 1)]
    return {"name": "orders", "sum": data}


class Preamp:
    def __init__(self, program, folder, port, message, consumers):
        self.folder = folder
        self.port = port
        file = folder / "preamp.yaml"
        file.write_text(CONFIGURATION.format(port=port, folder=folder, message=message, consumers=consumers))
        self.log = open(folder / "log", "w+")
        command = [program, "run", "--drain-timeout", "2", "--config", str(file)]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log)
        self.http = self.wait(r"ready .*http=(\S+:\d+)").group(1)

    def wait(self, pattern):
        for _ in range(200):
            found = re.search(pattern, (self.folder / "log").read_text())
            if found:
                return found
            time.sleep(0.05)
        raise SystemExit((self.folder / "log").read_text())

    def send(self, *metrics):
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "golden"}}]}
        payload = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
        request = urllib.request.Request(f"http://{self.http}/v1/metrics", json.dumps(payload).encode())
        request.add_header("content-type", "application/json")
        answer = urllib.request.urlopen(request)
        assert answer.status == 200 and b"partial" not in answer.read()

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()


def requests(more):
    wanted = Receiver.requests + more
    while Receiver.requests < wanted:
        time.sleep(0.02)


def keep(folder, into):
    into.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        is_of_format = name.startswith("queue/") or name == "totals"
        if file.is_file() and is_of_format and not name.endswith(("lock", "reserve")):
            target = into / (name + ".zst")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["zstd", "-q", "-f", "-19", str(file), "-o", str(target)], check=True)


def main():
    program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]

    # Killed with requests under way that may have arrived, after something was delivered and something quarantined.
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        preamp = Preamp(program, folder, port, "prometheus.WriteRequest", 2)
        preamp.send(gauge(["a", "b", "unwanted"], 1.5, 0), delta(5, 0))
        # The series that is refused is found in a few requests.
        time.sleep(2)
        Receiver.mode = "unavailable"
        preamp.send(gauge(["a", "b", "c"], 2.5, 10), delta(7, 10))
        requests(4)
        preamp.send(gauge(["a", "b", "c"], 3.5, 20))
        preamp.end(signal.SIGKILL)
        keep(folder, directory / "killed")

    # Stopped in order, with nothing under way.
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        Receiver.mode = "take"
        preamp = Preamp(program, folder, port, "io.prometheus.write.v2.Request", 1)
        preamp.send(gauge(["a"], 1.5, 0), delta(5, 0))
        requests(1)
        time.sleep(1)
        Receiver.mode = "lost"
        preamp.send(gauge(["a", "b", "c"], 2.5, 10), delta(7, 10))
        requests(1)
        preamp.send(gauge(["a", "b", "c"], 3.5, 20))
        preamp.end(signal.SIGTERM)
        keep(folder, directory / "stopped")


main()
