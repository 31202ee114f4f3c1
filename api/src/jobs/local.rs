//! Background loops that every replica runs for itself: rate limits, clock, metrics and caches.

use std::{future::Future, sync::Arc};

use chrono::TimeDelta;
use tokio::sync::broadcast::error::RecvError;
use tracing::Instrument as _;

use crate::{
    app::App,
    auth::Authenticator,
    clock::sleep,
    feed::{Bus, BusMessage},
    jobs::{MINUTE, SECOND},
    lifecycle::Lifecycle,
    store::StoreError,
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
    lifecycle.spawn("withdrawals", watch_withdrawals(Arc::clone(app), Arc::clone(auth)));
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
                // Tried again at the next turn.
                tracing::warn!(job = name, error = error.chain(), "a job failed");
            }
        }
    });
}

/// Reads the units anew when the bus says so, and looks every minute for what it did not say.
async fn watch_regions(app: Arc<App>, bus: Arc<dyn Bus>) {
    let mut heard = bus.listen();
    let mut known = None;
    // Outside the loop: a busy bus would put it off for ever.
    let mut next_look = sleep(app.clock.as_ref(), MINUTE);
    loop {
        let look = tokio::select! {
            word = heard.recv() => match word {
                Ok(BusMessage::Advanced(_)) => false,
                Ok(BusMessage::Regions | BusMessage::Missed) | Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            },
            () = &mut next_look => true,
        };
        if !look {
            continue;
        }
        next_look = sleep(app.clock.as_ref(), MINUTE);
        let result = async {
            let count = app.store.count_editions().await?;
            if known != Some(count) {
                app.reload_regions().await?;
                known = Some(count);
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = result.await {
            tracing::warn!(error = error.chain(), "the units cannot be read anew");
        }
    }
}

/// Looks every second whether tokens were withdrawn: those who are known by one are gone within two.
async fn watch_withdrawals(app: Arc<App>, auth: Arc<Authenticator>) {
    let mut known = None;
    loop {
        sleep(app.clock.as_ref(), SECOND).await;
        let result = async {
            let revision = app.store.revocations_revision().await?;
            if known != Some(revision) {
                auth.set_revocations(app.store.revocations().await?);
                known = Some(revision);
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = result.await {
            tracing::warn!(error = error.chain(), "withdrawals of tokens cannot be looked at");
        }
    }
}

/// Reads the keys anew every minute, and at once where a token names one that is not known.
async fn refresh_keys(app: Arc<App>, auth: Arc<Authenticator>) {
    loop {
        let wanted = tokio::select! {
            () = sleep(app.clock.as_ref(), MINUTE) => false,
            () = auth.refresh_requested() => true,
        };
        if let Err(error) = auth.refresh().await {
            tracing::warn!(%error, "the keys cannot be read anew: the old ones stay");
        }
        if wanted {
            auth.refresh_done();
        }
    }
}
