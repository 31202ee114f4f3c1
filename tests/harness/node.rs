//! Scripts of `tests/node`: clients that run to their end, and gateways that stay.

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

/// How long a script may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Starts what follows it, and kills the whole process group once nobody holds its standard input any longer, so that
/// nothing stays behind even where the tests themselves are killed.
const LEASH: &str = "exec 3<&0; (cat <&3; kill -9 0) > /dev/null 2>&1 & exec \"$@\" < /dev/null 3<&-";

/// Where the scripts and their packages are.
#[must_use]
pub fn node_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// The checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the checkout").to_owned()
}

/// Runs a script, named by its path within `tests/node`, to its end, and gives what it says on standard output.
///
/// # Panics
/// Where it fails or takes longer than two minutes, with everything it said.
pub async fn node(script: &str, args: &[&str]) -> String {
    let (status, out, err) = try_node(script, args).await;
    assert!(status.success(), "node {script} {args:?} ended with {status}\n{out}\n{err}");
    out
}

/// Runs a script to its end, and gives how it ended and what it said on standard output and standard error.
///
/// # Panics
/// Where it takes longer than two minutes, with everything it said.
pub async fn try_node(script: &str, args: &[&str]) -> (ExitStatus, String, String) {
    let mut leashed = Leashed::start("node".as_ref(), &script_args(script, args), &[]);
    let (out, err) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
    let (stdout, stderr) = (leashed.stdout(), leashed.child.stderr.take().expect("its errors"));
    let ended = tokio::time::timeout(LIMIT, async {
        let (status, (), ()) = tokio::join!(leashed.child.wait(), keep(stdout, &out), keep(stderr, &err));
        status.expect("it ends")
    })
    .await;
    let (out, err) = (text_of(&out), text_of(&err));
    let status = ended.unwrap_or_else(|_| panic!("node {script} {args:?} does not end\n{out}\n{err}"));
    (status, out, err)
}

/// Runs a script of `tests/python` to its end in the environment that `make deps` makes, and gives what it says on standard output. None,
/// said loudly, where there is no such environment.
///
/// # Panics
/// Where it fails or takes longer than two minutes.
pub async fn python(script: &str, args: &[&str]) -> Option<String> {
    let interpreter = checkout().join("target/python/bin/python");
    if !interpreter.is_file() {
        // Not by a macro, whose output the test runner would keep.
        let _ = writeln!(std::io::stderr(), "SKIPPED {script}: target/python is missing (make deps)");
        return None;
    }
    let path = checkout().join("tests/python").join(script);
    let mut command = tokio::process::Command::new(interpreter);
    let running = command.arg(path).args(args).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true).output();
    let output = tokio::time::timeout(LIMIT, running).await.expect("it ends").expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "python {script} {args:?} ended with {}\n{out}\n{err}", output.status);
    Some(out.into_owned())
}

/// A script or another program that serves until it is dropped.
pub struct NodeProcess {
    leashed: Leashed,
    lines: Lines<BufReader<ChildStdout>>,
    name: String,
    errors: Arc<Mutex<Vec<u8>>>,
    /// Where it listens, without a scheme.
    pub host: String,
}

impl NodeProcess {
    /// Starts a script, named by its path within `tests/node`, and waits until its first line says where it listens.
    pub async fn start(script: &str, args: &[&str]) -> Self {
        Self::start_with(script, args, &[]).await
    }

    /// Starts a script with settings in its environment.
    pub async fn start_with(script: &str, args: &[&str], settings: &[(&str, String)]) -> Self {
        Self::start_program("node".as_ref(), &script_args(script, args), settings).await
    }

    /// Starts a program with these settings beside `PATH` and `HOME`, and waits until its first line says where it listens.
    pub async fn start_program(program: &OsStr, args: &[String], settings: &[(&str, String)]) -> Self {
        let mut process = Self::run(program, args, settings);
        let first = process.line().await;
        let host = first.strip_prefix("listening on http://").map(|host| host.trim_end_matches('/').to_owned());
        process.host = host.unwrap_or_else(|| panic!("{} says {first}\n{}", process.name, process.errors()));
        process
    }

    /// Starts a script, named by its path within `tests/node`, that listens nowhere and says line by line what it meets.
    #[must_use]
    pub fn talk(script: &str, args: &[&str]) -> Self {
        Self::run("node".as_ref(), &script_args(script, args), &[])
    }

    fn run(program: &OsStr, args: &[String], settings: &[(&str, String)]) -> Self {
        let mut leashed = Leashed::start(program, args, settings);
        let errors = Arc::<Mutex<Vec<u8>>>::default();
        let (stderr, kept) = (leashed.child.stderr.take().expect("its errors"), errors.clone());
        // Read all the while, so that it never waits for a reader.
        tokio::spawn(async move { keep(stderr, &kept).await });
        let lines = BufReader::new(leashed.stdout()).lines();
        let name = format!("{} {args:?}", program.display());
        Self { leashed, lines, name, errors, host: String::new() }
    }

    /// The next line on its standard output. Whoever says more than the first line must be listened to.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(crate::TIMEOUT * 2, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{} says nothing\n{}", self.name, self.errors()));
        line.expect("text").unwrap_or_else(|| panic!("{} ended\n{}", self.name, self.errors()))
    }

    /// What it has said on standard error.
    #[must_use]
    pub fn errors(&self) -> String {
        text_of(&self.errors)
    }

    /// The number of its process, which is that of its process group too.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.leashed.child.id().expect("it runs")
    }
}

/// A process group that ends when this is dropped.
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
        let mut child = command.spawn().expect("a shell");
        let leash = child.stdin.take().expect("its input");
        Self { child, _leash: leash }
    }

    fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("its output")
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
        into.lock().expect("nobody fails with it").extend_from_slice(&bytes[..count]);
    }
}

fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().expect("nobody fails with it")).into_owned()
}
