//! Digests of stored content.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of a text, in lower-case hex.
pub(in crate::app) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
