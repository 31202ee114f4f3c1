//! Refusals: rule violations that a user can fix, returned as data.

use std::borrow::Cow;

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::Language;
use fluent_templates::fluent_bundle::FluentValue;

use crate::{
    app::{
        CommandError, Rejection,
        rejection::{BlockingState, DecreeViolation, Invalid},
    },
    graphql::{
        error::{ApiError, ApiResult},
        localized::local_time,
        publications::MissingPart,
    },
    text,
};

/// The reason that a mutation was refused. A code never changes its meaning.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// A field of the input is invalid: see `field`.
    Invalid,
    /// The object in `field` does not exist, or you may not see it.
    NotFound,
    /// The object has changed since you read it: see `currentVersion`.
    Stale,
    /// The idempotency key was already used with a different input.
    KeyReused,
    /// The state of an object, for example a meeting's phase, does not allow it: see `message`.
    WrongState,
    /// The decree does not allow it: `norm` is the paragraph, and `missing` what it asks for.
    Decree,
    /// The meeting is not live: `opensAt` is its planned start.
    NotLive,
    /// The meeting does not accept comments now.
    CommentsClosed,
    /// The text is too long.
    TooLong,
    /// Slow mode: wait for `retryAfterMs`.
    TooFast,
    /// The text contains a word that is blocked at this meeting.
    BlockedWord,
    /// You are muted at this meeting until `opensAt`.
    Muted,
    /// It is already there: you have posted the same text at this meeting, another issue was raised from the same source, or nothing has changed since the last edition.
    Duplicate,
    /// The reception has no free slot. Register with `waitIfFull` to wait for one.
    Full,
    /// The person already has an active registration.
    AlreadyRegistered,
    /// The chosen slot is taken. Others are free.
    SlotTaken,
    /// The offer of a freed slot has expired. The person is in the waiting line again.
    OfferExpired,
}

/// The reason that a mutation was refused. Nothing was changed.
#[derive(SimpleObject, Clone, Debug)]
pub struct Refusal {
    /// The reason as a code.
    pub code: RefusalCode,
    /// The reason as a message in the caller's language.
    pub message: String,
    /// The field of the input: a name, or the name of a list with the index, for example `commentIds.3`.
    pub field: Option<String>,
    /// Paragraph of the decree that forbids it.
    pub norm: Option<String>,
    /// Milliseconds to wait before a retry may succeed.
    pub retry_after_ms: Option<i64>,
    /// The current version of the object.
    pub current_version: Option<i32>,
    /// The time from which it may succeed.
    pub opens_at: Option<DateTime<Utc>>,
    /// What is missing, item by item; the first 500 items if there are more. Null if it was refused for another reason.
    #[graphql(complexity = "PRICED_PARTS.saturating_mul(child_complexity)")]
    pub missing: Option<Vec<MissingPart>>,
}

/// The number of missing parts by which their list is priced.
const PRICED_PARTS: usize = 10;

type Args = Vec<(&'static str, FluentValue<'static>)>;

/// Splits the result of a command into an object or a refusal.
///
/// # Errors
/// If the error is not a refusal.
pub fn outcome<T>(result: Result<T, CommandError>, language: Language) -> ApiResult<(Option<T>, Option<Refusal>)> {
    match result {
        Ok(done) => Ok((Some(done), None)),
        Err(CommandError::Rejected(rejection)) => Ok((None, Some(Refusal::new(&rejection, language)))),
        Err(CommandError::Unauthenticated) => Err(ApiError::Unauthenticated),
        Err(CommandError::Forbidden) => Err(ApiError::Forbidden),
        Err(CommandError::Store(error)) => Err(error.into()),
    }
}

