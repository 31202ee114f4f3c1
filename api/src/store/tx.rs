//! One writing transaction, and what is to be said once it has committed.

use sea_orm::{DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use tracing::{Instrument as _, Span};

use crate::{
    domain::feed::FeedName,
    store::{Engine, Store, StoreError, connect::ConnectionTaint},
    telemetry::SPANS,
};

/// A feed has grown up to a position: said to the bus after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poke {
    /// The feed.
    pub feed: FeedName,
    /// Position of its newest event.
    pub seq: i64,
}

/// A writing transaction. Dropped without [`Tx::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Tx {
    engine: Engine,
    inner: DatabaseTransaction,
    pokes: Vec<Poke>,
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
        Ok(Self { engine: store.engine, inner, pokes: Vec::new(), taint, _span: span })
    }

    pub(in crate::store) const fn engine(&self) -> Engine {
        self.engine
    }

    pub(in crate::store) const fn inner(&self) -> &DatabaseTransaction {
        &self.inner
    }

    pub(in crate::store) fn grew(&mut self, poke: Poke) {
        self.pokes.push(poke);
    }

    /// Makes everything of this transaction last, and gives what the bus is to be told.
    ///
    /// # Errors
    /// When the commit fails, or its outcome cannot be known.
    pub async fn commit(self) -> Result<Vec<Poke>, StoreError> {
        // Raised first, since the connection may be given back before a failure is seen here.
        let taint = self.taint.mark();
        self.inner.commit().await?;
        self.taint.clear(taint);
        Ok(self.pokes)
    }
}
