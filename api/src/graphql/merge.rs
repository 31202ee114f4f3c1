//! Writes an operation out as it is executed: each field of an object once, without fragments, conditions and absent variables.
//!
//! The library executes a field as often as it is written. This is CollectFields and MergeSelectionSets of the specification
//! (6.3), made once before the execution.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, ServerError, Value as Constant, Variables,
    indexmap::IndexMap,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition, OperationType,
        Selection, SelectionSet, TypeCondition, VariableDefinition,
    },
};
use async_graphql_value::Value;

use crate::graphql::{
    error::ApiError,
    limits::{MOST_ERRORS, MOST_SELECTIONS, too_much},
    outline::PLACEHOLDER,
    type_index::{TYPES, named, root},
    variables::{Int, check_argument},
};

/// How many selections the result may have: those of an interface are written once for each of its types, where they must be.
const MOST_MERGED: usize = 8 * MOST_SELECTIONS;

/// The document of one operation as it is executed. Its fragments end, and its variables are coerced.
///
/// # Errors
/// When fields of one name cannot be merged, a value is not of its type, or it comes to too much.
pub fn merged(
    document: &ExecutableDocument,
    (name, operation): (Option<&Name>, &Positioned<OperationDefinition>),
    variables: &Variables,
) -> Result<ExecutableDocument, Vec<ServerError>> {
    let mut merge = Merge {
        document,
        definitions: &operation.node.variable_definitions,
        variables,
        wide: operation.node.ty == OperationType::Subscription,
        left: MOST_MERGED,
        errors: Vec::new(),
    };
    let set = &operation.node.selection_set;
    let items = merge.object(&[&set.node], root(operation.node.ty)).ok_or_else(|| vec![too_much()])?;
    let items = never_empty(items);
    if !merge.errors.is_empty() {
        return Err(merge.errors);
    }
    let definition = OperationDefinition {
        ty: operation.node.ty,
        variable_definitions: operation.node.variable_definitions.clone(),
        directives: operation.node.directives.clone(),
        selection_set: Positioned::new(SelectionSet { items }, set.pos),
    };
    Ok(alone(name, Positioned::new(definition, operation.pos)))
}

/// The document of one operation without fragments.
pub fn alone(name: Option<&Name>, operation: Positioned<OperationDefinition>) -> ExecutableDocument {
    let operations = match name {
        Some(name) => DocumentOperations::Multiple(HashMap::from([(name.clone(), operation)])),
        None => DocumentOperations::Single(operation),
    };
    ExecutableDocument { operations, fragments: HashMap::new() }
}

/// The fields of one response key.
type Keyed<'a> = IndexMap<&'a Name, Vec<&'a Positioned<Field>>>;

/// The fields of an interface or a union.
#[derive(Default)]
struct Collected<'a> {
    /// Those that every object has.
    all: Keyed<'a>,
    /// Those that only objects of a type have.
    of: IndexMap<&'a Name, Keyed<'a>>,
}

struct Merge<'a> {
    document: &'a ExecutableDocument,
    definitions: &'a [Positioned<VariableDefinition>],
    variables: &'a Variables,
    /// Whether the arguments at the root take positions of feeds.
    wide: bool,
    /// How many selections may still be written.
    left: usize,
    errors: Vec<ServerError>,
}

