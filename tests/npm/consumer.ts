// A program that uses the npm package, for the compiler of TypeScript alone.
import { fromEnv, fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { AggregationType, InstrumentType, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import {
  ComponentError,
  ConfigurationError,
  type Credentials,
  type Exporter,
  type Outcome,
  deriveKey,
  environmentCredentials,
  open,
} from '@preamp/exporter';
import { PreampMetricExporter } from '@preamp/exporter/metric-exporter';

const configuration = { endpoint: 'https://localhost/api/v1/remote_write', sigv4: { region: 'eu-west-1', service: 'aps' } };

const own = async ({ isRefused }: { isRefused: boolean }): Promise<Credentials | undefined> =>
  isRefused ? undefined : { accessKeyId: 'id', secretAccessKey: 'secret' };

for (const credentials of [own, environmentCredentials, fromEnv(), fromNodeProviderChain()]) {
  const exporter: PushMetricExporter = new PreampMetricExporter(configuration, { credentials, patience: 1_000, timeout: 500 });
  new PeriodicExportingMetricReader({ exporter });
}

export const native = new PreampMetricExporter(JSON.stringify(configuration), {
  selectAggregation: (kind: InstrumentType) => ({
    type: kind === InstrumentType.HISTOGRAM ? AggregationType.EXPONENTIAL_HISTOGRAM : AggregationType.DEFAULT,
  }),
});

export async function deliver(payload: Uint8Array): Promise<number> {
  try {
    const exporter: Exporter = await open(configuration, { isOrdered: false, fetch: globalThis.fetch });
    const outcome: Outcome = await exporter.deliver(payload, { contentType: 'application/json', contentEncoding: 'gzip' });
    await exporter.settled();
    return outcome.delivered + outcome.partlyRejected + outcome.rejected + outcome.unsettled;
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map(({ path }) => path.length)[0] ?? 0;
    if (error instanceof ComponentError) return -1;
    throw error;
  }
}

export function isDelivered(result: ExportResult): boolean {
  return result.code === ExportResultCode.SUCCESS;
}

export const key: Promise<Uint8Array> = deriveKey('secret', '20260115', 'eu-west-1', 'aps');

// @ts-expect-error: credentials are a function.
export const wrong = open(configuration, { credentials: { accessKeyId: 'id', secretAccessKey: 'secret' } });
// @ts-expect-error: an outcome has no field of this name.
export const none = (outcome: Outcome) => outcome.dropped;
