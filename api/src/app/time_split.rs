//! Computes the time split of stored meetings and records when its budget thresholds are reached (p. 3.3).

mod ticker;

pub use ticker::{SplitFollower, SplitState, TimeSplitTickers};

use chrono::{DateTime, Utc};
use entities::{meeting, stage_segment};

use crate::{
    app::{
        App,
        isolation::run_isolated,
        meetings::{meeting_event, to_segments},
    },
    clock::almaty_date,
    domain::{
        feed::NewEvent,
        meeting_events::{STAGE, meeting_feed},
        time_split::{SplitPlan, SplitTotals, split_totals},
    },
    store::job_leases::{JobError, Lease},
};

/// Meetings whose segments are read in one query.
const BATCH: usize = 500;

impl App {
    /// Computes the time split of a meeting at `now`, by the norms in force on its date.
    #[must_use]
    pub fn split_totals(
        &self,
        meeting: &meeting::Model,
        rows: &[stage_segment::Model],
        now: DateTime<Utc>,
    ) -> SplitTotals {
        let share = self.norms.in_force(almaty_date(meeting.planned_start)).presentation_share;
        split_totals(SplitPlan { minutes: meeting.planned_minutes, share }, &to_segments(rows), now)
    }

    /// Records for every live meeting whether its presentation has reached 80 % or 100 % of its budget.
    ///
    /// Each threshold is recorded once, however many replicas check. A failing meeting does not stop the others.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn check_budgets(&self, lease: &Lease) -> Result<(), JobError> {
        for meetings in self.store.meetings_within_budget().await?.chunks(BATCH) {
            let ids: Vec<_> = meetings.iter().map(|meeting| meeting.id).collect();
            let rows = self.store.segments_of(&ids).await?;
            for meeting in meetings {
                run_isolated("budgets", meeting.id.0, self.check_budget(lease, meeting, &rows)).await?;
            }
        }
        Ok(())
    }

    async fn check_budget(
        &self,
        lease: &Lease,
        meeting: &meeting::Model,
        rows: &[stage_segment::Model],
    ) -> Result<(), JobError> {
        let own: Vec<_> = rows.iter().filter(|row| row.meeting_id == meeting.id).cloned().collect();
        // Detected without a lock first, and again under the lock.
        if self.detect_thresholds(&mut meeting.clone(), &own, self.now()).is_empty() {
            Ok(())
        } else {
            self.record_thresholds(lease, meeting).await
        }
    }

    async fn record_thresholds(&self, lease: &Lease, seen: &meeting::Model) -> Result<(), JobError> {
        let now = self.now();
        let mut tx = self.store.begin_fenced(lease).await?;
        let Some(before) = tx.lock_meeting(seen.id).await? else { return Ok(()) };
        let mut meeting = before.clone();
        let rows = tx.segments(seen.id).await?;
        let events = self.detect_thresholds(&mut meeting, &rows, now);
        if events.is_empty() {
            return Ok(());
        }
        tx.save_meeting(&before, &meeting).await?;
        tx.record(meeting_feed(), now, &events).await?;
        Ok(self.commit(tx).await?)
    }

    /// Sets the budget thresholds that the presentation has reached by `now`, and returns an event for each.
    ///
    /// The caller saves the meeting.
    pub(in crate::app) fn detect_thresholds(
        &self,
        meeting: &mut meeting::Model,
        rows: &[stage_segment::Model],
        now: DateTime<Utc>,
    ) -> Vec<NewEvent> {
        let totals = self.split_totals(meeting, rows, now);
        let thresholds = [(&mut meeting.warned_at, totals.warned_at), (&mut meeting.exceeded_at, totals.exceeded_at)];
        let new = thresholds.into_iter().filter(|(recorded, reached)| recorded.is_none() && reached.is_some());
        let new = new.map(|(recorded, reached)| *recorded = reached).count();
        vec![meeting_event(meeting, STAGE, None); new]
    }
}
