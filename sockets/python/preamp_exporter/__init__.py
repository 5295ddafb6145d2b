"""OTLP metrics to Amazon Managed Service for Prometheus, and to any receiver of Prometheus remote write.

    from preamp_exporter import Exporter
    exporter = Exporter('{"endpoint": "https://…", "sigv4": {"region": "eu-west-1"}}')
    outcome = exporter.deliver(payload)

With the OpenTelemetry SDK: `preamp_exporter.metric_exporter.PreampMetricExporter(exporter)`.
"""

from ._component import ConfigurationError, Explanation, Outcome
from .exporter import Credentials, Exporter, botocore_credentials, derive_key, environment_credentials

__all__ = [
    "ConfigurationError",
    "Credentials",
    "Explanation",
    "Exporter",
    "Outcome",
    "botocore_credentials",
    "derive_key",
    "environment_credentials",
]
