//! What an answer must look like, as its document says it. The library writes fields in the order in which they were ready, and
//! leaves out those that failed; the specification wants the document's order, null for what failed where that may be null, and
//! null for what holds it where it may not.

use std::{collections::HashMap, sync::LazyLock};

use async_graphql::{
    Name, PathSegment, Response, Value,
    indexmap::IndexMap,
    parser::{
        parse_schema,
        types::{
            BaseType, ExecutableDocument, OperationType, Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
        },
    },
};

use crate::graphql::{
    limits::{DEEPEST_SELECTION, MOST_SELECTIONS},
    schema::sdl,
};

/// The key of a field that nobody has asked for, and that is taken out of every answer. No document can name it.
pub const PLACEHOLDER: &str = " ";

/// Which type each field of each type has.
type Types = HashMap<Name, HashMap<Name, Type>>;

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut types = Types::new();
    for definition in parse_schema(sdl()).map(|document| document.definitions).unwrap_or_default() {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        let fields = fields.into_iter().map(|field| (field.node.name.node, field.node.ty.node)).collect();
        types.insert(definition.node.name.node, fields);
    }
    types
});

/// The fields of an object in the document's order, with what is asked of each.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    fields: IndexMap<Name, Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    /// None where the schema does not say.
    ty: Option<Type>,
    of: Outline,
}

/// What may still be written out of a document.
struct Rest<'a> {
    document: &'a ExecutableDocument,
    selections: usize,
}

impl Outline {
    /// The outline of an operation; none where the document is too large to be run, or has no such operation.
    #[must_use]
    pub fn of(document: &ExecutableDocument, operation: Option<&str>) -> Option<Self> {
        let mut operations = document.operations.iter();
        let (_, operation) = operations.find(|(name, _)| operation.is_none() || name.map(Name::as_str) == operation)?;
        let root = match operation.node.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let mut outline = Self::default();
        let mut rest = Rest { document, selections: MOST_SELECTIONS };
        outline.add(&operation.node.selection_set.node, root, 0, &mut rest)?;
        Some(outline)
    }

    fn add(&mut self, set: &SelectionSet, parent: &str, depth: usize, rest: &mut Rest<'_>) -> Option<()> {
        let depth = Some(depth + 1).filter(|depth| *depth <= DEEPEST_SELECTION)?;
        for selection in &set.items {
            rest.selections = rest.selections.checked_sub(1)?;
            match &selection.node {
                Selection::Field(field) => {
                    let ty = TYPES.get(parent).and_then(|fields| fields.get(&field.node.name.node));
                    let below = ty.map_or("", |ty| base(ty));
                    let key = field.node.response_key().node.clone();
                    let asked =
                        self.fields.entry(key).or_insert_with(|| Asked { ty: ty.cloned(), of: Self::default() });
                    asked.of.add(&field.node.selection_set.node, below, depth, rest)?;
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let parent = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                    self.add(&inline.node.selection_set.node, parent, depth, rest)?;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = rest.document.fragments.get(&spread.node.fragment_name.node)?;
                    let parent = fragment.node.type_condition.node.on.node.as_str();
                    self.add(&fragment.node.selection_set.node, parent, depth, rest)?;
                }
            }
        }
        Some(())
    }

    /// Makes an answer what it must look like.
    pub fn complete(&self, response: &mut Response) {
        let mut failed: Vec<_> = response.errors.iter().filter_map(|error| self.failed(&error.path)).collect();
        failed.sort_by_key(|path| path.len());
        let mut gone: Vec<&[PathSegment]> = Vec::new();
        for path in failed {
            if !gone.iter().any(|gone| path.starts_with(gone)) {
                void(&mut response.data, path);
                gone.push(path);
            }
        }
        self.order(&mut response.data);
    }

    /// The part of an error's path that is null because of it; none where the error is not of a field.
    fn failed<'a>(&self, path: &'a [PathSegment]) -> Option<&'a [PathSegment]> {
        let (mut outline, mut ty) = (self, None);
        let mut void = (!path.is_empty()).then_some(0)?;
        for (at, segment) in path.iter().enumerate() {
            match segment {
                PathSegment::Field(key) => {
                    let asked = outline.fields.get(key.as_str())?;
                    outline = &asked.of;
                    ty = asked.ty.as_ref();
                }
                PathSegment::Index(_) => {
                    ty = ty.and_then(|list| match &list.base {
                        BaseType::List(item) => Some(&**item),
                        BaseType::Named(_) => None,
                    });
                }
            }
            if ty?.nullable {
                void = at + 1;
            }
        }
        path.get(..void)
    }

    fn order(&self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.shift_remove(PLACEHOLDER);
                if !self.is_order_of(object) {
                    let mut rest = std::mem::take(object);
                    let known = self.fields.keys().filter_map(|key| rest.swap_remove_entry(key));
                    object.extend(known.collect::<Vec<_>>());
                    object.extend(rest);
                }
                for (key, asked) in self.fields.iter().filter(|(_, asked)| !asked.of.fields.is_empty()) {
                    if let Some(value) = object.get_mut(key) {
                        asked.of.order(value);
                    }
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.order(item)),
            _ => {}
        }
    }

    fn is_order_of(&self, object: &IndexMap<Name, Value>) -> bool {
        let mut keys = self.fields.keys();
        object.keys().all(|key| keys.any(|known| known == key))
    }
}

fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => base(item),
    }
}

/// Lets what lies at a path be null, and makes the objects that must hold it.
fn void(value: &mut Value, path: &[PathSegment]) {
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
                void(object.entry(Name::new(key)).or_insert(Value::Null), rest);
            }
        }
        PathSegment::Index(at) => {
            if let Value::List(items) = value
                && let Some(item) = items.get_mut(*at)
            {
                void(item, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{ServerError, parser::parse_query, value};

    use super::*;

    /// What becomes of an answer with errors at these paths, as JSON.
    fn completed(query: &str, data: Value, paths: &[&[&str]]) -> String {
        let segment =
            |part: &&str| part.parse().map_or_else(|_| PathSegment::Field((*part).to_owned()), PathSegment::Index);
        let error = |path: &&[&str]| ServerError {
            path: path.iter().map(segment).collect(),
            ..ServerError::new("failed", None)
        };
        let mut response = Response::new(data);
        response.errors = paths.iter().map(error).collect();
        let document = parse_query(query).unwrap();
        Outline::of(&document, None).unwrap().complete(&mut response);
        serde_json::to_string(&response.data).unwrap()
    }

    #[test]
    fn fields_stand_in_the_order_of_the_document() {
        let query = "{ a: viewer { name subject } ...f meetings { nodes { phase ... on Meeting { id } version } totalCount } } \
                     fragment f on Query { node(id: 1) { ... on Meeting { phase } id ... on Comment { body } } }";
        let data = value!({
            "meetings": { "totalCount": 2, "nodes": [{ "id": 1, "phase": "LIVE", "version": 1 }, { "version": 1, "id": 2, "phase": "LIVE" }] },
            "node": { "body": "?", "id": 3 },
            "a": { "subject": "s", "name": "n" },
        });
        assert_eq!(
            completed(query, data, &[]),
            r#"{"a":{"name":"n","subject":"s"},"node":{"id":3,"body":"?"},"meetings":{"nodes":[{"phase":"LIVE","id":1,"version":1},{"phase":"LIVE","id":2,"version":1}],"totalCount":2}}"#
        );
    }

    #[test]
    fn what_failed_is_null_where_it_may_be() {
        let query = "{ a: region(code: 1) { name } meeting(id: 1) { id } }";
        let data = value!({ "a": { "name": "x" } });
        assert_eq!(completed(query, data, &[&["meeting"]]), r#"{"a":{"name":"x"},"meeting":null}"#);
        assert_eq!(completed(query, Value::Null, &[&["a"], &["meeting"]]), r#"{"a":null,"meeting":null}"#);
        let nested = "{ meeting(id: 1) { announcedInTime id } }";
        assert_eq!(
            completed(nested, value!({ "meeting": { "id": 1 } }), &[&["meeting", "announcedInTime"]]),
            r#"{"meeting":{"announcedInTime":null,"id":1}}"#
        );
    }

    #[test]
    fn what_holds_it_is_null_where_it_may_not() {
        let query = "{ meeting(id: 1) { id timeSplit { stage } broadcasts { url } } }";
        let data = value!({ "meeting": { "id": 1, "broadcasts": [{ "url": "x" }, {}] } });
        for path in [&["meeting", "timeSplit"][..], &["meeting", "broadcasts", "1", "url"]] {
            assert_eq!(completed(query, data.clone(), &[path]), r#"{"meeting":null}"#);
        }
        let both = [&["meeting", "timeSplit"][..], &["meeting", "broadcasts"]];
        assert_eq!(completed(query, data, &both), r#"{"meeting":null}"#);
        assert_eq!(completed("{ meetings { totalCount } }", Value::Null, &[&["meetings", "totalCount"]]), "null");
        let nodes = "{ nodes(ids: [1, 2]) { id } }";
        let data = value!({ "nodes": [{ "id": 1 }, null] });
        assert_eq!(completed(nodes, data, &[&["nodes", "1", "id"]]), r#"{"nodes":[{"id":1},null]}"#);
    }

    #[test]
    fn an_error_that_is_of_no_field_changes_nothing() {
        let data = value!({ "meeting": { "id": 1 } });
        for path in [&[][..], &["unknown"], &["meeting", "unknown"]] {
            assert_eq!(completed("{ meeting(id: 1) { id } }", data.clone(), &[path]), r#"{"meeting":{"id":1}}"#);
        }
    }

    #[test]
    fn a_document_that_may_not_run_has_no_outline() {
        let outline = |query: &str| Outline::of(&parse_query(query).unwrap(), None);
        assert!(outline("{ ...f } fragment f on Query { ...f ...f }").is_none());
        assert!(outline("{ ...unknown }").is_none());
        let each = (0..40).map(|n| format!("fragment f{n} on Query {{ ...f{} ...f{} }}", n + 1, n + 1));
        assert!(outline(&format!("{{ ...f0 }} {} fragment f40 on Query {{ a }}", each.collect::<String>())).is_none());
    }
}
