//! Shared state of the HTTP handlers.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{
    app::{protocol::Protocols, publications::PublishedReads},
    auth::Authenticator,
    clock::Clock,
    graphql::{Engine, expensive_queries::ExpensiveQueryLimiter},
    http::{
        AllowedHosts, ConcurrencyLimits, ConnectionLimits, EditionCache, PageCache, PersistedQueries, ResponseCache,
    },
    idgen::IdGen,
    lifecycle::Lifecycle,
};

/// Shared state of the HTTP handlers.
pub struct HttpState {
    /// The GraphQL engine.
    pub engine: Engine,
    /// Verifies tokens.
    pub auth: Arc<Authenticator>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGen>,
    /// Tells when to drain.
    pub lifecycle: Lifecycle,
    /// Persisted operations and the safelist.
    pub persisted_queries: Arc<PersistedQueries>,
    /// Responses of anonymous GET queries.
    pub response_cache: ResponseCache,
    /// Pages that are published.
    pub pages: PublishedPages,
    /// Networks of trusted proxies, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Networks of federation gateways.
    pub gateways: Arc<[IpNet]>,
    /// Origins of web pages that may use the API, besides the service's own.
    pub allowed_origins: Arc<[String]>,
    /// Host names that are served.
    pub allowed_hosts: AllowedHosts,
    /// HttpLimits of open connections.
    pub connections: Arc<ConnectionLimits>,
    /// Whether the GraphiQL explorer is served.
    pub explorer_enabled: bool,
    /// HttpLimits of concurrent operations.
    pub concurrency: ConcurrencyLimits,
    /// HttpLimits of a single client.
    pub limits: HttpLimits,
}

/// Pages that are published, and the files beside them.
pub struct PublishedPages {
    /// The protocols of meetings.
    pub protocols: Protocols,
    /// Editions of publications.
    pub publications: PublishedReads,
    /// The contents of editions.
    pub editions: EditionCache,
    /// Pages that are the same for everybody.
    pub cache: PageCache,
    /// Limits how many pages are rendered at once.
    pub rendering: ExpensiveQueryLimiter,
}

impl PublishedPages {
    /// Creates the pages, with nothing kept.
    #[must_use]
    pub fn new(protocols: Protocols, publications: PublishedReads) -> Self {
        let (editions, cache) = (EditionCache::default(), PageCache::default());
        Self { protocols, publications, editions, cache, rendering: ExpensiveQueryLimiter::default() }
    }
}

/// HttpLimits of a single client.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Maximum size of a request body, in bytes.
    pub max_body_bytes: usize,
    /// Maximum number of concurrent operations on a socket.
    pub socket_operations: usize,
    /// Maximum number of concurrent operations on a gateway's socket, which its subscribers share.
    pub gateway_operations: usize,
    /// Maximum size of a WebSocket message, in bytes.
    pub max_message_bytes: usize,
    /// How long a socket may take to send `connection_init`.
    pub init_timeout: TimeDelta,
    /// Interval between pings.
    pub ping_interval: TimeDelta,
    /// How long a peer may accept no bytes before it counts as a slow reader.
    pub write_timeout: TimeDelta,
    /// How long a query or mutation may take.
    pub request_timeout: Duration,
    /// How long the header of a request may take; for the first request, counted from the connection.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: TimeDelta,
    /// How long a connection may be idle between requests. Longer than proxies keep theirs.
    pub idle_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            socket_operations: 20,
            gateway_operations: 10_000,
            max_message_bytes: 64 << 10,
            init_timeout: TimeDelta::seconds(10),
            ping_interval: TimeDelta::seconds(25),
            write_timeout: TimeDelta::seconds(10),
            request_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            body_timeout: TimeDelta::seconds(10),
            idle_timeout: Duration::from_secs(75),
        }
    }
}
