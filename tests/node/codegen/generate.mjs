/** Generates types for an app from a schema, and type-checks the app. Argument: the file or URL of the schema. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from '@graphql-codegen/cli';
import { config } from './config.mjs';
import { tsc } from '../typescript.mjs';

const [schema] = process.argv.slice(2);
const [{ content }] = await generate(config(schema), false);
const folder = mkdtempSync(join(tmpdir(), 'generated-'));
try {
  copyFileSync(new URL('app.ts', import.meta.url), join(folder, 'app.ts'));
  writeFileSync(join(folder, 'generated.ts'), content);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  tsc(folder, '--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', 'app.ts');
} finally {
  rmSync(folder, { recursive: true });
}
process.stdout.write(content);
