//! What every door works with.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{
    auth::Authenticator,
    clock::Clock,
    graphql::Engine,
    http::{ConcurrencyLimits, Connections, Documents, Hosts},
    idgen::IdGen,
    lifecycle::Lifecycle,
};

/// What a door works with.
#[derive(Clone)]
pub struct Door {
    /// The API.
    pub engine: Engine,
    /// Who is asking.
    pub auth: Arc<Authenticator>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Fresh identities.
    pub ids: Arc<dyn IdGen>,
    /// When to stop.
    pub life: Lifecycle,
    /// Operations that are known by an identity.
    pub documents: Arc<Documents>,
    /// Networks of the proxies in front, which say from where a request comes.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Networks from which only gateways ask.
    pub gateways: Arc<[IpNet]>,
    /// Origins of web pages that may come in, beside the service's own.
    pub allowed_origins: Arc<[String]>,
    /// Host names under which the service is reached.
    pub hosts: Hosts,
    /// The open connections.
    pub connections: Arc<Connections>,
    /// Whether there are pages for those who build on the API.
    pub pages: bool,
    /// How many operations run at once.
    pub concurrency: ConcurrencyLimits,
    /// How much a caller may ask for.
    pub limits: Limits,
}

/// How much a caller may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How large a request may be, in bytes.
    pub max_body_bytes: usize,
    /// How many operations a socket may run at once.
    pub socket_operations: usize,
    /// How many that of a gateway may, which its subscribers share.
    pub gateway_operations: usize,
    /// How large a message on a socket may be, in bytes.
    pub max_message_bytes: usize,
    /// How long a socket may take to introduce itself.
    pub init_timeout: TimeDelta,
    /// How often a socket is asked whether it is there.
    pub ping_every: TimeDelta,
    /// How long a peer may take no byte of what it is sent.
    pub stall: TimeDelta,
    /// How long a query or mutation may take.
    pub request_timeout: Duration,
    /// How long the head of a request may take to come, counted from the connection for its first.
    pub head_timeout: Duration,
    /// How long the body of a request may take to come.
    pub body_timeout: TimeDelta,
    /// How long a connection may wait for its next request: longer than proxies keep theirs.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            socket_operations: 20,
            gateway_operations: 10_000,
            max_message_bytes: 64 << 10,
            init_timeout: TimeDelta::seconds(10),
            ping_every: TimeDelta::seconds(25),
            stall: TimeDelta::seconds(10),
            request_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
            body_timeout: TimeDelta::seconds(10),
            idle_timeout: Duration::from_secs(75),
        }
    }
}
