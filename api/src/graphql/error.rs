//! What goes into the `errors` list: only what no client can mend by other data.
//!
//! Everything a person can fix is a [`Refusal`](crate::graphql::refusal::Refusal) instead.

use std::{error::Error as StdError, sync::Arc};

use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError, Value};
use chrono::TimeDelta;
use entities::enums::Language;

use crate::{
    app::rate_limit::LimitReached, domain::policy::Denied, feed::FollowError, idgen::IdGen, store::StoreError, text,
};

pub use crate::app::rate_limit::LimitScope;

/// By this extension a scalar names the message that says what is wrong with a value. It goes no further than [`finish`].
pub const MESSAGE: &str = "message";

/// The code of what is refused because too much comes at a time.
pub const RATE_LIMITED: &str = "RATE_LIMITED";
/// The extension that says how many milliseconds to wait.
pub const RETRY_AFTER_MS: &str = "retryAfterMs";

/// An error of the API. Without `Display` on purpose: async-graphql turns every `Display` type into client text
/// through `?`.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// The act needs a signed-in caller.
    Unauthenticated,
    /// The caller may not do this, and may know that it could be done.
    Forbidden,
    /// An argument is malformed.
    BadInput {
        /// Path of the argument.
        field: String,
    },
    /// The document cannot be parsed.
    Syntax,
    /// The operation does not fit the schema.
    Misfit {
        /// What does not, in the library's words.
        detail: Option<String>,
    },
    /// It is not clear which operation to run.
    WhichOperation,
    /// A value is not of its type.
    BadValue {
        /// The message that says how it is written.
        message: String,
        /// What it should have been, in the library's words.
        detail: Option<String>,
    },
    /// A variable is missing, or not of its type.
    BadVariable {
        /// Its name.
        name: String,
        /// The message that says what is wrong.
        message: String,
        /// What it should have been.
        detail: String,
    },
    /// A subscription does not have one field at its root.
    SubscriptionRoot,
    /// There is no such thing for this caller.
    NotFound,
    /// The answer would be too large.
    TooCostly,
    /// The caller, or everybody together, asks for too much at a time.
    RateLimited {
        /// Whose limit was reached.
        scope: LimitScope,
        /// How long to wait.
        retry_after: TimeDelta,
    },
    /// It took too long.
    Timeout,
    /// Something broke underneath.
    Internal(Arc<dyn StdError + Send + Sync>),
}

/// The result of a resolver.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A malformed argument.
    #[must_use]
    pub fn bad(field: &str) -> Self {
        Self::BadInput { field: field.to_owned() }
    }

    /// What is told while the replica has no room for one operation more.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::RateLimited { scope: LimitScope::Service, retry_after: TimeDelta::seconds(1) }
    }

    /// The error at places of the document.
    #[must_use]
    pub fn at(self, locations: Vec<Pos>) -> ServerError {
        let async_graphql::Error { message, source, extensions } = self.into();
        ServerError { message, source, locations, path: Vec::new(), extensions }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadInput { .. }
            | Self::Syntax
            | Self::Misfit { .. }
            | Self::WhichOperation
            | Self::BadValue { .. }
            | Self::BadVariable { .. }
            | Self::SubscriptionRoot => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::TooCostly => "COST_EXCEEDED",
            Self::RateLimited { .. } => RATE_LIMITED,
            Self::Timeout => "TIMEOUT",
            Self::Internal(_) => "INTERNAL",
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Unauthenticated => "error-unauthenticated",
            Self::Forbidden => "error-forbidden",
            Self::BadInput { .. } => "error-bad-input",
            Self::Syntax => "error-syntax",
            Self::Misfit { .. } => "error-misfit",
            Self::WhichOperation => "error-which-operation",
            Self::BadValue { message, .. } | Self::BadVariable { message, .. } => message,
            Self::SubscriptionRoot => "error-subscription-root",
            Self::NotFound => "error-not-found",
            Self::TooCostly => "error-cost-exceeded",
            Self::RateLimited { scope: LimitScope::Service, .. } => "error-overloaded",
            Self::RateLimited { .. } => "error-rate-limited",
            Self::Timeout => "error-timeout",
            Self::Internal(_) => "error-internal",
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(Arc::new(error))
    }
}

