//! Encryption of single fields of personal data, and digests that find equal ones.
//!
//! A field is encrypted with XChaCha20-Poly1305 under a random nonce. The associated data are its table, its column and
//! the id of its row, so that a value that is copied into another row or column does not decrypt. The text of an
//! encrypted field begins with the id of its key, so that all keys of the ring can decrypt.

mod key_file;
#[cfg(test)]
mod tests;

use std::{fmt, io, sync::Arc};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD_NO_PAD},
};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

pub use key_file::KEY_FILE;

use crate::secret_file::random_bytes;

/// The id of the key for digests. It does not encrypt.
const DIGEST: &str = "digest";
/// Length of a key in bytes.
const KEY_LENGTH: usize = 32;
/// Length of a nonce in bytes. A random one of this length never repeats.
const NONCE_LENGTH: usize = 24;
/// Maximum length of the id of a key.
const MAX_ID_LENGTH: usize = 32;
/// Separates the id of the key from the encrypted value, in the setting and in the database.
const SEPARATOR: char = ':';

/// Keys in base64, with or without padding.
const KEY_FORMAT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys for personal data: the first encrypts, all decrypt, and one of its own makes digests.
#[derive(Clone)]
pub struct KeyRing(Arc<Keys>);

struct Keys {
    /// The key that encrypts.
    first: DataKey,
    /// Earlier keys, which only decrypt.
    others: Vec<DataKey>,
    digest: Hmac<Sha256>,
}

struct DataKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

/// The place of an encrypted value in the database, to which it is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The id of the row.
    pub row: Uuid,
}

/// Why a field cannot be encrypted or decrypted. Never contains the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The operating system has no random numbers.
    #[error("there are no random numbers")]
    NoRandom,
    /// The library refused to encrypt.
    #[error("a field cannot be encrypted")]
    Refused,
    /// The value is not one that this module wrote.
    #[error("an encrypted field is malformed")]
    Malformed,
    /// The key is not in the ring.
    #[error("KEZDESU_DATA_KEYS lacks the key {0}")]
    UnknownKey(String),
    /// The value was changed, or belongs to another row or column, or the key is another one of the same id.
    #[error("an encrypted field is not authentic")]
    NotAuthentic,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl KeyRing {
    /// Parses keys as `KEZDESU_DATA_KEYS` lists them: `id:base64`, separated by commas. Returns `None` if a key is
    /// malformed, an id or a key occurs twice, or the key for digests or one to encrypt with is missing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys: Vec<_> =
            text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(parse_key).collect::<Option<_>>()?;
        let repeats = |(at, (id, bytes)): (usize, &(&str, [u8; KEY_LENGTH]))| {
            keys.iter().take(at).any(|(other, others)| other == id || others == bytes)
        };
        if keys.iter().enumerate().any(repeats) {
            return None;
        }
        let (_, digest) = keys.iter().find(|(id, _)| *id == DIGEST)?;
        let digest = Hmac::new_from_slice(digest).ok()?;
        let mut encrypting = keys
            .iter()
            .filter(|(id, _)| *id != DIGEST)
            .map(|(id, bytes)| DataKey { id: (*id).to_owned(), cipher: XChaCha20Poly1305::new(bytes.into()) });
        let first = encrypting.next()?;
        Some(Self(Arc::new(Keys { first, others: encrypting.collect(), digest })))
    }

    /// Returns the id of the key that encrypts.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.0.first.id
    }

    /// Returns the ids of all keys that decrypt.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.current_id()).chain(self.earlier_ids())
    }

    /// Returns the ids of the keys that only decrypt.
    pub fn earlier_ids(&self) -> impl Iterator<Item = &str> {
        self.0.others.iter().map(|key| key.id.as_str())
    }

    /// Encrypts a field with the first key.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn encrypt(&self, field: Field, value: &str) -> Result<String, EncryptionError> {
        let nonce: [u8; NONCE_LENGTH] = random_bytes().map_err(|_: io::Error| EncryptionError::NoRandom)?;
        let key = &self.0.first;
        let payload = Payload { msg: value.as_bytes(), aad: &field.associated_data() };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| EncryptionError::Refused)?;
        Ok(format!("{}{SEPARATOR}{}", key.id, STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// Decrypts a field with the key that it names.
    ///
    /// # Errors
    /// When the value is malformed or not authentic, or its key is not in the ring.
    pub fn decrypt(&self, field: Field, encrypted: &str) -> Result<String, EncryptionError> {
        let (id, sealed) = encrypted.split_once(SEPARATOR).ok_or(EncryptionError::Malformed)?;
        if !is_key_id(id) {
            return Err(EncryptionError::Malformed);
        }
        let key = std::iter::once(&self.0.first).chain(&self.0.others).find(|key| key.id == id);
        let key = key.ok_or_else(|| EncryptionError::UnknownKey(id.to_owned()))?;
        let sealed = STANDARD_NO_PAD.decode(sealed).map_err(|_| EncryptionError::Malformed)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(EncryptionError::Malformed)?;
        let payload = Payload { msg: sealed, aad: &field.associated_data() };
        let value = key.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| EncryptionError::NotAuthentic)?;
        String::from_utf8(value).map_err(|_| EncryptionError::Malformed)
    }

    /// Returns a code that proves that a message is of this service. Codes of different purposes have nothing in common.
    #[must_use]
    pub fn authenticate(&self, purpose: &str, message: &[u8]) -> [u8; KEY_LENGTH] {
        self.code_of(purpose, message).finalize().into_bytes().into()
    }

    /// Returns whether a code is that of the message, in constant time.
    #[must_use]
    pub fn is_authentic(&self, purpose: &str, message: &[u8], code: &[u8]) -> bool {
        self.code_of(purpose, message).verify_slice(code).is_ok()
    }

    /// Uses a key of the purpose, which is derived from that for digests. No digest begins with a zero byte.
    fn code_of(&self, purpose: &str, message: &[u8]) -> Hmac<Sha256> {
        let mut derived = self.0.digest.clone();
        derived.update(b"\0derived key\0");
        derived.update(purpose.as_bytes());
        let key = derived.finalize().into_bytes();
        // A key of any length is accepted, so the other key is unreachable.
        let mut code: Hmac<Sha256> = Hmac::new_from_slice(&key).unwrap_or_else(|_| self.0.digest.clone());
        code.update(message);
        code
    }

    /// Returns a digest by which equal values of one column and scope are found. Digests of different columns or scopes
    /// have nothing in common, so that they cannot be linked.
    #[must_use]
    pub fn digest(&self, column: &str, scope: Uuid, value: &str) -> String {
        let mut mac = self.0.digest.clone();
        // The scope has a fixed length, and no column contains a zero byte.
        for part in [column.as_bytes(), &[0], scope.as_bytes(), value.as_bytes()] {
            mac.update(part);
        }
        STANDARD_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

impl Field {
    /// The row's id has a fixed length, and no name contains a zero byte, so no two fields have the same data.
    fn associated_data(&self) -> Vec<u8> {
        [self.table.as_bytes(), &[0], self.column.as_bytes(), &[0], self.row.as_bytes()].concat()
    }
}

fn parse_key(text: &str) -> Option<(&str, [u8; KEY_LENGTH])> {
    let (id, key) = text.split_once(SEPARATOR)?;
    let key = KEY_FORMAT.decode(key).ok()?.try_into().ok()?;
    is_key_id(id).then_some((id, key))
}

fn is_key_id(id: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
