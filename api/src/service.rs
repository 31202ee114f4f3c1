//! The service: everything wired together, from its listeners to its end.

use std::{
    fs::{DirBuilder, OpenOptions, Permissions},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    app::{App, AppParts, rate_limit::RateLimits},
    auth::{Authenticator, KeyError, LEEWAY},
    clock::{Clock, sleep},
    config::{Environment, Settings},
    domain::regions::embedded,
    feed::{Bus, Hub, MemoryBus, RedisBus, SplitBoard},
    files,
    graphql::Engine,
    http::{
        AllowedHosts, ConcurrencyLimits, ConnectionLimits, HttpState, Limits, ManifestError, OpsState,
        PersistedQueries, ServerConfig, ops_router, router, serve,
    },
    idgen::IdGen,
    jobs,
    lifecycle::Lifecycle,
    store::{DatabaseEngine as Database, Store, StoreError},
    telemetry, tls,
};

/// How long work that no request waits for may take to finish once the end has begun.
const FINISH: Duration = Duration::from_secs(2);
/// How long the operator's listener, and then the database's connections, may take to close.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a service is made of.
pub struct Setup {
    /// The settings.
    pub settings: Settings,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Fresh identities.
    pub ids: Arc<dyn IdGen>,
    /// Where the API listens.
    pub listener: TcpListener,
    /// Where the operator listens.
    pub ops_listener: TcpListener,
    /// Whether the schema of a PostgreSQL is brought up to date; the embedded one always is.
    pub migrate: bool,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened or brought up to date.
    #[error("KEZDESU_DATABASE_URL: {}", .0.chain())]
    Store(StoreError),
    /// The database is there and takes no writes.
    #[error("KEZDESU_DATABASE_URL: the database cannot be written: {}", .0.chain())]
    ReadOnly(StoreError),
    /// The database's schema is not up to date.
    #[error("KEZDESU_DATABASE_URL: the schema is not up to date: run `kezdesu migrate`, or serve with --migrate")]
    NotMigrated,
    /// The schema is there, and the units are not.
    #[error("KEZDESU_DATABASE_URL: there are no units yet: run `kezdesu migrate`, or serve with --migrate")]
    NoUnits,
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The persisted operations cannot be had.
    #[error(transparent)]
    Operations(#[from] ManifestError),
    /// The bus cannot be made.
    #[error("KEZDESU_REDIS_URL: the address is not understood")]
    Bus(#[from] redis::RedisError),
    /// A directory or listener cannot be had.
    #[error("KEZDESU_DATA_DIR: the directory cannot be made")]
    Directory(#[source] std::io::Error),
    /// A listener has no address.
    #[error("KEZDESU_LISTEN: the listener has no address")]
    Listener(#[source] std::io::Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        if error.is_read_only() { Self::ReadOnly(error) } else { Self::Store(error) }
    }
}

/// Why no back-up was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database has tools of its own for that.
    #[error(
        "KEZDESU_DATABASE_URL: only the embedded database is backed up by this command; back PostgreSQL up with its own tools"
    )]
    NotEmbedded,
    /// The file's name cannot be said to the database.
    #[error("the name of the file is not UTF-8")]
    Name,
    /// The file is there already, or cannot be made.
    #[error("the file cannot be made")]
    File(#[source] std::io::Error),
    /// The copy failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A service that runs.
pub struct Service {
    address: SocketAddr,
    ops_address: SocketAddr,
    app: Arc<App>,
    lifecycle: Lifecycle,
    shutdown_delay: TimeDelta,
    doors: JoinHandle<()>,
    /// The operator's listener outlasts the others, to say how the end goes.
    ops_life: Lifecycle,
    ops_doors: JoinHandle<()>,
}

/// Opens the database, brings its schema up to date where that is wished, and puts the embedded units there.
///
/// # Errors
/// When the database cannot be had.
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

/// Makes a directory that only this user can look into; one that is there is closed to others.
fn private_directory(path: &Path) -> std::io::Result<()> {
    if !path.is_dir() {
        return DirBuilder::new().recursive(true).mode(0o700).create(path);
    }
    // One that belongs to somebody else is left as it is.
    let _ = std::fs::set_permissions(path, Permissions::from_mode(0o700));
    Ok(())
}

/// Copies the embedded database as it is now into a new file that only this user can read. Whoever uses it goes on.
///
/// # Errors
/// When the database is PostgreSQL, the file is there already or cannot be written.
pub async fn back_up(settings: &Settings, file: &Path) -> Result<(), BackupError> {
    if !settings.is_embedded() {
        return Err(BackupError::NotEmbedded);
    }
    let path = file.to_str().ok_or(BackupError::Name)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(BackupError::File)?;
    let store = Store::connect(settings.database_url.reveal(), settings.database_connections).await?;
    store.copy_to(path).await?;
    store.close().await;
    Ok(())
}

/// Up to when somebody's tokens are withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The last second of issue that is reached.
    pub until: DateTime<Utc>,
    /// How long it is until a token that is issued then is accepted.
    pub wait: TimeDelta,
}

/// Withdraws every token that was issued to somebody until now. Replicas look every second.
///
/// A signer's clock may be ahead, so that a token which is in use already says that it was issued [`LEEWAY`] later: that far it
/// reaches. Tokens count whole seconds, and so does what they are compared with.
///
/// # Errors
/// When the database fails.
pub async fn withdraw_tokens(store: &Store, clock: &dyn Clock, subject: &str) -> Result<Withdrawal, StartError> {
    let now = store.time().await?.unwrap_or_else(|| clock.now());
    let until = (now + LEEWAY).trunc_subsecs(0);
    let tx = store.begin().await?;
    tx.revoke_tokens(subject, until).await?;
    tx.commit().await?;
    tracing::info!("tokens were withdrawn");
    Ok(Withdrawal { until, wait: until + TimeDelta::seconds(1) - now })
}

/// Gives the feeds a generation where they have none yet.
async fn begin_epoch(store: &Store, clock: &dyn Clock, ids: &dyn IdGen) -> Result<(), StoreError> {
    let now = clock.now();
    let tx = store.begin().await?;
    tx.begin_epoch(ids.next(now).simple().to_string(), now).await?;
    tx.commit().await.map(drop)
}

/// Begins a new generation of the feeds, after the database was restored from a backup, and gives it. Replicas look every second.
///
/// # Errors
/// When the database fails.
pub async fn new_epoch(store: &Store, clock: &dyn Clock, ids: &dyn IdGen) -> Result<String, StartError> {
    let now = clock.now();
    let tx = store.begin().await?;
    tx.change_epoch(ids.next(now).simple().to_string(), now).await?;
    tx.commit().await?;
    tracing::info!("the feeds have a new epoch");
    Ok(store.feed_epoch().await?)
}

/// The acts over a database, with the bus that the settings name.
///
/// # Errors
/// When the units cannot be read.
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
    Ok(App::new(AppParts { store, clock, ids, region_history, norms: settings.norms.clone(), bus, limits }))
}

