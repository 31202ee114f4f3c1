//! Publications: what is missing, editions, and who publishes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use harness::{Actor, HOST, Opening, TestEnv, error_code, id_of, missing, on_both_engines, refusal, web};
use serde_json::{Value, json};

const CENTRAL: &str = "min-health";
const LOCAL: &str = "akimat-751110000";
const NEIGHBOUR: &str = "711110000";

fn results(meeting: &str) -> Value {
    json!({ "kind": "MEETING_RESULTS", "meetingId": meeting })
}

fn progress(region: &str) -> Value {
    json!({ "kind": "PROGRESS", "region": region, "period": { "year": 2026, "quarter": 1 } })
}

fn agency_list(agency: &str) -> Value {
    json!({ "kind": "AGENCY_LIST", "agency": agency, "period": { "year": 2026, "quarter": 1 } })
}

fn central_list() -> Value {
    json!({ "kind": "CENTRAL_LIST", "period": { "year": 2026, "half": 1 } })
}

fn parts(missing: &[(String, String)]) -> Vec<&str> {
    missing.iter().map(|(what, _)| what.as_str()).collect()
}

/// Checks that publishing is refused for exactly these parts of an issue, and that the draft says the same.
async fn assert_missing(person: &Actor, input: &Value, norm: &str, expected: &[&str]) {
    assert_eq!(parts(&person.missing_in_draft(input).await), expected);
    let payload = person.mutate("publish", input.clone()).await;
    assert_eq!((refusal(&payload).as_str(), &payload["refusal"]["norm"]), ("DECREE", &json!(norm)));
    assert_eq!(parts(&missing(&payload["refusal"]["missing"])), expected);
}

async fn report(person: &Actor, issue: &str, quarter: &str) {
    let input = json!({ "issueId": issue, "quarter": quarter, "text": "Құбырлар сатып алынды.", "percent": 40 });
    let payload = person.mutate("reportProgress", input).await;
    assert!(payload["refusal"].is_null(), "{payload}");
}

