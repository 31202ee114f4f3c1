//! Secrets of webhooks: encrypted when they are saved, and decrypted to sign.

use chrono::{DateTime, Utc};
use entities::{ids::WebhookId, webhook};

use crate::{
    encryption::{EncryptionError, Field, KeyRing},
    store::webhooks::TABLE,
    webhooks::SigningSecret,
};

/// Why a secret cannot be read or saved. Never contains it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// It cannot be encrypted or decrypted.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The decrypted text is no secret.
    #[error("a secret of a webhook is malformed")]
    Malformed,
}

/// The encrypted columns. Values are bound to their names, so these never change.
#[derive(Clone, Copy)]
pub(super) enum SecretColumn {
    /// The secret.
    Current,
    /// The secret from before the last rotation.
    Previous,
}

impl SecretColumn {
    const fn of(self, id: WebhookId) -> Field {
        let column = match self {
            Self::Current => "secret",
            Self::Previous => "previous_secret",
        };
        Field { table: TABLE, column, row: id.0 }
    }
}

/// Encrypts a secret for a column of a webhook.
pub(super) fn encrypt_secret(
    keys: &KeyRing,
    id: WebhookId,
    column: SecretColumn,
    secret: &SigningSecret,
) -> Result<String, SecretError> {
    Ok(keys.encrypt(column.of(id), &secret.reveal())?)
}

fn decrypt(keys: &KeyRing, id: WebhookId, column: SecretColumn, encrypted: &str) -> Result<SigningSecret, SecretError> {
    SigningSecret::parse(&keys.decrypt(column.of(id), encrypted)?).ok_or(SecretError::Malformed)
}

/// Decrypts the secret of a webhook.
pub(super) fn current_secret(keys: &KeyRing, row: &webhook::Model) -> Result<SigningSecret, SecretError> {
    decrypt(keys, row.id, SecretColumn::Current, &row.secret)
}

/// Decrypts the secret from before the last rotation, if there is one.
pub(super) fn previous_secret(keys: &KeyRing, row: &webhook::Model) -> Result<Option<SigningSecret>, SecretError> {
    row.previous_secret.as_deref().map(|secret| decrypt(keys, row.id, SecretColumn::Previous, secret)).transpose()
}

/// Returns the secrets that messages are signed with: the newest first.
pub(super) fn secrets_in_force(
    keys: &KeyRing,
    row: &webhook::Model,
    now: DateTime<Utc>,
) -> Result<Vec<SigningSecret>, SecretError> {
    let mut secrets = vec![current_secret(keys, row)?];
    if row.previous_secret_until.is_some_and(|until| now < until) {
        secrets.extend(previous_secret(keys, row)?);
    }
    Ok(secrets)
}
