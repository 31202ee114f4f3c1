//! Access to the data of the schema and of a request.
//!
//! Data of one feature is read from the GraphQL context by that feature.

use std::{hash::Hash, sync::Arc};

use async_graphql::{
    Context, QueryPathSegment,
    dataloader::{DataLoader, Loader},
};
use entities::enums::Language;

use crate::{
    app::{App, rate_limit::Requester, reads::Reads, time_split::TimeSplitTickers},
    domain::viewer::Viewer,
    feed::Hub,
    graphql::{
        caller::{Caller, ViewerAccess},
        error::{ApiError, ApiResult},
        expensive_queries::ExpensiveQueryLimiter,
        loaders::Loaders,
        meter::Meter,
    },
};

/// The data of the schema, shared by all requests.
pub struct SchemaData {
    /// The commands.
    pub app: Arc<App>,
    /// The feeds.
    pub hub: Arc<Hub>,
    /// The running time splits.
    pub splits: Arc<TimeSplitTickers>,
    /// The limit of expensive queries.
    pub expensive_queries: ExpensiveQueryLimiter,
}

/// The data of a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    caller: Caller,
    viewer_access: ViewerAccess,
}

impl RequestContext {
    /// Creates the data of a request.
    #[must_use]
    pub const fn new(caller: Caller, viewer_access: ViewerAccess) -> Self {
        Self { caller, viewer_access }
    }

    /// Returns the caller for rate limits. This does not affect the response, so it does not count as an
    /// access.
    #[must_use]
    pub fn requester(&self) -> Requester<'_> {
        self.caller.requester()
    }
}

/// Typed access to the data of a request.
pub trait ContextExt<'a> {
    /// The commands.
    fn app(&self) -> &'a Arc<App>;
    /// The reads of queries.
    fn reads(&self) -> Reads;
    /// The data of the schema.
    fn schema_data(&self) -> &'a SchemaData;
    /// The viewer. Records the access.
    fn viewer(&self) -> &'a Viewer;
    /// The language of the response.
    fn language(&self) -> Language;
    /// The resource usage of this operation.
    fn meter(&self) -> &'a Meter;
    /// Counts a long text in the response, and returns it.
    fn text<T: AsRef<str>>(&self, text: T) -> ApiResult<T> {
        self.meter().text(text.as_ref().len())?;
        Ok(text)
    }
    /// The data loaders.
    fn loaders(&self) -> &'a DataLoader<Loaders>;
    /// Loads a key: batched if the object is in a list, at once otherwise, because waiting for others would
    /// only cost time.
    fn load<K>(&self, key: K) -> impl Future<Output = ApiResult<Option<<Loaders as Loader<K>>::Value>>> + Send
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = ApiError>;
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn app(&self) -> &'a Arc<App> {
        &self.schema_data().app
    }

    fn reads(&self) -> Reads {
        Reads::of_queries(self.app())
    }

    fn schema_data(&self) -> &'a SchemaData {
        self.data_unchecked::<SchemaData>()
    }

    fn viewer(&self) -> &'a Viewer {
        let request_context = self.data_unchecked::<RequestContext>();
        request_context.viewer_access.record();
        &request_context.caller.viewer
    }

    fn language(&self) -> Language {
        self.data_unchecked::<RequestContext>().caller.language
    }

    fn meter(&self) -> &'a Meter {
        self.data_unchecked::<Arc<Meter>>()
    }

    fn loaders(&self) -> &'a DataLoader<Loaders> {
        self.data_unchecked::<DataLoader<Loaders>>()
    }

    async fn load<K>(&self, key: K) -> ApiResult<Option<<Loaders as Loader<K>>::Value>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = ApiError>,
    {
        let mut path = self.path_node;
        while let Some(node) = path {
            // The entities of `_entities` are a list too, though the library gives them no index.
            if matches!(node.segment, QueryPathSegment::Index(_) | QueryPathSegment::Name("_entities")) {
                return self.loaders().load_one(key).await;
            }
            path = node.parent.copied();
        }
        Ok(self.loaders().loader().load(std::slice::from_ref(&key)).await?.remove(&key))
    }
}