impl From<LimitReached> for ApiError {
    fn from(limit: LimitReached) -> Self {
        match limit {
            LimitReached::Until { scope, retry_after } => Self::RateLimited { scope, retry_after },
            LimitReached::Never => Self::TooCostly,
        }
    }
}

impl From<FollowError> for ApiError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Unknown => Self::NotFound,
            FollowError::Denied(Denied::Anonymous) => Self::Unauthenticated,
            FollowError::Denied(Denied::Forbidden) => Self::Forbidden,
            FollowError::Store(error) => StoreError::Shared(error).into(),
        }
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        // The words are chosen in `finish`, where the caller's language is known.
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        Self { message: error.code().to_owned(), source: Some(Arc::new(error)), extensions: Some(extensions) }
    }
}

/// Gives every error of a response its code and its words in the caller's language, and hides what broke underneath
/// behind an `errorId` that the log knows.
pub fn finish(response: &mut Response, language: Language, ids: &dyn IdGen, now: chrono::DateTime<chrono::Utc>) {
    for error in &mut response.errors {
        let cause = error.source::<ApiError>().cloned().unwrap_or_else(|| of_the_library(error));
        word(error, &cause, language, || ids.next(now).simple().to_string());
    }
}

fn word(error: &mut ServerError, cause: &ApiError, language: Language, fresh: impl FnOnce() -> String) {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", cause.code());
    let mut args = Vec::new();
    match cause {
        ApiError::BadInput { field } => {
            extensions.set("field", field.as_str());
            args.push(("field", field.clone().into()));
        }
        ApiError::Misfit { detail: Some(detail) } | ApiError::BadValue { detail: Some(detail), .. } => {
            extensions.set("detail", detail.as_str());
        }
        ApiError::RateLimited { scope, retry_after } => {
            let wait = wait_ms(*retry_after);
            extensions.set(RETRY_AFTER_MS, wait);
            extensions.set("scope", scope.name());
            args.push(("seconds", wait.div_ceil(1000).into()));
            metrics::counter!("kezdesu_rate_limited_total", "scope" => scope.name()).increment(1);
        }
        ApiError::BadVariable { name, detail, .. } => {
            extensions.set("field", name.as_str());
            extensions.set("detail", detail.as_str());
            args.push(("field", name.clone().into()));
        }
        ApiError::Internal(source) => {
            let id = fresh();
            tracing::error!(error_id = %id, error = chain(source.as_ref()), "an operation failed");
            extensions.set("errorId", id.as_str());
            args.push(("errorId", id.into()));
        }
        _ => {}
    }
    error.message = text::message(language, cause.message(), &args);
    error.extensions = Some(extensions);
}

/// How many milliseconds to wait: rounded up, so that whoever waits for so long has waited for long enough.
fn wait_ms(wait: TimeDelta) -> u64 {
    let micros = wait.num_microseconds().unwrap_or(i64::MAX).max(0);
    micros.unsigned_abs().div_ceil(1000)
}

/// Why nothing was run: too much comes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Whether the limit is that of the replica, whoever asks.
    pub of_service: bool,
    /// How many seconds to wait.
    pub retry_after_seconds: u64,
}

/// Returns the rate limit by which a finished answer was refused as a whole, or `None` if it was not.
#[must_use]
pub fn rate_limit(answer: &Response) -> Option<RateLimit> {
    if answer.data != Value::Null {
        return None;
    }
    let limits = answer.errors.iter().map(|error| match error.source::<ApiError>() {
        Some(ApiError::RateLimited { scope, retry_after }) => Some(RateLimit {
            of_service: *scope == LimitScope::Service,
            retry_after_seconds: wait_ms(*retry_after).div_ceil(1000).max(1),
        }),
        _ => None,
    });
    limits.collect::<Option<Vec<_>>>()?.into_iter().max_by_key(|limit| limit.retry_after_seconds)
}

