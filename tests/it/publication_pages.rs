//! Editions as pages, JSON and Atom feeds.

use harness::{Actor, HOST, TestEnv, id_of, on_both_engines, python, web};
use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const LOCAL: &str = "akimat-751110000";
const ATTACK: &str = "<script>alert('1')</script> & \"су\"";

async fn get(env: &TestEnv, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers.iter().fold(web().get(format!("http://{}{path}", env.host(0))), |request, (name, value)| {
        request.header(*name, *value)
    });
    request.send().await.expect("the service answers")
}

async fn body(env: &TestEnv, path: &str) -> String {
    let response = get(env, path, &[]).await;
    assert_eq!(response.status().as_u16(), 200, "{path}");
    response.text().await.expect("a body")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().expect("a text")).unwrap_or_default()
}

/// Returns the path of an address of the service.
fn path(url: &Value) -> String {
    let url = url.as_str().expect("an address");
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).expect("a path")
}

/// Publishes the results of a meeting with an issue of this title, and returns the edition, the meeting and the issue.
async fn published(env: &TestEnv, staff: &Actor, title: &str) -> (Value, String, String) {
    let (meeting, issue, _) = staff.meeting_with_issue(env, title).await;
    staff.complete_issue(&issue, LOCAL).await;
    let edition = staff.publish(&json!({ "kind": "MEETING_RESULTS", "meetingId": meeting })).await;
    (edition, meeting, issue)
}

