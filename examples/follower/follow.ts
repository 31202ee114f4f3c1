/**
 * Follows the comments of a meeting without a hole, over any GraphQL client that can iterate over the results of an
 * operation. Nothing is imported, so the file can be copied into an app as it is.
 */

/** An operation. */
export interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

/** What comes back from an operation, once for a query and often for a subscription. */
export interface Result {
  data?: unknown;
  errors?: unknown;
}

/**
 * Runs operations. The clients of `graphql-ws` and `graphql-sse` are such ones; anything else needs one function. The
 * iteration ends, or throws, when the connection does, and its `return` ends the operation.
 */
export interface Transport {
  iterate(operation: Operation): AsyncIterable<Result>;
}

/** A comment, with the fields that were asked for. */
export interface Comment {
  id: string;
  [field: string]: unknown;
}

/** What the follower tells: each event of the feed once, in order, after the list that it builds on. */
export type Change =
  /** The comments anew: at the beginning, and when too much was missed. What was shown before is void. */
  | { kind: 'LISTED'; seq: number; comments: Comment[] }
  /** A comment as it now is, be it new or known. */
  | { kind: 'SHOWN'; seq: number; comment: Comment }
  /** A comment that is no longer to be seen. */
  | { kind: 'REMOVED'; seq: number; commentId: string };

export interface FollowOptions {
  transport: Transport;
  meetingId: string;
  /** What to read of a comment beside its `id`. */
  fields?: string;
  /** MODERATION shows everything to those who may moderate the meeting. */
  view?: 'PUBLIC' | 'MODERATION';
  /** Ends the following. */
  signal?: AbortSignal;
  /**
   * Gets a new token when the service no longer takes the old one. The transport must send it from the next operation on.
   * Where this is missing, or throws, the following ends with the error.
   */
  renewToken?: () => Promise<void>;
  /** How long a stream may be silent before it counts as cut. The service says something every 20 s. */
  silenceMs?: number;
  /** How long to wait before the nth try in a row. */
  backoffMs?: (tries: number) => number;
  /** Is told why a stream ended, before the next begins. */
  onCut?: (reason: unknown) => void;
}

interface CommentEvent {
  seq: number;
  prev: number;
  kind: 'SUBSCRIBED' | 'HEARTBEAT' | 'POSTED' | 'CHANGED' | 'VOTES' | 'REMOVED';
  recovered: boolean | null;
  epoch: string | null;
  commentId: string | null;
  comment: Comment | null;
}

