//! Pages for API developers. Production serves only the SDL.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use crate::{
    graphql::client_sdl,
    http::{HttpState, cache_control::TaggedBody},
};

/// The explorer loads nothing from other origins and connects only to this service.
const EXPLORER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; \
                               img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, content type and content of the explorer's assets.
const ASSETS: [(&str, &str, &str); 6] = [
    ("explorer.js", SCRIPT, include_str!("../../assets/explorer.js")),
    ("graphiql.min.css", STYLE, include_str!("../../assets/graphiql.min.css")),
    ("graphiql.min.js", SCRIPT, include_str!("../../assets/graphiql.min.js")),
    ("graphql-ws.min.js", SCRIPT, include_str!("../../assets/graphql-ws.min.js")),
    ("react-dom.production.min.js", SCRIPT, include_str!("../../assets/react-dom.production.min.js")),
    ("react.production.min.js", SCRIPT, include_str!("../../assets/react.production.min.js")),
];

/// Serves GraphiQL, with subscriptions over WebSocket.
pub(in crate::http) async fn explorer(State(state): State<Arc<HttpState>>) -> Response {
    if !state.explorer_enabled {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = Html(include_str!("../../assets/explorer.html")).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(EXPLORER_POLICY));
    response
}

/// Serves an asset of the explorer.
pub(in crate::http) async fn asset(State(state): State<Arc<HttpState>>, Path(name): Path<String>) -> Response {
    let found = ASSETS.iter().find(|(own, _, _)| state.explorer_enabled && *own == name);
    match found {
        Some((_, kind, content)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "max-age=3600")], *content).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Serves the SDL for code generators, also in production, where introspection is off.
pub(in crate::http) async fn schema(request_headers: HeaderMap) -> Response {
    static SDL: LazyLock<TaggedBody> = LazyLock::new(|| TaggedBody::new(client_sdl().into()));
    SDL.until_release("text/plain; charset=utf-8", &request_headers)
}
