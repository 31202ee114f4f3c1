//! Writing transactions, with the notifications to publish after the commit.

use sea_orm::{DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use tracing::{Instrument as _, Span};

use crate::{
    domain::feed::FeedName,
    store::{DatabaseEngine, Store, StoreError, connection_taint::ConnectionTaint},
    telemetry::SPANS,
};

/// Tells that a feed has grown up to a position; published on the bus after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedAdvanced {
    /// The feed.
    pub feed: FeedName,
    /// Position of its newest event.
    pub seq: i64,
}

/// A writing transaction. It is rolled back if it is dropped without [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    engine: DatabaseEngine,
    inner: DatabaseTransaction,
    advanced: Vec<FeedAdvanced>,
    taint: ConnectionTaint,
    _span: Span,
}

impl Tx {
    pub(in crate::store) async fn begin(store: &Store, connection: &DatabaseConnection) -> Result<Self, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let span = tracing::info_span!(target: SPANS, "store.tx");
        let taint = store.taint.clone();
        let begun = connection.begin_with_options(options).instrument(span.clone()).await;
        let inner = begun.inspect_err(|_| {
            let _ = taint.mark();
        })?;
        Ok(Self { engine: store.engine, inner, advanced: Vec::new(), taint, _span: span })
    }

    pub(in crate::store) const fn engine(&self) -> DatabaseEngine {
        self.engine
    }

    pub(in crate::store) const fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    pub(in crate::store) fn advance(&mut self, advanced: FeedAdvanced) {
        self.advanced.push(advanced);
    }

    /// Commits, and returns the notifications to publish.
    ///
    /// # Errors
    /// When the commit fails, or its outcome is unknown.
    pub async fn commit(self) -> Result<Vec<FeedAdvanced>, StoreError> {
        // Marked first, because the connection may be released before a failure is seen here.
        let taint = self.taint.mark();
        self.inner.commit().await?;
        self.taint.clear(taint);
        Ok(self.advanced)
    }
}
