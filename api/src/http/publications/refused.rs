//! Why a request for something that was published is not answered with it.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    app::publications::{LimitReached, PublishedError},
    http::{
        HttpState,
        page_response::{PageMessage, message},
        publications::cache::LoadError,
    },
    publications::{PageAddress, PageLanguage},
};

const MISSING: PageMessage = PageMessage { title: "page-edition-missing-title", text: "page-edition-missing" };
const BUSY: PageMessage = PageMessage { title: "page-edition-busy-title", text: "page-edition-busy" };
const FAILED: PageMessage = PageMessage { title: "page-edition-failed-title", text: "page-edition-failed" };

/// How long a client waits whose request cannot be served now.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(2);

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    status: StatusCode,
    pub(super) code: &'static str,
    message: PageMessage,
    retry_after: Option<TimeDelta>,
}

impl Refused {
    pub(super) const fn missing() -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "NOT_FOUND", message: MISSING, retry_after: None }
    }

    pub(super) const fn failed() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, code: "INTERNAL", message: FAILED, retry_after: None }
    }

    pub(super) const fn overloaded() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, code: "RATE_LIMITED", message: BUSY, retry_after: Some(RETRY_AFTER) }
    }

    pub(super) fn of(state: &HttpState, error: &PublishedError) -> Self {
        match error {
            PublishedError::Limited(limit) => {
                let retry_after = match limit {
                    LimitReached::Until { retry_after, .. } => Some(*retry_after),
                    LimitReached::Never => None,
                };
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self { status, code: "RATE_LIMITED", message: BUSY, retry_after }
            }
            PublishedError::Store(error) if state.pages.publications.is_overload(error) => Self::overloaded(),
            PublishedError::Store(error) => {
                tracing::error!(error = %error.chain(), "a publication cannot be read");
                Self::failed()
            }
        }
    }

    pub(super) fn of_load(state: &HttpState, error: &LoadError) -> Self {
        match error {
            LoadError::Missing => Self::missing(),
            LoadError::Full => Self::overloaded(),
            LoadError::Published(error) => Self::of(state, error),
        }
    }

    /// Answers with a page.
    pub(super) fn as_page(self, language: PageLanguage) -> Response {
        self.with_wait(message(self.status, self.message, language, PageAddress::public(String::new())))
    }

    /// Answers with JSON.
    pub(super) fn as_json(self, language: PageLanguage) -> Response {
        let body = json!({ "error": { "code": self.code, "message": language.text(self.message.text) } }).to_string();
        let content_type = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        self.with_wait((self.status, content_type, body).into_response())
    }

    fn with_wait(self, mut response: Response) -> Response {
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, wait.num_seconds().max(1).into());
        }
        response
    }
}
