//! The protocol of a meeting: a page, and CSV and JSON beside it.
//!
//! Staff open it with a ticket in the address, or with a token. Addresses are not logged, because they may hold a ticket.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::{
    body::Bytes,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use entities::ids::MeetingId;
use serde_json::json;

use crate::{
    app::protocol::{LimitReached, ProtocolError, ProtocolRequest, Requester},
    domain::{
        protocol::{Protocol, ProtocolScope},
        viewer::Viewer,
    },
    graphql::{expensive_queries::Deadline, node::GlobalId},
    http::{
        HttpState,
        access_log::{self, AccessLogEntry},
        cache_control::TaggedBody,
        client_ip::ClientIp,
        headers::header_text,
        page_response::{HTML, PageMessage, message, page_language, parameter, secured},
    },
    publications::{
        Page, PageAddress, PageLanguage,
        protocol::{self as render, ProtocolPage},
    },
};

const MISSING: PageMessage = PageMessage { title: "page-protocol-missing-title", text: "page-protocol-missing" };
const TICKET: PageMessage = PageMessage { title: "page-protocol-ticket-title", text: "page-protocol-ticket" };
const TOKEN: PageMessage = PageMessage { title: "page-protocol-token-title", text: "page-protocol-token" };
const BUSY: PageMessage = PageMessage { title: "page-protocol-busy-title", text: "page-protocol-busy" };
const FAILED: PageMessage = PageMessage { title: "page-protocol-failed-title", text: "page-protocol-failed" };

/// How long a client waits whose request cannot be served now.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(2);

/// The form of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Page,
    Csv,
    Json,
}

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Page => HTML,
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// What its address ends with.
    const fn ending(self) -> &'static str {
        match self {
            Self::Page => "",
            Self::Csv => ".csv",
            Self::Json => ".json",
        }
    }
}

/// Why a request for a protocol is not answered with it.
#[derive(Clone, Copy, Debug)]
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: PageMessage,
    retry_after: Option<TimeDelta>,
}

impl Refused {
    const fn new(status: StatusCode, code: &'static str, message: PageMessage) -> Self {
        Self { status, code, message, retry_after: None }
    }

    const fn missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", MISSING)
    }

    const fn failed() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", FAILED)
    }

    const fn overloaded() -> Self {
        let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, "RATE_LIMITED", BUSY);
        Self { retry_after: Some(RETRY_AFTER), ..busy }
    }

    fn of(state: &HttpState, error: &ProtocolError) -> Self {
        match error {
            ProtocolError::NotFound => Self::missing(),
            ProtocolError::Limited(limit) => {
                let retry_after = match limit {
                    LimitReached::Until { retry_after, .. } => Some(*retry_after),
                    LimitReached::Never => None,
                };
                Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", BUSY) }
            }
            ProtocolError::Store(error) if state.pages.protocols.is_overload(error) => Self::overloaded(),
            ProtocolError::Store(error) => {
                tracing::error!(error = %error.chain(), "a protocol cannot be read");
                Self::failed()
            }
        }
    }
}

/// Serves the page.
pub(in crate::http) async fn page(
    state: State<Arc<HttpState>>,
    id: Path<String>,
    query: RawQuery,
    request: Request,
) -> Response {
    serve(state, id, query, request, Format::Page).await
}

/// Serves the questions as CSV.
pub(in crate::http) async fn csv(
    state: State<Arc<HttpState>>,
    id: Path<String>,
    query: RawQuery,
    request: Request,
) -> Response {
    serve(state, id, query, request, Format::Csv).await
}

/// Serves everything as JSON.
pub(in crate::http) async fn json(
    state: State<Arc<HttpState>>,
    id: Path<String>,
    query: RawQuery,
    request: Request,
) -> Response {
    serve(state, id, query, request, Format::Json).await
}

/// Serves the JSON Schema of protocols.
pub(in crate::http) async fn schema(State(state): State<Arc<HttpState>>, request_headers: HeaderMap) -> Response {
    let schema = render::json_schema(state.pages.protocols.link_base()).to_string();
    TaggedBody::new(schema.into()).until_release("application/schema+json", &request_headers)
}

async fn serve(
    State(state): State<Arc<HttpState>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
    format: Format,
) -> Response {
    let started = state.clock.now();
    let (parts, _) = request.into_parts();
    let language = page_language(query.as_deref(), &parts.headers);
    let ticket = parameter(query.as_deref(), "ticket");
    let request = ProtocolCall { state: &state, parts: &parts, format, language, ticket };
    let answer = request.answer(&id, started).await;
    let (response, viewer, code) = match answer {
        Ok((response, viewer)) => (response, viewer, "OK"),
        Err(refused) => (request.refuse(&id, refused), "unknown", refused.code),
    };
    let entry = AccessLogEntry { transport: "get", operation: Some("page"), name: Some("protocol"), viewer, code };
    access_log::log_request(&entry, &state, started);
    response
}

/// A request for a protocol.
struct ProtocolCall<'a> {
    state: &'a Arc<HttpState>,
    parts: &'a Parts,
    format: Format,
    language: PageLanguage,
    ticket: Option<String>,
}

