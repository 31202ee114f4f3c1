use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{parser::parse_query, value};
use proptest::prelude::{any, prop, proptest};

use super::*;

fn run(query: &str, variables: &Variables) -> Result<ExecutableDocument, Vec<ServerError>> {
    let document = parse_query(query).unwrap();
    let (name, operation) = document.operations.iter().next().unwrap();
    merge_fields(&document, (name, operation), variables).map(|merged| merged.document)
}

/// An operation as it is executed, in few words.
fn written(query: &str) -> String {
    let variables = Variables::from_value(value!({ "yes": true, "no": false }));
    let document = run(query, &variables).unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    text(&operation.node.selection_set.node)
}

fn text(set: &SelectionSet) -> String {
    let one = |selection: &Positioned<Selection>| match &selection.node {
        Selection::Field(field) if field.node.response_key().node == PLACEHOLDER => String::new(),
        Selection::Field(field) => {
            let field = &field.node;
            let alias = field.alias.as_ref().map_or_else(String::new, |alias| format!("{alias}: "));
            let arguments: String = field.arguments.iter().map(|(name, value)| format!("({name}: {value})")).collect();
            let selections = text(&field.selection_set.node);
            format!(
                "{alias}{}{arguments}{}",
                field.name,
                if selections.is_empty() { selections } else { format!(" {{ {selections} }}") }
            )
        }
        Selection::InlineFragment(inline) => {
            let on = &inline.node.type_condition.as_ref().unwrap().node.on;
            format!("... on {on} {{ {} }}", text(&inline.node.selection_set.node))
        }
        Selection::FragmentSpread(spread) => panic!("{:?} is left", spread.node.fragment_name),
    };
    set.items.iter().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn executes_each_field_once() {
    for (query, expected) in [
        ("{ viewer { subject } viewer { name subject } }", "viewer { subject name }"),
        ("{ a: viewer { name } viewer { name } a: viewer { subject } }", "a: viewer { name subject } viewer { name }"),
        ("{ ...f ...f } fragment f on Query { viewer { name } }", "viewer { name }"),
        (
            "{ ... { viewer { name } } ... on Query { viewer { ...v } } } fragment v on Viewer { name }",
            "viewer { name }",
        ),
        (
            "mutation { endMeeting { refusal { code } } endMeeting { refusal { field } } }",
            "endMeeting { refusal { code field } }",
        ),
        ("subscription { ...f } fragment f on Subscription { meetings { kind } }", "meetings { kind }"),
        (
            "{ __schema { types { name } types { name } } ... { __schema { types { kind } } } }",
            "__schema { types { name kind } }",
        ),
        ("{ __typename __typename t: __typename }", "__typename t: __typename"),
    ] {
        assert_eq!(written(query), expected, "{query}");
    }
}

#[test]
fn executes_the_fields_of_an_interface_once_for_each_object() {
    for (query, expected) in [
        ("{ node(id: 1) { id id ... on Node { id } } }", "node(id: 1) { id }"),
        ("{ node(id: 1) { id ... on Meeting { phase phase } } }", "node(id: 1) { id ... on Meeting { phase } }"),
        (
            "{ node(id: 1) { ... on Meeting { phase ... on Node { id } } ...f } } fragment f on Meeting { id phase }",
            "node(id: 1) { ... on Meeting { phase id } }",
        ),
        ("{ node(id: 1) { ... on Meeting { ... on Comment { body } } } }", "node(id: 1)"),
    ] {
        assert_eq!(written(query), expected, "{query}");
    }
    let both = written("{ node(id: 1) { id ... on Meeting { id phase } } }");
    assert_eq!(both.matches("id ").count(), 11, "once for each kind of node: {both}");
}

#[test]
fn selects_the_fields_of_an_interface_from_each_type_of_a_union() {
    let query = written("{ issue(id: 1) { raisedBy { __typename ... on Node { id } } } }");
    for source in ["Comment", "Registration", "PublicRequest"] {
        assert!(query.contains(&format!("... on {source} {{ id }}")), "{query}");
    }
    assert!(query.contains("raisedBy { __typename ..."), "a union itself has no fields: {query}");
}

#[test]
fn removes_skipped_fields_and_absent_variables() {
    for (query, expected) in [
        ("{ viewer @skip(if: $yes) { name } viewer { subject } }", "viewer { subject }"),
        ("{ viewer @skip(if: $no) @include(if: $no) { name } __typename @include(if: true) }", "__typename"),
        (
            "{ ... @include(if: $no) { viewer { name } } ...f @skip(if: $no) } fragment f on Query { viewer { subject } }",
            "viewer { subject }",
        ),
        (
            "{ meetings(first: $none, filter: { from: $none, phases: [LIVE] }) { totalCount } }",
            "meetings(filter: {phases: [LIVE]}) { totalCount }",
        ),
    ] {
        assert_eq!(written(query), expected, "{query}");
    }
}

#[test]
fn rejects_conflicting_fields() {
    for query in [
        "{ viewer { a: name } viewer { a: subject } }",
        "{ ... on Query { a: viewer { name } } a: node(id: 1) { id } }",
        "{ region(code: \"751110000\") { parent { children(first: 1) { totalCount } } parent { children(first: 2) { totalCount } } } }",
        "{ node(id: 1) { id ... on Meeting { id: phase } } }",
    ] {
        let errors = run(query, &Variables::default()).unwrap_err();
        assert_eq!(errors[0].locations.len(), 2, "{query}");
    }
    assert!(
        run("{ node(id: 1) { ... on Meeting { a: phase } ... on Comment { a: body } } }", &Variables::default())
            .is_ok()
    );
}

#[test]
fn rejects_a_result_above_the_limit() {
    let fields = |count: usize| (0..count).map(|n| format!("a{n}: id ")).collect::<String>();
    // Once for each kind of node.
    let query = |count: usize| format!("{{ node(id: 1) {{ {0} ... on Meeting {{ {0} }} }} }}", fields(count));
    assert!(run(&query(700), &Variables::default()).is_ok());
    assert!(run(&query(2_100), &Variables::default()).is_err());
}

/// What a field is executed as: its name with its arguments, and below it what each kind of object is asked for.
type FieldTree = BTreeMap<String, (String, BTreeMap<String, ExecutedFields>)>;
#[derive(Debug, PartialEq)]
struct ExecutedFields(FieldTree);

/// CollectFields and MergeSelectionSets, word by word.
fn oracle(
    document: &ExecutableDocument,
    sets: &[&SelectionSet],
    object: &str,
    variables: &Variables,
) -> ExecutedFields {
    let mut grouped = BTreeMap::new();
    for set in sets {
        let mut collecting = Collecting { variables, visited: BTreeSet::new(), grouped };
        collect_fields(document, set, object, &mut collecting);
        grouped = collecting.grouped;
    }
    let tree = grouped.into_iter().map(|(key, fields)| {
        let first = fields[0];
        let arguments: String = first.arguments.iter().map(|(name, value)| format!("({name}: {value})")).collect();
        let sets: Vec<_> = fields.iter().map(|field| &field.selection_set.node).collect();
        let field_type = objects_of(object, &first.name.node)
            .into_iter()
            .map(|object| (object.clone(), oracle(document, &sets, &object, variables)))
            .collect();
        (key, (format!("{}{arguments}", first.name), field_type))
    });
    ExecutedFields(tree.collect())
}

fn objects_of(parent: &str, field: &str) -> Vec<String> {
    let Some(known) = TYPES.field(parent, field) else { return Vec::new() };
    let name = base_type_name(&known.ty);
    match TYPES.possible_types(name) {
        Some(possible_types) => possible_types.iter().map(ToString::to_string).collect(),
        None if TYPES.input(name).is_some() => Vec::new(),
        None => vec![name.to_owned()],
    }
}

struct Collecting<'a> {
    variables: &'a Variables,
    visited: BTreeSet<String>,
    grouped: BTreeMap<String, Vec<&'a Field>>,
}

