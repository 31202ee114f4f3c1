//! Where the keys come from: a file, or an address that is trusted no further than it must be.

use std::{path::PathBuf, time::Duration};

use crate::{
    auth::keys::{KeyError, Keys, parse},
    config::{Environment, Settings},
    tls,
};

/// How long the keys' address may take for its whole answer.
const FETCH: Duration = Duration::from_secs(5);
/// How large a set of keys may be, in bytes.
pub(in crate::auth) const LARGEST: usize = 256 << 10;

/// Where the keys come from.
pub(in crate::auth) enum Source {
    /// From the development key, which does not change.
    Development,
    /// From a file.
    File(PathBuf),
    /// From an address.
    Address(String, reqwest::Client),
}

impl Source {
    /// The source that the settings name.
    pub(in crate::auth) fn of(settings: &Settings) -> Result<Self, KeyError> {
        let Some(place) = settings.jwks.as_deref() else { return Ok(Self::Development) };
        let scheme = place.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => Self::address(place, settings.environment == Environment::Production, FETCH),
            _ => Ok(Self::File(place.into())),
        }
    }

    /// An address that must give its whole answer within a time, and may be made to use TLS, also where it leads elsewhere.
    pub(in crate::auth) fn address(url: &str, only_https: bool, within: Duration) -> Result<Self, KeyError> {
        let secure = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if only_https && !secure {
            return Err(KeyError::Plain);
        }
        tls::provide();
        let client = reqwest::Client::builder().timeout(within).https_only(only_https).build().map_err(fetch)?;
        Ok(Self::Address(url.to_owned(), client))
    }

    /// Reads the keys.
    pub(in crate::auth) async fn read(&self) -> Result<Keys, KeyError> {
        match self {
            Self::Development => Err(KeyError::None),
            Self::File(path) => parse(&tokio::fs::read(path).await.map_err(KeyError::File)?),
            Self::Address(url, client) => {
                let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
                let mut answer = answer.map_err(fetch)?;
                let mut bytes = Vec::new();
                while let Some(part) = answer.chunk().await.map_err(fetch)? {
                    if bytes.len() + part.len() > LARGEST {
                        return Err(KeyError::TooLarge);
                    }
                    bytes.extend_from_slice(&part);
                }
                parse(&bytes)
            }
        }
    }
}

/// An address may hold a password, and this goes into the log.
fn fetch(error: reqwest::Error) -> KeyError {
    KeyError::Fetch(error.without_url())
}
