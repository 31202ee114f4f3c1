//! The shape of a response: the order of its fields and the propagation of null.
//!
//! The library writes fields in the order of completion and omits failed ones. The specification requires the
//! document's order, null for a failed nullable field, and null for the nearest nullable parent otherwise.

use async_graphql::{
    Name, PathSegment, Response, Value,
    indexmap::IndexMap,
    parser::types::{BaseType, ExecutableDocument, Selection, SelectionSet, Type},
};

use crate::graphql::{
    operation_limits::{MAX_SELECTION_DEPTH, MAX_SELECTIONS},
    type_index::{TYPES, base_type_name, root_type},
};

/// The key of an extra field that is removed from every response. No document can name it.
pub const PLACEHOLDER: &str = " ";

/// The fields of an object in the document's order, with their own shapes.
#[derive(Clone, Debug, Default)]
pub struct ResponseShape {
    fields: IndexMap<Name, ShapeField>,
}

#[derive(Clone, Debug)]
struct ShapeField {
    /// `None` if the schema does not define the field.
    ty: Option<Type>,
    shape: ResponseShape,
}

/// The remaining limit on the expansion of fragments.
struct ExpansionBudget<'a> {
    document: &'a ExecutableDocument,
    selections: usize,
}

impl ResponseShape {
    /// Returns the shape of an operation, or `None` if the document exceeds a limit or has no such operation.
    #[must_use]
    pub fn new(document: &ExecutableDocument, operation: Option<&str>) -> Option<Self> {
        let mut operations = document.operations.iter();
        let (_, operation) = operations.find(|(name, _)| operation.is_none() || name.map(Name::as_str) == operation)?;
        let mut shape = Self::default();
        let mut budget = ExpansionBudget { document, selections: MAX_SELECTIONS };
        shape.add(&operation.node.selection_set.node, root_type(operation.node.ty), 0, &mut budget)?;
        Some(shape)
    }

    fn add(&mut self, set: &SelectionSet, parent: &str, depth: usize, budget: &mut ExpansionBudget<'_>) -> Option<()> {
        let depth = Some(depth + 1).filter(|depth| *depth <= MAX_SELECTION_DEPTH)?;
        for selection in &set.items {
            budget.selections = budget.selections.checked_sub(1)?;
            match &selection.node {
                Selection::Field(field) => {
                    let name = &field.node.name.node;
                    // The library omits the index of an entity in the paths of errors, so these are not nullified.
                    let definition = TYPES.field(parent, name).filter(|_| !name.starts_with('_'));
                    let ty = definition.map(|definition| &definition.ty);
                    let below = ty.map_or("", base_type_name);
                    let key = field.node.response_key().node.clone();
                    let field_shape = self
                        .fields
                        .entry(key)
                        .or_insert_with(|| ShapeField { ty: ty.cloned(), shape: Self::default() });
                    field_shape.shape.add(&field.node.selection_set.node, below, depth, budget)?;
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let parent = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                    self.add(&inline.node.selection_set.node, parent, depth, budget)?;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = budget.document.fragments.get(&spread.node.fragment_name.node)?;
                    let parent = fragment.node.type_condition.node.on.node.as_str();
                    self.add(&fragment.node.selection_set.node, parent, depth, budget)?;
                }
            }
        }
        Some(())
    }

    /// Reorders a response and nullifies its failed fields.
    pub fn apply(&self, response: &mut Response) {
        let mut paths: Vec<_> = response.errors.iter().filter_map(|error| self.nullified_path(&error.path)).collect();
        paths.sort_by_key(|path| path.len());
        let mut nullified: Vec<&[PathSegment]> = Vec::new();
        for path in paths {
            if !nullified.iter().any(|nullified| path.starts_with(nullified)) {
                nullify(&mut response.data, path);
                nullified.push(path);
            }
        }
        self.reorder(&mut response.data);
    }

    /// Returns the prefix of an error's path that becomes null, or `None` if the error has no field.
    fn nullified_path<'a>(&self, path: &'a [PathSegment]) -> Option<&'a [PathSegment]> {
        let (mut shape, mut ty) = (self, None);
        let mut end = (!path.is_empty()).then_some(0)?;
        for (at, segment) in path.iter().enumerate() {
            match segment {
                PathSegment::Field(key) => {
                    let field = shape.fields.get(key.as_str())?;
                    shape = &field.shape;
                    ty = field.ty.as_ref();
                }
                PathSegment::Index(_) => {
                    ty = ty.and_then(|list| match &list.base {
                        BaseType::List(item) => Some(&**item),
                        BaseType::Named(_) => None,
                    });
                }
            }
            if ty?.nullable {
                end = at + 1;
            }
        }
        path.get(..end)
    }

    fn reorder(&self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.shift_remove(PLACEHOLDER);
                if !self.is_ordered(object) {
                    let mut rest = std::mem::take(object);
                    let known = self.fields.keys().filter_map(|key| rest.swap_remove_entry(key));
                    object.extend(known.collect::<Vec<_>>());
                    object.extend(rest);
                }
                for (key, field_shape) in
                    self.fields.iter().filter(|(_, field_shape)| !field_shape.shape.fields.is_empty())
                {
                    if let Some(value) = object.get_mut(key) {
                        field_shape.shape.reorder(value);
                    }
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.reorder(item)),
            _ => {}
        }
    }

    fn is_ordered(&self, object: &IndexMap<Name, Value>) -> bool {
        let mut keys = self.fields.keys();
        object.keys().all(|key| keys.any(|known| known == key))
    }
}

