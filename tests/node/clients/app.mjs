/** What an app does besides subscribing: reads the meeting, and posts, once with a refusal. */

export const MEETING = `query Meeting($id: ID!) {
  meeting(id: $id) { id title { kk ru } commentsHead viewerCanPost }
}`;

export const POST = `mutation Post($input: PostCommentInput!) {
  postComment(input: $input) { comment { id body state } refusal { code field message } }
}`;

export const posts = (meetingId) => ({
  refused: { input: { meetingId, body: 'ә'.repeat(1001) } },
  taken: { input: { meetingId, body: 'Қолданбадан', idempotencyKey: 'app-1' } },
});
