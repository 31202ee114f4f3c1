//! Errors of the store.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::encryption::EncryptionError;

/// An infrastructure failure. Expected outcomes are return values instead.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement or transaction failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// The database URL is invalid, or the server is unreachable.
    #[error("the database cannot be opened")]
    Address(#[source] sqlx::Error),
    /// A failure that several callers share.
    #[error(transparent)]
    Shared(std::sync::Arc<Self>),
    /// A stored value is malformed.
    #[error("a stored {0} is not understood")]
    Corrupt(&'static str),
    /// Personal data cannot be encrypted or decrypted.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
}

/// The engine's error code.
enum ErrorCode {
    /// Primary result code of SQLite.
    Sqlite(u32),
    /// SQLSTATE of PostgreSQL.
    State(String),
}

impl StoreError {
    /// Returns whether the statement's data caused the error, so that a retry fails but other data may succeed.
    #[must_use]
    pub fn is_data_error(&self) -> bool {
        // SQLSTATE classes of data, constraints and program limits; SQLite's "too big", "constraint" and "mismatch".
        self.code().is_some_and(|code| match code {
            ErrorCode::Sqlite(code) => matches!(code, 18..=20),
            ErrorCode::State(state) => ["22", "23", "54"].iter().any(|class| state.starts_with(class)),
        })
    }

    /// Returns whether the transaction lost a race for a lock, so that a retry may succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        // SQLSTATE of serialisation failure, deadlock and lock timeout; SQLite's "busy" and "locked".
        self.code().is_some_and(|code| match code {
            ErrorCode::Sqlite(code) => matches!(code, 5 | 6),
            ErrorCode::State(state) => matches!(state.as_str(), "40001" | "40P01" | "55P03"),
        })
    }

    /// Returns whether the database is read-only, like a standby or a read-only file.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.code().is_some_and(|code| match code {
            ErrorCode::Sqlite(code) => code == 8,
            ErrorCode::State(state) => state == "25006",
        })
    }

    fn code(&self) -> Option<ErrorCode> {
        let (DbErr::Exec(cause) | DbErr::Query(cause)) = (match self {
            Self::Database(error) => error,
            Self::Shared(error) => return error.code(),
            Self::Address(_) | Self::Corrupt(_) | Self::Encryption(_) => return None,
        }) else {
            return None;
        };
        let RuntimeErr::SqlxError(cause) = cause else { return None };
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
        // SQLSTATE has five characters. The lowest byte of SQLite's extended codes is the primary code.
        match code.parse::<u32>() {
            Ok(number) if code.len() < 5 => Some(ErrorCode::Sqlite(number & 0xff)),
            _ => Some(ErrorCode::State(code.into_owned())),
        }
    }

    /// Returns whether the pool had no free connection in time. The database may still be reachable.
    #[must_use]
    pub fn is_pool_timeout(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            Self::Shared(error) => error.is_pool_timeout(),
            Self::Address(_) | Self::Corrupt(_) | Self::Encryption(_) => false,
        }
    }

    /// Returns whether the database is unreachable, so that every other statement would fail too.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)),
            Self::Shared(error) => error.is_unreachable(),
            Self::Address(_) | Self::Corrupt(_) | Self::Encryption(_) => false,
        }
    }

    /// Returns the error and its causes for a log, without row contents.
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
