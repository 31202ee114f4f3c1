//! Doing a creating act once, however often it is sent.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    app::{CommandError, Rejection, rejection::Invalid},
    store::{
        StoreError, Tx,
        idempotency::{Claim, Once},
    },
};

/// How many code points a key may have. It is opaque, so it is kept as it is.
const LONGEST_KEY: usize = 200;

/// A caller's key with everything that says what it stands for.
///
/// # Errors
/// Rejected when the key is empty, too long, or holds a control character.
pub fn once(
    subject: &str,
    operation: &'static str,
    key: Option<&str>,
    input: &(impl Serialize + std::fmt::Debug),
) -> Result<Option<Once>, CommandError> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() {
        return Err(Rejection::Invalid { field: "idempotencyKey", why: Invalid::Empty }.into());
    }
    // PostgreSQL takes no NUL, and a statement that fails for one fails for all whose posts go with it.
    if key.chars().any(char::is_control) {
        return Err(Rejection::Invalid { field: "idempotencyKey", why: Invalid::ControlCharacter }.into());
    }
    if key.chars().nth(LONGEST_KEY).is_some() {
        return Err(Rejection::TooLong { field: "idempotencyKey", max: LONGEST_KEY }.into());
    }
    let input_json = serde_json::to_value(input).map_err(|_| StoreError::Corrupt("input"))?;
    let digest = format!("{VERSION}:{}", hex_digest(&canonical(&input_json)));
    let former_digest = hex_digest(&format!("{input:?}"));
    Ok(Some(Once { subject: subject.to_owned(), operation, key: key.to_owned(), digest, former_digest }))
}

/// Version of the form whose digests are stored; to be raised with every change of that form.
const VERSION: &str = "v2";

fn hex_digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes JSON in its canonical form: keys sorted, no white space, no member that is null, so that a new optional field of an
/// input changes no digest.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let present: BTreeMap<_, _> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            let member =
                |(key, value): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), canonical(value));
            format!("{{{}}}", present.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

impl Tx {
    /// Claims the key, if there is one; gives what the first call made, if this is a repeat.
    ///
    /// # Errors
    /// Rejected when the key was used with another input.
    pub async fn first_time(
        &self,
        once: Option<&Once>,
        result: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, CommandError> {
        let Some(once) = once else { return Ok(None) };
        match self.claim(once, result, now).await? {
            Claim::Ours => Ok(None),
            Claim::Done(first) => Ok(Some(first)),
            Claim::Reused => Err(Rejection::KeyReused.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_canonical_form_of_an_input_is_fixed() {
        let input = json!({ "b": [1, { "y": null, "x": "а \" \n" }], "a": { "d": true, "c": null }, "e": null });
        assert_eq!(canonical(&input), r#"{"a":{"d":true},"b":[1,{"x":"а \" \n"}]}"#);
        #[derive(Debug, Serialize)]
        struct Input {
            body: &'static str,
            language: Option<&'static str>,
        }
        let made = |input: &Input| once("ana", "postComment", Some("k"), input).unwrap().unwrap();
        let first = made(&Input { body: "Жол?", language: None });
        assert_eq!(first.digest, format!("v2:{}", hex_digest(r#"{"body":"Жол?"}"#)));
        assert_eq!(first.former_digest, hex_digest(r#"Input { body: "Жол?", language: None }"#));
        assert_ne!(first.digest, made(&Input { body: "Жол?", language: Some("KK") }).digest);
    }
}
