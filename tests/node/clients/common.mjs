/** Shared by the clients of this folder: the subscription, and how they report events. */

export const COMMENTS = `subscription Comments($id: ID!, $after: Int) {
  comments(meetingId: $id, after: $after) { seq prev kind recovered commentId comment { id body } }
}`;

/** Reports one thing to the test. */
export function say(thing) {
  process.stdout.write(`${JSON.stringify(thing)}\n`);
}

/** Waits briefly before the next attempt. */
export const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Exits with an error. */
export function fail(error) {
  console.error(error, JSON.stringify(error));
  process.exit(1);
}

/** The last position seen. Variables are read at each attempt, so each resumes after it. */
export class Seen {
  seq = 0;

  variables(id) {
    const seen = this;
    return {
      id,
      get after() {
        return seen.seq;
      },
    };
  }

  /** Reports an event and remembers its position. */
  take({ data, errors, error }) {
    if (errors?.length || error || !data) fail(errors ?? error ?? 'no data');
    this.seq = Math.max(this.seq, data.comments.seq);
    say({ event: data.comments });
  }
}

/** Resubscribes after the last position whenever the stream ends. `begin` returns a promise that settles at the stream's end. */
export async function resume(begin) {
  for (;;) {
    await begin().catch((cut) => say({ cut: String(cut?.code ?? cut?.message ?? cut) }));
    await soon();
  }
}
