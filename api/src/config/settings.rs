//! What can be set.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{config::Secret, domain::norms::Norms};

/// One setting: its name after `KEZDESU_`, its default as text, what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the environment variable; in a file, the part after `KEZDESU_` in small letters.
    pub name: &'static str,
    /// What holds unless it is set.
    pub default: &'static str,
    /// What it is for.
    pub what: &'static str,
}

const fn setting(name: &'static str, default: &'static str, what: &'static str) -> Setting {
    Setting { name, default, what }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting("KEZDESU_LISTEN", "127.0.0.1:8080", "Address of the API."),
    setting("KEZDESU_OPS_LISTEN", "127.0.0.1:9090", "Address of health, readiness and metrics."),
    setting(
        "KEZDESU_ENVIRONMENT",
        "development",
        "`development` or `production`; production has no GraphiQL and no introspection, and needs `KEZDESU_JWKS`.",
    ),
    setting(
        "KEZDESU_LAME_DUCK",
        "5 in production, else 0",
        "How many seconds `/readyz` says that the end is near, while everything is still taken, before it begins; 0 to 300.",
    ),
    setting("KEZDESU_DATA_DIR", "./data", "Where the embedded database and the development key lie."),
    setting("KEZDESU_DATABASE_URL", "SQLite in `KEZDESU_DATA_DIR`", "`postgres://…` or `sqlite:…`."),
    setting(
        "KEZDESU_DATABASE_CONNECTIONS",
        "16",
        "How many connections to the database, 2 to 500; half of them are kept for commands and feeds, so that queries cannot take them.",
    ),
    setting("KEZDESU_REDIS_URL", "none", "`redis://…` or `rediss://…`; needed where several replicas run."),
    setting("KEZDESU_REDIS_PREFIX", "kezdesu", "Prefix of the channels in Redis."),
    setting(
        "KEZDESU_JWKS",
        "none",
        "File or `https://` address of the keys that sign tokens; without it a development key is made.",
    ),
    setting("KEZDESU_JWT_ISSUER", "kezdesu-dev", "The `iss` that tokens must have; required with `KEZDESU_JWKS`."),
    setting("KEZDESU_JWT_AUDIENCE", "kezdesu", "The `aud` that tokens must have; required with `KEZDESU_JWKS`."),
    setting(
        "KEZDESU_ALLOWED_ORIGINS",
        "none",
        "Origins of web pages that may use the API, with commas between; the service's own pages always may.",
    ),
    setting(
        "KEZDESU_HOSTS",
        "any in production, else none",
        "Host names under which the service is reached, with commas between; `*` is any. Addresses, `localhost` and names without a dot always are.",
    ),
    setting(
        "KEZDESU_NORM_SETS",
        "decree-2022",
        "Norm sets of the decree that are in force, with commas between: `decree-2022`, `decree-2024`.",
    ),
    setting(
        "KEZDESU_KEEP_EVENTS",
        "100000",
        "How many events of each feed are kept for those who come back, 100 or more.",
    ),
    setting("KEZDESU_MAX_BODY_BYTES", "1048576", "How large a request may be, 1024 or more."),
    setting("KEZDESU_SOCKET_OPERATIONS", "20", "How many operations a WebSocket may run at once, 1 to 10000."),
    setting(
        "KEZDESU_GATEWAYS",
        "none",
        "Addresses or networks from which only gateways ask, with commas between; the subscribers of one share a socket.",
    ),
    setting(
        "KEZDESU_GATEWAY_OPERATIONS",
        "10000",
        "How many operations a gateway's WebSocket may run at once, 1 to 10000.",
    ),
    setting(
        "KEZDESU_TRUSTED_PROXIES",
        "none",
        "Networks of the proxies in front, such as `10.0.0.0/8`, with commas between; only they say by `X-Forwarded-For` who asks.",
    ),
    setting(
        "KEZDESU_PERSON_A_MINUTE",
        "60",
        "How many posts, how many votes, and how many other mutations a person may send a minute at one replica; 0 is any number.",
    ),
    setting(
        "KEZDESU_ADDRESS_A_MINUTE",
        "3000",
        "The same for an address: many phones of one network may share it. Behind a proxy set `KEZDESU_TRUSTED_PROXIES`.",
    ),
    setting(
        "KEZDESU_PERSON_COST_A_MINUTE",
        "200000",
        "How many cost units a person's operations may come to a minute at one replica, and at once; 0 is any number.",
    ),
    setting(
        "KEZDESU_ADDRESS_COST_A_MINUTE",
        "1000000",
        "The same for an address; the addresses of `KEZDESU_GATEWAYS` are not limited.",
    ),
    setting(
        "KEZDESU_CONCURRENT_OPERATIONS",
        "256",
        "How many queries, and how many mutations, run at once at one replica, up to 65535; 0 is any number.",
    ),
    setting(
        "KEZDESU_ADDRESS_CONNECTIONS",
        "15000",
        "How many connections an address may have open, of IPv6 a /64 network; 0 is any number. Behind a proxy set `KEZDESU_TRUSTED_PROXIES`.",
    ),
    setting("KEZDESU_OPERATIONS", "none", "A file of persisted operations, in the format of Apollo's manifest."),
    setting(
        "KEZDESU_SAFELIST",
        "off",
        "`off` or `public`; with `public`, the anonymous and citizens run only what `KEZDESU_OPERATIONS` lists.",
    ),
    setting("KEZDESU_LOG", "info", "What is logged, as a filter of `tracing`."),
    setting("KEZDESU_LOG_FORMAT", "text", "`text` or `json`."),
    setting(
        "KEZDESU_OTLP",
        "none",
        "Address of an OpenTelemetry collector (OTLP over HTTP), such as `http://collector:4318` or `https://otlp.example`.",
    ),
    setting(
        "KEZDESU_CONFIG",
        "none",
        "A TOML file of settings; the environment goes before it, but for variables that are empty.",
    ),
];

