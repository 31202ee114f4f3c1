//! Reading transactions that see the database at one moment.

use sea_orm::{
    AccessMode, DatabaseTransaction, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use crate::store::{DatabaseEngine, Store, StoreError};

impl Store {
    /// Begins a transaction that sees nothing of what others commit meanwhile.
    pub(in crate::store) async fn begin_snapshot(&self) -> Result<DatabaseTransaction, StoreError> {
        let mut options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
            ..TransactionOptions::default()
        };
        // A transaction of SQLite is a snapshot.
        if self.engine() == DatabaseEngine::Postgres {
            options.isolation_level = Some(IsolationLevel::RepeatableRead);
            options.access_mode = Some(AccessMode::ReadOnly);
        }
        Ok(self.reader().begin_with_options(options).await?)
    }
}
