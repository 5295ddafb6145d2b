"""Plays the scenario with the OpenTelemetry SDK for Python. Usage: play.py ENDPOINT SCENARIO NAMESPACE"""

import json
import sys
import time
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

NEVER_BY_ITSELF = 3_600_000


def provider(resource, scenario, endpoint):
    exponential = [it["name"] for it in scenario["instruments"] if it["kind"] == "exponential_histogram"]
    aggregation = ExponentialBucketHistogramAggregation()
    exporter = OTLPMetricExporter(endpoint=endpoint, compression=Compression.Gzip)
    return MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=NEVER_BY_ITSELF)],
        resource=Resource.create(resource),
        views=[View(instrument_name=name, aggregation=aggregation) for name in exponential],
    )


def recorder(meter, it):
    texts = {"unit": it["unit"], "description": it["description"]}
    match it["kind"]:
        case "counter" | "double_counter":
            return meter.create_counter(it["name"], **texts).add
        case "up_down_counter":
            return meter.create_up_down_counter(it["name"], **texts).add
        case "gauge":
            return meter.create_gauge(it["name"], **texts).set
        case "histogram":
            bounds = it["bounds"]
            return meter.create_histogram(it["name"], explicit_bucket_boundaries_advisory=bounds, **texts).record
        case "exponential_histogram":
            return meter.create_histogram(it["name"], **texts).record


def recorders(provider, scenario):
    meters = {
        it["name"]: provider.get_meter(it["name"], it["version"], attributes=it["attributes"])
        for it in scenario["scopes"]
    }
    return {it["name"]: recorder(meters[it["scope"]], it) for it in scenario["instruments"]}


def context(span):
    """The context of a span that was sampled elsewhere, which is what makes an exemplar."""
    if span is None:
        return None
    sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    ids = trace.SpanContext(int(span["trace_id"], 16), int(span["span_id"], 16), is_remote=True, trace_flags=sampled)
    return trace.set_span_in_context(trace.NonRecordingSpan(ids))


def main(endpoint, scenario, namespace):
    with open(scenario, encoding="utf-8") as file:
        scenario = json.load(file)
    resources = [{**resource, "service.namespace": namespace} for resource in scenario["resources"]]
    providers = [provider(resource, scenario, endpoint) for resource in resources]
    instruments = [recorders(provider, scenario) for provider in providers]
    for index, steps in enumerate(scenario["exports"]):
        time.sleep(1 if index else 0)
        for step in steps:
            record = instruments[step["resource"]][step["instrument"]]
            for value in step["values"]:
                record(value, step["attributes"], context=context(step.get("span")))
        if not all(provider.force_flush() for provider in providers):
            sys.exit("an export failed")
    supports = ["exemplars", "scope attributes"]
    print(json.dumps({"sdk": "opentelemetry-python", "version": version("opentelemetry-sdk"), "supports": supports}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
