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
use sea_orm::{
    ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait as _,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{Actor, DATA_KEYS, Tokens, databases, token_claims};

/// Time at which every test starts: 2 March 2026, 09:00 in Almaty.
pub const START: &str = "2026-03-02T04:00:00Z";

/// The database and bus of a test environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite and an in-process bus.
    Embedded,
    /// PostgreSQL and Redis.
    Production,
}

/// A test environment.
pub struct TestEnv {
    /// The clock of the replicas.
    pub clock: Arc<ManualClock>,
    /// The database and bus in use.
    pub engine: Engine,
    /// Signs tokens.
    pub tokens: Tokens,
    pairs: Vec<(String, String)>,
    settings: Settings,
    services: Vec<Service>,
    people: AtomicU64,
    redis: Option<String>,
    _dir: tempfile::TempDir,
}

impl TestEnv {
    /// Starts a test environment with one replica.
    pub async fn start(engine: Engine) -> Self {
        Self::with(engine, &[]).await
    }

    /// Starts a test environment with one replica and additional settings.
    pub async fn with(engine: Engine, more: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let jwks = dir.path().join("jwks.json");
        Tokens.publish(&jwks);
        let text = |path: &std::path::Path| path.to_str().expect("a UTF-8 path").to_owned();
        let mut pairs = vec![
            ("KEZDESU_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("KEZDESU_DATA_DIR".to_owned(), text(dir.path())),
            ("KEZDESU_JWKS".to_owned(), text(&jwks)),
            ("KEZDESU_JWT_ISSUER".to_owned(), Tokens::ISSUER.to_owned()),
            ("KEZDESU_JWT_AUDIENCE".to_owned(), Tokens::AUDIENCE.to_owned()),
            ("KEZDESU_DATABASE_CONNECTIONS".to_owned(), "6".to_owned()),
            ("KEZDESU_DATA_KEYS".to_owned(), DATA_KEYS.to_owned()),
            ("KEZDESU_WEBHOOK_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
            // A test does as a few people what a crowd does in production.
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
        let settings = load(pairs.clone()).expect("valid settings");
        let clock = ManualClock::at(START.parse().expect("a time"));
        let people = AtomicU64::new(1);
        let mut env =
            Self { clock, engine, tokens: Tokens, pairs, settings, services: Vec::new(), people, redis, _dir: dir };
        env.replica().await;
        env
    }

    /// Changes a setting of the replicas that start from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self.settings = load(self.pairs.clone()).expect("valid settings");
    }

    /// Starts another replica and returns its index.
    pub async fn replica(&mut self) -> usize {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.replica_by(clock).await
    }

    /// Starts another replica with its own clock.
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

    /// Stops a replica gracefully.
    pub async fn stop(&mut self, replica: usize) {
        self.services.remove(replica).stop().await;
    }

    /// Returns a running replica.
    #[must_use]
    pub fn service(&self, replica: usize) -> &Service {
        &self.services[replica]
    }

    /// Returns the result of `work`, and the number of statements that the first replica ran meanwhile.
    pub async fn counting<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let store = &self.service(0).app().store;
        let before = store.statements();
        let done = work.await;
        (done, store.statements() - before)
    }

    /// Returns the host and port of a replica.
    #[must_use]
    pub fn host(&self, replica: usize) -> String {
        self.services[replica].address().to_string()
    }

    /// Returns the host and port of a replica's operations listener.
    #[must_use]
    pub fn ops_host(&self, replica: usize) -> String {
        self.services[replica].ops_address().to_string()
    }

    /// Returns the current time of the clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Advances the clock.
    pub fn advance(&self, span: TimeDelta) {
        self.clock.advance(span);
    }

    /// Runs SQL outside of every replica, as another version or an operator might.
    pub async fn sql(&self, text: &str) {
        let connection = self.database().await;
        connection.execute_unprepared(text).await.expect("the database runs the statement");
        connection.close().await.expect("the connection closes");
    }

    /// Returns everything that a table holds, as text.
    pub async fn dump(&self, table: &str) -> String {
        let connection = self.database().await;
        let backend = connection.get_database_backend();
        let rows = if self.engine == Engine::Production {
            format!("SELECT string_agg(row_to_json(t)::text, ' ') AS text FROM {table} t")
        } else {
            let columns = format!(
                "SELECT group_concat('quote(' || name || ')', ' || ') AS text FROM pragma_table_info('{table}')"
            );
            let columns = text_of(&connection, Statement::from_string(backend, columns)).await;
            format!("SELECT group_concat({columns}, ' ') AS text FROM {table}")
        };
        let text = text_of(&connection, Statement::from_string(backend, rows)).await;
        connection.close().await.expect("the connection closes");
        text
    }

    /// Runs SQL in a transaction outside of every replica, and keeps it open until the result is dropped.
    pub async fn hold(&self, text: &str) -> DatabaseTransaction {
        let connection = self.database().await;
        let held = connection.begin().await.expect("a transaction");
        held.execute_unprepared(text).await.expect("the database runs the statement");
        held
    }

    /// Returns the URL of its database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.settings.database_url.reveal()
    }

    /// Returns the URL of Redis, or `None` on the embedded engine.
    #[must_use]
    pub fn redis(&self) -> Option<&str> {
        self.redis.as_deref()
    }

    /// Opens a separate connection to the database.
    pub async fn database(&self) -> DatabaseConnection {
        Database::connect(self.settings.database_url.reveal()).await.expect("the database answers")
    }

    /// Creates a person with these roles.
    #[must_use]
    pub fn person(&self, name: &str, roles: &[&str], region: Option<&str>) -> Actor {
        let subject = format!("{name}-{}", self.people.fetch_add(1, Ordering::Relaxed));
        let claims = token_claims(&subject, name, roles, region, self.now());
        self.with_claims(&claims)
    }

    /// Creates a client whose token has these claims.
    #[must_use]
    pub fn with_claims(&self, claims: &Value) -> Actor {
        Actor::new(self.host(0), Some(self.tokens.sign(claims)))
    }

    /// Creates a client without a token.
    #[must_use]
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.host(0), None)
    }

    /// Creates a citizen.
    #[must_use]
    pub fn citizen(&self, name: &str) -> Actor {
        self.person(name, &["CITIZEN"], None)
    }

    /// Creates a moderator of a region.
    #[must_use]
    pub fn moderator(&self, region: &str) -> Actor {
        self.person("Moderator", &["MODERATOR"], Some(region))
    }

    /// Creates a member of a region's akimat staff.
    #[must_use]
    pub fn akimat(&self, region: &str) -> Actor {
        self.person("Staff", &["AKIMAT"], Some(region))
    }

    /// Creates a connector for a region.
    #[must_use]
    pub fn connector(&self, region: &str) -> Actor {
        self.person("Connector", &["CONNECTOR"], Some(region))
    }
}

/// Returns the column `text` of the only row of a statement.
async fn text_of(connection: &DatabaseConnection, statement: Statement) -> String {
    let row = connection.query_one_raw(statement).await.expect("the database runs the statement").expect("a row");
    row.try_get::<Option<String>>("", "text").expect("a text").unwrap_or_default()
}
