// Plays the scenario with the OpenTelemetry SDK for JavaScript, which exports OTLP as JSON.
// Usage: play.mjs ENDPOINT SCENARIO NAMESPACE

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';

import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';

const NEVER_BY_ITSELF = 3_600_000;

function provider(attributes, scenario, url) {
  const exponential = scenario.instruments.filter(({ kind }) => kind === 'exponential_histogram');
  return new MeterProvider({
    resource: defaultResource().merge(resourceFromAttributes(attributes)),
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url }),
        exportIntervalMillis: NEVER_BY_ITSELF,
      }),
    ],
    views: exponential.map(({ name }) => ({
      instrumentName: name,
      aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
    })),
  });
}

function recorder(meter, { name, kind, unit, description, bounds }) {
  const options = { unit, description };
  switch (kind) {
    case 'counter':
    case 'double_counter': {
      const counter = meter.createCounter(name, options);
      return (...measurement) => counter.add(...measurement);
    }
    case 'up_down_counter': {
      const counter = meter.createUpDownCounter(name, options);
      return (...measurement) => counter.add(...measurement);
    }
    case 'gauge': {
      const gauge = meter.createGauge(name, options);
      return (...measurement) => gauge.record(...measurement);
    }
    default: {
      const histogram = meter.createHistogram(name, { ...options, advice: { explicitBucketBoundaries: bounds } });
      return (...measurement) => histogram.record(...measurement);
    }
  }
}

function recorders(provider, scenario) {
  const meters = new Map(scenario.scopes.map(({ name, version }) => [name, provider.getMeter(name, version)]));
  return new Map(scenario.instruments.map((it) => [it.name, recorder(meters.get(it.scope), it)]));
}

const [url, file, namespace] = process.argv.slice(2);
const scenario = JSON.parse(readFileSync(file, 'utf8'));
const providers = scenario.resources.map((resource) =>
  provider({ ...resource, 'service.namespace': namespace }, scenario, url),
);
const instruments = providers.map((it) => recorders(it, scenario));
for (const [index, steps] of scenario.exports.entries()) {
  if (index > 0) await setTimeout(1000);
  for (const { resource, instrument, values, attributes } of steps) {
    for (const value of values) instruments[resource].get(instrument)(value, attributes);
  }
  for (const it of providers) await it.forceFlush();
}
const { version } = createRequire(import.meta.url)('@opentelemetry/sdk-metrics/package.json');
console.log(JSON.stringify({ sdk: 'opentelemetry-js', version, supports: [] }));
process.exit(0);
