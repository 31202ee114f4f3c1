//! The GraphQL engine: executes requests of authenticated callers, and localises and serialises the
//! responses.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_graphql::{Request, Response, ServerError, dataloader::DataLoader, parser::types::OperationType};
use bytes::Bytes;
use chrono::TimeDelta;
use entities::enums::Language;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    app::{
        App,
        reads::{Reads, StoreError},
        time_split::TimeSplitTickers,
    },
    clock::sleep,
    feed::{Hub, Resume},
    graphql::{
        attached_follower::{AttachedFollower, EventSink},
        caller::{Caller, ViewerAccess},
        context::{RequestContext, SchemaData},
        cost_budget::{PrepaidCost, admit},
        error::{ApiError, ApiResult, localize_errors, rate_limit},
        expensive_queries::{Deadline, ExpensiveQueryLimiter},
        fanout::{Fanout, Renderer},
        feed_heads::FeedHeads,
        loader_dispatch::LoaderDispatch,
        loaders::Loaders,
        meter::{Meter, ResponseMemory, serialize_bounded},
        operation_cache::OperationCache,
        operation_limits::cost_exceeded,
        operation_response::{OperationResponse, SerializedResponse, errors_json, is_request_error},
        preparation::{operation_type, prepare},
        prepared_operation::PreparedOperation,
        render_cache::{RenderCache, RenderGroup, RenderGroupKey, Rendering},
        response_shape::ResponseShape,
        schema::{ApiSchema, schema},
        stream_item::{RenderKey, StreamItem},
        subscription_stream::{ItemSource, ResumeOverride, SubscriptionPhase},
    },
};

/// How long a subscription may take to start.
const SUBSCRIBE_TIMEOUT: TimeDelta = TimeDelta::seconds(15);

/// Executes operations on the schema.
#[derive(Clone)]
pub struct Engine {
    schema: ApiSchema,
    app: Arc<App>,
    operation_cache: Arc<OperationCache>,
    render_cache: Arc<RenderCache>,
    memory: ResponseMemory,
}

impl Engine {
    /// Creates an engine.
    #[must_use]
    pub fn new(app: Arc<App>, hub: Arc<Hub>, splits: Arc<TimeSplitTickers>, introspection: bool) -> Self {
        let memory = ResponseMemory::default();
        let data =
            SchemaData { app: Arc::clone(&app), hub, splits, expensive_queries: ExpensiveQueryLimiter::default() };
        Self {
            schema: schema(data, introspection),
            app,
            operation_cache: Arc::default(),
            render_cache: Arc::default(),
            memory,
        }
    }

    /// Executes a query or a mutation. `deadline` bounds an expensive query.
    pub async fn execute(&self, mut request: Request, caller: &Caller, deadline: Option<Deadline>) -> Response {
        let prepaid = match self.admit(&request, caller) {
            Ok(prepaid) => prepaid,
            Err(error) => return self.error_response(error, caller.language),
        };
        let is_query = matches!(self.operation(&mut request), Ok(OperationType::Query));
        let prepared = match prepare(&self.schema, &self.operation_cache, request).await {
            Ok(prepared) => prepared,
            Err(mut response) => {
                self.finish(&mut response, caller.language);
                return response;
            }
        };
        let reads = if is_query { Reads::of_queries(&self.app) } else { Reads::of_commands(&self.app) };
        let (request, _, meter) = self.with_data(prepared.to_request(), caller, reads);
        let request = match deadline.filter(|_| is_query) {
            Some(deadline) => request.data(prepaid).data(deadline),
            None => request.data(prepaid),
        };
        let response = self.schema.execute(request).await;
        // A mutation returns what it has done, even if its response exceeds a limit.
        let exceeded = meter.stopped().filter(|_| is_query);
        self.complete(response, &prepared.template.response_shape, exceeded, caller.language)
    }

    /// Completes an executed response, or replaces it by the error of an exceeded limit.
    fn complete(
        &self,
        mut response: Response,
        response_shape: &ResponseShape,
        exceeded: Option<ApiError>,
        language: Language,
    ) -> Response {
        if let Some(error) = exceeded {
            return self.error_response(error, language);
        }
        response_shape.apply(&mut response);
        self.finish(&mut response, language);
        response
    }

