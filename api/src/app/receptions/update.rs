//! Changes, closes and cancels receptions.

use chrono::{DateTime, Utc};
use entities::{enums::ReceptionState, ids::ReceptionId, reception, reception_host};

use crate::{
    app::{
        App, CommandError,
        input::{Title, check_version, checked_text},
        receptions::{
            ReceptionHost,
            locked::LockedReception,
            schedule,
            validation::{check_schedule, checked_hosts, named_hosts, set_place},
            wrong_reception_state,
        },
    },
    clock::almaty_date,
    domain::{
        feed::EventKind,
        meeting::MAX_REASON_LENGTH,
        policy,
        reception_events::{CANCELLED, CLOSED, OPENED},
        viewer::Viewer,
    },
};

/// A change of a reception. What is not given stays.
#[derive(Clone, Debug)]
pub struct UpdateReception {
    /// The reception.
    pub reception: ReceptionId,
    /// The place.
    pub place: Option<Title>,
    /// Start of the first slot.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the last slot has ended.
    pub ends_at: Option<DateTime<Utc>>,
    /// Length of a slot in minutes.
    pub slot_minutes: Option<i32>,
    /// Number of desks.
    pub desks: Option<i32>,
    /// The hosts.
    pub hosts: Option<Vec<ReceptionHost>>,
    /// Opens a draft.
    pub open: Option<bool>,
    /// Cancels it, for this reason.
    pub cancel_reason: Option<String>,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Changes a reception, opens or cancels it. Everybody who is registered is told.
    ///
    /// # Errors
    /// Rejected when the reception is over, or a field breaks a rule.
    pub async fn update_reception(
        &self,
        viewer: &Viewer,
        command: UpdateReception,
    ) -> Result<reception::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_reception::<policy::RunReception>(viewer, command.reception).await?;
        let mut locked = self.begin_with_reception(&permit, now).await?;
        let cancels = command.cancel_reason.is_some();
        if cancels && locked.reception.state == ReceptionState::Cancelled {
            return Ok(locked.reception);
        }
        check_version(locked.reception.version, command.version)?;
        if matches!(locked.reception.state, ReceptionState::Closed | ReceptionState::Cancelled) {
            return Err(wrong_reception_state(locked.reception.state).into());
        }
        match &command.cancel_reason {
            Some(reason) => cancel(&mut locked, reason, now)?,
            None => self.change(&mut locked, &command, now).await?,
        }
        Ok(locked.save(self).await?)
    }

    /// Closes a reception. Those who were not called are cancelled and told.
    ///
    /// # Errors
    /// Rejected while somebody is at a desk, or when the reception is not open.
    pub async fn close_reception(
        &self,
        viewer: &Viewer,
        id: ReceptionId,
        version: Option<i32>,
    ) -> Result<reception::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_reception::<policy::RunReception>(viewer, id).await?;
        let mut locked = self.begin_with_reception(&permit, now).await?;
        if locked.reception.state == ReceptionState::Closed {
            return Ok(locked.reception);
        }
        check_version(locked.reception.version, version)?;
        locked.check_open()?;
        locked.queue.close(now)?;
        locked.reception.closed_at = Some(now);
        locked.set_state(ReceptionState::Closed, CLOSED);
        Ok(locked.save(self).await?)
    }

    /// Changes place, times, desks and hosts, and opens a draft.
    async fn change(
        &self,
        locked: &mut LockedReception,
        command: &UpdateReception,
        now: DateTime<Utc>,
    ) -> Result<(), CommandError> {
        let before = locked.reception.clone();
        let is_draft = before.state == ReceptionState::Draft;
        apply(&mut locked.reception, command)?;
        let opens = is_draft && command.open == Some(true);
        if command.open == Some(false) && !is_draft {
            return Err(wrong_reception_state(before.state).into());
        }
        let (old, new) = (schedule(&before), schedule(&locked.reception));
        if old != new || opens {
            check_schedule(&new, now)?;
        }
        let hosts = self.changed_hosts(locked, command, opens).await?;
        if opens {
            self.open_row(&locked.tx, &mut locked.reception, &hosts, now).await?;
            locked.changed(OPENED);
            return Ok(());
        }
        if !is_draft {
            self.check_hosts_free(&locked.tx, &locked.reception, &hosts).await?;
            if almaty_date(old.starts_at) != almaty_date(new.starts_at) {
                self.assign_letter(&locked.tx, &mut locked.reception).await?;
            }
        }
        if old != new {
            locked.queue.reschedule(new, now);
            locked.tx.set_reception_end(before.id, new.ends_at).await?;
        } else {
            locked.notify_all = place(&locked.reception) != place(&before);
        }
        locked.changed(EventKind::CHANGED);
        Ok(())
    }

    /// Saves changed hosts, and returns the hosts. Roles that are not filled are left out of a public reception.
    async fn changed_hosts(
        &self,
        locked: &LockedReception,
        command: &UpdateReception,
        opens: bool,
    ) -> Result<Vec<reception_host::Model>, CommandError> {
        let id = locked.reception.id;
        let is_public = opens || locked.reception.opened_at.is_some();
        let hosts = match &command.hosts {
            Some(hosts) => checked_hosts(id, hosts, is_public)?,
            None if opens => named_hosts(locked.tx.hosts(id).await?)?,
            None => return Ok(locked.tx.hosts(id).await?),
        };
        locked.tx.replace_hosts(id, hosts.clone()).await?;
        Ok(hosts)
    }
}

fn place(row: &reception::Model) -> [Option<&String>; 3] {
    [Some(&row.place_kk), row.place_ru.as_ref(), row.place_en.as_ref()]
}

fn apply(row: &mut reception::Model, command: &UpdateReception) -> Result<(), CommandError> {
    if let Some(place) = &command.place {
        set_place(row, place)?;
    }
    row.starts_at = command.starts_at.unwrap_or(row.starts_at);
    row.ends_at = command.ends_at.unwrap_or(row.ends_at);
    row.slot_minutes = command.slot_minutes.unwrap_or(row.slot_minutes);
    row.desks = command.desks.unwrap_or(row.desks);
    Ok(())
}

fn cancel(locked: &mut LockedReception, reason: &str, now: DateTime<Utc>) -> Result<(), CommandError> {
    locked.reception.cancel_reason = Some(checked_text("cancelReason", reason, MAX_REASON_LENGTH)?);
    locked.queue.cancel_all(now);
    locked.set_state(ReceptionState::Cancelled, CANCELLED);
    Ok(())
}
