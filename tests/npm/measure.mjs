// Measures the npm package, without a network: how long until an exporter is open, and how long a payload takes from its
// bytes to its answer, its signature included.
//
//   node measure.mjs CONFIGURATION.json PAYLOAD
import { readFile } from 'node:fs/promises';

const [configuration, payload] = await Promise.all([readFile(process.argv[2], 'utf8'), readFile(process.argv[3])]);
const started = performance.now();
const { open } = await import('@preamp/exporter');
const exporter = await open(configuration, {
  credentials: () => ({ accessKeyId: 'id', secretAccessKey: 'secret' }),
  fetch: async () => new Response(null, { status: 200 }),
});
const opened = performance.now();
const times = [];
for (let round = 0; round < 500; round++) {
  const begun = performance.now();
  const { status, delivered } = await exporter.deliver(payload);
  times.push(performance.now() - begun);
  if (status !== 200 || delivered === 0) throw new Error(`status ${status}, ${delivered} delivered`);
}
// The first ones are not compiled yet.
const settled = times.slice(200).sort((one, other) => one - other);
console.log(JSON.stringify({ loadMs: opened - started, payloadMs: settled[settled.length >> 1] }));
process.exit(0);