interface Page {
  nodes: Comment[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

const HEAD = 'query CommentsHead($id: ID!) { meeting(id: $id) { commentsHead } }';

const list = (fields: string): string =>
  `query Comments($id: ID!, $cursor: String) { meeting(id: $id) { comments(first: 100, after: $cursor) {
    nodes { id ${fields} } pageInfo { hasNextPage endCursor } } } }`;

const events = (fields: string): string =>
  `subscription Follow($id: ID!, $after: Int, $epoch: String, $view: CommentView) {
    comments(meetingId: $id, after: $after, epoch: $epoch, view: $view) {
    seq prev kind recovered epoch commentId comment { id ${fields} } } }`;

/**
 * Follows the comments of a meeting until `signal` is aborted or the caller stops iterating.
 *
 * The first change is the list; then comes every event once and in order, across cuts, restarts of the service, ends of
 * tokens, and gateways that drop events. Throws what no new try can mend, for example that there is no such meeting.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<Change, void, void> {
  const { signal, renewToken, onCut, backoffMs = backoff } = options;
  let seen: number | undefined;
  let epoch: string | undefined;
  let tries = 0;
  while (!signal?.aborted) {
    try {
      if (seen === undefined) {
        const change = await listed(options);
        seen = change.seq;
        epoch = undefined;
        yield change;
      }
      for await (const event of stream(options, seen, epoch)) {
        if (event.kind === 'SUBSCRIBED' && event.recovered === false) {
          seen = undefined;
          break;
        }
        epoch = event.epoch ?? epoch;
        if (event.prev > seen) break;
        // Only what shows that the stream is whole makes the next try the first again.
        if (event.seq > seen || event.kind === 'HEARTBEAT') tries = 0;
        if (event.seq <= seen) continue;
        // Also of a HEARTBEAT: so far the feed was looked through for this follower.
        seen = event.seq;
        const change = changeOf(event);
        if (change) yield change;
      }
      // Whether the stream ended or a hole was seen, the next one goes on after what was seen.
      onCut?.(undefined);
      tries += 1;
      if (tries > 1) await pause(backoffMs(tries - 1), signal);
    } catch (reason) {
      if (signal?.aborted) return;
      onCut?.(reason);
      const cut = judge(reason);
      if (cut.kind === 'FATAL' || (cut.kind === 'TOKEN' && !renewToken)) throw reason;
      if (cut.kind === 'TOKEN') await renewToken?.();
      tries += 1;
      // A token that was renewed is tried at once, but not over and over.
      const waits = cut.kind !== 'TOKEN' || tries > 1;
      if (waits) await pause(cut.kind === 'RESTART' ? cut.retryAfterMs : backoffMs(tries), signal);
    }
  }
}

/** Takes a change into a map of the comments that are shown. */
export function apply(comments: Map<string, Comment>, change: Change): void {
  switch (change.kind) {
    case 'LISTED':
      comments.clear();
      for (const comment of change.comments) comments.set(comment.id, comment);
      break;
    case 'SHOWN':
      comments.set(change.comment.id, change.comment);
      break;
    case 'REMOVED':
      comments.delete(change.commentId);
      break;
  }
}

function changeOf({ kind, seq, comment, commentId }: CommentEvent): Change | undefined {
  if (kind === 'REMOVED' && commentId) return { kind, seq, commentId };
  return comment ? { kind: 'SHOWN', seq, comment } : undefined;
}

/** Reads the list. The position is read before it: what happens meanwhile then comes as events too, and harms nothing. */
async function listed({ transport, meetingId: id, fields = '', signal }: FollowOptions): Promise<Change> {
  const { commentsHead: seq } = await meeting<{ commentsHead: number }>({ query: HEAD, variables: { id } });
  const comments: Comment[] = [];
  let cursor: string | null = null;
  do {
    const operation: Operation = { query: list(fields), variables: { id, cursor } };
    const page: Page = (await meeting<{ comments: Page }>(operation)).comments;
    comments.push(...page.nodes);
    cursor = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (cursor !== null);
  return { kind: 'LISTED', seq, comments };

  async function meeting<T>(operation: Operation): Promise<T> {
    for await (const result of heard(transport.iterate(operation), 30_000, signal)) {
      const found = (dataOf(result) as { meeting: T | null }).meeting;
      if (found === null) throw new NoSuchMeeting(id);
      return found;
    }
    throw new Error('the answer ended before it began');
  }
}

async function* stream(options: FollowOptions, after: number, epoch?: string): AsyncGenerator<CommentEvent, void, void> {
  const { transport, meetingId: id, fields = '', view = 'PUBLIC', silenceMs = 45_000, signal } = options;
  const results = transport.iterate({ query: events(fields), variables: { id, after, epoch, view } });
  for await (const result of heard(results, silenceMs, signal)) {
    yield (dataOf(result) as { comments: CommentEvent }).comments;
  }
}

/** Gives results until they end, `signal` is aborted, or nothing comes for so long that the connection must be dead. */
async function* heard(results: AsyncIterable<Result>, silenceMs: number, signal?: AbortSignal): AsyncGenerator<Result> {
  const iterator = results[Symbol.asyncIterator]();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort: (() => void) | undefined;
  try {
    for (;;) {
      const quiet = new Promise<never>((_, fail) => {
        timer = setTimeout(() => fail(new Error(`nothing came for ${silenceMs} ms`)), silenceMs);
        abort = () => fail(signal?.reason);
        signal?.addEventListener('abort', abort);
        if (signal?.aborted) abort();
      });
      const next = await Promise.race([iterator.next(), quiet]).finally(unhook);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not awaited: an iteration that waits for a dead connection would never answer.
    iterator.return?.().catch(() => undefined);
  }

  function unhook(): void {
    clearTimeout(timer);
    if (abort) signal?.removeEventListener('abort', abort);
  }
}

/** There is no such meeting, or it is not for the viewer. */
export class NoSuchMeeting extends Error {
  constructor(id: string) {
    super(`there is no meeting ${id}`);
  }
}

/** Errors in place of data. */
export class Refused extends Error {
  readonly codes: string[];

  constructor(errors: unknown) {
    super(JSON.stringify(errors));
    this.codes = codesOf(errors);
  }
}

function dataOf({ data, errors }: Result): unknown {
  if (errors || !data) throw new Refused(errors);
  return data;
}

function codesOf(errors: unknown): string[] {
  const all: { extensions?: { code?: unknown } }[] = Array.isArray(errors) ? errors : [];
  return all.map((error) => String(error.extensions?.code ?? 'INTERNAL'));
}

type Cut = { kind: 'AGAIN' } | { kind: 'TOKEN' } | { kind: 'FATAL' } | { kind: 'RESTART'; retryAfterMs: number };

/** Codes that say the same at every try: the service's, and those of a gateway that cannot run the operation. */
const HOPELESS: ReadonlySet<unknown> = new Set([
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'NOT_FOUND',
  'COST_EXCEEDED',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
]);

/** What to do about the end of a stream: a WebSocket's close event, errors of GraphQL, or a failure of the network. */
function judge(reason: unknown): Cut {
  if (reason instanceof NoSuchMeeting) return { kind: 'FATAL' };
  const codes = reason instanceof Refused ? reason.codes : codesOf(reason);
  if (codes.includes('UNAUTHENTICATED')) return { kind: 'TOKEN' };
  if (codes.some((code) => HOPELESS.has(code))) return { kind: 'FATAL' };
  type Parts = { code?: unknown; reason?: unknown; response?: { status?: number } };
  const { code, reason: text, response } = Object(reason) as Parts;
  if (code === 4403 || response?.status === 401) return { kind: 'TOKEN' };
  if ([4400, 4401, 4406, 4409, 4429].includes(Number(code))) return { kind: 'FATAL' };
  const status = response?.status ?? 0;
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return { kind: 'FATAL' };
  return code === 1012 ? { kind: 'RESTART', retryAfterMs: hint(text) } : { kind: 'AGAIN' };
}

/** `retryAfterMs` of a close reason. */
function hint(reason: unknown): number {
  try {
    return Number((JSON.parse(String(reason)) as { retryAfterMs?: unknown }).retryAfterMs) || 0;
  } catch {
    return 1_000;
  }
}

/** Doubles from a quarter of a second up to ten, spread so that not all come back at once. */
function backoff(tries: number): number {
  return Math.min(10_000, 125 * 2 ** tries) * (0.5 + Math.random() / 2);
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}
