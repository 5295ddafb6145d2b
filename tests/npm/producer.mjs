// Records metrics with the OpenTelemetry SDK, has @preamp/exporter deliver them, and prints what it recorded, in the form
// of tests/python/sdk_producer.py, with how many exports there were and which failed.
//
//   node producer.mjs CONFIGURATION.json environment|aws|none PATIENCE
//
// The second argument says whose credentials are used: the environment by this package, the environment by AWS' own
// provider, or none. The third is how long an export may pause, in seconds. The books are kept here, beside the SDK, so that
// nothing of the SDK's own aggregation is trusted.
import { readFile } from 'node:fs/promises';
import { DiagConsoleLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationTemporality, InstrumentType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { environmentCredentials } from '@preamp/exporter';
import { PreampMetricExporter } from '@preamp/exporter/metric-exporter';

const ROUNDS = 5;
const BOUNDS = [5, 10, 25, 50, 100, 250];

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const [file, whose, patience] = process.argv.slice(2);
const providers = {
  environment: async () => environmentCredentials,
  aws: async () => (await import('@aws-sdk/credential-providers')).fromEnv(),
  none: async () => undefined,
};
const options = { credentials: await providers[whose](), patience: patience * 1_000 };
const exporter = new PreampMetricExporter(await readFile(file, 'utf8'), options);

const results = [];
const inner = exporter.export.bind(exporter);
exporter.export = (metrics, done) =>
  inner(metrics, (result) => {
    results.push({ code: result.code, error: result.error?.message ?? null });
    done(result);
  });
for (const kind of Object.values(InstrumentType)) {
  if (exporter.selectAggregationTemporality(kind) !== AggregationTemporality.CUMULATIVE) throw new Error(`${kind} is not cumulative`);
}

const resource = {
  'service.name': 'checkout-js',
  'service.namespace': 'shop',
  'service.instance.id': 'checkout-1',
  'deployment.environment.name': 'e2e',
};
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader], resource: resourceFromAttributes(resource) });
const series = new Map();

function entry(name, kind, attributes, start) {
  const key = name + JSON.stringify(attributes);
  if (!series.has(key)) series.set(key, { name, kind, attributes, ...start });
  return series.get(key);
}

let seed = 20_260_115;
/** A whole number below a bound: always the same ones. */
function random(bound) {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  return (seed >> 8) % bound;
}

const meter = provider.getMeter('sdk_producer', '1.0');
const requests = meter.createCounter('e2e.requests', { unit: '{request}', description: 'requests served' });
const volume = meter.createCounter('e2e.io', { unit: 'By' });
const temperature = meter.createGauge('e2e.temperature', { unit: 'Cel' });
const latency = meter.createHistogram('e2e.latency', { unit: 'ms', advice: { explicitBucketBoundaries: BOUNDS } });
for (let round = 0; round < ROUNDS; round++) {
  for (const route of ['/', '/cart', '/käse?q="a\\b"']) {
    for (const code of [200, 404]) {
      const attributes = { 'http.route': route, 'http.response.status_code': code };
      const amount = 1 + random(99);
      requests.add(amount, attributes);
      entry('e2e.requests', 'counter', attributes, { value: 0 }).value += amount;
    }
    const attributes = { 'http.route': route };
    for (let measurement = 0; measurement < 40; measurement++) {
      // Eighths add up exactly, in whichever order.
      const milliseconds = random(3000) / 8;
      latency.record(milliseconds, attributes);
      entry('e2e.latency', 'histogram', attributes, { values: [], bounds: BOUNDS }).values.push(milliseconds);
    }
  }
  const amount = random(1 << 20) / 2;
  volume.add(amount);
  entry('e2e.io', 'counter', {}, { value: 0 }).value += amount;
  for (const room of ['cellar', 'attic']) {
    const degrees = (random(480) - 160) / 8;
    temperature.record(degrees, { room });
    entry('e2e.temperature', 'gauge', { room }, { value: 0 }).value = degrees;
  }
  // As a Lambda does before its handler returns. A failed export is in the results.
  await provider.forceFlush().catch(() => {});
  if (results.length !== round + 1) throw new Error(`forceFlush came back after ${results.length} of ${round + 1} exports`);
}
// The reader waits for its exports by itself. This one is nobody's: only the exporter's own forceFlush waits for it.
const { resourceMetrics } = await reader.collect();
exporter.export(resourceMetrics, () => {});
await exporter.forceFlush();
if (results.length !== ROUNDS + 1) throw new Error('forceFlush of the exporter came back before its export ended');
await provider.shutdown().catch(() => {});
// What comes after it is refused.
const late = await new Promise((done) => inner({ resource: resourceFromAttributes(resource), scopeMetrics: [] }, done));
console.log(JSON.stringify({ resource, series: [...series.values()], exports: results, late: late.error?.message ?? null }));
process.exit(0);
