//! Everything between a request as it came and an operation that runs: validation, variables, and the document as it is executed.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Name, Positioned, Request, Response, ServerError, ValidationResult, Variables,
    parser::types::{
        DocumentOperations, ExecutableDocument, FragmentDefinition, InlineFragment, OperationDefinition, OperationType,
        Selection, SelectionSet,
    },
};
use parking_lot::Mutex;

use crate::graphql::{
    error::ApiError,
    limits::{measured, parsed},
    merge::{alone, merged},
    outline::Outline,
    schema::ApiSchema,
    variables::coerce,
};

/// An operation that may run.
pub struct Prepared {
    /// The document as it is executed.
    pub document: ExecutableDocument,
    /// Its variables, with their defaults.
    pub variables: Variables,
    /// The name of the operation that runs.
    pub operation: Option<String>,
    /// What the validation has found.
    pub validated: ValidationResult,
    /// What an answer must look like.
    pub outline: Outline,
}

impl Prepared {
    /// The request that runs it, and what its answer must look like.
    #[must_use]
    pub fn into_request(self) -> (Request, Outline) {
        let Self { document, variables, operation, validated, outline } = self;
        (ready(document, variables, operation, validated), outline)
    }

    /// A request that runs it once more.
    #[must_use]
    pub fn to_request(&self) -> Request {
        ready(self.document.clone(), self.variables.clone(), self.operation.clone(), self.validated)
    }
}

fn ready(
    document: ExecutableDocument,
    variables: Variables,
    operation: Option<String>,
    validated: ValidationResult,
) -> Request {
    let mut request = Request::new(String::new()).variables(variables).data(Phase::Run(validated));
    request.operation_name = operation;
    request.set_parsed_query(document);
    request
}

/// For what the library is given a request. A request without one is validated and run as it is.
#[derive(Clone)]
pub enum Phase {
    /// To validate its document, and no more.
    Validate {
        /// Where the result goes.
        result: Arc<Mutex<Option<ValidationResult>>>,
        /// Whether the variables are left out: what needs their values is not told of.
        without_variables: bool,
        /// How many references each of its `_entities` may be given.
        references: usize,
    },
    /// To run what was validated.
    Run(ValidationResult),
}

/// Validates a request and makes ready what it runs.
///
/// # Errors
/// The answer, when nothing may run.
pub async fn prepare(schema: &ApiSchema, mut request: Request) -> Result<Prepared, Response> {
    let references = measured(&mut request).map_err(refused)?;
    let document = parsed(&mut request).map_err(refused)?.clone();
    let Some((name, operation)) = chosen(&document, request.operation_name.as_deref()) else {
        // Nothing of it runs: the library says why.
        return Err(schema.execute(request).await);
    };
    let validation = Validation { schema, operation: request.operation_name.as_deref(), references };
    let coerced = coerce(&operation.node.variable_definitions, &request.variables);
    let is_alone = document.fragments.is_empty() && document.operations.iter().count() == 1;
    let early = match &coerced {
        Ok(variables) if is_alone => {
            Some(validation.of(spelled_out(&document, operation, name, false), Some(variables)).await?)
        }
        _ => {
            let whole = with_visible_conditions(&document);
            validation.of(whole, None).await?;
            None
        }
    };
    for (_, operation) in document.operations.iter() {
        single_root_field(&document, operation).map_err(refused)?;
    }
    let variables = coerced.map_err(Response::from_errors)?;
    let validated = match early {
        Some(validated) => validated,
        // With its fragments in place: the library counts what is in them by the type that spreads them.
        None => validation.of(spelled_out(&document, operation, name, true), Some(&variables)).await?,
    };
    let outline = Outline::of(&document, request.operation_name.as_deref()).unwrap_or_default();
    let document = merged(&document, (name, operation), &variables).map_err(Response::from_errors)?;
    Ok(Prepared { document, variables, operation: request.operation_name, validated, outline })
}

fn refused(error: ServerError) -> Response {
    Response::from_errors(vec![error])
}

/// The operation that a request names, or the only one.
pub fn chosen<'a>(
    document: &'a ExecutableDocument,
    wished: Option<&str>,
) -> Option<(Option<&'a Name>, &'a Positioned<OperationDefinition>)> {
    match (&document.operations, wished) {
        (DocumentOperations::Single(operation), None) => Some((None, operation)),
        (DocumentOperations::Multiple(operations), Some(wished)) => {
            operations.get_key_value(wished).map(|(name, operation)| (Some(name), operation))
        }
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.iter().next().map(|(name, operation)| (Some(name), operation))
        }
        _ => None,
    }
}

