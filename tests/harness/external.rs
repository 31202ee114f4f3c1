//! Clients and settings for the program in a process of its own, which runs on the wall clock.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::{Actor, DATA_KEYS, Engine, HOST, Tokens, databases, token_claims};

/// Returns the wall-clock time, which the program uses.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the program runs on the wall clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Creates a person with these roles over [`HOST`].
#[must_use]
pub fn person(host: &str, subject: &str, roles: &[&str]) -> Actor {
    Actor::with_token(host, Tokens.sign(&token_claims(subject, subject, roles, Some(HOST), now())))
}

/// Creates a client without a token.
#[must_use]
pub fn anonymous(host: &str) -> Actor {
    Actor::new(host.to_owned(), None)
}

/// Returns settings of a program that keeps its data in `dir`, followed by `more`.
#[must_use]
pub fn settings(dir: &Path, more: &[(&str, String)]) -> Vec<(String, String)> {
    let jwks = dir.join("jwks.json");
    Tokens.publish(&jwks);
    let mut pairs = vec![
        ("KEZDESU_DATA_DIR", dir.display().to_string()),
        ("KEZDESU_JWKS", jwks.display().to_string()),
        ("KEZDESU_JWT_ISSUER", Tokens::ISSUER.to_owned()),
        ("KEZDESU_JWT_AUDIENCE", Tokens::AUDIENCE.to_owned()),
        ("KEZDESU_PERSON_A_MINUTE", "0".to_owned()),
        ("KEZDESU_ADDRESS_A_MINUTE", "0".to_owned()),
        ("KEZDESU_PERSON_COST_A_MINUTE", "0".to_owned()),
        ("KEZDESU_ADDRESS_COST_A_MINUTE", "0".to_owned()),
        ("KEZDESU_CONCURRENT_OPERATIONS", "0".to_owned()),
    ];
    // The embedded database makes keys of its own.
    if more.iter().any(|(name, _)| matches!(*name, "KEZDESU_DATABASE_URL" | "KEZDESU_ENVIRONMENT")) {
        pairs.push(("KEZDESU_DATA_KEYS", DATA_KEYS.to_owned()));
    }
    pairs.extend_from_slice(more);
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns settings of a program on an engine, with a new database.
pub async fn settings_on(dir: &Path, engine: Engine) -> Vec<(String, String)> {
    if engine == Engine::Embedded {
        return settings(dir, &[]);
    }
    let databases = databases().await;
    let more = [("KEZDESU_DATABASE_URL", databases.fresh().await), ("KEZDESU_REDIS_URL", databases.redis())];
    settings(dir, &more)
}
