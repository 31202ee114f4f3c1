//! Mutations as the served schema declares them, so that no test keeps a list of its own.

use std::sync::LazyLock;

use async_graphql_parser::{
    Positioned, parse_schema,
    types::{BaseType, FieldDefinition, InputObjectType, ServiceDocument, Type, TypeKind, TypeSystemDefinition},
};
use serde_json::{Value, json};

static SCHEMA: LazyLock<ServiceDocument> =
    LazyLock::new(|| parse_schema(kezdesu::graphql::sdl()).expect("the served schema parses"));

/// Objects that a sample input refers to.
#[derive(Clone, Copy, Debug)]
pub struct SampleObjects<'a> {
    /// Code of the host.
    pub host: &'a str,
    /// Id of a meeting.
    pub meeting: &'a str,
    /// Id of a comment.
    pub comment: &'a str,
    /// Id of a broadcast.
    pub broadcast: &'a str,
    /// Id of a reception.
    pub reception: &'a str,
    /// Id of a registration.
    pub registration: &'a str,
    /// Id of a webhook.
    pub webhook: &'a str,
    /// Id of an issue.
    pub issue: &'a str,
    /// Id of a publication.
    pub publication: &'a str,
}

fn kind(name: &str) -> Option<&'static TypeKind> {
    SCHEMA.definitions.iter().find_map(|definition| match definition {
        TypeSystemDefinition::Type(kind) if kind.node.name.node == name => Some(&kind.node.kind),
        _ => None,
    })
}

fn fields(object: &str) -> &'static [Positioned<FieldDefinition>] {
    match kind(object) {
        Some(TypeKind::Object(object)) => &object.fields,
        _ => panic!("{object} is no object of the schema"),
    }
}

fn input(name: &str) -> Option<&'static InputObjectType> {
    match kind(name) {
        Some(TypeKind::InputObject(input)) => Some(input),
        _ => None,
    }
}

/// Returns the name of a type without its modifiers.
fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(of) => base(of),
    }
}

fn mutation(name: &str) -> &'static FieldDefinition {
    let field = fields("Mutation").iter().find(|field| field.node.name.node == name);
    &field.unwrap_or_else(|| panic!("there is no mutation {name}")).node
}

fn input_of(mutation: &FieldDefinition) -> &'static InputObjectType {
    let [argument] = mutation.arguments.as_slice() else { panic!("{} takes one input", mutation.name.node) };
    let name = base(&argument.node.ty.node);
    input(name).unwrap_or_else(|| panic!("{name} is no input of the schema"))
}

/// Returns the names of all mutations, sorted.
#[must_use]
pub fn mutations() -> Vec<&'static str> {
    let mut names: Vec<_> = fields("Mutation").iter().map(|field| field.node.name.node.as_str()).collect();
    names.sort_unstable();
    names
}

/// Returns whether a mutation takes an idempotency key.
#[must_use]
pub fn takes_key(name: &str) -> bool {
    input_of(mutation(name)).fields.iter().any(|field| field.node.name.node == "idempotencyKey")
}

/// Returns a document that runs a mutation and selects its whole payload. `selection` gives the fields of an object type.
#[must_use]
pub fn mutation_text(name: &str, selection: impl Fn(&str) -> Option<String>) -> String {
    let mutation = mutation(name);
    let input = &mutation.arguments.first().expect("an input").node.ty.node;
    let payload = fields(base(&mutation.ty.node)).iter();
    let payload = payload.map(|field| {
        let (name, ty) = (&field.node.name.node, base(&field.node.ty.node));
        match kind(ty) {
            Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)) => {
                let selected = selection(ty).unwrap_or_else(|| "__typename".to_owned());
                format!("{name} {{ {selected} }}")
            }
            _ => name.to_string(),
        }
    });
    let payload: Vec<String> = payload.collect();
    format!("mutation($input: {input}) {{ {name}(input: $input) {{ {} }} }}", payload.join(" "))
}

/// Returns an input with the required fields of a mutation, well formed but not always meaningful.
#[must_use]
pub fn sample_input(name: &str, objects: SampleObjects<'_>) -> Value {
    sample_object(input_of(mutation(name)), objects)
}

fn sample_object(input: &InputObjectType, objects: SampleObjects<'_>) -> Value {
    let required = input.fields.iter().map(|field| &field.node).filter(|field| !field.ty.node.nullable);
    let samples =
        required.map(|field| (field.name.node.to_string(), sample(&field.name.node, &field.ty.node, objects)));
    let mut samples: serde_json::Map<_, _> = samples.collect();
    if samples.is_empty()
        && let Some(first) = input.fields.first()
    {
        // An input whose fields are all optional means nothing without one.
        samples.insert(first.node.name.node.to_string(), sample(&first.node.name.node, &first.node.ty.node, objects));
    }
    // The name of the field does not tell what is merged.
    if let (true, Some(into)) = (samples.contains_key("issueIds"), samples.get_mut("into")) {
        *into = json!(objects.issue);
    }
    Value::Object(samples)
}

fn sample(field: &str, ty: &Type, objects: SampleObjects<'_>) -> Value {
    if let BaseType::List(of) = &ty.base {
        return json!([sample(field, of, objects)]);
    }
    match base(ty) {
        "ID" => json!(match field {
            "meetingId" => objects.meeting,
            "broadcastId" => objects.broadcast,
            "receptionId" => objects.reception,
            "registrationId" => objects.registration,
            "webhookId" => objects.webhook,
            "issueId" | "issueIds" => objects.issue,
            "publicationId" => objects.publication,
            "stepId" => "step_00000000000000000000000000",
            _ => objects.comment,
        }),
        "KatoCode" => json!(objects.host),
        "DateTime" if field == "endsAt" => json!("2026-03-20T08:00:00Z"),
        "DateTime" => json!("2026-03-20T04:00:00Z"),
        "Date" => json!("2026-03-20"),
        "Int" if field.ends_with("Minutes") => json!(60),
        "Int" => json!(1),
        "Tenge" => json!("1"),
        "Boolean" => json!(true),
        "String" if field == "url" => json!("http://127.0.0.1:9/"),
        "String" if field == "phone" => json!("+77011234567"),
        "String" => json!("р"),
        name => match kind(name) {
            Some(TypeKind::Enum(kind)) => {
                let value = &kind.values.first().expect("an enum has values").node.value.node;
                json!(value.as_str())
            }
            Some(TypeKind::InputObject(input)) => sample_object(input, objects),
            _ => panic!("{field}: no sample of {name}"),
        },
    }
}
