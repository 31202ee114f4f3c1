use std::sync::LazyLock;

use async_graphql::Response;
use futures_util::FutureExt as _;
use serde_json::{Value as Json, json};

use super::*;
use crate::graphql::{ApiSchema, fuzzing::describe, preparation::prepare, schema::builder};

static SCHEMA: LazyLock<ApiSchema> = LazyLock::new(|| builder().finish());

const MEETING: &str = "query($id: ID!, $first: Int, $after: String, $with: Boolean = true, $filter: CommentFilter) {
    meeting(id: $id) {
        id @include(if: $with)
        ... @skip(if: $with) { phase phase }
        comments(first: $first, after: $after, filter: $filter) { nodes { body } }
    }
}";
const ENTITIES: &str = "query($all: [_Any!]!) { _entities(representations: $all) { __typename } }";

fn request(document: &str, variables: &Json) -> Request {
    Request::new(document).variables(Variables::from_json(variables.clone()))
}

/// Prepares a request as the engine does. Returns what is executed, and whether the cache held it.
fn run(cache: &OperationCache, document: &str, variables: &Json) -> (Result<String, String>, bool) {
    let mut request = request(document, variables);
    let _ = cache.find(&mut request);
    let is_cached = prepared(&request).is_some();
    let prepared = prepare(&SCHEMA, cache, request).now_or_never().unwrap();
    let errors = |response: Response| format!("{:?}", response.errors);
    (prepared.map(|prepared| describe(&prepared)).map_err(errors), is_cached)
}

/// Prepares requests in turn with one cache, and checks that each is as if nothing was cached. Returns whether
/// the cache held them.
fn run_all(document: &str, variables: &[Json]) -> Vec<bool> {
    let cache = OperationCache::default();
    let each = variables.iter().map(|variables| {
        let (prepared, is_cached) = run(&cache, document, variables);
        assert_eq!(prepared, run(&OperationCache::default(), document, variables).0, "{variables}");
        is_cached
    });
    each.collect()
}

#[test]
fn holds_for_other_ids_and_positions() {
    let all = [
        json!({ "id": "mtg_1" }),
        json!({ "id": "mtg_2", "unknown": 1 }),
        json!({ "id": "mtg_1", "after": "x" }),
        json!({ "id": "mtg_1", "after": "y" }),
    ];
    assert_eq!(run_all(MEETING, &all), [false, true, false, true]);
}

#[test]
fn holds_only_for_values_that_leave_form_and_cost_unchanged() {
    let all = [
        json!({ "id": "a", "first": 1 }),
        json!({ "id": "a", "first": 100 }),
        json!({ "id": "a", "first": 1, "with": false }),
        json!({ "id": "b", "first": 1, "with": false }),
        json!({ "id": "a", "first": 1, "with": true }),
        json!({ "id": "a", "first": 1, "filter": { "search": "су" } }),
        json!({ "id": "a", "first": 1, "filter": { "search": "су жоқ" } }),
        json!({ "id": "a", "first": 1, "filter": { "search": "су жоқ" } }),
    ];
    assert_eq!(run_all(MEETING, &all), [false, false, false, true, true, false, false, true]);
}

#[test]
fn counts_the_cost_of_what_is_excluded() {
    let document = "query($with: Boolean!, $first: Int) { ...F @include(if: $with) }
                    fragment F on Query { meetings(first: $first) { nodes { id } } }";
    let all = [1, 2, 2].map(|first| json!({ "with": false, "first": first }));
    assert_eq!(run_all(document, &all), [false, false, true]);
}

