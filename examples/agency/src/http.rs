//! The door: GraphQL by POST at one path, and whether the program lives at another.

use std::{sync::Arc, time::Duration};

use async_graphql::Request;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request as HttpRequest, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{auth::Authenticator, graphql::Engine};

/// How large a request may be, in bytes.
const LARGEST_REQUEST: usize = 256 << 10;
/// How long an operation may take.
const LONGEST_OPERATION: Duration = Duration::from_secs(10);
/// How long what is under way may take to finish once the end has begun.
const GRACE: Duration = Duration::from_secs(20);

/// What the door works with.
#[derive(Clone)]
pub struct Door {
    /// The API.
    pub engine: Engine,
    /// Who asks.
    pub auth: Arc<Authenticator>,
}

/// The doors of the program.
pub fn router(door: Door) -> Router {
    Router::new()
        .route("/graphql", post(operation))
        .route("/healthz", get(async || "ok\n"))
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .with_state(door)
}

/// Serves until `end`, then finishes what is under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, router: Router, end: CancellationToken) -> std::io::Result<()> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(end.clone().cancelled_owned());
    let last_call = async {
        end.cancelled().await;
        let _ = tokio::time::timeout(GRACE, std::future::pending::<()>()).await;
    };
    tokio::select! {
        served = serving => served,
        () = last_call => {
            tracing::warn!("requests were cut off at the end");
            Ok(())
        }
    }
}

async fn operation(State(door): State<Door>, http: HttpRequest) -> Response {
    // No page of another origin can send JSON without asking first, and nobody here answers when it asks.
    if !is_json(http.headers()) {
        return shut(StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT", "send the request as application/json");
    }
    let authorization = http.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let viewer = match door.auth.authenticate(authorization) {
        Ok(viewer) => viewer,
        Err(refused) => {
            tracing::debug!(reason = %refused, "a token was refused");
            return shut(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "the token is not accepted");
        }
    };
    let body = match Bytes::from_request(http, &door).await {
        Ok(body) => body,
        Err(rejection) => return shut(rejection.status(), "BAD_USER_INPUT", "the request cannot be read whole"),
    };
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return shut(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "the request is one JSON object with a query");
    };
    match tokio::time::timeout(LONGEST_OPERATION, door.engine.execute(request, viewer)).await {
        Ok(answer) => respond(StatusCode::OK, &serde_json::to_value(answer).unwrap_or_default()),
        Err(_) => shut(StatusCode::SERVICE_UNAVAILABLE, "TIMEOUT", "the operation takes too long"),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn shut(status: StatusCode, code: &str, message: &str) -> Response {
    respond(status, &json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }))
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let mut set = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "application/json; charset=utf-8");
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if status == StatusCode::UNAUTHORIZED {
        set(header::WWW_AUTHENTICATE, "Bearer");
    }
    response
}
