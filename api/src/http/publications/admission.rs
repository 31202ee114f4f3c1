//! Who is let to the database, and what is logged.

use async_graphql::parser::types::OperationType;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};

use crate::{
    app::publications::Requester,
    http::{
        HttpState,
        access_log::{self, AccessLogEntry},
        client_ip::ClientIp,
        concurrency_limit::OperationPermit,
        publications::refused::Refused,
    },
};

/// Returns the address of the client.
pub(super) fn client(parts: &Parts) -> ClientIp {
    parts.extensions.get().copied().unwrap_or_default()
}

/// Lets a request to the database: within the limits of queries, and at the cost of who asks.
pub(super) async fn admit(state: &HttpState, client: ClientIp) -> Result<OperationPermit, Refused> {
    if state.lifecycle.is_draining() {
        return Err(Refused::overloaded());
    }
    state.engine.memory().check().map_err(|_| Refused::overloaded())?;
    let requester = Requester { subject: None, address: client.address };
    state.pages.publications.charge(requester).map_err(|error| Refused::of(state, &error))?;
    let permit = state.concurrency.acquire(OperationType::Query, state.clock.as_ref());
    permit.await.map_err(|_| Refused::overloaded())
}

/// Logs a request.
pub(super) fn log(state: &HttpState, name: &str, code: &str, started: DateTime<Utc>) {
    let (viewer, operation) = ("anonymous", Some("page"));
    let entry = AccessLogEntry { transport: "get", operation, name: Some(name), viewer, code };
    access_log::log_request(&entry, state, started);
}
