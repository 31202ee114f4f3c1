//! What an operation may ask for, checked before it is validated: the library's own limits come too late or not at all.

use std::sync::Arc;

use async_graphql::{
    ServerError, ServerResult, Value, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery},
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

/// How many tokens a document may have.
const MOST_TOKENS: usize = 5_000;
/// How many fields, aliases included, a document may name.
const MOST_FIELDS: usize = 1_000;
/// How many aliases a document may have.
const MOST_ALIASES: usize = 50;
/// How many references can be resolved at once.
const MOST_REPRESENTATIONS: usize = 200;

/// The limits, as an extension of the schema.
pub struct Limited;

impl ExtensionFactory for Limited {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Limited {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        if tokens(query) > MOST_TOKENS {
            return Err(too_much());
        }
        let document = next.run(ctx, query, variables).await?;
        let mut count = Count::default();
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let default = definition.node.default_value.as_ref().map(|value| value.node.clone());
                count.lists(default.as_ref().map_or(0, longest));
            }
            count.selections(&operation.node.selection_set.node);
        }
        for fragment in document.fragments.values() {
            count.selections(&fragment.node.selection_set.node);
        }
        for value in variables.values() {
            count.lists(longest(value));
        }
        if count.fields > MOST_FIELDS
            || count.aliases > MOST_ALIASES
            || count.names_entities && count.longest > MOST_REPRESENTATIONS
        {
            return Err(too_much());
        }
        Ok(document)
    }
}

/// A rough count of tokens, without a parse: words, and everything that is neither a word nor space.
fn tokens(query: &str) -> usize {
    let mut in_word = false;
    query.chars().fold(0, |count, c| {
        let word = c.is_alphanumeric() || c == '_';
        let begins = (word && !in_word) || (!word && !c.is_whitespace() && c != ',');
        in_word = word;
        count + usize::from(begins)
    })
}

#[derive(Default)]
struct Count {
    fields: usize,
    aliases: usize,
    names_entities: bool,
    longest: usize,
}

impl Count {
    fn lists(&mut self, length: usize) {
        self.longest = self.longest.max(length);
    }

    fn selections(&mut self, set: &SelectionSet) {
        let mut waiting = vec![set];
        while let Some(set) = waiting.pop() {
            for selection in &set.items {
                match &selection.node {
                    Selection::Field(field) => {
                        self.fields += 1;
                        self.aliases += usize::from(field.node.alias.is_some());
                        self.names_entities |= field.node.name.node == "_entities";
                        for (_, argument) in &field.node.arguments {
                            let constant = argument.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null));
                            self.lists(constant.as_ref().map_or(0, longest));
                        }
                        waiting.push(&field.node.selection_set.node);
                    }
                    Selection::InlineFragment(fragment) => waiting.push(&fragment.node.selection_set.node),
                    Selection::FragmentSpread(_) => {}
                }
            }
        }
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

fn too_much() -> ServerError {
    let mut error = ServerError::new("Query is too large.", None);
    let mut extensions = async_graphql::ErrorExtensionValues::default();
    extensions.set("code", "COST_EXCEEDED");
    error.extensions = Some(extensions);
    error
}
