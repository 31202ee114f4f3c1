/**
 * Verifies messages with the published library of Standard Webhooks. Argument: JSON, a list of messages with `secret`,
 * `headers` and `body`. Prints a line for each: its payload, or the error.
 */
import { Webhook } from 'standardwebhooks';

for (const { secret, headers, body } of JSON.parse(process.argv[2])) {
  try {
    console.log(JSON.stringify({ payload: new Webhook(secret).verify(body, headers) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
