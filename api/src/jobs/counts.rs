//! Metrics of parked and overdue jobs.

use std::{collections::BTreeSet, sync::Arc};

use chrono::TimeDelta;

use crate::{
    app::{App, reads::StoreError},
    clock::sleep,
    jobs::Registry,
};

/// Interval between two counts.
const COUNTED_EVERY: TimeDelta = TimeDelta::seconds(15);
/// Time after which a due job without a holder is overdue.
const OVERDUE_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Counts jobs for ever, including kinds that this version does not know.
pub(in crate::jobs) async fn count_jobs(app: Arc<App>, registry: Registry) {
    // Kinds that were counted before are reported as 0.
    let mut kinds: BTreeSet<String> = registry.kinds().map(|kind| kind.name.to_owned()).collect();
    loop {
        sleep(app.clock.as_ref(), COUNTED_EVERY).await;
        if let Err(error) = count(&app, &mut kinds).await {
            tracing::warn!(error = error.chain(), "jobs cannot be counted");
        }
    }
}

async fn count(app: &App, kinds: &mut BTreeSet<String>) -> Result<(), StoreError> {
    let counts = app.job_counts(OVERDUE_AFTER).await?;
    kinds.extend(counts.iter().map(|counts| counts.kind.clone()));
    for kind in &*kinds {
        let found = counts.iter().find(|counts| counts.kind == *kind);
        let (parked, overdue) = found.map_or((0, 0), |counts| (counts.parked, counts.overdue));
        metrics::gauge!("kezdesu_jobs_parked", "kind" => kind.clone()).set(figure(parked));
        metrics::gauge!("kezdesu_jobs_overdue", "kind" => kind.clone()).set(figure(overdue));
    }
    Ok(())
}

fn figure(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
