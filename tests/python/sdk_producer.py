"""Records metrics with the OpenTelemetry SDK, exports them over OTLP, and prints what it recorded.

Usage: sdk_producer.py (http|grpc) ENDPOINT

ENDPOINT is http://HOST:PORT/v1/metrics for http and http://HOST:PORT for grpc. The output is one JSON document:
`series`, a list of {name, kind, attributes} with `value` for gauges and counters, and with `values` (all recorded
measurements) and `bounds` for histograms; and `resource`, the attributes of the resource. The books are kept here,
beside the SDK, so that nothing of the SDK's own aggregation is trusted. Exit status 1 if an export failed.
"""

import json
import random
import sys

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

ROUNDS = 5
BOUNDS = [5, 10, 25, 50, 100, 250]


def otlp_exporter(protocol, endpoint):
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        return OTLPMetricExporter(endpoint=endpoint, compression=Compression.Gzip, timeout=10)
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=10)


class Books:
    """What was recorded, by instrument and attributes."""

    def __init__(self):
        self.series = {}

    def entry(self, name, kind, attributes, **start):
        key = (name, json.dumps(attributes, sort_keys=True))
        return self.series.setdefault(key, {"name": name, "kind": kind, "attributes": attributes, **start})


def record(meter, books, flush):
    requests = meter.create_counter("e2e.requests", unit="{request}", description="requests served")
    volume = meter.create_counter("e2e.io", unit="By")
    temperature = meter.create_gauge("e2e.temperature", unit="Cel")
    latency = meter.create_histogram(
        "e2e.latency", unit="ms", explicit_bucket_boundaries_advisory=BOUNDS
    )
    numbers = random.Random(20260115)
    for _ in range(ROUNDS):
        for route in ("/", "/cart", "/käse?q=\"a\\b\""):
            for code in (200, 404):
                attributes = {"http.route": route, "http.response.status_code": code}
                amount = numbers.randrange(1, 100)
                requests.add(amount, attributes)
                books.entry("e2e.requests", "counter", attributes, value=0)["value"] += amount
            attributes = {"http.route": route}
            for _ in range(40):
                # Eighths add up exactly, in whichever order.
                milliseconds = numbers.randrange(0, 3000) / 8
                latency.record(milliseconds, attributes)
                entry = books.entry("e2e.latency", "histogram", attributes, values=[], bounds=BOUNDS)
                entry["values"].append(milliseconds)
        amount = numbers.randrange(0, 1 << 20) / 2
        volume.add(amount)
        books.entry("e2e.io", "counter", {}, value=0)["value"] += amount
        for room in ("cellar", "attic"):
            degrees = numbers.randrange(-160, 320) / 8
            temperature.set(degrees, {"room": room})
            books.entry("e2e.temperature", "gauge", {"room": room}, value=0)["value"] = degrees
        flush()


def main(protocol, endpoint):
    exporter = otlp_exporter(protocol, endpoint)
    failures = []

    def export(metrics, *arguments, inner=exporter.export, **options):
        result = inner(metrics, *arguments, **options)
        if result is not MetricExportResult.SUCCESS:
            failures.append(str(result))
        return result

    exporter.export = export
    resource = {
        "service.name": f"checkout-{protocol}",
        "service.namespace": "shop",
        "service.instance.id": "checkout-1",
        "deployment.environment.name": "e2e",
    }
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider(metric_readers=[reader], resource=Resource(resource))
    books = Books()
    record(provider.get_meter("sdk_producer", "1.0"), books, provider.force_flush)
    provider.shutdown()
    json.dump({"resource": resource, "series": list(books.series.values())}, sys.stdout)
    if failures:
        sys.exit(f"exports failed: {failures}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("http", "grpc"):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
