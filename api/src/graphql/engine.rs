//! The schema as the doors use it: a request with who asks, in; answers in the caller's language, out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_graphql::{Request, Response, ServerError, Value, dataloader::DataLoader, parser::types::OperationType};
use bytes::Bytes;
use chrono::TimeDelta;
use entities::enums::Language;
use futures_util::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;
use serde_json::json;

use crate::{
    app::{App, rate_limit::Requester, time_split::TimeSplitTickers},
    clock::sleep,
    domain::viewer::Viewer,
    feed::{Hub, Resume},
    graphql::{
        budgets::{Paid, admit},
        context::{Asked, Asker, Rooms},
        error::{ApiError, ApiResult, RateLimit, finish, rate_limit},
        expensive_queries::{Deadline, ExpensiveQueryLimiter},
        groups::{Group, GroupKey, Groups, Rendered},
        live::{Moment, Position, ResumeAfter, Turn},
        loader_dispatch::LoaderDispatch,
        loaders::Batch,
        meetings::Heads,
        meter::{Meter, ResponseMemory, serialise},
        operation_limits::{cost_exceeded, parse_document},
        preparation::{prepare, select_operation},
        schema::{ApiSchema, schema},
    },
    store::{Store, StoreError},
};

/// How long a subscription may take to begin.
const BEGINS_WITHIN: TimeDelta = TimeDelta::seconds(15);

/// The API over one set of rooms.
#[derive(Clone)]
pub struct Engine {
    schema: ApiSchema,
    app: Arc<App>,
    groups: Arc<Groups>,
    memory: ResponseMemory,
}

/// A response of an operation.
#[derive(Debug)]
pub enum OperationResponse {
    /// The operation was rejected before it ran.
    Rejected(Box<Response>),
    /// A response, serialised. A subscription has many.
    Serialized {
        /// The response as JSON.
        json: Bytes,
        /// The position after which the stream can be resumed.
        position: Option<Position>,
    },
    /// The end of a stream that cannot continue: the next events are no longer stored, or the feed has a new
    /// epoch.
    EventsExpired,
}

/// The response of a query or mutation, serialised.
#[derive(Clone, Debug)]
pub struct SerializedResponse {
    /// The response as JSON; without `data` if nothing was executed.
    pub json: Bytes,
    /// The errors of the response.
    pub errors: Vec<ServerError>,
    /// Whether it is a request error: nothing was executed.
    pub is_request_error: bool,
    /// The rate limit that rejected the whole operation.
    pub limit: Option<RateLimit>,
}

impl SerializedResponse {
    /// Returns the response as an item of a stream.
    #[must_use]
    pub fn into_operation_response(self) -> OperationResponse {
        if self.is_request_error {
            return OperationResponse::Rejected(Box::new(Response::from_errors(self.errors)));
        }
        OperationResponse::Serialized { json: self.json, position: None }
    }
}

/// Whether an answer says that the request itself was wrong, and nothing was run.
#[must_use]
pub fn is_request_error(answer: &Response) -> bool {
    answer.data == Value::Null && !answer.errors.is_empty() && answer.errors.iter().all(|error| error.path.is_empty())
}

/// An answer of errors only, as JSON without `data`.
#[must_use]
pub fn errors_json(answer: &Response) -> Vec<u8> {
    serde_json::to_vec(&json!({ "errors": answer.errors })).unwrap_or_default()
}

/// Who asks, and in which language.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub viewer: Viewer,
    /// In which language.
    pub language: Language,
    /// From which address, where that is known.
    pub address: Option<IpAddr>,
}

impl Engine {
    /// The API over an app and its feeds.
    #[must_use]
    pub fn new(app: Arc<App>, hub: Arc<Hub>, splits: Arc<TimeSplitTickers>, introspection: bool) -> Self {
        let memory = ResponseMemory::default();
        let rooms = Rooms { app: Arc::clone(&app), hub, splits, expensive_queries: ExpensiveQueryLimiter::default() };
        Self { schema: schema(rooms, introspection), app, groups: Arc::default(), memory }
    }

