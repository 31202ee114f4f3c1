/** Runs TypeScript: checks it, compiles it and imports it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

/** Runs the compiler in a folder of this repository, and throws its output if it reports an error. */
export function tsc(folder, ...args) {
  try {
    return execFileSync(process.execPath, [compiler, ...args], { cwd: folder, encoding: 'utf8' });
  } catch (error) {
    throw new Error(`tsc ${args.join(' ')} in ${folder}:\n${error.stdout}\n${error.stderr}`);
  }
}

/** Imports a module without package imports from a TypeScript folder of the repository, such as `examples/follower` and `follow`. */
export async function imported(folder, module) {
  const out = mkdtempSync(join(tmpdir(), 'built-'));
  try {
    tsc(join(here, '..', '..', folder), '--project', '.', '--outDir', out);
    writeFileSync(join(out, 'package.json'), '{"type":"module"}');
    return await import(pathToFileURL(join(out, `${module}.js`)));
  } finally {
    rmSync(out, { recursive: true });
  }
}
