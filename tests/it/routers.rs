//! Routers in front of both subgraphs, with the repository's configuration. `make test-routers` builds them; the
//! tests are skipped without them.

use std::{
    env,
    path::{Path, PathBuf},
};

use harness::{Graph, NodeProcess, checkout};

use crate::{
    gateways::{
        answers_about_issues, answers_across_subgraphs, forwards_token_and_language, subscribes_across_subgraphs,
        subscribes_to_issues_of_an_agency,
    },
    lossy_connections::{Transport, gaps_of_a_slow_reader},
};

/// Returns the path of a program from an environment variable or `PATH`.
fn program(setting: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = env::var_os(setting) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|place| place.join(name)).find(|program| program.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: there is no {name}, so that router is not tested; make test-routers builds it");
    }
    found
}

fn kept(config: &str) -> PathBuf {
    checkout().join("api/supergraph").join(config)
}

async fn hive_router(config: &Path) -> Option<(Graph, NodeProcess)> {
    let program = program("KEZDESU_TEST_HIVE_ROUTER", "hive_router")?;
    let graph = Graph::start(&[]).await;
    let router = graph.router("hive", &program, config).await;
    Some((graph, router))
}

async fn apollo_router() -> Option<(Graph, NodeProcess)> {
    let program = program("KEZDESU_TEST_APOLLO_ROUTER", "apollo-router")?;
    let graph = Graph::start(&[]).await;
    let router = graph.router("apollo", &program, &kept("apollo-router.yaml")).await;
    Some((graph, router))
}

#[tokio::test]
async fn hive_router_answers_from_both_subgraphs() {
    let Some((graph, router)) = hive_router(&kept("hive-router.config.yaml")).await else { return };
    answers_across_subgraphs(&graph, &router.host).await;
    answers_about_issues(&graph, &router.host).await;
    forwards_token_and_language(&graph, &router.host).await;
}

#[tokio::test]
async fn apollo_router_answers_from_both_subgraphs() {
    let Some((graph, router)) = apollo_router().await else { return };
    answers_across_subgraphs(&graph, &router.host).await;
    answers_about_issues(&graph, &router.host).await;
    forwards_token_and_language(&graph, &router.host).await;
}

#[tokio::test]
async fn hive_router_subscribes_across_both_subgraphs() {
    let Some((graph, router)) = hive_router(&kept("hive-router.config.yaml")).await else { return };
    subscribes_across_subgraphs(&graph, &router.host).await;
    subscribes_to_issues_of_an_agency(&graph, &router.host).await;
}

#[tokio::test]
async fn hive_router_subscribes_over_http_without_a_websocket_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let (config, text) =
        (dir.path().join("router.yaml"), std::fs::read_to_string(kept("hive-router.config.yaml")).unwrap());
    let (http, _) = text.split_once("  websocket:\n    subgraphs:\n").expect("the WebSocket section is the last one");
    std::fs::write(&config, http).unwrap();
    let Some((graph, router)) = hive_router(&config).await else { return };
    subscribes_across_subgraphs(&graph, &router.host).await;
    subscribes_to_issues_of_an_agency(&graph, &router.host).await;
}

/// Over HTTP the router waits for the reader, buffers a bounded number of events, and drops older ones.
#[tokio::test]
async fn a_slow_reader_of_hive_router_over_http_sees_gaps_and_receives_everything() {
    let Some((graph, router)) = hive_router(&kept("hive-router.config.yaml")).await else { return };
    let gaps = gaps_of_a_slow_reader(&graph, &router.host, Transport::ServerSentEvents).await;
    assert!(gaps > 0, "the router lost nothing, so the test proves nothing");
}

/// Over WebSocket the router does not wait for the reader, so any losses come from lack of time.
#[tokio::test]
async fn a_slow_reader_of_hive_router_over_websocket_receives_everything() {
    let Some((graph, router)) = hive_router(&kept("hive-router.config.yaml")).await else { return };
    gaps_of_a_slow_reader(&graph, &router.host, Transport::WebSocket).await;
}