fn bus(settings: &Settings, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) -> Result<Arc<dyn Bus>, StartError> {
    let Some(url) = &settings.redis_url else { return Ok(Arc::new(MemoryBus::default())) };
    let bus = RedisBus::new(url.reveal(), &settings.redis_prefix, Arc::clone(clock))?;
    lifecycle.spawn("bus", Arc::clone(&bus).run());
    Ok(bus)
}

/// Starts a service.
///
/// # Errors
/// When a part of it cannot be had.
pub async fn start(setup: Setup) -> Result<Service, StartError> {
    let Setup { settings, clock, ids, listener, ops_listener, migrate } = setup;
    tls::provide();
    let metrics = telemetry::metrics();
    let address = listener.local_addr().map_err(StartError::Listener)?;
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
    let hub = Hub::new(store.clone(), Arc::clone(&clock));
    lifecycle.spawn("hub", Arc::clone(&hub).run(Arc::clone(&bus)));
    jobs::start(&lifecycle, &app, &auth, &bus, settings.keep_events);

    let splits = SplitBoard::new(Arc::clone(&hub), store.clone(), Arc::clone(&clock));
    let development = settings.environment == Environment::Development;
    let trusted_proxies: Arc<[_]> = settings.trusted_proxies.clone().into();
    let connections = ConnectionLimits::new(
        files::limit(),
        settings.database_connections,
        settings.address_connections,
        Arc::clone(&trusted_proxies),
    );
    let door = HttpState {
        engine: Engine::new(Arc::clone(&app), Arc::clone(&hub), splits, development),
        auth,
        clock,
        ids,
        lifecycle: lifecycle.clone(),
        persisted_queries: Arc::new(persisted_queries),
        allowed_origins: settings.allowed_origins.clone().into(),
        trusted_proxies,
        allowed_hosts: AllowedHosts::new(settings.hosts.as_deref()),
        connections: Arc::clone(&connections),
        gateways: settings.gateways.clone().into(),
        concurrency: ConcurrencyLimits::new(settings.concurrent_operations),
        explorer_enabled: development,
        limits: Limits {
            max_body_bytes: settings.max_body_bytes,
            socket_operations: settings.socket_operations,
            gateway_operations: settings.gateway_operations,
            ..Limits::default()
        },
    };
    let ops =
        ops_router(OpsState { lifecycle: lifecycle.clone(), store, bus, hub, engine: door.engine.clone(), metrics });
    let clock = Arc::clone(&door.clock);
    let server_config =
        ServerConfig { lifecycle: lifecycle.clone(), clock, limits: door.limits, connections: Some(connections) };
    let ops_life = Lifecycle::default();
    let ops_server_config = ServerConfig { lifecycle: ops_life.clone(), connections: None, ..server_config.clone() };
    let doors = tokio::spawn(serve(listener, router(door), server_config));
    let ops_doors = tokio::spawn(serve(ops_listener, ops, ops_server_config));
    tracing::info!(%address, %ops_address, "kezdesu serves");
    Ok(Service {
        address,
        ops_address,
        app,
        lifecycle,
        shutdown_delay: settings.shutdown_delay,
        doors,
        ops_life,
        ops_doors,
    })
}

impl Service {
    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the operator listens.
    #[must_use]
    pub const fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// The acts.
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// When to stop.
    #[must_use]
    pub const fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Ends the service: says that it will, then takes nothing new, closes sockets and finishes what is under way.
    pub async fn stop(self) {
        self.lifecycle.announce_end();
        tokio::select! {
            () = sleep(self.app.clock.as_ref(), self.shutdown_delay) => {}
            // It has begun by itself.
            () = self.lifecycle.draining() => {}
        }
        self.lifecycle.begin_drain();
        // A listener that has panicked has nothing left to finish.
        let _ = self.doors.await;
        // Real time from here: a database that hangs must not keep the process from its end.
        if tokio::time::timeout(FINISH, self.lifecycle.finish()).await.is_err() {
            tracing::warn!("work was cut off at the end");
        }
        self.ops_life.begin_drain();
        let _ = tokio::time::timeout(FAREWELL, self.ops_doors).await;
        let _ = tokio::time::timeout(FAREWELL, self.app.store.close()).await;
    }
}
