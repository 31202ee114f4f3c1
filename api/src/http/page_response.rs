//! Answers requests for pages and for the files beside them.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use url::form_urlencoded;

use crate::{
    http::headers::header_text,
    publications::{MessagePage, Page, PageAddress, PageLanguage, content_security_policy},
};

/// The content type of pages.
pub(in crate::http) const HTML: &str = "text/html; charset=utf-8";

/// Returns a parameter of a query string, decoded.
pub(in crate::http) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

/// Returns the language in which a request wants a page.
pub(in crate::http) fn page_language(query: Option<&str>, headers: &HeaderMap) -> PageLanguage {
    PageLanguage::choose(parameter(query, "lang").as_deref(), header_text(headers, header::ACCEPT_LANGUAGE))
}

/// Sets the content security policy of pages.
pub(in crate::http) fn secured(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(content_security_policy());
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// A short message: the keys of its title and its text.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct PageMessage {
    pub(in crate::http) title: &'static str,
    pub(in crate::http) text: &'static str,
}

/// Answers with a page that shows only a message, which no cache keeps.
pub(in crate::http) fn message(
    status: StatusCode,
    message: PageMessage,
    language: PageLanguage,
    address: PageAddress,
) -> Response {
    let page = Page::new(language, language.text(message.title), address);
    let text = language.text(message.text);
    match (MessagePage { page: &page, message: &text }).html() {
        Ok(html) => secured((status, [(header::CONTENT_TYPE, HTML)], html).into_response()),
        // The status says the same.
        Err(_) => status.into_response(),
    }
}
