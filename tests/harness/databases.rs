//! A PostgreSQL and a Redis of this test run's own. They die with it.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use kezdesu::{config::load, service};
use sea_orm::{ConnectionTrait, Database};
use tokio::sync::OnceCell;

use crate::PATIENCE;

/// The servers of this test run.
pub struct Databases {
    postgres_port: u16,
    redis_port: u16,
    next: AtomicU64,
    // Held open: the servers are killed when it closes, however this process ends.
    _watchdogs: Vec<Child>,
    _dir: tempfile::TempDir,
}

/// The servers, started by whoever needs them first.
pub async fn databases() -> &'static Databases {
    static DATABASES: OnceCell<Databases> = OnceCell::const_new();
    DATABASES.get_or_init(Databases::start).await
}

impl Databases {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("it can be entered");
        let mut watchdogs = Vec::new();
        let postgres_port = postgres(dir.path(), &mut watchdogs);
        let redis_port = redis(dir.path(), &mut watchdogs);
        let databases = Self { postgres_port, redis_port, next: AtomicU64::new(1), _watchdogs: watchdogs, _dir: dir };
        databases.sql("postgres", "CREATE DATABASE template_town").await;
        databases.migrate("template_town").await;
        databases
    }

    /// A fresh database with its schema and the embedded units.
    pub async fn fresh(&self) -> String {
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let name = format!("town_{}", self.next.fetch_add(1, Ordering::Relaxed));
        // Two copies of one template at once would disturb each other.
        let _one = COPYING.lock().await;
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template_town")).await;
        self.url(&name)
    }

    /// A fresh database without anything in it.
    pub async fn empty(&self) -> String {
        let name = format!("empty_{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Where Redis is.
    #[must_use]
    pub fn redis(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis_port)
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.postgres_port)
    }

    async fn migrate(&self, name: &str) {
        let pairs = [
            ("KEZDESU_DATABASE_URL", self.url(name)),
            ("KEZDESU_JWKS", "unused".to_owned()),
            ("KEZDESU_JWT_ISSUER", "unused".to_owned()),
            ("KEZDESU_JWT_AUDIENCE", "unused".to_owned()),
        ];
        let settings = load(pairs.map(|(name, value)| (name.to_owned(), value))).expect("the settings hold");
        let store = service::open(&settings, true).await.expect("the schema is made");
        store.close().await;
    }

    async fn sql(&self, database: &str, text: &str) {
        let connection = Database::connect(self.url(database)).await.expect("PostgreSQL answers");
        connection.execute_unprepared(text).await.expect("PostgreSQL obeys");
        connection.close().await.expect("PostgreSQL lets go");
    }
}

fn postgres(dir: &Path, watchdogs: &mut Vec<Child>) -> u16 {
    let data = dir.join("postgres");
    std::fs::create_dir(&data).expect("a directory");
    let root = is_root();
    if root {
        run(Command::new("chown").arg("postgres").arg(&data));
    }
    let as_postgres = if root { "setpriv --reuid=postgres --regid=postgres --clear-groups" } else { "" };
    let bin = |name| program(name, "postgresql");
    let initdb = format!("{as_postgres} {} -D {} -U postgres -A trust --no-sync", bin("initdb"), data.display());
    run(Command::new("sh").arg("-c").arg(format!("{initdb} > /dev/null")));
    let options = "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=400 \
                   -c unix_socket_directories= -c shared_buffers=64MB -c logging_collector=off";
    up(watchdogs, |port| format!("{as_postgres} {} -D {} -p {port} {options}", bin("postgres"), data.display()))
}

fn redis(dir: &Path, watchdogs: &mut Vec<Child>) -> u16 {
    let dir = dir.display();
    let server = program("redis-server", "redis-server");
    up(watchdogs, |port| format!("{server} --port {port} --bind 127.0.0.1 --save '' --appendonly no --dir {dir}"))
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    port.expect("a free port").port()
}

/// Starts a server on a free port. Another process may take the port first, so it is tried again.
fn up(watchdogs: &mut Vec<Child>, command: impl Fn(u16) -> String) -> u16 {
    for _ in 0..10 {
        let port = free_port();
        let script = format!(
            "exec 3<&0; {} > /dev/null 2>&1 < /dev/null 3<&- & server=$!; cat <&3 > /dev/null; kill -9 $server",
            command(port)
        );
        let mut watchdog = Command::new("sh").arg("-c").arg(script).stdin(Stdio::piped()).spawn().expect("a shell");
        if answers(port, &mut watchdog) {
            watchdogs.push(watchdog);
            return port;
        }
        let _ = watchdog.kill();
    }
    panic!("no server came up: {}", command(0));
}

pub(crate) fn answers(port: u16, watchdog: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        if watchdog.try_wait().is_ok_and(|ended| ended.is_some()) {
            return false;
        }
        std::thread::yield_now();
    }
    false
}

/// Where a program of a Debian package is.
pub(crate) fn program(name: &str, package: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let found = places.into_iter().map(|place| place.join(name)).find(|path| path.is_file());
    let found = found.unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"));
    found.display().to_string()
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

pub(crate) fn run(command: &mut Command) {
    let status = command.status().expect("the command runs");
    assert!(status.success(), "{command:?} failed");
}
