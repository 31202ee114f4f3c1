//! Keeps the responses of anonymous GET queries as long as shared caches may, so that an audience that opens the same
//! screen costs one execution.

use std::{future::Future, pin::pin, sync::Arc};

use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::Language;
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    feed::single_flight::SingleFlight,
    graphql::{error::RateLimit, operation_response::SerializedResponse},
    http::{
        cache_control::{SHORT_LIFETIME, TaggedBody},
        content_negotiation::{ResponseFormat, response_format},
        headers::{has_token, language},
    },
};

/// Maximum size of all kept responses.
const MAX_BYTES: usize = 8 << 20;
/// Approximate size of an entry beside its body.
const ENTRY_BYTES: usize = 512;
/// How often a request waits for another's execution before it executes by itself.
const MAX_JOINS: usize = 3;

/// What a response depends on, its viewer being anonymous.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) struct ResponseKey {
    /// The query string as it was sent.
    query: String,
    language: Language,
    format: ResponseFormat,
}

impl ResponseKey {
    /// Returns the key of a request, or `None` if its response is not shared, because it has a token or asks for a stream.
    pub(in crate::http) fn of(query: &str, headers: &HeaderMap) -> Option<Self> {
        let format = match response_format(headers).filter(|_| !headers.contains_key(header::AUTHORIZATION))? {
            ResponseFormat::EventStream => return None,
            // Anything but a subscription is answered so.
            ResponseFormat::Multipart => ResponseFormat::Json,
            format => format,
        };
        Some(Self { query: query.to_owned(), language: language(headers), format })
    }
}

/// Returns whether a client bypasses the cache (`Cache-Control: no-cache`).
fn bypasses_cache(headers: &HeaderMap) -> bool {
    has_token(headers, header::CACHE_CONTROL, "no-cache")
}

/// A response without errors.
#[derive(Debug)]
pub(in crate::http) struct CachedResponse {
    body: TaggedBody,
    content_type: &'static str,
    /// The operation's name, as it is logged.
    pub(in crate::http) name: Option<String>,
    /// When its execution began.
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
    pub(in crate::http) fn respond(&self, request_headers: &HeaderMap, now: DateTime<Utc>) -> Response {
        let age = self.age(now).unwrap_or(SHORT_LIFETIME);
        self.body.short_lived(age, self.content_type, request_headers)
    }
}

/// A request for a response that may be shared.
pub(in crate::http) struct CacheRequest<'a> {
    pub(in crate::http) key: ResponseKey,
    pub(in crate::http) headers: &'a HeaderMap,
    /// The operation's name, as it is logged.
    pub(in crate::http) name: Option<String>,
}

/// The response of a request.
pub(in crate::http) struct CacheOutcome {
    pub(in crate::http) result: Result<Arc<CachedResponse>, SerializedResponse>,
    /// Whether the request was executed, and not another of the same key.
    pub(in crate::http) is_own: bool,
}

/// What an execution gives to all who wait for it. `None` if it failed because of who asked.
type SharedResult = Option<Result<Arc<CachedResponse>, SerializedResponse>>;

/// The responses that are kept, and those that are being made.
pub struct ResponseCache {
    entries: Mutex<CacheEntries>,
    in_flight: SingleFlight<ResponseKey, SharedResult>,
}

struct CacheEntries {
    responses: LruCache<ResponseKey, Arc<CachedResponse>>,
    bytes: usize,
}

impl Default for ResponseCache {
    fn default() -> Self {
        let entries = Mutex::new(CacheEntries { responses: LruCache::unbounded(), bytes: 0 });
        Self { entries, in_flight: SingleFlight::default() }
    }
}

