// Delivers payloads that come as lines of JSON, and prints what became of each: so the tests of all sockets drive this one.
//
//   node conformance.mjs CONFIGURATION.json < {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { ComponentError, environmentCredentials, open } from '@preamp/exporter';

const exporter = await open(await readFile(process.argv[2], 'utf8'), { credentials: environmentCredentials });
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}

async function answer({ payload, contentType, contentEncoding }) {
  try {
    const outcome = await exporter.deliver(Buffer.from(payload, 'base64'), { contentType, contentEncoding });
    const { status, headers, body, explanations } = outcome;
    if (status === 503) console.error(JSON.stringify(explanations));
    const retryAfter = headers.some(({ name }) => name === 'retry-after');
    return { status, retryAfter, body: Buffer.from(body).toString('base64') };
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    return { status: 500, retryAfter: false, body: Buffer.from(error.message).toString('base64') };
  }
}
