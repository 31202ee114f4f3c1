/**
 * Apollo Client without React: query and mutation over HTTP, subscription as multipart over HTTP or over `graphql-ws`.
 * Arguments: the meeting, the host, the proxy, a token, `multipart` or `websocket`.
 */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { MEETING, POST, posts } from './app.mjs';
import { COMMENTS, resume, say, Seen } from './common.mjs';

// The link needs a WebSocket implementation, and Node has none before version 22.
globalThis.WebSocket ??= WebSocket;

const [meeting, host, wire, token, door] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}`, 'accept-language': 'kk' };

const parts = () =>
  new HttpLink({
    uri: `http://${wire}/graphql`,
    headers,
    fetch: async (uri, init) => {
      const answer = await fetch(uri, init);
      say({ connected: wire, kind: answer.headers.get('content-type') });
      return answer;
    },
  });

const socket = () =>
  new GraphQLWsLink(
    createClient({
      webSocketImpl: WebSocket,
      url: `ws://${wire}/graphql`,
      connectionParams: { authorization: headers.authorization },
      retryAttempts: 0,
      on: { connected: () => say({ connected: wire }) },
    }),
  );

const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    door === 'multipart' ? parts() : socket(),
    new HttpLink({ uri: `http://${host}/graphql`, headers }),
  ),
});

const read = await client.query({ query: gql(MEETING), variables: { id: meeting } });
say({ meeting: read.data.meeting });
for (const [name, variables] of Object.entries(posts(meeting))) {
  say({ [name]: (await client.mutate({ mutation: gql(POST), variables })).data.postComment });
}

const seen = new Seen();
const subscription = gql(COMMENTS);
await resume(
  () =>
    new Promise((ended, cut) => {
      client
        .subscribe({ query: subscription, variables: { id: meeting, after: seen.seq }, fetchPolicy: 'no-cache' })
        .subscribe({ next: (result) => (result.error ? cut(result.error) : seen.take(result)), error: cut, complete: ended });
    }),
);
