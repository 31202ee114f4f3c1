//! A PostgreSQL and a Redis server that live as long as the test run.

use std::sync::atomic::{AtomicU64, Ordering};

use kezdesu::{config::load, service};
use sea_orm::{ConnectionTrait, Database};
use tokio::sync::OnceCell;

use crate::{DATA_KEYS, Server};

/// The servers of this test run.
pub struct Databases {
    postgres: Server,
    redis: Server,
    next: AtomicU64,
}

/// Returns the servers, and starts them on first use.
pub async fn databases() -> &'static Databases {
    static DATABASES: OnceCell<Databases> = OnceCell::const_new();
    DATABASES.get_or_init(Databases::start).await
}

impl Databases {
    async fn start() -> Self {
        let options = "-c fsync=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB -c logging_collector=off";
        let databases =
            Self { postgres: Server::postgres_with(options), redis: Server::redis(), next: AtomicU64::new(1) };
        databases.sql("postgres", "CREATE DATABASE template_test").await;
        databases.migrate("template_test").await;
        databases
    }

    /// Creates a database with the schema and the embedded regions.
    pub async fn fresh(&self) -> String {
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let name = format!("test_{}", self.next.fetch_add(1, Ordering::Relaxed));
        // PostgreSQL cannot copy one template twice at once.
        let _one = COPYING.lock().await;
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template_test")).await;
        self.url(&name)
    }

    /// Creates an empty database.
    pub async fn empty(&self) -> String {
        let name = format!("empty_{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Returns the URL of Redis.
    #[must_use]
    pub fn redis(&self) -> String {
        self.redis.redis_url()
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.postgres.port)
    }

    async fn migrate(&self, name: &str) {
        let pairs = [
            ("KEZDESU_DATABASE_URL", self.url(name)),
            ("KEZDESU_JWKS", "unused".to_owned()),
            ("KEZDESU_JWT_ISSUER", "unused".to_owned()),
            ("KEZDESU_JWT_AUDIENCE", "unused".to_owned()),
            ("KEZDESU_DATA_KEYS", DATA_KEYS.to_owned()),
        ];
        let settings = load(pairs.map(|(name, value)| (name.to_owned(), value))).expect("valid settings");
        let store = service::open(&settings, true).await.expect("the schema is migrated");
        store.close().await;
    }

    async fn sql(&self, database: &str, text: &str) {
        let connection = Database::connect(self.url(database)).await.expect("PostgreSQL answers");
        connection.execute_unprepared(text).await.expect("PostgreSQL runs the statement");
        connection.close().await.expect("the connection closes");
    }
}
