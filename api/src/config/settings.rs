//! The settings. Everything about one is declared here; `make settings` then updates the documentation.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    sync::LazyLock,
};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{
    config::{
        Secret, Setting, SettingError,
        declaration::settings,
        formats::{
            collector, data_keys, database, hosts, log_filter, networks, norm_sets, origins, public_url, redis,
            socket_address,
        },
        parser::{Parser, limit, number, one_of, path, text},
        raw::RawSettings,
    },
    domain::norms::Norms,
    encryption::KeyRing,
};

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

const ENVIRONMENTS: &[(&str, Environment)] =
    &[("development", Environment::Development), ("production", Environment::Production)];
const SAFELISTS: &[(&str, Safelist)] = &[("off", Safelist::Off), ("public", Safelist::Public)];
const LOG_FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

settings! {
    "General" {
        /// TOML file of settings. Non-empty environment variables take precedence.
        config: Option<PathBuf> = "KEZDESU_CONFIG", path("file").optional(), default "none" = None;

        /// Environment that the service runs in. Production serves no GraphiQL and no introspection, and requires
        /// `KEZDESU_JWKS` and `KEZDESU_DATA_KEYS`.
        environment: Environment = "KEZDESU_ENVIRONMENT", one_of(ENVIRONMENTS), default "development";

        /// Norm sets of the decree in force.
        norms: Norms = "KEZDESU_NORM_SETS", norm_sets(), default "decree-2022";
    }

    "Network" {
        /// Address of the API.
        listen: SocketAddr = "KEZDESU_LISTEN", socket_address("127.0.0.1:8080"), default "127.0.0.1:8080";

        /// Address of health, readiness and metrics.
        ops_listen: SocketAddr = "KEZDESU_OPS_LISTEN", socket_address("127.0.0.1:9090"), default "127.0.0.1:9090";

        /// Time to report not-ready before draining starts. Requests are still accepted meanwhile.
        shutdown_delay: TimeDelta = "KEZDESU_LAME_DUCK", number(0..=300).unit("seconds").map(TimeDelta::seconds),
            // In development there is no load balancer, and the service restarts often.
            default "5 in production, else 0" =
                TimeDelta::seconds(if environment == Environment::Production { 5 } else { 0 });

        /// Host names that are served. Addresses, `localhost` and names without a dot are always served.
        hosts: Option<Vec<String>> = "KEZDESU_HOSTS", hosts(),
            // In production a load balancer checks the host. Elsewhere this protects against DNS rebinding.
            default "any in production, else none" = (environment != Environment::Production).then(Vec::new);

        /// Address under which the service is reached, which links in pages and in the API begin with. Set it in production.
        public_url: Option<String> = "KEZDESU_PUBLIC_URL", public_url().optional(),
            default "`https://` and the first of `KEZDESU_HOSTS`, else `http://localhost` and the port" =
                hosts.iter().flatten().next().map(|host| format!("https://{host}"));

        /// Origins of web pages that may use the API. The service's own pages always may.
        allowed_origins: Vec<String> = "KEZDESU_ALLOWED_ORIGINS", origins(), default "none" = Vec::new();

        /// Networks of trusted proxies, such as `10.0.0.0/8`. Only their `X-Forwarded-For` is believed.
        trusted_proxies: Vec<IpNet> = "KEZDESU_TRUSTED_PROXIES", networks(), default "none" = Vec::new();

        /// Networks of federation gateways, whose subscribers share a socket.
        gateways: Vec<IpNet> = "KEZDESU_GATEWAYS", networks(), default "none" = Vec::new();
    }

    "Database and bus" {
        /// Directory of the embedded database, its key file and the development key.
        data_dir: PathBuf = "KEZDESU_DATA_DIR", path("directory"), default "./data";

        /// URL of the database.
        database_url: Secret<String> = "KEZDESU_DATABASE_URL", database().secret(),
            default "SQLite in `KEZDESU_DATA_DIR`" =
                Secret::new(format!("sqlite://{}", data_dir.join("kezdesu.db").display()));

        /// Maximum number of database connections. Half of them are reserved for commands and feeds.
        database_connections: u32 = "KEZDESU_DATABASE_CONNECTIONS", number(2..=500), default "16";

        /// URL of the Redis that connects the replicas. Required with more than one replica.
        redis_url: Option<Secret<String>> = "KEZDESU_REDIS_URL", redis().secret().optional(), default "none" = None;

        /// Prefix of the Redis channels.
        redis_prefix: String = "KEZDESU_REDIS_PREFIX", text("text"), default "kezdesu";

        /// Number of events kept in each feed for resuming clients.
        keep_events: i64 = "KEZDESU_KEEP_EVENTS", number(100..=i64::MAX), default "100000";
    }

    "Personal data" {
        /// Keys for personal data, each with its id: the first encrypts, all decrypt, and the one called `digest` finds
        /// equal values. Required in production, and with PostgreSQL; else `data.keys` in `KEZDESU_DATA_DIR` is created.
        data_keys: Option<Secret<KeyRing>> = "KEZDESU_DATA_KEYS", data_keys().secret().optional(),
            default "key file of the embedded database" = None;

        /// Time after the end of a reception when the personal data of its applicants is erased.
        applicant_retention: TimeDelta = "KEZDESU_APPLICANT_RETENTION_DAYS",
            number(1..=3650).unit("days").map(TimeDelta::days), default "90";
    }

    "Tokens" {
        /// File or `https://` URL of the JWKS that verifies tokens. Without it, a development key is created.
        jwks: Option<String> = "KEZDESU_JWKS", text("file or URL").optional(), default "none" = None;

        /// Required `iss` of tokens. Must be set with `KEZDESU_JWKS`.
        jwt_issuer: String = "KEZDESU_JWT_ISSUER", text("text"), default "kezdesu-dev";

        /// Required `aud` of tokens. Must be set with `KEZDESU_JWKS`.
        jwt_audience: String = "KEZDESU_JWT_AUDIENCE", text("text"), default "kezdesu";
    }

    "Limits" {
        /// Maximum size of a request body.
        max_body_bytes: usize = "KEZDESU_MAX_BODY_BYTES", number(1024..=1 << 30).unit("bytes"), default "1048576";

        /// Maximum number of concurrent operations on a WebSocket.
        socket_operations: usize = "KEZDESU_SOCKET_OPERATIONS", number(1..=10_000), default "20";

        /// Maximum number of concurrent operations on a gateway's WebSocket.
        gateway_operations: usize = "KEZDESU_GATEWAY_OPERATIONS", number(1..=10_000), default "10000";

        /// Maximum number of concurrent queries, of mutations, and of subscriptions that start, per replica.
        concurrent_operations: Option<NonZeroUsize> = "KEZDESU_CONCURRENT_OPERATIONS",
            limit(65_535, NonZeroUsize::new), default "256";

        /// Posts, votes and other mutations a minute for a person, each counted apart and per replica.
        person_a_minute: Option<NonZeroU32> = "KEZDESU_PERSON_A_MINUTE",
            limit(u32::MAX, NonZeroU32::new), default "60";

        /// The same for an address, which many phones of one network may share. Behind a proxy, set
        /// `KEZDESU_TRUSTED_PROXIES`.
        address_a_minute: Option<NonZeroU32> = "KEZDESU_ADDRESS_A_MINUTE",
            limit(u32::MAX, NonZeroU32::new), default "3000";

        /// Cost units a minute for a person, per replica; also the burst size.
        person_cost_a_minute: Option<NonZeroU32> = "KEZDESU_PERSON_COST_A_MINUTE",
            limit(u32::MAX, NonZeroU32::new), default "200000";

        /// The same for an address. The addresses of `KEZDESU_GATEWAYS` are exempt.
        address_cost_a_minute: Option<NonZeroU32> = "KEZDESU_ADDRESS_COST_A_MINUTE",
            limit(u32::MAX, NonZeroU32::new), default "1000000";

        /// Maximum number of open connections of an address, for IPv6 of a /64 network. Behind a proxy, set
        /// `KEZDESU_TRUSTED_PROXIES`.
        address_connections: Option<NonZeroU32> = "KEZDESU_ADDRESS_CONNECTIONS",
            limit(u32::MAX, NonZeroU32::new), default "15000";
    }

    "Receptions" {
        /// Time for which a freed slot of a reception is offered to the next in line.
        reception_offer: TimeDelta = "KEZDESU_RECEPTION_OFFER_SECONDS",
            number(1..=86_400).unit("seconds").map(TimeDelta::seconds), default "600";

        /// Days within which a person is received at most once by a host. 0 switches the rule off.
        reception_days_between: u32 = "KEZDESU_RECEPTION_DAYS_BETWEEN", number(0..=366).unit("days"), default "0";
    }

    "Webhooks" {
        /// Inner networks that webhooks may be sent to, such as `10.20.0.0/16`. Public addresses are always allowed.
        webhook_networks: Vec<IpNet> = "KEZDESU_WEBHOOK_NETWORKS", networks(), default "none" = Vec::new();
    }

    "Persisted operations" {
        /// File of persisted operations, in Apollo's manifest format.
        operations: Option<PathBuf> = "KEZDESU_OPERATIONS", path("file").optional(), default "none" = None;

        /// Whose operations must be persisted. With `public`, anonymous viewers and citizens may run only the
        /// operations of `KEZDESU_OPERATIONS`.
        safelist: Safelist = "KEZDESU_SAFELIST", one_of(SAFELISTS), default "off";
    }

    "Logs and traces" {
        /// Log filter.
        log: String = "KEZDESU_LOG", log_filter(), default "info";

        /// Log format.
        log_format: LogFormat = "KEZDESU_LOG_FORMAT", one_of(LOG_FORMATS), default "text";

        /// URL of an OpenTelemetry collector (OTLP over HTTP), such as `http://collector:4318` or
        /// `https://otlp.example`.
        otlp: Option<String> = "KEZDESU_OTLP", collector().optional(), default "none" = None;
    }
}

impl Settings {
    /// Returns whether the database is the embedded SQLite.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url.reveal().starts_with("sqlite:")
    }

    /// Returns what links to the service begin with, without a slash at the end.
    #[must_use]
    pub fn link_base(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://localhost:{}", self.listen.port()))
    }
}
