//! Who sees and changes what of an issue.

use chrono::TimeDelta;
use harness::{Actor, HOST, Receiver, TestEnv, error_code, id_of, on_both_engines, until};
use serde_json::{Value, json};

const CENTRAL: &str = "min-health";
const SECRET: &str = "Толық сипаттама: Сейтова Айша, 12-үй.";

/// What receivers of webhooks are shown of an issue.
const SHOWN_TO_RECEIVERS: [&str; 21] = [
    "category",
    "createdAt",
    "deadline",
    "description",
    "funding",
    "id",
    "language",
    "level",
    "meetingId",
    "mergedInto",
    "number",
    "overdue",
    "plan",
    "progress",
    "region",
    "resolution",
    "responsible",
    "state",
    "title",
    "updatedAt",
    "version",
];

async fn found(person: &Actor, words: &str) -> i64 {
    let query = "query($words: String!) { issues(filter: { search: $words }) { totalCount } }";
    person.query(query, json!({ "words": words })).await["issues"]["totalCount"].as_i64().expect("a count")
}

/// Raises an issue from a public and a pending question, and assigns it.
async fn raised(env: &TestEnv) -> (String, [String; 2]) {
    let staff = env.akimat(HOST);
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
    let public = id_of(&env.citizen("Ana").post(&meeting, "Су қашан болады?").await);
    env.moderator(HOST).moderate("APPROVE", &[&public]).await;
    let pending = id_of(&env.citizen("Ben").post(&meeting, "Әкім қашан кетеді?").await);
    let issue = id_of(&staff.raise("Су құбыры", &[&public, &pending]).await);
    staff.assign(&issue, CENTRAL, "2026-12-31").await;
    (issue, [public, pending])
}

fn sources(issue: &Value) -> Vec<String> {
    issue["raisedBy"].as_array().expect("sources").iter().map(id_of).collect()
}

