//! The settings and their documentation.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{config::Secret, domain::norms::Norms};

/// The documentation of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name of the environment variable. In the file, the lowercase part after `KEZDESU_`.
    pub name: &'static str,
    /// The default, as text.
    pub default: &'static str,
    /// What it controls.
    pub description: &'static str,
}

const fn setting(name: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { name, default, description }
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    setting("KEZDESU_LISTEN", "127.0.0.1:8080", "Address of the API."),
    setting("KEZDESU_OPS_LISTEN", "127.0.0.1:9090", "Address of health, readiness and metrics."),
    setting(
        "KEZDESU_ENVIRONMENT",
        "development",
        "`development` or `production`. Production serves no GraphiQL and no introspection, and requires `KEZDESU_JWKS`.",
    ),
    setting(
        "KEZDESU_LAME_DUCK",
        "5 in production, else 0",
        "Seconds to report not-ready before draining starts, 0 to 300. Requests are still accepted meanwhile.",
    ),
    setting("KEZDESU_DATA_DIR", "./data", "Directory of the embedded database and the development key."),
    setting("KEZDESU_DATABASE_URL", "SQLite in `KEZDESU_DATA_DIR`", "`postgres://…` or `sqlite:…`."),
    setting(
        "KEZDESU_DATABASE_CONNECTIONS",
        "16",
        "Maximum number of database connections, 2 to 500. Half of them are reserved for commands and feeds.",
    ),
    setting("KEZDESU_REDIS_URL", "none", "`redis://…` or `rediss://…`. Required with more than one replica."),
    setting("KEZDESU_REDIS_PREFIX", "kezdesu", "Prefix of the Redis channels."),
    setting(
        "KEZDESU_JWKS",
        "none",
        "File or `https://` URL of the JWKS that verifies tokens. Without it, a development key is created.",
    ),
    setting("KEZDESU_JWT_ISSUER", "kezdesu-dev", "Required `iss` of tokens. Must be set with `KEZDESU_JWKS`."),
    setting("KEZDESU_JWT_AUDIENCE", "kezdesu", "Required `aud` of tokens. Must be set with `KEZDESU_JWKS`."),
    setting(
        "KEZDESU_ALLOWED_ORIGINS",
        "none",
        "Comma-separated origins of web pages that may use the API. The service's own pages always may.",
    ),
    setting(
        "KEZDESU_HOSTS",
        "any in production, else none",
        "Comma-separated host names that are served; `*` means any. Addresses, `localhost` and names without a dot are always served.",
    ),
    setting(
        "KEZDESU_NORM_SETS",
        "decree-2022",
        "Comma-separated norm sets of the decree in force: `decree-2022`, `decree-2024`.",
    ),
    setting("KEZDESU_KEEP_EVENTS", "100000", "Number of events kept in each feed for resuming clients, at least 100."),
    setting("KEZDESU_MAX_BODY_BYTES", "1048576", "Maximum size of a request body in bytes, at least 1024."),
    setting("KEZDESU_SOCKET_OPERATIONS", "20", "Maximum number of concurrent operations on a WebSocket, 1 to 10000."),
    setting(
        "KEZDESU_GATEWAYS",
        "none",
        "Comma-separated addresses or networks of federation gateways, whose subscribers share a socket.",
    ),
    setting(
        "KEZDESU_GATEWAY_OPERATIONS",
        "10000",
        "Maximum number of concurrent operations on a gateway's WebSocket, 1 to 10000.",
    ),
    setting(
        "KEZDESU_TRUSTED_PROXIES",
        "none",
        "Comma-separated networks of trusted proxies, such as `10.0.0.0/8`. Only their `X-Forwarded-For` is believed.",
    ),
    setting(
        "KEZDESU_PERSON_A_MINUTE",
        "60",
        "Posts, votes and other mutations a minute for a person, each counted apart and per replica; 0 means no limit.",
    ),
    setting(
        "KEZDESU_ADDRESS_A_MINUTE",
        "3000",
        "The same for an address, which many phones of one network may share. Behind a proxy, set `KEZDESU_TRUSTED_PROXIES`.",
    ),
    setting(
        "KEZDESU_PERSON_COST_A_MINUTE",
        "200000",
        "Cost units a minute for a person, per replica; also the burst size. 0 means no limit.",
    ),
    setting(
        "KEZDESU_ADDRESS_COST_A_MINUTE",
        "1000000",
        "The same for an address. The addresses of `KEZDESU_GATEWAYS` are exempt.",
    ),
    setting(
        "KEZDESU_CONCURRENT_OPERATIONS",
        "256",
        "Maximum number of concurrent queries, and of mutations, per replica, up to 65535; 0 means no limit.",
    ),
    setting(
        "KEZDESU_ADDRESS_CONNECTIONS",
        "15000",
        "Maximum number of open connections of an address, for IPv6 of a /64 network; 0 means no limit. Behind a proxy, set `KEZDESU_TRUSTED_PROXIES`.",
    ),
    setting("KEZDESU_OPERATIONS", "none", "File of persisted operations, in Apollo's manifest format."),
    setting(
        "KEZDESU_SAFELIST",
        "off",
        "`off` or `public`. With `public`, anonymous viewers and citizens may run only the operations of `KEZDESU_OPERATIONS`.",
    ),
    setting("KEZDESU_LOG", "info", "Log filter, in the syntax of `tracing`."),
    setting("KEZDESU_LOG_FORMAT", "text", "`text` or `json`."),
    setting(
        "KEZDESU_OTLP",
        "none",
        "URL of an OpenTelemetry collector (OTLP over HTTP), such as `http://collector:4318` or `https://otlp.example`.",
    ),
    setting("KEZDESU_CONFIG", "none", "TOML file of settings. Non-empty environment variables take precedence."),
];

