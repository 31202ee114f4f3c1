//! What a resolver works with. The only place that reaches into the request's data.

use std::sync::Arc;

use async_graphql::{Context, dataloader::DataLoader};

use crate::{auth::Viewer, graphql::loaders::Batch, register::Register};

/// Access to what a resolver works with.
pub(in crate::graphql) trait Scene<'a> {
    /// The register.
    fn register(&self) -> &'a Register;
    /// Who asks.
    fn viewer(&self) -> &'a Viewer;
    /// What batches the look-ups of this request.
    fn batch(&self) -> &'a DataLoader<Batch>;
}

impl<'a> Scene<'a> for Context<'a> {
    fn register(&self) -> &'a Register {
        self.data_unchecked::<Arc<Register>>()
    }

    fn viewer(&self) -> &'a Viewer {
        self.data_unchecked::<Viewer>()
    }

    fn batch(&self) -> &'a DataLoader<Batch> {
        self.data_unchecked::<DataLoader<Batch>>()
    }
}
