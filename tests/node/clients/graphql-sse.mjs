/** The client of `graphql-sse`, with a connection per operation and its own retries. Arguments: the meeting, the host. */
import { createClient } from 'graphql-sse';
import { COMMENTS, fail, say, Seen, soon } from './common.mjs';

const [meeting, host] = process.argv.slice(2);
const seen = new Seen();

const client = createClient({
  url: `http://${host}/graphql`,
  retryAttempts: Infinity,
  retry: soon,
  on: { connected: () => say({ connected: host }) },
});

client.subscribe(
  { query: COMMENTS, variables: seen.variables(meeting) },
  { next: (result) => seen.take(result), error: fail, complete: () => fail('it was completed') },
);
