"""Records metrics with the OpenTelemetry SDK, has the Python package deliver them, and prints what it recorded, in the form
of sdk_producer.py, with how many exports there were and which failed.

Usage: preamp_producer.py CONFIGURATION.json (environment|botocore|none) PATIENCE [fork]

The second argument says whose credentials are used: the environment by the package, the environment by botocore, or none. The
third is how long an export may pause, in seconds.
With `fork`, children of this process record and export, by the exporter of this process, which exports meanwhile as well.
"""

import json
import os
import sys
import threading
import time

import sdk_producer
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource

from preamp_exporter import botocore_credentials, environment_credentials
from preamp_exporter.metric_exporter import PreampMetricExporter

CREDENTIALS = {
    "environment": lambda: environment_credentials,
    "botocore": botocore_credentials,
    "none": lambda: lambda is_refused: None,
}
CHILDREN = 4
RESOURCE = {
    "service.name": "checkout-python",
    "service.namespace": "shop",
    "service.instance.id": "checkout-1",
    "deployment.environment.name": "e2e",
}


def recording(exporter, results):
    """What the SDK is to be told by, and keeps."""
    inner = exporter.export

    def export(metrics, *arguments, **options):
        result = inner(metrics, *arguments, **options)
        results.append({"code": result.value, "error": None if result is MetricExportResult.SUCCESS else "see the log"})
        return result

    exporter.export = export
    return exporter


def flushed(exporter, results):
    """An export under way, which the exporter's own force_flush waits for."""
    before = len(results)
    metrics = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[metrics], resource=Resource({**RESOURCE, "service.name": "flushed"}))
    # As many points as a round has.
    gauge = provider.get_meter("flushed").create_gauge("flushed")
    for index in range(12):
        gauge.set(index, {"index": index})
    collected = metrics.get_metrics_data()
    exporting = threading.Thread(target=lambda: exporter.export(collected, timeout_millis=30_000))
    exporting.start()
    while exporting.is_alive() and not exporter._exporter._lock.locked():
        time.sleep(0.0001)
    if not exporter.force_flush(30_000):
        sys.exit("force_flush gave up")
    if exporter._exporter._lock.locked():
        sys.exit("force_flush came back before the delivery ended")
    exporting.join()
    if len(results) != before + 1:
        sys.exit("the export has no result")


def forked(exporter, books):
    """Records and exports in children, one after the other, while a thread of this process exports as well."""
    busy = threading.Thread(target=lambda: [produce(exporter, sdk_producer.Books(), "busy") for _ in range(4)])
    busy.start()
    for _ in range(CHILDREN):
        child = os.fork()
        if child == 0:
            # No handler of the parent may run in it.
            try:
                succeeded = []
                produce(recording(exporter, succeeded), sdk_producer.Books())
                os._exit(0 if len(succeeded) >= sdk_producer.ROUNDS and not any(it["code"] for it in succeeded) else 2)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(f"a child ended with {status}")
    busy.join()
    # What the children recorded: always the same.
    sdk_producer.record(MeterProvider().get_meter("books"), books, lambda: None)


def produce(exporter, books, name=RESOURCE["service.name"]):
    """Records with a provider of its own, which exports after each round."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider(metric_readers=[reader], resource=Resource({**RESOURCE, "service.name": name}))
    sdk_producer.record(provider.get_meter("sdk_producer", "1.0"), books, provider.force_flush)
    return provider


def main(file, whose, patience, mode=None):
    with open(file, encoding="utf-8") as text:
        configuration = json.load(text)
    results = []
    # As the SDK's own default, handed through.
    aggregation = {Histogram: ExplicitBucketHistogramAggregation()}
    exporter = PreampMetricExporter(
        configuration, CREDENTIALS[whose](), patience=float(patience), preferred_aggregation=aggregation
    )
    recording(exporter, results)
    books = sdk_producer.Books()
    if mode == "fork":
        forked(exporter, books)
        exporter.shutdown()
    else:
        provider = produce(exporter, books)
        flushed(exporter, results)
        provider.shutdown()
    late = exporter.export(None)
    results.pop()
    printed = {"resource": RESOURCE, "series": list(books.series.values()), "exports": results}
    json.dump({**printed, "late": None if late is MetricExportResult.SUCCESS else "the exporter was shut down"}, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5) or sys.argv[2] not in CREDENTIALS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