on_both_engines! {
    async fn an_edition_never_changes(env) {
        let staff = env.akimat(HOST);
        let (first, meeting, issue) = published(&env, &staff, "Су құбыры").await;
        let json_path = path(&first["jsonUrl"]);
        let response = get(&env, &json_path, &[]).await;
        let headers = response.headers().clone();
        assert_eq!(header(&headers, "etag"), format!("\"{}\"", first["sha256"].as_str().unwrap()));
        assert_eq!(header(&headers, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&headers, "content-type"), "application/json; charset=utf-8");
        let bytes = response.bytes().await.unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(first["sha256"], digest);
        let known = get(&env, &json_path, &[("if-none-match", header(&headers, "etag"))]).await;
        assert_eq!(known.status().as_u16(), 304);

        staff.assign(&issue, LOCAL, "2027-01-31").await;
        let second = staff.publish(&json!({ "kind": "MEETING_RESULTS", "meetingId": meeting })).await;
        assert_eq!((&second["edition"], &second["supersedes"]["id"]), (&json!(2), &first["id"]));
        let target = id_of(&staff.raise("Басқа", &[]).await);
        staff.mutate("mergeIssues", json!({ "into": target, "issueIds": [issue] })).await;
        env.sql("UPDATE issues SET title = 'жаңа'").await;
        assert_eq!(get(&env, &json_path, &[]).await.bytes().await.unwrap(), bytes, "the bytes are the same");
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&document["id"], &document["edition"]), (&first["id"], &json!(1)));
        assert_eq!(document["content"]["issues"][0]["title"], "Су құбыры");
        let old = body(&env, &format!("{}?lang=ru", path(&first["pageUrl"]))).await;
        assert!(old.contains("Этот выпуск заменён новым.") && old.contains(second["pageUrl"].as_str().unwrap()), "{old}");
        let new = body(&env, &format!("{}?lang=ru", path(&second["pageUrl"]))).await;
        assert!(!new.contains("заменён") && new.contains(first["pageUrl"].as_str().unwrap()), "{new}");
    }

    async fn the_json_follows_its_published_schema(env) {
        let staff = env.akimat(HOST);
        let (edition, _, issue) = published(&env, &staff, "Су құбыры").await;
        let document: Value = serde_json::from_str(&body(&env, &path(&edition["jsonUrl"])).await).unwrap();
        let schema: Value = serde_json::from_str(&body(&env, &path(&document["$schema"])).await).unwrap();
        assert!(path(&document["$schema"]).starts_with("/schemas/"));
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(!validator.is_valid(&json!({ "id": 1 })));
        let listed = &document["content"]["issues"][0];
        assert_eq!((&listed["id"], &listed["responsible"]["code"]), (&json!(issue), &json!(LOCAL)));
        assert_eq!((&listed["plan"][0]["due"], &listed["funding"]["decision"]), (&json!("2026-06-01"), &json!("NOT_NEEDED")));
        assert_eq!(listed["questions"][0]["receipt"], "Q-0001");
        assert!(listed["category"]["name"]["kk"].is_string() && listed["category"]["name"]["ru"].is_string());
        let norm = &document["content"]["norm"];
        assert_eq!(norm["paragraph"], "3.5");
    }

    async fn pages_are_in_kazakh_and_russian_and_escape_texts(env) {
        let staff = env.akimat(HOST);
        let (edition, _, _) = published(&env, &staff, ATTACK).await;
        let page = path(&edition["pageUrl"]);
        for (asked, language, words) in [
            (vec![], "kk", "Проблемалық мәселелер және іс-қимыл жоспары"),
            (vec![("accept-language", "ru, kk;q=0.5")], "ru", "Проблемные вопросы и план действий"),
            (vec![("accept-language", "en")], "kk", "Жауапты орган"),
        ] {
            let response = get(&env, &page, &asked).await;
            let headers = response.headers().clone();
            assert_eq!(header(&headers, "content-type"), "text/html; charset=utf-8");
            let policy = header(&headers, "content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
            let html = response.text().await.unwrap();
            assert!(html.contains(&format!("<html lang=\"{language}\">")) && html.contains(words), "{html}");
            assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
            assert!(html.contains("alert(&#39;1&#39;)"), "{html}");
            assert!(html.contains(&format!("/feeds/units/{HOST}.atom")) && html.contains("application/atom+xml"), "{html}");
            assert!(html.contains(edition["sha256"].as_str().unwrap()) && html.contains(edition["jsonUrl"].as_str().unwrap()));
        }
        for missing in ["/publications/pub_00000000000000000000000000", "/publications/x", &format!("{page}?part=2"), &format!("{page}?part=x")] {
            let response = get(&env, missing, &[("accept-language", "ru")]).await;
            assert_eq!(response.status().as_u16(), 404, "{missing}");
            assert!(response.text().await.unwrap().contains("Публикация не найдена"));
        }
        assert_eq!(get(&env, "/publications/pub_00000000000000000000000000.json", &[]).await.status().as_u16(), 404);
    }

    async fn feeds_announce_editions(env) {
        let staff = env.akimat(HOST);
        let feed = format!("/feeds/units/{HOST}.atom");
        let empty = get(&env, &feed, &[]).await;
        let empty_tag = header(empty.headers(), "etag").to_owned();
        assert_eq!(header(empty.headers(), "content-type"), "application/atom+xml; charset=utf-8");
        assert!(!empty.text().await.unwrap().contains("<entry>"));
        let (first, meeting, issue) = published(&env, &staff, ATTACK).await;
        staff.assign(&issue, LOCAL, "2027-01-31").await;
        let second = staff.publish(&json!({ "kind": "MEETING_RESULTS", "meetingId": meeting })).await;
        env.advance(chrono::TimeDelta::seconds(2));
        let response = get(&env, &feed, &[("if-none-match", &empty_tag)]).await;
        assert_eq!(response.status().as_u16(), 200, "it has changed");
        let tag = header(response.headers(), "etag").to_owned();
        let xml = response.text().await.unwrap();
        assert_eq!(xml.matches("<entry>").count(), 2, "{xml}");
        let [newest, older] = [&second, &first].map(|edition| xml.find(edition["pageUrl"].as_str().unwrap()).unwrap());
        assert!(newest < older, "newest first");
        assert_eq!(get(&env, &feed, &[("if-none-match", &tag)]).await.status().as_u16(), 304);
        for above in ["750000000", HOST] {
            assert!(body(&env, &format!("/feeds/units/{above}.atom")).await.contains("<entry>"));
        }
        assert!(!body(&env, "/feeds/units/711110000.atom").await.contains("<entry>"));
        assert!(!body(&env, "/feeds/agencies/min-health.atom").await.contains("<entry>"));
        for missing in ["/feeds/units/751110000", "/feeds/units/759999999.atom", "/feeds/agencies/min-nothing.atom"] {
            assert_eq!(get(&env, missing, &[]).await.status().as_u16(), 404, "{missing}");
        }
        let Some(read) = python("feed.py", &[&format!("http://{}{feed}", env.host(0))]).await else { return };
        let read: Value = serde_json::from_str(&read).unwrap();
        assert_eq!((&read["bozo"], &read["version"]), (&json!(false), &json!("atom10")), "{read}");
        assert_eq!(read["entries"].as_array().unwrap().len(), 2);
        let entry = &read["entries"][0];
        assert_eq!((&entry["link"], &entry["title"]), (&second["pageUrl"], &second["title"]["kk"]), "{read}");
        let ids: std::collections::BTreeSet<_> = read["entries"].as_array().unwrap().iter().map(|entry| entry["id"].to_string()).collect();
        assert!(ids.len() == 2 && ids.iter().all(|id| id.starts_with("\"urn:uuid:")), "{read}");
    }
}
