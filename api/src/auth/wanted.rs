//! Keys that are named by a token and not known: looked for at once, but no more often than is bearable, since anybody can
//! make such tokens up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// How long nothing more is looked for.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
/// How long whoever shows such a token waits for its key.
const WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Look {
    /// Whether it is wanted, or under way.
    open: bool,
    /// Before when none more is wanted.
    not_before: Option<DateTime<Utc>>,
}

/// Whether keys are to be looked for.
#[derive(Debug, Default)]
pub(in crate::auth) struct Wanted(watch::Sender<Look>);

impl Wanted {
    /// Wants a look, unless there was one a moment ago.
    pub(in crate::auth) fn want(&self, now: DateTime<Utc>) {
        self.0.send_if_modified(|look| {
            let due = !look.open && look.not_before.is_none_or(|moment| moment <= now);
            if due {
                *look = Look { open: true, not_before: Some(now + PAUSE) };
            }
            due
        });
    }

    /// Waits until a look is wanted.
    pub(in crate::auth) async fn wanted(&self) {
        // It ends no sooner than this does.
        let _ = self.0.subscribe().wait_for(|look| look.open).await;
    }

    /// The look that was wanted is over.
    pub(in crate::auth) fn done(&self) {
        self.0.send_modify(|look| look.open = false);
    }

    /// Waits for the look that is wanted or under way, but not for long. Where there is none it waits for nothing.
    pub(in crate::auth) async fn over(&self) {
        let mut looks = self.0.subscribe();
        // Real time: it is somebody's request that waits.
        let _ = tokio::time::timeout(WAIT, looks.wait_for(|look| !look.open)).await;
    }
}