    /// Executes an operation and returns its responses: one, or the stream of a subscription. `resume`
    /// overrides the arguments of the subscription. Events go to `sink` directly as long as it takes them, and
    /// else through the stream.
    pub async fn responses(
        &self,
        mut request: Request,
        caller: &Caller,
        resume: Option<Resume>,
        sink: Option<Arc<dyn EventSink>>,
    ) -> BoxStream<'static, OperationResponse> {
        let rejected = |response| {
            let held_back = async move {
                if let Some(limit) = rate_limit(&response) {
                    limit.hold_back(std::future::pending()).await;
                }
                OperationResponse::Rejected(Box::new(response))
            };
            stream::once(held_back).boxed()
        };
        if !matches!(self.operation(&mut request), Ok(OperationType::Subscription)) {
            return rejected(Box::pin(self.execute(request, caller, None)).await);
        }
        let reject = |mut response: Response| {
            self.finish(&mut response, caller.language);
            rejected(response)
        };
        let prepaid = match self.admit(&request, caller) {
            Ok(prepaid) => prepaid,
            Err(error) => return rejected(self.error_response(error, caller.language)),
        };
        let query = request.query.clone();
        let prepared = match prepare(&self.schema, &self.operation_cache, request).await {
            Ok(prepared) => prepared,
            Err(response) => return reject(response),
        };
        let anonymous = caller.viewer.person().is_none();
        let Some(key) = RenderGroupKey::new(query, &prepared, caller.language, anonymous) else {
            return reject(Response::from_errors(vec![cost_exceeded()]));
        };
        let mut items = match self.begin(&prepared, caller, prepaid, resume).await {
            Ok(Some(items)) => items,
            Ok(None) => return stream::empty().boxed(),
            Err(response) => return reject(response),
        };
        let group = self.render_cache.join(key, prepared);
        let caller = Arc::new(caller.clone());
        if let (ItemSource::Feed(feed), Some(sink)) = (&mut items, sink) {
            let (reader, number) = feed.tail();
            let renderer = GroupRenderer { engine: self.clone(), group: Arc::downgrade(&group) };
            let deliverer = group.deliverer(number, || Fanout::start(reader, Arc::new(renderer)));
            feed.deliver_through(deliverer, AttachedFollower::new(feed.visibility(), sink, Arc::clone(&caller)));
        }
        let rendered = RenderedStream { engine: self.clone(), group, caller, items };
        stream::unfold(rendered, |mut rendered| async move {
            let item = rendered.items.next().await?;
            if matches!(item, StreamItem::EventsExpired) {
                return Some((OperationResponse::EventsExpired, rendered));
            }
            let position = item.position();
            let RenderedStream { engine, group, caller, .. } = &rendered;
            // Boxed, because a subscriber that waits must not hold the room for it.
            let json = Box::pin(render_shared(engine, group, caller, &item)).await;
            Some((OperationResponse::Serialized { json, position }, rendered))
        })
        .boxed()
    }

    /// Starts a subscription, and returns its items.
    async fn begin(
        &self,
        prepared: &PreparedOperation,
        caller: &Caller,
        prepaid: PrepaidCost,
        resume: Option<Resume>,
    ) -> Result<Option<ItemSource>, Response> {
        let output = Arc::new(Mutex::new(None));
        let (mut request, ..) = self.with_data(prepared.to_request(), caller, Reads::of_queries(&self.app));
        request = request.data(prepaid).data(SubscriptionPhase::Begin(Arc::clone(&output)));
        if let Some(resume) = resume {
            request = request.data(ResumeOverride(resume));
        }
        let mut responses = self.schema.execute_stream(request);
        let response = tokio::select! {
            response = responses.next() => response,
            () = sleep(self.app.clock.as_ref(), SUBSCRIBE_TIMEOUT) => {
                Some(Response::from_errors(vec![ApiError::Timeout.at(Vec::new())]))
            }
        };
        match response {
            Some(response) => Err(response),
            None => Ok(output.lock().take()),
        }
    }

    /// Returns the response for a replica that is overloaded.
    #[must_use]
    pub fn overloaded(&self, language: Language) -> Response {
        self.error_response(ApiError::overloaded(), language)
    }

    fn admit(&self, request: &Request, caller: &Caller) -> ApiResult<PrepaidCost> {
        admit(request, caller.requester(), &self.app.rate_limiter, &self.memory)
    }

    /// Marks an error as an overload if no database connection was free.
    fn mark_overload(&self, error: &mut ServerError) {
        let is_overload = match error.source::<ApiError>() {
            Some(ApiError::Internal(cause)) => {
                cause.downcast_ref::<StoreError>().is_some_and(|cause| self.app.is_overload(cause))
            }
            _ => false,
        };
        if is_overload {
            error.source = Some(Arc::new(ApiError::overloaded()));
        }
    }

    /// Returns a response that consists of one error.
    fn error_response(&self, error: ApiError, language: Language) -> Response {
        let mut response = Response::from_errors(vec![error.at(Vec::new())]);
        self.finish(&mut response, language);
        response
    }

    /// Serialises a response. Its bytes count as held until the client has taken them.
    #[must_use]
    pub fn serialize(&self, mut response: Response, language: Language) -> SerializedResponse {
        let json = match is_request_error(&response) {
            true => None,
            false => Some(self.json(&mut response, language)),
        };
        // A response that is too long has become an error.
        let json = json.filter(|_| !is_request_error(&response)).unwrap_or_else(|| errors_json(&response).into());
        SerializedResponse {
            is_request_error: is_request_error(&response),
            limit: rate_limit(&response),
            errors: response.errors,
            json,
        }
    }

    /// Returns the memory held by responses.
    #[must_use]
    pub const fn memory(&self) -> &ResponseMemory {
        &self.memory
    }

    /// Returns the number of render groups.
    #[must_use]
    pub fn render_groups(&self) -> usize {
        self.render_cache.count()
    }

    /// Returns the type of the operation that a request selects.
    ///
    /// # Errors
    /// If the document is too large or invalid, or does not select one operation.
    pub fn operation(&self, request: &mut Request) -> Result<OperationType, ServerError> {
        match self.operation_cache.find(request) {
            Some(operation) => Ok(operation),
            None => operation_type(request),
        }
    }

    fn with_data(&self, request: Request, caller: &Caller, reads: Reads) -> (Request, ViewerAccess, Arc<Meter>) {
        let viewer_access = ViewerAccess::default();
        let meter = Arc::new(Meter::new(&self.memory));
        let viewer = caller.viewer.clone();
        let loaders = Loaders::new(reads, viewer, viewer_access.clone(), Arc::clone(&meter));
        let request_context = RequestContext::new(caller.clone(), viewer_access.clone());
        let request = request.data(request_context).data(Arc::clone(&meter)).data(FeedHeads::default());
        let dispatch = LoaderDispatch::default();
        // The dispatch starts the batches, so the loader needs no delay.
        let loader = DataLoader::new(loaders, dispatch.spawner()).delay(Duration::ZERO);
        (request.data(loader).data(dispatch), viewer_access, meter)
    }

    /// Renders an item: executes the operation of the group for it. Returns whether all of the group may share it.
    async fn render(&self, group: &RenderGroup, caller: &Caller, item: &StreamItem) -> (Bytes, bool) {
        // Feeds are read with the connections of commands, so renderings are too.
        let (request, viewer_access, meter) = self.with_data(group.request(), caller, Reads::of_commands(&self.app));
        let mut responses = self.schema.execute_stream(request.data(SubscriptionPhase::Render(item.clone())));
        let response = responses.next().await.unwrap_or_default();
        let mut response = self.complete(response, group.response_shape(), meter.stopped(), caller.language);
        let is_shared = !viewer_access.was_accessed() || caller.viewer.person().is_none();
        (self.json(&mut response, caller.language), is_shared)
    }

    /// Serialises a finished response. One that is too long becomes an error.
    fn json(&self, response: &mut Response, language: Language) -> Bytes {
        let json = serialize_bounded(response).unwrap_or_else(|too_long| {
            *response = self.error_response(too_long, language);
            serialize_bounded(response).unwrap_or_default()
        });
        self.memory.hold(json)
    }

    fn finish(&self, response: &mut Response, language: Language) {
        if !response.errors.is_empty() {
            for error in &mut response.errors {
                self.mark_overload(error);
            }
            localize_errors(response, language, self.app.ids.as_ref(), self.app.clock.now());
        }
    }
}

