//! What can go wrong underneath.

use sea_orm::DbErr;

/// An infrastructure failure. Every outcome that a caller may expect was mapped inside the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or did not answer.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// The database's address is wrong, or nothing answers there.
    #[error("the database cannot be opened")]
    Address(#[source] sqlx::Error),
    /// What several waited for has failed.
    #[error(transparent)]
    Shared(std::sync::Arc<Self>),
    /// A stored value is not one of those that the product writes.
    #[error("a stored {0} is not understood")]
    Corrupt(&'static str),
}

impl StoreError {
    /// The error and what caused it, for a log. Holds no row's content.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}
