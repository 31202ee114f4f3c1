//! Sources of the JWKS: a file, or a URL whose response is bounded in time and size.

use std::{path::PathBuf, time::Duration};

use crate::{
    auth::jwks::{KeyError, Keys, parse},
    config::{Environment, Settings},
    tls,
};

/// How long fetching the keys may take in total.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of a JWKS, in bytes.
pub(in crate::auth) const MAX_JWKS_BYTES: usize = 256 << 10;

/// Where the keys come from.
pub(in crate::auth) enum JwksSource {
    /// The development key, which does not change.
    Development,
    /// A file.
    File(PathBuf),
    /// A URL.
    Url(String, reqwest::Client),
}

impl JwksSource {
    /// Returns the source that the settings name.
    pub(in crate::auth) fn of(settings: &Settings) -> Result<Self, KeyError> {
        let Some(location) = settings.jwks.as_deref() else { return Ok(Self::Development) };
        let scheme = location.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => {
                Self::url(location, settings.environment == Environment::Production, FETCH_TIMEOUT)
            }
            _ => Ok(Self::File(location.into())),
        }
    }

    /// A URL with a timeout for the whole response. `only_https` also applies to redirects.
    pub(in crate::auth) fn url(url: &str, only_https: bool, timeout: Duration) -> Result<Self, KeyError> {
        let secure = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if only_https && !secure {
            return Err(KeyError::Plain);
        }
        tls::install_provider();
        let client = reqwest::Client::builder().timeout(timeout).https_only(only_https).build().map_err(fetch_error)?;
        Ok(Self::Url(url.to_owned(), client))
    }

    /// Reads and parses the keys.
    pub(in crate::auth) async fn read(&self) -> Result<Keys, KeyError> {
        match self {
            Self::Development => Err(KeyError::None),
            Self::File(path) => parse(&tokio::fs::read(path).await.map_err(KeyError::File)?),
            Self::Url(url, client) => {
                let response = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
                let mut response = response.map_err(fetch_error)?;
                let mut bytes = Vec::new();
                while let Some(chunk) = response.chunk().await.map_err(fetch_error)? {
                    if bytes.len() + chunk.len() > MAX_JWKS_BYTES {
                        return Err(KeyError::TooLarge);
                    }
                    bytes.extend_from_slice(&chunk);
                }
                parse(&bytes)
            }
        }
    }
}

/// A URL may contain a password, and errors are logged.
fn fetch_error(error: reqwest::Error) -> KeyError {
    KeyError::Fetch(error.without_url())
}
