//! The schema as the doors use it: a request with who asks, in; answers in the caller's language, out.

use std::sync::Arc;

use async_graphql::{
    Request, Response, ServerError,
    dataloader::DataLoader,
    parser::types::{DocumentOperations, OperationType},
};
use entities::enums::Language;
use futures_util::{Stream, StreamExt};

use crate::{
    app::App,
    domain::viewer::Viewer,
    feed::{Hub, SplitBoard},
    graphql::{
        context::{Asker, Rooms},
        error::finish,
        loaders::Batch,
        schema::{ApiSchema, schema},
    },
};

/// The API over one set of rooms.
#[derive(Clone)]
pub struct Engine {
    schema: ApiSchema,
    app: Arc<App>,
}

/// Who asks, and in which language.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub viewer: Viewer,
    /// In which language.
    pub language: Language,
}

impl Engine {
    /// The API over an app and its feeds.
    #[must_use]
    pub fn new(app: Arc<App>, hub: Arc<Hub>, splits: Arc<SplitBoard>, introspection: bool) -> Self {
        let rooms = Rooms { app: Arc::clone(&app), hub, splits };
        Self { schema: schema(rooms, introspection), app }
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, request: Request, caller: &Caller) -> Response {
        let mut response = self.schema.execute(self.with_data(request, caller)).await;
        self.finish(&mut response, caller.language);
        response
    }

    /// Runs any operation, and gives its answers: one, or as many as a subscription has.
    pub fn stream(&self, request: Request, caller: &Caller) -> impl Stream<Item = Response> + Send + use<> {
        let (engine, language) = (self.clone(), caller.language);
        self.schema.execute_stream(self.with_data(request, caller)).map(move |mut response| {
            engine.finish(&mut response, language);
            response
        })
    }

    /// Which kind of operation a request would run, and its name.
    ///
    /// # Errors
    /// When the document cannot be parsed, or does not say which operation to run.
    pub fn operation(request: &mut Request) -> Result<OperationType, ServerError> {
        let wished = request.operation_name.clone();
        let document = request.parsed_query()?;
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

    fn with_data(&self, request: Request, caller: &Caller) -> Request {
        let batch = Batch::new(Arc::clone(&self.app), caller.viewer.clone());
        let asker = Asker { viewer: caller.viewer.clone(), language: caller.language };
        request.data(asker).data(DataLoader::new(batch, tokio::spawn))
    }

    fn finish(&self, response: &mut Response, language: Language) {
        if !response.errors.is_empty() {
            finish(response, language, self.app.ids.as_ref(), self.app.clock.now());
        }
    }
}