/// The library's validation.
struct Validation<'a> {
    schema: &'a ApiSchema,
    operation: Option<&'a str>,
    references: usize,
}

impl Validation<'_> {
    /// Validates a document, with the values of its variables or without.
    async fn of(
        &self,
        document: ExecutableDocument,
        variables: Option<&Variables>,
    ) -> Result<ValidationResult, Response> {
        let result = Arc::<Mutex<Option<ValidationResult>>>::default();
        let phase = Phase::Validate {
            result: Arc::clone(&result),
            without_variables: variables.is_none(),
            references: self.references,
        };
        let mut request = Request::new(String::new()).variables(variables.cloned().unwrap_or_default()).data(phase);
        request.operation_name = self.operation.map(str::to_owned);
        request.set_parsed_query(document);
        let response = self.schema.execute(request).await;
        let found = result.lock().take();
        found.ok_or(response)
    }
}

/// A document of one operation, with its fragments written out if that is wished.
fn spelled_out(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    name: Option<&Name>,
    inline: bool,
) -> ExecutableDocument {
    let mut operation = operation.clone();
    spell_out(&mut operation.node.selection_set.node, inline.then_some(&document.fragments));
    alone(name, operation)
}

/// The document in which the library sees every variable that is used.
fn with_visible_conditions(document: &ExecutableDocument) -> ExecutableDocument {
    let mut document = document.clone();
    match &mut document.operations {
        DocumentOperations::Single(operation) => spell_out(&mut operation.node.selection_set.node, None),
        DocumentOperations::Multiple(operations) => {
            operations.values_mut().for_each(|operation| spell_out(&mut operation.node.selection_set.node, None));
        }
    }
    document.fragments.values_mut().for_each(|fragment| spell_out(&mut fragment.node.selection_set.node, None));
    document
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// Writes fragments in the places where they are spread, and conditions of `__typename`, which the library does not look at, around
/// it. How deep fragments spread each other was measured.
fn spell_out(set: &mut SelectionSet, fragments: Option<&Fragments>) {
    for selection in &mut set.items {
        match &mut selection.node {
            Selection::Field(field) if field.node.name.node == "__typename" && !field.node.directives.is_empty() => {
                let directives = std::mem::take(&mut field.node.directives);
                let items = vec![Positioned::new(Selection::Field(field.clone()), field.pos)];
                let selection_set = Positioned::new(SelectionSet { items }, field.pos);
                let inline = InlineFragment { type_condition: None, directives, selection_set };
                let inline = Positioned::new(inline, field.pos);
                selection.node = Selection::InlineFragment(inline);
            }
            Selection::Field(field) => spell_out(&mut field.node.selection_set.node, fragments),
            Selection::InlineFragment(inline) => spell_out(&mut inline.node.selection_set.node, fragments),
            Selection::FragmentSpread(spread) => {
                let Some(fragment) = fragments.and_then(|all| all.get(&spread.node.fragment_name.node)) else {
                    continue;
                };
                let mut selection_set = fragment.node.selection_set.clone();
                spell_out(&mut selection_set.node, fragments);
                let inline = InlineFragment {
                    type_condition: Some(fragment.node.type_condition.clone()),
                    directives: std::mem::take(&mut spread.node.directives),
                    selection_set,
                };
                let inline = Positioned::new(inline, spread.pos);
                selection.node = Selection::InlineFragment(inline);
            }
        }
    }
}

/// Checks that a subscription has one field at its root, without conditions (specification 5.2.4.1).
fn single_root_field(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
) -> Result<(), ServerError> {
    if operation.node.ty != OperationType::Subscription {
        return Ok(());
    }
    let mut key = None;
    let mut sets = vec![&operation.node.selection_set.node];
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            let refused = || Err(ApiError::SubscriptionRoot.at(vec![selection.pos]));
            let is_condition = |name: &str| matches!(name, "skip" | "include");
            if selection.node.directives().iter().any(|directive| is_condition(&directive.node.name.node)) {
                return refused();
            }
            match &selection.node {
                Selection::Field(field) => {
                    let found = &field.node.response_key().node;
                    if *key.get_or_insert(found) != found || field.node.name.node.starts_with("__") {
                        return refused();
                    }
                }
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let fragment = document.fragments.get(&spread.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
            }
        }
    }
    Ok(())
}