/// The stream of one subscriber in a group.
struct RenderedStream {
    engine: Engine,
    group: Arc<RenderGroup>,
    caller: Arc<Caller>,
    items: ItemSource,
}

/// Renders items of a group for those who deliver them.
struct GroupRenderer {
    engine: Engine,
    group: Weak<RenderGroup>,
}

impl Renderer for GroupRenderer {
    fn render<'a>(&'a self, caller: &'a Caller, item: &'a StreamItem) -> BoxFuture<'a, Option<Rendering>> {
        async move {
            let (engine, group, key) = (&self.engine, self.group.upgrade()?, item.render_key()?);
            let now = engine.app.clock.now();
            let cell = group.entry(key.clone(), now);
            if let Some(rendering) = cell.get() {
                return Some(rendering.clone());
            }
            // A subscriber that renders it already may be waiting for its reader, so the group does not wait for it.
            let (json, is_shared) = engine.render(&group, caller, item).await;
            let size = json.len();
            let rendering = if is_shared { Rendering::Shared(json) } else { Rendering::PerViewer };
            if cell.set(rendering.clone()).is_ok() && is_shared {
                engine.render_cache.record_size(&group, &key, size, now);
            }
            Some(rendering)
        }
        .boxed()
    }
}

/// Renders an item as JSON for a caller.
async fn render_shared(engine: &Engine, group: &RenderGroup, caller: &Caller, item: &StreamItem) -> Bytes {
    let Some(key) = item.render_key() else { return engine.render(group, caller, item).await.0 };
    match share_rendering(engine, group, caller, item, key).await {
        (Rendering::Shared(json), _) | (Rendering::PerViewer, Some(json)) => json,
        (Rendering::PerViewer, None) => engine.render(group, caller, item).await.0,
    }
}

/// Returns the rendering of an item. The first subscriber of the group renders it for all, unless the rendering
/// depends on the viewer: then it is returned too, if it was made for this caller.
async fn share_rendering(
    engine: &Engine,
    group: &RenderGroup,
    caller: &Caller,
    item: &StreamItem,
    key: RenderKey,
) -> (Rendering, Option<Bytes>) {
    let now = engine.app.clock.now();
    let cell = group.entry(key.clone(), now);
    let mut own_json = None;
    let rendering = cell.get_or_init(|| async {
        let (json, is_shared) = engine.render(group, caller, item).await;
        if !is_shared {
            own_json = Some(json);
            return Rendering::PerViewer;
        }
        engine.render_cache.record_size(group, &key, json.len(), now);
        Rendering::Shared(json)
    });
    let rendering = rendering.await.clone();
    (rendering, own_json)
}
