// Loads the component in Node.js through jco, which shares no code with wasmtime, and lets it take
// payloads: prints, for each, what it made of it as one line of JSON.
//
//   node run.mjs COMPONENT.wasm SCRATCH_FOLDER < REQUEST.json
//
// The request is {"configuration": TEXT, "now": "NANOSECONDS", "payloads": [PATH, …]}.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { transpile, writeFiles } from '@bytecodealliance/jco-transpile';

const [wasm, scratch] = process.argv.slice(2);
const request = JSON.parse(await text(process.stdin));
const outDir = resolve(scratch);

const { files, imports } = await transpile(wasm, { name: 'preamp', outDir, quiet: true });
if (imports.length > 0) throw new Error(`the component imports ${imports}`);
await writeFiles(files);
const { remoteWrite } = await import(pathToFileURL(resolve(outDir, 'preamp.js')));

const exporter = remoteWrite.Exporter.open(request.configuration);
for (const path of request.payloads) {
  console.log(JSON.stringify(take(await readFile(path))));
}

function take(payload) {
  const acceptance = attempt(() => exporter.accept(payload, 'protobuf', BigInt(request.now)));
  if ('error' in acceptance) return acceptance;
  const { batches, acceptedPoints, rejections } = acceptance.value;
  return {
    accepted_points: Number(acceptedPoints),
    rejections: rejections.map((one) => ({ ...one, points: Number(one.points) })),
    batches: batches.map(describe),
    merged: merge(batches),
    first: batches.length > 0 ? handle(batches[0]) : null,
  };
}

/** What the other functions of the contract make of a batch. */
function handle(batch) {
  const halves = attempt(() => exporter.halve(batch));
  const pruned = exporter.prune(batch, batch.last);
  return {
    halves: 'error' in halves ? halves.error : halves.value.map(describe),
    kept: pruned.kept ? describe(pruned.kept) : null,
    expired: pruned.expired ? describe(pruned.expired) : null,
    explained: sha256(exporter.explain(batch)),
  };
}

function merge(batches) {
  const first = batches.filter((batch) => batch.partition === batches[0].partition);
  return exporter.merge(first).map(describe);
}

function describe(batch) {
  return {
    body: sha256(batch.body),
    digest: Buffer.from(batch.digest).toString('hex'),
    partition: batch.partition,
    points: batch.points,
    series: batch.series,
    samples: batch.samples,
    first: Number(batch.first),
    last: Number(batch.last),
    uncompressed_size: batch.uncompressedSize,
  };
}

/** Errors of the contract are thrown by jco, as they are or as a payload; anything else is a defect. */
function attempt(call) {
  try {
    return { value: call() };
  } catch (error) {
    const { tag, val } = error.payload ?? error;
    if (tag === undefined) throw error;
    return { error: { tag, val: typeof val === 'bigint' ? Number(val) : (val ?? null) } };
  }
}

function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}
