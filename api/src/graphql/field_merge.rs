//! Rewrites an operation so that each field of an object occurs once, without fragments, conditions and
//! absent variables.
//!
//! The library executes a field as often as it occurs. This does CollectFields and MergeSelectionSets of the
//! specification (6.3) once before the execution.

use std::collections::{HashMap, HashSet};

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
    operation_limits::{MAX_ERRORS, MAX_SELECTIONS, cost_exceeded},
    response_shape::PLACEHOLDER,
    type_index::{TYPES, base_type_name, root_type},
    variables::{IntRange, VariableUse, argument_use, check_argument, for_each_variable},
};

/// Maximum number of selections in the result. Those of an interface may be repeated for each of its object
/// types.
const MAX_MERGED_SELECTIONS: usize = 8 * MAX_SELECTIONS;
/// The field that every type has.
const TYPENAME: &str = "__typename";

/// A document to execute.
pub struct MergedDocument {
    /// The document.
    pub document: ExecutableDocument,
    /// Number of its fields.
    pub fields: usize,
    /// How it depends on its variables, beside their presence.
    pub uses: VariableUses,
}

/// The variables that determine the form or the cost of a document.
#[derive(Default)]
pub struct VariableUses {
    /// Those whose values matter.
    pub by_value: HashSet<Name>,
    /// Those of which only the number of items matters.
    pub by_length: HashSet<Name>,
}

/// Returns the document to execute. Its fragments must be acyclic, and its variables coerced.
///
/// # Errors
/// If fields conflict, a value has the wrong type, or the result is too large.
pub fn merge_fields(
    document: &ExecutableDocument,
    (name, operation): (Option<&Name>, &Positioned<OperationDefinition>),
    variables: &Variables,
) -> Result<MergedDocument, Vec<ServerError>> {
    let mut merger = FieldMerger {
        document,
        operation: operation.node.ty,
        definitions: &operation.node.variable_definitions,
        variables,
        allows_int64: operation.node.ty == OperationType::Subscription,
        remaining: MAX_MERGED_SELECTIONS,
        uses: VariableUses::default(),
        errors: Vec::new(),
    };
    let set = &operation.node.selection_set;
    let items = merger.object(&[&set.node], root_type(operation.node.ty)).ok_or_else(|| vec![cost_exceeded()])?;
    let items = or_placeholder(items);
    if !merger.errors.is_empty() {
        return Err(merger.errors);
    }
    let definition = OperationDefinition {
        ty: operation.node.ty,
        variable_definitions: operation.node.variable_definitions.clone(),
        directives: operation.node.directives.clone(),
        selection_set: Positioned::new(SelectionSet { items }, set.pos),
    };
    Ok(MergedDocument {
        document: single_operation_document(name, Positioned::new(definition, operation.pos)),
        fields: MAX_MERGED_SELECTIONS - merger.remaining,
        uses: merger.uses,
    })
}

/// Returns a document of one operation without fragments.
pub fn single_operation_document(
    name: Option<&Name>,
    operation: Positioned<OperationDefinition>,
) -> ExecutableDocument {
    let operations = match name {
        Some(name) => DocumentOperations::Multiple(HashMap::from([(name.clone(), operation)])),
        None => DocumentOperations::Single(operation),
    };
    ExecutableDocument { operations, fragments: HashMap::new() }
}

/// Fields by response key.
type FieldsByKey<'a> = IndexMap<&'a Name, Vec<&'a Positioned<Field>>>;

/// The fields selected of an interface or union.
#[derive(Default)]
struct AbstractFields<'a> {
    /// Fields of every object type.
    common: FieldsByKey<'a>,
    /// Fields of single object types.
    by_object: IndexMap<&'a Name, FieldsByKey<'a>>,
}

struct FieldMerger<'a> {
    document: &'a ExecutableDocument,
    operation: OperationType,
    definitions: &'a [Positioned<VariableDefinition>],
    variables: &'a Variables,
    /// Whether the arguments of the root field accept 64-bit integers: positions of feeds.
    allows_int64: bool,
    /// Remaining number of selections.
    remaining: usize,
    uses: VariableUses,
    errors: Vec<ServerError>,
}

