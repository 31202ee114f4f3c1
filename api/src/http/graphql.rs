//! GraphQL over HTTP: one operation a request, by POST; queries also by GET.

use async_graphql::{Request, Response as Answer, ServerError, parser::types::OperationType};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, RawQuery, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use entities::enums::Language;
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::{
    auth::Authenticated,
    graphql::engine::Caller,
    http::{
        Door,
        address::{self, Peer},
        cache,
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
}

impl Shut {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), form: Form::Json }
    }

    fn bad(BadRequest { code, message }: BadRequest) -> Self {
        // Clients of persisted queries wait for an answer, not for a failure.
        let status = if code == "BAD_USER_INPUT" { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        Self::new(status, code, message)
    }
}

impl IntoResponse for Shut {
    fn into_response(self) -> Response {
        metrics::counter!("kezdesu_requests_total", "code" => self.code).increment(1);
        let body = json!({ "errors": [{ "message": self.message, "extensions": { "code": self.code } }] });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let form = if matches!(self.form, Form::Events | Form::Parts) { Form::Json } else { self.form };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        for_nobody_else(headers);
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// An operation over POST.
pub(in crate::http) async fn post(State(door): State<Door>, http: HttpRequest) -> Response {
    let (parts, body) = http.into_parts();
    if !is_json(&parts.headers) {
        let why = "send the request as application/json";
        return Shut::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT", why).into_response();
    }
    let whole = HttpRequest::from_parts(parts.clone(), body);
    let body: Bytes = match Bytes::from_request(whole, &door).await {
        Ok(body) => body,
        Err(rejection) => {
            return Shut::new(rejection.status(), "BAD_USER_INPUT", "the request is too large").into_response();
        }
    };
    let peer = address::of(&parts.extensions, &parts.headers, &door.trusted_proxies);
    match request::parse(&body, &door.documents) {
        Ok(request) => answer(&door, &parts.headers, Asked { request, by_post: true, peer }).await,
        Err(bad) => Shut { form: form(&parts.headers).unwrap_or(Form::Json), ..Shut::bad(bad) }.into_response(),
    }
}

/// A query over GET, or the beginning of a WebSocket.
pub(in crate::http) async fn get(State(door): State<Door>, RawQuery(query): RawQuery, http: HttpRequest) -> Response {
    if ws::is_upgrade(http.headers()) {
        return ws::upgrade(door, http);
    }
    let peer = address::of(http.extensions(), http.headers(), &door.trusted_proxies);
    match request::from_parameters(query.as_deref().unwrap_or_default(), &door.documents) {
        Ok(request) => answer(&door, http.headers(), Asked { request, by_post: false, peer }).await,
        Err(bad) => Shut { form: form(http.headers()).unwrap_or(Form::Json), ..Shut::bad(bad) }.into_response(),
    }
}

/// Any other method.
pub(in crate::http) async fn other() -> Response {
    Shut::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "use GET or POST").into_response()
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

/// Who asks, and in which language.
pub(in crate::http) fn introduce(door: &Door, headers: &HeaderMap) -> Result<(Authenticated, Language), Shut> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let language = text::negotiate(text(header::ACCEPT_LANGUAGE));
    match door.auth.authenticate(text(header::AUTHORIZATION)) {
        Ok(known) => Ok((known, language)),
        Err(refused) => {
            tracing::debug!(reason = %refused, "a token was refused");
            let message = text::message(language, "error-token", &[]);
            Err(Shut::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message))
        }
    }
}

/// A request as it came.
struct Asked {
    request: Request,
    by_post: bool,
    peer: Peer,
}

