//! The command line program.

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc};

use chrono::TimeDelta;
use clap::Parser as _;
use kezdesu::{
    app::{App, audit, regions::ImportOptions},
    auth::mint,
    cli::{Agencies, Audit, Categories, Cli, Command, Regions},
    clock::{Clock, SystemClock, sleep},
    config::{Settings, from_environment, settings_table},
    demo,
    domain::audit_chain::BrokenChain,
    feed::{Bus, MemoryBus, RedisBus},
    files,
    graphql::sdl,
    idgen::{IdGen, RandomIds},
    service::{self, Service, Setup, TokenRevocation},
    telemetry, tls,
};
use tikv_jemallocator::Jemalloc;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

/// jemalloc returns memory to the operating system after a burst, in background threads; the C library's
/// allocator keeps it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

type CommandResult = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<BrokenChain>() => {
            // The command's answer, and not a failure to find it.
            let _ = writeln!(std::io::stdout(), "{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            // One line, including all causes.
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            let _ = writeln!(std::io::stderr(), "kezdesu: {}", text.replace('\n', " "));
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> CommandResult {
    match command {
        Command::Schema => return print(&sdl()),
        Command::Settings => return print(&settings_table()),
        _ => {}
    }
    let settings = from_environment()?;
    tls::install_provider();
    let _telemetry = telemetry::start(&settings)?;
    let clock: Arc<dyn Clock> = SystemClock::start();
    match command {
        Command::Schema | Command::Settings => Ok(()),
        Command::Serve { migrate } => {
            let stop = ShutdownSignals::listen()?;
            let service = start(settings, clock, migrate).await?;
            let (api, ops) = (service.address(), service.ops_address());
            print(&format!("listening on http://{api}\noperator on http://{ops}\n"))?;
            serve_until(stop, service).await
        }
        Command::Demo => {
            demo::check_allowed(&settings)?;
            let stop = ShutdownSignals::listen()?;
            let service = start(settings.clone(), Arc::clone(&clock), true).await?;
            print(&demo::start(&service, &settings, clock).await?)?;
            serve_until(stop, service).await
        }
        Command::Migrate => {
            service::open(&settings, true).await?;
            print("the schema is up to date\n")
        }
        Command::Token(args) => print(&format!("{}\n", mint(&settings, &args.into(), clock.now())?)),
        Command::RevokeTokens { subject, no_wait } => {
            let wait = revoke_tokens(&settings, clock.as_ref(), &subject).await?;
            if no_wait {
                return Ok(());
            }
            sleep(clock.as_ref(), wait).await;
            print("tokens that are issued from now on are accepted\n")
        }
        Command::NewEpoch => begin_epoch(&settings, clock.as_ref()).await,
        Command::Audit(Audit::Verify) => verify_audit_log(&settings).await,
        Command::Backup { file } => {
            service::back_up(&settings, &file).await?;
            print(&format!("the database is backed up in {}\n", file.display()))
        }
        Command::Regions(Regions::Import { file, dry_run, dated, allow_ending, allow_far }) => {
            let options = ImportOptions { dry_run, dated, allow_ending, allow_far };
            print(&one_shot_app(&settings, clock).await?.import_regions(&file, options).await?.to_string())
        }
        Command::Agencies(Agencies::Import { file, dry_run }) => {
            print(&one_shot_app(&settings, clock).await?.import_agencies(&file, dry_run).await?.to_string())
        }
        Command::Categories(Categories::Import { file, dry_run }) => {
            print(&one_shot_app(&settings, clock).await?.import_issue_categories(&file, dry_run).await?.to_string())
        }
    }
}

/// Begins a new epoch of the feeds.
async fn begin_epoch(settings: &Settings, clock: &dyn Clock) -> CommandResult {
    let store = service::open(settings, false).await?;
    let epoch = service::new_epoch(&store, clock, RandomIds::start().as_ref()).await?;
    print(&format!("the feeds are in epoch {epoch}\n"))
}

/// Verifies the audit log. Its first bad row is an error.
async fn verify_audit_log(settings: &Settings) -> CommandResult {
    let store = service::open(settings, false).await?;
    let rows = audit::verify(&store).await??;
    print(&format!("ok: {rows} rows\n"))
}

/// Revokes the tokens of a subject, and returns how long new ones are not accepted yet.
async fn revoke_tokens(settings: &Settings, clock: &dyn Clock, subject: &str) -> Result<TimeDelta, Box<dyn Error>> {
    let store = service::open(settings, false).await?;
    let TokenRevocation { until, wait } = service::revoke_tokens(&store, clock, subject).await?;
    print(&format!("tokens issued to {subject} up to {} are revoked\n", until.format("%FT%TZ")))?;
    Ok(wait)
}

/// Creates the commands of the service for a short-lived command.
async fn one_shot_app(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<App>, Box<dyn Error>> {
    let store = service::open(settings, false).await?;
    let ids: Arc<dyn IdGen> = RandomIds::start();
    let bus = one_shot_bus(settings, &clock)?;
    Ok(service::app(settings, store, bus, clock, ids).await?)
}

/// Creates the bus for a short-lived command. Replicas that it does not reach notice changes by polling.
fn one_shot_bus(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Bus>, Box<dyn Error>> {
    let Some(url) = &settings.redis_url else { return Ok(Arc::new(MemoryBus::default())) };
    let bus = RedisBus::new(url.reveal(), &settings.redis_prefix, Arc::clone(clock))?;
    tokio::spawn(Arc::clone(&bus).run());
    Ok(bus)
}

async fn start(settings: Settings, clock: Arc<dyn Clock>, migrate: bool) -> Result<Service, Box<dyn Error>> {
    files::raise_limit();
    let bind = |name: &'static str, address| async move {
        TcpListener::bind(address).await.map_err(|error| format!("{name}: cannot listen on {address}: {error}"))
    };
    let listener = bind("KEZDESU_LISTEN", settings.listen).await?;
    let ops_listener = bind("KEZDESU_OPS_LISTEN", settings.ops_listen).await?;
    let ids = RandomIds::start();
    Ok(service::start(Setup { settings, clock, ids, listener, ops_listener, migrate }).await?)
}

/// Signals that request a shutdown. Registered before startup is announced, so that none is missed.
struct ShutdownSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl ShutdownSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }
}

/// Serves until a signal arrives or a background task fails.
async fn serve_until(mut stop: ShutdownSignals, service: Service) -> CommandResult {
    tokio::select! {
        _ = stop.terminate.recv() => {}
        _ = stop.interrupt.recv() => {}
        () = service.lifecycle().draining() => {
            service.stop().await;
            return Err("a part of the service has ended by itself".into());
        }
    }
    service.stop().await;
    Ok(())
}

fn print(text: &str) -> CommandResult {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
