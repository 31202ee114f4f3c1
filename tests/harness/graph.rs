//! The federated graph: this service and the example agency's, in processes of their own.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    Actor, HOST, NodeProcess, Process, Tokens, checkout,
    external::{now, person, settings},
    node, token_claims,
};

/// The code of the agency, a body of this service's list.
pub const AGENCY: &str = "min-transport";

/// Both subgraphs, running.
pub struct Graph {
    /// This service.
    pub kezdesu: Process,
    /// The agency's subgraph.
    pub agency: NodeProcess,
    dir: tempfile::TempDir,
}

impl Graph {
    /// Starts both subgraphs; `more` are settings of this service.
    pub async fn start(more: &[(&str, String)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let kezdesu = Process::serve(&settings(dir.path(), more)).await;
        let program = Process::program().with_file_name("kezdesu-agency");
        assert!(program.is_file(), "{} is missing: cargo build --workspace --bins", program.display());
        let path = |name: &str| dir.path().join(name).display().to_string();
        let agency = [
            ("AGENCY_LISTEN", "127.0.0.1:0".to_owned()),
            ("AGENCY_CODE", AGENCY.to_owned()),
            ("AGENCY_DATA_DIR", path("agency")),
            ("AGENCY_JWKS", path("jwks.json")),
            ("AGENCY_JWT_ISSUER", Tokens::ISSUER.to_owned()),
            ("AGENCY_JWT_AUDIENCE", Tokens::AUDIENCE.to_owned()),
        ];
        let agency = NodeProcess::start_program(program.as_os_str(), &["serve".to_owned()], &agency).await;
        Self { kezdesu, agency, dir }
    }

    /// Starts Hive Gateway in front of both, with the repository's configuration.
    pub async fn hive_gateway(&self) -> NodeProcess {
        self.hive_gateway_to(&self.kezdesu.host).await
    }

    /// Starts Hive Gateway in front of both, with this service at `host`.
    pub async fn hive_gateway_to(&self, host: &str) -> NodeProcess {
        let places = [("KEZDESU_URL", url(host)), ("AGENCY_URL", url(&self.agency.host))];
        NodeProcess::start_with("gateways/hive.mjs", &[&supergraph().display().to_string()], &places).await
    }

    /// Starts a router (`hive` or `apollo`) in front of both.
    pub async fn router(&self, kind: &str, program: &Path, config: &Path) -> NodeProcess {
        let [program, config, supergraph] = [program, config, &supergraph()].map(|path| path.display().to_string());
        let args = [kind, &program, &config, &supergraph];
        NodeProcess::start_with(
            "gateways/router.mjs",
            &args,
            &[("KEZDESU_URL", url(&self.kezdesu.host)), ("AGENCY_URL", url(&self.agency.host))],
        )
        .await
    }

    /// Starts Apollo Gateway in front of both. It takes subgraph URLs from the supergraph only, so one is composed
    /// for it.
    pub async fn apollo_gateway(&self) -> NodeProcess {
        let file = self.dir.path().join("supergraph.graphql").display().to_string();
        let places = [("kezdesu", &self.kezdesu.host), ("agency", &self.agency.host)];
        let places = places.map(|(name, host)| format!("--url={name}={}", url(host)));
        node("federation/compose.mjs", &["--out", &file, &places[0], &places[1]]).await;
        NodeProcess::start("gateways/apollo.mjs", &[&file]).await
    }

    /// Creates an official of the agency, as a client of `host`.
    #[must_use]
    pub fn official(&self, host: &str) -> Actor {
        let mut claims = token_claims("official", "Official", &["AGENCY"], None, now());
        claims["agency"] = json!(AGENCY);
        Actor::with_token(host, Tokens.sign(&claims))
    }

    /// Starts a live meeting, and returns its host, who bypasses the gateway, and its id.
    pub async fn live_meeting(&self, moderation: &str) -> (Actor, String) {
        let staff = person(&self.kezdesu.host, "staff", &["AKIMAT", "MODERATOR"]);
        let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(5), moderation).await;
        (staff, meeting)
    }
}

/// Returns the path of the checked-in supergraph.
#[must_use]
pub fn supergraph() -> PathBuf {
    checkout().join("api/supergraph/supergraph.graphql")
}

fn url(host: &str) -> String {
    format!("http://{host}/graphql")
}
