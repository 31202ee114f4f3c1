//! Errors of the `errors` list: those that a user cannot fix.
//!
//! What a user can fix is a [`Refusal`](crate::graphql::refusal::Refusal) instead.

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError, Value};
use chrono::TimeDelta;
use entities::enums::Language;

use crate::{
    app::{rate_limit::LimitReached, reads::StoreError},
    domain::policy::Denied,
    feed::FollowError,
    idgen::IdGen,
    text,
};

pub use crate::app::rate_limit::LimitScope;

/// The extension in which a scalar names the message that describes an invalid value. [`localize_errors`]
/// removes it.
pub const MESSAGE: &str = "message";

/// The code of an exceeded rate limit.
pub const RATE_LIMITED: &str = "RATE_LIMITED";
/// The extension with the milliseconds to wait.
pub const RETRY_AFTER_MS: &str = "retryAfterMs";

/// An error of the API. It does not implement `Display`, because async-graphql turns every `Display` type
/// into client text through `?`.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// Authentication is required.
    Unauthenticated,
    /// The caller is not allowed to do this.
    Forbidden,
    /// An argument is malformed.
    BadInput {
        /// Path of the argument.
        field: String,
    },
    /// The document cannot be parsed.
    Syntax,
    /// The operation does not match the schema.
    InvalidOperation {
        /// The library's explanation.
        detail: Option<String>,
    },
    /// The request does not select one operation.
    AmbiguousOperation,
    /// A value has the wrong type.
    BadValue {
        /// The id of the message that describes the format.
        message: String,
        /// The expected type, in the library's words.
        detail: Option<String>,
    },
    /// A variable is missing or has the wrong type.
    BadVariable {
        /// The name of the variable.
        name: String,
        /// The id of the message that describes the error.
        message: String,
        /// The expected type.
        detail: String,
    },
    /// A subscription does not have one field at its root.
    SubscriptionRoot,
    /// The object does not exist for this caller.
    NotFound,
    /// The operation costs too much, or its response is too large.
    CostExceeded,
    /// A rate limit is exceeded.
    RateLimited {
        /// The limit that was exceeded.
        scope: LimitScope,
        /// The time to wait.
        retry_after: TimeDelta,
    },
    /// The operation took too long.
    Timeout,
    /// An internal error.
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

    /// Returns the error of an overloaded replica.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::RateLimited { scope: LimitScope::Service, retry_after: TimeDelta::seconds(1) }
    }

    /// Returns the error at positions of the document.
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
            | Self::InvalidOperation { .. }
            | Self::AmbiguousOperation
            | Self::BadValue { .. }
            | Self::BadVariable { .. }
            | Self::SubscriptionRoot => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::CostExceeded => "COST_EXCEEDED",
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
            Self::InvalidOperation { .. } => "error-misfit",
            Self::AmbiguousOperation => "error-which-operation",
            Self::BadValue { message, .. } | Self::BadVariable { message, .. } => message,
            Self::SubscriptionRoot => "error-subscription-root",
            Self::NotFound => "error-not-found",
            Self::CostExceeded => "error-cost-exceeded",
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
            LimitReached::Never => Self::CostExceeded,
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Anonymous => Self::Unauthenticated,
            Denied::Forbidden => Self::Forbidden,
        }
    }
}

impl From<FollowError> for ApiError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Unknown => Self::NotFound,
            FollowError::Denied(denied) => denied.into(),
            FollowError::Store(error) => StoreError::Shared(error).into(),
        }
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        // The message is set in `localize_errors`, where the caller's language is known.
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        Self { message: error.code().to_owned(), source: Some(Arc::new(error)), extensions: Some(extensions) }
    }
}

/// Sets the code and the localised message of every error in a response. Internal errors are logged under an
/// `errorId` and their causes hidden.
pub fn localize_errors(
    response: &mut Response,
    language: Language,
    ids: &dyn IdGen,
    now: chrono::DateTime<chrono::Utc>,
) {
    for error in &mut response.errors {
        let cause = error.source::<ApiError>().cloned().unwrap_or_else(|| from_library_error(error));
        localize(error, &cause, language, || ids.next(now).simple().to_string());
    }
}

fn localize(error: &mut ServerError, cause: &ApiError, language: Language, new_id: impl FnOnce() -> String) {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", cause.code());
    let mut args = Vec::new();
    match cause {
        ApiError::BadInput { field } => {
            extensions.set("field", field.as_str());
            args.push(("field", field.clone().into()));
        }
        ApiError::InvalidOperation { detail: Some(detail) } | ApiError::BadValue { detail: Some(detail), .. } => {
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
            let id = new_id();
            tracing::error!(error_id = %id, error = chain(source.as_ref()), "an operation failed");
            extensions.set("errorId", id.as_str());
            args.push(("errorId", id.into()));
        }
        _ => {}
    }
    error.message = text::message(language, cause.message(), &args);
    error.extensions = Some(extensions);
}

