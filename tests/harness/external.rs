//! The program as it runs outside the tests: by the wall clock, with settings from its environment.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::{Actor, Engine, HOST, Tokens, databases, token_claims};

/// The time of the wall clock, by which the program goes.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the program runs on the wall clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Somebody with these roles over [`HOST`].
#[must_use]
pub fn person(host: &str, subject: &str, roles: &[&str]) -> Actor {
    Actor::with_token(host, Tokens.sign(&token_claims(subject, subject, roles, Some(HOST), now())))
}

/// Somebody without a token.
#[must_use]
pub fn anonymous(host: &str) -> Actor {
    Actor::new(host.to_owned(), None)
}

/// Settings of a program that keeps what it has in a directory, with more of them.
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
    pairs.extend_from_slice(more);
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Settings of a program on one of the two engines, with a database of its own.
pub async fn settings_on(dir: &Path, engine: Engine) -> Vec<(String, String)> {
    if engine == Engine::Embedded {
        return settings(dir, &[]);
    }
    let databases = databases().await;
    let more = [("KEZDESU_DATABASE_URL", databases.fresh().await), ("KEZDESU_REDIS_URL", databases.redis())];
    settings(dir, &more)
}
