//! Counts open connections, and caps them: all of them, so that health, database and bus keep files of their own, and those of one
//! address.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use entities::enums::Language;
use ipnet::IpNet;
use parking_lot::Mutex;
use serde_json::json;

use crate::{
    app::rate_limit::LimitScope,
    graphql::error::{RATE_LIMITED, RETRY_AFTER_MS},
    http::{
        Door, address,
        graphql::language,
        lines::{self, Refused},
        link::Link,
    },
    network::network,
    text,
};

/// Files that are kept for the operator's listener, the bus, outgoing requests and connections that are just refused.
const RESERVED_FILES: usize = 128;
/// Files of one connection to an embedded database.
const FILES_A_DATABASE_CONNECTION: usize = 3;
/// When to come back, in seconds.
const RETRY_AFTER: u16 = 5;

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The process has no file left for it.
    Process,
    /// Its address has as many as it may.
    Address,
}

impl Full {
    const fn reason(self) -> &'static str {
        match self {
            Self::Process => "full",
            Self::Address => "address",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Process => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Process => "connections-full",
            Self::Address => "connections-address",
        }
    }

    const fn scope(self) -> LimitScope {
        match self {
            Self::Process => LimitScope::Service,
            Self::Address => LimitScope::Address,
        }
    }

    fn body(self, language: Language) -> String {
        let message = text::message(language, self.message(), &[]);
        let extensions =
            json!({ "code": RATE_LIMITED, RETRY_AFTER_MS: 1_000 * RETRY_AFTER, "scope": self.scope().name() });
        json!({ "errors": [{ "message": message, "extensions": extensions }] }).to_string()
    }

    /// Returns the answer to a connection of which nothing is read.
    pub(in crate::http) fn unasked(self) -> Vec<u8> {
        let (status, body) = (self.status(), self.body(text::negotiate(None)));
        format!(
            "HTTP/1.1 {status}\r\nretry-after: {RETRY_AFTER}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             cache-control: no-store\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn answer(self, language: Language) -> Response {
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        let headers = [(header::RETRY_AFTER, RETRY_AFTER.into()), (header::CONTENT_TYPE, kind)];
        let mut response = (self.status(), headers, self.body(language)).into_response();
        response.extensions_mut().insert(Refused { code: RATE_LIMITED, viewer: None });
        response
    }
}

/// The open connections of a listener.
pub struct Connections {
    most: usize,
    most_an_address: Option<usize>,
    trusted_proxies: Arc<[IpNet]>,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Connections {
    /// Counts by these caps. `files` is how many the process may have open; `None` is any number.
    #[must_use]
    pub fn new(
        files: Option<usize>,
        database_connections: u32,
        an_address: Option<NonZeroU32>,
        trusted_proxies: Arc<[IpNet]>,
    ) -> Arc<Self> {
        let database = usize::try_from(database_connections).unwrap_or(usize::MAX);
        let reserved = RESERVED_FILES.saturating_add(database.saturating_mul(FILES_A_DATABASE_CONNECTION));
        // Where there are too few for everything, connections get a share all the same.
        let most = files.map_or(usize::MAX, |files| files.saturating_sub(reserved).max(files / 4));
        let most_an_address = an_address.map(|most| usize::try_from(most.get()).unwrap_or(usize::MAX));
        Arc::new(Self {
            most,
            most_an_address,
            trusted_proxies,
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
        })
    }

    /// Counts a connection from a peer until what is returned is dropped. A trusted proxy is not counted by its address.
    pub(in crate::http) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Counted, Full> {
        let address = if self.is_trusted(peer) { None } else { Some(self.count_address(peer)?) };
        let counted = Counted { connections: Arc::clone(self), _address: address };
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("kezdesu_connections").increment(1.0);
        if before >= self.most {
            return Err(Self::refused(Full::Process));
        }
        Ok(counted)
    }

    fn count_address(self: &Arc<Self>, address: IpAddr) -> Result<CountedAddress, Full> {
        let network = network(address);
        if let Some(most) = self.most_an_address {
            let mut by_address = self.by_address.lock();
            let open = by_address.entry(network).or_default();
            if *open >= most {
                drop(by_address);
                return Err(Self::refused(Full::Address));
            }
            *open += 1;
        }
        Ok(CountedAddress { connections: Arc::clone(self), network })
    }

    fn refused(full: Full) -> Full {
        metrics::counter!("kezdesu_connections_refused_total", "reason" => full.reason()).increment(1);
        full
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// A connection that is open. Dropping it gives its place back.
pub(in crate::http) struct Counted {
    connections: Arc<Connections>,
    _address: Option<CountedAddress>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("kezdesu_connections").decrement(1.0);
    }
}

/// A place among those of an address.
pub(in crate::http) struct CountedAddress {
    connections: Arc<Connections>,
    network: IpAddr,
}

impl Drop for CountedAddress {
    fn drop(&mut self) {
        if self.connections.most_an_address.is_none() {
            return;
        }
        let mut by_address = self.connections.by_address.lock();
        if let Some(open) = by_address.get_mut(&self.network) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                by_address.remove(&self.network);
            }
        }
    }
}

