//! What a resolver works with. The only place that reaches into the request's data.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_graphql::{
    Context, QueryPathSegment,
    dataloader::{DataLoader, Loader},
};
use entities::enums::Language;

use crate::{
    app::{App, rate_limit::Requester, time_split::TimeSplitTickers},
    domain::viewer::Viewer,
    feed::{Hub, Resume},
    graphql::{
        error::{ApiError, ApiResult},
        expensive_queries::ExpensiveQueryLimiter,
        live::ResumeAfter,
        loaders::Batch,
        meetings::Heads,
        meter::Meter,
    },
};

/// What the schema works with, whoever asks.
pub struct Rooms {
    /// The acts.
    pub app: Arc<App>,
    /// The feeds.
    pub hub: Arc<Hub>,
    /// The running time splits.
    pub splits: Arc<TimeSplitTickers>,
    /// The limit of expensive queries.
    pub expensive_queries: ExpensiveQueryLimiter,
}

/// Remembers whether anything asked who the viewer is: what was rendered without asking is the same for every viewer.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Somebody asks.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether anybody has asked.
    #[must_use]
    pub fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who asks, and in which language.
#[derive(Clone, Debug)]
pub struct Asker {
    viewer: Viewer,
    asked: Asked,
    language: Language,
    address: Option<IpAddr>,
}

impl Asker {
    /// A caller.
    #[must_use]
    pub const fn new(viewer: Viewer, language: Language, address: Option<IpAddr>, asked: Asked) -> Self {
        Self { viewer, asked, language, address }
    }

    /// The caller as the rate limits know it. What is charged is not part of the answer, so nobody has asked who it is.
    #[must_use]
    pub fn requester(&self) -> Requester<'_> {
        Requester { subject: self.viewer.subject(), address: self.address }
    }
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
    /// From where a stream goes on: where the door says so, else as its arguments say.
    fn resume(&self, after: Option<i64>, epoch: Option<String>) -> Option<Resume>;
    /// What this operation has used.
    fn meter(&self) -> &'a Meter;
    /// A long text of the answer, counted.
    fn text<T: AsRef<str>>(&self, text: T) -> ApiResult<T> {
        self.meter().text(text.as_ref().len())?;
        Ok(text)
    }
    /// The heads of comment feeds that this operation has read.
    fn heads(&self) -> &'a Heads;
    /// What batches the look-ups of this request.
    fn batch(&self) -> &'a DataLoader<Batch>;
    /// Looks something up for the object that is being resolved: together with those of the others of its list, or at once where
    /// it is in no list, since to wait for others would only cost time.
    fn load<K>(&self, key: K) -> impl Future<Output = ApiResult<Option<<Batch as Loader<K>>::Value>>> + Send
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batch: Loader<K, Error = ApiError>;
}

impl<'a> Scene<'a> for Context<'a> {
    fn app(&self) -> &'a Arc<App> {
        &self.rooms().app
    }

    fn rooms(&self) -> &'a Rooms {
        self.data_unchecked::<Rooms>()
    }

    fn viewer(&self) -> &'a Viewer {
        let asker = self.data_unchecked::<Asker>();
        asker.asked.note();
        &asker.viewer
    }

    fn language(&self) -> Language {
        self.data_unchecked::<Asker>().language
    }

    fn resume(&self, after: Option<i64>, epoch: Option<String>) -> Option<Resume> {
        let known = self.data_opt::<ResumeAfter>().map(|resume| resume.0.clone());
        known.or_else(|| after.map(|after| Resume { after, epoch }))
    }

    fn meter(&self) -> &'a Meter {
        self.data_unchecked::<Arc<Meter>>()
    }

    fn heads(&self) -> &'a Heads {
        self.data_unchecked::<Heads>()
    }

    fn batch(&self) -> &'a DataLoader<Batch> {
        self.data_unchecked::<DataLoader<Batch>>()
    }

    async fn load<K>(&self, key: K) -> ApiResult<Option<<Batch as Loader<K>>::Value>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batch: Loader<K, Error = ApiError>,
    {
        let mut path = self.path_node;
        while let Some(node) = path {
            // What references name is a list too, though the library gives its items no index.
            if matches!(node.segment, QueryPathSegment::Index(_) | QueryPathSegment::Name("_entities")) {
                return self.batch().load_one(key).await;
            }
            path = node.parent.copied();
        }
        Ok(self.batch().loader().load(std::slice::from_ref(&key)).await?.remove(&key))
    }
}
