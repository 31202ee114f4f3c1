//! The program of the agency's subgraph.

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc, time::Duration};

use agency::{
    auth::Authenticator,
    graphql::{Engine, sdl},
    http::{Door, router, serve},
    register::Register,
    settings::{Settings, from_environment},
    sources::SystemClock,
    store::Store,
};
use clap::{Parser, Subcommand};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How often the keys are read anew.
const KEYS_EVERY: Duration = Duration::from_secs(60);

/// The case register of a central agency: a subgraph beside Kezdesu's.
#[derive(Debug, Parser)]
#[command(name = "kezdesu-agency", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API.
    Serve,
    /// Print the schema of the API.
    Schema,
}

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Schema => say(&sdl()),
        Command::Serve => run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever went wrong underneath.
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            let _ = writeln!(std::io::stderr(), "kezdesu-agency: {}", text.replace('\n', " "));
            ExitCode::from(2)
        }
    }
}

async fn run() -> Outcome {
    let settings = from_environment()?;
    let filter = EnvFilter::try_new(&settings.log).map_err(|_| "AGENCY_LOG: is a filter such as info")?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let clock = Arc::new(SystemClock);
    let auth = Authenticator::start(&settings, clock.clone())?;
    let store = Store::open(&settings.data_dir).await.map_err(|error| Named("AGENCY_DATA_DIR", error.into()))?;
    let register = Arc::new(Register::new(store.clone(), clock));
    let door = Door { engine: Engine::new(register, settings.introspection), auth: Arc::clone(&auth) };
    let listener = bind(&settings).await.map_err(|error| Named("AGENCY_LISTEN", error.into()))?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    say(&format!("listening on http://{}\n", listener.local_addr()?))?;

    let end = CancellationToken::new();
    let told = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        end.cancel();
        std::future::pending::<()>().await;
    };
    let served = tokio::select! {
        served = serve(listener, router(door), end.clone()) => served,
        () = told => Ok(()),
        () = keep_keys(&auth) => Ok(()),
    };
    store.close().await;
    Ok(served?)
}

async fn bind(settings: &Settings) -> std::io::Result<TcpListener> {
    TcpListener::bind(settings.listen).await
}

/// Reads the keys anew for as long as the program runs, so that the identity provider can change them.
async fn keep_keys(auth: &Authenticator) {
    let mut ticks = tokio::time::interval(KEYS_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = auth.refresh().await {
            tracing::warn!(%error, "the keys stay as they are");
        }
    }
}

/// What went wrong, and the setting that it comes from.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Named(&'static str, #[source] Box<dyn Error>);

fn say(text: &str) -> Outcome {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
