//! The real program, in a process that can be killed.

use std::{path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{TIMEOUT, web};

/// A running program.
pub struct Process {
    child: Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
    /// Host and port of the API.
    pub host: String,
    /// Host and port of the operations listener; empty for the demo.
    pub ops_host: String,
}

impl Process {
    /// Returns the path of the program, built beside the tests.
    #[must_use]
    pub fn program() -> PathBuf {
        Self::built("kezdesu")
    }

    /// Returns the path of the example agency's program.
    #[must_use]
    pub fn agency_program() -> PathBuf {
        Self::built("kezdesu-agency")
    }

    fn built(name: &str) -> PathBuf {
        let mut path = std::env::current_exe().expect("the test has a path");
        path.pop();
        if path.ends_with("deps") {
            path.pop();
        }
        let program = path.join(name);
        assert!(program.is_file(), "{} is missing: cargo build --bin {name}", program.display());
        program
    }

    /// Returns the value of a metric by its exposition name and labels, or "0" if it is absent.
    pub async fn metric(&self, name: &str) -> String {
        let page = web().get(format!("http://{}/metrics", self.ops_host)).send().await.expect("an answer");
        let page = page.text().await.expect("text");
        page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or(" 0").trim().to_owned()
    }

    /// Starts the program with these settings, and waits until it serves.
    pub async fn serve(settings: &[(String, String)]) -> Self {
        Self::serving(Self::start(&["serve", "--migrate"], settings).await).await
    }

    /// Starts the program with a soft and a hard limit of open files, and waits until it serves.
    pub async fn serve_within(soft: usize, hard: usize, settings: &[(String, String)]) -> Self {
        let limited = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" serve --migrate");
        let mut command = Command::new("sh");
        command.args(["-c", &limited]).arg(Self::program());
        Self::serving(Self::begin(Self::with_settings(command, settings)).await).await
    }

    /// Starts the program with SIGXFSZ ignored, so that exceeding the file size limit fails the write instead of
    /// killing it.
    pub async fn serve_despite_file_limits(settings: &[(String, String)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve --migrate"]).arg(Self::program());
        Self::serving(Self::begin(Self::with_settings(command, settings)).await).await
    }

    async fn serving((mut process, first): (Self, String)) -> Self {
        let host = first.strip_prefix("listening on http://").expect("the address of the API").to_owned();
        let second =
            tokio::time::timeout(TIMEOUT, process.lines.recv()).await.expect("the output continues").expect("text");
        let ops_host =
            second.strip_prefix("operator on http://").expect("the address of the operations listener").to_owned();
        Self { host, ops_host, ..process }
    }

    /// Starts the program of the example agency with these settings, and waits until it serves.
    pub async fn agency(settings: &[(String, String)]) -> Self {
        let mut command = Command::new(Self::agency_program());
        command.arg("serve").env_clear().env("AGENCY_LISTEN", "127.0.0.1:0").env("AGENCY_LOG", "warn");
        command.envs(settings.iter().cloned()).kill_on_drop(true);
        let (process, first) = Self::begin(command).await;
        let host = first.strip_prefix("listening on http://").expect("the address of the API").to_owned();
        Self { host, ..process }
    }

    /// Starts the demo, and returns its output up to the live meeting.
    pub async fn demo(settings: &[(String, String)]) -> (Self, String) {
        let (mut process, mut text) = Self::start(&["demo"], settings).await;
        while !text.contains("A meeting is live") {
            let line =
                tokio::time::timeout(TIMEOUT, process.lines.recv()).await.expect("the output continues").expect("text");
            text.push_str(&format!("\n{line}"));
        }
        let host =
            text.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("the address of the API");
        process.host = host.to_owned();
        (process, text)
    }

    /// Starts the program and kills it after `span`, whatever it is doing.
    pub async fn serve_only_for(span: std::time::Duration, settings: &[(String, String)]) {
        let mut command = Self::command(&["serve", "--migrate"], settings);
        let mut child = command.stdout(Stdio::null()).spawn().expect("the program starts");
        // Not a wait for a condition: the test is about the moment of the kill.
        let _ = tokio::time::timeout(span, child.wait()).await;
        child.kill().await.expect("it can be killed");
    }

    /// Starts the program with its log in a file, and waits until it serves.
    pub async fn serve_logging(settings: &[(String, String)], log: &str, file: &std::path::Path) -> Self {
        let out = std::fs::File::create(file).expect("a file");
        let mut command = Self::command(&["serve", "--migrate"], settings);
        command.env("KEZDESU_LOG", log).stderr(out);
        Self::serving(Self::begin(command).await).await
    }

    fn command(arguments: &[&str], settings: &[(String, String)]) -> Command {
        let mut command = Command::new(Self::program());
        command.args(arguments);
        Self::with_settings(command, settings)
    }

    fn with_settings(mut command: Command, settings: &[(String, String)]) -> Command {
        command
            .env_clear()
            .envs(settings.iter().cloned())
            .env("KEZDESU_LISTEN", "127.0.0.1:0")
            .env("KEZDESU_OPS_LISTEN", "127.0.0.1:0")
            .env("KEZDESU_LOG", "warn")
            .kill_on_drop(true);
        command
    }

    async fn start(command: &[&str], settings: &[(String, String)]) -> (Self, String) {
        Self::begin(Self::command(command, settings)).await
    }

    async fn begin(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.expect("it prints its address in time");
        let first = first.expect("text").expect("the program starts serving");
        let (say, heard) = tokio::sync::mpsc::unbounded_channel();
        // The rest is drained, so that the program never blocks on a full pipe.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = say.send(line);
            }
        });
        (Self { child, lines: heard, host: String::new(), ops_host: String::new() }, first)
    }

    /// Returns its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Returns whether it has a connection to a port of the loopback address.
    #[must_use]
    pub fn is_connected_to(&self, port: u16) -> bool {
        let sockets = std::fs::read_to_string("/proc/net/tcp").expect("the sockets of the machine");
        let established = sockets.lines().skip(1).filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let is_to_port = fields.get(2)?.ends_with(&format!(":{port:04X}")) && *fields.get(3)? == "01";
            is_to_port.then(|| format!("socket:[{}]", fields[9]))
        });
        let established: Vec<_> = established.collect();
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("it runs");
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        targets.into_iter().any(|target| established.iter().any(|socket| target.as_os_str() == socket.as_str()))
    }

    /// Returns its resident memory in bytes: current and peak.
    #[must_use]
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a value");
            line.trim_end_matches("kB").trim().parse::<u64>().expect("a number") << 10
        };
        (figure("VmRSS:"), figure("VmHWM:"))
    }

    /// Kills the program with SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Sends SIGTERM.
    pub async fn ask_to_end(&self) {
        let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().await.expect("kill runs");
        assert!(asked.success());
    }

    /// Waits for the program to exit, and returns whether it succeeded.
    pub async fn ended(mut self) -> bool {
        let ended = tokio::time::timeout(TIMEOUT, self.child.wait()).await.expect("it exits in time");
        ended.expect("it exits").success()
    }

    /// Sends SIGTERM, waits for the exit, and returns whether it succeeded.
    pub async fn terminate(self) -> bool {
        self.ask_to_end().await;
        self.ended().await
    }
}
