// Follows the comments of a meeting twice: with the example follower, and with a naive client. Prints each event as a line of
// JSON until it is killed.
//
//   node follow.mjs HOST MEETING

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { imported } from '../typescript.mjs';

const [host, meetingId] = process.argv.slice(2);
const { follow } = await imported('examples/follower', 'follow');
const say = (who, thing) => process.stdout.write(`${JSON.stringify({ who, ...thing })}\n`);
const client = (options) => createClient({ url: `ws://${host}/graphql`, webSocketImpl: WebSocket, ...options });

async function trustful() {
  const query = 'subscription($id: ID!) { comments(meetingId: $id) { kind seq prev comment { body } } }';
  for await (const { data } of client({ retryAttempts: 10 }).iterate({ query, variables: { id: meetingId } })) {
    const { kind, seq, comment } = data.comments;
    say('trustful', { kind, seq, body: comment?.body });
  }
}

async function careful() {
  const transport = client({ retryAttempts: 0 });
  const onCut = (reason) => say('careful', { cut: reason === undefined ? 'HOLE' : String(reason?.code ?? reason) });
  for await (const change of follow({ transport, meetingId, fields: 'body', backoffMs: () => 20, onCut })) {
    const { kind, seq, comment } = change;
    say('careful', { kind, seq, body: comment?.body });
  }
}

await Promise.all([trustful(), careful()]);
