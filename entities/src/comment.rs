//! Questions, proposals and remarks at meetings.

use sea_orm::entity::prelude::*;

use crate::{
    enums::{CommentKind, CommentState, Language, Platform},
    ids::{BroadcastId, CommentId, MeetingId},
};

/// One row of `comments`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "comments")]
pub struct Model {
    /// Identity.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CommentId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Number within the meeting.
    pub receipt: i32,
    /// What the author wants.
    pub kind: CommentKind,
    /// What was said.
    pub body: String,
    /// A digest of meeting, author and normalised body: what an author has said before is looked up by it alone, so that no
    /// plan can read the whole meeting.
    pub said_digest: i64,
    /// Body and author normalised for search.
    pub search: String,
    /// Version of the normalisation behind `search` and `said_digest`; 0: before versions were written.
    pub normalization_version: i32,
    /// Language it was asked in.
    pub language: Language,
    /// Who wrote it: `sub:…` for a signed-in person, `PLATFORM:…` for an account elsewhere; none: unknown.
    pub author_key: Option<String>,
    /// Name shown.
    pub author_name: String,
    /// Whether the author chose it when posting, so that no token vouches for it.
    pub author_name_chosen: bool,
    /// Where it was written; none: through this API.
    pub platform: Option<Platform>,
    /// Broadcast it was imported from.
    pub broadcast_id: Option<BroadcastId>,
    /// Identity on the platform.
    pub external_id: Option<String>,
    /// Where it is on its way.
    pub state: CommentState,
    /// Why it was rejected or hidden.
    pub state_reason: Option<String>,
    /// How many people want it answered.
    pub votes: i32,
    /// When a count of votes was last an event.
    pub votes_shown_at: Option<DateTimeUtc>,
    /// Whether the count has changed since.
    pub votes_unshown: bool,
    /// Moderators' labels, as a JSON array.
    pub labels: String,
    /// When it was written.
    pub posted_at: DateTimeUtc,
    /// Position of its first event in the meeting's feed.
    pub posted_seq: i64,
    /// When it was last taken to be answered.
    pub selected_at: Option<DateTimeUtc>,
    /// When it was answered.
    pub answered_at: Option<DateTimeUtc>,
    /// The answer.
    pub answer: Option<String>,
    /// The one it was joined to. It stays when the author takes a joined comment back: they still see the answer.
    pub merged_into: Option<CommentId>,
    /// What it was before it was joined; none: it is not, or that is not known.
    pub merged_state: Option<CommentState>,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
