//! The test environment: databases, a bus, replicas, clients and sockets.
//!
//! Everything is real except the clock, which stands still until a test advances it.

mod actors;
mod databases;
mod event_stream;
pub mod external;
mod graph;
mod issues;
mod leases;
mod lossy_gateway;
mod node;
mod process;
mod protocols;
mod publications;
pub mod query_flood;
mod raw_connection;
mod raw_websocket;
mod receiver;
mod receptions;
pub mod sdl;
mod servers;
mod sockets;
mod tcp_proxy;
mod test_env;
mod tokens;
mod webhooks;

pub use actors::{Actor, error_code, id_of, refusal};
pub use databases::{Databases, databases};
pub use event_stream::EventStream;
pub use graph::{AGENCY, Graph, supergraph};
pub use leases::lease;
pub use lossy_gateway::{DropPolicy, LossyGateway};
pub use node::{NodeProcess, checkout, node, node_dir, python, try_node};
pub use process::Process;
pub use protocols::{Fetched, HeldMeeting, beside};
pub use publications::missing;
pub use raw_connection::RawConnection;
pub use raw_websocket::{RawWebSocket, frame};
pub use receiver::{Behaviour, Received, Receiver};
pub use receptions::Opening;
pub use servers::Server;
pub use sockets::{Socket, Subscription};
pub use tcp_proxy::{TcpProxy, until};
pub use test_env::{Engine, START, TestEnv};
pub use tokens::{Tokens, token_claims};
pub use webhooks::{assert_in_order, record_issue_events, record_issue_events_in};

/// Upper bound on waiting for something that must happen. It guards against hanging tests.
pub const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// KATO code of the region whose akim hosts the meetings of the tests.
pub const HOST: &str = "751110000";

/// Keys for personal data: one that encrypts, and the one for digests.
pub const DATA_KEYS: &str =
    "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,digest:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

/// A query that any caller may run: who the token says they are.
pub const WHO: &str = "{ viewer { subject } }";

/// Creates an HTTP client.
#[must_use]
pub fn web() -> reqwest::Client {
    kezdesu::tls::install_provider();
    reqwest::Client::new()
}

/// Returns the status and the body of `/readyz`, or `None` if nothing answers at the operator's address.
pub async fn readiness(ops_host: &str) -> Option<(u16, serde_json::Value)> {
    let response = web().get(format!("http://{ops_host}/readyz")).send().await.ok()?;
    Some((response.status().as_u16(), response.json().await.ok()?))
}

/// Runs each test on the embedded engine and bus, and on those of production.
#[macro_export]
macro_rules! on_both_engines {
    ($(async fn $name:ident($env:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test needs everything")]
            use super::*;

            async fn run($env: $crate::TestEnv) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                run($crate::TestEnv::start($crate::Engine::Embedded).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn production() {
                run($crate::TestEnv::start($crate::Engine::Production).await).await;
            }
        }
    )*};
}