/// Sets the value at a path to null, creating missing objects on the way.
fn nullify(value: &mut Value, path: &[PathSegment]) {
    let Some((first, rest)) = path.split_first() else {
        *value = Value::Null;
        return;
    };
    match first {
        PathSegment::Field(key) => {
            if *value == Value::Null {
                *value = Value::Object(IndexMap::new());
            }
            if let Value::Object(object) = value {
                nullify(object.entry(Name::new(key)).or_insert(Value::Null), rest);
            }
        }
        PathSegment::Index(at) => {
            if let Value::List(items) = value
                && let Some(item) = items.get_mut(*at)
            {
                nullify(item, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{ServerError, parser::parse_query, value};

    use super::*;

    /// Returns a response with errors at these paths after the shape is applied, as JSON.
    fn apply_shape(query: &str, data: Value, paths: &[&[&str]]) -> String {
        let segment =
            |part: &&str| part.parse().map_or_else(|_| PathSegment::Field((*part).to_owned()), PathSegment::Index);
        let error = |path: &&[&str]| ServerError {
            path: path.iter().map(segment).collect(),
            ..ServerError::new("failed", None)
        };
        let mut response = Response::new(data);
        response.errors = paths.iter().map(error).collect();
        let document = parse_query(query).unwrap();
        ResponseShape::new(&document, None).unwrap().apply(&mut response);
        serde_json::to_string(&response.data).unwrap()
    }

    #[test]
    fn orders_fields_as_in_the_document() {
        let query = "{ a: viewer { name subject } ...f meetings { nodes { phase ... on Meeting { id } version } totalCount } } \
                     fragment f on Query { node(id: 1) { ... on Meeting { phase } id ... on Comment { body } } }";
        let data = value!({
            "meetings": { "totalCount": 2, "nodes": [{ "id": 1, "phase": "LIVE", "version": 1 }, { "version": 1, "id": 2, "phase": "LIVE" }] },
            "node": { "body": "?", "id": 3 },
            "a": { "subject": "s", "name": "n" },
        });
        assert_eq!(
            apply_shape(query, data, &[]),
            r#"{"a":{"name":"n","subject":"s"},"node":{"id":3,"body":"?"},"meetings":{"nodes":[{"phase":"LIVE","id":1,"version":1},{"phase":"LIVE","id":2,"version":1}],"totalCount":2}}"#
        );
    }

    #[test]
    fn nullifies_a_failed_nullable_field() {
        let query = "{ a: region(code: 1) { name } meeting(id: 1) { id } }";
        let data = value!({ "a": { "name": "x" } });
        assert_eq!(apply_shape(query, data, &[&["meeting"]]), r#"{"a":{"name":"x"},"meeting":null}"#);
        assert_eq!(apply_shape(query, Value::Null, &[&["a"], &["meeting"]]), r#"{"a":null,"meeting":null}"#);
        let nested = "{ meeting(id: 1) { announcedInTime id } }";
        assert_eq!(
            apply_shape(nested, value!({ "meeting": { "id": 1 } }), &[&["meeting", "announcedInTime"]]),
            r#"{"meeting":{"announcedInTime":null,"id":1}}"#
        );
    }

    #[test]
    fn propagates_null_to_the_nearest_nullable_parent() {
        let query = "{ meeting(id: 1) { id timeSplit { stage } broadcasts { url } } }";
        let data = value!({ "meeting": { "id": 1, "broadcasts": [{ "url": "x" }, {}] } });
        for path in [&["meeting", "timeSplit"][..], &["meeting", "broadcasts", "1", "url"]] {
            assert_eq!(apply_shape(query, data.clone(), &[path]), r#"{"meeting":null}"#);
        }
        let both = [&["meeting", "timeSplit"][..], &["meeting", "broadcasts"]];
        assert_eq!(apply_shape(query, data, &both), r#"{"meeting":null}"#);
        assert_eq!(apply_shape("{ meetings { totalCount } }", Value::Null, &[&["meetings", "totalCount"]]), "null");
        let nodes = "{ nodes(ids: [1, 2]) { id } }";
        let data = value!({ "nodes": [{ "id": 1 }, null] });
        assert_eq!(apply_shape(nodes, data, &[&["nodes", "1", "id"]]), r#"{"nodes":[{"id":1},null]}"#);
    }

    #[test]
    fn ignores_errors_outside_of_fields() {
        let data = value!({ "meeting": { "id": 1 } });
        for path in [&[][..], &["unknown"], &["meeting", "unknown"]] {
            assert_eq!(apply_shape("{ meeting(id: 1) { id } }", data.clone(), &[path]), r#"{"meeting":{"id":1}}"#);
        }
    }

    #[test]
    fn returns_no_shape_for_a_document_above_the_limits() {
        let response_shape = |query: &str| ResponseShape::new(&parse_query(query).unwrap(), None);
        assert!(response_shape("{ ...f } fragment f on Query { ...f ...f }").is_none());
        assert!(response_shape("{ ...unknown }").is_none());
        let each = (0..40).map(|n| format!("fragment f{n} on Query {{ ...f{} ...f{} }}", n + 1, n + 1));
        assert!(
            response_shape(&format!("{{ ...f0 }} {} fragment f40 on Query {{ a }}", each.collect::<String>()))
                .is_none()
        );
    }
}
