// Starts a program that needs a fixed port, and prints its address.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
};

/** Returns whether it serves: another process may have taken the port first. */
const starts = async ({ program, args = [], env = {} }, port) => {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let ended = false;
  child.once('exit', () => (ended = true));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => console.error(line));
  }
  const asks = `http://127.0.0.1:${port}/graphql?query=%7B__typename%7D`;
  while (!ended) {
    const answer = await fetch(asks, { headers: { 'content-type': 'application/json' } }).catch(() => undefined);
    if (answer?.ok && !ended) {
      child.once('exit', (code) => process.exit(code ?? 1));
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
};

/** `command` returns the program, its arguments and its environment for a port. */
export async function serve(command) {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const port = await freePort();
    if (await starts(command(port), port)) {
      process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
      return;
    }
  }
  process.exit(1);
}
