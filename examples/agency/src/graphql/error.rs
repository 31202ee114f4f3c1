//! What goes into the `errors` list. What a person can mend is a refusal instead.

use std::{error::Error as StdError, sync::Arc};

use async_graphql::{ErrorExtensionValues, Response, ServerError};

use crate::store::StoreError;

/// An error of the API. Without `Display` on purpose: async-graphql shows clients the text of every `Display` type that `?`
/// gives it.
#[derive(Clone, Debug)]
pub(in crate::graphql) enum ApiError {
    /// The act needs a signed-in caller.
    Unauthenticated,
    /// The act is not for this caller.
    Forbidden,
    /// An argument is malformed.
    BadInput(&'static str),
    /// Something broke underneath.
    Internal(Arc<dyn StdError + Send + Sync>),
}

/// The result of a resolver.
pub(in crate::graphql) type ApiResult<T> = Result<T, ApiError>;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(Arc::new(error))
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        let (code, message) = match &error {
            ApiError::Unauthenticated => ("UNAUTHENTICATED", "sign in first"),
            ApiError::Forbidden => ("FORBIDDEN", "not allowed"),
            ApiError::BadInput(field) => {
                extensions.set("field", *field);
                ("BAD_USER_INPUT", "an argument is malformed")
            }
            ApiError::Internal(_) => ("INTERNAL", "internal error"),
        };
        extensions.set("code", code);
        Self { message: message.to_owned(), source: Some(Arc::new(error)), extensions: Some(extensions) }
    }
}

/// Too much is asked for at once.
pub(in crate::graphql) fn too_costly() -> ServerError {
    let mut error = ServerError::new("the query asks for too much", None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", "COST_EXCEEDED");
    error.extensions = Some(extensions);
    error
}

/// Gives every error of a response its code, and logs what broke underneath.
pub(in crate::graphql) fn finish(response: &mut Response) {
    for error in &mut response.errors {
        if let Some(ApiError::Internal(cause)) = error.source::<ApiError>() {
            tracing::error!(error = chain(cause.as_ref()), "an operation failed");
        }
        if error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some()) {
            continue;
        }
        // The library has no codes for its limits, only words; a test holds these.
        let limits = ["Query is too", "Query is nested too deep", "The recursion depth"];
        if limits.iter().any(|words| error.message.starts_with(words)) {
            *error = too_costly();
        } else {
            error.extensions.get_or_insert_default().set("code", "BAD_USER_INPUT");
        }
    }
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
