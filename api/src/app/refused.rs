//! The words in which an act says no.
//!
//! The public API has one vocabulary of refusals, so the acts share one too; each is data a person can act on.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entities::enums::{CommentState, MeetingPhase};

use crate::store::StoreError;

/// Why an act was refused. Nothing was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// A part of the input breaks a rule.
    Invalid {
        /// Name of the part.
        field: &'static str,
        /// What is wrong with it.
        why: Invalid,
    },
    /// There is no such thing for this caller.
    NotFound {
        /// Name of the part that names it.
        field: &'static str,
    },
    /// The object has changed since the caller read it.
    Stale {
        /// Its version now.
        current: i32,
    },
    /// The idempotency key was used with another input.
    KeyReused,
    /// The meeting is in a phase that does not allow this.
    WrongPhase {
        /// The phase.
        phase: MeetingPhase,
    },
    /// The comment is in a state that does not allow this.
    WrongState {
        /// The state.
        state: CommentState,
    },
    /// The decree forbids it.
    Decree {
        /// Name of the part.
        field: &'static str,
        /// Paragraph of the decree.
        norm: &'static str,
        /// What is wrong.
        why: Breach,
    },
    /// The meeting is not live.
    NotLive {
        /// When it is to begin; none once it is over.
        opens_at: Option<DateTime<Utc>>,
    },
    /// The floor is closed.
    CommentsClosed,
    /// The text is too long.
    TooLong {
        /// Name of the part.
        field: &'static str,
        /// How many characters it may have.
        max: usize,
    },
    /// The author writes faster than slow mode allows.
    TooFast {
        /// How long to wait.
        retry_after: TimeDelta,
    },
    /// The text holds a blocked word.
    BlockedWord,
    /// The author is muted.
    Muted {
        /// Until when.
        until: DateTime<Utc>,
        /// How long that is.
        retry_after: TimeDelta,
    },
    /// The author has already said the same.
    Duplicate,
    /// One of a list is refused, and all with it.
    One {
        /// Name of the list.
        list: &'static str,
        /// Which of its items, from 0.
        index: usize,
        /// Why.
        cause: Box<Self>,
    },
}

impl Refused {
    /// The refusal of one item of a list.
    #[must_use]
    pub fn of(self, list: &'static str, index: usize) -> Self {
        Self::One { list, index, cause: Box::new(self) }
    }
}

/// What is wrong with a part of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is empty.
    Empty,
    /// It holds a control character.
    ControlCharacter,
    /// A reason is required.
    ReasonRequired,
    /// It is out of range.
    Range {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// There are too many.
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// It lies in the past.
    InPast,
    /// It does not lie in the days in which it can.
    Dates {
        /// The first.
        from: NaiveDate,
        /// The last.
        to: NaiveDate,
    },
    /// It is not a web address.
    Url,
    /// It is no word that could be blocked.
    NoWord,
    /// There is no such unit.
    UnknownRegion,
    /// The unit has no akim.
    NoAkim,
    /// It belongs to another meeting.
    OtherMeeting,
    /// A comment cannot be merged into itself.
    IntoItself,
    /// Nobody votes for their own comment.
    OwnComment,
    /// Nobody makes their own comment public.
    OwnDecision,
    /// The name is that of an office, or of somebody who runs the host's meetings.
    ReservedName,
    /// Nobody knows who wrote it.
    UnknownAuthor,
}

/// Which rule of the decree is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The host's akim does not cover this unit (p. 2.1).
    NotCovered,
    /// A meeting outside the calendar needs a reason (p. 3.1).
    NoReason,
}

/// Why an act did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// It was refused.
    #[error("refused")]
    Refused(Box<Refused>),
    /// Only the signed-in may do it.
    #[error("not signed in")]
    Unauthenticated,
    /// The caller may see the object, but not do this with it.
    #[error("not allowed")]
    Forbidden,
    /// Something broke underneath.
    #[error("the act failed")]
    Store(#[from] StoreError),
}

impl From<Refused> for ActError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}
