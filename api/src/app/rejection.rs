//! Why a command is rejected by a business rule.
//!
//! The public API has one list of refusal codes, so all commands share this enum. Each variant carries the data that
//! the caller needs to correct the request.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::{
    domain::{policy::Denied, publications::MissingPart},
    store::StoreError,
};

/// Why a command was rejected. Nothing was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// An input field breaks a rule.
    Invalid {
        /// Name of the field.
        field: &'static str,
        /// Which rule.
        why: Invalid,
    },
    /// The object does not exist, or the caller may not see it.
    NotFound {
        /// Name of the input field that identifies the object.
        field: &'static str,
    },
    /// The object has changed since the caller read it.
    Stale {
        /// Its current version.
        current: i32,
    },
    /// The idempotency key was used with another input.
    KeyReused,
    /// The state of an object does not allow the command.
    WrongState(BlockingState),
    /// The decree does not allow the command.
    Decree {
        /// Name of the input field.
        field: &'static str,
        /// Paragraph of the decree.
        norm: &'static str,
        /// Which rule of the decree.
        why: DecreeViolation,
    },
    /// The meeting is not live.
    NotLive {
        /// When the meeting is planned to start, or `None` if it is over.
        opens_at: Option<DateTime<Utc>>,
    },
    /// The meeting does not accept comments.
    CommentsClosed,
    /// The text is too long.
    TooLong {
        /// Name of the input field.
        field: &'static str,
        /// The longest allowed text, in characters.
        max: usize,
    },
    /// The author posts faster than slow mode allows.
    TooFast {
        /// Time until the next post is allowed.
        retry_after: TimeDelta,
    },
    /// The text contains a blocked word.
    BlockedWord,
    /// The author is muted.
    Muted {
        /// End of the mute.
        until: DateTime<Utc>,
        /// Time until the mute ends.
        retry_after: TimeDelta,
    },
    /// The author has already posted the same text.
    Duplicate,
    /// The reception has no free slot, and the person does not want to wait.
    Full,
    /// The person already has an active registration.
    AlreadyRegistered,
    /// The chosen slot is taken, while others are free.
    SlotTaken,
    /// The offer of a freed slot has ended.
    OfferExpired,
    /// A host sits in another reception at the same time.
    HostBusy {
        /// Name of the host.
        host: String,
        /// Place of the other reception.
        place: String,
        /// Start of the other reception.
        starts_at: DateTime<Utc>,
    },
    /// Another issue was raised from the source.
    AlreadyRaised {
        /// The number of that issue.
        number: String,
    },
    /// Steps of the plan are neither done nor struck.
    OpenSteps {
        /// How many.
        steps: usize,
    },
    /// What is to be published lacks parts.
    Incomplete {
        /// Paragraph of the decree that asks for them.
        norm: &'static str,
        /// The missing parts, the first of them if there are many.
        missing: Vec<MissingPart>,
        /// How many parts are missing.
        count: usize,
    },
    /// Nothing has changed since the last edition.
    Unchanged {
        /// Number of that edition.
        edition: i32,
    },
    /// One item of a list is rejected, and the whole list with it.
    AtIndex {
        /// Name of the input field that holds the list.
        list: &'static str,
        /// Index of the item, from 0.
        index: usize,
        /// Why the item is rejected.
        cause: Box<Self>,
    },
}

impl Rejection {
    /// Returns the rejection of the item at `index` of a list.
    #[must_use]
    pub fn at_index(self, list: &'static str, index: usize) -> Self {
        Self::AtIndex { list, index, cause: Box::new(self) }
    }
}

/// The state of an object that does not allow a command, in the words of the feature that owns the object.
///
/// Messages are found by these names: `refusal-wrong-state-<object>` with the argument `<aspect>`, whose text is
/// `<object>-<aspect>-<state>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockingState {
    /// Kind of the object, for example `meeting`.
    pub object: &'static str,
    /// What the state is called, for example `phase`.
    pub aspect: &'static str,
    /// Public name of the state, for example `PLANNED`.
    pub state: &'static str,
}

/// Which rule an input field breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The value is empty.
    Empty,
    /// The value contains a control character.
    ControlCharacter,
    /// A reason is required.
    ReasonRequired,
    /// The value is out of range.
    Range {
        /// The lowest allowed value.
        min: i64,
        /// The highest allowed value.
        max: i64,
    },
    /// The list has too many items.
    TooMany {
        /// The highest allowed number of items.
        max: usize,
    },
    /// The time is in the past.
    InPast,
    /// The date is outside the allowed period.
    Dates {
        /// First allowed date.
        from: NaiveDate,
        /// Last allowed date.
        to: NaiveDate,
    },
    /// The value is not an HTTP or HTTPS URL.
    Url,
    /// The value contains nothing that can be blocked.
    NoWord,
    /// The classifier has no unit with this code.
    UnknownRegion,
    /// The unit has no akim.
    NoAkim,
    /// The comment belongs to another meeting.
    OtherMeeting,
    /// A comment cannot be merged into itself.
    IntoItself,
    /// Authors cannot vote for their own comments.
    OwnComment,
    /// Moderators cannot publish their own comments.
    OwnDecision,
    /// The name contains a title of office, or belongs to the staff of the host.
    ReservedName,
    /// The author of the comment is unknown.
    UnknownAuthor,
    /// No slot of the reception starts at this time.
    NotASlot,
    /// The value is not a phone number.
    Phone,
    /// The value is not an individual identification number.
    Iin,
    /// The end is not after the start.
    EndsBeforeStart,
    /// The value is not a code of reference data.
    Code,
    /// The field of an akimat follows from the classifier.
    FixedForAkimat,
    /// No body with this code exists today.
    UnknownAgency,
    /// There is no category with this code.
    UnknownCategory,
    /// The value is no quarter, or one that has not begun, or one from before the issue was raised.
    Quarter,
    /// The value is not a URL that events can be sent to.
    ReceiverUrl,
    /// The URL does not begin with `https://`.
    NotHttps,
    /// The address belongs to an inner network.
    InnerAddress,
    /// The host has no address.
    UnknownHost,
    /// The owner has too many webhooks.
    TooManyWebhooks {
        /// The highest allowed number.
        max: u64,
    },
    /// No event is of this kind.
    NotAnEvent,
    /// Publications of this kind cannot be published yet.
    PublicationKind,
    /// The value is no quarter that has begun.
    BegunQuarter,
    /// The value is no half-year that has begun.
    BegunHalf,
    /// The publication would have too many or too long issues.
    LargePublication {
        /// The highest allowed number of issues.
        max: usize,
    },
}

/// A rule of the decree that a command would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecreeViolation {
    /// The host's akim does not cover this unit (p. 2.1).
    NotCovered,
    /// A meeting outside the calendar needs a reason (p. 3.1).
    NoReason,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A business rule rejected it.
    #[error("rejected")]
    Rejected(Box<Rejection>),
    /// The caller is not signed in.
    #[error("not signed in")]
    Unauthenticated,
    /// The caller may see the object, but may not run this command on it.
    #[error("not allowed")]
    Forbidden,
    /// The database failed.
    #[error("the command failed")]
    Store(#[from] StoreError),
}

impl From<Rejection> for CommandError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(Box::new(rejection))
    }
}

impl From<Denied> for CommandError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Anonymous => Self::Unauthenticated,
            Denied::Forbidden => Self::Forbidden,
        }
    }
}
