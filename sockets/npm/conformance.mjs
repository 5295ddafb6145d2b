// Delivers payloads that come as lines of JSON, and prints what became of each: so the tests of all sockets drive this one.
//
//   node conformance.mjs CONFIGURATION.json < {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { environmentCredentials, open } from './src/index.js';

const exporter = await open(await readFile(process.argv[2], 'utf8'), { credentials: environmentCredentials });
for await (const line of createInterface({ input: process.stdin })) {
  const { payload, contentType, contentEncoding } = JSON.parse(line);
  const { body, headers, explanations, ...outcome } = await exporter.deliver(Buffer.from(payload, 'base64'), { contentType, contentEncoding });
  const retryAfter = headers.some(({ name }) => name === 'retry-after');
  console.log(JSON.stringify({ ...outcome, retryAfter, body: Buffer.from(body).toString('base64') }));
}
