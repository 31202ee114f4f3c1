//! The HTTP client: one POST to a receiver, with bounds on time and size.

use std::{error::Error, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::{
    clock::{Clock, sleep},
    tls,
    webhooks::{
        AddressError, AddressRules, SignedMessage,
        resolver::{CheckedResolver, Resolver},
    },
};

/// How long a delivery may take in total.
pub const TIMEOUT: TimeDelta = TimeDelta::seconds(10);
/// How much of a response body is read, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 4 << 10;
/// How long an unused connection is kept.
const IDLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Name of this client in requests.
const USER_AGENT: &str = "kezdesu-webhooks";

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver has taken the message: a status of the 200s, and a complete response.
    Delivered {
        /// The status.
        status: u16,
    },
    /// The receiver wants no more messages: the status 410.
    Gone,
    /// Nothing says that the receiver has taken the message.
    Failed {
        /// The status, if there was one.
        status: Option<u16>,
        /// What failed.
        reason: FailureReason,
        /// How long the receiver asks to send nothing: `Retry-After` with the status 429 or 503.
        retry_after: Option<TimeDelta>,
    },
}

/// Why a delivery failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// The URL or its address is not allowed.
    Address,
    /// The host has no address.
    Unresolved,
    /// The receiver does not accept connections.
    Connect,
    /// The receiver has no valid certificate for its host.
    Tls,
    /// The receiver did not respond in time.
    Timeout,
    /// The connection ended before the response was complete.
    Closed,
    /// The receiver redirects, which is not followed.
    Redirect,
    /// The receiver responds with another status than 200 to 299.
    Status,
}

impl FailureReason {
    /// Returns the name under which the reason is stored and translated.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "ADDRESS",
            Self::Unresolved => "UNRESOLVED",
            Self::Connect => "CONNECT",
            Self::Tls => "TLS",
            Self::Timeout => "TIMEOUT",
            Self::Closed => "CLOSED",
            Self::Redirect => "REDIRECT",
            Self::Status => "STATUS",
        }
    }
}

/// Sends messages to receivers.
#[derive(Clone)]
pub struct WebhookClient {
    http: reqwest::Client,
    addresses: CheckedResolver,
    clock: Arc<dyn Clock>,
}

impl WebhookClient {
    /// Creates a client.
    ///
    /// # Errors
    /// When the certificates of the system cannot be loaded.
    pub fn new(
        rules: AddressRules,
        resolver: Arc<dyn Resolver>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        Self::with_builder(reqwest::Client::builder(), rules, resolver, clock)
    }

    fn with_builder(
        builder: reqwest::ClientBuilder,
        rules: AddressRules,
        resolver: Arc<dyn Resolver>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        tls::install_provider();
        let addresses = CheckedResolver { rules: Arc::new(rules), resolver };
        let http = builder
            .dns_resolver(addresses.clone())
            .https_only(addresses.rules.https_only)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()?;
        Ok(Self { http, addresses, clock })
    }

    /// Checks a URL that somebody registers, with all addresses that its host has now. Returns it normalised.
    ///
    /// # Errors
    /// When webhooks are not sent to it, or its host has no address.
    pub async fn check_receiver(&self, text: &str) -> Result<String, AddressError> {
        let url = self.addresses.rules.check_url(text)?;
        if let Some(host) = url.domain() {
            tokio::select! {
                addresses = self.addresses.addresses(host) => drop(addresses?),
                () = sleep(self.clock.as_ref(), TIMEOUT) => return Err(AddressError::Unresolved),
            }
        }
        Ok(url.into())
    }

    /// Sends a message once.
    pub async fn send(&self, url: &str, message: &SignedMessage) -> DeliveryOutcome {
        tokio::select! {
            // An outcome that is there counts, even if the time is over.
            biased;
            outcome = self.post(url, message) => outcome,
            () = sleep(self.clock.as_ref(), TIMEOUT) => failed(None, FailureReason::Timeout),
        }
    }

    async fn post(&self, url: &str, message: &SignedMessage) -> DeliveryOutcome {
        // The settings may have changed since the registration. The resolver does not see hosts that are addresses.
        let Ok(url) = self.addresses.rules.check_url(url) else { return failed(None, FailureReason::Address) };
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", &message.signature)
            .body(message.body.clone());
        match request.send().await {
            Ok(response) => outcome(response, self.clock.now()).await,
            Err(error) => failed(None, reason(&error)),
        }
    }
}

async fn outcome(response: Response, now: DateTime<Utc>) -> DeliveryOutcome {
    let status = response.status();
    let code = status.as_u16();
    if status == StatusCode::GONE {
        return DeliveryOutcome::Gone;
    }
    if status.is_redirection() {
        return failed(Some(code), FailureReason::Redirect);
    }
    if !status.is_success() {
        let retry_after = retry_after(&response, now);
        return DeliveryOutcome::Failed { status: Some(code), reason: FailureReason::Status, retry_after };
    }
    match read(response).await {
        Ok(()) => DeliveryOutcome::Delivered { status: code },
        Err(_) => failed(Some(code), FailureReason::Closed),
    }
}

/// Reads a response to its end, or to the most that is read. Nothing of it is kept, so that receivers cannot make the
/// service show what it can read and others cannot.
async fn read(mut response: Response) -> Result<(), reqwest::Error> {
    let mut count = 0;
    while let Some(chunk) = response.chunk().await? {
        count += chunk.len();
        if count >= MAX_RESPONSE_BYTES {
            break;
        }
    }
    Ok(())
}

/// Returns how long a receiver that has too much to do asks to send nothing: a number of seconds, or a date.
fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<TimeDelta> {
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = || text.parse().ok().map(|seconds: u32| TimeDelta::seconds(seconds.into()));
    seconds().or_else(|| Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now))
}

const fn failed(status: Option<u16>, reason: FailureReason) -> DeliveryOutcome {
    DeliveryOutcome::Failed { status, reason, retry_after: None }
}

/// Finds out why a request failed, from the error and its causes.
fn reason(error: &reqwest::Error) -> FailureReason {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(AddressError::Unresolved) => return FailureReason::Unresolved,
            Some(_) => return FailureReason::Address,
            None => {}
        }
        if is_tls(error) {
            return FailureReason::Tls;
        }
        cause = error.source();
    }
    if error.is_connect() { FailureReason::Connect } else { FailureReason::Closed }
}

/// Returns whether an error is one of TLS, perhaps wrapped in errors that do not name it as their source.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| is_tls(wrapped))
}

#[cfg(test)]
mod tests;
