//! Background loops that every replica runs for itself: rate limits, clock, metrics and caches.

use std::{future::Future, sync::Arc};

use chrono::TimeDelta;
use tokio::sync::broadcast::error::RecvError;
use tracing::Instrument as _;

use crate::{
    app::{App, reads::StoreError},
    auth::Authenticator,
    clock::sleep,
    feed::{Bus, BusMessage},
    jobs::{MINUTE, SECOND},
    lifecycle::Lifecycle,
    telemetry::{self, SPANS},
};

/// Period of summing up histogram samples, which are all kept until then.
const HISTOGRAM_UPKEEP: TimeDelta = TimeDelta::seconds(5);

/// Starts every loop.
pub(in crate::jobs) fn start(lifecycle: &Lifecycle, app: &Arc<App>, auth: &Arc<Authenticator>, bus: &Arc<dyn Bus>) {
    every(lifecycle, app, "rates", MINUTE, |app| async move {
        app.rate_limiter.evict_idle();
        Ok(())
    });
    every(lifecycle, app, "clock", MINUTE, |app| async move { app.set_clock().await });
    every(lifecycle, app, "histograms", HISTOGRAM_UPKEEP, |_| async {
        if let Some(metrics) = telemetry::metrics() {
            metrics.run_upkeep();
        }
        Ok(())
    });
    lifecycle.spawn("regions", watch_regions(Arc::clone(app), Arc::clone(bus)));
    lifecycle.spawn("withdrawals", watch_revocations(Arc::clone(app), Arc::clone(auth)));
    lifecycle.spawn("keys", refresh_keys(Arc::clone(app), Arc::clone(auth)));
}

fn every<F>(
    lifecycle: &Lifecycle,
    app: &Arc<App>,
    name: &'static str,
    span: TimeDelta,
    job: impl Fn(Arc<App>) -> F + Send + 'static,
) where
    F: Future<Output = Result<(), StoreError>> + Send,
{
    let app = Arc::clone(app);
    lifecycle.spawn(name, async move {
        loop {
            sleep(app.clock.as_ref(), span).await;
            let span = tracing::info_span!(target: SPANS, "job", name);
            if let Err(error) = job(Arc::clone(&app)).instrument(span).await {
                tracing::warn!(job = name, error = error.chain(), "a background loop failed");
            }
        }
    });
}

/// Reloads regions, agencies and categories when the bus announces a change, and checks every minute for lost announcements.
async fn watch_regions(app: Arc<App>, bus: Arc<dyn Bus>) {
    let mut messages = bus.listen();
    let mut known = None;
    // Kept across iterations, so that a busy bus cannot postpone it.
    let mut next_check = sleep(app.clock.as_ref(), MINUTE);
    loop {
        let should_check = tokio::select! {
            message = messages.recv() => match message {
                Ok(BusMessage::Advanced(_)) => false,
                Ok(BusMessage::ReferenceData | BusMessage::Missed) | Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            },
            () = &mut next_check => true,
        };
        if !should_check {
            continue;
        }
        next_check = sleep(app.clock.as_ref(), MINUTE);
        match app.reload_changed_regions(known).await {
            Ok(count) => known = Some(count),
            Err(error) => tracing::warn!(error = error.chain(), "the regions cannot be reloaded"),
        }
        if let Err(error) = app.reload_changed_reference_data().await {
            tracing::warn!(error = error.chain(), "agencies and categories cannot be reloaded");
        }
    }
}

/// Checks every second for new token revocations.
async fn watch_revocations(app: Arc<App>, auth: Arc<Authenticator>) {
    let mut known = None;
    loop {
        sleep(app.clock.as_ref(), SECOND).await;
        match app.revocations_since(known).await {
            Ok(None) => {}
            Ok(Some((revision, revocations))) => {
                auth.set_revocations(revocations);
                known = Some(revision);
            }
            Err(error) => tracing::warn!(error = error.chain(), "token revocations cannot be read"),
        }
    }
}

/// Refreshes the signing keys every minute, and at once if a token names an unknown key.
async fn refresh_keys(app: Arc<App>, auth: Arc<Authenticator>) {
    loop {
        let requested = tokio::select! {
            () = sleep(app.clock.as_ref(), MINUTE) => false,
            () = auth.refresh_requested() => true,
        };
        if let Err(error) = auth.refresh().await {
            tracing::warn!(%error, "the signing keys cannot be refreshed: the old ones stay");
        }
        if requested {
            auth.refresh_done();
        }
    }
}