fn collect_fields<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, object: &str, to: &mut Collecting<'a>) {
    for selection in &set.items {
        let given = |name: &str| {
            let directive = selection.node.directives().iter().find(|one| one.node.name.node == name)?;
            match &directive.node.get_argument("if").unwrap().node {
                Value::Variable(name) => Some(to.variables.get(name) == Some(&Constant::Boolean(true))),
                value => Some(*value == Value::Boolean(true)),
            }
        };
        if given("skip") == Some(true) || given("include") == Some(false) {
            continue;
        }
        let applies = |condition: &str| condition == object || condition == "Node" && object != "Query";
        match &selection.node {
            Selection::Field(field) => {
                to.grouped.entry(field.node.response_key().node.to_string()).or_default().push(&field.node);
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if to.visited.insert(name.to_string()) {
                    let fragment = &document.fragments[name].node;
                    if applies(&fragment.type_condition.node.on.node) {
                        collect_fields(document, &fragment.selection_set.node, object, to);
                    }
                }
            }
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref();
                if condition.is_none_or(|condition| applies(&condition.node.on.node)) {
                    collect_fields(document, &inline.node.selection_set.node, object, to);
                }
            }
        }
    }
}

/// What the library runs: everything that is written for an object.
fn executed(set: &SelectionSet, object: &str) -> ExecutedFields {
    let mut tree = FieldTree::new();
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) if field.node.response_key().node == PLACEHOLDER => {}
            Selection::Field(field) => {
                let field = &field.node;
                assert!(field.directives.is_empty());
                let arguments: String =
                    field.arguments.iter().map(|(name, value)| format!("({name}: {value})")).collect();
                let field_type = objects_of(object, &field.name.node)
                    .into_iter()
                    .map(|object| (object.clone(), executed(&field.selection_set.node, &object)))
                    .collect();
                let key = field.response_key().node.to_string();
                let twice = tree.insert(key.clone(), (format!("{}{arguments}", field.name), field_type));
                assert!(twice.is_none(), "{key} of {object} runs twice");
            }
            Selection::InlineFragment(inline) => {
                if inline.node.type_condition.as_ref().unwrap().node.on.node == object {
                    for (key, field) in executed(&inline.node.selection_set.node, object).0 {
                        assert!(tree.insert(key.clone(), field).is_none(), "{key} of {object} runs twice");
                    }
                }
            }
            Selection::FragmentSpread(_) => panic!("a fragment is left"),
        }
    }
    ExecutedFields(tree)
}

