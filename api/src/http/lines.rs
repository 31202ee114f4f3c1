//! What the log says of operations: never who asked, nor what.

use async_graphql::{Request, parser::types::DocumentOperations};
use axum::{extract::Request as HttpRequest, http::Method, response::Response};
use chrono::{DateTime, Utc};

use crate::{
    domain::viewer::Viewer,
    graphql::limits::parsed,
    http::{Door, ws},
};

/// How long a name may be.
const LONGEST_NAME: usize = 64;

/// The name of the operation that a request would run, fit for a log: it comes from outside.
pub(in crate::http) fn name(request: &mut Request) -> Option<String> {
    if let Some(wished) = &request.operation_name {
        return Some(loggable(wished));
    }
    match &parsed(request).ok()?.operations {
        DocumentOperations::Multiple(operations) if operations.len() == 1 => {
            operations.keys().next().map(|name| loggable(name))
        }
        DocumentOperations::Single(_) | DocumentOperations::Multiple(_) => None,
    }
}

/// A name without anything that could be taken for something else than a name.
pub(in crate::http) fn loggable(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(LONGEST_NAME).collect()
}

/// The kind of a viewer.
pub(in crate::http) fn kind(viewer: &Viewer) -> &'static str {
    if viewer.person().is_some() { "person" } else { "anonymous" }
}

/// An operation that was answered once, or was not begun.
pub(in crate::http) struct Line<'a> {
    pub(in crate::http) door: &'static str,
    /// What it is; none where that is not known.
    pub(in crate::http) operation: Option<&'a str>,
    pub(in crate::http) name: Option<&'a str>,
    pub(in crate::http) viewer: &'static str,
    pub(in crate::http) code: &'a str,
}

/// Counts an operation, and writes its line.
pub(in crate::http) fn tell(line: &Line<'_>, door: &Door, began: DateTime<Utc>) {
    let Line { door: through, operation, name, viewer, code } = line;
    let ms = (door.clock.now() - began).num_milliseconds();
    metrics::counter!("kezdesu_requests_total", "code" => (*code).to_owned()).increment(1);
    tracing::info!(door = through, operation, name, viewer, code, ms, "graphql.request");
}

/// Returns the door that a request comes to.
pub(in crate::http) fn door_of(request: &HttpRequest) -> &'static str {
    match *request.method() {
        Method::GET if ws::is_upgrade(request.headers()) => "websocket",
        Method::GET => "get",
        Method::POST => "post",
        _ => "other",
    }
}

/// Left on the answer of a door that stayed shut.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Refused {
    pub(in crate::http) code: &'static str,
    /// The kind of viewer; none where nobody was introduced.
    pub(in crate::http) viewer: Option<&'static str>,
}

/// Counts a request that a door has turned away, and writes its line. What was let in is told where it is run.
pub(in crate::http) fn tell_refused(response: &Response, door: &Door, through: &'static str, began: DateTime<Utc>) {
    if let Some(Refused { code, viewer }) = response.extensions().get() {
        let line = Line { door: through, operation: None, name: None, viewer: viewer.unwrap_or("unknown"), code };
        tell(&line, door, began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_only_operation_and_cannot_forge_a_line() {
        let named = |query: &str, wished: Option<&str>| {
            let mut request = Request::new(query);
            request.operation_name = wished.map(str::to_owned);
            name(&mut request)
        };
        assert_eq!(named("query Screen { a }", None).as_deref(), Some("Screen"));
        assert_eq!(named("{ a }", None), None);
        assert_eq!(named("query One { a } query Two { a }", None), None);
        assert_eq!(named("query One { a } query Two { a }", Some("Two")).as_deref(), Some("Two"));
        assert_eq!(named("query {", None), None);
        let forged = "a\r\n{\"level\":\"ERROR\"}\u{1b}[31m\u{2028}әб";
        assert_eq!(named("{ a }", Some(forged)).as_deref(), Some("alevelERROR31m"));
        assert_eq!(named(&format!("query {} {{ a }}", "x".repeat(500)), None).map(|name| name.len()), Some(64));
    }
}
