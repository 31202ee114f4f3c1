//! Measures CPU time and memory of processes.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// Another part of this program, in its own process.
pub struct Part {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    pub fn start(name: &str, argument: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args([name, argument]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the process starts");
        let input = child.stdin.take().expect("standard input");
        let lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        Self { child, input, lines }
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub async fn send(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("the write succeeds");
    }

    pub async fn receive(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(120), self.lines.next_line()).await;
        line.expect("a line in time").expect("text").expect("the output continues")
    }
}

/// Returns the user and system time of a process.
pub fn cpu(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks");
    Duration::from_millis(ticks * 10)
}

/// Returns the resident memory of a process, in KB.
pub fn memory(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmHWM");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

/// Waits for things to settle.
#[expect(clippy::disallowed_methods, reason = "a bench runs on the wall clock")]
pub async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Returns the time that some work takes.
pub async fn timed(work: impl Future<Output = ()>) -> Duration {
    let began = Instant::now();
    work.await;
    began.elapsed()
}