async fn answer(door: &Door, headers: &HeaderMap, asked: Asked) -> Response {
    let Asked { mut request, by_post, peer } = asked;
    let Some(form) = form(headers) else {
        let why = "the answer comes as application/graphql-response+json, application/json or text/event-stream";
        return Shut::new(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", why).into_response();
    };
    let shut = |shut: Shut| Shut { form, ..shut }.into_response();
    if !origin::is_allowed(headers, &door.allowed_origins) {
        return shut(Shut::new(StatusCode::FORBIDDEN, "FORBIDDEN", "this origin is not allowed"));
    }
    let (known, language) = match introduce(door, headers) {
        Ok(introduced) => introduced,
        Err(refused) => return shut(refused),
    };
    if door.life.is_draining() {
        let message = text::message(language, "error-draining", &[]);
        return shut(Shut::new(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", message));
    }
    let end = door.auth.end_of(&known);
    let caller = Caller { viewer: known.viewer, language, address: peer.address };
    if !door.documents.may_run(&caller.viewer, &request.query) {
        let message = text::message(language, "error-not-listed", &[]);
        return shut(Shut::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    // The engine says what is wrong with one that cannot be run.
    let operation = request::operation(&mut request, &door.documents).unwrap_or(OperationType::Query);
    if operation == OperationType::Mutation && !by_post {
        return shut(Shut::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "send mutations by POST"));
    }
    let span = tracing::info_span!(target: SPANS, "graphql.request", %operation, name = loggable(request.operation_name.as_deref()));
    if peer.through_proxy {
        telemetry::join(&span, headers);
    }
    if operation == OperationType::Subscription {
        let framing = match form {
            Form::Events => Framing::Events,
            Form::Parts => Framing::Parts,
            Form::Json | Form::Response => {
                let why = "subscribe by WebSocket (graphql-transport-ws), as text/event-stream or as multipart/mixed";
                return shut(Shut::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", why));
            }
        };
        return match streams::last_event_id(headers) {
            Ok(resume) => streams::stream(door, Streamed { request, framing, resume, end, span }, caller),
            Err(bad) => shut(Shut::bad(bad)),
        };
    }
    let answer = run(door, request, &caller, operation).instrument(span).await;
    let response = match form {
        Form::Events => return streams::single(answer),
        Form::Parts => render(&answer, Form::Json),
        Form::Json | Form::Response => render(&answer, form),
    };
    // All who are anonymous are shown the same.
    let public = !by_post && caller.viewer.person().is_none() && answer.errors.is_empty();
    if public { cache::publicly(response, headers).await } else { response }
}

/// A name from outside, short enough for a log.
pub(in crate::http) fn loggable(name: Option<&str>) -> Option<String> {
    name.map(|name| name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect())
}

async fn run(door: &Door, request: Request, caller: &Caller, operation: OperationType) -> Answer {
    let began = door.clock.now();
    let name = loggable(request.operation_name.as_deref());
    // In a task of its own: a client that hangs up does not stop a mutation halfway.
    let (engine, asked) = (door.engine.clone(), caller.clone());
    let work = tokio::spawn(async move { engine.execute(request, &asked).await }.in_current_span());
    let unfinished = work.abort_handle();
    let answer = match tokio::time::timeout(door.limits.request_timeout, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => failure(door, caller.language, "INTERNAL"),
        Err(_) => {
            // A mutation comes to its end all the same: its key tells which.
            if operation == OperationType::Query {
                unfinished.abort();
            }
            failure(door, caller.language, "TIMEOUT")
        }
    };
    let code = code(&answer);
    let seconds = (door.clock.now() - began).to_std().unwrap_or_default().as_secs_f64();
    metrics::counter!("kezdesu_requests_total", "code" => code.clone()).increment(1);
    metrics::histogram!("kezdesu_request_seconds", "operation" => operation.to_string()).record(seconds);
    let viewer = if caller.viewer.person().is_some() { "person" } else { "anonymous" };
    tracing::info!(%operation, name, viewer, code, ms = seconds * 1000.0, "graphql.request");
    answer
}

fn failure(door: &Door, language: Language, code: &'static str) -> Answer {
    let mut extensions = async_graphql::ErrorExtensionValues::default();
    extensions.set("code", code);
    let message = if code == "TIMEOUT" {
        text::message(language, "error-timeout", &[])
    } else {
        let id = door.ids.next(door.clock.now()).simple().to_string();
        tracing::error!(error_id = %id, "an operation has panicked");
        extensions.set("errorId", id.as_str());
        text::message(language, "error-internal", &[("errorId", id.into())])
    };
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions);
    // With a path, so that it is not taken for a fault of the request.
    error.path = vec![async_graphql::PathSegment::Field("operation".to_owned())];
    Answer::from_errors(vec![error])
}

/// The code of the first error; `OK` where there is none.
pub(in crate::http) fn code(answer: &Answer) -> String {
    let code = answer.errors.first().map(|error| {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code").cloned());
        code.and_then(|code| match code {
            async_graphql::Value::String(code) => Some(code),
            _ => None,
        })
    });
    code.map_or_else(|| "OK".to_owned(), |code| code.unwrap_or_else(|| "INTERNAL".to_owned()))
}

/// Whether an answer says that the request itself was wrong, and nothing was run.
pub(in crate::http) fn is_request_error(answer: &Answer) -> bool {
    answer.data == async_graphql::Value::Null
        && !answer.errors.is_empty()
        && answer.errors.iter().all(|error| error.path.is_empty())
}

/// The answer as JSON. Where nothing was run there is no `data`.
pub(in crate::http) fn json_of(answer: &Answer) -> Vec<u8> {
    let bytes = if is_request_error(answer) {
        serde_json::to_vec(&json!({ "errors": errors_of(answer) }))
    } else {
        serde_json::to_vec(answer)
    };
    bytes.unwrap_or_default()
}

/// The errors of an answer as JSON.
pub(in crate::http) fn errors_of(answer: &Answer) -> Value {
    serde_json::to_value(&answer.errors).unwrap_or_default()
}

fn render(answer: &Answer, form: Form) -> Response {
    let failed = form == Form::Response && is_request_error(answer);
    let status = if failed { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut response = (status, Body::from(json_of(answer))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    for_nobody_else(headers);
    response
}

/// Keeps an answer from being shown to others.
fn for_nobody_else(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language, Authorization"));
}
