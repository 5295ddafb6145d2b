// Replays the vectors of sockets/conformance: `node replay.mjs FILE`. No network is needed.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { instantiate } from './component/preamp.js';
import { deriveKey } from './src/index.js';

/** A body of more bytes stands in the file as its digest. */
const BODY_MAX = 4 << 10;

const compile = async (name) => WebAssembly.compile(await readFile(new URL(`component/${name}`, import.meta.url)));
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const bytes = (text) => Buffer.from(text, 'base64');
const pairs = (headers) => headers.map(({ name, value }) => [name, value]);

/** What the component says, as it stands in the file. */
const shown = {
  send: ({ head: { method, url, headers }, body }) => {
    const content = body.length <= BODY_MAX
      ? { body: base64(body) }
      : { sha256: createHash('sha256').update(body).digest('hex'), length: body.length };
    return { method, url, headers: pairs(headers), ...content };
  },
  key: (wanted) => wanted,
  wait: Number,
  done: ({ status, headers, body, delivered, partlyRejected, rejected, unsettled, explanations }) => ({
    status,
    headers: pairs(headers),
    body: base64(body),
    delivered: Number(delivered),
    partlyRejected: Number(partlyRejected),
    rejected: Number(rejected),
    unsettled: Number(unsettled),
    explanations: explanations.map(({ reason, detail, remedy }) => ({ reason, detail, remedy })),
  }),
};

/** Where two values differ first, in words; undefined if they are equal. */
function difference(expected, said, place) {
  if (JSON.stringify(expected) === JSON.stringify(said)) return undefined;
  if (typeof expected === 'object' && typeof said === 'object' && expected && said) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(said)])) {
      const found = difference(expected[key], said[key], `${place}/${key}`);
      if (found) return found;
    }
    return undefined;
  }
  return `${place}: expected ${JSON.stringify(expected)}, not ${JSON.stringify(said)}`;
}

function open(Exporter, configuration) {
  try {
    return { exporter: Exporter.open(configuration), problems: [] };
  } catch (error) {
    const problems = error?.payload ?? error;
    if (!Array.isArray(problems)) throw error;
    return { problems: problems.map(({ path, message }) => [path, message]) };
  }
}

async function key(given) {
  if (!given) return undefined;
  const { secretAccessKey, sessionToken, ...rest } = given;
  const derivedKey = await deriveKey(secretAccessKey, rest.date, rest.region, rest.service);
  return { ...rest, sessionToken: sessionToken ?? undefined, derivedKey };
}

/** Makes the calls of a vector, all for the passage that was begun last, and says what is not as expected. */
async function replayed(Exporter, { configuration, problems, calls }) {
  const opened = open(Exporter, configuration);
  let different = difference(problems, opened.problems, 'problems');
  let passage;
  for (const [number, call] of calls.entries()) {
    if (different) break;
    const at = BigInt(call.at ?? 0) * 1_000_000n;
    let said;
    switch (call.call) {
      case 'pass':
        passage?.[Symbol.dispose]?.();
        passage = opened.exporter.pass(bytes(call.payload), call.contentType, call.contentEncoding, at);
        break;
      case 'next': {
        const { tag, val } = passage.next(at);
        said = { [tag]: shown[tag](val) };
        break;
      }
      case 'give-key':
        passage.giveKey(await key(call.key), at);
        break;
      case 'answered': {
        const headers = call.headers.map(([name, value]) => ({ name, value }));
        passage.answered({ status: call.status, headers, body: bytes(call.body) }, at);
        break;
      }
      case 'give-up':
        said = { done: shown.done(passage.giveUp()) };
        break;
      default:
        throw new Error(`there is no call ${call.call}`);
    }
    different = difference(call.expect, said, `call ${number}`);
  }
  passage?.[Symbol.dispose]?.();
  opened.exporter?.[Symbol.dispose]?.();
  return different;
}

/** Replays a file, prints how many of its vectors are as expected, and returns whether all are. */
async function replay(file) {
  const { remoteWrite: { Exporter } } = await instantiate(compile, {});
  const vectors = (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line));
  let same = 0;
  for (const vector of vectors) {
    const different = await replayed(Exporter, vector);
    if (different) console.error(`${vector.name}: ${different}`);
    else same += 1;
  }
  console.log(`${same} of ${vectors.length}`);
  return same === vectors.length;
}

process.exit((await replay(process.argv[2])) ? 0 : 1);
