//! Signing secrets and signatures, as Standard Webhooks specifies them.

use std::{fmt, io};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::secret_file::random_bytes;

/// Prefix of a secret as text.
const SECRET_PREFIX: &str = "whsec_";
/// Prefix of a symmetric signature.
const SIGNATURE_VERSION: &str = "v1";
/// Length of a new secret in bytes. The specification allows 24 to 64.
const SECRET_LENGTH: usize = 32;
/// The shortest secret in bytes.
const MIN_SECRET_LENGTH: usize = 24;
/// The longest secret in bytes.
const MAX_SECRET_LENGTH: usize = 64;

/// A secret that is shared with a receiver.
#[derive(Clone)]
pub struct SigningSecret {
    bytes: Vec<u8>,
    mac: Hmac<Sha256>,
}

/// A message as it is sent: its body, and the headers that identify and sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMessage {
    /// The header `webhook-id`. Repeated deliveries of a message have the same one.
    pub id: String,
    /// The header `webhook-timestamp`: when this attempt was made, in seconds.
    pub timestamp: i64,
    /// The header `webhook-signature`: one signature for each secret, separated by spaces.
    pub signature: String,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SigningSecret {
    /// Creates a secret from random bytes of the operating system.
    ///
    /// # Errors
    /// When the operating system has none.
    pub fn generate() -> io::Result<Self> {
        let bytes: [u8; SECRET_LENGTH] = random_bytes()?;
        Self::new(bytes.to_vec()).ok_or_else(|| io::Error::other("a secret of a wrong length"))
    }

    /// Parses a secret as receivers know it: `whsec_` and base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?)
    }

    fn new(bytes: Vec<u8>) -> Option<Self> {
        if !(MIN_SECRET_LENGTH..=MAX_SECRET_LENGTH).contains(&bytes.len()) {
            return None;
        }
        let mac = Hmac::new_from_slice(&bytes).ok()?;
        Some(Self { bytes, mac })
    }

    /// Returns the secret as text, for the receiver and for encryption.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.mac.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("{SIGNATURE_VERSION},{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl SignedMessage {
    /// Signs a message with each secret: several while a rotation lasts.
    ///
    /// The id must contain no full stop, which separates the signed parts.
    #[must_use]
    pub fn new(id: String, at: DateTime<Utc>, body: Vec<u8>, secrets: &[SigningSecret]) -> Self {
        let timestamp = at.timestamp();
        let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(&id, timestamp, &body)).collect();
        Self { id, timestamp, signature: signatures.join(" "), body }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn message(secrets: &[SigningSecret]) -> SignedMessage {
        let body = br#"{"test": 2432232314}"#.to_vec();
        SignedMessage::new("msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), at(1_614_265_330), body, secrets)
    }

    #[test]
    fn signs_the_example_of_the_specification() {
        let signed = message(&[SigningSecret::parse(KNOWN).unwrap()]);
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signed.timestamp, 1_614_265_330);
    }

    #[test]
    fn signs_with_each_secret_of_a_rotation() {
        let (known, new) = (SigningSecret::parse(KNOWN).unwrap(), SigningSecret::generate().unwrap());
        let both = message(&[new.clone(), known.clone()]).signature;
        assert_eq!(both, format!("{} {}", message(&[new]).signature, message(&[known]).signature));
    }

    #[test]
    fn a_new_secret_is_random_and_of_the_specified_form() {
        let (one, other) = (SigningSecret::generate().unwrap().reveal(), SigningSecret::generate().unwrap().reveal());
        assert_ne!(one, other);
        assert_eq!(SigningSecret::parse(&one).unwrap().reveal(), one);
        assert_eq!(STANDARD.decode(one.strip_prefix("whsec_").unwrap()).unwrap().len(), SECRET_LENGTH);
    }

    #[test]
    fn rejects_secrets_of_a_wrong_length_or_form() {
        let text = |length| format!("whsec_{}", STANDARD.encode(vec![7; length]));
        for (length, valid) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(SigningSecret::parse(&text(length)).is_some(), valid, "{length}");
        }
        for wrong in ["", "whsec_", "whsec_!", &KNOWN[6..], "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(SigningSecret::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_in_debug_output() {
        assert_eq!(format!("{:?}", SigningSecret::parse(KNOWN).unwrap()), "***");
    }

    proptest! {
        #[test]
        fn every_part_is_signed(id in "[a-z0-9_]{1,20}", seconds in 0..4_000_000_000_i64, body: Vec<u8>, flip: u8) {
            let secrets = [SigningSecret::parse(KNOWN).unwrap()];
            let sign = |id: &str, seconds, body: &[u8]| {
                SignedMessage::new(id.to_owned(), at(seconds), body.to_vec(), &secrets).signature
            };
            let first = sign(&id, seconds, &body);
            prop_assert_eq!(&first, &sign(&id, seconds, &body));
            prop_assert_ne!(&first, &sign(&format!("{id}x"), seconds, &body));
            prop_assert_ne!(&first, &sign(&id, seconds + 1, &body));
            prop_assert_ne!(&first, &sign(&id, seconds, &[&body[..], &[flip]].concat()));
        }
    }
}