/// Returns the milliseconds to wait, rounded up.
fn wait_ms(wait: TimeDelta) -> u64 {
    let micros = wait.num_microseconds().unwrap_or(i64::MAX).max(0);
    micros.unsigned_abs().div_ceil(1000)
}

/// The rate limit that rejected an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Whether it is the replica's limit, whoever the caller is.
    pub of_service: bool,
    /// The seconds to wait.
    pub retry_after_seconds: u64,
    /// How long the rejection is held back. A client that repeats its request as soon as it is answered then costs
    /// little; one that waits as told loses nothing.
    pub delay: Duration,
}

impl RateLimit {
    /// Holds the rejection back, unless `disconnected` completes first. Uses real time, because it spares the
    /// processor.
    pub async fn hold_back(self, disconnected: impl Future<Output = ()>) {
        let _ = tokio::time::timeout(self.delay, disconnected).await;
    }
}

/// How long a rejection is held back, even if the wait is shorter: whoever repeats at once is rejected again.
const REJECTION_DELAY: Duration = Duration::from_millis(250);

/// Returns the rate limit that rejected the whole operation, or `None` if there was none.
#[must_use]
pub fn rate_limit(answer: &Response) -> Option<RateLimit> {
    if answer.data != Value::Null {
        return None;
    }
    let limits = answer.errors.iter().map(|error| match error.source::<ApiError>() {
        Some(ApiError::RateLimited { scope, retry_after }) => {
            let of_service = *scope == LimitScope::Service;
            // An overload is reported at once, because it is not the client's doing.
            let delay = if of_service { Duration::ZERO } else { REJECTION_DELAY };
            Some(RateLimit { of_service, retry_after_seconds: wait_ms(*retry_after).div_ceil(1000).max(1), delay })
        }
        _ => None,
    });
    limits.collect::<Option<Vec<_>>>()?.into_iter().max_by_key(|limit| limit.retry_after_seconds)
}

/// Prefixes of the library's messages for exceeded limits. It has no error codes.
const LIMIT_PREFIXES: &[&str] =
    &["Query is too", "Query is nested too deep", "The recursion depth", "The number of directives"];
/// Prefixes of messages about the selection of the operation.
const OPERATION_PREFIXES: &[&str] = &["Unknown operation named", "Operation name required"];
/// Prefixes of messages about values of the wrong type. The type follows.
const VALUE_PREFIXES: &[&str] = &["Failed to parse \"", "Expected input type \""];
/// Prefixes of validation messages about values. The position follows.
const PLACE_PREFIXES: &[&str] = &["Invalid value for argument", "Invalid default value"];
/// Prefixes of messages that contain only names of the document.
const NAME_PREFIXES: &[&str] = &[
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
/// The library quotes values after these words.
const VALUE_MARKERS: &[&str] = &["does not contain the value", "unknown field"];
/// Maximum length of a detail: clients choose the length of names.
const MAX_DETAIL_LENGTH: usize = 400;

/// Classifies an error of the library. Unknown messages get a general code, and their text is not returned.
fn from_library_error(error: &ServerError) -> ApiError {
    let message = error.message.as_str();
    let starts_with_any = |known: &[&str]| known.iter().any(|known| message.starts_with(known));
    let named = error.extensions.as_ref().and_then(|extensions| extensions.get(MESSAGE));
    if let Some(Value::String(message)) = named {
        return ApiError::BadValue { message: message.clone(), detail: up_to_type(message) };
    }
    let value = |detail| ApiError::BadValue { message: "error-value".to_owned(), detail };
    match () {
        () if starts_with_any(LIMIT_PREFIXES) => ApiError::CostExceeded,
        () if starts_with_any(OPERATION_PREFIXES) => ApiError::AmbiguousOperation,
        () if starts_with_any(VALUE_PREFIXES) => value(up_to_type(message)),
        () if starts_with_any(PLACE_PREFIXES) => value(without_values(message)),
        () if starts_with_any(NAME_PREFIXES) => ApiError::InvalidOperation { detail: without_values(message) },
        () => ApiError::InvalidOperation { detail: None },
    }
}

/// Returns the message up to the type, which is the first quoted text. Values follow it.
fn up_to_type(message: &str) -> Option<String> {
    let (end, _) = message.match_indices('"').nth(1)?;
    message.get(..=end).map(str::to_owned)
}

/// Returns the message up to where it would quote values.
fn without_values(message: &str) -> Option<String> {
    let ends = VALUE_MARKERS.iter().filter_map(|shown| message.find(shown).map(|at| at + shown.len()));
    let end = ends.min().unwrap_or(message.len());
    message.get(..end).filter(|message| message.len() <= MAX_DETAIL_LENGTH).map(str::to_owned)
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

    fn detail(message: &str) -> Option<String> {
        match from_library_error(&ServerError::new(message, None)) {
            ApiError::InvalidOperation { detail } | ApiError::BadValue { detail, .. } => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keeps_names_but_no_values_in_a_detail() {
        for (message, expected) in [
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
            assert_eq!(detail(message).as_deref(), expected);
        }
        assert_eq!(detail(&format!("Unknown field \"{}\"", "x".repeat(500))), None);
    }
}
