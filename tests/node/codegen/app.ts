/** Uses the generated types as an app does. It is type-checked, never run. */
import type { FollowCommentsSubscription, MeetingScreenQuery, PostCommentMutation, PostCommentMutationVariables } from './generated.js';

type Posted = PostCommentMutation['postComment'];

export function tell({ comment, refusal }: Posted): string {
  if (refusal) {
    const wait: number | null | undefined = refusal.retryAfterMs;
    return refusal.code === 'TOO_FAST' ? `${refusal.message} ${wait ?? 0}` : refusal.message;
  }
  return comment ? `${comment.receipt}: ${comment.body}` : '';
}

export function draft(meetingId: string, body: string): PostCommentMutationVariables {
  return { input: { meetingId, body, kind: 'PROPOSAL' } };
}

export function later(seen: number, { seq, prev, kind }: FollowCommentsSubscription['comments']): boolean {
  return kind === 'POSTED' && prev <= seen && seq > seen;
}

export function start(meeting: NonNullable<MeetingScreenQuery['meeting']>): string {
  const moment: string = meeting.plannedStart;
  return moment.slice(0, 10);
}

// @ts-expect-error An unknown kind.
export const wrong: PostCommentMutationVariables = { input: { meetingId: '', body: '', kind: 'COMPLAINT' } };
