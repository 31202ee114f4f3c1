//! Comments on meetings: questions, proposals and remarks.

use sea_orm::entity::prelude::*;

use crate::{
    enums::{CommentKind, CommentState, Language, Platform},
    ids::{BroadcastId, CommentId, MeetingId},
};

/// A row of `comments`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "comments")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CommentId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Number within the meeting.
    pub receipt: i32,
    /// Question, proposal or remark.
    pub kind: CommentKind,
    /// The text.
    pub body: String,
    /// Digest of meeting, author and normalised body.
    ///
    /// An author's earlier posts are looked up by it alone, so that no query plan scans the whole meeting.
    pub said_digest: i64,
    /// Body and author name, normalised for search.
    pub search: String,
    /// Version of the normalisation of `search` and `said_digest`. 0: before versions were stored.
    pub normalization_version: i32,
    /// Language of the body.
    pub language: Language,
    /// Author key: `sub:…` for a signed-in person, `PLATFORM:…` for an account elsewhere, or `None` if unknown.
    pub author_key: Option<String>,
    /// Author name.
    pub author_name: String,
    /// Whether the author chose the name, instead of the token's name.
    pub author_name_chosen: bool,
    /// Platform it was imported from, or `None` if posted through this API.
    pub platform: Option<Platform>,
    /// Broadcast it was imported from.
    pub broadcast_id: Option<BroadcastId>,
    /// Id on the platform.
    pub external_id: Option<String>,
    /// State of moderation and answering.
    pub state: CommentState,
    /// Why it was rejected or hidden.
    pub state_reason: Option<String>,
    /// Code of the unit whose moderator rejected, hid or merged it. `None` if nobody did, or an operator of the service.
    pub decided_by: Option<String>,
    /// Number of people who want it answered.
    pub votes: i32,
    /// Time of the last vote event.
    pub votes_shown_at: Option<DateTimeUtc>,
    /// Whether votes changed since the last vote event.
    pub votes_unshown: bool,
    /// Moderators' labels as a JSON array.
    pub labels: String,
    /// When it was posted.
    pub posted_at: DateTimeUtc,
    /// Position of its first event in the meeting's feed.
    pub posted_seq: i64,
    /// When it was last selected.
    pub selected_at: Option<DateTimeUtc>,
    /// When it was first answered.
    pub answered_at: Option<DateTimeUtc>,
    /// The written answer.
    pub answer: Option<String>,
    /// Merge target. Kept when the author withdraws a merged comment, so that they still see the answer.
    pub merged_into: Option<CommentId>,
    /// State before the merge, or `None` if it is not merged or the state is unknown.
    pub merged_state: Option<CommentState>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
