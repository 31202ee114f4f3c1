//! Prepares a request for execution: validates it, coerces its variables and rewrites its document.

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
    field_merge::{merge_fields, single_operation_document},
    operation_cache::{self, CachedOperation, OperationCache, variable_forms},
    operation_limits::{check_size, count_variables, parse_document},
    prepared_operation::{OperationTemplate, PreparedOperation},
    request_purpose::RequestPurpose,
    response_shape::ResponseShape,
    schema::ApiSchema,
    variables::coerce_variables,
};

/// Validates a request and returns the operation to execute, from the cache if [`OperationCache::find`] has
/// found it.
///
/// # Errors
/// The error response, if the request is invalid.
pub async fn prepare(
    schema: &ApiSchema,
    cache: &OperationCache,
    mut request: Request,
) -> Result<PreparedOperation, Response> {
    if let Some(prepared) = operation_cache::prepared(&request) {
        return Ok(prepared);
    }
    let representations = check_size(&mut request).map_err(error_response)?;
    let document = parse_document(&mut request).map_err(error_response)?.clone();
    let Some((name, operation)) = select_operation(&document, request.operation_name.as_deref()) else {
        // The library reports the error.
        return Err(schema.execute(request).await);
    };
    let validator = Validator { schema, operation_name: request.operation_name.as_deref(), representations };
    let coerced = coerce_variables(&operation.node.variable_definitions, &request.variables);
    let is_only_operation = document.fragments.is_empty() && document.operations.iter().count() == 1;
    let early_validation = match &coerced {
        Ok(variables) if is_only_operation => {
            Some(validator.validate(isolate_operation(&document, operation, name, false), Some(variables)).await?)
        }
        _ => {
            let document = expose_typename_conditions(&document);
            validator.validate(document, None).await?;
            None
        }
    };
    for (_, operation) in document.operations.iter() {
        check_single_root_field(&document, operation).map_err(error_response)?;
    }
    let variables = coerced.map_err(Response::from_errors)?;
    let validation = match early_validation {
        Some(validation) => validation,
        // Inline the fragments: the library computes their cost by the type that spreads them.
        None => validator.validate(isolate_operation(&document, operation, name, true), Some(&variables)).await?,
    };
    let response_shape = ResponseShape::new(&document, request.operation_name.as_deref()).unwrap_or_default();
    let merged = merge_fields(&document, (name, operation), &variables).map_err(Response::from_errors)?;
    let template = Arc::new(OperationTemplate {
        operation: operation.node.ty,
        name: name.map(Name::to_string),
        document: merged.document,
        operation_name: request.operation_name.clone(),
        validation,
        response_shape,
    });
    let cached = CachedOperation {
        forms: variable_forms(&operation.node.variable_definitions, &variables, &merged.uses),
        definitions: operation.node.variable_definitions.clone(),
        longest_list: (representations > 0).then(|| count_variables(&request.variables).1),
        fields: merged.fields,
        template: Arc::clone(&template),
    };
    cache.insert(&request.query, cached);
    Ok(PreparedOperation { template, variables })
}

/// Returns the type of the operation that a request selects.
///
/// # Errors
/// If the document is too large or invalid, or does not select one operation.
pub fn operation_type(request: &mut Request) -> Result<OperationType, ServerError> {
    let name = request.operation_name.clone();
    let document = parse_document(request)?;
    let found = select_operation(document, name.as_deref()).map(|(_, operation)| operation.node.ty);
    found.ok_or_else(|| ServerError::new("The operation to run is not known by that name.", None))
}

fn error_response(error: ServerError) -> Response {
    Response::from_errors(vec![error])
}

/// Returns the named operation, or the only one.
fn select_operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<(Option<&'a Name>, &'a Positioned<OperationDefinition>)> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some((None, operation)),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get_key_value(name).map(|(name, operation)| (Some(name), operation))
        }
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.iter().next().map(|(name, operation)| (Some(name), operation))
        }
        _ => None,
    }
}

/// Runs the library's validation.
struct Validator<'a> {
    schema: &'a ApiSchema,
    operation_name: Option<&'a str>,
    representations: usize,
}

impl Validator<'_> {
    /// Validates a document, with the values of its variables or without.
    async fn validate(
        &self,
        document: ExecutableDocument,
        variables: Option<&Variables>,
    ) -> Result<ValidationResult, Response> {
        let result = Arc::<Mutex<Option<ValidationResult>>>::default();
        let purpose = RequestPurpose::Validate {
            result: Arc::clone(&result),
            without_variables: variables.is_none(),
            representations: self.representations,
        };
        let mut request = Request::new(String::new()).variables(variables.cloned().unwrap_or_default()).data(purpose);
        request.operation_name = self.operation_name.map(str::to_owned);
        request.set_parsed_query(document);
        let response = self.schema.execute(request).await;
        let found = result.lock().take();
        found.ok_or(response)
    }
}

/// Returns a document of one operation, with its fragments inlined if `inline` is set.
fn isolate_operation(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    name: Option<&Name>,
    inline: bool,
) -> ExecutableDocument {
    let mut operation = operation.clone();
    inline_fragments(&mut operation.node.selection_set.node, inline.then_some(&document.fragments));
    single_operation_document(name, operation)
}

/// Rewrites a document so that the library sees all variables in it.
fn expose_typename_conditions(document: &ExecutableDocument) -> ExecutableDocument {
    let mut document = document.clone();
    match &mut document.operations {
        DocumentOperations::Single(operation) => inline_fragments(&mut operation.node.selection_set.node, None),
        DocumentOperations::Multiple(operations) => {
            operations
                .values_mut()
                .for_each(|operation| inline_fragments(&mut operation.node.selection_set.node, None));
        }
    }
    document.fragments.values_mut().for_each(|fragment| inline_fragments(&mut fragment.node.selection_set.node, None));
    document
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// Replaces spreads by inline fragments, and moves conditions of `__typename`, which the library ignores, to
/// an inline fragment around it. The depth of fragments is already checked.
fn inline_fragments(set: &mut SelectionSet, fragments: Option<&Fragments>) {
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
            Selection::Field(field) => inline_fragments(&mut field.node.selection_set.node, fragments),
            Selection::InlineFragment(inline) => inline_fragments(&mut inline.node.selection_set.node, fragments),
            Selection::FragmentSpread(spread) => {
                let Some(fragment) = fragments.and_then(|all| all.get(&spread.node.fragment_name.node)) else {
                    continue;
                };
                let mut selection_set = fragment.node.selection_set.clone();
                inline_fragments(&mut selection_set.node, fragments);
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

/// Checks that a subscription has one root field, without conditions (specification 5.2.4.1).
fn check_single_root_field(
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
            let error = || Err(ApiError::SubscriptionRoot.at(vec![selection.pos]));
            let is_condition = |name: &str| matches!(name, "skip" | "include");
            if selection.node.directives().iter().any(|directive| is_condition(&directive.node.name.node)) {
                return error();
            }
            match &selection.node {
                Selection::Field(field) => {
                    let found = &field.node.response_key().node;
                    if *key.get_or_insert(found) != found || field.node.name.node.starts_with("__") {
                        return error();
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
