//! A PostgreSQL or Redis server that a test may stop, freeze and restart.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::TIMEOUT;

/// A server that ends with the process that started it.
pub struct Server {
    /// Port on the loopback address.
    pub port: u16,
    command: String,
    watchdog: Child,
    dir: tempfile::TempDir,
}

impl Server {
    /// Starts a durable PostgreSQL.
    #[must_use]
    pub fn postgres() -> Self {
        Self::postgres_with("-c max_connections=200 -c restore_command=false")
    }

    /// Starts a PostgreSQL with these options.
    pub(crate) fn postgres_with(options: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("a directory");
        let root = is_root();
        if root {
            run(Command::new("chown").arg("-R").arg("postgres").arg(dir.path()));
        }
        let as_postgres = if root { "setpriv --reuid=postgres --regid=postgres --clear-groups" } else { "" };
        let initdb = format!(
            "{as_postgres} {} -D {} -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync > /dev/null",
            program("initdb", "postgresql"),
            data.display()
        );
        run(Command::new("sh").arg("-c").arg(initdb));
        let postgres = program("postgres", "postgresql");
        let place = "-c listen_addresses=127.0.0.1 -c unix_socket_directories=";
        Self::start(dir, |port| format!("{as_postgres} {postgres} -D {} -p {port} {place} {options}", data.display()))
    }

    /// Starts a Redis.
    #[must_use]
    pub fn redis() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let redis = program("redis-server", "redis-server");
        let place = dir.path().display().to_string();
        Self::start(dir, |port| {
            format!("{redis} --port {port} --bind 127.0.0.1 --save '' --appendonly no --dir {place}")
        })
    }

    /// Returns the URL of its default database.
    #[must_use]
    pub fn postgres_url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the URL of this Redis.
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a signal to the server.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).expect("a pid file");
        run(Command::new("kill").arg(format!("-{name}")).arg(pid.trim()));
    }

    /// Sends a signal to the server and its child processes.
    pub fn signal_all(&self, name: &str) {
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).expect("a pid file");
        let children = Command::new("pgrep").args(["-P", pid.trim()]).output().expect("pgrep runs");
        let children = String::from_utf8(children.stdout).expect("numbers");
        let all = children.split_whitespace().chain([pid.trim()]);
        run(Command::new("kill").arg(format!("-{name}")).args(all));
    }

    /// Stops the server with a signal and starts it again on the same port.
    pub fn restart(&mut self, signal: &str) {
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).expect("a pid file");
        self.signal(signal);
        let gone = format!("while kill -0 {0} 2> /dev/null; do :; done", pid.trim());
        run(Command::new("timeout").args(["30", "sh", "-c", &gone]));
        self.end();
        self.watchdog = watch(&self.command, self.dir.path());
        assert!(answers(self.port, &mut self.watchdog), "the server restarts");
    }

    /// Restarts PostgreSQL as after recovery from a backup: on a new timeline, like a promoted standby.
    pub fn recover(&mut self) {
        std::fs::write(self.dir.path().join("data/recovery.signal"), "").expect("a file");
        self.restart("INT");
    }

    fn end(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }

    /// Starts the server on a free port, and retries if another process takes the port first.
    fn start(dir: tempfile::TempDir, command: impl Fn(u16) -> String) -> Self {
        for _ in 0..10 {
            let port = free_port();
            let mut watchdog = watch(&command(port), dir.path());
            if answers(port, &mut watchdog) {
                return Self { port, command: command(port), watchdog, dir };
            }
            let _ = watchdog.kill();
        }
        panic!("no server started: {}", command(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a server until this process ends for any reason.
fn watch(command: &str, dir: &Path) -> Child {
    let script = format!(
        "exec 3<&0; {command} > /dev/null 2>&1 < /dev/null 3<&- & server=$!; echo $server > {}/pid; \
         cat <&3 > /dev/null; kill -9 $server 2> /dev/null",
        dir.display()
    );
    Command::new("sh").arg("-c").arg(script).stdin(Stdio::piped()).spawn().expect("the shell starts")
}

/// Returns a port that is currently free.
fn free_port() -> u16 {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    port.expect("a free port").port()
}

fn answers(port: u16, watchdog: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < TIMEOUT {
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

/// Returns the path of a program of a Debian package.
fn program(name: &str, package: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let found = places.into_iter().map(|place| place.join(name)).find(|path| path.is_file());
    let found = found.unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"));
    found.display().to_string()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn run(command: &mut Command) {
    let status = command.status().expect("the command runs");
    assert!(status.success(), "{command:?} failed");
}