impl ResponseCache {
    /// Returns a fresh response, unless the client bypasses the cache.
    pub(in crate::http) fn find(
        &self,
        key: &ResponseKey,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Option<Arc<CachedResponse>> {
        if bypasses_cache(headers) {
            return None;
        }
        let mut entries = self.entries.lock();
        let found = Arc::clone(entries.responses.get(key)?);
        if found.age(now).is_none() {
            entries.remove(key);
            return None;
        }
        Some(found)
    }

    /// Executes a query once for all who ask for it meanwhile, and keeps its response. Whoever bypasses the cache does not
    /// join the others.
    pub(in crate::http) async fn execute(
        &self,
        request: CacheRequest<'_>,
        clock: &dyn Clock,
        execute: impl Future<Output = SerializedResponse>,
    ) -> CacheOutcome {
        let (mut execute, came) = (pin!(execute), clock.now());
        for _ in 0..if bypasses_cache(request.headers) { 0 } else { MAX_JOINS } {
            let mut own = None;
            let shared = self.in_flight.join(request.key.clone(), || async {
                let result = self.keep(&request, clock, execute.as_mut()).await;
                own = Some(result.clone());
                let is_callers = result.as_ref().is_err_and(|failed| failed.limit.is_some_and(is_of_caller));
                (!is_callers).then_some(result)
            });
            let shared = shared.await;
            if let Some(result) = own {
                return CacheOutcome { result, is_own: true };
            }
            match shared {
                // As fresh as what the cache would have given when this request came.
                Some(Ok(cached)) if came - cached.at < SHORT_LIFETIME => {
                    return CacheOutcome { result: Ok(cached), is_own: false };
                }
                Some(Err(failed)) => return CacheOutcome { result: Err(failed), is_own: false },
                // Began too long ago, or was rejected because of who asked.
                Some(Ok(_)) | None => {}
            }
        }
        CacheOutcome { result: self.keep(&request, clock, execute).await, is_own: true }
    }

    /// Executes a query, and keeps its response unless it has errors.
    async fn keep(
        &self,
        request: &CacheRequest<'_>,
        clock: &dyn Clock,
        execute: impl Future<Output = SerializedResponse>,
    ) -> Result<Arc<CachedResponse>, SerializedResponse> {
        let (key, at) = (&request.key, clock.now());
        let response = execute.await;
        if !response.errors.is_empty() {
            return Err(response);
        }
        // The bytes count as held until the cache and all clients have released them.
        let body = TaggedBody::new(response.json);
        let (content_type, name) = (key.format.content_type(), request.name.clone());
        let cached = Arc::new(CachedResponse { body, content_type, name, at });
        self.entries.lock().insert(key.clone(), Arc::clone(&cached), clock.now());
        Ok(cached)
    }
}

/// Returns whether a limit depends on who asks.
const fn is_of_caller(limit: RateLimit) -> bool {
    !limit.of_service
}

impl CacheEntries {
    fn size(key: &ResponseKey, response: &CachedResponse) -> usize {
        ENTRY_BYTES + key.query.len() + response.body.len()
    }

    fn insert(&mut self, key: ResponseKey, response: Arc<CachedResponse>, now: DateTime<Utc>) {
        let is_newer = |kept: &Arc<CachedResponse>| kept.at > response.at && kept.age(now).is_some();
        if self.responses.peek(&key).is_some_and(is_newer) {
            return;
        }
        self.bytes += Self::size(&key, &response);
        if let Some((key, replaced)) = self.responses.push(key, response) {
            self.bytes -= Self::size(&key, &replaced);
        }
        let is_stale = |(_, last): (&ResponseKey, &Arc<CachedResponse>)| last.age(now).is_none();
        while self.bytes > MAX_BYTES || self.responses.peek_lru().is_some_and(is_stale) {
            let Some((key, dropped)) = self.responses.pop_lru() else { return };
            self.bytes -= Self::size(&key, &dropped);
        }
    }

    fn remove(&mut self, key: &ResponseKey) {
        if let Some(removed) = self.responses.pop(key) {
            self.bytes -= Self::size(key, &removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_graphql::ServerError;
    use axum::body::Bytes;
    use futures_util::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::clock::ManualClock;

    fn clock() -> Arc<ManualClock> {
        ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap())
    }

    fn key(query: &str) -> ResponseKey {
        ResponseKey::of(query, &HeaderMap::new()).unwrap()
    }

    fn request<'a>(query: &str, headers: &'a HeaderMap) -> CacheRequest<'a> {
        CacheRequest { key: key(query), headers, name: None }
    }

    /// Responds after a signal.
    async fn response_after(signal: &Notify, length: usize) -> SerializedResponse {
        signal.notified().await;
        response(length)
    }