impl<'a> Merge<'a> {
    /// What is selected of an object, or of a type that is not known: those of the introspection, which are objects too.
    fn object(&mut self, sets: &[&'a SelectionSet], parent: &str) -> Option<Vec<Positioned<Selection>>> {
        let mut fields = Keyed::new();
        for set in sets {
            self.collect(set, parent, &mut fields);
        }
        self.fields(fields, parent)
    }

    fn collect(&self, set: &'a SelectionSet, object: &str, fields: &mut Keyed<'a>) {
        for selection in set.items.iter().filter(|selection| self.is_included(selection.node.directives())) {
            match (&selection.node, self.fragment(&selection.node)) {
                (Selection::Field(field), _) => fields.entry(&field.node.response_key().node).or_default().push(field),
                (_, Some((condition, set))) if condition.is_none_or(|name| TYPES.fulfils(object, name)) => {
                    self.collect(set, object, fields);
                }
                _ => {}
            }
        }
    }

    /// What is selected of an interface or a union that stands for these objects.
    fn abstraction(
        &mut self,
        sets: &[&'a SelectionSet],
        parent: &str,
        possible: &'static [Name],
    ) -> Option<Vec<Positioned<Selection>>> {
        let mut collected = Collected::default();
        let every: Vec<&'static Name> = possible.iter().collect();
        for set in sets {
            self.collect_of(set, &every, every.len(), &mut collected);
        }
        let Collected { mut all, mut of } = collected;
        // A field that an object has by both is written for each object, or it would run twice.
        let both: Vec<_> =
            all.keys().copied().filter(|key| of.values().any(|fields| fields.contains_key(*key))).collect();
        for key in both {
            let fields = all.swap_remove(key).unwrap_or_default();
            for object in &every {
                of.entry(*object).or_default().entry(key).or_default().extend(fields.iter().copied());
            }
        }
        let mut items = self.fields(all, parent)?;
        for (object, fields) in of {
            let set = SelectionSet { items: self.fields(fields, object)? };
            let inline = InlineFragment {
                type_condition: Some(Positioned::new(
                    TypeCondition { on: Positioned::new(object.clone(), Pos::default()) },
                    Pos::default(),
                )),
                directives: Vec::new(),
                selection_set: Positioned::new(set, Pos::default()),
            };
            let inline = Positioned::new(inline, Pos::default());
            items.push(Positioned::new(Selection::InlineFragment(inline), Pos::default()));
        }
        Some(items)
    }

    /// Collects the fields of a set that is of these objects, of so many in all.
    fn collect_of(
        &self,
        set: &'a SelectionSet,
        objects: &[&'static Name],
        every: usize,
        collected: &mut Collected<'a>,
    ) {
        for selection in set.items.iter().filter(|selection| self.is_included(selection.node.directives())) {
            match (&selection.node, self.fragment(&selection.node)) {
                (Selection::Field(field), _) => {
                    let key = &field.node.response_key().node;
                    if objects.len() == every {
                        collected.all.entry(key).or_default().push(field);
                        continue;
                    }
                    for object in objects {
                        collected.of.entry(*object).or_default().entry(key).or_default().push(field);
                    }
                }
                (_, Some((condition, set))) => {
                    let fulfils = |object: &&&Name| condition.is_none_or(|name| TYPES.fulfils(object, name));
                    let objects: Vec<_> = objects.iter().filter(fulfils).copied().collect();
                    self.collect_of(set, &objects, every, collected);
                }
                _ => {}
            }
        }
    }

    /// The type condition of a fragment, and what it selects.
    fn fragment(&self, selection: &'a Selection) -> Option<(Option<&'a str>, &'a SelectionSet)> {
        match selection {
            Selection::Field(_) => None,
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref();
                Some((condition.map(|condition| condition.node.on.node.as_str()), &inline.node.selection_set.node))
            }
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.node.fragment_name.node)?;
                Some((Some(&fragment.node.type_condition.node.on.node), &fragment.node.selection_set.node))
            }
        }
    }

