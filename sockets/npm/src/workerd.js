// Workers: modules are imported, since nothing may be compiled.
import { instantiate } from '../component/preamp.js';
import core from '../component/preamp.core.wasm';
import core2 from '../component/preamp.core2.wasm';
import core3 from '../component/preamp.core3.wasm';
import { Exporter } from './exporter.js';

export { ComponentError, ConfigurationError, Exporter, deriveKey } from './exporter.js';

const modules = { 'preamp.core.wasm': core, 'preamp.core2.wasm': core2, 'preamp.core3.wasm': core3 };

/** Opens an exporter; see index.d.ts. */
export async function open(configuration, options = {}) {
  const instantiated = () => instantiate((name) => modules[name], {});
  // A request must not wait for another one, which the runtime may cancel.
  return new Exporter(instantiated, configuration, { isOrdered: false, ...options }).open();
}
