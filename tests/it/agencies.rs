//! Agencies and categories of issues: lists, references, edits, and other versions.

use chrono::TimeDelta;
use harness::{Actor, Engine, TestEnv, checkout, error_code, on_both_engines, refusal, token_claims, until};
use kezdesu::{app::audit::verify, domain::agencies::agency_id};
use serde_json::{Value, json};

const AGENCY: &str = "query($code: String!) { agency(code: $code) { id code kind name names { kk ru en } region { code } validFrom validTo doubt } }";
const LIST: &str = "query($kinds: [AgencyKind!]) { agencies(kinds: $kinds) { code kind } }";
const CATEGORIES: &str = "{ issueCategories { code names { kk ru en } } }";
const AUDIT: &str =
    "query($filter: AuditFilter!) { auditLog(filter: $filter) { nodes { actor action subject detail } } }";

fn admin(env: &TestEnv) -> Actor {
    env.person("Admin", &["ADMIN"], None)
}

async fn agency(actor: &Actor, code: &str) -> Value {
    actor.query(AGENCY, json!({ "code": code })).await["agency"].clone()
}

async fn codes(actor: &Actor, kinds: Value) -> Vec<String> {
    let list = actor.query(LIST, json!({ "kinds": kinds })).await["agencies"].clone();
    list.as_array().unwrap().iter().map(|agency| agency["code"].as_str().unwrap().to_owned()).collect()
}

async fn lists(actor: &Actor, code: &str) -> bool {
    codes(actor, json!(null)).await.iter().any(|listed| listed == code)
}

fn ministry(code: &str) -> Value {
    json!({ "code": code, "kind": "CENTRAL_BODY", "names": { "kk": "Жаңа министрлік", "ru": "Новое министерство" } })
}

fn merged(mut input: Value, more: &Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// Returns the rows of a file of facts beside the repository, or `None` if it is not there.
fn shared(name: &str) -> Option<String> {
    let file = checkout().join("../shared/data").join(name);
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("SKIPPED: ../shared/data/{name} is not here, so the embedded copy is not compared");
    }
    text
}

#[test]
fn the_embedded_facts_are_those_of_the_files() {
    for name in ["agencies.tsv", "issue-categories.tsv", "region-letters.tsv"] {
        let Some(expected) = shared(name) else { continue };
        assert_eq!(std::fs::read_to_string(checkout().join("api/data").join(name)).unwrap(), expected, "{name}");
    }
}

