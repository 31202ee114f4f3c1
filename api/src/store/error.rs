//! What can go wrong underneath.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

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

/// What an engine says is wrong.
enum Code {
    /// A result code of SQLite, without its extension.
    Sqlite(u32),
    /// SQLSTATE, as PostgreSQL says it.
    State(String),
}

impl StoreError {
    /// Whether the database did not take what a statement brought: it would take another's, and it would not take this one later.
    #[must_use]
    pub fn is_of_data(&self) -> bool {
        // Of SQLSTATE the classes of data, constraints and limits of a program; of SQLite "too big", "constraint", "mismatch".
        self.code().is_some_and(|code| match code {
            Code::Sqlite(code) => matches!(code, 18..=20),
            Code::State(state) => ["22", "23", "54"].iter().any(|class| state.starts_with(class)),
        })
    }

    /// Whether the transaction lost a race for a lock, so that nothing was written and it may succeed when it is tried again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        // Of SQLSTATE: serialisation failure, deadlock, lock time-out; of SQLite "busy" and "locked".
        self.code().is_some_and(|code| match code {
            Code::Sqlite(code) => matches!(code, 5 | 6),
            Code::State(state) => matches!(state.as_str(), "40001" | "40P01" | "55P03"),
        })
    }

    /// Whether the database takes no writes, as a standby or a file that may only be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.code().is_some_and(|code| match code {
            Code::Sqlite(code) => code == 8,
            Code::State(state) => state == "25006",
        })
    }

    fn code(&self) -> Option<Code> {
        let (DbErr::Exec(cause) | DbErr::Query(cause)) = (match self {
            Self::Database(error) => error,
            Self::Shared(error) => return error.code(),
            Self::Address(_) | Self::Corrupt(_) => return None,
        }) else {
            return None;
        };
        let RuntimeErr::SqlxError(cause) = cause else { return None };
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
        // SQLSTATE has five characters. SQLite's extended codes hold the plain one in their lowest byte.
        match code.parse::<u32>() {
            Ok(number) if code.len() < 5 => Some(Code::Sqlite(number & 0xff)),
            _ => Some(Code::State(code.into_owned())),
        }
    }

    /// Whether no connection came free in time. The database may be there all the same.
    #[must_use]
    pub fn is_without_connection(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            Self::Shared(error) => error.is_without_connection(),
            Self::Address(_) | Self::Corrupt(_) => false,
        }
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
