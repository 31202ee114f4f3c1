/** Closes and breaks sockets as `ws` and `graphql-ws` do, and reports how the service ends them. Argument: the host. */
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { fail, say } from './common.mjs';

const url = `ws://${process.argv[2]}/graphql`;

/** Opens a socket and completes `connection_init`. */
async function opened() {
  const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send(JSON.stringify({ type: 'connection_init' }));
  await new Promise((resolve) => socket.once('message', resolve));
  return socket;
}

/** Returns the close code; 1006 if there was no Close. */
const ended = (socket) => new Promise((resolve) => socket.once('close', (code) => resolve(code)));

for (const code of [1000, 1001, 4000]) {
  const socket = await opened();
  socket.close(code, 'done');
  const end = await ended(socket);
  say({ closes: code, code: end, clean: end !== 1006 });
}

// Frames that the client itself would never send, with a zero mask.
const broken = {
  text: [0x81, 0x81, 0, 0, 0, 0, 0xff],
  unmasked: [0x81, 0x02, 0x7b, 0x7d],
  reserved: [0xc1, 0x82, 0, 0, 0, 0, 0x7b, 0x7d],
  opcode: [0x83, 0x80, 0, 0, 0, 0],
  continuation: [0x80, 0x82, 0, 0, 0, 0, 0x7b, 0x7d],
};
for (const [name, bytes] of Object.entries(broken)) {
  const socket = await opened();
  socket._socket.write(Buffer.from(bytes));
  say({ breaks: name, code: await ended(socket) });
}

// With a running subscription: it is completed, and then the socket closes.
await new Promise((resolve) => {
  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    lazyCloseTimeout: 0,
    retryAttempts: 0,
    on: {
      closed: ({ code, wasClean }) => {
        say({ closes: 'graphql-ws', code, clean: wasClean });
        resolve();
      },
    },
  });
  const stop = client.subscribe(
    { query: 'subscription { meetings { kind } }' },
    { next: () => stop(), error: fail, complete: () => {} },
  );
});