on_both_engines! {
    async fn lists_the_bodies_of_today_by_kind(env) {
        let anonymous = env.anonymous();
        let all = codes(&anonymous, json!(null)).await;
        for code in ["min-finance", "min-ai-digital", "akimat-750000000", "akimat-103200000", "akimat-751110000"] {
            assert!(all.iter().any(|listed| listed == code), "{code}");
        }
        assert!(!all.iter().any(|code| code == "min-digital"), "it ended in 2025");
        assert!(!all.iter().any(|code| code == "akimat-103230000"), "okrugs are not listed");
        let of = async |kinds: Value| codes(&anonymous, kinds).await;
        assert_eq!(of(json!(["NATIONAL_HOLDING"])).await.len(), 2);
        assert_eq!(of(json!(["NATIONAL_COMPANY", "NATIONAL_HOLDING"])).await.len(), 16);
        assert_eq!(of(json!(["LOCAL_EXECUTIVE"])).await.len(), 254);
        assert_eq!(of(json!([])).await.len(), 0);
        assert_eq!(all.len(), 254 + 16 + of(json!(["CENTRAL_BODY"])).await.len());
        assert_eq!((all[0].as_str(), all.last().unwrap().as_str()), ("agency-atomic-energy", "akimat-791910000"));
    }

    async fn shows_a_body_in_each_language(env) {
        let anonymous = env.anonymous();
        let found = agency(&anonymous, "min-finance").await;
        assert_eq!((&found["name"], &found["names"]["kk"]), (&json!("Ministry of Finance"), &json!("Қаржы министрлігі")));
        let query = "{ agency(code: \"akimat-103200000\") { kk: name(language: KK) ru: name(language: RU) en: name(language: EN) kind region { code } } }";
        assert_eq!(anonymous.query(query, json!({})).await["agency"], json!({
            "kk": "Абай ауданының әкімдігі", "ru": "Акимат Абайского района", "en": "Абай ауданының әкімдігі",
            "kind": "LOCAL_EXECUTIVE", "region": { "code": "103200000" },
        }));
        for unknown in ["", "nobody", "MIN-FINANCE", "akimat-103230000", "\u{0}"] {
            assert!(agency(&anonymous, unknown).await.is_null(), "{unknown:?}");
        }
        let gone = agency(&anonymous, "min-digital").await;
        assert_eq!(gone["validTo"], "2025-09-29", "a body that is no more is still found");
    }

    async fn a_doubt_is_for_operators_only(env) {
        assert!(agency(&admin(&env), "min-digital").await["doubt"].is_string());
        let others = [env.anonymous(), env.citizen("Ana"), env.akimat("750000000"), env.person("Oversight", &["ADMINISTRATION"], None)];
        for other in others {
            assert!(agency(&other, "min-digital").await["doubt"].is_null());
        }
    }

    async fn the_list_changes_when_the_day_turns_in_almaty(env) {
        let (admin, anonymous) = (admin(&env), env.anonymous());
        let ends = merged(ministry("min-old"), &json!({ "validTo": "2026-03-03" }));
        let begins = merged(ministry("min-new"), &json!({ "validFrom": "2026-03-03" }));
        for input in [ends, begins] {
            assert!(admin.mutate("saveAgency", input).await["refusal"].is_null());
        }
        // It is 09:00 in Almaty.
        env.advance(TimeDelta::hours(15) - TimeDelta::seconds(1));
        let both = async || (lists(&anonymous, "min-old").await, lists(&anonymous, "min-new").await);
        assert_eq!(both().await, (true, false));
        // Anonymous responses are kept for two seconds.
        env.advance(TimeDelta::seconds(3));
        assert_eq!(both().await, (false, true));
    }

    async fn resolves_references_and_nodes(env) {
        let anonymous = env.anonymous();
        let id = agency(&anonymous, "min-finance").await["id"].clone();
        assert!(id.as_str().unwrap().starts_with("agency_"));
        let query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Agency { code } } }";
        let of = json!([
            { "__typename": "Agency", "code": "min-finance" }, { "__typename": "Agency", "id": id },
            { "__typename": "Agency", "code": "nobody" }, { "__typename": "Agency", "id": "agency_00000000000000000000000000" },
            { "__typename": "Agency", "code": "akimat-750000000" },
        ]);
        let found = anonymous.query(query, json!({ "of": of })).await["_entities"].clone();
        assert_eq!(found, json!([{ "code": "min-finance" }, { "code": "min-finance" }, null, null, { "code": "akimat-750000000" }]));
        let node = anonymous.query("query($id: ID!) { node(id: $id) { id ... on Agency { code } } }", json!({ "id": id })).await;
        assert_eq!(node["node"], json!({ "id": id, "code": "min-finance" }));
    }

    async fn a_token_shows_its_agency(env) {
        let with = |grants: Value| {
            let mut claims = token_claims("dana", "Dana", &[], None, env.now());
            claims["grants"] = grants;
            env.with_claims(&claims)
        };
        let query = "{ viewer { agency { code } grants { role agency { code kind } } } }";
        let one = with(json!([{ "role": "AGENCY", "agency": "min-finance" }])).query(query, json!({})).await;
        assert_eq!(one["viewer"], json!({
            "agency": { "code": "min-finance" },
            "grants": [{ "role": "AGENCY", "agency": { "code": "min-finance", "kind": "CENTRAL_BODY" } }],
        }));
        let unknown = with(json!([{ "role": "AGENCY", "agency": "water" }, { "role": "CITIZEN" }])).query(query, json!({})).await;
        assert_eq!(unknown["viewer"], json!({
            "agency": null, "grants": [{ "role": "CITIZEN", "agency": null }, { "role": "AGENCY", "agency": null }],
        }));
        let several = with(json!([{ "role": "AGENCY", "agency": "min-finance" }, { "role": "AGENCY", "agency": "min-health" }]));
        assert!(several.query(query, json!({})).await["viewer"]["agency"].is_null());
        let mut claims = token_claims("aset", "Aset", &["AGENCY"], None, env.now());
        claims["agency"] = json!("min-health");
        assert_eq!(env.with_claims(&claims).query(query, json!({})).await["viewer"]["agency"]["code"], "min-health");
    }

    async fn operators_change_bodies_and_the_audit_log_keeps_each_change(env) {
        let (admin, anonymous) = (admin(&env), env.anonymous());
        let input = merged(ministry("min-water-energy"), &json!({ "validFrom": "2026-01-01", "region": "750000000" }));
        let saved = admin.mutate("saveAgency", input.clone()).await["agency"].clone();
        assert_eq!(saved["region"], json!({ "code": "750000000" }));
        assert_eq!(agency(&anonymous, "min-water-energy").await["names"]["ru"], "Новое министерство");
        admin.mutate("saveAgency", input.clone()).await;
        let ended = merged(input, &json!({ "validTo": "2026-02-01" }));
        admin.mutate("saveAgency", ended).await;
        env.advance(TimeDelta::seconds(3));
        assert!(!lists(&anonymous, "min-water-energy").await);
        let embedded = merged(ministry("min-digital"), &json!({ "validTo": "2025-09-30" }));
        assert_eq!(admin.mutate("saveAgency", embedded).await["agency"]["doubt"], json!(null), "the operator is sure");
        let akimat = json!({ "code": "akimat-750000000", "kind": "LOCAL_EXECUTIVE", "names": { "kk": "Алматы әкімдігі" } });
        let saved = admin.mutate("saveAgency", akimat).await["agency"].clone();
        assert_eq!((&saved["region"]["code"], &saved["names"]["kk"]), (&json!("750000000"), &json!("Алматы әкімдігі")));

        let log = admin.query(AUDIT, json!({ "filter": { "subject": saved["id"] } })).await["auditLog"]["nodes"].clone();
        assert_eq!(log.as_array().unwrap().len(), 1);
        assert_eq!(log[0]["action"], "agency.saved");
        assert!(log[0]["actor"].as_str().unwrap().starts_with("staff:"));
        assert!(log[0]["detail"].as_str().unwrap().contains("Алматы қаласының әкімдігі → Алматы әкімдігі"), "{log}");
        let all = admin.query(AUDIT, json!({ "filter": { "actions": ["agency.saved"] } })).await;
        assert_eq!(all["auditLog"]["nodes"].as_array().unwrap().len(), 4, "the same again is no change");
        let of_staff = env.akimat("750000000").query(AUDIT, json!({ "filter": {} })).await;
        assert_eq!(of_staff["auditLog"]["nodes"], json!([]), "it is the whole country's");
        // With the entry that begins the chain.
        assert_eq!(verify(&env.service(0).app().store).await.unwrap(), Ok(5));
    }

    async fn only_operators_change_bodies_and_categories(env) {
        let category = json!({ "code": "animals", "names": { "kk": "Жануарлар" } });
        for (mutation, input) in [("saveAgency", ministry("min-new")), ("saveIssueCategory", category)] {
            let denied = env.anonymous().try_mutate(mutation, input.clone()).await;
            assert_eq!(error_code(&denied), "UNAUTHENTICATED");
            let agency = env.person("Agency", &["AGENCY"], None);
            for actor in [env.citizen("Ana"), env.akimat("750000000"), agency, env.person("Oversight", &["ADMINISTRATION"], None)] {
                assert_eq!(error_code(&actor.try_mutate(mutation, input.clone()).await), "FORBIDDEN", "{mutation}");
            }
        }
        assert!(agency(&env.anonymous(), "min-new").await.is_null());
        assert_eq!(env.dump("agencies").await + &env.dump("audit_log").await, "");
    }

    async fn invalid_bodies_are_refused_with_the_field(env) {
        let admin = admin(&env);
        let akimat = json!({ "code": "akimat-750000000", "kind": "LOCAL_EXECUTIVE", "names": { "kk": "Ә" } });
        for (input, code, field) in [
            (ministry("Min New"), "INVALID", "code"),
            (ministry("a"), "INVALID", "code"),
            (ministry("akimat-999999999"), "INVALID", "code"),
            (ministry("akimat-750000000"), "INVALID", "kind"),
            (merged(akimat, &json!({ "region": "710000000" })), "INVALID", "region"),
            (merged(ministry("min-new"), &json!({ "region": "999999999" })), "INVALID", "region"),
            (merged(ministry("min-new"), &json!({ "names": { "kk": " " } })), "INVALID", "names"),
            (merged(ministry("min-new"), &json!({ "names": { "kk": "а", "en": "a".repeat(201) } })), "TOO_LONG", "names"),
            (merged(ministry("min-new"), &json!({ "validFrom": "2026-01-01", "validTo": "2026-01-01" })), "INVALID", "validTo"),
        ] {
            let payload = admin.mutate("saveAgency", input.clone()).await;
            assert_eq!((refusal(&payload).as_str(), payload["refusal"]["field"].as_str()), (code, Some(field)), "{input}");
            assert!(!payload["refusal"]["message"].as_str().unwrap().is_empty());
        }
        let category = json!({ "code": "Animals", "names": { "kk": "Ж" } });
        assert_eq!(refusal(&admin.mutate("saveIssueCategory", category).await), "INVALID");
        assert_eq!(env.dump("agencies").await + &env.dump("issue_categories").await, "", "nothing was written");
    }

    async fn categories_are_edited_and_keep_their_order(env) {
        let (admin, anonymous) = (admin(&env), env.anonymous());
        let list = async || {
            env.advance(TimeDelta::seconds(3));
            let list = anonymous.query(CATEGORIES, json!({})).await["issueCategories"].clone();
            let codes: Vec<_> = list.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
            (codes, list)
        };
        let (before, _) = list().await;
        assert_eq!((before.len(), before[0].as_str(), before[15].as_str()), (16, "roads-transport", "other"));
        let new = json!({ "code": "animals", "names": { "kk": "Жануарлар", "ru": "Животные" } });
        admin.mutate("saveIssueCategory", new.clone()).await;
        admin.mutate("saveIssueCategory", new).await;
        admin.mutate("saveIssueCategory", json!({ "code": "land", "names": { "kk": "Жер" } })).await;
        let (after, found) = list().await;
        assert_eq!(after[..15], before[..15]);
        assert_eq!(after[15..], ["animals", "other"]);
        assert_eq!(found[5], json!({ "code": "land", "names": { "kk": "Жер", "ru": null, "en": null } }));
        let log = admin.query(AUDIT, json!({ "filter": { "actions": ["issue_category.saved"] } })).await;
        assert_eq!(log["auditLog"]["nodes"].as_array().unwrap().len(), 2);
    }

    async fn a_kind_of_a_later_version_is_shown_as_a_central_body_and_kept(env) {
        env.sql("INSERT INTO agencies (code, kind, name_kk, region_code, changed_at, revision)
                 VALUES ('union-one', 'UNION', 'Одақ', 'planet', '2026-03-01 00:00:00+00:00', 1)").await;
        let app = env.service(0).app();
        app.reload_changed_reference_data().await.unwrap();
        let admin = admin(&env);
        let found = agency(&admin, "union-one").await;
        assert_eq!((&found["kind"], &found["region"], &found["name"]), (&json!("CENTRAL_BODY"), &json!(null), &json!("Одақ")));
        assert!(codes(&admin, json!(["CENTRAL_BODY"])).await.contains(&"union-one".to_owned()));
        let renamed = json!({ "code": "union-one", "kind": "CENTRAL_BODY", "names": { "kk": "Одақтар" } });
        assert_eq!(admin.mutate("saveAgency", renamed).await["agency"]["names"]["kk"], "Одақтар");
        let rows = env.dump("agencies").await;
        for kept in ["UNION", "planet", "Одақтар"] {
            assert!(rows.contains(kept), "{rows}");
        }
        let moved = json!({ "code": "union-one", "kind": "CENTRAL_BODY", "names": { "kk": "Одақ" }, "region": "750000000" });
        assert_eq!(admin.mutate("saveAgency", moved).await["agency"]["region"]["code"], "750000000");
        assert!(!env.dump("agencies").await.contains("planet"), "the operator says otherwise");
    }

    async fn operators_at_two_replicas_do_not_lose_each_others_changes(env) {
        let mut env = env;
        let other = env.replica().await;
        let (here, there) = { let admin = admin(&env); (admin.clone(), admin.at(env.host(other))) };
        let saves = (0..10).map(|n| {
            let (actor, input) = (if n % 2 == 0 { &here } else { &there }, ministry(&format!("min-{n}")));
            async move { actor.mutate("saveAgency", input).await }
        });
        for payload in futures_util::future::join_all(saves).await {
            assert!(payload["refusal"].is_null(), "{payload}");
        }
        assert_eq!(env.service(0).app().store.reference_data().await.unwrap().agencies.len(), 10);
        for actor in [&here, &there] {
            // Embedded replicas share no bus: they look every minute.
            let all = async || codes(actor, json!(["CENTRAL_BODY"])).await.iter().filter(|code| code.len() == 5).count();
            assert_eq!(until(all, || env.advance(TimeDelta::minutes(1)), |count| *count == 10).await, 10);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_references_need_no_database() {
    let env = TestEnv::start(Engine::Embedded).await;
    let anonymous = env.anonymous();
    let (_, statements) = env
        .counting(
            anonymous.query("{ agencies { id name region { code name } } issueCategories { code name } }", json!({})),
        )
        .await;
    assert_eq!(statements, 0);
    let id = agency_id("min-finance");
    assert_eq!(env.service(0).app().agencies().by_id(id).unwrap().code, "min-finance");
}
