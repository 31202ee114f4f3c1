//! The command line.

use std::path::PathBuf;

use chrono::{NaiveDate, TimeDelta};
use clap::{Args, Parser, Subcommand};
use entities::{enums::Platform, ids::BroadcastId, kato::KatoCode};

use crate::{
    auth::{TokenRequest, parse_broadcast_id, parse_ttl},
    config::settings_help,
    domain::viewer::{Grant, ImportRestriction, Role},
};

/// Meetings of akims with the population: a GraphQL subgraph with live streams.
#[derive(Debug, Parser)]
#[command(name = "kezdesu", version, after_long_help = settings_help())]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API.
    Serve {
        /// Migrate a PostgreSQL schema first; the embedded database is always migrated
        #[arg(long)]
        migrate: bool,
    },
    /// Migrate the database schema.
    Migrate,
    /// Manage the territorial units.
    #[command(subcommand)]
    Regions(Regions),
    /// Manage the agencies to which issues are assigned.
    #[command(subcommand)]
    Agencies(Agencies),
    /// Manage the categories of issues.
    #[command(subcommand)]
    Categories(Categories),
    /// Mint a token with the development key.
    Token(TokenArgs),
    /// Revoke all tokens issued to a subject until now, and wait until new ones are accepted.
    #[command(alias = "withdraw-tokens")]
    RevokeTokens {
        /// The subject: `sub` of the tokens
        #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
        subject: String,
        /// Do not wait; tokens issued within the next half minute are rejected too
        #[arg(long)]
        no_wait: bool,
    },
    /// Begin a new epoch of the feeds after a restore from a backup; clients then read them anew.
    NewEpoch,
    /// Check the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Copy the embedded database into a new file, while the service may be running.
    Backup {
        /// The file to create
        file: PathBuf,
    },
    /// Print the GraphQL schema.
    Schema,
    /// Print the settings as Markdown tables.
    Settings,
    /// Serve with demonstration data.
    Demo,
}

/// Commands for the audit log.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Audit {
    /// Verify every chain, while the service may be running. Prints `ok` and the number of rows, or the first bad row and
    /// exits with 1.
    Verify,
}

/// Commands for the territorial units.
#[derive(Debug, Subcommand)]
pub enum Regions {
    /// Import an edition of the official classifier, `.xlsx` or `.csv`.
    Import {
        /// The file
        file: PathBuf,
        /// Only report what would change
        #[arg(long)]
        dry_run: bool,
        /// The date from which the edition is valid; today by default
        #[arg(long)]
        dated: Option<NaiveDate>,
        /// Allow up to this many units to end, if there are more than in any year. Without it, such a file is
        /// rejected as truncated
        #[arg(long, value_name = "N", default_value_t = 0)]
        allow_ending: usize,
        /// Accept a date more than a year ahead
        #[arg(long)]
        allow_far: bool,
    },
}

/// Commands for agencies.
#[derive(Debug, Subcommand)]
pub enum Agencies {
    /// Import agencies, all or nothing. Agencies that the file does not list stay.
    Import {
        /// The file: text with tabs between the columns code, kind, name_kk, name_ru, name_en, valid_from, valid_to, source,
        /// doubt and, if wanted, region
        file: PathBuf,
        /// Only report what would change
        #[arg(long)]
        dry_run: bool,
    },
}

/// Commands for categories of issues.
#[derive(Debug, Subcommand)]
pub enum Categories {
    /// Import categories, all or nothing. Categories that the file does not list stay.
    Import {
        /// The file: text with tabs between the columns code, name_kk, name_ru, name_en and, if wanted, ordinal
        file: PathBuf,
        /// Only report what would change
        #[arg(long)]
        dry_run: bool,
    },
}

/// Options of a token.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// A role with the scope of `--region` and `--agency`; may be given several times
    #[arg(long = "role", required_unless_present = "grants", value_parser = role)]
    pub roles: Vec<Role>,
    /// The unit whose subtree the roles apply to
    #[arg(long, value_parser = code)]
    pub region: Option<KatoCode>,
    /// The agency that the roles are for
    #[arg(long)]
    pub agency: Option<String>,
    /// A role with a scope of its own, as `ROLE[:REGION[:AGENCY]]`; may be given several times
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    pub grants: Vec<Grant>,
    /// The only platform that a CONNECTOR may import from
    #[arg(long, value_parser = platform)]
    pub platform: Option<Platform>,
    /// The only broadcast that a CONNECTOR may import from, `brd_…`
    #[arg(long, value_parser = broadcast)]
    pub broadcast: Option<BroadcastId>,
    /// The subject
    #[arg(long, default_value = "developer")]
    pub subject: String,
    /// The display name; the subject by default
    #[arg(long)]
    pub name: Option<String>,
    /// The lifetime: 90s, 30m, 8h, 2d
    #[arg(long, default_value = "8h", value_parser = ttl)]
    pub ttl: TimeDelta,
}

impl From<TokenArgs> for TokenRequest {
    fn from(args: TokenArgs) -> Self {
        let TokenArgs { roles, region, agency, mut grants, platform, broadcast, subject, name, ttl } = args;
        let name = name.unwrap_or_else(|| subject.clone());
        grants.extend(roles.into_iter().map(|role| Grant { role, region, agency: agency.clone() }));
        Self { subject, name, grants, imports: ImportRestriction { platform, broadcast }, ttl }
    }
}

fn role(text: &str) -> Result<Role, String> {
    let roles = || Role::ALL.iter().filter_map(|role| Some(serde_json::to_value(role).ok()?.as_str()?.to_owned()));
    serde_json::from_value(serde_json::Value::String(text.to_uppercase()))
        .map_err(|_| format!("the roles are {}", roles().collect::<Vec<_>>().join(", ")))
}

/// Parses `ROLE[:REGION[:AGENCY]]`; an empty region or agency is none.
fn grant(text: &str) -> Result<Grant, String> {
    let mut parts = text.splitn(3, ':');
    let name = parts.next().unwrap_or_default();
    let [region, agency] = [parts.next(), parts.next()].map(|part| part.filter(|part| !part.is_empty()));
    Ok(Grant { role: role(name)?, region: region.map(code).transpose()?, agency: agency.map(str::to_owned) })
}

fn code(text: &str) -> Result<KatoCode, String> {
    text.parse().map_err(|error: entities::kato::BadKatoCode| error.to_string())
}

fn platform(text: &str) -> Result<Platform, String> {
    let names = || Platform::ALL.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ");
    text.to_uppercase().parse().map_err(|_| format!("the platforms are {}", names()))
}

fn broadcast(text: &str) -> Result<BroadcastId, String> {
    parse_broadcast_id(text).ok_or_else(|| "the id of a broadcast, brd_…".to_owned())
}

fn ttl(text: &str) -> Result<TimeDelta, String> {
    parse_ttl(text).ok_or_else(|| "a lifetime such as 90s, 30m, 8h or 2d, at most 366d".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::{SETTINGS, Setting};

    #[test]
    fn help_lists_every_setting_with_its_default() {
        let help = Cli::command().render_long_help().to_string();
        for Setting { name, values, default, description, .. } in SETTINGS.iter() {
            let entry = format!("  {name}: {values} [default: {default}]\n          {description}\n");
            assert!(format!("{help}\n").contains(&entry), "{entry}is not in:\n{help}");
        }
        assert!(!Cli::command().render_help().to_string().contains("KEZDESU_"), "the short help is short");
    }
}
