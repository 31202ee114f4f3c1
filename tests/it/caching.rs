//! What may be kept between the service and its readers, and how small answers travel.

use harness::{Town, scenes, web};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

const HOST: &str = "751110000";

fn get(town: &Town, query: &str, variables: &Value) -> RequestBuilder {
    let address = format!("http://{}/graphql", town.host(0));
    web().get(address).query(&[("query", query), ("variables", &variables.to_string())])
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

scenes! {
    async fn what_is_public_may_be_kept_and_is_told_by_its_tag(town) {
        let meeting = town.akimat(HOST).live_meeting(HOST, HOST, town.now(), "AFTER").await;
        let (query, of) = ("query($id: ID!) { meeting(id: $id) { commentsHead } }", json!({ "id": meeting }));
        let first = get(&town, query, &of).send().await.unwrap();
        assert_eq!(header(&first, "cache-control"), "public, max-age=2");
        let tag = header(&first, "etag").to_owned();
        let again = get(&town, query, &of).header("if-none-match", format!("\"other\", {tag}")).send().await.unwrap();
        assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        assert_eq!(again.text().await.unwrap(), "");
        town.citizen("Ana").post(&meeting, "Жол?").await;
        let changed = get(&town, query, &of).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK, "another answer has another tag");
        assert_ne!(header(&changed, "etag"), tag);
        for name in ["accept", "accept-language", "authorization"] {
            assert!(header(&changed, "vary").to_lowercase().contains(name), "{name} chooses the answer");
        }
    }

    async fn what_is_ones_own_or_failed_is_kept_by_nobody(town) {
        let ana = town.citizen("Ana");
        let token = ana.request().build().unwrap().headers()["authorization"].clone();
        let nothing = json!({});
        for answer in [
            get(&town, "{ viewer { subject } }", &nothing).header("authorization", token).send().await.unwrap(),
            get(&town, "{ nodes(ids: [1, 2]) { nothing } }", &nothing).send().await.unwrap(),
            town.stranger().request().json(&json!({ "query": "{ __typename }" })).send().await.unwrap(),
        ] {
            assert_eq!((header(&answer, "cache-control"), header(&answer, "etag")), ("no-store", ""));
        }
    }

    async fn answers_are_compressed_as_wished_and_streams_are_not(town) {
        let (query, of) = ("{ regions(first: 100) { nodes { id code name } } }", json!({}));
        let plain = get(&town, query, &of).send().await.unwrap();
        assert_eq!(header(&plain, "content-encoding"), "");
        let plain = plain.bytes().await.unwrap();
        assert!(plain.len() > 1024, "long enough: {}", plain.len());
        for wished in ["zstd", "br", "gzip"] {
            let answer = get(&town, query, &of).header("accept-encoding", wished).send().await.unwrap();
            assert_eq!(header(&answer, "content-encoding"), wished);
            assert!(answer.bytes().await.unwrap().len() * 2 < plain.len(), "{wished} makes it smaller");
        }
        let follow = json!({ "query": "subscription { meetings { kind } }" });
        for form in ["text/event-stream", "multipart/mixed; subscriptionSpec=1.0"] {
            let asked = town.stranger().request().header("accept", form).header("accept-encoding", "gzip, br, zstd");
            let mut answer = asked.json(&follow).send().await.unwrap();
            assert_eq!(header(&answer, "content-encoding"), "", "{form}");
            answer.chunk().await.unwrap().expect("the first event comes at once");
        }
    }
}
