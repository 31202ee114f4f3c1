//! The schema as the doors use it: a request with who asks, in; answers in the caller's language, out.

use std::{net::IpAddr, sync::Arc};

use async_graphql::{
    Request, Response, ServerError,
    dataloader::DataLoader,
    parser::types::{DocumentOperations, OperationType},
};
use bytes::Bytes;
use entities::enums::Language;
use futures_util::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    app::App,
    domain::viewer::Viewer,
    feed::{Hub, SplitBoard},
    graphql::{
        context::{Asked, Asker, Rooms},
        error::finish,
        groups::{Group, GroupKey, Groups, Rendered},
        limits::{keep_declared, parsed, too_much},
        live::{Moment, ResumeAfter, Turn},
        loaders::Batch,
        meetings::Heads,
        outline::Outline,
        schema::{ApiSchema, schema},
    },
};

/// The API over one set of rooms.
#[derive(Clone)]
pub struct Engine {
    schema: ApiSchema,
    app: Arc<App>,
    groups: Arc<Groups>,
}

/// An answer of an operation.
#[derive(Debug)]
pub enum Answer {
    /// The only one, or a refusal to begin.
    Plain(Box<Response>),
    /// One of a stream, as it goes over the wire.
    Rendered {
        /// The response as JSON.
        json: Bytes,
        /// The position after which the stream can be resumed.
        position: Option<i64>,
    },
    /// The end of a stream whose follower was too slow: what comes next is no longer kept.
    Behind,
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
    pub fn new(app: Arc<App>, hub: Arc<Hub>, splits: Arc<SplitBoard>, introspection: bool) -> Self {
        let rooms = Rooms { app: Arc::clone(&app), hub, splits };
        Self { schema: schema(rooms, introspection), app, groups: Arc::default() }
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, mut request: Request, caller: &Caller) -> Response {
        let wished = request.operation_name.clone();
        let outline = parsed(&mut request).ok().and_then(|document| Outline::of(document, wished.as_deref()));
        let mut response = self.schema.execute(self.with_data(request, caller).0).await;
        if let Some(outline) = outline {
            outline.complete(&mut response);
        }
        self.finish(&mut response, caller.language);
        response
    }

    /// Runs any operation, and gives its answers: one, or as many as a subscription has. A stream begins after `resume`, if
    /// the door knows better than its argument.
    pub async fn answers(
        &self,
        mut request: Request,
        caller: &Caller,
        resume: Option<i64>,
    ) -> BoxStream<'static, Answer> {
        let plain = |response| Answer::Plain(Box::new(response));
        let document = match Self::operation(&mut request) {
            Ok(OperationType::Subscription) => parsed(&mut request).cloned(),
            _ => return stream::iter([plain(self.execute(request, caller).await)]).boxed(),
        };
        let Ok(document) = document else { return stream::empty().boxed() };
        keep_declared(&mut request, &document);
        let key = GroupKey::new(&request, &document, caller.language, caller.viewer.person().is_none());
        if !key.can_be_followed() {
            let mut response = Response::from_errors(vec![too_much()]);
            self.finish(&mut response, caller.language);
            return stream::iter([plain(response)]).boxed();
        }
        let variables = request.variables.clone();
        let place = Arc::new(Mutex::new(None));
        let (mut request, _) = self.with_data(request, caller);
        request = request.data(Turn::Begin(Arc::clone(&place)));
        if let Some(after) = resume {
            request = request.data(ResumeAfter(after));
        }
        if let Some(mut response) = self.schema.execute_stream(request).next().await {
            self.finish(&mut response, caller.language);
            return stream::iter([plain(response)]).boxed();
        }
        let Some(moments) = place.lock().take() else { return stream::empty().boxed() };
        let group = self.groups.join(key, &variables, &document);
        let showing = Showing { engine: self.clone(), group, caller: caller.clone(), moments };
        stream::unfold(showing, |mut showing| async move {
            let moment = showing.moments.next().await?;
            if matches!(moment, Moment::Behind) {
                return Some((Answer::Behind, showing));
            }
            let position = moment.position();
            let Showing { engine, group, caller, .. } = &showing;
            let json = show(engine, group, caller, &moment).await;
            Some((Answer::Rendered { json, position }, showing))
        })
        .boxed()
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
        let document = parsed(request)?;
        let found = match (&document.operations, wished) {
            (DocumentOperations::Single(operation), None) => Some(operation.node.ty),
            (DocumentOperations::Single(_), Some(_)) => None,
            (DocumentOperations::Multiple(operations), Some(name)) => {
                operations.get(name.as_str()).map(|operation| operation.node.ty)
            }
            (DocumentOperations::Multiple(operations), None) => match operations.len() {
                1 => operations.values().next().map(|operation| operation.node.ty),
                _ => None,
            },
        };
        found.ok_or_else(|| ServerError::new("The operation to run is not known by that name.", None))
    }

    fn with_data(&self, request: Request, caller: &Caller) -> (Request, Asked) {
        let asked = Asked::default();
        let batch = Batch::new(Arc::clone(&self.app), caller.viewer.clone(), asked.clone());
        let asker = Asker::new(caller.viewer.clone(), caller.language, caller.address, asked.clone());
        (request.data(asker).data(Heads::default()).data(DataLoader::new(batch, tokio::spawn)), asked)
    }

    /// Executes the operation of a group for one moment.
    async fn render(&self, group: &Group, caller: &Caller, moment: &Moment) -> (Bytes, Asked) {
        let (request, asked) = self.with_data(group.request(), caller);
        let mut answers = self.schema.execute_stream(request.data(Turn::Render(moment.clone())));
        let mut response = answers.next().await.unwrap_or_default();
        group.outline.complete(&mut response);
        self.finish(&mut response, caller.language);
        (serde_json::to_vec(&response).unwrap_or_default().into(), asked)
    }

    fn finish(&self, response: &mut Response, language: Language) {
        if !response.errors.is_empty() {
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
    let place = group.place(same, engine.app.clock.now());
    let mut own = None;
    let rendered = place.get_or_init(|| async {
        let (json, asked) = engine.render(group, caller, moment).await;
        if asked.is_noted() && caller.viewer.person().is_some() {
            own = Some(json);
            return Rendered::Alone;
        }
        Rendered::Shared(json)
    });
    let rendered = rendered.await.clone();
    match (rendered, own) {
        (Rendered::Shared(json), _) | (Rendered::Alone, Some(json)) => json,
        (Rendered::Alone, None) => engine.render(group, caller, moment).await.0,
    }
}
