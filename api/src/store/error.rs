//! What can go wrong underneath.

use sea_orm::{DbErr, RuntimeErr};

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
    /// Whether the database did not take what a statement brought: it would take another's, and it would not take this one later.
    #[must_use]
    pub fn is_of_data(&self) -> bool {
        let (DbErr::Exec(cause) | DbErr::Query(cause)) = (match self {
            Self::Database(error) => error,
            Self::Shared(error) => return error.is_of_data(),
            Self::Address(_) | Self::Corrupt(_) => return false,
        }) else {
            return false;
        };
        let RuntimeErr::SqlxError(cause) = cause else { return false };
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // Of SQLSTATE the classes of data, constraints and limits of a program; of SQLite "too big", "constraint", "mismatch".
        code.is_some_and(|code| match code.parse::<u32>() {
            Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 18..=20),
            _ => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
        })
    }

    /// Whether the database could not be had at all, so that anything else would fail too.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)),
            Self::Shared(error) => error.is_absence(),
            Self::Address(_) | Self::Corrupt(_) => false,
        }
    }

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
