//! A test environment: one database, one bus, one or more replicas, one clock.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use kezdesu::{
    clock::{Clock, ManualClock},
    config::{Settings, load},
    idgen::RandomIds,
    service::{self, Service, Setup},
};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, TransactionTrait as _};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{Actor, Tokens, databases, token_claims};

/// The morning on which every scene begins: 2 March 2026, 09:00 in Almaty.
pub const START: &str = "2026-03-02T04:00:00Z";

/// On what a test environment is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite and a bus within each process.
    Embedded,
    /// PostgreSQL and Redis.
    Production,
}

/// A test environment.
pub struct TestEnv {
    /// Time.
    pub clock: Arc<ManualClock>,
    /// On what it is built.
    pub engine: Engine,
    /// Signs tokens.
    pub tokens: Tokens,
    settings: Settings,
    services: Vec<Service>,
    people: AtomicU64,
    redis: Option<String>,
    _dir: tempfile::TempDir,
}

impl TestEnv {
    /// A test environment with one replica.
    pub async fn start(engine: Engine) -> Self {
        Self::with(engine, &[]).await
    }

    /// A test environment with one replica and settings of its own.
    pub async fn with(engine: Engine, more: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let jwks = dir.path().join("jwks.json");
        Tokens.publish(&jwks);
        let text = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
        let mut pairs = vec![
            ("KEZDESU_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("KEZDESU_DATA_DIR".to_owned(), text(dir.path())),
            ("KEZDESU_JWKS".to_owned(), text(&jwks)),
            ("KEZDESU_JWT_ISSUER".to_owned(), Tokens::ISSUER.to_owned()),
            ("KEZDESU_JWT_AUDIENCE".to_owned(), Tokens::AUDIENCE.to_owned()),
            ("KEZDESU_DATABASE_CONNECTIONS".to_owned(), "6".to_owned()),
            // A few people do in a scene what a crowd does outside.
            ("KEZDESU_PERSON_A_MINUTE".to_owned(), "0".to_owned()),
            ("KEZDESU_ADDRESS_A_MINUTE".to_owned(), "0".to_owned()),
            ("KEZDESU_PERSON_COST_A_MINUTE".to_owned(), "0".to_owned()),
            ("KEZDESU_ADDRESS_COST_A_MINUTE".to_owned(), "0".to_owned()),
            ("KEZDESU_CONCURRENT_OPERATIONS".to_owned(), "0".to_owned()),
        ];
        let mut redis = None;
        if engine == Engine::Production {
            let databases = databases().await;
            let url = databases.fresh().await;
            let prefix = url.rsplit('/').next().unwrap_or_default().to_owned();
            pairs.push(("KEZDESU_DATABASE_URL".to_owned(), url));
            pairs.push(("KEZDESU_REDIS_URL".to_owned(), databases.redis()));
            pairs.push(("KEZDESU_REDIS_PREFIX".to_owned(), prefix));
            redis = Some(databases.redis());
        }
        pairs.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings = load(pairs).expect("the settings hold");
        let clock = ManualClock::at(START.parse().expect("a moment"));
        let people = AtomicU64::new(1);
        let mut env = Self { clock, engine, tokens: Tokens, settings, services: Vec::new(), people, redis, _dir: dir };
        env.replica().await;
        env
    }

    /// Starts one more replica, and gives its number.
    pub async fn replica(&mut self) -> usize {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.replica_by(clock).await
    }

    /// Starts one more replica that goes by a clock of its own.
    pub async fn replica_by(&mut self, clock: Arc<dyn Clock>) -> usize {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let service = service::start(Setup {
            settings: self.settings.clone(),
            clock,
            ids: RandomIds::start(),
            listener: bind().await.expect("a listener"),
            ops_listener: bind().await.expect("a listener"),
            migrate: false,
        });
        self.services.push(service.await.expect("the service starts"));
        self.services.len() - 1
    }

    /// Stops a replica, in order.
    pub async fn stop(&mut self, replica: usize) {
        self.services.remove(replica).stop().await;
    }

    /// A running replica.
    #[must_use]
    pub fn service(&self, replica: usize) -> &Service {
        &self.services[replica]
    }

    /// What comes of some work, and how many statements the first replica has run meanwhile.
    pub async fn counting<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let store = &self.service(0).app().store;
        let before = store.statements();
        let done = work.await;
        (done, store.statements() - before)
    }

    /// Where a replica is, without a scheme.
    #[must_use]
    pub fn host(&self, replica: usize) -> String {
        self.services[replica].address().to_string()
    }

    /// Where the operator's listener of a replica is, without a scheme.
    #[must_use]
    pub fn ops_host(&self, replica: usize) -> String {
        self.services[replica].ops_address().to_string()
    }

    /// The moment it is.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn advance(&self, span: TimeDelta) {
        self.clock.advance(span);
    }

    /// Changes the database past every replica, as another version or an operator may.
    pub async fn sql(&self, text: &str) {
        let connection = self.database().await;
        connection.execute_unprepared(text).await.expect("the database obeys");
        connection.close().await.expect("the database lets go");
    }

    /// Begins a transaction past every replica and keeps it until what is given is dropped: a lock that nobody lets go.
    pub async fn hold(&self, text: &str) -> DatabaseTransaction {
        let connection = self.database().await;
        let held = connection.begin().await.expect("a transaction");
        held.execute_unprepared(text).await.expect("the database obeys");
        held
    }

    /// The address of its database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.settings.database_url.reveal()
    }

    /// Where Redis is, in production.
    #[must_use]
    pub fn redis(&self) -> Option<&str> {
        self.redis.as_deref()
    }

    /// A connection of its own to the database, for what no user can see or do.
    pub async fn database(&self) -> DatabaseConnection {
        Database::connect(self.settings.database_url.reveal()).await.expect("the database answers")
    }

    /// Somebody with these roles.
    #[must_use]
    pub fn person(&self, name: &str, roles: &[&str], region: Option<&str>) -> Actor {
        let subject = format!("{name}-{}", self.people.fetch_add(1, Ordering::Relaxed));
        let claims = token_claims(&subject, name, roles, region, self.now());
        self.with_claims(&claims)
    }

    /// Whoever holds a token with these claims.
    #[must_use]
    pub fn with_claims(&self, claims: &Value) -> Actor {
        Actor::new(self.host(0), Some(self.tokens.sign(claims)))
    }

    /// Somebody without a token.
    #[must_use]
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.host(0), None)
    }

    /// A citizen.
    #[must_use]
    pub fn citizen(&self, name: &str) -> Actor {
        self.person(name, &["CITIZEN"], None)
    }

    /// A moderator of a region.
    #[must_use]
    pub fn moderator(&self, region: &str) -> Actor {
        self.person("Moderator", &["MODERATOR"], Some(region))
    }

    /// Staff of a region's akimat.
    #[must_use]
    pub fn akimat(&self, region: &str) -> Actor {
        self.person("Staff", &["AKIMAT"], Some(region))
    }

    /// A connector for a region.
    #[must_use]
    pub fn connector(&self, region: &str) -> Actor {
        self.person("Connector", &["CONNECTOR"], Some(region))
    }
}
