"""A MetricExporter for the OpenTelemetry SDK."""

import logging

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.metrics.view import Aggregation

from ._component import ComponentError, Outcome
from .exporter import TIMEOUT, CredentialsFunction, Exporter, environment_credentials

PATIENCE = 20.0

_logger = logging.getLogger(__name__)


class PreampMetricExporter(MetricExporter):
    """Hands what the SDK collects to an exporter. All temporality is cumulative, unless it is asked for otherwise."""

    def __init__(
        self,
        configuration: str | dict,
        credentials: CredentialsFunction = environment_credentials,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        memory_limit: int | None = None,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        preferred_aggregation: dict[type, Aggregation] | None = None,
    ):
        """As Exporter, with more patience, since nobody behind the SDK keeps what failed; but never more than what the time-out
        of the reader leaves for a last request. Raises ConfigurationError."""
        super().__init__(preferred_temporality, preferred_aggregation)
        self._exporter = Exporter(configuration, credentials, timeout=timeout, memory_limit=memory_limit)
        self._timeout, self._patience = timeout, patience
        self._is_shut_down = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs) -> MetricExportResult:
        """Delivers: SUCCESS once the receiver has the points; FAILURE otherwise, and the log says why."""
        if self._is_shut_down:
            _logger.warning("preamp: the exporter was shut down")
            return MetricExportResult.FAILURE
        payload = encode_metrics(metrics_data).SerializeToString()
        try:
            patience = min(self._patience, timeout_millis / 1_000 - self._timeout)
            outcome = self._exporter.deliver(payload, patience=max(patience, 0))
        except ComponentError as problem:
            _logger.error("preamp: %s", problem)
            return MetricExportResult.FAILURE
        if outcome.status != 200:
            _logger.error("preamp: %d data points were not delivered: %s", outcome.unsettled, _why(outcome))
            return MetricExportResult.FAILURE
        lost = outcome.rejected + outcome.partly_rejected
        if lost:
            said = ExportMetricsServiceResponse.FromString(outcome.body).partial_success.error_message
            _logger.warning("preamp: of %d data points, some or all were rejected: %s", lost, said)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Waits for the export under way; whether it has come to its end in time."""
        return self._exporter.settled(timeout_millis / 1_000)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs) -> None:
        """Waits for the export under way; later ones fail."""
        self._is_shut_down = True
        # The SDK's reader says it by another name.
        self.force_flush(kwargs.get("timeout", timeout_millis))


def _why(outcome: Outcome) -> str:
    """Why, in a line: the explanations, or what the answer says to its sender."""
    lines = [f"{why.reason}: {why.detail}; {why.remedy}" for why in outcome.explanations]
    # A google.rpc.Status, for which there are no classes here. Its text is in it as it is.
    text = "".join(letter if letter.isprintable() else " " for letter in outcome.body.decode(errors="replace"))
    return "; ".join(lines) or f"status {outcome.status}, {' '.join(text.split())}"
