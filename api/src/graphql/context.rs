//! What a resolver works with. The only place that reaches into the request's data.

use std::sync::Arc;

use async_graphql::{Context, dataloader::DataLoader};
use entities::enums::Language;

use crate::{
    app::App,
    domain::viewer::Viewer,
    feed::{Hub, SplitBoard},
    graphql::loaders::Batch,
};

/// What the schema works with, whoever asks.
pub struct Rooms {
    /// The acts.
    pub app: Arc<App>,
    /// The feeds.
    pub hub: Arc<Hub>,
    /// The running time splits.
    pub splits: Arc<SplitBoard>,
}

/// Who asks, and in which language.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Who.
    pub viewer: Viewer,
    /// In which language.
    pub language: Language,
}

/// Access to what a resolver works with.
pub trait Scene<'a> {
    /// The acts.
    fn app(&self) -> &'a Arc<App>;
    /// The feeds and the running time splits.
    fn rooms(&self) -> &'a Rooms;
    /// Who asks.
    fn viewer(&self) -> &'a Viewer;
    /// The language of the answer.
    fn language(&self) -> Language;
    /// What batches the look-ups of this request.
    fn batch(&self) -> &'a DataLoader<Batch>;
}

impl<'a> Scene<'a> for Context<'a> {
    fn app(&self) -> &'a Arc<App> {
        &self.rooms().app
    }

    fn rooms(&self) -> &'a Rooms {
        self.data_unchecked::<Rooms>()
    }

    fn viewer(&self) -> &'a Viewer {
        &self.data_unchecked::<Asker>().viewer
    }

    fn language(&self) -> Language {
        self.data_unchecked::<Asker>().language
    }

    fn batch(&self) -> &'a DataLoader<Batch> {
        self.data_unchecked::<DataLoader<Batch>>()
    }
}