    fn is_included(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let wanted = match directive.node.name.node.as_str() {
                "skip" => false,
                "include" => true,
                _ => return true,
            };
            let is = match directive.node.get_argument("if").map(|value| &value.node) {
                Some(Value::Boolean(is)) => *is,
                Some(Value::Variable(name)) => matches!(self.variables.get(name), Some(Constant::Boolean(true))),
                _ => false,
            };
            is == wanted
        })
    }

    fn fields(&mut self, fields: Keyed<'a>, parent: &str) -> Option<Vec<Positioned<Selection>>> {
        fields.into_values().map(|fields| self.field(&fields, parent)).collect()
    }

    /// One field instead of all of its response key.
    fn field(&mut self, fields: &[&'a Positioned<Field>], parent: &str) -> Option<Positioned<Selection>> {
        self.left = self.left.checked_sub(1)?;
        let (first, others) = fields.split_first()?;
        for other in others {
            if let Some(why) = conflict(&first.node, &other.node)
                && self.errors.len() < MOST_ERRORS
            {
                let key = &first.node.response_key().node;
                let detail = Some(format!("Fields \"{key}\" conflict because {why}."));
                self.errors.push(ApiError::Misfit { detail }.at(vec![first.pos, other.pos]));
            }
        }
        let known = TYPES.field(parent, &first.node.name.node);
        let sets: Vec<_> = fields.iter().map(|field| &field.node.selection_set.node).collect();
        let below = known.map_or("", |known| named(&known.ty));
        let wide = std::mem::take(&mut self.wide);
        let items = match TYPES.possible(below) {
            _ if sets.iter().all(|set| set.items.is_empty()) => Vec::new(),
            Some(possible) => never_empty(self.abstraction(&sets, below, possible)?),
            None => never_empty(self.object(&sets, below)?),
        };
        self.wide = wide;
        for (name, value) in &first.node.arguments {
            let Some(argument) = known.and_then(|known| known.arguments.get(&name.node)) else { continue };
            let int = if wide { Int::Wide } else { Int::Narrow };
            if let Err(error) = check_argument((&name.node, value), argument, (self.definitions, self.variables), int)
                && self.errors.len() < MOST_ERRORS
            {
                self.errors.push(error);
            }
        }
        let mut arguments = first.node.arguments.clone();
        arguments.retain_mut(|(_, value)| is_given(&mut value.node, self.variables));
        let is_condition =
            |directive: &Positioned<Directive>| matches!(directive.node.name.node.as_str(), "skip" | "include");
        let field = Field {
            alias: first.node.alias.clone(),
            name: first.node.name.clone(),
            arguments,
            directives: first.node.directives.iter().filter(|directive| !is_condition(directive)).cloned().collect(),
            selection_set: Positioned::new(SelectionSet { items }, first.node.selection_set.pos),
        };
        Some(Positioned::new(Selection::Field(Positioned::new(field, first.pos)), first.pos))
    }
}

/// Selections from which every object gets something: the library makes null of an object of which nothing is selected.
fn never_empty(mut items: Vec<Positioned<Selection>>) -> Vec<Positioned<Selection>> {
    if !items.iter().any(|item| matches!(item.node, Selection::Field(_))) {
        let here = |node| Positioned::new(node, Pos::default());
        let field = Field {
            alias: Some(here(Name::new(PLACEHOLDER))),
            name: here(Name::new("__typename")),
            arguments: Vec::new(),
            directives: Vec::new(),
            selection_set: Positioned::default(),
        };
        items.push(Positioned::new(Selection::Field(Positioned::new(field, Pos::default())), Pos::default()));
    }
    items
}

/// Why two fields are not the same.
fn conflict(first: &Field, other: &Field) -> Option<String> {
    if first.name.node != other.name.node {
        return Some(format!("\"{}\" and \"{}\" are different fields", first.name.node, other.name.node));
    }
    let same = first.arguments.len() == other.arguments.len()
        && first.arguments.iter().all(|(name, value)| other.get_argument(&name.node) == Some(value));
    (!same).then(|| "they have differing arguments".to_owned())
}

/// Whether there is a value, once what variables that are not given would say is left out of it.
fn is_given(value: &mut Value, variables: &Variables) -> bool {
    match value {
        Value::Variable(name) => variables.contains_key(name),
        Value::Object(fields) => {
            fields.retain(|_, value| is_given(value, variables));
            true
        }
        Value::List(items) => {
            for item in items {
                if !is_given(item, variables) {
                    *item = Value::Null;
                }
            }
            true
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests;
