//! Requests sent in before a meeting (p. 3.4).

use sea_orm::entity::prelude::*;

use crate::{
    enums::{Language, RequestChannel},
    ids::{MeetingId, RequestId},
};

/// A row of `public_requests`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "public_requests")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RequestId,
    /// The number that people quote.
    pub number: String,
    /// The meeting for which it was sent.
    pub meeting_id: Option<MeetingId>,
    /// The unit that it is about.
    pub region_code: String,
    /// The channel by which it came.
    pub channel: RequestChannel,
    /// The text.
    pub text: String,
    /// Language of the text.
    pub language: Language,
    /// How many people asked the same.
    pub count: i32,
    /// The day on which it came.
    pub received_on: Date,
    /// Its id in the channel.
    pub external_id: Option<String>,
    /// Pseudonym of the person; `None` if staff recorded it.
    pub person: Option<String>,
    /// The text, normalised for search.
    pub search: String,
    /// When it was recorded.
    pub created_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
