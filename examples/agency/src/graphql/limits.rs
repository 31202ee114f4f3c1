//! What an operation may ask for. A document is checked before the library walks it, which follows every spread of a fragment
//! anew, and the cost counts each reference of a gateway, which the library counts as one.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Name, Positioned, Request, ServerError, ServerResult, ValidationResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation},
    parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
};

use crate::graphql::error::too_costly;

/// How long a document may be, in bytes.
const LONGEST_DOCUMENT: usize = 32 << 10;
/// How many selections a document may have once its fragments are spread out.
const MOST_SELECTIONS: usize = 1_000;
/// How deep selections may nest once fragments are spread out: the count itself must not run out of stack.
const DEEPEST_NESTING: usize = 50;
/// How many references can be resolved at once.
const MOST_REFERENCES: usize = 200;
/// What an operation may cost: every item of a list, and every reference, costs its children.
const MOST_COST: usize = 20_000;

/// By how much the cost of an operation is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graphql) struct References(usize);

/// Checks what a request asks for, and gives how many references it has resolved.
///
/// # Errors
/// When it is too much, or no document.
pub(in crate::graphql) fn check(request: &mut Request) -> ServerResult<References> {
    if request.query.len() > LONGEST_DOCUMENT {
        return Err(too_costly());
    }
    // A list of references stands in the document, in a variable or in a variable's default.
    let mut longest_list = request.variables.values().map(longest).max().unwrap_or_default();
    let document = request.parsed_query()?;
    let mut count = Count::new(document);
    for (_, operation) in document.operations.iter() {
        for definition in &operation.node.variable_definitions {
            longest_list =
                longest_list.max(definition.node.default_value.as_ref().map_or(0, |value| longest(&value.node)));
        }
        count.selections = count.selections.saturating_add(count.spread_out(&operation.node.selection_set.node, 0));
    }
    let references = if count.names_entities { longest_list.max(count.longest_list).max(1) } else { 1 };
    if count.selections > MOST_SELECTIONS || references > MOST_REFERENCES {
        return Err(too_costly());
    }
    Ok(References(references))
}

struct Count<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// How large each fragment is, spread out. One that is still being counted spreads itself, and has no end.
    sizes: HashMap<&'a str, usize>,
    selections: usize,
    names_entities: bool,
    longest_list: usize,
}

impl<'a> Count<'a> {
    fn new(document: &'a ExecutableDocument) -> Self {
        let fragments = &document.fragments;
        Self { fragments, sizes: HashMap::new(), selections: 0, names_entities: false, longest_list: 0 }
    }

    fn spread_out(&mut self, set: &'a SelectionSet, depth: usize) -> usize {
        if depth > DEEPEST_NESTING {
            return usize::MAX;
        }
        let mut size = 0_usize;
        for selection in &set.items {
            let inside = match &selection.node {
                Selection::Field(field) => {
                    self.names_entities |= field.node.name.node == "_entities";
                    for (_, argument) in &field.node.arguments {
                        let constant = argument.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null));
                        self.longest_list = self.longest_list.max(constant.as_ref().map_or(0, longest));
                    }
                    self.spread_out(&field.node.selection_set.node, depth + 1)
                }
                Selection::InlineFragment(fragment) => self.spread_out(&fragment.node.selection_set.node, depth + 1),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, depth + 1),
            };
            size = size.saturating_add(inside).saturating_add(1);
        }
        size
    }

    fn fragment(&mut self, name: &str, depth: usize) -> usize {
        // One that is not there is told by the library.
        let Some((name, fragment)) = self.fragments.get_key_value(name) else { return 0 };
        if let Some(size) = self.sizes.get(name.as_str()) {
            return *size;
        }
        self.sizes.insert(name, usize::MAX);
        let size = self.spread_out(&fragment.node.selection_set.node, depth);
        self.sizes.insert(name, size);
        size
    }
}

/// The length of the longest list in a value.
fn longest(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(longest).max().unwrap_or_default().max(items.len()),
        Value::Object(fields) => fields.values().map(longest).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Refuses an operation that costs too much.
pub(in crate::graphql) struct CostOfReferences;

impl ExtensionFactory for CostOfReferences {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for CostOfReferences {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        let References(references) = *ctx.data_unchecked::<References>();
        if result.complexity.saturating_mul(references) > MOST_COST { Err(vec![too_costly()]) } else { Ok(result) }
    }
}