    /// Runs a query or a mutation. An expensive query may hold its thread until the deadline.
    pub async fn execute(&self, mut request: Request, caller: &Caller, deadline: Option<Deadline>) -> Response {
        let paid = match self.admit(&request, caller) {
            Ok(paid) => paid,
            Err(refused) => return self.refused(refused, caller.language),
        };
        let is_query = matches!(Self::operation(&mut request), Ok(OperationType::Query));
        let mut response = match prepare(&self.schema, request).await {
            Ok(prepared) => {
                let (request, response_shape) = prepared.into_request();
                // What a command has done is shown as surely as it was done.
                let store = if is_query { &self.app.reads } else { &self.app.store };
                let (request, _, meter) = self.with_data(request, caller, store);
                let request = match deadline.filter(|_| is_query) {
                    Some(deadline) => request.data(paid).data(deadline),
                    None => request.data(paid),
                };
                let mut response = self.schema.execute(request).await;
                // What a mutation has done is told, as far as there is room for it.
                if let Some(stopped) = meter.stopped().filter(|_| is_query) {
                    return self.refused(stopped, caller.language);
                }
                response_shape.apply(&mut response);
                response
            }
            Err(refusal) => refusal,
        };
        self.finish(&mut response, caller.language);
        response
    }

    /// Runs any operation, and gives its answers: one, or as many as a subscription has. A stream begins after `resume`, if
    /// the door knows better than its argument.
    pub async fn responses(
        &self,
        mut request: Request,
        caller: &Caller,
        resume: Option<Resume>,
    ) -> BoxStream<'static, OperationResponse> {
        let plain = |response| stream::iter([OperationResponse::Rejected(Box::new(response))]).boxed();
        if !matches!(Self::operation(&mut request), Ok(OperationType::Subscription)) {
            return plain(self.execute(request, caller, None).await);
        }
        let refused = |mut response: Response| {
            self.finish(&mut response, caller.language);
            plain(response)
        };
        let paid = match self.admit(&request, caller) {
            Ok(paid) => paid,
            Err(limit) => return plain(self.refused(limit, caller.language)),
        };
        let query = request.query.clone();
        let prepared = match prepare(&self.schema, request).await {
            Ok(prepared) => prepared,
            Err(refusal) => return refused(refusal),
        };
        let anonymous = caller.viewer.person().is_none();
        let Some(key) = GroupKey::new(query, &prepared, caller.language, anonymous) else {
            return refused(Response::from_errors(vec![cost_exceeded()]));
        };
        let place = Arc::new(Mutex::new(None));
        let (mut request, ..) = self.with_data(prepared.to_request(), caller, &self.app.reads);
        request = request.data(paid).data(Turn::Begin(Arc::clone(&place)));
        if let Some(resume) = resume {
            request = request.data(ResumeAfter(resume));
        }
        let mut begun = self.schema.execute_stream(request);
        let refusal = tokio::select! {
            refusal = begun.next() => refusal,
            () = sleep(self.app.clock.as_ref(), BEGINS_WITHIN) => {
                Some(Response::from_errors(vec![ApiError::Timeout.at(Vec::new())]))
            }
        };
        if let Some(response) = refusal {
            return refused(response);
        }
        let Some(moments) = place.lock().take() else { return stream::empty().boxed() };
        let group = self.groups.join(key, prepared);
        let showing = Showing { engine: self.clone(), group, caller: caller.clone(), moments };
        stream::unfold(showing, |mut showing| async move {
            let moment = showing.moments.next().await?;
            if matches!(moment, Moment::Behind) {
                return Some((OperationResponse::EventsExpired, showing));
            }
            let position = moment.position();
            let Showing { engine, group, caller, .. } = &showing;
            let json = show(engine, group, caller, &moment).await;
            Some((OperationResponse::Serialized { json, position }, showing))
        })
        .boxed()
    }

    /// What an operation is told for which there is no room.
    #[must_use]
    pub fn overloaded(&self, language: Language) -> Response {
        self.refused(ApiError::overloaded(), language)
    }

    fn admit(&self, request: &Request, caller: &Caller) -> ApiResult<Paid> {
        let from = Requester { subject: caller.viewer.subject(), address: caller.address };
        admit(request, from, &self.app.rate_limiter, &self.memory)
    }

    /// Lets an error say so where a database that is there has no connection left.
    fn tell_overload(&self, error: &mut ServerError) {
        let is_overload = match error.source::<ApiError>() {
            Some(ApiError::Internal(cause)) => {
                cause.downcast_ref::<StoreError>().is_some_and(|cause| self.app.store.is_overload(cause))
            }
            _ => false,
        };
        if is_overload {
            error.source = Some(Arc::new(ApiError::overloaded()));
        }
    }

    /// The answer of an operation that is refused as a whole.
    fn refused(&self, refusal: ApiError, language: Language) -> Response {
        let mut response = Response::from_errors(vec![refusal.at(Vec::new())]);
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
        // One that has become too long is an error now.
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

    /// How many groups of followers are shown the same.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.count()
    }

    /// Which kind of operation a request would run, and its name.
    ///
    /// # Errors
    /// When the document is too large, cannot be parsed, or does not say which operation to run.
    pub fn operation(request: &mut Request) -> Result<OperationType, ServerError> {
        let wished = request.operation_name.clone();
        let document = parse_document(request)?;
        let found = select_operation(document, wished.as_deref()).map(|(_, operation)| operation.node.ty);
        found.ok_or_else(|| ServerError::new("The operation to run is not known by that name.", None))
    }

    fn with_data(&self, request: Request, caller: &Caller, store: &Store) -> (Request, Asked, Arc<Meter>) {
        let asked = Asked::default();
        let meter = Arc::new(Meter::new(&self.memory));
        let (app, viewer) = (Arc::clone(&self.app), caller.viewer.clone());
        let batch = Batch::new(app, store.clone(), viewer, asked.clone(), Arc::clone(&meter));
        let asker = Asker::new(caller.viewer.clone(), caller.language, caller.address, asked.clone());
        let request = request.data(asker).data(Arc::clone(&meter)).data(Heads::default());
        let dispatch = LoaderDispatch::default();
        // The dispatch says when; a timer would only add to it.
        let loader = DataLoader::new(batch, dispatch.spawner()).delay(Duration::ZERO);
        (request.data(loader).data(dispatch), asked, meter)
    }

    /// Executes the operation of a group for one moment.
    async fn render(&self, group: &Group, caller: &Caller, moment: &Moment) -> (Bytes, Asked) {
        // What followers are shown is read as feeds are.
        let (request, asked, meter) = self.with_data(group.request(), caller, &self.app.store);
        let mut answers = self.schema.execute_stream(request.data(Turn::Render(moment.clone())));
        let mut response = answers.next().await.unwrap_or_default();
        group.response_shape().apply(&mut response);
        self.finish(&mut response, caller.language);
        if let Some(stopped) = meter.stopped() {
            response = self.refused(stopped, caller.language);
        }
        (self.json(&mut response, caller.language), asked)
    }

    /// Serialises a finished response. One that is too long becomes an error.
    fn json(&self, response: &mut Response, language: Language) -> Bytes {
        let json = serialise(response).unwrap_or_else(|too_long| {
            *response = self.refused(too_long, language);
            serialise(response).unwrap_or_default()
        });
        self.memory.hold(json)
    }

    fn finish(&self, response: &mut Response, language: Language) {
        if !response.errors.is_empty() {
            for error in &mut response.errors {
                self.tell_overload(error);
            }
            finish(response, language, self.app.ids.as_ref(), self.app.clock.now());
        }
    }
}

/// One follower of a group.
struct Showing {
    engine: Engine,
    group: Arc<Group>,
    caller: Caller,
    moments: BoxStream<'static, Moment>,
}

/// A moment as JSON: rendered by the first of the group that comes to it, unless it is each member's own.
async fn show(engine: &Engine, group: &Group, caller: &Caller, moment: &Moment) -> Bytes {
    let Some(same) = moment.same() else { return engine.render(group, caller, moment).await.0 };
    let now = engine.app.clock.now();
    let place = group.place(same.clone(), now);
    let mut own = None;
    let rendered = place.get_or_init(|| async {
        let (json, asked) = engine.render(group, caller, moment).await;
        if asked.is_noted() && caller.viewer.person().is_some() {
            own = Some(json);
            return Rendered::Alone;
        }
        engine.groups.weigh(group, &same, json.len(), now);
        Rendered::Shared(json)
    });
    let rendered = rendered.await.clone();
    match (rendered, own) {
        (Rendered::Shared(json), _) | (Rendered::Alone, Some(json)) => json,
        (Rendered::Alone, None) => engine.render(group, caller, moment).await.0,
    }
}
