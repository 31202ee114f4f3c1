//! The key file of an embedded database, for installations that set no keys.

use std::{io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    encryption::{DIGEST, KEY_LENGTH, KeyRing, SEPARATOR},
    secret_file::{random_bytes, read_or_create},
};

/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "data.keys";

impl KeyRing {
    /// Reads the key file of the data directory, or creates it with new keys and mode 0600.
    ///
    /// # Errors
    /// When the file cannot be read or created, or its content is malformed.
    pub fn of_directory(dir: &Path) -> io::Result<Self> {
        let text = read_or_create(dir, KEY_FILE, new_keys)?;
        Self::parse(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Returns new keys in the format of the setting.
fn new_keys() -> io::Result<String> {
    // A random id, so that a lost key file is told apart from a damaged database.
    let id: String = random_bytes::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let [key, digest] = [random_bytes::<KEY_LENGTH>()?, random_bytes::<KEY_LENGTH>()?].map(|key| STANDARD.encode(key));
    Ok(format!("{id}{SEPARATOR}{key},{DIGEST}{SEPARATOR}{digest}\n"))
}
