// What the tests of all sockets drive:
//
//   node conformance.mjs CONFIGURATION.json   delivers payloads that come as lines of JSON, and prints what became of each:
//                                             {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
//   node conformance.mjs replay FILE          replays the vectors of sockets/conformance
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { replay } from './replay.mjs';
import { environmentCredentials, open } from './src/index.js';

const [first, second] = process.argv.slice(2);
if (first === 'replay') process.exit((await replay(second)) ? 0 : 1);

const exporter = await open(await readFile(first, 'utf8'), { credentials: environmentCredentials });
for await (const line of createInterface({ input: process.stdin })) {
  const { payload, contentType, contentEncoding } = JSON.parse(line);
  const { body, headers, explanations, ...outcome } = await exporter.deliver(Buffer.from(payload, 'base64'), { contentType, contentEncoding });
  const retryAfter = headers.some(({ name }) => name === 'retry-after');
  console.log(JSON.stringify({ ...outcome, retryAfter, body: Buffer.from(body).toString('base64') }));
}
