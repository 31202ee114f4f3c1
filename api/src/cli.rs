//! The command line.

use std::path::PathBuf;

use chrono::{NaiveDate, TimeDelta};
use clap::{Args, Parser, Subcommand};
use entities::{enums::Platform, ids::BroadcastId, kato::KatoCode};

use crate::{
    auth::{TokenRequest, parse_broadcast_id, parse_ttl},
    domain::viewer::{ImportGrant, Role},
};

/// Meetings of akims with the population: a GraphQL subgraph with live streams.
#[derive(Debug, Parser)]
#[command(name = "kezdesu", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API.
    Serve {
        /// Bring the schema of a PostgreSQL up to date first; the embedded one always is.
        #[arg(long)]
        migrate: bool,
    },
    /// Bring the schema of the database up to date.
    Migrate,
    /// Units of the classifier.
    #[command(subcommand)]
    Regions(Regions),
    /// Make a token with the development key.
    Token(TokenArgs),
    /// Withdraw every token that somebody has been issued until now, and wait until new ones are accepted.
    WithdrawTokens {
        /// Whose: the `sub` of the tokens.
        #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
        subject: String,
        /// Do not wait: tokens issued within the next half minute are refused too.
        #[arg(long)]
        no_wait: bool,
    },
    /// Begin a new epoch of the feeds, after the database was restored from a backup: whoever followed before reads anew.
    NewEpoch,
    /// Copy the embedded database into a new file, while the service goes on.
    Backup {
        /// The file to be made.
        file: PathBuf,
    },
    /// Print the schema of the API.
    Schema,
    /// Serve, with meetings and people to look at.
    Demo,
}

/// Units of the classifier.
#[derive(Debug, Subcommand)]
pub enum Regions {
    /// Import an edition from the official file, `.xlsx` or `.csv`.
    Import {
        /// The file.
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
        /// The day from which the edition holds; today unless told.
        #[arg(long)]
        dated: Option<NaiveDate>,
        /// End up to so many units, where more end than in any year: without it such a file is taken for one that was cut off.
        #[arg(long, value_name = "N", default_value_t = 0)]
        allow_ending: usize,
        /// Take a day that is more than a year ahead.
        #[arg(long)]
        allow_far: bool,
    },
}

/// A token to be made.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What the holder may be; may be given several times.
    #[arg(long = "role", required = true, value_parser = role)]
    pub roles: Vec<Role>,
    /// Authority over this unit's subtree.
    #[arg(long, value_parser = code)]
    pub region: Option<KatoCode>,
    /// The agency that the holder speaks for.
    #[arg(long)]
    pub agency: Option<String>,
    /// The only platform that a CONNECTOR may import from.
    #[arg(long, value_parser = platform)]
    pub platform: Option<Platform>,
    /// The only broadcast that a CONNECTOR may import from, `brd_…`.
    #[arg(long, value_parser = broadcast)]
    pub broadcast: Option<BroadcastId>,
    /// Who the holder is.
    #[arg(long, default_value = "developer")]
    pub subject: String,
    /// The name shown; the subject unless told.
    #[arg(long)]
    pub name: Option<String>,
    /// How long the token lasts: 90s, 30m, 8h, 2d.
    #[arg(long, default_value = "8h", value_parser = ttl)]
    pub ttl: TimeDelta,
}

impl From<TokenArgs> for TokenRequest {
    fn from(args: TokenArgs) -> Self {
        let TokenArgs { roles, region, agency, platform, broadcast, subject, name, ttl } = args;
        let name = name.unwrap_or_else(|| subject.clone());
        Self { subject, name, roles, region, agency, imports: ImportGrant { platform, broadcast }, ttl }
    }
}

fn role(text: &str) -> Result<Role, String> {
    let roles = || Role::ALL.iter().filter_map(|role| Some(serde_json::to_value(role).ok()?.as_str()?.to_owned()));
    serde_json::from_value(serde_json::Value::String(text.to_uppercase()))
        .map_err(|_| format!("the roles are {}", roles().collect::<Vec<_>>().join(", ")))
}

fn code(text: &str) -> Result<KatoCode, String> {
    text.parse().map_err(|error: entities::kato::BadKatoCode| error.to_string())
}

fn platform(text: &str) -> Result<Platform, String> {
    let names = || Platform::ALL.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ");
    text.to_uppercase().parse().map_err(|_| format!("the platforms are {}", names()))
}

fn broadcast(text: &str) -> Result<BroadcastId, String> {
    parse_broadcast_id(text).ok_or_else(|| "the identity of a broadcast, brd_…".to_owned())
}

fn ttl(text: &str) -> Result<TimeDelta, String> {
    parse_ttl(text).ok_or_else(|| "a time such as 90s, 30m, 8h or 2d, at most 366d".to_owned())
}