impl Refusal {
    /// Creates a refusal in the caller's language.
    #[must_use]
    pub fn new(rejection: &Rejection, language: Language) -> Self {
        if let Rejection::AtIndex { list, index, cause } = rejection {
            let cause = Self::new(cause, language);
            let part = cause.field.as_deref().and_then(|field| field.strip_prefix(list)).unwrap_or_default();
            return Self { field: Some(format!("{list}.{index}{part}")), ..cause };
        }
        let (code, key, args) = code_and_message(rejection, language);
        let refusal = Self {
            code,
            message: text::message(language, &key, &args),
            field: None,
            norm: None,
            retry_after_ms: None,
            current_version: None,
            opens_at: None,
            missing: None,
        };
        match rejection {
            Rejection::Invalid { field, .. } | Rejection::NotFound { field } | Rejection::TooLong { field, .. } => {
                Self { field: Some((*field).to_owned()), ..refusal }
            }
            Rejection::Decree { field, norm, .. } => {
                Self { field: Some((*field).to_owned()), norm: Some((*norm).to_owned()), ..refusal }
            }
            Rejection::Stale { current } => Self { current_version: Some(*current), ..refusal },
            Rejection::NotLive { opens_at } => Self { opens_at: *opens_at, ..refusal },
            Rejection::TooFast { retry_after } => {
                Self { retry_after_ms: Some(retry_after.num_milliseconds()), ..refusal }
            }
            Rejection::Muted { until, retry_after } => {
                Self { retry_after_ms: Some(retry_after.num_milliseconds()), opens_at: Some(*until), ..refusal }
            }
            Rejection::Incomplete { norm, missing, .. } => {
                let missing = missing.iter().cloned().map(MissingPart).collect();
                Self { norm: Some((*norm).to_owned()), missing: Some(missing), ..refusal }
            }
            Rejection::SlotTaken => Self { field: Some("slotStartsAt".to_owned()), ..refusal },
            Rejection::HostBusy { .. } => Self { field: Some("hosts".to_owned()), ..refusal },
            Rejection::AlreadyRaised { .. } => Self { field: Some("sources".to_owned()), ..refusal },
            Rejection::KeyReused
            | Rejection::WrongState(_)
            | Rejection::CommentsClosed
            | Rejection::BlockedWord
            | Rejection::Duplicate
            | Rejection::Full
            | Rejection::AlreadyRegistered
            | Rejection::OfferExpired
            | Rejection::OpenSteps { .. }
            | Rejection::Unchanged { .. }
            | Rejection::AtIndex { .. } => refusal,
        }
    }
}

fn code_and_message(rejection: &Rejection, language: Language) -> (RefusalCode, Cow<'static, str>, Args) {
    let refusal = |code, key: &'static str| (code, Cow::Borrowed(key), Vec::new());
    match rejection {
        Rejection::AtIndex { cause, .. } => code_and_message(cause, language),
        Rejection::Invalid { why, .. } => {
            let (key, args) = invalid_message(*why);
            (RefusalCode::Invalid, key.into(), args)
        }
        Rejection::NotFound { .. } => refusal(RefusalCode::NotFound, "refusal-not-found"),
        Rejection::Stale { .. } => refusal(RefusalCode::Stale, "refusal-stale"),
        Rejection::KeyReused => refusal(RefusalCode::KeyReused, "refusal-key-reused"),
        Rejection::WrongState(BlockingState { object, aspect, state }) => {
            let state = text::message(language, &format!("{object}-{aspect}-{state}"), &[]);
            (RefusalCode::WrongState, format!("refusal-wrong-state-{object}").into(), vec![(*aspect, state.into())])
        }
        Rejection::Decree { why: DecreeViolation::NotCovered, .. } => {
            refusal(RefusalCode::Decree, "refusal-decree-region-not-covered")
        }
        Rejection::Decree { why: DecreeViolation::NoReason, .. } => {
            refusal(RefusalCode::Decree, "refusal-decree-off-calendar-reason")
        }
        Rejection::NotLive { opens_at: Some(_) } => refusal(RefusalCode::NotLive, "refusal-not-live"),
        Rejection::NotLive { opens_at: None } => refusal(RefusalCode::NotLive, "refusal-meeting-over"),
        Rejection::CommentsClosed => refusal(RefusalCode::CommentsClosed, "refusal-comments-closed"),
        Rejection::TooLong { max, .. } => {
            (RefusalCode::TooLong, "refusal-too-long".into(), vec![("max", (*max).into())])
        }
        Rejection::TooFast { retry_after } => {
            (RefusalCode::TooFast, "refusal-too-fast".into(), vec![("seconds", seconds(*retry_after).into())])
        }
        Rejection::BlockedWord => refusal(RefusalCode::BlockedWord, "refusal-blocked-word"),
        Rejection::Muted { .. } => refusal(RefusalCode::Muted, "refusal-muted"),
        Rejection::Duplicate => refusal(RefusalCode::Duplicate, "refusal-duplicate"),
        Rejection::Full => refusal(RefusalCode::Full, "refusal-full"),
        Rejection::AlreadyRegistered => refusal(RefusalCode::AlreadyRegistered, "refusal-already-registered"),
        Rejection::SlotTaken => refusal(RefusalCode::SlotTaken, "refusal-slot-taken"),
        Rejection::OfferExpired => refusal(RefusalCode::OfferExpired, "refusal-offer-expired"),
        Rejection::AlreadyRaised { number } => {
            (RefusalCode::Duplicate, "refusal-already-raised".into(), vec![("number", number.clone().into())])
        }
        Rejection::OpenSteps { steps } => {
            (RefusalCode::WrongState, "refusal-open-steps".into(), vec![("steps", (*steps).into())])
        }
        Rejection::Incomplete { count, .. } => {
            (RefusalCode::Decree, "refusal-incomplete".into(), vec![("count", (*count).into())])
        }
        Rejection::Unchanged { edition } => {
            (RefusalCode::Duplicate, "refusal-unchanged".into(), vec![("edition", (*edition).into())])
        }
        Rejection::HostBusy { host, place, starts_at } => {
            let time = local_time(*starts_at, language);
            let args = vec![("host", host.clone().into()), ("place", place.clone().into()), ("time", time.into())];
            (RefusalCode::WrongState, "refusal-host-busy".into(), args)
        }
    }
}

