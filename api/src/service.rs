//! The service: wires everything together, from listeners to shutdown.

mod backup;
mod limits;
mod revocation;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use chrono::TimeDelta;
use tokio::{net::TcpListener, task::JoinHandle};

pub use backup::{BackupError, back_up};
use limits::{connection_limits, http_limits};
pub use revocation::{TokenRevocation, revoke_tokens};

use crate::{
    app::{
        self, App, AppParts, protocol::Protocols, publications::PublishedReads, rate_limit::RateLimits,
        receptions::ReceptionRules, retention::RetentionPolicy, time_split::TimeSplitTickers,
    },
    auth::{Authenticator, KeyError},
    clock::{Clock, sleep},
    config::{Environment, Settings},
    domain::regions::embedded,
    encryption::{KEY_FILE, KeyRing},
    feed::{Bus, Hub, MemoryBus, RedisBus},
    graphql::Engine,
    http::{
        AllowedHosts, ConcurrencyLimits, HttpState, ManifestError, OpsState, PersistedQueries, PublishedPages,
        ResponseCache, ServerConfig, ops_router, router, serve,
    },
    idgen::IdGen,
    jobs,
    lifecycle::Lifecycle,
    secret_file::private_directory,
    store::{DatabaseEngine as Database, Store, StoreError},
    telemetry, tls,
    webhooks::{AddressRules, SystemResolver, WebhookClient},
};

