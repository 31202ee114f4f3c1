/** Runs the audits of `graphql-http` against a server. Argument: the host. */
import { serverAudits } from 'graphql-http';

const [host] = process.argv.slice(2);
const results = [];
for (const audit of serverAudits({ url: `http://${host}/graphql`, fetchFn: fetch })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason });
}
process.stdout.write(JSON.stringify(results));
