//! What a gateway asks: references are resolved in one go, by the same permissions as everything else.

use harness::{Actor, Town, id_of, scenes};
use serde_json::{Value, json};

const HOST: &str = "751110000";
const ENTITIES: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename \
                        ... on Region { id code name } ... on Meeting { id phase } ... on Comment { id body } } }";

async fn resolve(actor: &Actor, of: Value) -> Value {
    actor.query(ENTITIES, json!({ "of": of })).await["_entities"].clone()
}

fn comment(id: &str) -> Value {
    json!({ "__typename": "Comment", "id": id })
}

async fn statements(town: &Town, actor: &Actor, of: Vec<Value>) -> u64 {
    let store = &town.service(0).app().store;
    let before = store.statements();
    let count = of.len();
    let found = resolve(actor, Value::Array(of)).await;
    assert_eq!(found.as_array().unwrap().iter().filter(|one| one.is_object()).count(), count, "{found}");
    store.statements() - before
}

scenes! {
    async fn references_are_resolved_by_each_of_their_keys(town) {
        let staff = town.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, town.now(), "AFTER").await;
        let posted = town.citizen("Ana").post(&meeting, "Жол?").await;
        let stranger = town.stranger();
        let region = stranger.query("query($c: KatoCode!) { region(code: $c) { id name } }", json!({ "c": HOST })).await;
        let of = json!([
            { "__typename": "Region", "code": HOST },
            { "__typename": "Region", "id": region["region"]["id"] },
            { "__typename": "Meeting", "id": meeting },
            comment(&id_of(&posted)),
        ]);
        let found = resolve(&stranger, of).await;
        assert_eq!(found[0]["name"], region["region"]["name"]);
        assert_eq!(found[0], found[1]);
        assert_eq!((&found[2]["phase"], &found[3]["body"]), (&json!("LIVE"), &json!("Жол?")));
    }

    async fn what_is_hidden_or_missing_is_null_in_its_place_and_harms_nothing_else(town) {
        let staff = town.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, town.now(), "BEFORE").await;
        let waiting = id_of(&town.citizen("Ana").post(&meeting, "Күтеді").await);
        let of = json!([
            comment(&waiting),
            comment("no such identity"),
            comment(&meeting),
            { "__typename": "Meeting", "id": waiting },
            { "__typename": "Meeting", "id": "" },
            { "__typename": "Region", "id": "x" },
            { "__typename": "Region", "code": "999999999" },
            { "__typename": "Meeting", "id": meeting },
        ]);
        let found = resolve(&town.stranger(), of.clone()).await;
        let nulls = found.as_array().unwrap().iter().filter(|one| one.is_null()).count();
        assert_eq!((nulls, &found[7]["id"]), (7, &json!(meeting)), "{found}");
        let found = resolve(&town.moderator(HOST), of).await;
        assert_eq!(found[0]["body"], "Күтеді", "whoever may see it anywhere sees it here");
    }

    async fn a_hundred_references_cost_one_statement_a_type(town) {
        let staff = town.akimat(HOST);
        let mut meetings = Vec::new();
        for _ in 0..3 {
            meetings.push(staff.live_meeting(HOST, HOST, town.now(), "AFTER").await);
        }
        let ana = town.citizen("Ana");
        let mut comments = Vec::new();
        for n in 0..30 {
            comments.push(comment(&id_of(&ana.post(&meetings[n % 3], &format!("№ {n}")).await)));
        }
        let stranger = town.stranger();
        let hundred = |of: &[Value]| of.iter().cycle().take(100).cloned().collect::<Vec<_>>();
        let meetings: Vec<_> = meetings.iter().map(|id| json!({ "__typename": "Meeting", "id": id })).collect();
        let regions = [json!({ "__typename": "Region", "code": HOST })];
        assert_eq!(statements(&town, &stranger, hundred(&regions)).await, 0, "regions need no database");
        assert_eq!(statements(&town, &stranger, hundred(&meetings)).await, 1);
        // Whether a comment is for the viewer depends on its meeting.
        let of_comments = statements(&town, &stranger, hundred(&comments)).await;
        assert!((1..=2).contains(&of_comments), "{of_comments}");
        let few = statements(&town, &stranger, comments[..2].to_vec()).await;
        assert_eq!(few, of_comments, "a hundred cost no more than two");
    }

    async fn no_more_references_are_taken_than_two_hundred(town) {
        let many = vec![json!({ "__typename": "Region", "code": HOST }); 201];
        let stranger = town.stranger();
        assert_eq!(stranger.error(ENTITIES, json!({ "of": many })).await, "COST_EXCEEDED");
        assert_eq!(resolve(&stranger, json!(many[..200])).await.as_array().unwrap().len(), 200);
        // Nor is a few of them asked for again and again, or for much of each.
        let aliases = (0..5).map(|n| format!("a{n}: _entities(representations: $of) {{ __typename }}"));
        let again = format!("query($of: [_Any!]!) {{ {} }}", aliases.collect::<Vec<_>>().join(" "));
        assert_eq!(stranger.error(&again, json!({ "of": many[..100] })).await, "COST_EXCEEDED");
        let much = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Region { children(first: 100) { nodes { code } } } } }";
        assert_eq!(stranger.error(much, json!({ "of": many[..100] })).await, "COST_EXCEEDED");
        assert_eq!(stranger.query(much, json!({ "of": many[..10] })).await["_entities"].as_array().unwrap().len(), 10);
        // Neither by a default value nor in the text.
        let text = format!("[{}]", vec!["{ __typename: \"Region\", code: \"751110000\" }"; 201].join(" "));
        for query in [
            format!("query($of: [_Any!]! = {text}) {{ _entities(representations: $of) {{ __typename }} }}"),
            format!("{{ _entities(representations: {text}) {{ __typename }} }}"),
        ] {
            assert_eq!(stranger.error(&query, json!({})).await, "COST_EXCEEDED");
        }
    }
}
