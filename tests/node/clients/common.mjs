/** What the clients of this folder have in common: what they follow, and how they say what they meet. */

export const COMMENTS = `subscription Comments($id: ID!, $after: Int) {
  comments(meetingId: $id, after: $after) { seq prev kind recovered commentId comment { id body } }
}`;

/** Says one thing that the test waits for. */
export function say(thing) {
  process.stdout.write(`${JSON.stringify(thing)}\n`);
}

/** Waits a moment before the next try: a test has no crowd to spread. */
export const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Ends with what went wrong. */
export function fail(error) {
  console.error(error, JSON.stringify(error));
  process.exit(1);
}

/** The last position that was seen. Variables are read anew at each try, so that each goes on after it. */
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

  /** Says an event and remembers its position. */
  take({ data, errors, error }) {
    if (errors?.length || error || !data) fail(errors ?? error ?? 'no data');
    this.seq = Math.max(this.seq, data.comments.seq);
    say({ event: data.comments });
  }
}

/** Begins again after what was seen for as long as streams end. `begin` gives a promise that is settled with the stream's end. */
export async function resume(begin) {
  for (;;) {
    await begin().catch((cut) => say({ cut: String(cut?.code ?? cut?.message ?? cut) }));
    await soon();
  }
}
