//! GraphQL over HTTP: one operation a request, by POST; queries also by GET.

use async_graphql::{Request, parser::types::OperationType};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, RawQuery, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use entities::enums::Language;
use serde_json::json;

use crate::{
    auth::Authenticated,
    clock::sleep,
    graphql::{
        engine::{Answered, Caller},
        error::RateLimit,
    },
    http::{
        Door,
        address::{self, Peer},
        answering::{self, Single},
        cache,
        encoding::{Encoding, Unreadable},
        lines::{self, Refused},
        link::Link,
        negotiate::{Form, form},
        origin,
        request::{self, BadRequest},
        streams::{self, Framing, Streamed},
        ws,
    },
    telemetry::{self, SPANS},
    text,
};

/// A door that stays shut, and why.
pub(in crate::http) struct Shut {
    status: StatusCode,
    code: &'static str,
    message: String,
    form: Form,
    /// The kind of viewer, once it was introduced.
    viewer: Option<&'static str>,
}

impl Shut {
    fn new(status: StatusCode, code: &'static str, message: &str, language: Language) -> Self {
        Self { status, code, message: text::message(language, message, &[]), form: Form::Json, viewer: None }
    }

    fn bad(bad: BadRequest, language: Language) -> Self {
        let status = match bad {
            BadRequest::Malformed { .. } => StatusCode::BAD_REQUEST,
            // Clients of persisted queries wait for an answer, not for a failure.
            BadRequest::UnknownDocument | BadRequest::UnknownHash => StatusCode::OK,
        };
        Self { status, code: bad.code(), message: bad.words(language), form: Form::Json, viewer: None }
    }
}

impl IntoResponse for Shut {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "message": self.message, "extensions": { "code": self.code } }] });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let form = if matches!(self.form, Form::Events | Form::Parts) { Form::Json } else { self.form };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        for_nobody_else(headers);
        match self.status {
            // What was not read of the request would be taken for the next one.
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Refused { code: self.code, viewer: self.viewer });
        response
    }
}

/// An operation over POST.
pub(in crate::http) async fn post(State(door): State<Door>, http: HttpRequest) -> Response {
    let began = door.clock.now();
    let response = posted(&door, http).await;
    lines::tell_refused(&response, &door, "post", began);
    response
}

async fn posted(door: &Door, http: HttpRequest) -> Response {
    let (parts, body) = http.into_parts();
    let language = language(&parts.headers);
    let shut = |status, message| Shut::new(status, "BAD_USER_INPUT", message, language).into_response();
    if !is_json(&parts.headers) {
        return shut(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request-content-type");
    }
    let Some(encoding) = Encoding::of(&parts.headers) else {
        let mut response = shut(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request-content-encoding");
        response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        return response;
    };
    let whole = HttpRequest::from_parts(parts.clone(), body);
    let body = tokio::select! {
        biased;
        body = Bytes::from_request(whole, door) => body,
        () = sleep(door.clock.as_ref(), door.limits.body_timeout) => {
            return Shut::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", "request-too-slow", language).into_response();
        }
    };
    let body: Bytes = match body {
        Ok(body) => body,
        Err(rejection) => return shut(rejection.status(), "request-too-large"),
    };
    let body = match encoding.read(body, door.limits.max_body_bytes) {
        Ok(body) => body,
        Err(Unreadable::TooLarge) => return shut(StatusCode::PAYLOAD_TOO_LARGE, "request-too-large"),
        Err(Unreadable::Broken) => return shut(StatusCode::BAD_REQUEST, "request-gzip"),
    };
    match request::parse(&body, &door.documents) {
        Ok(request) => answer(door, &parts.headers, Asked::of(door, request, &parts, true)).await,
        Err(bad) => {
            Shut { form: form(&parts.headers).unwrap_or(Form::Json), ..Shut::bad(bad, language) }.into_response()
        }
    }
}

/// A query over GET, or the beginning of a WebSocket.
pub(in crate::http) async fn get(State(door): State<Door>, RawQuery(query): RawQuery, http: HttpRequest) -> Response {
    let began = door.clock.now();
    if ws::is_upgrade(http.headers()) {
        let response = ws::upgrade(door.clone(), http);
        lines::tell_refused(&response, &door, "websocket", began);
        return response;
    }
    let (parts, _) = http.into_parts();
    let response = match request::from_parameters(query.as_deref().unwrap_or_default(), &door.documents) {
        Ok(request) => answer(&door, &parts.headers, Asked::of(&door, request, &parts, false)).await,
        Err(bad) => {
            let language = language(&parts.headers);
            Shut { form: form(&parts.headers).unwrap_or(Form::Json), ..Shut::bad(bad, language) }.into_response()
        }
    };
    lines::tell_refused(&response, &door, "get", began);
    response
}

/// Any other method.
pub(in crate::http) async fn other(State(door): State<Door>, headers: HeaderMap) -> Response {
    let (began, language) = (door.clock.now(), language(&headers));
    let shut = Shut::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "request-method", language);
    let response = shut.into_response();
    lines::tell_refused(&response, &door, "other", began);
    response
}

/// Whether the content type is JSON: none that a page of another origin could send without asking.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    json && parts.all(|part| {
        part.split_once('=').is_none_or(|(name, value)| {
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    })
}

