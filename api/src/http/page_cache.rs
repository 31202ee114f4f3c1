//! Keeps pages that are the same for everybody as long as shared caches may, and renders each once for all who ask meanwhile.

use std::{future::Future, pin::pin};

use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    feed::single_flight::SingleFlight,
    http::cache_control::{SHORT_LIFETIME, TaggedBody},
};

/// Maximum size of all kept pages.
const MAX_BYTES: usize = 16 << 20;
/// Approximate size of an entry beside its body.
const ENTRY_BYTES: usize = 512;
/// How often a request waits for another's rendering before it renders by itself.
const MAX_JOINS: usize = 3;

/// A page, and when its rendering began.
#[derive(Clone, Debug)]
pub(in crate::http) struct CachedPage {
    pub(in crate::http) body: TaggedBody,
    at: DateTime<Utc>,
}

impl CachedPage {
    /// Returns the age, or `None` if the page is no longer fresh.
    pub(in crate::http) fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let age = now - self.at;
        // The clock may have been set back.
        (age >= TimeDelta::zero() && age < SHORT_LIFETIME).then_some(age)
    }
}

/// The pages that are kept by their paths with their languages, and those that are being rendered.
pub struct PageCache {
    pages: Mutex<(LruCache<String, CachedPage>, usize)>,
    /// `None` if the rendering failed, which may be because of who asked.
    in_flight: SingleFlight<String, Option<CachedPage>>,
}

impl Default for PageCache {
    fn default() -> Self {
        Self { pages: Mutex::new((LruCache::unbounded(), 0)), in_flight: SingleFlight::default() }
    }
}

impl PageCache {
    /// Returns a fresh page.
    pub(in crate::http) fn find(&self, key: &str, now: DateTime<Utc>) -> Option<CachedPage> {
        let mut pages = self.pages.lock();
        let found = pages.0.get(key)?.clone();
        if found.age(now).is_some() {
            return Some(found);
        }
        if let Some(stale) = pages.0.pop(key) {
            pages.1 -= size(key, &stale);
        }
        None
    }

    /// Renders a page once for all who ask for it meanwhile, and keeps it. A failure is only of its own request.
    ///
    /// # Errors
    /// When the rendering fails.
    pub(in crate::http) async fn render<E>(
        &self,
        key: &str,
        clock: &dyn Clock,
        render: impl Future<Output = Result<TaggedBody, E>>,
    ) -> Result<CachedPage, E> {
        let (mut render, came) = (pin!(render), clock.now());
        for _ in 0..MAX_JOINS {
            let mut own = None;
            let shared = self.in_flight.join(key.to_owned(), || async {
                let result = self.keep(key, clock, render.as_mut()).await;
                let page = result.as_ref().ok().cloned();
                own = Some(result);
                page
            });
            let shared = shared.await;
            if let Some(result) = own {
                return result;
            }
            // As fresh as what the cache would have given when this request came.
            if let Some(page) = shared.filter(|page| came - page.at < SHORT_LIFETIME) {
                return Ok(page);
            }
            // Another who waited may have rendered it meanwhile.
            if let Some(page) = self.find(key, clock.now()) {
                return Ok(page);
            }
        }
        self.keep(key, clock, render).await
    }

    async fn keep<E>(
        &self,
        key: &str,
        clock: &dyn Clock,
        render: impl Future<Output = Result<TaggedBody, E>>,
    ) -> Result<CachedPage, E> {
        let at = clock.now();
        let page = CachedPage { body: render.await?, at };
        let now = clock.now();
        let mut pages = self.pages.lock();
        let (kept, bytes) = &mut *pages;
        let is_newer = |other: &CachedPage| other.at > at && other.age(now).is_some();
        if kept.peek(key).is_some_and(is_newer) {
            return Ok(page);
        }
        *bytes += size(key, &page);
        if let Some((key, replaced)) = kept.push(key.to_owned(), page.clone()) {
            *bytes -= size(&key, &replaced);
        }
        let is_stale = |(_, last): (&String, &CachedPage)| last.age(now).is_none();
        while *bytes > MAX_BYTES || kept.peek_lru().is_some_and(is_stale) {
            let Some((key, dropped)) = kept.pop_lru() else { break };
            *bytes -= size(&key, &dropped);
        }
        Ok(page)
    }
}

fn size(key: &str, page: &CachedPage) -> usize {
    ENTRY_BYTES + key.len() + page.body.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Bytes;
    use futures_util::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::clock::ManualClock;

    fn clock() -> Arc<ManualClock> {
        ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap())
    }

    fn page(length: usize) -> Result<TaggedBody, ()> {
        Ok(TaggedBody::new(Bytes::from(vec![b'a'; length])))
    }

    #[tokio::test]
    async fn keeps_pages_within_its_bytes_and_their_lifetime() {
        let (cache, clock) = (PageCache::default(), clock());
        for n in 0..20 {
            assert!(cache.render(&n.to_string(), &*clock, async { page(1 << 20) }).await.is_ok());
            assert!(cache.pages.lock().1 <= MAX_BYTES);
        }
        let found = |n: usize| cache.find(&n.to_string(), clock.now()).is_some();
        assert_eq!((0..20).map(found).filter(|found| *found).count(), 15, "the newest");
        clock.advance(SHORT_LIFETIME);
        assert!((0..20).all(|n| !found(n)));
        let pages = cache.pages.lock();
        assert_eq!((pages.0.len(), pages.1), (0, 0));
    }

    #[tokio::test]
    async fn a_crowd_costs_one_rendering_and_a_failure_is_not_shared() {
        let (cache, clock, go) = (PageCache::default(), clock(), Notify::new());
        let mut leader = Box::pin(cache.render("a", &*clock, async {
            go.notified().await;
            Err(())
        }));
        let mut second = Box::pin(cache.render("a", &*clock, async { page(2) }));
        let mut third = Box::pin(cache.render("a", &*clock, async { page(3) }));
        assert!(leader.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        go.notify_one();
        assert!(leader.await.is_err());
        assert_eq!(second.await.unwrap().body.len(), 2);
        assert_eq!(third.await.unwrap().body.len(), 2, "the page of the second");
    }
}