#[test]
fn never_holds_for_invalid_variables() {
    let all = [
        json!({ "id": "a" }),
        json!({}),
        json!({ "id": null }),
        json!({ "id": ["a"] }),
        json!({ "id": "a", "after": 1 }),
        json!({ "id": "a", "with": "yes" }),
    ];
    assert_eq!(run_all(MEETING, &all), [false; 6]);
    let narrower = "query($id: ID) { meeting(id: $id) { id } }";
    assert_eq!(run_all(narrower, &[json!({ "id": "a" }), json!({ "id": "b" }), json!({ "id": null })]), [false; 3]);
    let position = "subscription($after: Int) { meetings(after: $after) { seq } }";
    let positions = [json!({ "after": 1 }), json!({ "after": 1_u64 << 40 }), json!({ "after": 0.5 })];
    assert_eq!(run_all(position, &positions), [false, true, false]);
}

#[test]
fn holds_for_any_input_of_a_mutation() {
    let post = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } } }";
    let input = |body: &str| json!({ "input": { "meetingId": "mtg_1", "body": body } });
    let invalid = json!({ "input": { "body": "?" } });
    assert_eq!(run_all(post, &[input("a"), input("b"), invalid]), [false, true, false]);
}

#[test]
fn multiplies_the_cost_of_references_by_their_number() {
    let all = |count: usize| json!({ "all": vec![json!({ "__typename": "Meeting", "id": "a" }); count] });
    assert_eq!(run_all(ENTITIES, &[all(1), all(2), all(2), all(201)]), [false, false, true, false]);
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let ids = |ids: &[&str]| json!({ "ids": ids });
    assert_eq!(
        run_all(nodes, &[ids(&["a"]), ids(&["b"]), ids(&["a", "b"]), json!({ "ids": "a" })]),
        [false, true, false, false]
    );
}

#[test]
fn tells_operations_of_a_document_apart() {
    let (cache, document) = (OperationCache::default(), "query A { viewer { displayName } } mutation B { __typename }");
    let named = |name: &str| request(document, &json!({})).operation_name(name);
    for (name, operation) in [("A", OperationType::Query), ("B", OperationType::Mutation)] {
        assert_eq!(cache.find(&mut named(name)), None);
        prepare(&SCHEMA, &cache, named(name)).now_or_never().unwrap().ok().unwrap();
        let mut again = named(name);
        assert_eq!(cache.find(&mut again), Some(operation));
        assert_eq!(template(&again).unwrap().name.as_deref(), Some(name));
    }
    assert_eq!(cache.find(&mut request(document, &json!({}))), None);
}

#[test]
fn evicts_the_least_recently_used_above_the_limit() {
    let cache = OperationCache::default();
    let document =
        |n: usize| format!("{{ {} }}", (0..50).map(|m| format!("a{n}x{m}: __typename ")).collect::<String>());
    let is_cached = |n: usize| cache.find(&mut Request::new(document(n))).is_some();
    run(&cache, &document(0), &json!({})).0.unwrap();
    for n in 1..700 {
        run(&cache, &document(n), &json!({})).0.unwrap();
        assert!(is_cached(0), "it is in use");
    }
    assert!(!is_cached(1) && is_cached(699));
    let cached = cache.0.lock();
    let sizes = cached.documents.iter().map(|(document, forms)| document_size((document.clone(), forms.clone())));
    assert_eq!(sizes.sum::<usize>(), cached.bytes);
    assert!(cached.bytes <= MAX_BYTES);
}

#[test]
fn keeps_few_forms_of_a_document_and_none_that_is_large() {
    let cache = OperationCache::default();
    let forms = || cache.0.lock().documents.peek(MEETING).map_or(0, Vec::len);
    for first in 1..20 {
        run(&cache, MEETING, &json!({ "id": "a", "first": first })).0.unwrap();
    }
    assert_eq!(forms(), MAX_FORMS);
    let is_cached = |variables: Json| run(&cache, MEETING, &variables).1;
    assert!(is_cached(json!({ "id": "a", "first": 19 })) && !is_cached(json!({ "id": "a", "first": 1 })));
    let large = json!({ "id": "a", "filter": { "search": "с".repeat(MAX_OPERATION_BYTES) } });
    assert!(!is_cached(large.clone()) && !is_cached(large));
}
