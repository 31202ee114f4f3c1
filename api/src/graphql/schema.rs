//! The schema: roots, limits, and the SDL that is served.

use std::sync::LazyLock;

use async_graphql::{MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

use crate::graphql::{
    budgets::Budgeted,
    context::Rooms,
    meetings::MeetingSubscription,
    mutation::Mutation,
    notifications::NotificationSubscription,
    operation_limits::{MAX_SELECTION_DEPTH, OperationLimits},
    questions::QuestionSubscription,
    references::Root,
    time_split::TimeSplitSubscription,
};

/// Everything that can be followed. Any of them resumes after a position that was seen.
#[derive(MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct Subscription(QuestionSubscription, TimeSplitSubscription, MeetingSubscription, NotificationSubscription);

/// The schema of the public API.
pub type ApiSchema = Schema<Root, Mutation, Subscription>;

/// How deep an operation may go.
pub const MAX_DEPTH: usize = 15;
/// What an operation may cost: every item of a list costs its children.
pub const MAX_COST: usize = 10_000;

pub(in crate::graphql) fn builder() -> SchemaBuilder<Root, Mutation, Subscription> {
    Schema::build(Root, Mutation::default(), Subscription::default())
        .enable_federation()
        .enable_subscription_in_federation()
        // The outer one: it charges what the inner one lets through.
        .extension(Budgeted)
        .extension(OperationLimits)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COST)
        // What a client writes was measured before. As it is executed it may be deeper: fields of an interface go to its objects.
        .limit_recursive_depth(2 * MAX_SELECTION_DEPTH)
        .limit_directives(16)
}

/// The schema over the rooms it works with.
#[must_use]
pub fn schema(rooms: Rooms, introspection: bool) -> ApiSchema {
    let builder = builder().data(rooms);
    if introspection { builder.finish() } else { builder.disable_introspection().disable_suggestions().finish() }
}

/// The SDL with the directives of federation.
#[must_use]
pub fn sdl() -> String {
    exported(SDLExportOptions::new().federation())
}

/// The SDL for those who generate code for clients: without what only gateways use, at which their tools stop.
#[must_use]
pub fn client_sdl() -> &'static str {
    // To write it takes a schema, and anybody may ask.
    static SDL: LazyLock<String> = LazyLock::new(without_gateways);
    &SDL
}

/// The SDL with all that this service has, also what only gateways use.
#[must_use]
pub fn full_sdl() -> String {
    exported(SDLExportOptions::new())
}

fn without_gateways() -> String {
    const TYPES: [&str; 3] = ["scalar _Any", "union _Entity", "type _Service"];
    const FIELDS: [&str; 2] = ["\t_entities(", "\t_service:"];
    let sdl = full_sdl();
    let types = sdl.split("\n\n").filter(|definition| !TYPES.iter().any(|name| definition.contains(name)));
    let definitions = types.collect::<Vec<_>>().join("\n\n");
    let lines = definitions.split('\n').filter(|line| !FIELDS.iter().any(|field| line.starts_with(field)));
    lines.collect::<Vec<_>>().join("\n")
}

fn exported(options: SDLExportOptions) -> String {
    let options = options
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .prefer_single_line_descriptions()
        .include_specified_by();
    let sdl = builder().finish().sdl_with_options(options);
    let lines = sdl.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    format!("{}\n", lines.trim())
}