/// A header as text; one that is none is what nobody can mean.
fn told(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The language in which an answer is wished.
pub(in crate::http) fn language(headers: &HeaderMap) -> Language {
    text::negotiate(told(headers, header::ACCEPT_LANGUAGE))
}

/// Who asks.
fn introduce(door: &Door, headers: &HeaderMap, language: Language) -> Result<Authenticated, Shut> {
    match door.auth.authenticate(told(headers, header::AUTHORIZATION)) {
        Ok(known) => Ok(known),
        Err(refused) => {
            tracing::debug!(reason = %refused, "a token was refused");
            Err(Shut::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "error-token", language))
        }
    }
}

/// A request as it came.
struct Asked {
    request: Request,
    by_post: bool,
    peer: Peer,
    /// The connection it came on.
    link: Link,
}

impl Asked {
    fn of(door: &Door, request: Request, parts: &Parts, by_post: bool) -> Self {
        let peer = address::of(&parts.extensions, &parts.headers, &door.trusted_proxies);
        Self { request, by_post, peer, link: parts.extensions.get().cloned().unwrap_or_default() }
    }
}

async fn answer(door: &Door, headers: &HeaderMap, asked: Asked) -> Response {
    let Asked { mut request, by_post, peer, link } = asked;
    let language = language(headers);
    let Some(form) = form(headers) else {
        return Shut::new(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", "request-accept", language).into_response();
    };
    let shut = |shut: Shut| Shut { form, ..shut }.into_response();
    if !origin::is_allowed(headers, &door.allowed_origins) {
        return shut(Shut::new(StatusCode::FORBIDDEN, "FORBIDDEN", "request-origin", language));
    }
    let known = match introduce(door, headers, language) {
        Ok(known) => known,
        Err(refused) => return shut(refused),
    };
    if door.life.is_draining() {
        return shut(Shut::new(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", "error-draining", language));
    }
    let end = door.auth.end_of(&known);
    let caller = Caller { viewer: known.viewer, language, address: peer.address };
    let viewer = Some(lines::kind(&caller.viewer));
    let shut = |shut: Shut| Shut { form, viewer, ..shut }.into_response();
    if !door.documents.may_run(&caller.viewer, &request.query) {
        return shut(Shut::new(StatusCode::FORBIDDEN, "FORBIDDEN", "error-not-listed", language));
    }
    // The engine says what is wrong with one that cannot be run.
    let operation = request::operation(&mut request, &door.documents, &caller).unwrap_or(OperationType::Query);
    if operation == OperationType::Mutation && !by_post {
        return shut(Shut::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "request-mutation", language));
    }
    let name = lines::name(&mut request);
    let span = tracing::info_span!(target: SPANS, "graphql.request", %operation, name);
    if peer.through_proxy {
        telemetry::join(&span, headers);
    }
    if operation == OperationType::Subscription {
        let framing = match form {
            Form::Events => Framing::Events,
            Form::Parts => Framing::Parts,
            Form::Json | Form::Response => {
                return shut(Shut::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "request-subscription", language));
            }
        };
        return match streams::last_event_id(headers) {
            Ok(resume) => streams::stream(door, Streamed { request, name, framing, resume, end, link, span }, caller),
            Err(bad) => shut(Shut::bad(bad, language)),
        };
    }
    // All who are anonymous are shown the same.
    let public = !by_post && caller.viewer.person().is_none();
    let through = if by_post { "post" } else { "get" };
    let answer = answering::answer(door, Single { request, operation, name, caller, through, span }).await;
    let cached = public && answer.errors.is_empty();
    let response = match form {
        Form::Events => return streams::single(&answer.json),
        Form::Parts => render(answer, Form::Json),
        Form::Json | Form::Response => render(answer, form),
    };
    if cached { cache::publicly(response, headers).await } else { response }
}

fn render(answer: Answered, form: Form) -> Response {
    let failed = form == Form::Response && answer.is_request_error;
    let status = match answer.limit {
        // Also where every well-formed request is answered with 200: a balancer must see it, and nothing was run.
        Some(RateLimit { of_service: true, .. }) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) if failed => StatusCode::TOO_MANY_REQUESTS,
        _ if failed => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let mut response = (status, Body::from(answer.json)).into_response();
    let headers = response.headers_mut();
    if let Some(RateLimit { retry_after_seconds, .. }) = answer.limit {
        headers.insert(header::RETRY_AFTER, retry_after_seconds.into());
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    for_nobody_else(headers);
    response
}

/// Keeps an answer from being shown to others.
fn for_nobody_else(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language, Authorization"));
}
