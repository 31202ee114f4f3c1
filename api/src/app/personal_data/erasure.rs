//! Erases applicants: on request, and when their time of retention is over.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use entities::{applicant, ids::RegistrationId};

use crate::{
    app::App,
    domain::audit::{APPLICANT_ERASED, AuditActor, NewAuditEntry},
    store::{
        StoreError, Tx,
        job_leases::{JobError, Lease},
    },
};

/// Applicants that are erased in one transaction.
const BATCH: u64 = 200;
/// Transactions in one run of the job.
const MAX_BATCHES: usize = 50;
/// Why the job erased an applicant, in the audit log.
const RETENTION: &str = "retention";

impl App {
    /// Erases the personal data of an applicant. Returns whether there was any, so that a repeated erasure changes and
    /// records nothing. The caller appends [`APPLICANT_ERASED`] to the audit log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_personal_data(
        &self,
        tx: &Tx,
        registration: RegistrationId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(tx.erase_applicants(&[registration], now).await? > 0)
    }

    /// Erases the applicants of receptions that ended longer ago than `older_than`, at most a bounded number of them.
    ///
    /// # Errors
    /// When the lease is lost or the database fails. Committed batches stay.
    pub async fn erase_old_applicants(&self, lease: &Lease, older_than: TimeDelta) -> Result<(), JobError> {
        let now = self.now();
        for _ in 0..MAX_BATCHES {
            if !self.store.has_old_applicants(now - older_than).await? {
                break;
            }
            let tx = self.store.begin_fenced(lease).await?;
            let rows = tx.lock_old_applicants(now - older_than, BATCH).await?;
            // All that are left are locked: they are erased in the next run.
            if rows.is_empty() {
                break;
            }
            let ids: Vec<_> = rows.iter().map(|row| row.registration_id).collect();
            tx.erase_applicants(&ids, now).await?;
            tx.erase_registration_texts(&ids).await?;
            tx.append_audit_to_each(self.erasures(&rows, now)).await?;
            self.commit(tx).await?;
            tracing::info!(applicants = ids.len(), "erased personal data at the end of its retention");
        }
        Ok(())
    }

    fn erasures(&self, rows: &[applicant::Model], now: DateTime<Utc>) -> BTreeMap<String, Vec<NewAuditEntry>> {
        let mut entries: BTreeMap<String, Vec<NewAuditEntry>> = BTreeMap::new();
        for row in rows {
            let erasure = self.applicant_entry(APPLICANT_ERASED, AuditActor::Service, row.registration_id, now);
            let erasure = NewAuditEntry { detail: Some(RETENTION.to_owned()), ..erasure };
            entries.entry(row.host_code.clone()).or_default().push(erasure);
        }
        entries
    }
}
