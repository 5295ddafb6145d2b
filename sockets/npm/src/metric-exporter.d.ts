import type { ExportResult } from '@opentelemetry/core';
import type {
  AggregationOption,
  AggregationTemporality,
  InstrumentType,
  PushMetricExporter,
  ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { Options } from '@preamp/exporter';

/** Those of an exporter. `patience` is 20,000 if absent, since nobody behind the SDK keeps what failed. */
export interface MetricExporterOptions extends Options {
  /** The aggregation of each kind of instrument; the SDK's default if absent. */
  selectAggregation?: (instrumentType: InstrumentType) => AggregationOption;
}

/**
 * Hands what the OpenTelemetry SDK collects to an exporter. What is wrong with the configuration is said by `diag` and by
 * each export; points that the receiver does not take are said by `diag`.
 */
export class PreampMetricExporter implements PushMetricExporter {
  constructor(configuration: string | object, options?: MetricExporterOptions);
  /** Delivers; `done` gets SUCCESS once the receiver has the points, or FAILED with the reason. */
  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void;
  /** Waits for the exports under way. A Lambda calls `forceFlush` of the MeterProvider, which collects first. */
  forceFlush(): Promise<void>;
  /** Waits for the exports under way; later ones fail. */
  shutdown(): Promise<void>;
  selectAggregationTemporality(instrumentType: InstrumentType): AggregationTemporality;
  selectAggregation(instrumentType: InstrumentType): AggregationOption;
}
