//! Composition of the subgraphs by both composition libraries.

use harness::{checkout, node, supergraph, try_node};

const COMPOSE: &str = "federation/compose.mjs";

/// Returns the SDL of a type.
fn type_of<'a>(schema: &'a str, name: &str) -> &'a str {
    let begin = format!("\ntype {name}");
    let mut begins = schema.match_indices(&begin).map(|(at, _)| &schema[at + 1..]);
    let found = begins.find(|rest| !rest[begin.len() - 1..].starts_with(char::is_alphanumeric));
    let found = found.unwrap_or_else(|| panic!("there is no type {name}"));
    &found[..found.find("\n}").expect("the end of the type")]
}

fn has_field(schema: &str, name: &str, field: &str) -> bool {
    let fields = type_of(schema, name).lines().map(str::trim_start);
    fields.filter_map(|line| line.strip_prefix(field)).any(|rest| rest.starts_with([':', '(']))
}

#[tokio::test]
async fn both_libraries_compose_the_checked_in_supergraph() {
    let composed = node(COMPOSE, &[]).await;
    let kept = std::fs::read_to_string(supergraph()).expect("the supergraph is checked in");
    assert!(composed == kept, "api/supergraph/supergraph.graphql is outdated: run `make supergraph`");
    for (name, joins) in [
        (
            "Region",
            &["(graph: KEZDESU, key: \"id\")", "(graph: KEZDESU, key: \"code\")", "(graph: AGENCY, key: \"code\")"][..],
        ),
        ("Meeting", &["(graph: KEZDESU, key: \"id\")"]),
        ("Comment", &["(graph: KEZDESU, key: \"id\")", "(graph: AGENCY, key: \"id\")"]),
        (
            "Issue",
            &["(graph: KEZDESU, key: \"id\")", "(graph: KEZDESU, key: \"number\")", "(graph: AGENCY, key: \"id\")"],
        ),
        ("Agency", &["(graph: KEZDESU, key: \"id\")", "(graph: KEZDESU, key: \"code\")"]),
        ("PublicRequest", &["(graph: KEZDESU, key: \"id\")"]),
        ("Case", &["(graph: AGENCY, key: \"id\")", "(graph: AGENCY, key: \"number\")"]),
    ] {
        for join in joins {
            assert!(type_of(&kept, name).contains(&format!("@join__type{join}")), "{name} is not joined by {join}");
        }
    }
    for (name, field) in [("Comment", "case"), ("Issue", "case"), ("Region", "cases"), ("Case", "issue")] {
        assert!(has_field(&kept, name, field), "{name}.{field} is composed");
    }
    assert!(has_field(&kept, "Subscription", "comments") && has_field(&kept, "Subscription", "issues"));
}

#[tokio::test]
async fn both_libraries_reject_incompatible_subgraphs() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.graphql");
    let ours = format!("kezdesu={}", checkout().join("api/schema.graphql").display());
    let links = "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.5\", import: [\"@key\"])";
    for (field, fits) in [("attended: Int", true), ("phase: Int", false)] {
        let meeting = format!("{links} type Meeting @key(fields: \"id\") {{ id: ID! {field} }}");
        std::fs::write(&other, meeting).unwrap();
        let other = format!("other={}", other.display());
        let (status, _, says) = try_node(COMPOSE, &["--url=other=http://other.example/graphql", &ours, &other]).await;
        assert_eq!(status.success(), fits, "{says}");
        for library in ["@apollo/composition", "@theguild/federation-composition"] {
            let refusal = format!("{library}: Type of field \"Meeting.phase\" is incompatible across subgraphs");
            assert_eq!(!says.contains(&refusal), fits, "{library}: {says}");
        }
    }
}

#[tokio::test]
async fn public_contract_excludes_internal_fields() {
    let internal = [
        ("Mutation", "importComments"),
        ("Mutation", "moderateComments"),
        ("Mutation", "setModeration"),
        ("Mutation", "startMeeting"),
        ("Mutation", "openCase"),
        ("Meeting", "viewerCanModerate"),
        ("ModerationSettings", "blockedWords"),
        ("Case", "internalNote"),
    ];
    let public = [
        ("Mutation", "postComment"),
        ("Mutation", "voteComment"),
        ("Query", "meeting"),
        ("Query", "case"),
        ("Meeting", "comments"),
        ("Comment", "case"),
        ("Issue", "case"),
        ("Case", "issue"),
        ("Subscription", "comments"),
        ("Subscription", "issues"),
        ("Subscription", "timeSplit"),
    ];
    let whole = node(COMPOSE, &["--public"]).await;
    let contract = node(COMPOSE, &["--public", "--exclude-tag", "internal"]).await;
    for (name, field) in public {
        assert!(has_field(&contract, name, field), "{name}.{field} is public");
    }
    for (name, field) in internal {
        assert!(has_field(&whole, name, field) && !has_field(&contract, name, field), "{name}.{field} is internal");
    }
    // Types reachable only through internal fields are excluded too.
    for name in
        ["ImportCommentsInput", "ImportCommentsPayload", "ModerateCommentsInput", "PlanMeetingInput", "OpenCaseInput"]
    {
        assert!(whole.contains(name) && !contract.contains(name), "{name} is internal");
    }
}
