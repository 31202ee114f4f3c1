//! On-demand refresh of the JWKS when a token names an unknown key. A cooldown limits it, because anyone can
//! make up such tokens.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// Cooldown between refreshes.
const COOLDOWN: TimeDelta = TimeDelta::seconds(5);
/// How long a request waits for a refresh.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct RefreshState {
    /// Whether a refresh is requested or running.
    pending: bool,
    /// When the cooldown ends.
    not_before: Option<DateTime<Utc>>,
}

/// Requests refreshes, and waits for them.
#[derive(Debug, Default)]
pub(in crate::auth) struct RefreshTrigger(watch::Sender<RefreshState>);

impl RefreshTrigger {
    /// Requests a refresh, unless one is pending or the cooldown has not ended.
    pub(in crate::auth) fn request(&self, now: DateTime<Utc>) {
        self.0.send_if_modified(|state| {
            let due = !state.pending && state.not_before.is_none_or(|moment| moment <= now);
            if due {
                *state = RefreshState { pending: true, not_before: Some(now + COOLDOWN) };
            }
            due
        });
    }

    /// Waits until a refresh is requested.
    pub(in crate::auth) async fn requested(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|state| state.pending).await;
    }

    /// Marks the refresh as done.
    pub(in crate::auth) fn done(&self) {
        self.0.send_modify(|state| state.pending = false);
    }

    /// Waits briefly for a pending refresh; returns at once if there is none.
    pub(in crate::auth) async fn wait(&self) {
        let mut states = self.0.subscribe();
        // Real time: a client's request is waiting.
        let _ = tokio::time::timeout(REFRESH_TIMEOUT, states.wait_for(|state| !state.pending)).await;
    }
}
