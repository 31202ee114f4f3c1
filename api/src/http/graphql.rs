//! GraphQL over HTTP: one operation a request. POST runs queries and mutations, GET only queries.

use std::sync::Arc;

use async_graphql::{Request, parser::types::OperationType};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, RawQuery, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use entities::enums::Language;
use serde_json::json;

use crate::{
    auth::Authenticated,
    clock::sleep,
    graphql::{caller::Caller, error::RateLimit, operation_response::SerializedResponse},
    http::{
        HttpState,
        access_log::{self, AccessLogEntry},
        bad_request::BadRequest,
        client_ip::ClientIp,
        connection::ConnectionState,
        content_encoding::{ContentEncoding, DecodeError},
        content_negotiation::{ResponseFormat, response_format},
        execute::{self, OperationRun, error_code},
        headers::{header_text, is_upgrade, language},
        http_stream::{self, StreamFraming, StreamRequest},
        origin,
        rejected_request::RejectedRequest,
        request,
        response_cache::{CacheOutcome, CacheRequest, ResponseKey},
        ws,
    },
    telemetry::{self, SPANS},
    text,
};

/// A request that is rejected before it is executed.
pub(in crate::http) struct ErrorResponse {
    status: StatusCode,
    code: &'static str,
    message: String,
    format: ResponseFormat,
    /// The kind of viewer, once authenticated.
    viewer: Option<&'static str>,
}

impl ErrorResponse {
    fn new(status: StatusCode, code: &'static str, message: &str, language: Language) -> Self {
        Self {
            status,
            code,
            message: text::message(language, message, &[]),
            format: ResponseFormat::Json,
            viewer: None,
        }
    }

    fn bad_request(bad: BadRequest, language: Language) -> Self {
        let status = match bad {
            BadRequest::Malformed { .. } => StatusCode::BAD_REQUEST,
            // Clients of persisted queries expect 200 here, and then send the document.
            BadRequest::UnknownDocument | BadRequest::UnknownHash => StatusCode::OK,
        };
        Self { status, code: bad.code(), message: bad.message(language), format: ResponseFormat::Json, viewer: None }
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "message": self.message, "extensions": { "code": self.code } }] });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let format = if matches!(self.format, ResponseFormat::EventStream | ResponseFormat::Multipart) {
            ResponseFormat::Json
        } else {
            self.format
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        set_no_store(headers);
        match self.status {
            // The unread rest of the body would be parsed as the next request.
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
        response.extensions_mut().insert(RejectedRequest { code: self.code, viewer: self.viewer });
        response
    }
}

/// Handles POST.
pub(in crate::http) async fn post(State(state): State<Arc<HttpState>>, http: HttpRequest) -> Response {
    let started = state.clock.now();
    let response = handle_post(&state, http).await;
    access_log::log_rejection(&response, &state, "post", started);
    response
}

