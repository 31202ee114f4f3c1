//! Limits open connections: in total, so that health checks, database and bus keep file descriptors, and per
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
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use entities::enums::Language;
use ipnet::IpNet;
use parking_lot::Mutex;
use serde_json::json;

use crate::{
    graphql::error::{LimitScope, RATE_LIMITED, RETRY_AFTER_MS},
    http::{gauge_guard::GaugeGuard, rejected_request::RejectedRequest},
    network::network,
    text,
};

/// File descriptors reserved for the operations listener, the bus, outgoing requests and connections being
/// rejected.
const RESERVED_FILES: usize = 128;
/// File descriptors of one connection to an embedded database.
const FILES_PER_DATABASE_CONNECTION: usize = 3;
/// Value of `Retry-After`, in seconds.
const RETRY_AFTER_SECONDS: u16 = 5;

/// Which limit a connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLimitReached {
    /// The process has no file descriptor left for it.
    Process,
    /// Its address has too many open connections.
    Address,
}

impl ConnectionLimitReached {
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
            json!({ "code": RATE_LIMITED, RETRY_AFTER_MS: 1_000 * RETRY_AFTER_SECONDS, "scope": self.scope().name() });
        json!({ "errors": [{ "message": message, "extensions": extensions }] }).to_string()
    }

    /// Returns a complete HTTP response, for a connection that is rejected before its request is read.
    pub(in crate::http) fn raw_response(self) -> Vec<u8> {
        let (status, body) = (self.status(), self.body(text::negotiate(None)));
        format!(
            "HTTP/1.1 {status}\r\nretry-after: {RETRY_AFTER_SECONDS}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             cache-control: no-store\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Returns the response to a request.
    pub(in crate::http) fn response(self, language: Language) -> Response {
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        let headers = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into()), (header::CONTENT_TYPE, content_type)];
        let mut response = (self.status(), headers, self.body(language)).into_response();
        response.extensions_mut().insert(RejectedRequest { code: RATE_LIMITED, viewer: None });
        response
    }
}

/// Counts the open connections of a listener and enforces their limits.
pub struct ConnectionLimits {
    max: usize,
    max_per_address: Option<usize>,
    pub(in crate::http) trusted_proxies: Arc<[IpNet]>,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl ConnectionLimits {
    /// Creates the limits. `max_files` is the process's limit of open files, and `None` means no limit.
    #[must_use]
    pub fn new(
        max_files: Option<usize>,
        database_connections: u32,
        per_address: Option<NonZeroU32>,
        trusted_proxies: Arc<[IpNet]>,
    ) -> Arc<Self> {
        let database = usize::try_from(database_connections).unwrap_or(usize::MAX);
        let reserved = RESERVED_FILES.saturating_add(database.saturating_mul(FILES_PER_DATABASE_CONNECTION));
        // With a low limit of files, a quarter of them still serves connections.
        let max = max_files.map_or(usize::MAX, |files| files.saturating_sub(reserved).max(files / 4));
        let max_per_address = per_address.map(|max| usize::try_from(max.get()).unwrap_or(usize::MAX));
        Arc::new(Self {
            max,
            max_per_address,
            trusted_proxies,
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
        })
    }

    /// Takes a permit for a connection. A trusted proxy has no limit of its own address.
    pub(in crate::http) fn acquire(self: &Arc<Self>, peer: IpAddr) -> Result<ConnectionPermit, ConnectionLimitReached> {
        let address = if self.is_trusted(peer) { None } else { Some(self.acquire_for_address(peer)?) };
        let permit = ConnectionPermit {
            connections: Arc::clone(self),
            _address: address,
            _gauge: GaugeGuard::new(metrics::gauge!("kezdesu_connections")),
        };
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        if before >= self.max {
            return Err(Self::rejected(ConnectionLimitReached::Process));
        }
        Ok(permit)
    }

    /// Takes a permit for a client behind a trusted proxy.
    pub(in crate::http) fn acquire_for_address(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> Result<AddressPermit, ConnectionLimitReached> {
        let network = network(address);
        if let Some(max) = self.max_per_address {
            let mut by_address = self.by_address.lock();
            let open = by_address.entry(network).or_default();
            if *open >= max {
                drop(by_address);
                return Err(Self::rejected(ConnectionLimitReached::Address));
            }
            *open += 1;
        }
        Ok(AddressPermit { connections: Arc::clone(self), network })
    }

    fn rejected(limit: ConnectionLimitReached) -> ConnectionLimitReached {
        metrics::counter!("kezdesu_connections_refused_total", "reason" => limit.reason()).increment(1);
        limit
    }

    /// Returns whether an address is that of a trusted proxy.
    pub(in crate::http) fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// A permit for an open connection. Dropping it releases it.
pub(in crate::http) struct ConnectionPermit {
    connections: Arc<ConnectionLimits>,
    _address: Option<AddressPermit>,
    _gauge: GaugeGuard,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A permit of an address.
pub(in crate::http) struct AddressPermit {
    connections: Arc<ConnectionLimits>,
    network: IpAddr,
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if self.connections.max_per_address.is_none() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn limits(max_files: Option<usize>, per_address: u32) -> Arc<ConnectionLimits> {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        ConnectionLimits::new(max_files, 16, NonZeroU32::new(per_address), Arc::new(trusted))
    }

    #[test]
    fn reserves_files_for_everything_else() {
        let connections = limits(Some(1_024), 0);
        let open: Vec<_> = std::iter::from_fn(|| connections.acquire(at("203.0.113.7")).ok()).collect();
        assert_eq!(open.len(), 1_024 - 128 - 48);
        assert_eq!(connections.acquire(at("10.0.0.1")).err(), Some(ConnectionLimitReached::Process));
        drop(open);
        assert!(connections.acquire(at("203.0.113.7")).is_ok(), "permits are released");
        assert_eq!(connections.open.load(Ordering::Relaxed), 0);
        let few = limits(Some(100), 0);
        let open: Vec<_> = std::iter::from_fn(|| few.acquire(at("203.0.113.7")).ok()).collect();
        assert_eq!(open.len(), 25, "a quarter if there are too few");
    }

    #[test]
    fn limits_an_address_by_its_network_but_no_proxy() {
        let connections = limits(None, 2);
        let open = [connections.acquire(at("203.0.113.7")), connections.acquire(at("::ffff:203.0.113.7"))];
        assert!(open.iter().all(Result::is_ok));
        assert_eq!(connections.acquire(at("203.0.113.7")).err(), Some(ConnectionLimitReached::Address));
        assert_eq!(connections.open.load(Ordering::Relaxed), 2, "a rejected one is not counted");
        let long: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(|address| connections.acquire(at(address))).into();
        assert_eq!(
            connections.acquire(at("2001:db8:0:0:1::9")).err(),
            Some(ConnectionLimitReached::Address),
            "same /64 network"
        );
        assert!(connections.acquire(at("2001:db8:0:1::1")).is_ok(), "another network");
        let proxied: Vec<_> = (0..9).map(|_| connections.acquire(at("10.0.0.1"))).collect();
        assert!(proxied.iter().all(Result::is_ok));
        drop((open, long));
        assert!(connections.acquire(at("203.0.113.7")).is_ok());
        assert!(connections.by_address.lock().is_empty(), "closed connections leave no entry");
    }

    #[test]
    fn raw_response_is_a_complete_http_response() {
        let answer = String::from_utf8(ConnectionLimitReached::Process.raw_response()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
    }
}
