//! Checks of the database for readiness and metrics.

use crate::{
    app::App,
    store::{Store, StoreError},
};

/// Checks the database that a replica uses.
#[derive(Clone)]
pub struct DatabaseHealth(Store);

impl App {
    /// Returns the checks of the database.
    #[must_use]
    pub fn database_health(&self) -> DatabaseHealth {
        DatabaseHealth(self.store.clone())
    }
}

impl DatabaseHealth {
    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check_reachable(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }

    /// Checks that the database accepts writes, by committing one.
    ///
    /// # Errors
    /// When it does not: the disk is full, the database is a standby, or it does not answer.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        self.0.probe_write().await
    }

    /// Returns the number of statements run so far.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.0.statements()
    }
}
