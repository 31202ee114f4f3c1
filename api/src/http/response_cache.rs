//! Keeps the responses of anonymous GET queries as long as shared caches may, so that an audience that opens the same
//! screen costs one execution.

use std::{future::Future, pin::pin, sync::Arc};

use axum::{http::HeaderMap, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::Language;
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    feed::single_flight::SingleFlight,
    graphql::operation_response::SerializedResponse,
    http::{
        cache_control::{SHORT_LIFETIME, TaggedBody},
        content_negotiation::ResponseFormat,
    },
};

/// Maximum size of all kept responses.
const MAX_BYTES: usize = 8 << 20;
/// Approximate size of an entry beside its body.
const ENTRY_BYTES: usize = 512;

/// What a response depends on, its viewer being anonymous.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) struct ResponseKey {
    /// The query string as it was sent.
    pub(in crate::http) query: String,
    pub(in crate::http) language: Language,
    pub(in crate::http) format: ResponseFormat,
}

/// A response without errors.
#[derive(Debug)]
pub(in crate::http) struct CachedResponse {
    body: TaggedBody,
    /// The operation's name, as it is logged.
    pub(in crate::http) name: Option<String>,
    at: DateTime<Utc>,
}

impl CachedResponse {
    /// Returns the age, or `None` if the response is no longer fresh.
    fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let age = now - self.at;
        // The clock may have been set back.
        (age >= TimeDelta::zero() && age < SHORT_LIFETIME).then_some(age)
    }

    /// Answers a request, with 304 if the client has the response.
    pub(in crate::http) fn respond(
        &self,
        format: ResponseFormat,
        request_headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Response {
        let age = self.age(now).unwrap_or(SHORT_LIFETIME);
        self.body.short_lived(age, format.content_type(), request_headers)
    }
}

/// The responses that are kept, and those that are being made.
pub struct ResponseCache {
    kept: Mutex<Kept>,
    in_flight: SingleFlight<ResponseKey, Option<Arc<CachedResponse>>>,
}

struct Kept {
    responses: LruCache<ResponseKey, Arc<CachedResponse>>,
    bytes: usize,
}

impl Default for ResponseCache {
    fn default() -> Self {
        let kept = Mutex::new(Kept { responses: LruCache::unbounded(), bytes: 0 });
        Self { kept, in_flight: SingleFlight::default() }
    }
}

impl ResponseCache {
    /// Returns a fresh response.
    pub(in crate::http) fn find(&self, key: &ResponseKey, now: DateTime<Utc>) -> Option<Arc<CachedResponse>> {
        let found = self.kept.lock().responses.get(key).cloned();
        let found = found.filter(|response| response.age(now).is_some());
        if found.is_some() {
            metrics::counter!("kezdesu_cached_responses_total").increment(1);
        }
        found
    }

    /// Executes a query once for all who ask for it meanwhile, and keeps its response.
    ///
    /// # Errors
    /// A response that is not shared: its own if it has errors, because limits differ by address, or if another's had.
    pub(in crate::http) async fn execute(
        &self,
        key: ResponseKey,
        name: Option<String>,
        clock: &dyn Clock,
        execute: impl Future<Output = SerializedResponse>,
    ) -> Result<Arc<CachedResponse>, SerializedResponse> {
        let (mut execute, mut failed) = (pin!(execute), None);
        let shared = self.in_flight.join(key.clone(), || async {
            let response = execute.as_mut().await;
            if !response.errors.is_empty() {
                failed = Some(response);
                return None;
            }
            let cached = Arc::new(CachedResponse { body: TaggedBody::new(response.json), name, at: clock.now() });
            self.keep(key, &cached);
            Some(cached)
        });
        match (shared.await, failed) {
            (Some(cached), _) => Ok(cached),
            (None, Some(failed)) => Err(failed),
            (None, None) => Err(execute.await),
        }
    }

    fn keep(&self, key: ResponseKey, response: &Arc<CachedResponse>) {
        let size = |key: &ResponseKey, response: &CachedResponse| ENTRY_BYTES + key.query.len() + response.body.len();
        let mut kept = self.kept.lock();
        kept.bytes += size(&key, response);
        if let Some((key, replaced)) = kept.responses.push(key, Arc::clone(response)) {
            kept.bytes -= size(&key, &replaced);
        }
        while kept.bytes > MAX_BYTES
            || kept.responses.peek_lru().is_some_and(|(_, last)| last.age(response.at).is_none())
        {
            let Some((key, dropped)) = kept.responses.pop_lru() else { return };
            kept.bytes -= size(&key, &dropped);
        }
    }
}