fn invalid_message(why: Invalid) -> (&'static str, Args) {
    match why {
        Invalid::Empty => ("refusal-empty", vec![]),
        Invalid::ControlCharacter => ("refusal-control-character", vec![]),
        Invalid::ReasonRequired => ("refusal-reason-required", vec![]),
        Invalid::Range { min, max } => ("refusal-range", vec![("min", min.into()), ("max", max.into())]),
        Invalid::TooMany { max } => ("refusal-too-many", vec![("max", max.into())]),
        Invalid::InPast => ("refusal-start-in-past", vec![]),
        Invalid::Dates { from, to } => {
            ("refusal-range", vec![("min", from.to_string().into()), ("max", to.to_string().into())])
        }
        Invalid::Url => ("refusal-url-invalid", vec![]),
        Invalid::NoWord => ("refusal-no-word", vec![]),
        Invalid::UnknownRegion => ("refusal-unknown-region", vec![]),
        Invalid::NoAkim => ("refusal-host-without-akim", vec![]),
        Invalid::OtherMeeting => ("refusal-other-meeting", vec![]),
        Invalid::IntoItself => ("refusal-merge-into-itself", vec![]),
        Invalid::OwnComment => ("refusal-own-comment-vote", vec![]),
        Invalid::OwnDecision => ("refusal-own-comment-decision", vec![]),
        Invalid::ReservedName => ("refusal-reserved-name", vec![]),
        Invalid::UnknownAuthor => ("refusal-unknown-author", vec![]),
        Invalid::NotASlot => ("refusal-not-a-slot", vec![]),
        Invalid::Phone => ("refusal-phone", vec![]),
        Invalid::Iin => ("refusal-iin", vec![]),
        Invalid::EndsBeforeStart => ("refusal-ends-before-start", vec![]),
        Invalid::Code => ("refusal-code", vec![]),
        Invalid::FixedForAkimat => ("refusal-fixed-for-akimat", vec![]),
        Invalid::UnknownAgency => ("refusal-unknown-agency", vec![]),
        Invalid::UnknownCategory => ("refusal-unknown-category", vec![]),
        Invalid::Quarter => ("refusal-quarter", vec![]),
        Invalid::ReceiverUrl => ("refusal-receiver-url", vec![]),
        Invalid::NotHttps => ("refusal-not-https", vec![]),
        Invalid::InnerAddress => ("refusal-inner-address", vec![]),
        Invalid::UnknownHost => ("refusal-unknown-host", vec![]),
        Invalid::TooManyWebhooks { max } => ("refusal-too-many-webhooks", vec![("max", max.into())]),
        Invalid::NotAnEvent => ("refusal-not-an-event", vec![]),
        Invalid::PublicationKind => ("refusal-publication-kind", vec![]),
        Invalid::BegunQuarter => ("refusal-begun-quarter", vec![]),
        Invalid::BegunHalf => ("refusal-begun-half", vec![]),
        Invalid::LargePublication { max } => ("refusal-large-publication", vec![("max", max.into())]),
    }
}

/// Rounds up to whole seconds.
fn seconds(span: TimeDelta) -> i64 {
    span.num_milliseconds().max(0).saturating_add(999) / 1000
}
