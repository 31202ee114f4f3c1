//! Doing a creating act once, however often it is sent.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    app::{ActError, Refused, refused::Invalid},
    store::{
        Tx,
        idempotency::{Claim, Once},
    },
};

/// How many code points a key may have. It is opaque, so it is kept as it is.
const LONGEST_KEY: usize = 200;

/// A caller's key with everything that says what it stands for.
///
/// # Errors
/// Refused when the key is empty, too long, or holds a control character.
pub fn once(
    subject: &str,
    operation: &'static str,
    key: Option<&str>,
    input: &impl std::fmt::Debug,
) -> Result<Option<Once>, ActError> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() {
        return Err(Refused::Invalid { field: "idempotencyKey", why: Invalid::Empty }.into());
    }
    // PostgreSQL takes no NUL, and a statement that fails for one fails for all whose posts go with it.
    if key.chars().any(char::is_control) {
        return Err(Refused::Invalid { field: "idempotencyKey", why: Invalid::ControlCharacter }.into());
    }
    if key.chars().nth(LONGEST_KEY).is_some() {
        return Err(Refused::TooLong { field: "idempotencyKey", max: LONGEST_KEY }.into());
    }
    // `Debug` of an input names every part of it, so equal digests mean equal inputs.
    let digest = Sha256::digest(format!("{input:?}").as_bytes());
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Once { subject: subject.to_owned(), operation, key: key.to_owned(), digest }))
}

impl Tx {
    /// Claims the key, if there is one; gives what the first call made, if this is a repeat.
    ///
    /// # Errors
    /// Refused when the key was used with another input.
    pub async fn first_time(
        &self,
        once: Option<&Once>,
        result: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, ActError> {
        let Some(once) = once else { return Ok(None) };
        match self.claim(once, result, now).await? {
            Claim::Ours => Ok(None),
            Claim::Done(first) => Ok(Some(first)),
            Claim::Reused => Err(Refused::KeyReused.into()),
        }
    }
}
