//! Issues from the question to the outcome: raising, assigning, planning, reporting, resolving.

use chrono::TimeDelta;
use harness::{Actor, HOST, Opening, TestEnv, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

const CENTRAL: &str = "min-health";
const HISTORY: &str = "query($id: ID!, $first: Int, $after: String) { issue(id: $id) { history(first: $first, after: $after) \
                       { totalCount nodes { seq by kind field before after hash } pageInfo { hasNextPage endCursor } } } }";
const NOTIFICATIONS: &str = "subscription { notifications(after: 0) { kind text subject { ... on Node { id } } } }";

/// Returns the fields of the history of an issue: kind, field, before, after.
async fn history(person: &Actor, issue: &str) -> Vec<Value> {
    let page = person.query(HISTORY, json!({ "id": issue, "first": 100 })).await["issue"]["history"].clone();
    let nodes = page["nodes"].as_array().expect("changes").clone();
    assert_eq!(page["totalCount"], nodes.len());
    assert!(nodes.is_sorted_by_key(|node| node["seq"].as_i64()), "in the order of the chain");
    nodes
}

fn plan(steps: &[(&str, &str, &str)]) -> Value {
    steps.iter().map(|(action, executor, due)| json!({ "action": action, "executor": executor, "due": due })).collect()
}

/// A live meeting with questions of two people.
struct Asked {
    staff: Actor,
    ana: Actor,
    ben: Actor,
    meeting: String,
    comments: Vec<String>,
}

async fn asked(env: &TestEnv) -> Asked {
    let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let comments =
        vec![id_of(&ana.post(&meeting, "Су қашан болады?").await), id_of(&ben.post(&meeting, "Су келмейді").await)];
    Asked { staff, ana, ben, meeting, comments }
}

on_both_engines! {
    async fn an_issue_is_raised_from_several_questions_once(env) {
        let Asked { staff, ana, meeting, comments, .. } = asked(&env).await;
        let sources = [comments[0].as_str(), comments[1].as_str()];
        let issue = staff.raise("Көшеде су жоқ", &sources).await;
        assert_eq!((&issue["number"], &issue["state"]), (&json!("ALM-2026-000001"), &json!("REGISTERED")));
        assert_eq!((&issue["meeting"]["id"], &issue["region"]["code"]), (&json!(meeting), &json!(HOST)));
        let raised: Vec<_> = issue["raisedBy"].as_array().unwrap().iter().map(id_of).collect();
        assert_eq!(raised, comments, "the meeting and the order are those of the sources");
        let again = staff.mutate("raiseIssue", Actor::issue_input("Тағы", &[&comments[1]])).await;
        assert_eq!((refusal(&again), &again["refusal"]["field"]), ("DUPLICATE".to_owned(), &json!("sources.0")));
        assert!(again["refusal"]["message"].as_str().unwrap().contains("ALM-2026-000001"), "{again}");
        let second = staff.raise("Жол", &[]).await;
        assert_eq!(second["number"], "ALM-2026-000002", "a refusal takes no number");
        let mut keyed = Actor::issue_input("Жарық", &[]);
        keyed["idempotencyKey"] = json!("k");
        let first = staff.mutate("raiseIssue", keyed.clone()).await["issue"].clone();
        assert_eq!(staff.mutate("raiseIssue", keyed).await["issue"], first, "a repeat returns the first");
        assert_eq!(first["number"], "ALM-2026-000003");
        let asked = ana.query("query($id: ID!) { node(id: $id) { ... on Comment { issue { number } } } }", json!({ "id": comments[0] }));
        assert_eq!(asked.await["node"]["issue"]["number"], "ALM-2026-000001", "the question leads to its issue");
        let by_number = "query($n: String!) { issueByNumber(number: $n) { id } }";
        for typed in ["ALM-2026-000001", "alm-2026-1", " ALM - 2026 - 000001"] {
            let found = env.anonymous().query(by_number, json!({ "n": typed })).await;
            assert_eq!(found["issueByNumber"]["id"], issue["id"], "{typed}");
        }
        assert_eq!(env.anonymous().query(by_number, json!({ "n": "жоқ" })).await["issueByNumber"], Value::Null);
    }

    async fn a_reception_visit_and_a_request_become_issues(env) {
        let staff = env.akimat(HOST);
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let reception = staff.reception(&env, Opening { starts_in: TimeDelta::zero(), ..Opening::default() }).await;
        let registration = id_of(&ana.register(&reception, json!({})).await);
        staff.mutate("callNext", json!({ "receptionId": reception, "desk": 1 })).await;
        let mut raise = Actor::issue_input("Жөндеу керек", &[]);
        raise["category"] = json!("housing");
        let close = json!({ "registrationId": registration, "outcome": "Мәселе тіркелді.", "raiseIssue": raise });
        let closed = staff.mutate("closeRegistration", close.clone()).await;
        assert_eq!(closed["registration"]["state"], "SERVED", "{closed}");
        staff.mutate("closeRegistration", close).await;
        let own = "query($id: ID!) { registration(id: $id) { issue { id number } } }";
        let issue = ana.query(own, json!({ "id": registration })).await["registration"]["issue"].clone();
        assert_eq!(issue["number"], "ALM-2026-000001", "raised once, though the visit was closed twice");
        let followed = ana.query("{ viewer { followedIssues { totalCount nodes { number } } } }", json!({})).await;
        assert_eq!(followed["viewer"]["followedIssues"]["nodes"], json!([{ "number": "ALM-2026-000001" }]));

        let planned = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(30), "AFTER").await);
        let submit = json!({ "region": HOST, "meetingId": planned, "text": "Мектеп қашан салынады?", "idempotencyKey": "r" });
        let request = ben.mutate("submitRequest", submit.clone()).await["request"].clone();
        assert_eq!(ben.mutate("submitRequest", submit).await["request"], request, "a repeat returns the first");
        let raised = staff.raise("Мектеп", &[&id_of(&request)]).await;
        assert_eq!(raised["meeting"]["id"], json!(planned));
        let own = ben.query("{ viewer { requests { nodes { number text issue { number } } } } }", json!({})).await;
        let expected = json!([{ "number": "R-ALM-2026-000001", "text": "Мектеп қашан салынады?", "issue": { "number": "ALM-2026-000002" } }]);
        assert_eq!(own["viewer"]["requests"]["nodes"], expected);
    }

    async fn staff_record_requests_of_other_channels_once(env) {
        let staff = env.akimat(HOST);
        let meeting = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(30), "AFTER").await);
        let request = |id: &str, text: &str| json!({
            "channel": "E_OTINISH", "text": text, "language": "KK", "count": 3, "receivedOn": "2026-03-01", "externalId": id,
        });
        let record = |requests: Value| json!({ "meetingId": meeting, "requests": requests });
        staff.mutate("recordRequests", record(json!([request("1", "Жол"), request("2", "Су"), request("1", "Жол")]))).await;
        staff.mutate("recordRequests", record(json!([request("2", "Су"), request("3", "Жарық")]))).await;
        let list = "query($id: ID!) { publicRequests(filter: { meetingId: $id }) { totalCount nodes { number text count channel } } }";
        let found = staff.query(list, json!({ "id": meeting })).await["publicRequests"].clone();
        let numbers: Vec<_> = found["nodes"].as_array().unwrap().iter().map(|node| node["number"].clone()).collect();
        assert_eq!(numbers, ["R-ALM-2026-000001", "R-ALM-2026-000002", "R-ALM-2026-000003"], "without gaps");
        let letter = json!([{ "channel": "LETTER", "text": "Хат", "language": "KK", "receivedOn": "2026-03-01" }]);
        for _ in 0..2 {
            let keyed = json!({ "meetingId": meeting, "requests": letter, "idempotencyKey": "l" });
            staff.mutate("recordRequests", keyed).await;
        }
        assert_eq!(staff.query(list, json!({ "id": meeting })).await["publicRequests"]["totalCount"], 4, "a repeat records nothing");
        let late = json!([request("4", "А"), { "channel": "LETTER", "text": "Б", "language": "KK", "receivedOn": "2026-03-03" }]);
        let refused = staff.mutate("recordRequests", record(late)).await;
        assert_eq!((refusal(&refused), &refused["refusal"]["field"]), ("INVALID".to_owned(), &json!("requests.1")), "tomorrow");
        assert_eq!(staff.query(list, json!({ "id": meeting })).await["publicRequests"]["totalCount"], 4, "all or none");
        for stranger in [env.anonymous(), env.citizen("Ana"), env.agency(CENTRAL)] {
            let code = stranger.error(list, json!({ "id": meeting })).await;
            assert!(["UNAUTHENTICATED", "FORBIDDEN"].contains(&code.as_str()), "{code}");
        }
        let neighbour = env.akimat("711110000").query(list, json!({ "id": meeting })).await;
        assert_eq!(neighbour["publicRequests"]["totalCount"], 0);
        assert_eq!(env.person("V", &["GOVERNMENT"], None).query(list, json!({ "id": meeting })).await["publicRequests"]["totalCount"], 4);
    }

    async fn an_issue_goes_from_its_assignment_to_its_outcome(env) {
        let Asked { staff, ana, comments, .. } = asked(&env).await;
        let issue = id_of(&staff.raise("Су құбыры", &[&comments[0]]).await);
        for (agency, deadline, field) in [
            ("no-such-body", "2026-12-31", "agency"), ("min-digital", "2026-12-31", "agency"), (CENTRAL, "2026-03-01", "deadline"),
            (CENTRAL, "2040-01-01", "deadline"),
        ] {
            let refused = staff.mutate("assignIssue", json!({ "issueId": issue, "agency": agency, "deadline": deadline })).await;
            assert_eq!((refusal(&refused), &refused["refusal"]["field"]), ("INVALID".to_owned(), &json!(field)), "{agency}");
        }
        let early = staff.mutate("planIssue", json!({ "issueId": issue, "steps": plan(&[("А", CENTRAL, "2026-06-01")]) })).await;
        assert_eq!(refusal(&early), "WRONG_STATE", "a plan needs a responsible body");
        let assigned = staff.assign(&issue, CENTRAL, "2026-12-31").await;
        assert_eq!((&assigned["state"], &assigned["level"], &assigned["responsible"]["code"]), (&json!("ASSIGNED"), &json!("CENTRAL"), &json!(CENTRAL)));
        let steps = plan(&[("Жоба", CENTRAL, "2026-06-01"), ("Құрылыс", "akimat-750000000", "2026-10-01")]);
        let planned = staff.mutate("planIssue", json!({ "issueId": issue, "steps": steps })).await["issue"].clone();
        assert_eq!(planned["state"], "IN_PROGRESS");
        let first = id_of(&planned["plan"][0]);
        let agency = env.agency(CENTRAL);
        let done = agency.mutate("completeStep", json!({ "issueId": issue, "stepId": first, "doneOn": "2026-03-02" })).await;
        assert!(done["issue"]["plan"][0]["doneAt"].is_string(), "{done}");
        let resolve = json!({ "issueId": issue, "resolution": "Салынды." });
        let refused = agency.mutate("resolveIssue", resolve.clone()).await;
        assert_eq!(refusal(&refused), "WRONG_STATE", "a step is open");
        // A new plan strikes the open step, and keeps the one that is done.
        let replaced = staff.mutate("planIssue", json!({ "issueId": issue, "steps": plan(&[("Басқа", CENTRAL, "2026-07-01")]) })).await;
        let actions: Vec<_> = replaced["issue"]["plan"].as_array().unwrap().iter().map(|step| step["action"].clone()).collect();
        assert_eq!(actions, ["Жоба", "Басқа"]);
        let last = id_of(&replaced["issue"]["plan"][1]);
        // Another body keeps the plan: confirming it brings the issue back into progress.
        staff.assign(&issue, "min-energy", "2026-12-31").await;
        staff.assign(&issue, CENTRAL, "2026-12-31").await;
        let same = json!({ "issueId": issue, "steps": plan(&[("Басқа", CENTRAL, "2026-07-01")]) });
        assert_eq!(staff.mutate("planIssue", same).await["issue"]["state"], "IN_PROGRESS");
        agency.mutate("completeStep", json!({ "issueId": issue, "stepId": last })).await;
        let session = json!({ "issueId": issue, "needed": "150000000000", "session": "2026-03-01", "decision": "FUNDED", "source": "Облыс бюджеті" });
        let funded = env.person("L", &["MASLIKHAT"], Some(HOST)).mutate("decideFunding", session).await["issue"]["funding"].clone();
        assert_eq!((&funded["needed"], &funded["decision"]), (&json!("150000000000"), &json!("FUNDED")));
        let resolved = agency.mutate("resolveIssue", resolve).await["issue"].clone();
        assert_eq!((&resolved["state"], &resolved["resolution"]), (&json!("RESOLVED"), &json!("Салынды.")));
        let kinds: Vec<_> = history(&ana, &issue).await.iter().map(|change| change["kind"].clone()).collect();
        for kind in ["RAISED", "ASSIGNED", "PLANNED", "CHANGED", "RESOLVED"] {
            assert!(kinds.contains(&json!(kind)), "{kind} in {kinds:?}");
        }
    }

    async fn a_report_a_quarter_says_when_less_is_done(env) {
        let staff = env.akimat(HOST);
        let issue = id_of(&staff.raise("Жол", &[]).await);
        staff.assign(&issue, CENTRAL, "2026-12-31").await;
        let report = |quarter: &str, percent: i32| json!({ "issueId": issue, "quarter": quarter, "text": format!("{percent} бөлігі"), "percent": percent });
        for (quarter, percent) in [("2026-Q2", 10), ("2025-Q4", 10), ("Q1", 10)] {
            assert_eq!(refusal(&staff.mutate("reportProgress", report(quarter, percent)).await), "INVALID", "{quarter}");
        }
        assert_eq!(refusal(&staff.mutate("reportProgress", report("2026-Q1", 101)).await), "INVALID");
        let agency = env.agency(CENTRAL);
        agency.mutate("reportProgress", report("2026-Q1", 40)).await;
        agency.mutate("reportProgress", report("2026-Q1", 60)).await;
        let mut keyed = report("2026-Q1", 60);
        keyed["idempotencyKey"] = json!("r");
        let first = agency.mutate("reportProgress", keyed.clone()).await["issue"]["version"].clone();
        assert_eq!(agency.mutate("reportProgress", keyed).await["issue"]["version"], first, "a repeat reports nothing");
        env.advance(TimeDelta::days(35));
        let fallen = agency.mutate("reportProgress", report("2026-Q2", 30)).await["issue"].clone();
        assert_eq!(fallen["state"], "IN_PROGRESS");
        let progress = fallen["progress"].as_array().unwrap();
        assert_eq!(progress.len(), 2, "a second report of a quarter replaces the first");
        assert_eq!((&progress[0]["percent"], &progress[0]["previousPercent"]), (&json!(60), &Value::Null));
        assert_eq!((&progress[1]["percent"], &progress[1]["previousPercent"]), (&json!(30), &json!(60)));
        assert_eq!(progress[1]["reportedBy"]["code"], CENTRAL);
        agency.mutate("reportProgress", report("2026-Q1", 70)).await;
        let progress = staff.see_issue(&issue).await["progress"].clone();
        assert_eq!(progress[1]["previousPercent"], 70, "as the earlier quarter says now");
        let reports: Vec<_> = history(&staff, &issue).await.into_iter().filter(|change| change["field"] == "progress.2026-Q1").collect();
        assert_eq!((&reports[1]["before"], &reports[1]["after"]), (&json!("40 %: 40 бөлігі"), &json!("60 %: 60 бөлігі")), "both stay");
    }

    async fn those_who_raised_it_hear_of_it_and_confirm_the_outcome(env) {
        let Asked { staff, ana, ben, comments, .. } = asked(&env).await;
        let merged = id_of(&env.citizen("Dana").post(&asked_meeting(&staff, &comments[0]).await, "Су бар ма?").await);
        env.moderator(HOST).mutate("mergeComments", json!({ "into": comments[0], "commentIds": [merged] })).await;
        let issue = staff.resolved_issue("Су", &[&comments[0], &comments[1]], CENTRAL).await;
        let mut live = ben.follow(NOTIFICATIONS, json!({})).await;
        for kind in ["SUBSCRIBED", "ISSUE_RAISED", "ISSUE_ASSIGNED", "ISSUE_RESOLVED"] {
            let event = live.next_event_in(&env).await;
            assert_eq!(event["kind"], kind);
            assert!(kind == "SUBSCRIBED" || event["subject"]["id"] == json!(issue), "{event}");
        }
        let answer = |satisfied: bool| json!({ "issueId": issue, "satisfied": satisfied });
        let stranger = env.citizen("Eva").try_mutate("confirmResolution", answer(false)).await;
        assert_eq!(harness::error_code(&stranger), "FORBIDDEN", "only those from whose words it was raised");
        let first = ana.mutate("confirmResolution", answer(true)).await["issue"]["confirmations"].clone();
        assert_eq!(first, json!({ "satisfied": 1, "unsatisfied": 0 }));
        let listed = "{ issues(filter: { unsatisfied: true }) { nodes { id } } }";
        assert_eq!(staff.query(listed, json!({})).await["issues"]["nodes"], json!([]));
        let second = ben.mutate("confirmResolution", answer(false)).await["issue"].clone();
        assert_eq!((&second["confirmations"], &second["state"]), (&json!({ "satisfied": 1, "unsatisfied": 1 }), &json!("RESOLVED")));
        assert_eq!(staff.query(listed, json!({})).await["issues"]["nodes"], json!([{ "id": issue }]), "one of three");
        let changed = ana.mutate("confirmResolution", answer(false)).await["issue"]["confirmations"].clone();
        assert_eq!(changed, json!({ "satisfied": 0, "unsatisfied": 2 }), "an answer may change");
        let reopened = staff.mutate("reopenIssue", json!({ "issueId": issue, "reason": "Тұрғындар көңілі толмады" })).await["issue"].clone();
        assert_eq!((&reopened["state"], &reopened["confirmations"]), (&json!("ASSIGNED"), &json!({ "satisfied": 0, "unsatisfied": 0 })));
        assert_eq!(staff.query(listed, json!({})).await["issues"]["nodes"], json!([]));
        assert_eq!(refusal(&ana.mutate("confirmResolution", answer(true)).await), "WRONG_STATE");
    }

    async fn merged_issues_keep_their_numbers(env) {
        let Asked { staff, ana, ben, comments, .. } = asked(&env).await;
        let one = staff.raise("Су жоқ", &[&comments[0]]).await;
        let other = staff.raise("Су келмейді", &[&comments[1]]).await;
        let (into, merged) = (id_of(&one), id_of(&other));
        let itself = staff.mutate("mergeIssues", json!({ "into": into, "issueIds": [into] })).await;
        assert_eq!(refusal(&itself), "INVALID");
        let done = staff.mutate("mergeIssues", json!({ "into": into, "issueIds": [merged] })).await["issue"].clone();
        assert_eq!(done["raisedBy"].as_array().map(Vec::len), Some(2), "sources move: {done}");
        let old = "query($n: String!) { issueByNumber(number: $n) { number mergedInto { number } } }";
        let old = env.anonymous().query(old, json!({ "n": other["number"] })).await["issueByNumber"].clone();
        assert_eq!((&old["number"], &old["mergedInto"]["number"]), (&other["number"], &one["number"]));
        assert!(ben.see_issue(&into).await["viewerFollows"] == true && ana.see_issue(&into).await["viewerFollows"] == true);
        let followed = ben.query("{ viewer { followedIssues { nodes { id } } } }", json!({})).await;
        assert_eq!(followed["viewer"]["followedIssues"]["nodes"], json!([{ "id": into }]), "followers move");
        let late = staff.mutate("assignIssue", json!({ "issueId": merged, "agency": CENTRAL, "deadline": "2026-12-31" })).await;
        assert_eq!(refusal(&late), "WRONG_STATE", "a merged issue does not change");
        let again = staff.mutate("raiseIssue", Actor::issue_input("Тағы", &[&comments[1]])).await;
        assert!(again["refusal"]["message"].as_str().unwrap().contains(one["number"].as_str().unwrap()), "{again}");
    }

    async fn deadlines_pass_at_the_end_of_their_day(env) {
        let staff = env.akimat(HOST);
        let issue = id_of(&staff.raise("Жол", &[]).await);
        staff.assign(&issue, CENTRAL, "2026-03-02").await;
        let overdue = "{ issues(filter: { overdue: true }) { totalCount } }";
        assert_eq!(staff.see_issue(&issue).await["overdue"], false, "until 24:00 in Almaty");
        // 09:00 in Almaty is the start of the clock.
        env.advance(TimeDelta::hours(15) - TimeDelta::seconds(1));
        assert_eq!((&staff.see_issue(&issue).await["overdue"], &staff.query(overdue, json!({})).await["issues"]["totalCount"]), (&json!(false), &json!(0)));
        env.advance(TimeDelta::seconds(1));
        assert_eq!((&staff.see_issue(&issue).await["overdue"], &staff.query(overdue, json!({})).await["issues"]["totalCount"]), (&json!(true), &json!(1)));
    }

    async fn stale_versions_and_wrong_states_are_refused(env) {
        let staff = env.akimat(HOST);
        let issue = id_of(&staff.raise("Жол", &[]).await);
        let stale = json!({ "issueId": issue, "agency": CENTRAL, "deadline": "2026-12-31", "version": 7 });
        let refused = staff.mutate("assignIssue", stale).await;
        assert_eq!((refusal(&refused), &refused["refusal"]["currentVersion"]), ("STALE".to_owned(), &json!(1)));
        assert_eq!(refusal(&staff.mutate("declineIssue", json!({ "issueId": issue, "reason": " " })).await), "INVALID");
        let declined = staff.mutate("declineIssue", json!({ "issueId": issue, "reason": "Жекеменшік жер" })).await["issue"].clone();
        assert_eq!((&declined["state"], &declined["resolution"]), (&json!("DECLINED"), &json!("Жекеменшік жер")));
        for (mutation, more) in [
            ("declineIssue", json!({ "reason": "тағы" })), ("resolveIssue", json!({ "resolution": "бітті" })),
            ("assignIssue", json!({ "agency": CENTRAL, "deadline": "2026-12-31" })),
            ("reportProgress", json!({ "quarter": "2026-Q1", "text": "а", "percent": 1 })),
        ] {
            let mut input = more;
            input["issueId"] = json!(issue);
            assert_eq!(refusal(&staff.mutate(mutation, input).await), "WRONG_STATE", "{mutation}");
        }
        let reopened = staff.mutate("reopenIssue", json!({ "issueId": issue, "reason": "Қате" })).await["issue"].clone();
        assert_eq!(reopened["state"], "REGISTERED", "nobody was responsible");
    }

    async fn lists_are_ordered_and_paged(env) {
        let staff = env.akimat(HOST);
        let mut ids = Vec::new();
        for (title, deadline) in [("Бірінші", "2026-09-01"), ("Екінші", "2026-06-01"), ("Үшінші", "2026-12-01")] {
            env.advance(TimeDelta::minutes(1));
            let issue = id_of(&staff.raise(title, &[]).await);
            staff.assign(&issue, CENTRAL, deadline).await;
            ids.push(issue);
        }
        env.advance(TimeDelta::minutes(1));
        staff.mutate("releaseDescription", json!({ "issueId": ids[0], "text": "Көпшілікке" })).await;
        let list = "query($order: IssueOrder, $after: String) { issues(filter: { orderBy: $order }, first: 1, after: $after) \
                    { totalCount nodes { id } pageInfo { hasNextPage endCursor } } }";
        for (order, expected) in [("NEWEST", [2, 1, 0]), ("MOST_URGENT", [1, 0, 2]), ("LAST_CHANGED", [0, 2, 1])] {
            let (mut found, mut after) = (Vec::new(), Value::Null);
            loop {
                let page = env.anonymous().query(list, json!({ "order": order, "after": after })).await["issues"].clone();
                assert_eq!(page["totalCount"], 3);
                found.extend(page["nodes"].as_array().unwrap().iter().map(id_of));
                after = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == false { break; }
            }
            assert_eq!(found, expected.map(|place: usize| ids[place].clone()), "{order}");
        }
        let other = env.anonymous().query(list, json!({ "order": "NEWEST" })).await["issues"]["pageInfo"]["endCursor"].clone();
        assert_eq!(env.anonymous().error(list, json!({ "order": "MOST_URGENT", "after": other })).await, "BAD_USER_INPUT");
        let by_body = "query($code: String!) { agency(code: $code) { issues { totalCount } } }";
        assert_eq!(staff.query(by_body, json!({ "code": CENTRAL })).await["agency"]["issues"]["totalCount"], 3);
        let in_unit = "query($code: KatoCode!) { region(code: $code) { issues(filter: { states: [ASSIGNED] }) { totalCount } } }";
        assert_eq!(staff.query(in_unit, json!({ "code": "750000000" })).await["region"]["issues"]["totalCount"], 3);
        assert_eq!(staff.query(in_unit, json!({ "code": "710000000" })).await["region"]["issues"]["totalCount"], 0);
    }

    async fn the_history_is_part_of_the_audit_chain(env) {
        let staff = env.akimat(HOST);
        let issue = id_of(&staff.raise("Жол", &[]).await);
        staff.assign(&issue, CENTRAL, "2026-12-31").await;
        let changes = history(&env.anonymous(), &issue).await;
        let assigned: Vec<_> = changes.iter().filter(|change| change["kind"] == "ASSIGNED").collect();
        let fields: Vec<_> = assigned.iter().map(|change| (change["field"].clone(), change["after"].clone())).collect();
        assert!(fields.contains(&(json!("responsible"), json!(CENTRAL))), "{fields:?}");
        assert!(fields.contains(&(json!("deadline"), json!("2026-12-31"))), "{fields:?}");
        let by = assigned[0]["by"].as_str().unwrap();
        assert!(by.contains("akimat") && !by.contains("Staff"), "a body and a role, never a name: {by}");
        let log = "query($id: ID!) { auditLog(filter: { subject: $id }) { nodes { hash actor } } }";
        let log = staff.query(log, json!({ "id": issue })).await["auditLog"]["nodes"].clone();
        let hashes = |nodes: &Value| nodes.as_array().unwrap().iter().map(|node| node["hash"].clone()).collect::<Vec<_>>();
        let mut newest_first = hashes(&log);
        newest_first.reverse();
        assert_eq!(newest_first, hashes(&json!(changes)), "the same entries");
        let store = &env.service(0).app().store;
        assert!(kezdesu::app::audit::verify(store).await.unwrap().is_ok());
    }
}

/// Returns the meeting of a comment.
async fn asked_meeting(person: &Actor, comment: &str) -> String {
    let query = "query($id: ID!) { node(id: $id) { ... on Comment { meeting { id } } } }";
    id_of(&person.query(query, json!({ "id": comment })).await["node"]["meeting"])
}