impl ProtocolCall<'_> {
    async fn answer(&self, id: &str, started: DateTime<Utc>) -> Result<(Response, &'static str), Refused> {
        let state = self.state;
        let meeting = meeting_id(id).ok_or(Refused::missing())?;
        if self.ticket.as_ref().is_some_and(|ticket| !state.pages.protocols.opens(meeting, ticket)) {
            return Err(Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", TICKET));
        }
        let is_shared = self.ticket.is_none() && !self.parts.headers.contains_key(header::AUTHORIZATION);
        let key = format!("protocol{}?{}&{}", self.format.ending(), self.language.code(), meeting.0.simple());
        if let Some(kept) = Some(&key).filter(|_| is_shared).and_then(|key| state.pages.cache.find(key, started)) {
            return Ok((self.public(&kept.body, kept.age(started).unwrap_or_default()), "anonymous"));
        }
        if state.lifecycle.is_draining() {
            return Err(Refused::overloaded());
        }
        let authorization = header_text(&self.parts.headers, header::AUTHORIZATION);
        let authenticated = state.auth.authenticate(authorization);
        let viewer =
            authenticated.map_err(|_| Refused::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", TOKEN))?.viewer;
        let kind = access_log::viewer_kind(&viewer);
        if !is_shared {
            let (body, scope) = self.render(meeting, &viewer).await?;
            let body = TaggedBody::new(body);
            return Ok((
                if scope == ProtocolScope::Staff { self.private(&body) } else { self.public(&body, TimeDelta::zero()) },
                kind,
            ));
        }
        let rendered = async { self.render(meeting, &viewer).await.map(|(body, _)| TaggedBody::new(body)) };
        let page = state.pages.cache.render(&key, state.clock.as_ref(), rendered).await?;
        Ok((self.public(&page.body, page.age(state.clock.now()).unwrap_or_default()), kind))
    }

    /// Reads and renders the protocol as the viewer may see it, within the limits of queries.
    async fn render(&self, meeting: MeetingId, viewer: &Viewer) -> Result<(Bytes, ProtocolScope), Refused> {
        let state = self.state;
        state.engine.memory().check().map_err(|_| Refused::overloaded())?;
        let _permit = state
            .concurrency
            .acquire(OperationType::Query, state.clock.as_ref())
            .await
            .map_err(|_| Refused::overloaded())?;
        let client: ClientIp = self.parts.extensions.get().copied().unwrap_or_default();
        let request = ProtocolRequest {
            meeting,
            viewer,
            has_ticket: self.ticket.is_some(),
            requester: Requester { subject: viewer.subject(), address: client.address },
        };
        let rendered = async {
            let protocol = state.pages.protocols.read(request).await.map_err(|error| Refused::of(state, &error))?;
            let bytes = self.format(&protocol)?;
            Ok((state.engine.memory().hold(bytes), protocol.scope))
        };
        let (cancelled, timeout) = (tokio_util::sync::CancellationToken::new(), state.limits.request_timeout);
        let deadline = Deadline { cancelled, timeout };
        let limited = state.pages.rendering.run(&deadline, rendered);
        match tokio::time::timeout(timeout, limited).await {
            Ok(Ok(rendered)) => rendered,
            Ok(Err(_)) | Err(_) => Err(Refused::overloaded()),
        }
    }

    fn format(&self, protocol: &Protocol) -> Result<Vec<u8>, Refused> {
        let rendered = match self.format {
            Format::Page => {
                let page = Page::new(
                    self.language,
                    ProtocolPage::title(protocol, self.language),
                    self.address(protocol.meeting.id),
                );
                ProtocolPage { page: &page, protocol }.html().map(String::into_bytes)
            }
            Format::Csv => render::csv(protocol, self.language),
            Format::Json => render::json(protocol, self.state.pages.protocols.link_base()),
        };
        rendered.map_err(|error| {
            tracing::error!(%error, "a protocol cannot be rendered");
            Refused::failed()
        })
    }

    fn address(&self, meeting: MeetingId) -> PageAddress {
        let url = self.state.pages.protocols.address(meeting);
        match &self.ticket {
            Some(ticket) => PageAddress::with(url, "ticket", ticket),
            None => PageAddress::public(url),
        }
    }

    fn public(&self, body: &TaggedBody, age: TimeDelta) -> Response {
        let response = body.short_lived(age, self.format.content_type(), &self.parts.headers);
        self.secured(response)
    }

    fn private(&self, body: &TaggedBody) -> Response {
        let mut response = body.bytes().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.format.content_type()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        self.secured(response)
    }

    /// Pages have a policy that allows their style; files have that of all other responses.
    fn secured(&self, response: Response) -> Response {
        if self.format == Format::Page { secured(response) } else { response }
    }

    fn refuse(&self, id: &str, refused: Refused) -> Response {
        let mut response = if self.format == Format::Page {
            let known = meeting_id(id);
            let url = known.map_or_else(String::new, |meeting| self.state.pages.protocols.address(meeting));
            message(refused.status, refused.message, self.language, PageAddress::public(url))
        } else {
            let text = self.language.text(refused.message.text);
            let body = json!({ "error": { "code": refused.code, "message": text } }).to_string();
            (refused.status, [(header::CONTENT_TYPE, Format::Json.content_type())], body).into_response()
        };
        let headers = response.headers_mut();
        if let Some(wait) = refused.retry_after {
            headers.insert(header::RETRY_AFTER, wait.num_seconds().max(1).into());
        }
        if refused.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn meeting_id(id: &str) -> Option<MeetingId> {
    match GlobalId::parse(id) {
        Some(GlobalId::Meeting(id)) => Some(id),
        _ => None,
    }
}