const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "Query",
        &[
            ("viewer", "Viewer"),
            ("node(id: 1)", "Node"),
            ("n: node(id: 2)", "Node"),
            ("region(code: \"751110000\")", "Region"),
        ],
    ),
    ("Viewer", &[("subject", ""), ("s: subject", ""), ("name", "")]),
    ("Node", &[("id", ""), ("i: id", ""), ("__typename", "")]),
    ("Meeting", &[("id", ""), ("phase", ""), ("host", "Region"), ("title", "LocalizedText")]),
    ("Comment", &[("id", ""), ("body", ""), ("meeting", "Meeting")]),
    ("Region", &[("id", ""), ("name", ""), ("parent", "Region")]),
    ("LocalizedText", &[("kk", ""), ("ru", ""), ("__typename", "")]),
];
const FRAGMENTS: &[&str] = &["Query", "Node", "Meeting", "Comment", "Region", "Node", "Meeting"];
const CONDITIONS: &[&str] = &[
    "",
    "",
    "",
    "",
    " @skip(if: $yes)",
    " @skip(if: $no)",
    " @include(if: $yes)",
    " @include(if: $no)",
    " @include(if: true)",
];

/// Chooses by bytes.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn of<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[usize::from(self.0.next().copied().unwrap_or(0)) % all.len()]
    }

    fn set(&mut self, parent: &str, depth: usize, fragments: std::ops::Range<usize>) -> String {
        let fields = FIELDS.iter().find(|(name, _)| *name == parent).unwrap().1;
        let mut text = format!("{{ {}", if parent == "Query" { "__typename " } else { "" });
        for _ in 0..*self.of(&[1, 2, 3, 4]) {
            let condition = *self.of(CONDITIONS);
            match self.of(&[0, 0, 0, 1, 2, 3]) {
                1 if depth < 5 => {
                    text.push_str(&format!("...{condition} {} ", self.set(parent, depth + 1, fragments.clone())));
                }
                2 if depth < 5 => {
                    let on =
                        if parent == "Node" { *self.of(&["Node", "Meeting", "Comment", "Region"]) } else { parent };
                    text.push_str(&format!("... on {on}{condition} {} ", self.set(on, depth + 1, fragments.clone())));
                }
                3 => {
                    let fits = |at: &usize| FRAGMENTS[*at] == parent || parent == "Node" && *at > 0;
                    if let Some(at) = fragments.clone().find(fits) {
                        text.push_str(&format!("...f{at}{condition} "));
                    }
                }
                _ => {
                    let (field, field_type) = *self.of(fields);
                    if field_type.is_empty() {
                        text.push_str(&format!("{field}{condition} "));
                    } else if depth < 6 {
                        text.push_str(&format!(
                            "{field}{condition} {} ",
                            self.set(field_type, depth + 1, fragments.clone())
                        ));
                    }
                }
            }
        }
        text + "__typename }"
    }

    fn document(&mut self) -> String {
        let mut text = self.set("Query", 0, 0..FRAGMENTS.len());
        for (at, on) in FRAGMENTS.iter().enumerate() {
            text.push_str(&format!(" fragment f{at} on {on} {}", self.set(on, 2, at + 1..FRAGMENTS.len())));
        }
        text
    }
}

proptest! {
    #[test]
    fn executes_what_the_specification_says_and_nothing_twice(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let query = Choices(bytes.iter()).document();
        let variables = Variables::from_value(value!({ "yes": true, "no": false }));
        let document = parse_query(&query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let Ok(result) = run(&query, &variables) else {
            // Only for its size: nothing in it conflicts.
            assert!(query.len() > 1_000, "{query}");
            return Ok(());
        };
        let (_, merged) = result.operations.iter().next().unwrap();
        let expected = oracle(&document, &[&operation.node.selection_set.node], "Query", &variables);
        assert_eq!(executed(&merged.node.selection_set.node, "Query"), expected, "{query}");
    }
}
