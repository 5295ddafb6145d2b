// Node, Deno and Bun: the component lies beside this file.
import { readFile } from 'node:fs/promises';
import { instantiate } from '../component/preamp.js';
import { Exporter } from './exporter.js';

export { ComponentError, ConfigurationError, Exporter, deriveKey } from './exporter.js';

const compiled = new Map();

/** Compiles a module of the component, once in a process. */
function compile(name) {
  if (!compiled.has(name)) {
    const bytes = readFile(new URL(`../component/${name}`, import.meta.url));
    compiled.set(name, bytes.then((bytes) => WebAssembly.compile(bytes)));
  }
  return compiled.get(name);
}

/** Opens an exporter; see index.d.ts. */
export async function open(configuration, options = {}) {
  return new Exporter(() => instantiate(compile, {}), configuration, options).open();
}

/** Credentials from the environment; see index.d.ts. */
export function environmentCredentials() {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = process.env;
  return accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, sessionToken } : undefined;
}
