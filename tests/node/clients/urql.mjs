/** urql's core: query and mutation over HTTP, subscription over `graphql-ws`. Arguments: the meeting, the host, the proxy, a token. */
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { MEETING, POST, posts } from './app.mjs';
import { COMMENTS, resume, say, Seen } from './common.mjs';

const [meeting, host, wire, token] = process.argv.slice(2);
const authorization = `Bearer ${token}`;

const socket = createClient({
  webSocketImpl: WebSocket,
  url: `ws://${wire}/graphql`,
  connectionParams: { authorization },
  retryAttempts: 0,
  on: { connected: () => say({ connected: wire }) },
});

const client = new Client({
  url: `http://${host}/graphql`,
  fetchOptions: { headers: { authorization, 'accept-language': 'kk' } },
  preferGetMethod: false,
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
      }),
    }),
  ],
});

const result = async (source) => {
  const { data, error } = await source.toPromise();
  if (error) throw error;
  return data;
};

say({ meeting: (await result(client.query(MEETING, { id: meeting }))).meeting });
for (const [name, variables] of Object.entries(posts(meeting))) {
  say({ [name]: (await result(client.mutation(POST, variables))).postComment });
}

const seen = new Seen();
await resume(
  () =>
    new Promise((_, cut) => {
      const { unsubscribe } = client.subscription(COMMENTS, { id: meeting, after: seen.seq }).subscribe((result) => {
        // urql returns a broken connection as a result, so the next attempt is a new subscription.
        if (!result.error) return seen.take(result);
        unsubscribe();
        cut(result.error.networkError ?? result.error);
      });
    }),
);
