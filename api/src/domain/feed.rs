//! The feeds: their names, and what one event of them says.
//!
//! A feed is an ordered log. An event says which subject changed, how, and who may see it; what is shown is the subject
//! as it stands when rendered.

use chrono::{DateTime, Utc};
use entities::ids::MeetingId;
use uuid::Uuid;

/// The name of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedName {
    /// Everything that happens to the comments of one meeting.
    Comments(MeetingId),
    /// The life of all meetings.
    Meetings,
}

impl FeedName {
    /// The name under which the feed is stored and poked.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Comments(meeting) => format!("comments:{}", meeting.0.simple()),
            Self::Meetings => "meetings".to_owned(),
        }
    }

    /// The feed that a stored name means.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        match key.split_once(':') {
            None if key == "meetings" => Some(Self::Meetings),
            Some(("comments", id)) => Uuid::try_parse(id).ok().map(|id| Self::Comments(MeetingId(id))),
            _ => None,
        }
    }
}

/// How the subject of an event changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A comment appeared.
    Posted,
    /// The subject changed.
    Changed,
    /// A comment is no longer to be seen.
    Removed,
    /// A comment's votes were counted.
    Votes,
    /// A meeting was planned.
    Planned,
    /// A meeting was announced.
    Announced,
    /// A meeting was moved.
    Rescheduled,
    /// A meeting began.
    Started,
    /// A meeting's stage changed, or its presentation reached 80 % or 100 % of its budget.
    Stage,
    /// A meeting ended.
    Ended,
    /// A meeting was closed.
    Closed,
    /// A meeting was cancelled.
    Cancelled,
    /// Something that a later version has recorded; shown as a change, and never recorded by this one.
    Unknown,
}

impl EventKind {
    const NAMES: [(Self, &'static str); 12] = [
        (Self::Posted, "POSTED"),
        (Self::Changed, "CHANGED"),
        (Self::Removed, "REMOVED"),
        (Self::Votes, "VOTES"),
        (Self::Planned, "PLANNED"),
        (Self::Announced, "ANNOUNCED"),
        (Self::Rescheduled, "RESCHEDULED"),
        (Self::Started, "STARTED"),
        (Self::Stage, "STAGE"),
        (Self::Ended, "ENDED"),
        (Self::Closed, "CLOSED"),
        (Self::Cancelled, "CANCELLED"),
    ];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind that a stored name means.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        Self::NAMES.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(kind, _)| *kind)
    }
}

/// Whom an event is for, beside those who may see everything of the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everyone, as of its public kind, and whose subject it is.
    #[default]
    Everyone,
    /// Nobody: not even whose subject it is.
    Staff,
}

impl Audience {
    /// The stored name; none: everyone.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Everyone => None,
            Self::Staff => Some("STAFF"),
        }
    }

    /// The audience that a stored name means. One of a later version may be as narrow as any.
    #[must_use]
    pub const fn parse(name: Option<&str>) -> Self {
        match name {
            None => Self::Everyone,
            Some(_) => Self::Staff,
        }
    }
}

/// An event to be recorded with the change it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What changed.
    pub subject: Uuid,
    /// How, for those who may see everything of the feed.
    pub kind: EventKind,
    /// How, for everyone else; none: the event is not for them.
    pub public_kind: Option<EventKind>,
    /// Whom it is for.
    pub audience: Audience,
    /// Subject of whoever did it; none: the service itself.
    pub actor: Option<String>,
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the feed, from 1 without gaps, in commit order.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What changed.
    pub subject: Uuid,
    /// How, for those who may see everything of the feed.
    pub kind: EventKind,
    /// How, for everyone else; none: the event is not for them.
    pub public_kind: Option<EventKind>,
    /// Whom it is for.
    pub audience: Audience,
}
