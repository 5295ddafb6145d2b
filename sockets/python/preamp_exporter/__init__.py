"""OTLP metrics to Amazon Managed Service for Prometheus, and to any receiver of Prometheus remote write.

    from preamp_exporter import Exporter
    exporter = Exporter({"endpoint": "https://…", "sigv4": {"region": "eu-west-1", "service": "aps"}})
    outcome = exporter.deliver(payload)

With the OpenTelemetry SDK: `preamp_exporter.metric_exporter.PreampMetricExporter`.
"""

from ._component import ComponentError, ConfigurationError, Explanation, Outcome
from .exporter import (
    Credentials,
    CredentialsFunction,
    Exporter,
    botocore_credentials,
    derive_key,
    environment_credentials,
)

__all__ = [
    "ComponentError",
    "ConfigurationError",
    "Credentials",
    "CredentialsFunction",
    "Explanation",
    "Exporter",
    "Outcome",
    "botocore_credentials",
    "derive_key",
    "environment_credentials",
]