async fn handle_post(state: &Arc<HttpState>, http: HttpRequest) -> Response {
    let (parts, body) = http.into_parts();
    let language = language(&parts.headers);
    let reject = |status, message| ErrorResponse::new(status, "BAD_USER_INPUT", message, language).into_response();
    if !is_json(&parts.headers) {
        return reject(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request-content-type");
    }
    let Some(encoding) = ContentEncoding::of(&parts.headers) else {
        let mut response = reject(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request-content-encoding");
        response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        return response;
    };
    let request = HttpRequest::from_parts(parts.clone(), body);
    let body = tokio::select! {
        biased;
        body = Bytes::from_request(request, state) => body,
        () = sleep(state.clock.as_ref(), state.limits.body_timeout) => {
            return ErrorResponse::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", "request-too-slow", language).into_response();
        }
    };
    let body: Bytes = match body {
        Ok(body) => body,
        Err(rejection) => return reject(rejection.status(), "request-too-large"),
    };
    let body = match encoding.decode(body, state.limits.max_body_bytes) {
        Ok(body) => body,
        Err(DecodeError::TooLarge) => return reject(StatusCode::PAYLOAD_TOO_LARGE, "request-too-large"),
        Err(DecodeError::Malformed) => return reject(StatusCode::BAD_REQUEST, "request-gzip"),
    };
    match request::parse(&body, &state.persisted_queries) {
        Ok(request) => respond(state, &parts.headers, HttpOperation::of(request, &parts, true)).await,
        Err(bad) => ErrorResponse {
            format: response_format(&parts.headers).unwrap_or(ResponseFormat::Json),
            ..ErrorResponse::bad_request(bad, language)
        }
        .into_response(),
    }
}

/// Handles GET: a query, or a WebSocket upgrade.
pub(in crate::http) async fn get(
    State(state): State<Arc<HttpState>>,
    RawQuery(query): RawQuery,
    http: HttpRequest,
) -> Response {
    let started = state.clock.now();
    if is_upgrade(http.headers()) {
        let response = ws::upgrade(Arc::clone(&state), http);
        access_log::log_rejection(&response, &state, "websocket", started);
        return response;
    }
    let (parts, _) = http.into_parts();
    let query = query.unwrap_or_default();
    let key = ResponseKey::of(&query, &parts.headers);
    if let Some(response) = key.as_ref().and_then(|key| cached(&state, &parts.headers, key, started)) {
        return response;
    }
    let response = match request::from_query_string(&query, &state.persisted_queries) {
        Ok(request) => {
            respond(
                &state,
                &parts.headers,
                HttpOperation { cache_key: key, ..HttpOperation::of(request, &parts, false) },
            )
            .await
        }
        Err(bad) => {
            let language = language(&parts.headers);
            ErrorResponse {
                format: response_format(&parts.headers).unwrap_or(ResponseFormat::Json),
                ..ErrorResponse::bad_request(bad, language)
            }
            .into_response()
        }
    };
    access_log::log_rejection(&response, &state, "get", started);
    response
}

/// Handles any other method.
pub(in crate::http) async fn method_not_allowed(State(state): State<Arc<HttpState>>, headers: HeaderMap) -> Response {
    let (started, language) = (state.clock.now(), language(&headers));
    let response = ErrorResponse::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", "request-method", language)
        .into_response();
    access_log::log_rejection(&response, &state, "other", started);
    response
}

/// Returns whether the content type is JSON. Browsers send that across origins only after a CORS preflight.
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

/// Verifies the `Authorization` header.
fn authenticate(state: &HttpState, headers: &HeaderMap, language: Language) -> Result<Authenticated, ErrorResponse> {
    match state.auth.authenticate(header_text(headers, header::AUTHORIZATION)) {
        Ok(authenticated) => Ok(authenticated),
        Err(error) => {
            tracing::debug!(reason = %error, "rejected a token");
            Err(ErrorResponse::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "error-token", language))
        }
    }
}

/// A GraphQL operation received over HTTP.
struct HttpOperation {
    request: Request,
    by_post: bool,
    /// The key of a response that may be shared.
    cache_key: Option<ResponseKey>,
    client: ClientIp,
    /// The connection it was received on.
    connection: ConnectionState,
}

impl HttpOperation {
    fn of(request: Request, parts: &Parts, by_post: bool) -> Self {
        let client = parts.extensions.get().copied().unwrap_or_default();
        let connection = parts.extensions.get().cloned().unwrap_or_default();
        Self { request, by_post, cache_key: None, client, connection }
    }
}

async fn respond(state: &Arc<HttpState>, headers: &HeaderMap, operation: HttpOperation) -> Response {
    let HttpOperation { mut request, by_post, cache_key, client, connection } = operation;
    let language = language(headers);
    let Some(format) = response_format(headers) else {
        return ErrorResponse::new(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", "request-accept", language)
            .into_response();
    };
    let reject = |response: ErrorResponse| ErrorResponse { format, ..response }.into_response();
    if !origin::is_allowed(headers, &state.allowed_origins) {
        return reject(ErrorResponse::new(StatusCode::FORBIDDEN, "FORBIDDEN", "request-origin", language));
    }
    let authenticated = match authenticate(state, headers, language) {
        Ok(authenticated) => authenticated,
        Err(error) => return reject(error),
    };
    if state.lifecycle.is_draining() {
        return reject(ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", "error-draining", language));
    }
    let session_end = state.auth.session_end(&authenticated);
    let caller = Caller { viewer: authenticated.viewer, language, address: client.address };
    let viewer = Some(access_log::viewer_kind(&caller.viewer));
    let reject = |response: ErrorResponse| ErrorResponse { format, viewer, ..response }.into_response();
    if !state.persisted_queries.allows(&caller.viewer, &request.query) {
        return reject(ErrorResponse::new(StatusCode::FORBIDDEN, "FORBIDDEN", "error-not-listed", language));
    }
    // The engine reports documents that cannot be run.
    let operation = request::operation_type(&mut request, &state.engine, &state.persisted_queries, &caller)
        .unwrap_or(OperationType::Query);
    let bad_input = |status, message| reject(ErrorResponse::new(status, "BAD_USER_INPUT", message, language));
    if operation == OperationType::Mutation && !by_post {
        return bad_input(StatusCode::METHOD_NOT_ALLOWED, "request-mutation");
    }
    let name = access_log::operation_name(&mut request);
    let span = tracing::info_span!(target: SPANS, "graphql.request", %operation, name);
    if client.through_proxy {
        telemetry::set_parent(&span, headers);
    }
    if operation == OperationType::Subscription {
        let Some(framing) = framing(format) else {
            return bad_input(StatusCode::BAD_REQUEST, "request-subscription");
        };
        let resume = match http_stream::last_event_id(headers) {
            Ok(resume) => resume,
            Err(bad) => return reject(ErrorResponse::bad_request(bad, language)),
        };
        let request = StreamRequest { request, name, framing, resume, session_end, connection, span };
        return http_stream::stream(state, request, caller);
    }
    let transport = if by_post { "post" } else { "get" };
    let operation_run = OperationRun { request, operation, name, caller, transport, holds_rejection: false, span };
    execute_and_respond(state, headers, operation_run, (format, cache_key)).await
}

/// Executes a query or mutation, unless another of the same key is being executed, and answers it.
async fn execute_and_respond(
    state: &Arc<HttpState>,
    headers: &HeaderMap,
    operation_run: OperationRun,
    (format, cache_key): (ResponseFormat, Option<ResponseKey>),
) -> Response {
    let (name, started) = (operation_run.name.clone(), state.clock.now());
    let executed = async { execute::execute(state, operation_run).await };
    let result = match cache_key {
        Some(key) => {
            let request = CacheRequest { key, headers, name: name.clone() };
            let CacheOutcome { result, is_own } =
                state.response_cache.execute(request, state.clock.as_ref(), executed).await;
            if !is_own {
                let code = result.as_ref().map_or_else(|failed| error_code(&failed.errors), |_| "OK".to_owned());
                log_shared(state, name.as_deref(), &code, started);
            }
            match result {
                Ok(cached) => return cached.respond(headers, state.clock.now()),
                Err(failed) => failed,
            }
        }
        None => executed.await,
    };
    if let Some(limit) = result.limit {
        limit.hold_back(std::future::pending()).await;
    }
    match format {
        ResponseFormat::EventStream => http_stream::single(&result.json),
        ResponseFormat::Multipart => render(result, ResponseFormat::Json),
        ResponseFormat::Json | ResponseFormat::GraphqlResponse => render(result, format),
    }
}

/// Answers a GET from the cache.
fn cached(state: &HttpState, headers: &HeaderMap, key: &ResponseKey, started: DateTime<Utc>) -> Option<Response> {
    if !origin::is_allowed(headers, &state.allowed_origins) || state.lifecycle.is_draining() {
        return None;
    }
    let cached = state.response_cache.find(key, headers, started)?;
    log_shared(state, cached.name.as_deref(), "OK", started);
    Some(cached.respond(headers, started))
}

/// Logs and counts a query that was answered with the response of another.
fn log_shared(state: &HttpState, name: Option<&str>, code: &str, started: DateTime<Utc>) {
    if code == "OK" {
        metrics::counter!("kezdesu_cached_responses_total").increment(1);
    }
    let entry = AccessLogEntry { transport: "get", operation: Some("query"), name, viewer: "anonymous", code };
    access_log::log_request(&entry, state, started);
}

/// Returns the framing of a stream, or `None` if the format has room for one response only.
const fn framing(format: ResponseFormat) -> Option<StreamFraming> {
    match format {
        ResponseFormat::EventStream => Some(StreamFraming::Sse),
        ResponseFormat::Multipart => Some(StreamFraming::Multipart),
        ResponseFormat::Json | ResponseFormat::GraphqlResponse => None,
    }
}

fn render(result: SerializedResponse, format: ResponseFormat) -> Response {
    let failed = format == ResponseFormat::GraphqlResponse && result.is_request_error;
    let status = match result.limit {
        // 503 also for clients of `application/json`, who otherwise always get 200: load balancers must see
        // it, and nothing was executed.
        Some(RateLimit { of_service: true, .. }) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) if failed => StatusCode::TOO_MANY_REQUESTS,
        _ if failed => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let mut response = (status, Body::from(result.json)).into_response();
    let headers = response.headers_mut();
    if let Some(RateLimit { retry_after_seconds, .. }) = result.limit {
        headers.insert(header::RETRY_AFTER, retry_after_seconds.into());
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    set_no_store(headers);
    response
}

/// Forbids caching of the response.
fn set_no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language, Authorization"));
}