on_both_engines! {
    async fn results_need_body_deadline_plan_money_and_the_end_of_receptions(env) {
        let staff = env.akimat(HOST);
        let live = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        assert_eq!(refusal(&staff.mutate("publish", results(&live)).await), "WRONG_STATE", "it has no results yet");
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        let open = Opening::default().input(&meeting, env.now());
        let reception = id_of(&staff.mutate("openReception", open).await["reception"]);
        let input = results(&meeting);
        assert_missing(&staff, &input, "3.5", &["RECEPTION", "RESPONSIBLE", "DEADLINE", "PLAN", "FUNDING"]).await;
        staff.assign(&issue, LOCAL, "2026-12-31").await;
        assert_missing(&staff, &input, "3.5", &["RECEPTION", "PLAN", "FUNDING"]).await;
        staff.plan_issue(&issue, LOCAL).await;
        staff.fund_issue(&issue, "PENDING").await;
        assert_missing(&staff, &input, "3.5", &["RECEPTION", "FUNDING"]).await;
        staff.fund_issue(&issue, "REFUSED").await;
        assert_missing(&staff, &input, "3.5", &["RECEPTION"]).await;
        let cancel = json!({ "receptionId": reception, "cancelReason": "Адам жоқ" });
        assert!(staff.mutate("updateReception", cancel).await["refusal"].is_null());
        assert!(staff.missing_in_draft(&input).await.is_empty());
        let edition = staff.publish(&input).await;
        assert_eq!((&edition["edition"], &edition["supersedes"], &edition["kind"]), (&json!(1), &Value::Null, &input["kind"]));
        assert_eq!((&edition["meeting"]["id"], &edition["region"]["code"]), (&json!(meeting), &json!(HOST)));
        assert_eq!(edition["title"]["ru"], "Итоги встречи: Встреча");
        assert_eq!(refusal(&staff.mutate("publish", input).await), "DUPLICATE", "nothing has changed");
        let query = "query($id: ID!) { meeting(id: $id) { publications { id edition } } }";
        let listed = env.anonymous().query(query, json!({ "id": meeting })).await["meeting"]["publications"].clone();
        assert_eq!(listed, json!([{ "id": edition["id"], "edition": 1 }]));
    }

    async fn what_is_missing_is_said_in_each_language(env) {
        let staff = env.akimat(HOST);
        let (meeting, _, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        let query = "mutation($input: PublishInput!) { publish(input: $input) { refusal { message missing { what message } } } }";
        let mut said = BTreeSet::new();
        for language in ["kk", "ru", "en"] {
            let request = web().post(format!("http://{}/graphql", staff.host)).bearer_auth(staff.token.clone().unwrap());
            let request = request.header("accept-language", language);
            let body = json!({ "query": query, "variables": { "input": results(&meeting) } });
            let answer: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
            let refused = answer["data"]["publish"]["refusal"].clone();
            let messages = refused["missing"].as_array().unwrap().iter().map(|part| part["message"].clone());
            for message in messages.chain([refused["message"].clone()]) {
                let message = message.as_str().unwrap().to_owned();
                assert!(!message.contains('{') && !message.starts_with("missing-"), "{message}");
                said.insert(message);
            }
        }
        assert_eq!(said.len(), 3 * 5, "{said:?}");
    }

    async fn progress_needs_a_report_or_an_outcome_of_each_open_issue(env) {
        let staff = env.akimat(HOST);
        let input = progress(HOST);
        let [open, solved] = ["Су", "Жол"].map(|title| staff.raise(title, &[]));
        let [open, solved] = [id_of(&open.await), id_of(&solved.await)];
        for issue in [&open, &solved] {
            staff.assign(issue, LOCAL, "2026-12-31").await;
        }
        assert_missing(&staff, &input, "3.5", &["EXPLANATION", "EXPLANATION"]).await;
        report(&staff, &open, "2026-Q1").await;
        assert_eq!(staff.missing_in_draft(&input).await.len(), 1);
        staff.mutate("resolveIssue", json!({ "issueId": solved, "resolution": "Жөнделді." })).await;
        let edition = staff.publish(&input).await;
        assert_eq!((&edition["edition"], &edition["region"]["code"]), (&json!(1), &json!(HOST)));
        let period = json!({ "year": 2026, "quarter": 1, "half": null, "from": "2026-01-01", "to": "2026-03-31" });
        assert_eq!(edition["period"], period);
        let draft = "query($input: PublicationDraftInput!) { publicationDraft(input: $input) { issues(first: 1) { totalCount nodes { title } pageInfo { hasNextPage } } } }";
        let issues = staff.query(draft, json!({ "input": input })).await["publicationDraft"]["issues"].clone();
        assert_eq!((&issues["totalCount"], &issues["pageInfo"]["hasNextPage"]), (&json!(2), &json!(true)));
        let quarter_before = json!({ "kind": "PROGRESS", "region": HOST, "period": { "year": 2025, "quarter": 4 } });
        assert_eq!(staff.publish(&quarter_before).await["edition"], 1, "nothing had been raised by then");
    }

    async fn a_body_publishes_its_own_list_once_each_issue_has_a_plan(env) {
        let (staff, agency) = (env.akimat(HOST), env.agency(CENTRAL));
        let issue = id_of(&staff.raise("Аурухана", &[]).await);
        staff.assign(&issue, CENTRAL, "2026-12-31").await;
        let input = agency_list(CENTRAL);
        assert_missing(&agency, &input, "5.3", &["PLAN"]).await;
        staff.plan_issue(&issue, CENTRAL).await;
        let edition = agency.publish(&input).await;
        assert_eq!((&edition["agency"]["code"], &edition["region"]), (&json!(CENTRAL), &Value::Null));
        let filter = json!({ "agency": CENTRAL, "kinds": ["AGENCY_LIST"], "from": "2026-03-02", "to": "2026-03-02" });
        let query = "query($filter: PublicationFilter) { publications(filter: $filter) { totalCount nodes { id } } }";
        let found = env.anonymous().query(query, json!({ "filter": filter })).await["publications"].clone();
        assert_eq!(found, json!({ "totalCount": 1, "nodes": [{ "id": edition["id"] }] }));
        for other in [json!({ "agency": "min-energy" }), json!({ "region": HOST }), json!({ "from": "2026-03-03" }), json!({ "kinds": ["PROGRESS"] })] {
            assert_eq!(env.anonymous().query(query, json!({ "filter": other })).await["publications"]["totalCount"], 0, "{other}");
        }
    }

    async fn the_government_publishes_what_needs_central_bodies(env) {
        let (staff, government) = (env.akimat(HOST), env.person("V", &["GOVERNMENT"], None));
        let mut central = Actor::issue_input("Аурухана", &[]);
        central["level"] = json!("CENTRAL");
        let issue = id_of(&staff.mutate("raiseIssue", central).await["issue"]);
        staff.raise("Жергілікті", &[]).await;
        assert_missing(&government, &central_list(), "5.2", &["RESPONSIBLE"]).await;
        staff.assign(&issue, CENTRAL, "2026-12-31").await;
        let edition = government.publish(&central_list()).await;
        assert_eq!((&edition["region"], &edition["agency"], &edition["period"]["half"]), (&Value::Null, &Value::Null, &json!(1)));
        staff.mutate("declineIssue", json!({ "issueId": issue, "reason": "Басқа жоба" })).await;
        assert_eq!(government.publish(&central_list()).await["edition"], 2);
    }

    async fn an_issue_merged_away_is_judged_where_it_went(env) {
        let staff = env.akimat(HOST);
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        let target = staff.raise("Су жүйесі", &[]).await;
        staff.mutate("mergeIssues", json!({ "into": id_of(&target), "issueIds": [issue] })).await;
        let missing = staff.missing_in_draft(&results(&meeting)).await;
        assert_eq!(parts(&missing), ["RESPONSIBLE", "DEADLINE", "PLAN", "FUNDING"]);
        assert!(missing.iter().all(|(_, number)| *number == target["number"]), "{missing:?}");
        staff.complete_issue(&id_of(&target), LOCAL).await;
        staff.publish(&results(&meeting)).await;
    }

    async fn results_hold_an_issue_joined_from_several_sources(env) {
        let staff = env.akimat(HOST);
        let mut meetings = Vec::new();
        for _ in 0..2 {
            let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
            let question = id_of(&env.citizen("Ana").post(&meeting, "Су қашан болады?").await);
            staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
            meetings.push((meeting, question));
        }
        let [(first, one), (second, other)] = meetings.try_into().unwrap();
        let issue = staff.raise("Су", &[&one, &other]).await;
        for meeting in [&first, &second] {
            let missing = staff.missing_in_draft(&results(meeting)).await;
            assert_eq!(parts(&missing), ["RESPONSIBLE", "DEADLINE", "PLAN", "FUNDING"], "{meeting}");
        }
        // Merging moves what it was raised from, however often.
        let mut last = id_of(&issue);
        for n in 0..5 {
            let target = id_of(&staff.raise(&format!("Су {n}"), &[]).await);
            staff.mutate("mergeIssues", json!({ "into": target, "issueIds": [last] })).await;
            last = target;
        }
        assert_eq!(staff.missing_in_draft(&results(&first)).await.len(), 4);
    }

    async fn results_hold_no_reception_that_was_never_opened(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        let query = "query($id: ID!) { meeting(id: $id) { receptions { id } } }";
        let draft = id_of(&staff.query(query, json!({ "id": meeting })).await["meeting"]["receptions"][0]);
        let cancel = json!({ "receptionId": draft, "cancelReason": "Қабылдау болмайды" });
        assert!(staff.mutate("updateReception", cancel).await["refusal"].is_null());
        let edition = staff.publish(&results(&meeting)).await;
        let url = format!("http://{}/publications/{}.json", env.host(0), id_of(&edition));
        let json = web().get(url).send().await.unwrap().json::<Value>().await.unwrap();
        assert_eq!(json["content"]["receptions"], json!([]));
    }

    async fn two_at_once_make_one_edition(env) {
        let staff = env.akimat(HOST);
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        staff.complete_issue(&issue, LOCAL).await;
        for edition in 1..=3 {
            let all = futures_util::future::join_all((0..6).map(|_| staff.mutate("publish", results(&meeting)))).await;
            let (published, refused): (Vec<_>, Vec<_>) = all.iter().partition(|payload| payload["refusal"].is_null());
            assert_eq!(published.iter().map(|payload| payload["publication"]["edition"].clone()).collect::<Vec<_>>(), [json!(edition)]);
            assert!(refused.iter().all(|payload| payload["refusal"]["code"] == "DUPLICATE"), "{all:?}");
            let day = format!("2027-0{edition}-01");
            staff.assign(&issue, LOCAL, &day).await;
        }
    }

    async fn a_retry_with_the_same_key_returns_the_first_edition(env) {
        let staff = env.akimat(HOST);
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        let mut input = results(&meeting);
        input["idempotencyKey"] = json!("k");
        assert_eq!(refusal(&staff.mutate("publish", input.clone()).await), "DECREE", "a refusal leaves the key free");
        staff.complete_issue(&issue, LOCAL).await;
        let first = staff.publish(&input).await;
        staff.mutate("reopenIssue", json!({ "issueId": issue, "reason": "-" })).await;
        let again = futures_util::future::join_all((0..4).map(|_| staff.mutate("publish", input.clone()))).await;
        assert!(again.iter().all(|payload| payload["publication"]["id"] == first["id"]), "{again:?}");
        input["placements"] = json!([{ "channel": "PRESS", "text": "Газет", "placedAt": env.now() }]);
        assert_eq!(refusal(&staff.mutate("publish", input).await), "KEY_REUSED");
    }

    async fn placements_are_recorded_once(env) {
        let staff = env.akimat(HOST);
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        staff.complete_issue(&issue, LOCAL).await;
        let press = json!({ "channel": "PRESS", "url": null, "text": "«Алматы ақшамы», № 3", "placedAt": "2026-03-02T03:00:00+00:00" });
        let site = json!({ "channel": "OFFICIAL_SITE", "url": "https://almaty.example/a?b=1", "text": null, "placedAt": "2026-03-02T04:00:00+00:00" });
        let mut input = results(&meeting);
        input["placements"] = json!([press]);
        let edition = staff.publish(&input).await;
        assert_eq!(edition["placements"], json!([press]));
        let record = |placement: &Value| json!({ "publicationId": edition["id"], "placement": placement });
        for _ in 0..2 {
            let recorded = staff.mutate("recordPlacement", record(&site)).await["publication"].clone();
            assert_eq!((&recorded["placements"], &recorded["edition"]), (&json!([press, site]), &json!(1)));
        }
        for (field, value) in [
            ("url", json!("ftp://almaty.example")), ("url", json!("javascript:alert(1)")), ("url", Value::Null),
            ("placedAt", json!(env.now() + TimeDelta::minutes(1))), ("placedAt", json!("2021-01-01T00:00:00Z")),
        ] {
            let mut bad = site.clone();
            bad[field] = value;
            let refused = staff.mutate("recordPlacement", record(&bad)).await;
            assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["field"]), ("INVALID", &json!(field)), "{bad}");
        }
        let unknown = json!({ "publicationId": "pub_00000000000000000000000000", "placement": site });
        assert_eq!(refusal(&staff.mutate("recordPlacement", unknown).await), "NOT_FOUND");
    }

    async fn each_kind_is_published_by_its_own_office_only(env) {
        let staff = env.akimat(HOST);
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        staff.complete_issue(&issue, CENTRAL).await;
        let all = [results(&meeting), progress(HOST), agency_list(CENTRAL), central_list()];
        let draft = "query($input: PublicationDraftInput!) { publicationDraft(input: $input) { kind } }";
        let neighbour = env.akimat(NEIGHBOUR);
        for (person, own) in [
            (&env.citizen("Ana"), [false; 4]), (&env.moderator(HOST), [false; 4]),
            (&env.person("P", &["ADMINISTRATION"], None), [false; 4]), (&env.person("L", &["MASLIKHAT"], Some(HOST)), [false; 4]),
            (&neighbour, [false; 4]), (&staff, [true, true, false, false]), (&env.akimat("750000000"), [true, true, false, false]),
            (&env.agency(CENTRAL), [false, false, true, false]), (&env.agency("min-energy"), [false; 4]),
            (&env.person("V", &["GOVERNMENT"], None), [false, false, false, true]), (&env.person("Admin", &["ADMIN"], None), [true; 4]),
        ] {
            for (input, own) in all.iter().zip(own) {
                let expected = if own { "" } else { "FORBIDDEN" };
                assert_eq!(error_code(&person.send(draft, json!({ "input": input })).await), expected, "{input}");
                if !own {
                    assert_eq!(error_code(&person.try_mutate("publish", input.clone()).await), "FORBIDDEN", "{input}");
                }
            }
        }
        assert_eq!(env.anonymous().error(draft, json!({ "input": all[0] })).await, "UNAUTHENTICATED");
        let edition = id_of(&staff.publish(&all[0]).await);
        let place = json!({ "publicationId": edition, "placement": { "channel": "PRESS", "text": "а", "placedAt": env.now() } });
        for stranger in [&neighbour, &env.citizen("Ana"), &env.agency(CENTRAL)] {
            assert_eq!(error_code(&stranger.try_mutate("recordPlacement", place.clone()).await), "FORBIDDEN");
        }
        let entity = "query($id: ID!) { node(id: $id) { id } _entities(representations: [{ __typename: \"Publication\", id: $id }]) { ... on Publication { edition } } }";
        let found = env.anonymous().query(entity, json!({ "id": edition })).await;
        assert_eq!(found, json!({ "node": { "id": edition }, "_entities": [{ "edition": 1 }] }));
    }

    async fn inputs_that_name_nothing_are_refused(env) {
        let admin = env.person("Admin", &["ADMIN"], None);
        let staff = env.akimat(HOST);
        for (input, field) in [
            (json!({ "kind": "CALENDAR", "region": HOST }), "kind"),
            (json!({ "kind": "MEETING_RESULTS" }), "meetingId"), (json!({ "kind": "PROGRESS", "region": HOST }), "period"),
            (json!({ "kind": "PROGRESS", "region": HOST, "period": { "year": 2026, "quarter": 2 } }), "period"),
            (json!({ "kind": "PROGRESS", "region": HOST, "period": { "year": 2026, "half": 1 } }), "period"),
            (json!({ "kind": "PROGRESS", "region": "759999999", "period": { "year": 2026, "quarter": 1 } }), "region"),
            (json!({ "kind": "AGENCY_LIST", "agency": "min-nothing", "period": { "year": 2026, "quarter": 1 } }), "agency"),
            (json!({ "kind": "CENTRAL_LIST", "period": { "year": 2026 } }), "period"),
        ] {
            let refused = admin.mutate("publish", input.clone()).await;
            assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["field"]), ("INVALID", &json!(field)), "{input}");
            let draft = "query($input: PublicationDraftInput!) { publicationDraft(input: $input) { kind } }";
            assert_eq!(admin.error(draft, json!({ "input": input })).await, "BAD_USER_INPUT", "{input}");
        }
        assert_eq!(refusal(&staff.mutate("publish", results("mtg_00000000000000000000000000")).await), "NOT_FOUND");
        for period in [json!({ "year": 2026, "quarter": 5 }), json!({ "year": 2026, "quarter": 1, "half": 1 }), json!({ "year": -1 })] {
            let input = json!({ "kind": "PROGRESS", "region": HOST, "period": period });
            assert_eq!(error_code(&staff.try_mutate("publish", input).await), "BAD_USER_INPUT");
        }
    }

    async fn results_are_announced_in_the_feed_of_meetings_and_recorded(env) {
        let staff = env.akimat(HOST);
        let (meeting, issue, _) = staff.meeting_with_issue(&env, "Су құбыры").await;
        staff.complete_issue(&issue, LOCAL).await;
        let mut live = env.anonymous().follow("subscription { meetings { kind meeting { id publications { edition } } } }", json!({})).await;
        assert_eq!(live.next().await["kind"], "SUBSCRIBED");
        let edition = staff.publish(&results(&meeting)).await;
        let expected = json!({ "kind": "PUBLISHED", "meeting": { "id": meeting, "publications": [{ "edition": 1 }] } });
        assert_eq!(live.next().await, expected);
        let query = "query($id: ID!) { auditLog(filter: { subject: $id }) { nodes { action detail } } }";
        let entries = staff.query(query, json!({ "id": edition["id"] })).await["auditLog"]["nodes"].clone();
        assert_eq!(entries[0]["action"], "publication.published");
        assert!(entries[0]["detail"].as_str().unwrap().contains(edition["sha256"].as_str().unwrap()), "{entries}");
    }

    async fn many_issues_are_read_in_few_statements(env) {
        let (staff, agency) = (env.akimat(HOST), env.agency(CENTRAL));
        for nth in 0..30 {
            let issue = id_of(&staff.raise(&format!("Мәселе {nth}"), &[]).await);
            staff.assign(&issue, CENTRAL, "2026-12-31").await;
            staff.plan_issue(&issue, CENTRAL).await;
        }
        let (edition, statements) = env.counting(agency.publish(&agency_list(CENTRAL))).await;
        assert_eq!(edition["edition"], 1);
        assert!(statements < 60, "{statements} statements for 30 issues");
    }
}