    fn response(length: usize) -> SerializedResponse {
        let json = Bytes::from(vec![b'a'; length]);
        SerializedResponse { json, errors: Vec::new(), is_request_error: false, limit: None }
    }

    fn failure(limit: Option<RateLimit>) -> SerializedResponse {
        SerializedResponse { errors: vec![ServerError::new("", None)], limit, ..response(0) }
    }

    #[tokio::test]
    async fn keeps_responses_within_its_bytes_and_their_lifetime() {
        let (cache, clock, headers) = (ResponseCache::default(), clock(), HeaderMap::new());
        for n in 0..12 {
            let made = cache.execute(request(&n.to_string(), &headers), &*clock, async { response(1 << 20) }).await;
            assert!(made.result.is_ok() && made.is_own);
            assert!(cache.entries.lock().bytes <= MAX_BYTES);
        }
        let found = |n: usize| cache.find(&key(&n.to_string()), &headers, clock.now()).is_some();
        assert_eq!((0..12).map(found).filter(|found| *found).count(), 7, "the newest");
        clock.advance(SHORT_LIFETIME);
        assert!((0..12).all(|n| !found(n)));
        let entries = cache.entries.lock();
        assert_eq!((entries.responses.len(), entries.bytes), (0, 0));
    }

    #[tokio::test]
    async fn shares_a_failure_unless_it_is_of_the_caller() {
        let (cache, clock, headers) = (ResponseCache::default(), clock(), HeaderMap::new());
        let of = |of_service| RateLimit { of_service, retry_after_seconds: 1, delay: Duration::ZERO };
        for (failed, executions) in [(failure(None), 1), (failure(Some(of(true))), 1), (failure(Some(of(false))), 2)] {
            let (first, second) = (Notify::new(), std::sync::atomic::AtomicUsize::new(1));
            let leader = cache.execute(request("a", &headers), &*clock, async {
                first.notified().await;
                failed.clone()
            });
            let waiter = cache.execute(request("a", &headers), &*clock, async {
                second.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                response(1)
            });
            let (mut leader, mut waiter) = (Box::pin(leader), Box::pin(waiter));
            assert!(leader.as_mut().now_or_never().is_none() && waiter.as_mut().now_or_never().is_none());
            first.notify_one();
            assert!(leader.await.result.is_err());
            assert_eq!(waiter.await.result.is_err(), executions == 1);
            assert_eq!(second.into_inner(), executions);
        }
    }

    #[tokio::test]
    async fn a_slow_response_replaces_no_newer_one() {
        let (cache, clock, headers) = (ResponseCache::default(), clock(), HeaderMap::new());
        let go = Notify::new();
        let mut slow = Box::pin(cache.execute(request("a", &headers), &*clock, response_after(&go, 1)));
        assert!(slow.as_mut().now_or_never().is_none());
        clock.advance(TimeDelta::milliseconds(500));
        let mut present = HeaderMap::new();
        present.insert(header::CACHE_CONTROL, "no-cache".parse().unwrap());
        for (other, headers) in [("a", &present), ("b", &headers)] {
            assert!(cache.execute(request(other, headers), &*clock, async { response(2) }).await.is_own);
        }
        clock.advance(TimeDelta::milliseconds(500));
        go.notify_one();
        assert_eq!(slow.await.result.unwrap().body.len(), 1);
        for kept in ["a", "b"] {
            assert_eq!(cache.find(&key(kept), &headers, clock.now()).unwrap().body.len(), 2, "{kept}");
        }
    }

    #[tokio::test]
    async fn executes_again_for_whoever_came_long_after_the_start() {
        let (cache, clock, headers) = (ResponseCache::default(), clock(), HeaderMap::new());
        let go = Notify::new();
        let mut leader = Box::pin(cache.execute(request("a", &headers), &*clock, response_after(&go, 1)));
        assert!(leader.as_mut().now_or_never().is_none());
        clock.advance(SHORT_LIFETIME);
        let mut late = Box::pin(cache.execute(request("a", &headers), &*clock, async { response(2) }));
        assert!(late.as_mut().now_or_never().is_none());
        go.notify_one();
        assert_eq!(leader.await.result.unwrap().body.len(), 1);
        let late = late.await;
        assert_eq!((late.result.unwrap().body.len(), late.is_own), (2, true));
    }
}
