//! The clock as a caller of the acts. Every job does nothing that another replica has already done.

use std::{future::Future, sync::Arc};

use chrono::TimeDelta;
use tokio::sync::broadcast::error::RecvError;
use tracing::Instrument as _;

use crate::{
    app::{App, retention::Retain},
    auth::Authenticator,
    clock::sleep,
    feed::{Bus, BusMessage},
    lifecycle::Lifecycle,
    store::StoreError,
    telemetry::{self, SPANS},
};

const SECOND: TimeDelta = TimeDelta::seconds(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);
const HOUR: TimeDelta = TimeDelta::hours(1);
/// How often the samples of histograms are summed up: until then each is kept, and nobody may ever read the metrics.
const SAMPLES_LAST: TimeDelta = TimeDelta::seconds(5);
/// Pause between two runs of the job that normalises again what older replicas wrote.
const NORMALIZATION_PAUSE: TimeDelta = TimeDelta::seconds(10);

/// Starts every job.
pub fn start(life: &Lifecycle, app: &Arc<App>, auth: &Arc<Authenticator>, bus: &Arc<dyn Bus>, retain: Retain) {
    let topics = retain.topics.clone();
    every(life, app, "votes", SECOND, |app| async move { app.publish_vote_counts().await });
    every(life, app, "budgets", SECOND, |app| async move { app.check_budgets().await });
    every(life, app, "normalization", NORMALIZATION_PAUSE, |app| async move { app.renormalize().await });
    every(life, app, "retention", MINUTE, move |app| {
        let retain = retain.clone();
        async move { app.apply_retention(&retain).await }
    });
    every(life, app, "old-events", HOUR, move |app| {
        let topics = topics.clone();
        async move { app.forget_old_events(&topics).await }
    });
    every(life, app, "rates", MINUTE, |app| async move {
        app.rate_limiter.evict_idle();
        Ok(())
    });
    every(life, app, "clock", MINUTE, |app| async move { app.set_clock().await });
    every(life, app, "histograms", SAMPLES_LAST, |_| async {
        if let Some(metrics) = telemetry::metrics() {
            metrics.run_upkeep();
        }
        Ok(())
    });
    life.spawn("regions", watch_regions(Arc::clone(app), Arc::clone(bus)));
    life.spawn("withdrawals", watch_withdrawals(Arc::clone(app), Arc::clone(auth)));
    life.spawn("keys", refresh_keys(Arc::clone(app), Arc::clone(auth)));
}

fn every<F>(
    life: &Lifecycle,
    app: &Arc<App>,
    name: &'static str,
    span: TimeDelta,
    job: impl Fn(Arc<App>) -> F + Send + 'static,
) where
    F: Future<Output = Result<(), StoreError>> + Send,
{
    let app = Arc::clone(app);
    life.spawn(name, async move {
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
