// Makes the JavaScript of the component, for `npm pack`:
//
//   node build.mjs COMPONENT.wasm
//
// The transpiler is the one that the tests have (tests/jco); nobody who installs the package needs it.
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [wasm] = process.argv.slice(2);
const outDir = new URL('component', import.meta.url).pathname;
const tests = createRequire(new URL('../../tests/jco/package.json', import.meta.url));
const { transpile, writeFiles } = await import(pathToFileURL(tests.resolve('@bytecodealliance/jco-transpile')));

await rm(outDir, { recursive: true, force: true });
const { files, imports } = await transpile(wasm, {
  name: 'preamp',
  outDir,
  instantiation: { tag: 'async' },
  nodejsCompat: false,
  minify: true,
  quiet: true,
});
if (imports.length > 0) throw new Error(`the component imports ${imports}`);
await writeFiles(files);
