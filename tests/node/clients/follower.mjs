/**
 * The example follower under all kinds of faults. Arguments: the meeting, comma-separated hosts and tokens, and the positions that
 * a faulty gateway drops once.
 */
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { fail, say } from './common.mjs';
import { imported } from '../typescript.mjs';

const [meeting, hosts, tokens, losses] = process.argv.slice(2);
const host = hosts.split(',');
const token = tokens.split(',');
const lost = new Set(losses.split(',').map(Number));
const { apply, follow } = await imported('examples/follower', 'follow');

const client = createClient({
  webSocketImpl: WebSocket,
  url: () => `ws://${host[0]}/graphql`,
  connectionParams: () => ({ authorization: `Bearer ${token[0]}` }),
  retryAttempts: 0,
  lazyCloseTimeout: 3_000,
  on: {
    closed: ({ code }) => {
      say({ closed: code });
      if (code === 1012 && host.length > 1) host.shift();
    },
  },
});

/** Drops some events and duplicates every other. */
const gateway = {
  async *iterate(operation) {
    for await (const result of client.iterate(operation)) {
      const event = result.data?.comments;
      if (lost.delete(event?.seq)) continue;
      yield result;
      if (event?.kind) yield result;
    }
  },
};

const shown = new Map();
const following = follow({
  transport: gateway,
  meetingId: meeting,
  fields: 'body state',
  renewToken: async () => {
    token.shift();
    say({ renewed: token.length });
  },
  backoffMs: () => 20,
  onCut: (reason) => say({ cut: reason?.code ?? reason?.message ?? 'HOLE' }),
});
try {
  for await (const change of following) {
    apply(shown, change);
    const { kind, seq, comments, comment, commentId } = change;
    say({ kind, seq, id: comment?.id ?? commentId, count: comments?.length });
    if (comment?.body === 'Соңы') say({ shown: [...shown.values()] });
  }
  fail('it ended');
} catch (error) {
  say({ thrown: String(error), codes: error.codes });
}
