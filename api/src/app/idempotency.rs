//! Idempotency keys: a repeated mutation returns the first result instead of running again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::{CommandError, Rejection, digest::sha256_hex, rejection::Invalid},
    domain::text::is_longer_than,
    store::{
        StoreError, Tx,
        idempotency::{IdempotencyKey, KeyClaim},
    },
};

/// The longest key, in characters. Keys are opaque and stored as sent.
const MAX_KEY_LENGTH: usize = 200;

/// Validates a caller's key and combines it with a digest of the input.
///
/// # Errors
/// Rejected when the key is empty, too long, or contains a control character.
pub fn idempotency_key(
    subject: &str,
    operation: &'static str,
    key: Option<&str>,
    input: &(impl Serialize + std::fmt::Debug),
) -> Result<Option<IdempotencyKey>, CommandError> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() {
        return Err(Rejection::Invalid { field: "idempotencyKey", why: Invalid::Empty }.into());
    }
    // PostgreSQL rejects NUL, and one failed statement would fail the whole batch of posts.
    if key.chars().any(char::is_control) {
        return Err(Rejection::Invalid { field: "idempotencyKey", why: Invalid::ControlCharacter }.into());
    }
    if is_longer_than(key, MAX_KEY_LENGTH) {
        return Err(Rejection::TooLong { field: "idempotencyKey", max: MAX_KEY_LENGTH }.into());
    }
    let input_json = serde_json::to_value(input).map_err(|_| StoreError::Corrupt("input"))?;
    let digest = format!("{DIGEST_VERSION}:{}", sha256_hex(&canonical_json(&input_json)));
    let former_digest = sha256_hex(&format!("{input:?}"));
    Ok(Some(IdempotencyKey { subject: subject.to_owned(), operation, key: key.to_owned(), digest, former_digest }))
}

/// Version of the canonical form. Every change of that form must raise it.
const DIGEST_VERSION: &str = "v2";

/// Serialises JSON in canonical form: sorted keys, no white space, no null members.
///
/// Without null members, a new optional field of an input does not change its digest.
fn canonical_json(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let present: BTreeMap<_, _> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            let member =
                |(key, value): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), canonical_json(value));
            format!("{{{}}}", present.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical_json).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

impl Tx {
    /// Claims the key, if there is one. Returns the result of the first call if this call repeats it.
    ///
    /// # Errors
    /// Rejected when the key was used with another input.
    pub async fn claim_idempotency_key(
        &self,
        key: Option<&IdempotencyKey>,
        result: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, CommandError> {
        let Some(key) = key else { return Ok(None) };
        match self.claim_one(key, result, now).await? {
            KeyClaim::New => Ok(None),
            KeyClaim::Repeat(first) => Ok(Some(first)),
            KeyClaim::OtherInput => Err(Rejection::KeyReused.into()),
        }
    }

    /// Claims the keys of several commands, each with its result and time. Returns for each the result of the first call if
    /// it repeats one, and a rejection if its key was used with another input.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_each(
        &self,
        commands: &[(Option<&IdempotencyKey>, Uuid, DateTime<Utc>)],
    ) -> Result<Vec<Result<Option<Uuid>, Rejection>>, StoreError> {
        let keyed: Vec<_> =
            commands.iter().filter_map(|(key, result, now)| Some(((*key)?.clone(), *result, *now))).collect();
        let claims = self.claim_idempotency_keys(&keyed).await?;
        let of = |(key, ..): &(Option<&IdempotencyKey>, Uuid, DateTime<Utc>)| match key.and_then(|key| claims.get(key))
        {
            None | Some(KeyClaim::New) => Ok(None),
            Some(KeyClaim::Repeat(first)) => Ok(Some(*first)),
            Some(KeyClaim::OtherInput) => Err(Rejection::KeyReused),
        };
        Ok(commands.iter().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_canonical_form_of_an_input_is_fixed() {
        let input = json!({ "b": [1, { "y": null, "x": "а \" \n" }], "a": { "d": true, "c": null }, "e": null });
        assert_eq!(canonical_json(&input), r#"{"a":{"d":true},"b":[1,{"x":"а \" \n"}]}"#);
        #[derive(Debug, Serialize)]
        struct Input {
            body: &'static str,
            language: Option<&'static str>,
        }
        let made = |input: &Input| idempotency_key("ana", "postComment", Some("k"), input).unwrap().unwrap();
        let first = made(&Input { body: "Жол?", language: None });
        assert_eq!(first.digest, format!("v2:{}", sha256_hex(r#"{"body":"Жол?"}"#)));
        assert_eq!(first.former_digest, sha256_hex(r#"Input { body: "Жол?", language: None }"#));
        assert_ne!(first.digest, made(&Input { body: "Жол?", language: Some("KK") }).digest);
    }
}
