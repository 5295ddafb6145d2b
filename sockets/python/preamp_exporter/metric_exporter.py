"""A MetricExporter for the OpenTelemetry SDK."""

import logging

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from .exporter import Exporter

_logger = logging.getLogger(__name__)


class PreampMetricExporter(MetricExporter):
    """Hands what the SDK collects to an exporter."""

    def __init__(self, exporter: Exporter):
        super().__init__()
        self._exporter = exporter

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs) -> MetricExportResult:
        """Delivers them; once more if they could not be, since nobody behind the SDK keeps what failed."""
        payload = encode_metrics(metrics_data).SerializeToString()
        for _attempt in range(2):
            outcome = self._exporter.deliver(payload)
            if outcome.status == 200:
                return MetricExportResult.SUCCESS
            if outcome.status != 503:
                break
        for why in outcome.explanations:
            _logger.error("metrics were not delivered: %s: %s; %s", why.reason, why.detail, why.remedy)
        if not outcome.explanations:
            _logger.error("%d data points were not delivered: the receiver cannot be reached", outcome.unsettled)
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is kept back."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs) -> None:
        """Nothing is kept open."""