on_both_engines! {
    async fn outsiders_see_no_description_and_no_hidden_source(env) {
        let (issue, [public, pending]) = raised(&env).await;
        let insiders = [
            env.akimat(HOST), env.moderator(HOST), env.agency(CENTRAL), env.person("V", &["GOVERNMENT"], None),
            env.person("P", &["ADMINISTRATION"], None),
        ];
        for insider in &insiders {
            assert_eq!(insider.see_issue(&issue).await["description"], SECRET);
            assert_eq!(found(insider, "Сейтова").await, 1, "the words of staff");
        }
        assert_eq!(sources(&insiders[0].see_issue(&issue).await), [public.clone(), pending.clone()]);
        let outsiders = [env.anonymous(), env.citizen("Eva"), env.akimat("711110000"), env.agency("min-energy")];
        for outsider in &outsiders {
            let seen = outsider.see_issue(&issue).await;
            assert_eq!((&seen["description"], sources(&seen)), (&json!(""), vec![public.clone()]));
            assert_eq!((found(outsider, "Сейтова").await, found(outsider, "құбыры").await), (0, 1));
            assert_eq!((&seen["viewerCanEdit"], &seen["viewerCanReport"]), (&json!(false), &json!(false)));
        }
        insiders[0].mutate("releaseDescription", json!({ "issueId": issue, "text": "Құбыр тозған." })).await;
        for outsider in &outsiders {
            assert_eq!(outsider.see_issue(&issue).await["description"], "Құбыр тозған.");
            assert_eq!((found(outsider, "тозған").await, found(outsider, "Сейтова").await), (1, 0));
        }
        let history = "query($id: ID!) { issue(id: $id) { history(first: 100) { nodes { field before after } } } }";
        let shown = env.anonymous().query(history, json!({ "id": issue })).await.to_string();
        assert!(!shown.contains("Сейтова") && !shown.contains("sha256:"), "{shown}");
    }

    async fn a_message_to_a_webhook_never_tells_who_raised_the_issue(env) {
        let (akimat, body) = (Receiver::start().await, Receiver::start().await);
        env.akimat(HOST).register_webhook(&akimat.url()).await;
        env.agency(CENTRAL).mutate("registerWebhook", json!({ "url": body.url() })).await;
        let (_, sources) = raised(&env).await;
        for (receiver, count) in [(&akimat, 2), (&body, 1)] {
            let received = || std::future::ready(receiver.received());
            let received = until(received, || env.advance(TimeDelta::seconds(1)), |some| some.len() >= count).await;
            for message in received {
                for secret in ["Ana", "Ben", sources[0].as_str(), sources[1].as_str(), "қашан"] {
                    assert!(!message.body.contains(secret), "{}", message.body);
                }
                let issue = message.json()["data"]["issue"].clone();
                let mut fields: Vec<_> = issue.as_object().unwrap().keys().map(String::as_str).collect();
                fields.sort_unstable();
                assert_eq!(fields, SHOWN_TO_RECEIVERS);
            }
        }
    }

    async fn bodies_change_their_own_issues_only(env) {
        let (issue, _) = raised(&env).await;
        let report = json!({ "issueId": issue, "quarter": "2026-Q1", "text": "Басталды", "percent": 5 });
        for stranger in [env.agency("min-energy"), env.citizen("Eva"), env.akimat("711110000"), env.moderator(HOST)] {
            for (mutation, input) in [
                ("reportProgress", report.clone()), ("resolveIssue", json!({ "issueId": issue, "resolution": "а" })),
                ("assignIssue", json!({ "issueId": issue, "agency": "min-energy", "deadline": "2026-12-31" })),
                ("releaseDescription", json!({ "issueId": issue, "text": "а" })),
                ("mergeIssues", json!({ "into": issue, "issueIds": [issue] })),
            ] {
                assert_eq!(error_code(&stranger.try_mutate(mutation, input).await), "FORBIDDEN", "{mutation}");
            }
        }
        let agency = env.agency(CENTRAL);
        assert_eq!(agency.mutate("reportProgress", report.clone()).await["issue"]["state"], "IN_PROGRESS");
        let assign = json!({ "issueId": issue, "agency": CENTRAL, "deadline": "2027-12-31" });
        assert_eq!(error_code(&agency.try_mutate("assignIssue", assign).await), "FORBIDDEN", "a body does not move its deadline");
        env.akimat(HOST).assign(&issue, "min-energy", "2026-12-31").await;
        assert_eq!(error_code(&agency.try_mutate("reportProgress", report).await), "FORBIDDEN", "it is another's now");
    }

    async fn staff_raise_from_their_own_meetings_only(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = id_of(&env.citizen("Ana").post(&meeting, "Жол?").await);
        let mut input = Actor::issue_input("Жол", &[&comment]);
        input["region"] = json!("711110000");
        let neighbour = env.akimat("711110000").mutate("raiseIssue", input).await;
        assert_eq!(harness::refusal(&neighbour), "NOT_FOUND", "another's question");
        let mut foreign_meeting = Actor::issue_input("Жол", &[]);
        foreign_meeting["region"] = json!("711110000");
        foreign_meeting["meetingId"] = json!(meeting);
        let foreign_meeting = env.akimat("711110000").mutate("raiseIssue", foreign_meeting).await;
        assert_eq!(harness::refusal(&foreign_meeting), "NOT_FOUND", "another's meeting");
        let planned = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(9), "AFTER").await);
        let submit = json!({ "region": "711110000", "meetingId": planned, "text": "Жол" });
        assert_eq!(harness::refusal(&env.citizen("Eva").mutate("submitRequest", submit).await), "NOT_FOUND", "elsewhere");
        let elsewhere = staff.try_mutate("raiseIssue", { let mut input = Actor::issue_input("Жол", &[]); input["region"] = json!("711110000"); input }).await;
        assert_eq!(error_code(&elsewhere), "FORBIDDEN", "another's unit");
        for (field, value) in [("category", json!("nothing")), ("title", json!(" ")), ("description", json!("\u{200b}"))] {
            let mut input = Actor::issue_input("Жол", &[]);
            input[field] = value;
            let refused = staff.mutate("raiseIssue", input).await;
            assert_eq!((harness::refusal(&refused), &refused["refusal"]["field"]), ("INVALID".to_owned(), &json!(field)));
        }
        let foreign = Actor::issue_input("Жол", &[&meeting]);
        assert_eq!(error_code(&staff.try_mutate("raiseIssue", foreign).await), "BAD_USER_INPUT", "no issue is raised from a meeting");
    }
}
