//! The time split of stored meetings, and the moments at which its budget is used up (p. 3.3).

use chrono::{DateTime, Utc};
use entities::{meeting, stage_segment};

use crate::{
    app::{App, isolation::run_isolated, meetings::meeting_event},
    clock::almaty_date,
    domain::{
        feed::{EventKind, FeedName, NewEvent},
        time_split::{Plan, Segment, Sums, sums},
    },
    store::StoreError,
};

/// Of how many meetings the stretches are read at once.
const BATCH: usize = 500;

/// Stored stretches as the rule sees them.
#[must_use]
pub fn segments_of(rows: &[stage_segment::Model]) -> Vec<Segment> {
    rows.iter().map(|row| Segment { stage: row.stage, started_at: row.started_at, ended_at: row.ended_at }).collect()
}

impl App {
    /// The sums of a meeting at a moment, by the norms in force on its date.
    #[must_use]
    pub fn sums(&self, meeting: &meeting::Model, rows: &[stage_segment::Model], now: DateTime<Utc>) -> Sums {
        let share = self.norms.in_force(almaty_date(meeting.planned_start)).presentation_share;
        sums(Plan { minutes: meeting.planned_minutes, share }, &segments_of(rows), now)
    }

    /// Records for every live meeting that its presentation has reached 80 % or 100 % of its budget: once, however many
    /// replicas look. Each meeting is judged by itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_budgets(&self) -> Result<(), StoreError> {
        for meetings in self.store.meetings_within_budget().await?.chunks(BATCH) {
            let ids: Vec<_> = meetings.iter().map(|meeting| meeting.id).collect();
            let rows = self.store.segments_of(&ids).await?;
            for meeting in meetings {
                run_isolated("budgets", meeting.id.0, self.watch_budget(meeting, &rows)).await?;
            }
        }
        Ok(())
    }

    async fn watch_budget(&self, meeting: &meeting::Model, rows: &[stage_segment::Model]) -> Result<(), StoreError> {
        let own: Vec<_> = rows.iter().filter(|row| row.meeting_id == meeting.id).cloned().collect();
        // Seen without a lock, and judged anew behind it.
        if self.reach(&mut meeting.clone(), &own, self.now()).is_empty() {
            Ok(())
        } else {
            self.mark_budget(meeting).await
        }
    }

    async fn mark_budget(&self, seen: &meeting::Model) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(before) = tx.lock_meeting(seen.id).await? else { return Ok(()) };
        let mut meeting = before.clone();
        let rows = tx.segments(seen.id).await?;
        let events = self.reach(&mut meeting, &rows, now);
        if events.is_empty() {
            return Ok(());
        }
        tx.save_meeting(&before, &meeting).await?;
        tx.record(FeedName::Meetings, now, &events).await?;
        self.commit(tx).await
    }

    /// Notes on a meeting, which the caller saves, what marks its presentation has reached by a moment: an event for each, in their
    /// order.
    pub(in crate::app) fn reach(
        &self,
        meeting: &mut meeting::Model,
        rows: &[stage_segment::Model],
        now: DateTime<Utc>,
    ) -> Vec<NewEvent> {
        let sums = self.sums(meeting, rows, now);
        let marks = [(&mut meeting.warned_at, sums.warned_at), (&mut meeting.exceeded_at, sums.exceeded_at)];
        let new = marks.into_iter().filter(|(noted, reached)| noted.is_none() && reached.is_some());
        let new = new.map(|(noted, reached)| *noted = reached).count();
        vec![meeting_event(meeting.id, EventKind::Stage, None); new]
    }
}
