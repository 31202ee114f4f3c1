//! What goes into the `errors` list: only what no client can mend by other data.
//!
//! Everything a person can fix is a [`Refusal`](crate::graphql::refusal::Refusal) instead.

use std::{error::Error as StdError, sync::Arc};

use async_graphql::{ErrorExtensionValues, Response, ServerError};
use entities::enums::Language;

use crate::{feed::NoSuchFeed, idgen::IdGen, store::StoreError, text};

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
    /// There is no such thing for this caller.
    NotFound,
    /// The answer would be too large.
    TooCostly,
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

    const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadInput { .. } => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::TooCostly => "COST_EXCEEDED",
            Self::Internal(_) => "INTERNAL",
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(Arc::new(error))
    }
}

impl From<NoSuchFeed> for ApiError {
    fn from(error: NoSuchFeed) -> Self {
        match error {
            NoSuchFeed::Unknown => Self::NotFound,
            NoSuchFeed::Store(error) => error.into(),
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
        match error.source::<ApiError>().cloned() {
            Some(cause) => word(error, &cause, language, || ids.next(now).simple().to_string()),
            None => classify(error, language),
        }
    }
}

fn word(error: &mut ServerError, cause: &ApiError, language: Language, fresh: impl FnOnce() -> String) {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", cause.code());
    error.message = match cause {
        ApiError::Unauthenticated => text::message(language, "error-unauthenticated", &[]),
        ApiError::Forbidden => text::message(language, "error-forbidden", &[]),
        ApiError::BadInput { field } => {
            extensions.set("field", field.as_str());
            text::message(language, "error-bad-input", &[("field", field.clone().into())])
        }
        ApiError::NotFound => text::message(language, "error-not-found", &[]),
        ApiError::TooCostly => text::message(language, "error-cost-exceeded", &[]),
        ApiError::Internal(source) => {
            let id = fresh();
            tracing::error!(error_id = %id, error = chain(source.as_ref()), "an operation failed");
            extensions.set("errorId", id.as_str());
            text::message(language, "error-internal", &[("errorId", id.into())])
        }
    };
    error.extensions = Some(extensions);
}

/// Errors of the library itself: the document or its variables are wrong, or too much was asked.
fn classify(error: &mut ServerError, language: Language) {
    if error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some()) {
        return;
    }
    let mut extensions = ErrorExtensionValues::default();
    // The library has no codes for its limits, only words; a test of the limits holds these.
    let limits = ["Query is too", "Query is nested too deep", "The recursion depth"];
    if limits.iter().any(|words| error.message.starts_with(words)) {
        extensions.set("code", "COST_EXCEEDED");
        error.message = text::message(language, "error-cost-exceeded", &[]);
    } else {
        extensions.set("code", "BAD_USER_INPUT");
    }
    error.extensions = Some(extensions);
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