/// Whether the service is for those who build on it or for everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// GraphiQL, introspection, a development key.
    Development,
    /// None of these.
    Production,
}

/// Whose operations must be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safelist {
    /// Nobody's.
    Off,
    /// Those of the anonymous and of citizens.
    Public,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of health, readiness and metrics.
    pub ops_listen: SocketAddr,
    /// For whom the service is.
    pub environment: Environment,
    /// How long the service says that its end is near before it begins.
    pub lame_duck: TimeDelta,
    /// Where files lie.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: Secret<String>,
    /// How many connections to it.
    pub database_connections: u32,
    /// The Redis that joins replicas.
    pub redis_url: Option<Secret<String>>,
    /// Prefix of its channels.
    pub redis_prefix: String,
    /// Where the keys are.
    pub jwks: Option<String>,
    /// The `iss` of tokens.
    pub jwt_issuer: String,
    /// The `aud` of tokens.
    pub jwt_audience: String,
    /// Origins of web pages that may use the API.
    pub allowed_origins: Vec<String>,
    /// Host names under which the service is reached; none: any.
    pub hosts: Option<Vec<String>>,
    /// The norms in force.
    pub norms: Norms,
    /// How many events of a feed are kept.
    pub keep_events: i64,
    /// How large a request may be, in bytes.
    pub max_body_bytes: usize,
    /// How many operations a socket may run.
    pub socket_operations: usize,
    /// Networks from which only gateways ask.
    pub gateways: Vec<IpNet>,
    /// How many operations a gateway's socket may run.
    pub gateway_operations: usize,
    /// Networks of the proxies in front.
    pub trusted_proxies: Vec<IpNet>,
    /// How many posts, votes or other mutations a person may send a minute; none: any number.
    pub person_a_minute: Option<NonZeroU32>,
    /// The same for an address.
    pub address_a_minute: Option<NonZeroU32>,
    /// How many cost units a person's operations may come to a minute; none: any number.
    pub person_cost_a_minute: Option<NonZeroU32>,
    /// The same for an address.
    pub address_cost_a_minute: Option<NonZeroU32>,
    /// How many queries, and how many mutations, run at once; none: any number.
    pub concurrent_operations: Option<NonZeroUsize>,
    /// How many connections an address may have open; none: any number.
    pub address_connections: Option<NonZeroU32>,
    /// A file of persisted operations.
    pub operations: Option<PathBuf>,
    /// Whose operations must be listed in it.
    pub safelist: Safelist,
    /// What is logged.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where traces are sent.
    pub otlp: Option<String>,
}

impl Settings {
    /// Whether the database is the embedded one.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url.reveal().starts_with("sqlite:")
    }
}

/// The table of settings as it stands in the operator's handbook.
#[must_use]
pub fn settings_table() -> String {
    let rows = SETTINGS.iter().map(|one| format!("| `{}` | {} | {} |\n", one.name, one.default, one.what));
    format!("| setting | default | what it is for |\n|---|---|---|\n{}", rows.collect::<String>())
}
