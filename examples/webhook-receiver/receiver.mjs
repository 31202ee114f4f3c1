/**
 * A receiver of webhooks: verifies the signature, prints each event once, and answers before it works on it.
 * Needs Node.js 20 and no packages. Usage: WEBHOOK_SECRET=whsec_… node receiver.mjs [port]
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

/** Messages older or newer than this are replays, or come from a wrong clock. */
const TOLERANCE_SECONDS = 300;
/** The largest message that is read. */
const MAX_BYTES = 1 << 20;

const secret = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');
if (secret.length < 24) throw new Error('WEBHOOK_SECRET must be the secret that registerWebhook returned');

/** Returns whether one of the signatures was made with the secret. During a rotation there are two. */
function isSigned(headers, body) {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => headers[`webhook-${name}`] ?? '');
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(' ').some((signature) => {
    const [version, value] = signature.split(',');
    const given = Buffer.from(value ?? '', 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** Ids of messages that were taken. A message may come twice, always with the same id: keep them in your database. */
const taken = new Set();

/** Reads a body, or returns null if it is too long. */
async function read(request) {
  const chunks = [];
  let size = 0;
  // The connection stays open for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > MAX_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Works on an event. Here it is printed. */
function work(id, { type, data }) {
  console.log(JSON.stringify({ id, type, seq: data.seq, number: data.issue?.number, state: data.issue?.state }));
}

async function receive(request, response) {
  const body = await read(request);
  if (body === null) return response.writeHead(413, { connection: 'close' }).end();
  if (!isSigned(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers['webhook-id'];
  const message = JSON.parse(body);
  const isNew = !taken.has(id);
  // Store the message before the answer: it does not come again.
  taken.add(id);
  response.writeHead(204).end();
  if (isNew) work(id, message);
}

const server = createServer(async (request, response) => {
  try {
    await receive(request, response);
  } catch (error) {
    // A request that ends early must not end the receiver.
    console.error(`a request failed: ${error.message}`);
    response.destroy();
  }
});

server.listen(Number(process.argv[2] ?? 8787), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
