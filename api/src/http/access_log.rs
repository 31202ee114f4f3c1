//! The access log and request metrics. They never contain who the viewer is, nor variables.

use async_graphql::{Request, parser::types::DocumentOperations};
use axum::{extract::Request as HttpRequest, http::Method, response::Response};
use chrono::{DateTime, Utc};

use crate::{
    domain::viewer::Viewer,
    graphql::{operation_cache, operation_limits::parse_document},
    http::{HttpState, headers::is_upgrade, rejected_request::RejectedRequest},
};

/// Maximum length of a logged operation name.
const MAX_NAME_LENGTH: usize = 64;

/// Returns the name of the operation to run, sanitised for the log.
pub(in crate::http) fn operation_name(request: &mut Request) -> Option<String> {
    if let Some(requested) = &request.operation_name {
        return Some(sanitize_name(requested));
    }
    if let Some(template) = operation_cache::template(request) {
        return template.name.as_deref().map(sanitize_name);
    }
    match &parse_document(request).ok()?.operations {
        DocumentOperations::Multiple(operations) if operations.len() == 1 => {
            operations.keys().next().map(|name| sanitize_name(name))
        }
        DocumentOperations::Single(_) | DocumentOperations::Multiple(_) => None,
    }
}

/// Keeps only the characters of a GraphQL name. The name is client input and must not forge log lines.
pub(in crate::http) fn sanitize_name(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(MAX_NAME_LENGTH).collect()
}

/// Returns the kind of viewer, as it is logged.
pub(in crate::http) fn viewer_kind(viewer: &Viewer) -> &'static str {
    if viewer.person().is_some() { "person" } else { "anonymous" }
}

/// A query, a mutation, or a request rejected before execution.
pub(in crate::http) struct AccessLogEntry<'a> {
    pub(in crate::http) transport: &'static str,
    /// The operation type; `None` if unknown.
    pub(in crate::http) operation: Option<&'a str>,
    pub(in crate::http) name: Option<&'a str>,
    pub(in crate::http) viewer: &'static str,
    pub(in crate::http) code: &'a str,
}

/// Counts a request and writes its log line.
pub(in crate::http) fn log_request(entry: &AccessLogEntry<'_>, state: &HttpState, started: DateTime<Utc>) {
    let AccessLogEntry { transport, operation, name, viewer, code } = entry;
    let ms = (state.clock.now() - started).num_milliseconds();
    metrics::counter!("kezdesu_requests_total", "code" => (*code).to_owned()).increment(1);
    tracing::info!(door = transport, operation, name, viewer, code, ms, "graphql.request");
}

/// Returns the transport of a request, as it is logged.
pub(in crate::http) fn transport_of(request: &HttpRequest) -> &'static str {
    match *request.method() {
        Method::GET if is_upgrade(request.headers()) => "websocket",
        Method::GET => "get",
        Method::POST => "post",
        _ => "other",
    }
}

/// Logs a request if it was rejected. Executed operations are logged by their executor.
pub(in crate::http) fn log_rejection(
    response: &Response,
    state: &HttpState,
    transport: &'static str,
    started: DateTime<Utc>,
) {
    if let Some(RejectedRequest { code, viewer }) = response.extensions().get() {
        let entry =
            AccessLogEntry { transport, operation: None, name: None, viewer: viewer.unwrap_or("unknown"), code };
        log_request(&entry, state, started);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_the_sanitised_name_of_the_only_operation() {
        let name_of = |query: &str, requested: Option<&str>| {
            let mut request = Request::new(query);
            request.operation_name = requested.map(str::to_owned);
            operation_name(&mut request)
        };
        assert_eq!(name_of("query Screen { a }", None).as_deref(), Some("Screen"));
        assert_eq!(name_of("{ a }", None), None);
        assert_eq!(name_of("query One { a } query Two { a }", None), None);
        assert_eq!(name_of("query One { a } query Two { a }", Some("Two")).as_deref(), Some("Two"));
        assert_eq!(name_of("query {", None), None);
        let forged = "a\r\n{\"level\":\"ERROR\"}\u{1b}[31m\u{2028}әб";
        assert_eq!(name_of("{ a }", Some(forged)).as_deref(), Some("alevelERROR31m"));
        assert_eq!(name_of(&format!("query {} {{ a }}", "x".repeat(500)), None).map(|name| name.len()), Some(64));
    }
}
