// A PushMetricExporter for the OpenTelemetry SDK.
import { diag } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { AggregationTemporality, AggregationType } from '@opentelemetry/sdk-metrics';
import { open } from '@preamp/exporter';

/**
 * After how long an export does not pause any more, in milliseconds: nobody behind the SDK keeps what failed. With a last
 * request, it ends before a reader gives up, which is after 30 seconds.
 */
const PATIENCE = 20_000;

/** Hands what the SDK collects to an exporter; see metric-exporter.d.ts. */
export class PreampMetricExporter {
  #opened;
  #selectAggregation;
  #isShutDown = false;
  #underWay = new Set();

  constructor(configuration, { selectAggregation, ...options } = {}) {
    this.#selectAggregation = selectAggregation;
    this.#opened = open(configuration, { patience: PATIENCE, ...options });
    // Each export says so, too.
    this.#opened.catch((error) => diag.error(`preamp: ${error.message}`));
  }

  export(metrics, done) {
    const result = this.#export(metrics).then(
      () => ({ code: ExportResultCode.SUCCESS }),
      (error) => ({ code: ExportResultCode.FAILED, error }),
    );
    const task = result.then(done).catch((error) => diag.error('preamp: the callback of an export failed', error));
    this.#underWay.add(task);
    task.then(() => this.#underWay.delete(task));
  }

  async #export(metrics) {
    if (this.#isShutDown) throw new Error('the exporter was shut down');
    const exporter = await this.#opened;
    const outcome = await exporter.deliver(ProtobufMetricsSerializer.serializeRequest(metrics));
    if (outcome.status !== 200) throw new Error(`${outcome.unsettled} data points were not delivered: ${why(outcome)}`);
    const lost = outcome.rejected + outcome.partlyRejected;
    const { partialSuccess } = ProtobufMetricsSerializer.deserializeResponse(outcome.body);
    if (lost > 0) diag.warn(`preamp: of ${lost} data points, some or all were rejected: ${partialSuccess?.errorMessage}`);
  }

  async forceFlush() {
    await Promise.all(this.#underWay);
  }

  async shutdown() {
    this.#isShutDown = true;
    await this.forceFlush();
  }

  selectAggregationTemporality() {
    return AggregationTemporality.CUMULATIVE;
  }

  selectAggregation(instrumentType) {
    return this.#selectAggregation?.(instrumentType) ?? { type: AggregationType.DEFAULT };
  }
}

/** Why, in a line: the explanations, or what the answer says to its sender. */
function why({ status, body, explanations }) {
  const lines = explanations.map(({ reason, detail, remedy }) => `${reason}: ${detail}; ${remedy}`);
  // The SDK cannot read a google.rpc.Status. Its text is in it as it is.
  return lines.join('; ') || `status ${status}, ${new TextDecoder().decode(body).replace(/[^\x20-\x7e]+/g, ' ').trim()}`;
}