impl<'a> FieldMerger<'a> {
    /// Merges the selections of an object type. Unknown types are introspection types, which are objects too.
    fn object(&mut self, sets: &[&'a SelectionSet], parent: &str) -> Option<Vec<Positioned<Selection>>> {
        let mut fields = FieldsByKey::new();
        for set in sets {
            self.collect(set, parent, &mut fields);
        }
        self.fields(fields, parent)
    }

    fn collect(&mut self, set: &'a SelectionSet, object: &str, fields: &mut FieldsByKey<'a>) {
        for selection in &set.items {
            if !self.is_included(selection.node.directives()) {
                self.exclude(&selection.node);
                continue;
            }
            match (&selection.node, self.fragment(&selection.node)) {
                (Selection::Field(field), _) => fields.entry(&field.node.response_key().node).or_default().push(field),
                (_, Some((condition, set))) if condition.is_none_or(|name| TYPES.satisfies(object, name)) => {
                    self.collect(set, object, fields);
                }
                _ => {}
            }
        }
    }

    /// Merges the selections of an interface or union.
    fn merge_abstract_type(
        &mut self,
        sets: &[&'a SelectionSet],
        parent: &str,
        possible_types: &'static [Name],
    ) -> Option<Vec<Positioned<Selection>>> {
        let mut collected = AbstractFields::default();
        let every: Vec<&'static Name> = possible_types.iter().collect();
        for set in sets {
            self.collect_for(set, &every, every.len(), &mut collected);
        }
        let AbstractFields { mut common, mut by_object } = collected;
        // A field in both sets is moved to each object type, or it would execute twice. So is a field of an interface that all types of a
        // union implement: a union has no fields.
        let has_field = |name: &str| name == TYPENAME || TYPES.field(parent, name).is_some();
        let moved_keys: Vec<_> = common
            .iter()
            .filter(|(key, fields)| {
                by_object.values().any(|fields| fields.contains_key(**key))
                    || !fields.iter().all(|field| has_field(&field.node.name.node))
            })
            .map(|(key, _)| *key)
            .collect();
        for key in moved_keys {
            let fields = common.swap_remove(key).unwrap_or_default();
            for object in &every {
                by_object.entry(*object).or_default().entry(key).or_default().extend(fields.iter().copied());
            }
        }
        let mut items = self.fields(common, parent)?;
        for (object, fields) in by_object {
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

    /// Collects the fields of a selection set that applies to these object types, out of `every`.
    fn collect_for(
        &mut self,
        set: &'a SelectionSet,
        objects: &[&'static Name],
        every: usize,
        collected: &mut AbstractFields<'a>,
    ) {
        for selection in &set.items {
            if !self.is_included(selection.node.directives()) {
                self.exclude(&selection.node);
                continue;
            }
            match (&selection.node, self.fragment(&selection.node)) {
                (Selection::Field(field), _) => {
                    let key = &field.node.response_key().node;
                    if objects.len() == every {
                        collected.common.entry(key).or_default().push(field);
                        continue;
                    }
                    for object in objects {
                        collected.by_object.entry(*object).or_default().entry(key).or_default().push(field);
                    }
                }
                (_, Some((condition, set))) => {
                    let satisfies = |object: &&&Name| condition.is_none_or(|name| TYPES.satisfies(object, name));
                    let objects: Vec<_> = objects.iter().filter(satisfies).copied().collect();
                    self.collect_for(set, &objects, every, collected);
                }
                _ => {}
            }
        }
    }

    /// Returns the type condition and selection set of a fragment.
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

    /// Records the variables of an excluded selection: it does not run, but the library counts its cost.
    fn exclude(&mut self, selection: &'a Selection) {
        let values = |directives: &'a [Positioned<Directive>]| {
            directives.iter().flat_map(|directive| directive.node.arguments.iter().map(|(_, value)| &value.node))
        };
        let mut used: Vec<&Value> = values(selection.directives()).collect();
        if let Selection::Field(field) = selection {
            used.extend(field.node.arguments.iter().map(|(_, value)| &value.node));
        }
        for value in used {
            for_each_variable(value, &mut |name| {
                self.uses.by_value.insert(name.clone());
            });
        }
        let set = match selection {
            Selection::Field(field) => Some(&field.node.selection_set.node),
            _ => self.fragment(selection).map(|(_, set)| set),
        };
        for below in set.into_iter().flat_map(|set| &set.items) {
            self.exclude(&below.node);
        }
    }

    fn is_included(&mut self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let expected = match directive.node.name.node.as_str() {
                "skip" => false,
                "include" => true,
                _ => return true,
            };
            let value = match directive.node.get_argument("if").map(|value| &value.node) {
                Some(Value::Boolean(value)) => *value,
                Some(Value::Variable(name)) => {
                    self.uses.by_value.insert(name.clone());
                    matches!(self.variables.get(name), Some(Constant::Boolean(true)))
                }
                _ => false,
            };
            value == expected
        })
    }

    fn fields(&mut self, fields: FieldsByKey<'a>, parent: &str) -> Option<Vec<Positioned<Selection>>> {
        fields.into_values().map(|fields| self.field(&fields, parent)).collect()
    }

    /// Merges all fields of one response key.
    fn field(&mut self, fields: &[&'a Positioned<Field>], parent: &str) -> Option<Positioned<Selection>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let (first, others) = fields.split_first()?;
        for other in others {
            if let Some(why) = conflict(&first.node, &other.node)
                && self.errors.len() < MAX_ERRORS
            {
                let key = &first.node.response_key().node;
                let detail = Some(format!("Fields \"{key}\" conflict because {why}."));
                self.errors.push(ApiError::InvalidOperation { detail }.at(vec![first.pos, other.pos]));
            }
        }
        let definition = TYPES.field(parent, &first.node.name.node);
        let sets: Vec<_> = fields.iter().map(|field| &field.node.selection_set.node).collect();
        let field_type = definition.map_or("", |definition| base_type_name(&definition.ty));
        let allows_int64 = std::mem::take(&mut self.allows_int64);
        let items = match TYPES.possible_types(field_type) {
            _ if sets.iter().all(|set| set.items.is_empty()) => Vec::new(),
            Some(possible_types) => or_placeholder(self.merge_abstract_type(&sets, field_type, possible_types)?),
            None => or_placeholder(self.object(&sets, field_type)?),
        };
        self.allows_int64 = allows_int64;
        for (name, value) in &first.node.arguments {
            let Some(argument) = definition.and_then(|definition| definition.arguments.get(&name.node)) else {
                continue;
            };
            let range = if allows_int64 { IntRange::Int64 } else { IntRange::Int32 };
            match argument_use((&name.node, &value.node), argument, self.definitions, (self.operation, range)) {
                VariableUse::Presence => {}
                VariableUse::Length(variable) => drop(self.uses.by_length.insert(variable.clone())),
                VariableUse::Value => for_each_variable(&value.node, &mut |name| {
                    self.uses.by_value.insert(name.clone());
                }),
            }
            if let Err(error) = check_argument((&name.node, value), argument, (self.definitions, self.variables), range)
                && self.errors.len() < MAX_ERRORS
            {
                self.errors.push(error);
            }
        }
        let mut arguments = first.node.arguments.clone();
        arguments.retain_mut(|(_, value)| remove_absent_variables(&mut value.node, self.variables));
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

/// Adds a placeholder if an object might get no field: the library would return null for it.
fn or_placeholder(mut items: Vec<Positioned<Selection>>) -> Vec<Positioned<Selection>> {
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

/// Returns the reason that two fields conflict.
fn conflict(first: &Field, other: &Field) -> Option<String> {
    if first.name.node != other.name.node {
        return Some(format!("\"{}\" and \"{}\" are different fields", first.name.node, other.name.node));
    }
    let same = first.arguments.len() == other.arguments.len()
        && first.arguments.iter().all(|(name, value)| other.get_argument(&name.node) == Some(value));
    (!same).then(|| "they have differing arguments".to_owned())
}

/// Removes absent variables from a value. Returns whether the value itself is present.
fn remove_absent_variables(value: &mut Value, variables: &Variables) -> bool {
    match value {
        Value::Variable(name) => variables.contains_key(name),
        Value::Object(fields) => {
            fields.retain(|_, value| remove_absent_variables(value, variables));
            true
        }
        Value::List(items) => {
            for item in items {
                if !remove_absent_variables(item, variables) {
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