/// Counts a request that a trusted proxy passes on by the address behind it: until it is answered, and a socket or stream for as long
/// as it is open.
pub(in crate::http) async fn count_forwarded(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let (began, connections) = (door.clock.now(), &door.connections);
    let peer = address::of(request.extensions(), request.headers(), &connections.trusted_proxies);
    let behind = peer.address.filter(|address| peer.through_proxy && !connections.is_trusted(*address));
    if let Some(address) = behind {
        let counted = match connections.count_address(address) {
            Ok(counted) => counted,
            Err(full) => {
                let response = full.answer(language(request.headers()));
                lines::tell_refused(&response, &door, lines::door_of(&request), began);
                return response;
            }
        };
        let link: Link = request.extensions().get().cloned().unwrap_or_default();
        request.extensions_mut().insert(link.holding(counted));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn counting(files: Option<usize>, an_address: u32) -> Arc<Connections> {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        Connections::new(files, 16, NonZeroU32::new(an_address), Arc::new(trusted))
    }

    #[test]
    fn keeps_files_for_everything_else() {
        let connections = counting(Some(1_024), 0);
        let open: Vec<_> = std::iter::from_fn(|| connections.admit(at("203.0.113.7")).ok()).collect();
        assert_eq!(open.len(), 1_024 - 128 - 48);
        assert_eq!(connections.admit(at("10.0.0.1")).err(), Some(Full::Process));
        drop(open);
        assert!(connections.admit(at("203.0.113.7")).is_ok(), "places are given back");
        assert_eq!(connections.open.load(Ordering::Relaxed), 0);
        let few = counting(Some(100), 0);
        let open: Vec<_> = std::iter::from_fn(|| few.admit(at("203.0.113.7")).ok()).collect();
        assert_eq!(open.len(), 25, "a share where there are too few");
    }

    #[test]
    fn counts_an_address_by_its_network_and_no_proxy() {
        let connections = counting(None, 2);
        let open = [connections.admit(at("203.0.113.7")), connections.admit(at("::ffff:203.0.113.7"))];
        assert!(open.iter().all(Result::is_ok));
        assert_eq!(connections.admit(at("203.0.113.7")).err(), Some(Full::Address));
        assert_eq!(connections.open.load(Ordering::Relaxed), 2, "one that is refused is not counted");
        let long: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(|address| connections.admit(at(address))).into();
        assert_eq!(connections.admit(at("2001:db8:0:0:1::9")).err(), Some(Full::Address), "one household");
        assert!(connections.admit(at("2001:db8:0:1::1")).is_ok(), "its neighbour");
        let proxied: Vec<_> = (0..9).map(|_| connections.admit(at("10.0.0.1"))).collect();
        assert!(proxied.iter().all(Result::is_ok));
        drop((open, long));
        assert!(connections.admit(at("203.0.113.7")).is_ok());
        assert!(connections.by_address.lock().is_empty(), "nothing is kept of those who have gone");
    }

    #[test]
    fn is_told_in_one_answer() {
        let answer = String::from_utf8(Full::Process.unasked()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
    }
}
