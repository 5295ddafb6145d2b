// Delivers payloads: does what the component wants done, and decides nothing.

/** How long a request may take, and after how long a delivery does not pause any more, in milliseconds. */
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

/** The component failed with a payload. Another instance has taken its place. */
export class ComponentError extends Error {
  constructor(bytes, cause) {
    super(`the component failed with a payload of ${bytes} bytes, which was not delivered: ${cause}; send smaller ones`, { cause });
    this.name = 'ComponentError';
  }
}

/** Delivers OTLP metrics; see index.d.ts. */
export class Exporter {
  #instantiate;
  #configuration;
  #options;
  /** The instance in use, or on its way. */
  #instance;
  #last = Promise.resolve();
  #underWay = new Set();

  constructor(instantiate, configuration, options) {
    const { credentials } = options;
    if (credentials !== undefined && typeof credentials !== 'function') {
      throw new TypeError('`credentials` must be a function: for fixed ones, give () => ({ accessKeyId, secretAccessKey })');
    }
    this.#instantiate = instantiate;
    this.#configuration = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
    this.#options = { timeout: TIMEOUT, patience: PATIENCE, isOrdered: true, fetch: globalThis.fetch, ...options };
  }

  async open() {
    await this.#current();
    return this;
  }

  /** Brings a payload to its end; see index.d.ts. */
  deliver(payload, { contentType = 'application/x-protobuf', contentEncoding = '' } = {}) {
    const before = this.#options.isOrdered ? this.#last : Promise.resolve();
    const delivery = before.then(() => this.#deliver(payload, contentType, contentEncoding));
    const settled = delivery.then(
      () => {},
      () => {},
    );
    this.#last = settled;
    this.#underWay.add(settled);
    settled.then(() => this.#underWay.delete(settled));
    return delivery;
  }

  /** Waits until all that was handed in has come to its end. */
  async settled() {
    await Promise.all(this.#underWay);
  }

  /** The instance in use, or a new one. */
  #current() {
    if (!this.#instance) {
      const instance = this.#begin();
      this.#instance = instance;
      instance.catch(() => {
        if (this.#instance === instance) this.#instance = undefined;
      });
    }
    return this.#instance;
  }

  async #begin() {
    const { remoteWrite } = await this.#instantiate();
    try {
      return { exporter: remoteWrite.Exporter.open(this.#configuration), isBroken: false };
    } catch (error) {
      const problems = error?.payload ?? error;
      throw Array.isArray(problems) ? new ConfigurationError(problems) : error;
    }
  }

  async #deliver(payload, contentType, contentEncoding) {
    for (;;) {
      const instance = await this.#current();
      const outcome = await this.#pass(instance, payload, contentType, contentEncoding);
      if (outcome) return outcome;
      // Another payload broke the instance meanwhile. The bytes repeat, and the receiver drops what it has.
    }
  }

  /** The outcome; undefined if another payload broke the instance. */
  async #pass(instance, payload, contentType, contentEncoding) {
    const call = (of) => {
      try {
        return of();
      } catch (error) {
        // A call that failed may have left anything in its memory.
        if (!instance.isBroken) this.#instance = undefined;
        instance.isBroken = true;
        throw new ComponentError(payload.length, error);
      }
    };
    if (instance.isBroken) return undefined;
    const end = performance.now() + this.#options.patience;
    const passage = call(() => instance.exporter.pass(payload, contentType, contentEncoding, now()));
    const finish = (outcome, troubles) => {
      try {
        call(() => passage[Symbol.dispose]());
      } catch {
        // What was delivered is delivered.
      }
      return outcomeOf(outcome, troubles);
    };
    let troubles = [];
    while (!instance.isBroken) {
      const { tag, val } = call(() => passage.next(now()));
      if (tag === 'send') {
        const { answer, trouble } = await this.#send(val);
        troubles = trouble;
        if (!instance.isBroken) call(() => passage.answered(answer, now()));
      } else if (tag === 'key') {
        const { key, trouble } = await this.#key(val);
        troubles = trouble;
        if (!instance.isBroken) call(() => passage.giveKey(key, now()));
      } else if (tag === 'done') {
        return finish(val, troubles);
      } else {
        const pause = Number(val);
        if (performance.now() + pause > end) return finish(call(() => passage.giveUp()), troubles);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return undefined;
  }

  /** The answer to a request, and what went wrong. */
  async #send({ head, body }) {
    // Fetch makes the field `host` of the URL, and takes it from nobody.
    const headers = head.headers.filter(({ name }) => name !== 'host').map(({ name, value }) => [name, value]);
    try {
      const { fetch, timeout } = this.#options;
      const answer = await fetch(head.url, {
        method: head.method,
        headers,
        body: head.method === 'GET' ? undefined : body,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeout),
      });
      const fields = [...answer.headers].map(([name, value]) => ({ name, value }));
      return { answer: { status: answer.status, headers: fields, body: await beginning(answer) }, trouble: [] };
    } catch (error) {
      const detail = String(error?.cause?.message ?? error?.message ?? error);
      const remedy = 'look at `endpoint`, and at the way of this host to it';
      const answer = { status: 0, headers: [], body: new TextEncoder().encode(detail) };
      return { answer, trouble: [{ reason: 'no-answer', detail, remedy }] };
    }
  }

  /** The key that is wanted, undefined if there are no credentials now, and what went wrong. */
  async #key({ date, region, service, isRefused }) {
    const remedy = 'give `credentials` that may write to the workspace';
    const none = (detail) => ({ key: undefined, trouble: [{ reason: 'no-credentials', detail, remedy }] });
    if (!this.#options.credentials) return none('the configuration signs, and there is no option `credentials`');
    try {
      // AWS' providers know the second one.
      const found = await this.#options.credentials({ isRefused, forceRefresh: isRefused });
      if (!found) return none('the function `credentials` gave none');
      const { accessKeyId, secretAccessKey, sessionToken } = found;
      const derivedKey = await deriveKey(secretAccessKey, date, region, service);
      return { key: { accessKeyId, sessionToken, derivedKey, date, region, service }, trouble: [] };
    } catch (error) {
      return none(`the function \`credentials\` failed: ${error?.message ?? error}`);
    }
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

/** The beginning of the body of an answer. A receiver cannot fill the memory of this host. */
async function beginning({ body }) {
  const bytes = [];
  if (!body) return new Uint8Array();
  const reader = body.getReader();
  while (bytes.length < ANSWER_BYTES) {
    const { done, value } = await reader.read();
    if (done) return Uint8Array.from(bytes);
    bytes.push(...value.subarray(0, ANSWER_BYTES - bytes.length));
  }
  // What follows is of no interest, and neither is whether it can be stopped.
  reader.cancel().catch(() => {});
  return Uint8Array.from(bytes);
}

/** The local time in nanoseconds since the Unix epoch. */
function now() {
  return BigInt(Date.now()) * 1_000_000n;
}

/** An outcome with plain numbers, and with what went wrong on this side if that is why something is open. */
function outcomeOf({ delivered, partlyRejected, rejected, unsettled, explanations, ...rest }, troubles) {
  const [all, partly, none, open] = [delivered, partlyRejected, rejected, unsettled].map(Number);
  const why = rest.status === 503 ? [...troubles, ...explanations] : explanations;
  return { ...rest, delivered: all, partlyRejected: partly, rejected: none, unsettled: open, explanations: why };
}
