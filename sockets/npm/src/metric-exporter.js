// A PushMetricExporter for the OpenTelemetry SDK.
import { ExportResultCode } from '@opentelemetry/core';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import { open } from '@preamp/exporter';

/** Hands what the SDK collects to an exporter. */
export class PreampMetricExporter {
  #opened;
  #under_way = new Set();

  constructor(configuration, options) {
    this.#opened = open(configuration, options);
    // Whoever exports first is told.
    this.#opened.catch(() => {});
  }

  export(metrics, done) {
    const task = this.#export(metrics).then(
      () => done({ code: ExportResultCode.SUCCESS }),
      (error) => done({ code: ExportResultCode.FAILED, error }),
    );
    this.#under_way.add(task);
    task.finally(() => this.#under_way.delete(task));
  }

  async #export(metrics) {
    const exporter = await this.#opened;
    const payload = ProtobufMetricsSerializer.serializeRequest(metrics);
    let outcome = await exporter.deliver(payload);
    // Once more, since nobody behind the SDK keeps what failed.
    if (outcome.status === 503) outcome = await exporter.deliver(payload);
    if (outcome.status !== 200) throw new Error(messageOf(outcome));
  }

  async forceFlush() {
    await Promise.all(this.#under_way);
  }

  async shutdown() {
    await this.forceFlush();
  }

  selectAggregationTemporality() {
    return AggregationTemporality.CUMULATIVE;
  }
}

function messageOf({ status, unsettled, explanations }) {
  const why = explanations.map(({ reason, detail, remedy }) => `${reason}: ${detail}; ${remedy}`).join('; ');
  return `${unsettled} data points were not delivered (${status}): ${why || 'the receiver cannot be reached'}`;
}
