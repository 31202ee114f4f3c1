//! The schema: its roots, limits and SDL.

use std::sync::LazyLock;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

use crate::graphql::{
    agencies::AgencyMutation,
    context::SchemaData,
    cost_budget::CostBudget,
    issues::{IssueMutation, IssueSubscription},
    meetings::{MeetingMutation, MeetingSubscription},
    notifications::NotificationSubscription,
    operation_limits::{MAX_COST, MAX_DEPTH, MAX_SELECTION_DEPTH, OperationLimits},
    publications::PublicationMutation,
    query_root::QueryRoot,
    questions::{QuestionMutation, QuestionSubscription},
    receptions::{ReceptionMutation, ReceptionSubscription},
    time_split::TimeSplitSubscription,
    webhooks::WebhookMutation,
};

/// Every mutation takes one `input` and returns a payload with either the object or a refusal.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(
    MeetingMutation,
    QuestionMutation,
    ReceptionMutation,
    AgencyMutation,
    IssueMutation,
    WebhookMutation,
    PublicationMutation,
);

/// Subscriptions. Those with an `after` argument can resume after the last position that was received.
#[derive(MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct Subscription(
    QuestionSubscription,
    TimeSplitSubscription,
    MeetingSubscription,
    ReceptionSubscription,
    IssueSubscription,
    NotificationSubscription,
);

/// The schema of the public API.
pub type ApiSchema = Schema<QueryRoot, Mutation, Subscription>;

pub(in crate::graphql) fn builder() -> SchemaBuilder<QueryRoot, Mutation, Subscription> {
    Schema::build(QueryRoot, Mutation::default(), Subscription::default())
        .enable_federation()
        .enable_subscription_in_federation()
        // The outer extension charges what the inner one accepts.
        .extension(CostBudget)
        .extension(OperationLimits)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COST)
        // The document is already checked. The one to execute may be deeper: fields of an interface move
        // into its object types.
        .limit_recursive_depth(2 * MAX_SELECTION_DEPTH)
        .limit_directives(16)
}

/// Creates the schema.
#[must_use]
pub fn schema(data: SchemaData, introspection: bool) -> ApiSchema {
    let builder = builder().data(data);
    if introspection { builder.finish() } else { builder.disable_introspection().disable_suggestions().finish() }
}

/// Returns the SDL with the directives of federation.
#[must_use]
pub fn sdl() -> String {
    export_sdl(SDLExportOptions::new().federation())
}

/// Returns the SDL for client code generators: without federation, which their tools reject.
#[must_use]
pub fn client_sdl() -> &'static str {
    // Exporting builds a schema, and anybody may request it.
    static SDL: LazyLock<String> = LazyLock::new(without_federation);
    &SDL
}

/// Returns the complete SDL, including the fields of federation.
#[must_use]
pub fn full_sdl() -> String {
    export_sdl(SDLExportOptions::new())
}

fn without_federation() -> String {
    const TYPES: [&str; 3] = ["scalar _Any", "union _Entity", "type _Service"];
    const FIELDS: [&str; 2] = ["\t_entities(", "\t_service:"];
    let sdl = full_sdl();
    let types = sdl.split("\n\n").filter(|definition| !TYPES.iter().any(|name| definition.contains(name)));
    let definitions = types.collect::<Vec<_>>().join("\n\n");
    let lines = definitions.split('\n').filter(|line| !FIELDS.iter().any(|field| line.starts_with(field)));
    lines.collect::<Vec<_>>().join("\n")
}

fn export_sdl(options: SDLExportOptions) -> String {
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
