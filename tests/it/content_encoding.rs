//! Content encodings of request bodies.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use harness::{Engine, TestEnv, WHO, web};
use serde_json::{Value, json};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a valid body of this many bytes.
fn padded(bytes: usize) -> Vec<u8> {
    let body = json!({ "query": WHO }).to_string();
    format!("{body}{}", " ".repeat(bytes - body.len())).into_bytes()
}

async fn post(env: &TestEnv, encoding: &str, body: Vec<u8>) -> reqwest::Response {
    let request = web().post(format!("http://{}/graphql", env.host(0))).header("content-type", "application/json");
    request.header("content-encoding", encoding).header("accept-language", "en").body(body).send().await.unwrap()
}

#[tokio::test]
async fn accepts_gzip_within_the_body_limit() {
    let env = TestEnv::start(Engine::Embedded).await;
    for (encoding, body) in [("gzip", gzip(&padded(100))), ("GZip", gzip(&padded(1 << 20))), ("identity", padded(100))]
    {
        let answer = post(&env, encoding, body).await;
        assert_eq!(answer.status(), 200, "{encoding}");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "data": { "viewer": null } }));
    }
    for large in [gzip(&padded((1 << 20) + 1)), gzip(&vec![b' '; 100 << 20])] {
        assert!(large.len() < 1 << 20, "the limit applies to the decompressed size");
        assert_eq!(post(&env, "gzip", large).await.status(), 413);
    }
    let whole = gzip(&padded(100));
    for broken in [padded(100), whole[..whole.len() - 4].to_vec(), Vec::new()] {
        let answer = post(&env, "gzip", broken).await;
        assert_eq!(answer.status(), 400);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(answer["errors"][0]["message"], "The request body is not valid gzip.");
    }
}

#[tokio::test]
async fn rejects_unsupported_encodings_whatever_the_bytes_are() {
    let env = TestEnv::start(Engine::Embedded).await;
    for encoding in ["br", "deflate", "zstd", "compress", "gzip, br", "gzip, gzip", "nonsense"] {
        for body in [padded(100), gzip(&padded(100)), b"\xff\x00".to_vec()] {
            let answer = post(&env, encoding, body).await;
            assert_eq!(answer.status(), 415, "{encoding}");
            assert_eq!(answer.headers()["accept-encoding"], "gzip");
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        }
    }
}
