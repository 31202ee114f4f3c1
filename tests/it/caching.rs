//! HTTP caching and compression.

use chrono::TimeDelta;
use harness::{HOST, TestEnv, on_both_engines, web};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

fn get(env: &TestEnv, query: &str, variables: &Value) -> RequestBuilder {
    let address = format!("http://{}/graphql", env.host(0));
    web().get(address).query(&[("query", query), ("variables", &variables.to_string())])
}

/// Returns the caching headers of a response.
fn kept_by(answer: &Response) -> [Vec<String>; 3] {
    ["cache-control", "etag", "vary"].map(|name| {
        let all = answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
        let mut parts: Vec<_> = all.flat_map(|all| all.split(", ")).map(str::to_lowercase).collect();
        parts.sort();
        parts
    })
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

on_both_engines! {
    async fn public_responses_are_cacheable_and_revalidated_by_etag(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (query, of) = ("query($id: ID!) { meeting(id: $id) { commentsHead } }", json!({ "id": meeting }));
        let first = get(&env, query, &of).send().await.unwrap();
        assert_eq!(header(&first, "cache-control"), "public, max-age=2");
        let tag = header(&first, "etag").to_owned();
        let again = get(&env, query, &of).header("if-none-match", format!("\"other\", {tag}")).send().await.unwrap();
        assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        assert_eq!(again.text().await.unwrap(), "");
        env.citizen("Ana").post(&meeting, "Жол?").await;
        env.advance(TimeDelta::seconds(2));
        let changed = get(&env, query, &of).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK, "a changed response has a new ETag");
        assert_ne!(header(&changed, "etag"), tag);
    }

    async fn keeps_a_public_response_for_two_seconds(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (query, of) = ("query Screen($id: ID!) { meeting(id: $id) { commentsHead } }", json!({ "id": meeting }));
        let head = async |request: RequestBuilder| {
            let answer = request.send().await.unwrap();
            let control = header(&answer, "cache-control").to_owned();
            let head = answer.json::<Value>().await.unwrap()["data"]["meeting"]["commentsHead"].as_i64().unwrap();
            (head, control)
        };
        let (first, _) = head(get(&env, query, &of)).await;
        env.citizen("Ana").post(&meeting, "Жол?").await;
        for (milliseconds, left) in [(0, 2), (1, 1), (999, 1), (999, 0)] {
            env.advance(TimeDelta::milliseconds(milliseconds));
            let kept = head(get(&env, query, &of)).await;
            assert_eq!(kept, (first, format!("public, max-age={left}")), "{milliseconds} ms later");
        }
        let token = env.citizen("Ana").token.clone().unwrap();
        let (own, control) = head(get(&env, query, &of).header("authorization", format!("Bearer {token}"))).await;
        assert!(own > first && control == "no-store", "a signed-in viewer reads the present state: {control}");
        let (fresh, _) = head(get(&env, query, &of).header("cache-control", "max-age=0, no-cache")).await;
        assert_eq!(fresh, own, "a client may ask for the present state");
        env.citizen("Ben").post(&meeting, "Су?").await;
        env.advance(TimeDelta::seconds(2));
        let (later, control) = head(get(&env, query, &of)).await;
        assert!(later > own && control == "public, max-age=2", "two seconds later: {later}, {control}");
    }

    async fn executes_a_public_query_once_for_a_crowd(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (query, of) = ("query($id: ID!) { meeting(id: $id) { title { kk } } }", json!({ "id": meeting }));
        let crowd = (0..100).map(|_| async {
            let answer = get(&env, query, &of).send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        });
        let (answers, statements) = env.counting(futures_util::future::join_all(crowd)).await;
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == StatusCode::OK), "{answers:?}");
        assert!(statements < 10, "{statements} statements");
    }

    async fn keeps_no_response_with_errors(env) {
        let (query, of) = ("query($id: ID!) { meeting(id: $id) { id } }", json!({ "id": "meet_unknown" }));
        let ask = async || get(&env, query, &of).send().await.unwrap();
        let (first, second) = (ask().await, ask().await);
        assert_eq!((header(&first, "cache-control"), header(&second, "cache-control")), ("no-store", "no-store"));
        assert!(second.json::<Value>().await.unwrap()["errors"].is_array());
    }

    async fn sends_the_same_cache_headers_for_every_method_and_encoding(env) {
        let long = "{ regions(first: 100) { nodes { id code name } } }";
        for (query, compressed) in [("{ viewer { subject } }", false), (long, true)] {
            let ask = |method: Method, headers: &[(&str, &str)]| {
                let address = format!("http://{}/graphql", env.host(0));
                let request = web().request(method, address).query(&[("query", query)]);
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send()
            };
            let plain = ask(Method::GET, &[]).await.unwrap();
            let [control, tag, vary] = kept_by(&plain);
            assert_eq!(control, ["max-age=2", "public"]);
            assert_eq!(vary, ["accept", "accept-encoding", "accept-language", "authorization"]);
            assert!(matches!(tag.as_slice(), [tag] if tag.starts_with("w/\"")), "{tag:?}");
            let tag = header(&plain, "etag").to_owned();
            let strong = tag.trim_start_matches("W/").to_owned();
            for encoding in ["identity", "gzip", "br"] {
                let encoded = ask(Method::GET, &[("accept-encoding", encoding)]).await.unwrap();
                assert_eq!(kept_by(&encoded), kept_by(&plain), "{encoding}");
                let as_wished = compressed && encoding != "identity";
                assert_eq!(header(&encoded, "content-encoding"), if as_wished { encoding } else { "" });
                let head = ask(Method::HEAD, &[("accept-encoding", encoding)]).await.unwrap();
                assert_eq!((head.status(), kept_by(&head)), (StatusCode::OK, kept_by(&plain)), "{encoding}");
                assert_eq!(head.bytes().await.unwrap().len(), 0);
                for known in ["*", &tag, &strong, &format!("\"a\" , {tag}")] {
                    for method in [Method::GET, Method::HEAD] {
                        let headers = [("accept-encoding", encoding), ("if-none-match", known)];
                        let again = ask(method, &headers).await.unwrap();
                        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
                        assert_eq!(kept_by(&again), kept_by(&plain), "{encoding} {known}");
                        assert_eq!((header(&again, "content-type"), header(&again, "content-encoding")), ("", ""));
                        assert_eq!(again.bytes().await.unwrap().len(), 0);
                    }
                }
            }
            for unknown in ["", "\"\"", "W/\"other\"", &tag[..tag.len() - 2], "**"] {
                let whole = ask(Method::GET, &[("if-none-match", unknown)]).await.unwrap();
                assert_eq!(whole.status(), StatusCode::OK, "{unknown}");
            }
        }
    }

    async fn each_language_has_its_own_response_and_etag(env) {
        let (query, of) = ("query($code: KatoCode!) { region(code: $code) { name } }", json!({ "code": HOST }));
        let ask = async |language: &str| {
            let answer = get(&env, query, &of).header("accept-language", language).send().await.unwrap();
            let tag = header(&answer, "etag").to_owned();
            (tag, answer.json::<Value>().await.unwrap()["data"]["region"]["name"].as_str().unwrap().to_owned())
        };
        let (kazakh, russian) = (ask("kk").await, ask("ru").await);
        assert_eq!((kazakh.1.as_str(), russian.1.as_str()), ("Алмалы ауданы", "Алмалинский район"));
        assert_ne!(kazakh.0, russian.0);
        assert_eq!(ask("kk").await, kazakh);
        let other = get(&env, query, &of).header("accept-language", "ru").header("if-none-match", kazakh.0);
        assert_eq!(other.send().await.unwrap().status(), StatusCode::OK, "cached responses are per language");
    }

    async fn schema_is_cacheable_and_revalidated_by_etag(env) {
        let ask = |method: Method| web().request(method, format!("http://{}/graphql/schema", env.host(0)));
        let whole = ask(Method::GET).send().await.unwrap();
        let [control, tag, vary] = kept_by(&whole);
        assert_eq!(
            (control, vary),
            (vec!["max-age=300".to_owned(), "public".to_owned()], vec!["accept-encoding".to_owned()])
        );
        assert_eq!(tag.len(), 1);
        let tag = header(&whole, "etag").to_owned();
        for encoding in ["identity", "gzip"] {
            for method in [Method::GET, Method::HEAD] {
                let again = ask(method).header("accept-encoding", encoding).header("if-none-match", &tag);
                let again = again.send().await.unwrap();
                assert_eq!((again.status(), kept_by(&again)), (StatusCode::NOT_MODIFIED, kept_by(&whole)));
                assert_eq!(again.bytes().await.unwrap().len(), 0);
            }
            let encoded = ask(Method::GET).header("accept-encoding", encoding).send().await.unwrap();
            assert_eq!(kept_by(&encoded), kept_by(&whole), "{encoding}");
        }
        assert_eq!(whole.text().await.unwrap(), kezdesu::graphql::client_sdl());
    }

    async fn personal_and_failed_responses_are_not_stored(env) {
        let ana = env.citizen("Ana");
        let token = ana.request().build().unwrap().headers()["authorization"].clone();
        let nothing = json!({});
        for answer in [
            get(&env, "{ viewer { subject } }", &nothing).header("authorization", token).send().await.unwrap(),
            get(&env, "{ nodes(ids: [1, 2]) { nothing } }", &nothing).send().await.unwrap(),
            env.anonymous().request().json(&json!({ "query": "{ __typename }" })).send().await.unwrap(),
        ] {
            assert_eq!((header(&answer, "cache-control"), header(&answer, "etag")), ("no-store", ""));
        }
    }

    async fn compresses_responses_as_requested_but_not_streams(env) {
        let (query, of) = ("{ regions(first: 100) { nodes { id code name } } }", json!({}));
        let plain = get(&env, query, &of).send().await.unwrap();
        assert_eq!(header(&plain, "content-encoding"), "");
        let plain = plain.bytes().await.unwrap();
        assert!(plain.len() > 1024, "long enough: {}", plain.len());
        for wished in ["zstd", "br", "gzip"] {
            let answer = get(&env, query, &of).header("accept-encoding", wished).send().await.unwrap();
            assert_eq!(header(&answer, "content-encoding"), wished);
            assert!(answer.bytes().await.unwrap().len() * 2 < plain.len(), "{wished} halves the size");
        }
        let follow = json!({ "query": "subscription { meetings { kind } }" });
        for form in ["text/event-stream", "multipart/mixed; subscriptionSpec=1.0"] {
            let asked = env.anonymous().request().header("accept", form).header("accept-encoding", "gzip, br, zstd");
            let mut answer = asked.json(&follow).send().await.unwrap();
            assert_eq!(header(&answer, "content-encoding"), "", "{form}");
            answer.chunk().await.unwrap().expect("the first event arrives immediately");
        }
    }
}
