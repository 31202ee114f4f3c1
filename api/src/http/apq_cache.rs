//! Cache of automatic persisted queries. Each client has a bounded share, so that none evicts what others
//! have registered.

use std::{net::IpAddr, num::NonZeroUsize, sync::Arc};

use lru::LruCache;

use crate::{domain::viewer::Viewer, graphql::caller::Caller, network::network};

/// Maximum number of documents registered by signed-in clients, and as many by anonymous ones.
const MAX_DOCUMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);
/// Maximum number of documents a client may hold.
const MAX_DOCUMENTS_PER_CLIENT: usize = 50;
/// Maximum number of clients that are tracked.
const MAX_CLIENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// A client that registers documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum ApqClient {
    /// A signed-in person, by subject.
    Person(String),
    /// An anonymous client, by address; for IPv6 by its /64 network.
    Address(IpAddr),
    /// An anonymous client whose address is unknown.
    Unknown,
}

impl ApqClient {
    /// Returns the client of a caller.
    pub(in crate::http) fn of(caller: &Caller) -> Self {
        match (&caller.viewer, caller.address) {
            (Viewer::Person(person), _) => Self::Person(person.subject.clone()),
            (Viewer::Anonymous, Some(address)) => Self::Address(network(address)),
            (Viewer::Anonymous, None) => Self::Unknown,
        }
    }
}

/// The registered documents.
#[derive(Default)]
pub(in crate::http) struct ApqCache {
    persons: DocumentPool,
    anonymous: DocumentPool,
}

impl ApqCache {
    /// Registers a document for a client. Beyond the client's share, its least recently registered document
    /// is released.
    pub(in crate::http) fn register(&mut self, client: &ApqClient, hash: &str, document: &str) {
        match client {
            ApqClient::Person(_) => self.persons.register(client, hash, document),
            ApqClient::Address(_) | ApqClient::Unknown => self.anonymous.register(client, hash, document),
        }
    }

    /// Returns the document with a hash.
    pub(in crate::http) fn get(&mut self, hash: &str) -> Option<Arc<str>> {
        self.persons.get(hash).or_else(|| self.anonymous.get(hash))
    }
}

struct CachedDocument {
    text: Arc<str>,
    /// Number of clients that hold it.
    holders: usize,
}

struct DocumentPool {
    documents: LruCache<Arc<str>, CachedDocument>,
    clients: LruCache<ApqClient, LruCache<Arc<str>, ()>>,
}

impl Default for DocumentPool {
    fn default() -> Self {
        Self { documents: LruCache::new(MAX_DOCUMENTS), clients: LruCache::new(MAX_CLIENTS) }
    }
}

impl DocumentPool {
    fn get(&mut self, hash: &str) -> Option<Arc<str>> {
        self.documents.get(hash).map(|document| Arc::clone(&document.text))
    }

    fn register(&mut self, client: &ApqClient, hash: &str, text: &str) {
        let hash: Arc<str> = hash.into();
        let share = self.clients.get_or_insert_mut(client.clone(), LruCache::unbounded);
        let is_new = share.put(Arc::clone(&hash), ()).is_none();
        let over = if share.len() > MAX_DOCUMENTS_PER_CLIENT { share.pop_lru() } else { None };
        match self.documents.get_mut(&hash) {
            Some(document) => document.holders += usize::from(is_new),
            None => drop(self.documents.put(hash, CachedDocument { text: text.into(), holders: 1 })),
        }
        if let Some((hash, ())) = over {
            self.release(&hash);
        }
    }

    /// Releases a document that a client no longer holds. The last release removes it.
    fn release(&mut self, hash: &str) {
        let Some(document) = self.documents.peek_mut(hash) else { return };
        document.holders = document.holders.saturating_sub(1);
        if document.holders == 0 {
            self.documents.pop(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> ApqClient {
        ApqClient::Address(network(address.parse().unwrap()))
    }

    /// Registers `count` documents that no other client has.
    fn fill(cache: &mut ApqCache, client: &ApqClient, whose: &str, count: usize) {
        for n in 0..count {
            cache.register(client, &format!("{whose}{n}"), "{ a }");
        }
    }

    fn count(cache: &mut ApqCache, whose: &str) -> usize {
        (0..10_000).filter(|n| cache.get(&format!("{whose}{n}")).is_some()).count()
    }

    #[test]
    fn a_client_evicts_only_its_own_documents() {
        let mut cache = ApqCache::default();
        let (app, other) = (at("192.0.2.1"), at("2001:db8::1"));
        fill(&mut cache, &app, "app", 30);
        fill(&mut cache, &other, "other", 5_000);
        assert_eq!(count(&mut cache, "app"), 30);
        assert_eq!(count(&mut cache, "other"), MAX_DOCUMENTS_PER_CLIENT);
        assert_eq!(at("2001:db8::2"), other, "a /64 network is one client");
        fill(&mut cache, &at("2001:db8::3"), "third", 1_000);
        assert_eq!((count(&mut cache, "third"), count(&mut cache, "other")), (MAX_DOCUMENTS_PER_CLIENT, 0));
    }

    #[test]
    fn registering_a_shared_document_cannot_evict_it() {
        let mut cache = ApqCache::default();
        let (app, other) = (at("192.0.2.1"), at("192.0.2.2"));
        fill(&mut cache, &app, "app", 30);
        fill(&mut cache, &other, "app", 30);
        fill(&mut cache, &other, "other", 500);
        assert_eq!(count(&mut cache, "app"), 30);
        fill(&mut cache, &app, "new", MAX_DOCUMENTS_PER_CLIENT);
        assert_eq!(count(&mut cache, "app"), 0, "no client holds them any longer");
    }

    #[test]
    fn anonymous_clients_never_evict_documents_of_persons() {
        let mut cache = ApqCache::default();
        fill(&mut cache, &ApqClient::Person("ana".to_owned()), "ana", 30);
        for n in 0..200 {
            fill(&mut cache, &at(&format!("192.0.2.{n}")), &format!("crowd{n}."), 10);
        }
        assert_eq!(count(&mut cache, "ana"), 30);
        let kept = (0..200).map(|n| count(&mut cache, &format!("crowd{n}."))).sum::<usize>();
        assert_eq!(kept, MAX_DOCUMENTS.get(), "their total is bounded");
    }

    #[test]
    fn keeps_recently_used_documents() {
        let mut cache = ApqCache::default();
        fill(&mut cache, &at("192.0.2.1"), "app", 1);
        for n in 0..200 {
            fill(&mut cache, &at(&format!("198.51.100.{n}")), &format!("crowd{n}."), 10);
            assert!(cache.get("app0").is_some());
        }
    }
}
