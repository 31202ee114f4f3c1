//! Runs the scripts of `tests/node`: clients that run to completion, and gateways that keep running.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

/// Time limit of a script.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a command and kills its process group once standard input closes, so that nothing is left behind even if
/// the tests are killed.
const LEASH: &str = "exec 3<&0; (cat <&3; kill -9 0) > /dev/null 2>&1 & exec \"$@\" < /dev/null 3<&-";

/// Returns the directory of the scripts and their packages.
#[must_use]
pub fn node_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// Returns the root of the repository.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the checkout").to_owned()
}

/// Runs a script, named by its path within `tests/node`, and returns its standard output.
///
/// # Panics
/// If it fails or takes longer than two minutes, with all its output.
pub async fn node(script: &str, args: &[&str]) -> String {
    let (status, out, err) = try_node(script, args).await;
    assert!(status.success(), "node {script} {args:?} ended with {status}\n{out}\n{err}");
    out
}

/// Runs a script, and returns its exit status, standard output and standard error.
///
/// # Panics
/// If it takes longer than two minutes, with all its output.
pub async fn try_node(script: &str, args: &[&str]) -> (ExitStatus, String, String) {
    let mut leashed = Leashed::start("node".as_ref(), &script_args(script, args), &[]);
    let (out, err) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
    let (stdout, stderr) = (leashed.stdout(), leashed.child.stderr.take().expect("standard error"));
    let ended = tokio::time::timeout(LIMIT, async {
        let (status, (), ()) = tokio::join!(leashed.child.wait(), keep(stdout, &out), keep(stderr, &err));
        status.expect("it exits")
    })
    .await;
    let (out, err) = (text_of(&out), text_of(&err));
    let status = ended.unwrap_or_else(|_| panic!("node {script} {args:?} did not exit\n{out}\n{err}"));
    (status, out, err)
}

/// Runs a script of `tests/python` in the environment that `make deps` creates, and returns its standard output. Returns
/// `None`, with a message, if there is no such environment.
///
/// # Panics
/// If it fails or takes longer than two minutes.
pub async fn python(script: &str, args: &[&str]) -> Option<String> {
    let (packages, wanted) = (checkout().join("target/python"), checkout().join("tests/python/requirements.txt"));
    let interpreter = packages.join("bin/python");
    let listed = |file: PathBuf| std::fs::read_to_string(file).unwrap_or_default();
    if !interpreter.is_file() || listed(packages.join("requirements.txt")) != listed(wanted) {
        // The test runner captures the output of `eprintln!`.
        let _ = writeln!(std::io::stderr(), "SKIPPED {script}: target/python is missing or outdated (make deps)");
        return None;
    }
    let path = checkout().join("tests/python").join(script);
    let mut command = tokio::process::Command::new(interpreter);
    let running = command.arg(path).args(args).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true).output();
    let output = tokio::time::timeout(LIMIT, running).await.expect("it exits").expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "python {script} {args:?} ended with {}\n{out}\n{err}", output.status);
    Some(out.into_owned())
}

/// A script or other program that runs until it is dropped.
pub struct NodeProcess {
    leashed: Leashed,
    lines: Lines<BufReader<ChildStdout>>,
    name: String,
    errors: Arc<Mutex<Vec<u8>>>,
    /// Host and port that it listens on.
    pub host: String,
}

impl NodeProcess {
    /// Starts a script, named by its path within `tests/node`, and waits for its first line, which holds its
    /// address.
    pub async fn start(script: &str, args: &[&str]) -> Self {
        Self::start_with(script, args, &[]).await
    }

    /// Starts a script with settings in its environment.
    pub async fn start_with(script: &str, args: &[&str], settings: &[(&str, String)]) -> Self {
        Self::start_program("node".as_ref(), &script_args(script, args), settings).await
    }

    /// Starts a program with these settings and `PATH` and `HOME`, and waits for its first line, which holds its
    /// address.
    pub async fn start_program(program: &OsStr, args: &[String], settings: &[(&str, String)]) -> Self {
        let mut process = Self::run(program, args, settings);
        let first = process.line().await;
        let host = first.strip_prefix("listening on http://").map(|host| host.trim_end_matches('/').to_owned());
        process.host = host.unwrap_or_else(|| panic!("{} printed {first}\n{}", process.name, process.errors()));
        process
    }

    /// Starts a script, named by its path within `tests/node`, that does not listen and reports events as lines.
    #[must_use]
    pub fn talk(script: &str, args: &[&str]) -> Self {
        Self::run("node".as_ref(), &script_args(script, args), &[])
    }

    fn run(program: &OsStr, args: &[String], settings: &[(&str, String)]) -> Self {
        let mut leashed = Leashed::start(program, args, settings);
        let errors = Arc::<Mutex<Vec<u8>>>::default();
        let (stderr, kept) = (leashed.child.stderr.take().expect("standard error"), errors.clone());
        // Drained continuously, so that the program never blocks on a full pipe.
        tokio::spawn(async move { keep(stderr, &kept).await });
        let lines = BufReader::new(leashed.stdout()).lines();
        let name = format!("{} {args:?}", program.display());
        Self { leashed, lines, name, errors, host: String::new() }
    }

    /// Returns the next line of its standard output. A program that prints more must be read, or it blocks.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(crate::TIMEOUT * 2, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{} printed nothing\n{}", self.name, self.errors()));
        line.expect("text").unwrap_or_else(|| panic!("{} ended\n{}", self.name, self.errors()))
    }

    /// Returns its standard error so far.
    #[must_use]
    pub fn errors(&self) -> String {
        text_of(&self.errors)
    }

    /// Returns its process id, which is also its process group id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.leashed.child.id().expect("it runs")
    }
}

/// A process group that is killed on drop.
struct Leashed {
    child: Child,
    _leash: ChildStdin,
}

impl Leashed {
    fn start(program: &OsStr, args: &[String], settings: &[(&str, String)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "sh"]).arg(program).args(args).env_clear();
        for name in ["PATH", "HOME"] {
            command.env(name, std::env::var_os(name).unwrap_or_default());
        }
        command.envs(settings.iter().map(|(name, value)| (name, value))).current_dir(node_dir());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the shell starts");
        let leash = child.stdin.take().expect("standard input");
        Self { child, _leash: leash }
    }

    fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("standard output")
    }
}

fn script_args(script: &str, args: &[&str]) -> Vec<String> {
    let path = node_dir().join(script);
    assert!(path.is_file(), "there is no {}", path.display());
    let packages = node_dir().join("node_modules");
    assert!(packages.is_dir(), "the packages of tests/node are missing: run make deps");
    std::iter::once(path.display().to_string()).chain(args.iter().map(|&arg| arg.to_owned())).collect()
}

async fn keep(mut from: impl AsyncRead + Unpin, into: &Mutex<Vec<u8>>) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        into.lock().expect("an unpoisoned lock").extend_from_slice(&bytes[..count]);
    }
}

fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().expect("an unpoisoned lock")).into_owned()
}
