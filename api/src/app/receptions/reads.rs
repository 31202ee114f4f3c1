//! What queries and subscriptions read of receptions, each as a viewer may see it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use entities::{
    ids::{MeetingId, ReceptionId, RegistrationId},
    reception, reception_host, registration,
};

use crate::{
    app::{
        CommandError,
        personal_data::Applicant,
        reads::{PageRequest, PageSlice, Reads},
        receptions::locked::{is_active, queue},
    },
    domain::{notification::PersonKey, reception_events::reception_feed, receptions::Queue, viewer::Viewer},
    store::StoreError,
};

fn person(viewer: &Viewer) -> Option<String> {
    PersonKey::of_viewer(viewer).map(|key| key.0)
}

impl Reads {
    /// Returns receptions by id; drafts only to staff.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receptions_by_id(
        &self,
        viewer: &Viewer,
        ids: &[ReceptionId],
    ) -> Result<Vec<reception::Model>, StoreError> {
        self.visible_receptions(viewer, self.store().receptions_by_id(ids).await?)
    }

    /// Returns the receptions of meetings by their start; drafts only to staff.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receptions_of(
        &self,
        viewer: &Viewer,
        meetings: &[MeetingId],
    ) -> Result<Vec<reception::Model>, StoreError> {
        self.visible_receptions(viewer, self.store().receptions_of(meetings).await?)
    }

    fn visible_receptions(
        &self,
        viewer: &Viewer,
        rows: Vec<reception::Model>,
    ) -> Result<Vec<reception::Model>, StoreError> {
        let mut visible = Vec::with_capacity(rows.len());
        for row in rows {
            if row.opened_at.is_some() || self.app().may_run_reception(viewer, &row)? {
                visible.push(row);
            }
        }
        Ok(visible)
    }

    /// Returns the hosts of receptions in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reception_hosts(&self, ids: &[ReceptionId]) -> Result<Vec<reception_host::Model>, StoreError> {
        self.store().hosts_of(ids).await
    }

    /// Returns the queues of receptions. They hold no personal data and no texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queues(&self, receptions: &[&reception::Model]) -> Result<Vec<(ReceptionId, Arc<Queue>)>, StoreError> {
        // A crowd asks for one queue, each in a request of their own.
        if let [reception] = receptions {
            // Those who have connections of their own do not wait for a read with others.
            let key = (self.pool(), reception.id, reception.version);
            let read = async || {
                let queue = self.read_queues(receptions).await?.pop();
                queue.map(|(_, queue)| queue).ok_or(StoreError::Corrupt("queue"))
            };
            return Ok(vec![(reception.id, self.app().queue_reads.read(key, read).await?)]);
        }
        let queues = self.read_queues(receptions).await?;
        Ok(queues.into_iter().map(|(id, queue)| (id, Arc::new(queue))).collect())
    }

    async fn read_queues(&self, receptions: &[&reception::Model]) -> Result<Vec<(ReceptionId, Queue)>, StoreError> {
        let ids: Vec<_> = receptions.iter().map(|row| row.id).collect();
        let mut entries: HashMap<_, Vec<_>> = HashMap::new();
        for (reception, entry) in self.store().queues(&ids).await? {
            entries.entry(reception).or_default().push(entry);
        }
        let (offer, now) = (self.app().reception_rules.offer, self.app().now());
        let queue = |row: &&reception::Model| {
            let entries = entries.remove(&row.id).unwrap_or_default();
            (row.id, queue(offer, row, entries).read_at(now))
        };
        Ok(receptions.iter().map(queue).collect())
    }

    /// Returns registrations by id: the viewer's own, and those of receptions that the viewer runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations_by_id(
        &self,
        viewer: &Viewer,
        ids: &[RegistrationId],
    ) -> Result<Vec<registration::Model>, StoreError> {
        let Some(own) = person(viewer) else { return Ok(Vec::new()) };
        let mut rows = self.store().registrations_by_id(ids).await?;
        let runs = if viewer.is_public() { HashSet::new() } else { self.runs(viewer, &rows).await? };
        rows.retain(|row| row.person.as_ref() == Some(&own) || runs.contains(&row.reception_id));
        Ok(rows)
    }

    /// Returns the receptions of registrations that the viewer runs.
    async fn runs(&self, viewer: &Viewer, rows: &[registration::Model]) -> Result<HashSet<ReceptionId>, StoreError> {
        let ids: Vec<_> = rows.iter().map(|row| row.reception_id).collect();
        let mut runs = HashSet::new();
        for row in self.store().receptions_by_id(&ids).await? {
            if self.app().may_run_reception(viewer, &row)? {
                runs.insert(row.id);
            }
        }
        Ok(runs)
    }

    /// Returns a page of the registrations of a reception, by number; nothing to those who do not run it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations(
        &self,
        viewer: &Viewer,
        reception: &reception::Model,
        request: &PageRequest<i32>,
    ) -> Result<PageSlice<registration::Model>, StoreError> {
        if self.app().may_run_reception(viewer, reception)? {
            self.store().registrations(reception.id, request).await
        } else {
            Ok(request.slice(Vec::new()))
        }
    }

    /// Counts the registrations of a reception that the viewer sees.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_registrations(&self, viewer: &Viewer, reception: &reception::Model) -> Result<u64, StoreError> {
        if self.app().may_run_reception(viewer, reception)? {
            self.store().count_registrations(reception.id).await
        } else {
            Ok(0)
        }
    }

    /// Returns a page of the viewer's own registrations, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_registrations(
        &self,
        viewer: &Viewer,
        request: &PageRequest<RegistrationId>,
    ) -> Result<PageSlice<registration::Model>, StoreError> {
        match person(viewer) {
            Some(person) => self.store().registrations_of(&person, request).await,
            None => Ok(request.slice(Vec::new())),
        }
    }

    /// Counts the viewer's own registrations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_own_registrations(&self, viewer: &Viewer) -> Result<u64, StoreError> {
        match person(viewer) {
            Some(person) => self.store().count_registrations_of(&person).await,
            None => Ok(0),
        }
    }

    /// Returns the viewer's own registration for each reception: the active one, or the newest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_registrations_at(
        &self,
        viewer: &Viewer,
        receptions: &[ReceptionId],
    ) -> Result<Vec<registration::Model>, StoreError> {
        let Some(person) = person(viewer) else { return Ok(Vec::new()) };
        let mut newest: HashMap<ReceptionId, registration::Model> = HashMap::new();
        for row in self.store().registrations_at(&person, receptions).await? {
            let is_older = newest.get(&row.reception_id).is_some_and(|known| is_active(known.state));
            if !is_older {
                newest.insert(row.reception_id, row);
            }
        }
        Ok(newest.into_values().collect())
    }

    /// Returns the position of the newest event of receptions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receptions_head(&self) -> Result<i64, StoreError> {
        Ok(self.store().feed_extent(&reception_feed()).await?.head)
    }

    /// Returns the applicants of registrations that the viewer sees, and records each look in the audit log.
    ///
    /// # Errors
    /// When the database fails, or a value cannot be decrypted.
    pub async fn applicants(
        &self,
        viewer: &Viewer,
        ids: &[RegistrationId],
    ) -> Result<HashMap<RegistrationId, Applicant>, StoreError> {
        let rows = self.registrations_by_id(viewer, ids).await?;
        let wanted: Vec<_> = rows.iter().map(|row| row.id).collect();
        let read = || self.app().read_applicants(viewer, &wanted);
        let found = match read().await {
            Err(CommandError::Store(error)) if error.is_conflict() => read().await,
            other => other,
        };
        match found {
            Ok(applicants) => Ok(applicants),
            Err(CommandError::Store(error)) => Err(error),
            // Nobody who sees a registration is rejected.
            Err(_) => Ok(HashMap::new()),
        }
    }
}
