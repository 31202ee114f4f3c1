//! Re-encrypts applicants with the first key of the ring, after a rotation.

use entities::{applicant, ids::RegistrationId};

use crate::{
    app::{
        App,
        personal_data::{decrypt, encrypt},
    },
    encryption::EncryptionError,
    store::job_leases::{JobError, Lease},
};

/// Applicants that are re-encrypted in one transaction.
const BATCH: u64 = 200;
/// Transactions in one run of the job.
const MAX_BATCHES: usize = 50;

impl App {
    /// Re-encrypts applicants that are encrypted with an earlier key of the ring, at most a bounded number of them.
    ///
    /// The rows are locked while they are re-encrypted, so no change of another transaction is overwritten. A row that does
    /// not decrypt is logged and left as it is.
    ///
    /// # Errors
    /// When the lease is lost or the database fails. Committed batches stay.
    pub async fn reencrypt_applicants(&self, lease: &Lease) -> Result<(), JobError> {
        let earlier: Vec<String> = self.data_keys.earlier_ids().map(str::to_owned).collect();
        if earlier.is_empty() || !self.store.has_applicants_of_keys(&earlier).await? {
            return Ok(());
        }
        let mut after: Option<RegistrationId> = None;
        for _ in 0..MAX_BATCHES {
            let tx = self.store.begin_fenced(lease).await?;
            let rows = tx.lock_applicants_of_keys(&earlier, after, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.registration_id);
            let renewed: Vec<_> = rows.iter().filter_map(|row| self.reencrypted(row)).collect();
            let count = renewed.len();
            tx.replace_encrypted_fields(renewed).await?;
            self.commit(tx).await?;
            tracing::info!(applicants = count, "re-encrypted personal data");
        }
        Ok(())
    }

    fn reencrypted(&self, row: &applicant::Model) -> Option<applicant::Model> {
        let renew = || -> Result<Option<applicant::Model>, EncryptionError> {
            let Some(applicant) = decrypt(&self.data_keys, row)? else { return Ok(None) };
            let fields = encrypt(&self.data_keys, row.registration_id, &applicant)?;
            let key_id = Some(self.data_keys.current_id().to_owned());
            Ok(Some(applicant::Model {
                key_id,
                name: Some(fields.name),
                phone: fields.phone,
                iin: fields.iin,
                ..row.clone()
            }))
        };
        renew().unwrap_or_else(|error| {
            tracing::error!(registration = %row.registration_id.0, %error, "personal data cannot be re-encrypted");
            None
        })
    }
}
