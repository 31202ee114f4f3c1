//! Re-encrypts secrets of webhooks with the first key of the ring, after a rotation of keys.

use entities::{ids::WebhookId, webhook};

use crate::{
    app::{
        App,
        webhooks::secrets::{SecretColumn, SecretError, current_secret, encrypt_secret, previous_secret},
    },
    store::job_leases::{JobError, Lease},
};

/// Webhooks that are re-encrypted in one transaction.
const BATCH: u64 = 200;
/// Transactions in one run of the job.
const MAX_BATCHES: usize = 50;

impl App {
    /// Re-encrypts secrets that are encrypted with an earlier key of the ring, at most a bounded number of them.
    ///
    /// The rows are locked while they are re-encrypted, so no rotation of a secret is overwritten. A row that does not
    /// decrypt is logged and left as it is.
    ///
    /// # Errors
    /// When the lease is lost or the database fails. Committed batches stay.
    pub async fn reencrypt_webhooks(&self, lease: &Lease) -> Result<(), JobError> {
        let earlier: Vec<String> = self.data_keys.earlier_ids().map(str::to_owned).collect();
        if earlier.is_empty() || !self.store.has_webhooks_of_keys(&earlier).await? {
            return Ok(());
        }
        let mut after: Option<WebhookId> = None;
        for _ in 0..MAX_BATCHES {
            let tx = self.store.begin_fenced(lease).await?;
            let rows = tx.lock_webhooks_of_keys(&earlier, after, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            let renewed: Vec<_> = rows.iter().filter_map(|row| self.with_current_key(row)).collect();
            let count = renewed.len();
            tx.replace_encrypted_secrets(renewed).await?;
            self.commit(tx).await?;
            tracing::info!(webhooks = count, "re-encrypted secrets of webhooks");
        }
        Ok(())
    }

    fn with_current_key(&self, row: &webhook::Model) -> Option<webhook::Model> {
        let keys = &self.data_keys;
        let renew = || -> Result<webhook::Model, SecretError> {
            let secret = encrypt_secret(keys, row.id, SecretColumn::Current, &current_secret(keys, row)?)?;
            let previous = previous_secret(keys, row)?
                .map(|previous| encrypt_secret(keys, row.id, SecretColumn::Previous, &previous))
                .transpose()?;
            let key_id = keys.current_id().to_owned();
            Ok(webhook::Model { key_id, secret, previous_secret: previous, ..row.clone() })
        };
        renew()
            .inspect_err(|error| tracing::error!(webhook = %row.id.0, %error, "a secret cannot be re-encrypted"))
            .ok()
    }
}
