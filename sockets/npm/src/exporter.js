// Delivers payloads: does what the component wants done, and decides nothing.

/** How long a request may take, and how long the pauses of one delivery may be together, in milliseconds. */
const TIMEOUT = 5_000;
const PATIENCE = 4_000;

/** How much of the body of an answer is looked at, in bytes. */
const ANSWER_BYTES = 1 << 10;

/** What is wrong with a configuration, all at once: `problems` have a `path` and a `message`. */
export class ConfigurationError extends Error {
  constructor(problems) {
    const lines = problems.map(({ path, message }) => `${path} ${message}`.trim());
    super(`the configuration cannot be used: ${lines.join('; ')}`);
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}

/** Delivers OTLP metrics. Deliveries follow each other in the order in which they were begun. */
export class Exporter {
  #instantiate;
  #configuration;
  #options;
  #exporter;
  #last = Promise.resolve();

  constructor(instantiate, configuration, options) {
    this.#instantiate = instantiate;
    this.#configuration = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
    this.#options = { timeout: TIMEOUT, patience: PATIENCE, fetch: globalThis.fetch, ...options };
  }

  async open() {
    const { remoteWrite } = await this.#instantiate();
    try {
      this.#exporter = remoteWrite.Exporter.open(this.#configuration);
    } catch (error) {
      const problems = error?.payload ?? error;
      throw Array.isArray(problems) ? new ConfigurationError(problems) : error;
    }
    return this;
  }

  /** Brings a payload to its end; see index.d.ts. */
  deliver(payload, { contentType = 'application/x-protobuf', contentEncoding = '' } = {}) {
    const delivery = this.#last.then(() => this.#deliver(payload, contentType, contentEncoding));
    this.#last = delivery.catch(() => {});
    return delivery;
  }

  /** Waits until all that was handed in has come to its end. */
  async settled() {
    await this.#last;
  }

  async #deliver(payload, contentType, contentEncoding) {
    try {
      if (!this.#exporter) await this.open();
      const passage = this.#exporter.pass(payload, contentType, contentEncoding, now());
      const outcome = await this.#bringToItsEnd(passage);
      passage[Symbol.dispose]?.();
      return outcome;
    } catch (error) {
      // A call that failed may have left anything in the memory of the instance.
      if (error instanceof WebAssembly.RuntimeError) this.#exporter = undefined;
      throw error;
    }
  }

  async #bringToItsEnd(passage) {
    let patience = this.#options.patience;
    for (;;) {
      const { tag, val } = passage.next(now());
      if (tag === 'send') passage.answered(await this.#send(val), now());
      else if (tag === 'key') passage.giveKey(await this.#key(val), now());
      else if (tag === 'done') return outcomeOf(val);
      else {
        patience -= Number(val);
        if (patience < 0) return outcomeOf(passage.giveUp());
        await new Promise((resolve) => setTimeout(resolve, Number(val)));
      }
    }
  }

  async #send({ head, body }) {
    // Fetch makes the field `host` of the URL, and takes it from nobody.
    const headers = head.headers.filter(({ name }) => name !== 'host').map(({ name, value }) => [name, value]);
    try {
      const answer = await this.#options.fetch(head.url, {
        method: head.method,
        headers,
        body: head.method === 'GET' ? undefined : body,
        redirect: 'manual',
        signal: AbortSignal.timeout(this.#options.timeout),
      });
      const text = new Uint8Array(await answer.arrayBuffer()).slice(0, ANSWER_BYTES);
      const fields = [...answer.headers].map(([name, value]) => ({ name, value }));
      return { status: answer.status, headers: fields, body: text };
    } catch (error) {
      const why = String(error?.cause?.message ?? error?.message ?? error);
      return { status: 0, headers: [], body: new TextEncoder().encode(why) };
    }
  }

  /** The key that is wanted; undefined if there are no credentials now. */
  async #key({ date, region, service, isRefused }) {
    const credentials = await this.#options.credentials?.({ isRefused });
    if (!credentials) return undefined;
    const derivedKey = await deriveKey(credentials.secretAccessKey, date, region, service);
    const { accessKeyId, sessionToken } = credentials;
    return { accessKeyId, sessionToken, derivedKey, date, region, service };
  }
}

/** Derives a signing key (AWS Signature Version 4, "Derive a signing key"). */
export async function deriveKey(secretAccessKey, date, region, service) {
  const encoder = new TextEncoder();
  let key = encoder.encode(`AWS4${secretAccessKey}`);
  for (const part of [date, region, service, 'aws4_request']) {
    const hmac = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    key = new Uint8Array(await crypto.subtle.sign('HMAC', hmac, encoder.encode(part)));
  }
  return key;
}

/** The local time in nanoseconds since the Unix epoch. */
function now() {
  return BigInt(Date.now()) * 1_000_000n;
}

function outcomeOf({ delivered, partlyRejected, rejected, unsettled, ...rest }) {
  const [all, partly, none, open] = [delivered, partlyRejected, rejected, unsettled].map(Number);
  return { ...rest, delivered: all, partlyRejected: partly, rejected: none, unsettled: open };
}
