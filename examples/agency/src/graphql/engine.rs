//! The schema as the door uses it: a request with who asks, in; an answer that shows nothing of the inside, out.

use std::{sync::Arc, time::Duration};

use async_graphql::{
    EmptySubscription, Request, Response, SDLExportOptions, Schema, SchemaBuilder, dataloader::DataLoader,
};

use crate::{
    auth::Viewer,
    graphql::{
        error::finish,
        limits::{CostOfReferences, check},
        loaders::Batch,
        mutation::Mutation,
        query::Query,
    },
    register::Register,
};

/// How deep an operation may go.
const DEEPEST: usize = 12;
/// How long look-ups are gathered.
const GATHERING: Duration = Duration::from_millis(5);

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation, EmptySubscription)
        .enable_federation()
        .extension(CostOfReferences)
        .limit_depth(DEEPEST)
        .limit_directives(16)
}

/// The SDL, with the directives of federation.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .federation()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .prefer_single_line_descriptions()
        .include_specified_by();
    let sdl = builder().finish().sdl_with_options(options);
    let lines = sdl.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    format!("{}\n", lines.trim())
}

/// The API over a register.
#[derive(Clone)]
pub struct Engine {
    schema: Schema<Query, Mutation, EmptySubscription>,
    register: Arc<Register>,
}

impl Engine {
    /// The API over a register.
    #[must_use]
    pub fn new(register: Arc<Register>, introspection: bool) -> Self {
        let builder = builder().data(Arc::clone(&register));
        let schema = if introspection {
            builder.finish()
        } else {
            builder.disable_introspection().disable_suggestions().finish()
        };
        Self { schema, register }
    }

    /// Runs an operation.
    pub async fn execute(&self, mut request: Request, viewer: Viewer) -> Response {
        let mut response = match check(&mut request) {
            Ok(references) => {
                let batch = DataLoader::new(Batch(self.register.store().clone()), tokio::spawn).delay(GATHERING);
                self.schema.execute(request.data(references).data(viewer).data(batch)).await
            }
            Err(error) => Response::from_errors(vec![error]),
        };
        finish(&mut response);
        response
    }
}
