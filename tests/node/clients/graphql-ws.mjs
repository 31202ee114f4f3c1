/** The client of `graphql-ws` with its own retries. Arguments: the meeting, comma-separated hosts and tokens. */
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { COMMENTS, fail, say, Seen, soon } from './common.mjs';

const [meeting, hosts, tokens = ''] = process.argv.slice(2);
const host = hosts.split(',');
const token = tokens.split(',');
const seen = new Seen();
let wait = 0;

const client = createClient({
  webSocketImpl: WebSocket,
  url: () => `ws://${host[0]}/graphql`,
  connectionParams: () => (token[0] ? { authorization: `Bearer ${token[0]}` } : {}),
  retryAttempts: Infinity,
  retryWait: async () => (wait ? new Promise((resolve) => setTimeout(resolve, wait)) : soon()),
  on: {
    connected: () => say({ connected: host[0] }),
    closed: ({ code, reason }) => {
      say({ closed: code, reason });
      wait = code === 1012 ? JSON.parse(reason).retryAfterMs : 0;
      if (code === 1012 && host.length > 1) host.shift();
      if (code === 4403 && token.length > 1) token.shift();
    },
  },
});

client.subscribe(
  { query: COMMENTS, variables: seen.variables(meeting) },
  { next: (result) => seen.take(result), error: fail, complete: () => fail('it was completed') },
);
