//! Prepares a reception after a meeting, and opens it.

use chrono::{DateTime, Utc};
use entities::{
    enums::{MeetingPhase, ReceptionState},
    ids::{MeetingId, ReceptionId},
    reception, reception_host,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        input::Title,
        receptions::{
            ReceptionHost,
            draft::new_reception,
            locked::plan_wake_up,
            reception_event, schedule,
            validation::{check_schedule, checked_hosts, set_place},
        },
    },
    domain::{
        meeting::WrongPhase,
        policy,
        reception_events::{CREATED, OPENED, reception_feed},
        viewer::Viewer,
    },
    store::Tx,
};

/// A reception to prepare.
#[derive(Clone, Debug, serde::Serialize)]
pub struct OpenReception {
    /// The meeting after which it is held.
    pub meeting: MeetingId,
    /// The place.
    pub place: Title,
    /// Start of the first slot.
    pub starts_at: DateTime<Utc>,
    /// When the last slot has ended.
    pub ends_at: DateTime<Utc>,
    /// Length of a slot in minutes.
    pub slot_minutes: i32,
    /// Number of desks.
    pub desks: i32,
    /// The hosts.
    pub hosts: Vec<ReceptionHost>,
    /// Whether people can register at once.
    pub open: bool,
}

impl App {
    /// Prepares a reception after a meeting (p. 3.5): fills the draft that the meeting's end has created, or adds another
    /// reception.
    ///
    /// # Errors
    /// Rejected when the meeting has not ended, or a field breaks a rule.
    pub async fn open_reception(
        &self,
        viewer: &Viewer,
        command: OpenReception,
        key: Option<&str>,
    ) -> Result<reception::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RunReception>(viewer, command.meeting).await?;
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        let key = idempotency_key(subject, "openReception", key, &command)?;
        let id = ReceptionId(self.ids.next(now));
        let tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key.as_ref(), id.0, now).await? {
            let first = tx.lock_reception(ReceptionId(first)).await?;
            return first.ok_or_else(|| Rejection::NotFound { field: "idempotencyKey" }.into());
        }
        let locked = self.lock_permitted(tx, &permit).await?;
        let (mut tx, meeting) = (locked.tx, locked.meeting);
        if !matches!(meeting.phase, MeetingPhase::Ended | MeetingPhase::Closed) {
            return Err(WrongPhase(meeting.phase).into());
        }
        let draft = tx.untouched_draft(meeting.id).await?;
        let mut row = draft.clone().unwrap_or_else(|| new_reception(id, &meeting, now));
        row.created_by = Some(subject.to_owned());
        row.version = row.version.saturating_add(i32::from(draft.is_some()));
        let (row, hosts) = self.arrange(&tx, row, &command, now).await?;
        let opened = row.opened_at.is_some().then(|| reception_event(&row, OPENED));
        let created = draft.is_none().then(|| reception_event(&row, CREATED));
        match &draft {
            Some(before) => {
                tx.save_reception(before, &row).await?;
                if let Some(key) = key {
                    // The key was claimed for a new reception.
                    tx.release_idempotency_keys(&[(key.clone(), id.0)]).await?;
                    tx.claim_idempotency_key(Some(&key), row.id.0, now).await?;
                }
            }
            None => tx.insert_reception(row.clone()).await?,
        }
        tx.replace_hosts(row.id, hosts).await?;
        let events = created.into_iter().chain(opened).map(|event| (reception_feed(), event));
        tx.record_each(now, events.collect()).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Applies a command to a draft.
    async fn arrange(
        &self,
        tx: &Tx,
        mut row: reception::Model,
        command: &OpenReception,
        now: DateTime<Utc>,
    ) -> Result<(reception::Model, Vec<reception_host::Model>), CommandError> {
        set_place(&mut row, &command.place)?;
        (row.starts_at, row.ends_at) = (command.starts_at, command.ends_at);
        (row.slot_minutes, row.desks) = (command.slot_minutes, command.desks);
        check_schedule(&schedule(&row), now)?;
        let hosts = checked_hosts(row.id, &command.hosts, command.open)?;
        if command.open {
            self.open_row(tx, &mut row, &hosts, now).await?;
        }
        Ok((row, hosts))
    }

    /// Opens a draft.
    pub(super) async fn open_row(
        &self,
        tx: &Tx,
        row: &mut reception::Model,
        hosts: &[reception_host::Model],
        now: DateTime<Utc>,
    ) -> Result<(), CommandError> {
        self.check_hosts_free(tx, row, hosts).await?;
        self.assign_letter(tx, row).await?;
        row.state = if row.starts_at <= now { ReceptionState::Running } else { ReceptionState::Open };
        row.opened_at = Some(now);
        if row.state == ReceptionState::Open {
            plan_wake_up(tx, row.id, row.starts_at).await?;
        }
        Ok(())
    }
}