/// The environment that the service runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// GraphiQL, introspection and the development key are available.
    Development,
    /// They are not.
    Production,
}

/// Whose operations must be on the safelist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safelist {
    /// Nobody's.
    Off,
    /// Those of anonymous viewers and citizens.
    Public,
}

/// The log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable.
    Text,
    /// JSON lines.
    Json,
}

/// Validated settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listen address of the API.
    pub listen: SocketAddr,
    /// Listen address of health, readiness and metrics.
    pub ops_listen: SocketAddr,
    /// The environment.
    pub environment: Environment,
    /// How long to report not-ready before draining starts.
    pub shutdown_delay: TimeDelta,
    /// Directory of data files.
    pub data_dir: PathBuf,
    /// URL of the database.
    pub database_url: Secret<String>,
    /// Maximum number of database connections.
    pub database_connections: u32,
    /// URL of the Redis that connects the replicas.
    pub redis_url: Option<Secret<String>>,
    /// Prefix of the Redis channels.
    pub redis_prefix: String,
    /// File or URL of the JWKS.
    pub jwks: Option<String>,
    /// Required `iss` of tokens.
    pub jwt_issuer: String,
    /// Required `aud` of tokens.
    pub jwt_audience: String,
    /// Origins of web pages that may use the API.
    pub allowed_origins: Vec<String>,
    /// Host names that are served; `None` means any.
    pub hosts: Option<Vec<String>>,
    /// The norm sets in force.
    pub norms: Norms,
    /// Number of events kept in each feed.
    pub keep_events: i64,
    /// Maximum size of a request body, in bytes.
    pub max_body_bytes: usize,
    /// Maximum number of concurrent operations on a socket.
    pub socket_operations: usize,
    /// Networks of federation gateways.
    pub gateways: Vec<IpNet>,
    /// Maximum number of concurrent operations on a gateway's socket.
    pub gateway_operations: usize,
    /// Networks of trusted proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// Posts, votes and other mutations a minute for a person, each counted apart; `None` means no limit.
    pub person_a_minute: Option<NonZeroU32>,
    /// The same for an address.
    pub address_a_minute: Option<NonZeroU32>,
    /// Cost units a minute for a person; `None` means no limit.
    pub person_cost_a_minute: Option<NonZeroU32>,
    /// The same for an address.
    pub address_cost_a_minute: Option<NonZeroU32>,
    /// Maximum number of concurrent queries, and of mutations; `None` means no limit.
    pub concurrent_operations: Option<NonZeroUsize>,
    /// Maximum number of open connections of an address; `None` means no limit.
    pub address_connections: Option<NonZeroU32>,
    /// File of persisted operations.
    pub operations: Option<PathBuf>,
    /// Whose operations must be listed in that file.
    pub safelist: Safelist,
    /// The log filter.
    pub log: String,
    /// The log format.
    pub log_format: LogFormat,
    /// URL of the OpenTelemetry collector.
    pub otlp: Option<String>,
}

impl Settings {
    /// Returns whether the database is the embedded SQLite.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url.reveal().starts_with("sqlite:")
    }
}

/// Returns the table of settings for `docs/operations.md`.
#[must_use]
pub fn settings_table() -> String {
    let rows = SETTINGS
        .iter()
        .map(|setting| format!("| `{}` | {} | {} |\n", setting.name, setting.default, setting.description));
    format!("| setting | default | description |\n|---|---|---|\n{}", rows.collect::<String>())
}
