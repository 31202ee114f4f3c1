//! Automatic persisted queries: documents that clients have registered by their hash, in bounded shares. No client pushes out what
//! others have registered.

use std::{net::IpAddr, num::NonZeroUsize, sync::Arc};

use lru::LruCache;

use crate::{domain::viewer::Viewer, graphql::engine::Caller, network::network};

/// How many documents are kept for the signed-in, and as many for the anonymous.
const MOST_DOCUMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);
/// How many of them one client may have registered.
const MOST_OF_ONE: usize = 50;
/// How many clients are remembered with what they have registered.
const MOST_CLIENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Whoever registers documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum Client {
    /// A signed-in person.
    Person(String),
    /// Somebody at an address; of IPv6 in a network.
    Address(IpAddr),
    /// Somebody whose address is not known.
    Unknown,
}

impl Client {
    /// The client that a caller is.
    pub(in crate::http) fn of(caller: &Caller) -> Self {
        match (&caller.viewer, caller.address) {
            (Viewer::Person(person), _) => Self::Person(person.subject.clone()),
            (Viewer::Anonymous, Some(address)) => Self::Address(network(address)),
            (Viewer::Anonymous, None) => Self::Unknown,
        }
    }
}

/// The documents that clients have registered.
#[derive(Default)]
pub(in crate::http) struct ApqCache {
    persons: Shares,
    anonymous: Shares,
}

impl ApqCache {
    /// Keeps a document for a client. Beyond its share the one goes that it has registered longest ago.
    pub(in crate::http) fn keep(&mut self, client: &Client, hash: &str, document: &str) {
        match client {
            Client::Person(_) => self.persons.keep(client, hash, document),
            Client::Address(_) | Client::Unknown => self.anonymous.keep(client, hash, document),
        }
    }

    /// The document with a hash.
    pub(in crate::http) fn get(&mut self, hash: &str) -> Option<Arc<str>> {
        self.persons.get(hash).or_else(|| self.anonymous.get(hash))
    }
}

struct Document {
    text: Arc<str>,
    /// How many clients have it in their share.
    holders: usize,
}

struct Shares {
    documents: LruCache<Arc<str>, Document>,
    clients: LruCache<Client, LruCache<Arc<str>, ()>>,
}

impl Default for Shares {
    fn default() -> Self {
        Self { documents: LruCache::new(MOST_DOCUMENTS), clients: LruCache::new(MOST_CLIENTS) }
    }
}

impl Shares {
    fn get(&mut self, hash: &str) -> Option<Arc<str>> {
        self.documents.get(hash).map(|document| Arc::clone(&document.text))
    }

    fn keep(&mut self, client: &Client, hash: &str, text: &str) {
        let hash: Arc<str> = hash.into();
        let share = self.clients.get_or_insert_mut(client.clone(), LruCache::unbounded);
        let is_new = share.put(Arc::clone(&hash), ()).is_none();
        let over = if share.len() > MOST_OF_ONE { share.pop_lru() } else { None };
        match self.documents.get_mut(&hash) {
            Some(document) => document.holders += usize::from(is_new),
            None => drop(self.documents.put(hash, Document { text: text.into(), holders: 1 })),
        }
        if let Some((hash, ())) = over {
            self.release(&hash);
        }
    }

    /// Lets go of a document that a client no longer holds.
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

    fn at(address: &str) -> Client {
        Client::Address(network(address.parse().unwrap()))
    }

    /// Registers so many documents of a client's own.
    fn fill(cache: &mut ApqCache, client: &Client, whose: &str, count: usize) {
        for n in 0..count {
            cache.keep(client, &format!("{whose}{n}"), "{ a }");
        }
    }

    fn count(cache: &mut ApqCache, whose: &str) -> usize {
        (0..10_000).filter(|n| cache.get(&format!("{whose}{n}")).is_some()).count()
    }

    #[test]
    fn a_client_pushes_out_only_its_own() {
        let mut cache = ApqCache::default();
        let (app, other) = (at("192.0.2.1"), at("2001:db8::1"));
        fill(&mut cache, &app, "app", 30);
        fill(&mut cache, &other, "other", 5_000);
        assert_eq!(count(&mut cache, "app"), 30);
        assert_eq!(count(&mut cache, "other"), MOST_OF_ONE);
        assert_eq!(at("2001:db8::2"), other, "a network is one client");
        fill(&mut cache, &at("2001:db8::3"), "third", 1_000);
        assert_eq!((count(&mut cache, "third"), count(&mut cache, "other")), (MOST_OF_ONE, 0));
    }

    #[test]
    fn who_registers_what_others_hold_cannot_take_it_away() {
        let mut cache = ApqCache::default();
        let (app, other) = (at("192.0.2.1"), at("192.0.2.2"));
        fill(&mut cache, &app, "app", 30);
        fill(&mut cache, &other, "app", 30);
        fill(&mut cache, &other, "other", 500);
        assert_eq!(count(&mut cache, "app"), 30);
        fill(&mut cache, &app, "new", MOST_OF_ONE);
        assert_eq!(count(&mut cache, "app"), 0, "nobody holds them any longer");
    }

    #[test]
    fn the_anonymous_never_push_out_what_persons_have_registered() {
        let mut cache = ApqCache::default();
        fill(&mut cache, &Client::Person("ana".to_owned()), "ana", 30);
        for n in 0..200 {
            fill(&mut cache, &at(&format!("192.0.2.{n}")), &format!("crowd{n}."), 10);
        }
        assert_eq!(count(&mut cache, "ana"), 30);
        let kept = (0..200).map(|n| count(&mut cache, &format!("crowd{n}."))).sum::<usize>();
        assert_eq!(kept, MOST_DOCUMENTS.get(), "and all that they have is bounded");
    }

    #[test]
    fn what_is_used_stays() {
        let mut cache = ApqCache::default();
        fill(&mut cache, &at("192.0.2.1"), "app", 1);
        for n in 0..200 {
            fill(&mut cache, &at(&format!("198.51.100.{n}")), &format!("crowd{n}."), 10);
            assert!(cache.get("app0").is_some());
        }
    }
}
