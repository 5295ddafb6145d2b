"""Measures the Python package, without a network: how long until an exporter is open, and how long a payload takes from its
bytes to its answer, its signature included.

Usage: preamp_measure.py CONFIGURATION.json PAYLOAD
"""

import json
import sys
import time

started = time.perf_counter()
from preamp_exporter import Credentials, Exporter  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as file:
    exporter = Exporter(file.read(), lambda is_refused: Credentials("id", "secret"))
opened = time.perf_counter()
# What a receiver would answer.
exporter._send = lambda request: ((200, [], b""), [])
with open(sys.argv[2], "rb") as file:
    payload = file.read()
times = []
for _ in range(300):
    begun = time.perf_counter()
    outcome = exporter.deliver(payload)
    times.append(time.perf_counter() - begun)
    assert outcome.status == 200 and outcome.delivered > 0, outcome
times.sort()
print(json.dumps({"loadMs": (opened - started) * 1000, "payloadMs": times[len(times) // 2] * 1000}))