/// How long tasks may take to finish once all requests are done.
const TASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the operations listener, and then the database pool, may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is needed to start a service.
pub struct Setup {
    /// The settings.
    pub settings: Settings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGen>,
    /// Listener of the API.
    pub listener: TcpListener,
    /// Listener of the operations endpoints.
    pub ops_listener: TcpListener,
    /// Whether to migrate a PostgreSQL schema first. The embedded database is always migrated.
    pub migrate: bool,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened or migrated.
    #[error("KEZDESU_DATABASE_URL: {}", .0.chain())]
    Store(StoreError),
    /// The database is read-only.
    #[error("KEZDESU_DATABASE_URL: the database cannot be written: {}", .0.chain())]
    ReadOnly(StoreError),
    /// The schema has pending migrations.
    #[error("KEZDESU_DATABASE_URL: the schema is not up to date: run `kezdesu migrate`, or serve with --migrate")]
    NotMigrated,
    /// The territorial units are missing.
    #[error("KEZDESU_DATABASE_URL: there are no units yet: run `kezdesu migrate`, or serve with --migrate")]
    NoUnits,
    /// The token keys are not available.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The persisted operations cannot be loaded.
    #[error(transparent)]
    Operations(#[from] ManifestError),
    /// The Redis URL is invalid.
    #[error("KEZDESU_REDIS_URL: the address is not understood")]
    Bus(#[from] redis::RedisError),
    /// The data directory cannot be created.
    #[error("KEZDESU_DATA_DIR: the directory cannot be made")]
    Directory(#[source] std::io::Error),
    /// The key file of the embedded database cannot be read or created.
    #[error("KEZDESU_DATA_DIR: the file {KEY_FILE} cannot be used")]
    KeyFile(#[source] std::io::Error),
    /// A key that personal data is encrypted with is missing.
    #[error("KEZDESU_DATA_KEYS: personal data is encrypted with the key {0}, which is not among the keys")]
    MissingDataKey(String),
    /// The client that sends events to receivers cannot be created.
    #[error("the certificates of the system cannot be used")]
    WebhookClient(#[source] reqwest::Error),
    /// A listener has no address.
    #[error("KEZDESU_LISTEN: the listener has no address")]
    Listener(#[source] std::io::Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        if error.is_read_only() { Self::ReadOnly(error) } else { Self::Store(error) }
    }
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    ops_address: SocketAddr,
    app: Arc<App>,
    lifecycle: Lifecycle,
    shutdown_delay: TimeDelta,
    api_server: JoinHandle<()>,
    /// The operations listener stops last, to report on the shutdown.
    ops_lifecycle: Lifecycle,
    ops_server: JoinHandle<()>,
}

/// Opens the database, migrates it if asked to, and seeds the embedded units.
///
/// # Errors
/// When the database is not available or not migrated.
pub async fn open(settings: &Settings, migrate: bool) -> Result<Store, StartError> {
    if settings.is_embedded() {
        private_directory(&settings.data_dir).map_err(StartError::Directory)?;
    }
    let store = Store::connect(settings.database_url.reveal(), settings.database_connections).await?;
    if migrate || store.engine() == Database::Sqlite {
        store.migrate().await?;
        let tx = store.begin().await?;
        if tx.seed_units(embedded()).await? {
            tx.commit().await?;
        }
    } else if !store.is_migrated().await? {
        return Err(StartError::NotMigrated);
    } else if !store.has_units().await? {
        return Err(StartError::NoUnits);
    }
    store.probe_write().await?;
    Ok(store)
}

/// Sets the first epoch of the feeds, if there is none.
async fn begin_epoch(store: &Store, clock: &dyn Clock, ids: &dyn IdGen) -> Result<(), StoreError> {
    let now = clock.now();
    let tx = store.begin().await?;
    tx.begin_epoch(ids.next(now).simple().to_string(), now).await?;
    tx.commit().await.map(drop)
}

/// Begins a new epoch of the feeds, after a restore from a backup, and returns it. Replicas check every
/// second.
///
/// # Errors
/// When the database fails.
pub async fn new_epoch(store: &Store, clock: &dyn Clock, ids: &dyn IdGen) -> Result<String, StartError> {
    let now = clock.now();
    let tx = store.begin().await?;
    tx.change_epoch(ids.next(now).simple().to_string(), now).await?;
    tx.commit().await?;
    tracing::info!("began a new epoch of the feeds");
    Ok(store.feed_epoch().await?)
}

/// Creates the commands over a database.
///
/// # Errors
/// When the units, bodies and categories cannot be loaded.
pub async fn app(
    settings: &Settings,
    store: Store,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
) -> Result<Arc<App>, StartError> {
    let region_history = ArcSwap::from_pointee(store.region_history().await?);
    let limits = RateLimits {
        person: settings.person_a_minute,
        address: settings.address_a_minute,
        person_cost: settings.person_cost_a_minute,
        address_cost: settings.address_cost_a_minute,
        gateways: settings.gateways.clone(),
    };
    let reception_rules =
        ReceptionRules { offer: settings.reception_offer, days_between: settings.reception_days_between };
    let (norms, data_keys) = (settings.norms.clone(), data_keys(settings)?);
    let key_ids: Vec<String> = data_keys.ids().map(str::to_owned).collect();
    let missing = store.unknown_applicant_key(&key_ids).await?;
    if let Some(missing) = missing.or(store.unknown_webhook_key(&key_ids).await?) {
        return Err(StartError::MissingDataKey(missing));
    }
    let webhook_client = webhook_client(settings, &clock)?;
    let app = App::new(AppParts {
        store,
        clock,
        ids,
        region_history,
        norms,
        data_keys,
        bus,
        reception_rules,
        webhook_client,
        public_url: settings.link_base(),
        limits,
    });
    app.reload_reference_data().await?;
    Ok(app)
}

/// Returns the client that sends events to receivers.
fn webhook_client(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<WebhookClient, StartError> {
    let https_only = settings.environment == Environment::Production;
    let rules = AddressRules { https_only, networks: settings.webhook_networks.clone() };
    WebhookClient::new(rules, Arc::new(SystemResolver::default()), Arc::clone(clock)).map_err(StartError::WebhookClient)
}

/// Returns the keys for personal data: those of the setting, or those of the embedded database's key file.
fn data_keys(settings: &Settings) -> Result<KeyRing, StartError> {
    match &settings.data_keys {
        Some(keys) => Ok(keys.reveal().clone()),
        None => KeyRing::of_directory(&settings.data_dir).map_err(StartError::KeyFile),
    }
}

fn retention_policy(settings: &Settings, app: &Arc<App>) -> RetentionPolicy {
    let (default_events, applicants) = (settings.keep_events, settings.applicant_retention);
    RetentionPolicy { topics: app::topics(app), default_events, applicants }
}

fn bus(settings: &Settings, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) -> Result<Arc<dyn Bus>, StartError> {
    let Some(url) = &settings.redis_url else { return Ok(Arc::new(MemoryBus::default())) };
    let bus = RedisBus::new(url.reveal(), &settings.redis_prefix, Arc::clone(clock))?;
    lifecycle.spawn("bus", Arc::clone(&bus).run());
    Ok(bus)
}

fn start_hub(policy: &RetentionPolicy, app: &App, lifecycle: &Lifecycle) -> Arc<Hub> {
    let hub = Hub::new(policy.topics.clone(), app.store.clone(), Arc::clone(&app.clock));
    lifecycle.spawn("hub", Arc::clone(&hub).run(Arc::clone(&app.bus)));
    hub
}

/// Sets the address that is listened on, whose port links name.
fn listening_on(address: SocketAddr, settings: Settings) -> Settings {
    let settings = Settings { listen: address, ..settings };
    if settings.environment == Environment::Production && settings.public_url.is_none() {
        tracing::warn!("KEZDESU_PUBLIC_URL is not set: links begin with {}", settings.link_base());
    }
    settings
}

/// Starts a service.
///
/// # Errors
/// When a component cannot start.
pub async fn start(setup: Setup) -> Result<Service, StartError> {
    let Setup { settings, clock, ids, listener, ops_listener, migrate } = setup;
    tls::install_provider();
    let metrics = telemetry::metrics();
    let settings = listening_on(listener.local_addr().map_err(StartError::Listener)?, settings);
    let ops_address = ops_listener.local_addr().map_err(StartError::Listener)?;
    let persisted_queries = PersistedQueries::load(settings.operations.as_deref(), settings.safelist)?;
    let lifecycle = Lifecycle::default();
    let auth = Authenticator::start(&settings, Arc::clone(&clock)).await?;
    let store = open(&settings, migrate).await?;
    auth.set_revocations(store.revocations().await?);
    let bus = bus(&settings, &clock, &lifecycle)?;
    let app = app(&settings, store.clone(), Arc::clone(&bus), Arc::clone(&clock), Arc::clone(&ids)).await?;
    app.set_clock().await?;
    begin_epoch(&store, clock.as_ref(), ids.as_ref()).await?;
    let policy = retention_policy(&settings, &app);
    let hub = start_hub(&policy, &app, &lifecycle);
    jobs::start(&lifecycle, &app, &auth, &bus, &policy).await?;

    let splits = TimeSplitTickers::new(Arc::clone(&hub), store, Arc::clone(&clock));
    let development = settings.environment == Environment::Development;
    let trusted_proxies: Arc<[_]> = settings.trusted_proxies.clone().into();
    let connections = connection_limits(&settings, &trusted_proxies);
    let state = HttpState {
        engine: Engine::new(Arc::clone(&app), Arc::clone(&hub), splits, development),
        auth,
        clock,
        ids,
        lifecycle: lifecycle.clone(),
        persisted_queries: Arc::new(persisted_queries),
        response_cache: ResponseCache::default(),
        pages: PublishedPages::new(Protocols::new(Arc::clone(&app)), PublishedReads::new(&app)),
        allowed_origins: settings.allowed_origins.clone().into(),
        trusted_proxies,
        allowed_hosts: AllowedHosts::new(settings.hosts.as_deref()),
        connections: Arc::clone(&connections),
        gateways: settings.gateways.clone().into(),
        concurrency: ConcurrencyLimits::new(settings.concurrent_operations),
        explorer_enabled: development,
        limits: http_limits(&settings),
    };
    let (database, engine, clock) = (app.database_health(), state.engine.clone(), Arc::clone(&state.clock));
    let ops = ops_router(OpsState { lifecycle: lifecycle.clone(), database, bus, hub, engine, metrics });
    let api_config =
        ServerConfig { lifecycle: lifecycle.clone(), clock, limits: state.limits, connections: Some(connections) };
    let ops_lifecycle = Lifecycle::default();
    let ops_config = ServerConfig { lifecycle: ops_lifecycle.clone(), connections: None, ..api_config.clone() };
    let api_server = tokio::spawn(serve(listener, router(state), api_config));
    let ops_server = tokio::spawn(serve(ops_listener, ops, ops_config));
    tracing::info!(address = %settings.listen, %ops_address, "kezdesu is serving");
    Ok(Service {
        address: settings.listen,
        ops_address,
        app,
        lifecycle,
        shutdown_delay: settings.shutdown_delay,
        api_server,
        ops_lifecycle,
        ops_server,
    })
}

impl Service {
    /// Returns the address of the API.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the operations listener.
    #[must_use]
    pub const fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// Returns the commands.
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Returns the lifecycle, which tells when to stop.
    #[must_use]
    pub const fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Shuts down: reports not-ready, waits, then drains: accepts nothing new, closes sockets, finishes
    /// requests.
    pub async fn stop(self) {
        self.lifecycle.begin_shutdown();
        tokio::select! {
            () = sleep(self.app.clock.as_ref(), self.shutdown_delay) => {}
            // Draining has started because a task failed.
            () = self.lifecycle.draining() => {}
        }
        self.lifecycle.begin_drain();
        // An error means that the listener's task panicked.
        let _ = self.api_server.await;
        // Real time from here on: a hanging database must not keep the process alive.
        if tokio::time::timeout(TASK_TIMEOUT, self.lifecycle.finish()).await.is_err() {
            tracing::warn!("aborted tasks that did not finish in time");
        }
        self.ops_lifecycle.begin_drain();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.ops_server).await;
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.app.store.close()).await;
    }
}