/// How the library begins when an operation goes beyond its limits. It has no codes for them.
const LIMITS: &[&str] =
    &["Query is too", "Query is nested too deep", "The recursion depth", "The number of directives"];
/// How it begins when it does not know which operation to run.
const CHOICES: &[&str] = &["Unknown operation named", "Operation name required"];
/// How it begins when a value is not of its type, with the type next.
const VALUES: &[&str] = &["Failed to parse \"", "Expected input type \""];
/// The same with the place next, from the validation.
const PLACES: &[&str] = &["Invalid value for argument", "Invalid default value"];
/// How it begins when it says nothing of what was sent but the names in the document.
const NAMES: &[&str] = &[
    "Cannot ",
    "Directive ",
    "Duplicate ",
    "Field ",
    "Fields ",
    "Fragment ",
    "Schema is not configured",
    "There can only be one ",
    "Unknown ",
    "Variable ",
];
/// After these words the library shows what was sent.
const SHOWN_AFTER: &[&str] = &["does not contain the value", "unknown field"];
/// How long a detail may be: names are as long as a client makes them.
const LONGEST_DETAIL: usize = 400;

/// What the library means by an error of its own. Its words are no contract: what is not known here is told in general, and none
/// of the words get out.
fn of_the_library(error: &ServerError) -> ApiError {
    let words = error.message.as_str();
    let begins = |known: &[&str]| known.iter().any(|known| words.starts_with(known));
    let named = error.extensions.as_ref().and_then(|extensions| extensions.get(MESSAGE));
    if let Some(Value::String(message)) = named {
        return ApiError::BadValue { message: message.clone(), detail: up_to_type(words) };
    }
    let value = |detail| ApiError::BadValue { message: "error-value".to_owned(), detail };
    match () {
        () if begins(LIMITS) => ApiError::TooCostly,
        () if begins(CHOICES) => ApiError::WhichOperation,
        () if begins(VALUES) => value(up_to_type(words)),
        () if begins(PLACES) => value(without_values(words)),
        () if begins(NAMES) => ApiError::Misfit { detail: without_values(words) },
        () => ApiError::Misfit { detail: None },
    }
}

/// The words up to the name of a type, the first thing in quotes. What was sent follows.
fn up_to_type(words: &str) -> Option<String> {
    let (end, _) = words.match_indices('"').nth(1)?;
    words.get(..=end).map(str::to_owned)
}

/// The words up to where they would show what was sent.
fn without_values(words: &str) -> Option<String> {
    let ends = SHOWN_AFTER.iter().filter_map(|shown| words.find(shown).map(|at| at + shown.len()));
    let end = ends.min().unwrap_or(words.len());
    words.get(..end).filter(|words| words.len() <= LONGEST_DETAIL).map(str::to_owned)
}

fn chain(error: &(dyn StdError + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(words: &str) -> Option<String> {
        match of_the_library(&ServerError::new(words, None)) {
            ApiError::Misfit { detail } | ApiError::BadValue { detail, .. } => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_detail_names_what_is_in_the_schema_and_shows_no_value() {
        for (words, kept) in [
            (r#"Unknown field "a" on type "Query"."#, Some(r#"Unknown field "a" on type "Query"."#)),
            (r#"Failed to parse "Date": secret"#, Some(r#"Failed to parse "Date""#)),
            (r#"Expected input type "Int", found "secret"."#, Some(r#"Expected input type "Int""#)),
            (
                r#"Invalid value for argument "a", enumeration type "E" does not contain the value "secret""#,
                Some(r#"Invalid value for argument "a", enumeration type "E" does not contain the value"#),
            ),
            (
                r#"Invalid default value for argument: "a", unknown field "secret" of type "T""#,
                Some(r#"Invalid default value for argument: "a", unknown field"#),
            ),
            ("Words that nobody knows: secret", None),
        ] {
            assert_eq!(detail(words).as_deref(), kept);
        }
        assert_eq!(detail(&format!("Unknown field \"{}\"", "x".repeat(500))), None);
    }
}
