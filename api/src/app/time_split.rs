//! The time split of stored meetings, and the moments at which its budget is used up (p. 3.3).

use chrono::{DateTime, Utc};
use entities::{meeting, stage_segment};

use crate::{
    app::{App, meetings::life_event},
    clock::almaty_date,
    domain::{
        feed::{EventKind, FeedName},
        time_split::{Plan, Segment, Sums, sums},
    },
    store::StoreError,
};

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
    /// replicas look.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_budgets(&self) -> Result<(), StoreError> {
        let meetings = self.store.meetings_within_budget().await?;
        let ids: Vec<_> = meetings.iter().map(|meeting| meeting.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.store.segments_of(&ids).await?;
        for meeting in meetings {
            let own: Vec<_> = rows.iter().filter(|row| row.meeting_id == meeting.id).cloned().collect();
            if marks(&meeting, &self.sums(&meeting, &own, self.now())).is_some() {
                self.mark_budget(&meeting).await?;
            }
        }
        Ok(())
    }

    async fn mark_budget(&self, seen: &meeting::Model) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(mut meeting) = tx.lock_meeting(seen.id).await? else { return Ok(()) };
        let rows = tx.segments(seen.id).await?;
        let Some((warned, exceeded)) = marks(&meeting, &self.sums(&meeting, &rows, now)) else { return Ok(()) };
        (meeting.warned_at, meeting.exceeded_at) = (warned, exceeded);
        tx.save_meeting(meeting.clone()).await?;
        tx.record(FeedName::Meetings, now, &[life_event(meeting.id, EventKind::Stage, None)]).await?;
        self.commit(tx).await
    }
}

/// When 80 % and 100 % of the budget were reached.
type Marks = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The marks a meeting should carry, if it does not carry them yet.
fn marks(meeting: &meeting::Model, sums: &Sums) -> Option<Marks> {
    let warned = meeting.warned_at.or(sums.warned_at);
    let exceeded = meeting.exceeded_at.or(sums.exceeded_at);
    (warned != meeting.warned_at || exceeded != meeting.exceeded_at).then_some((warned, exceeded))
}
