//! Copies the embedded database while the service may be running.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, path::Path};

use crate::{
    config::Settings,
    store::{Store, StoreError},
};

/// Why a backup failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// PostgreSQL has backup tools of its own.
    #[error(
        "KEZDESU_DATABASE_URL: only the embedded database is backed up by this command; back PostgreSQL up with its own tools"
    )]
    NotEmbedded,
    /// The file name is not UTF-8.
    #[error("the name of the file is not UTF-8")]
    Name,
    /// The file exists or cannot be created.
    #[error("the file cannot be made")]
    File(#[source] std::io::Error),
    /// Copying failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies the embedded database into a new file with mode 0600, while the service may be running.
///
/// # Errors
/// When the database is PostgreSQL, or the file exists or cannot be written.
pub async fn back_up(settings: &Settings, file: &Path) -> Result<(), BackupError> {
    if !settings.is_embedded() {
        return Err(BackupError::NotEmbedded);
    }
    let path = file.to_str().ok_or(BackupError::Name)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(BackupError::File)?;
    let store = Store::connect(settings.database_url.reveal(), settings.database_connections).await?;
    store.copy_to(path).await?;
    store.close().await;
    Ok(())
}
