import type { PushMetricExporter, ResourceMetrics, AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { ExportResult } from '@opentelemetry/core';
import type { Options } from '@preamp/exporter';

/** Hands what the OpenTelemetry SDK collects to an exporter. `forceFlush` waits for it: call it before a Lambda returns. */
export class PreampMetricExporter implements PushMetricExporter {
  constructor(configuration: string | object, options?: Options);
  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
  selectAggregationTemporality(): AggregationTemporality;
}