/// Returns everything that strangers can read of an edition.
async fn read(env: &TestEnv, edition: &Value) -> String {
    let mut all = edition.to_string();
    for ending in ["", "?lang=ru", ".json"] {
        let url = format!("http://{}/publications/{}{ending}", env.host(0), id_of(edition));
        all.push_str(&web().get(url).send().await.unwrap().text().await.unwrap());
    }
    all
}

on_both_engines! {
    async fn nothing_personal_is_published(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let [public, hidden] = [("Ana", "Су қашан болады?"), ("Құпия-Автор", "Құпия сұрақ")].map(|(name, body)| {
            let person = env.citizen(name);
            let meeting = meeting.clone();
            async move { id_of(&person.post(&meeting, body).await) }
        });
        let (public, hidden) = (public.await, hidden.await);
        env.moderator(HOST).moderate("APPROVE", &[&public]).await;
        let issue = id_of(&staff.raise("Су құбыры", &[&public, &hidden]).await);
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        let reception = Opening { starts_in: TimeDelta::minutes(1), ..Opening::default() }.input(&meeting, env.now());
        let reception = id_of(&staff.mutate("openReception", reception).await["reception"]);
        let visitor = env.citizen("Visitor");
        let own = json!({ "name": "Қанат Жасырын", "phone": "+7 701 999 88 77", "iin": "990000000005", "topic": "Құпия тақырып" });
        let registration = id_of(&visitor.register(&reception, own).await);
        env.advance(TimeDelta::minutes(2));
        staff.call_next(&reception, 1).await;
        let close = json!({ "registrationId": registration, "outcome": "Құпия нәтиже", "served": true });
        assert!(staff.mutate("closeRegistration", close).await["refusal"].is_null());
        env.advance(TimeDelta::hours(3));
        assert!(staff.mutate("closeReception", json!({ "receptionId": reception })).await["refusal"].is_null());
        staff.complete_issue(&issue, LOCAL).await;
        let all = read(&env, &staff.publish(&results(&meeting)).await).await;
        assert!(all.contains("Q-0001") && all.contains("Су құбыры"), "{all}");
        for secret in ["Сейтова", "Құпия", "Қанат", "701", "990000000005", "Ana", "Q-0002", "Visitor"] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        staff.mutate("releaseDescription", json!({ "issueId": issue, "text": "Құбыр тозған." })).await;
        let all = read(&env, &staff.publish(&results(&meeting)).await).await;
        assert!(all.contains("Құбыр тозған.") && !all.contains("Сейтова"));
    }
}
