//! The command line, and what the documentation says about it.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};

use harness::{Process, checkout};

fn run(dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(Process::program());
    command
        .args(arguments)
        .env_clear()
        .env("KEZDESU_DATA_DIR", dir)
        .env("KEZDESU_LOG", "error")
        .envs(settings.iter().copied());
    command.output().expect("the program runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn invalid_setting_stops_startup_with_one_line_naming_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("KEZDESU_LISTEN", "nowhere"),
        ("KEZDESU_TYPO", "1"),
        ("KEZDESU_DATABASE_URL", "mysql://x"),
        ("KEZDESU_KEEP_EVENTS", "-1"),
    ] {
        let text = refused(&run(dir.path(), &["serve"], &[(name, value)]));
        assert!(text.contains(name), "{text}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(refused(&run(dir.path(), &["serve"], &[("KEZDESU_LISTEN", &address)])).contains("KEZDESU_LISTEN"));
}

#[test]
fn token_command_requires_the_development_key() {
    let dir = tempfile::tempdir().unwrap();
    let token = said(&run(dir.path(), &["token", "--role", "MODERATOR", "--region", "751110000", "--ttl", "30m"], &[]));
    assert_eq!(token.trim().split('.').count(), 3);
    let grants = ["token", "--grant", "MODERATOR:751110000", "--grant", "AGENCY::water", "--grant", "CITIZEN"];
    assert_eq!(said(&run(dir.path(), &grants, &[])).trim().split('.').count(), 3);
    for wrong in [["token", "--grant", "KING"], ["token", "--grant", "MODERATOR:7"]] {
        assert!(!run(dir.path(), &wrong, &[]).status.success(), "{wrong:?}");
    }
    assert!(!run(dir.path(), &["token"], &[]).status.success(), "a token needs a role or a grant");
    let jwks = [("KEZDESU_JWKS", "keys.json"), ("KEZDESU_JWT_ISSUER", "i"), ("KEZDESU_JWT_AUDIENCE", "a")];
    assert!(refused(&run(dir.path(), &["token", "--role", "CITIZEN"], &jwks)).contains("KEZDESU_JWKS"));
}

#[test]
fn imports_the_real_classifier_idempotently() {
    let book = checkout().join("../shared/data/kato-2026-07-17.xlsx");
    if !book.exists() {
        eprintln!("SKIPPED: ../shared/data/kato-2026-07-17.xlsx is not here, so no real import is tried");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let book = book.to_str().unwrap();
    let dry = said(&run(dir.path(), &["regions", "import", book, "--dry-run"], &[]));
    assert!(dry.contains("15594 units, 2589 with an akim") && dry.contains("nothing was written"), "{dry}");
    let report = said(&run(dir.path(), &["regions", "import", book], &[]));
    assert!(report.contains("added: 15315") && report.ends_with("imported\n"), "{report}");
    let csv = book.replace(".xlsx", ".csv");
    assert!(said(&run(dir.path(), &["regions", "import", &csv], &[])).ends_with("nothing to change\n"));
}

#[test]
fn schema_command_prints_the_checked_in_schema() {
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::read_to_string(checkout().join("api/schema.graphql")).unwrap();
    assert_eq!(said(&run(dir.path(), &["schema"], &[])), file, "run `make schema`");
}

#[test]
fn settings_command_prints_the_documented_tables() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(checkout().join("docs/operations.md")).unwrap();
    let (_, rest) = text.split_once("<!-- settings").expect("the marker of the tables");
    let (tables, _) = rest.split_once("<!-- end of settings -->").expect("the end of the tables");
    let (_, tables) = tables.split_once("-->\n").expect("the marker ends");
    let printed = said(&run(dir.path(), &["settings"], &[("KEZDESU_LISTEN", "nowhere")]));
    assert_eq!(tables, printed, "run `make settings`");
}

/// Returns the request bodies of the README's commands.
fn bodies(text: &str) -> Vec<String> {
    let of = |block: &str| block.split("-d '").nth(1).and_then(|rest| rest.split("'\n").next()).map(str::to_owned);
    text.split("```sh").skip(1).filter_map(of).collect()
}

#[tokio::test]
async fn readme_commands_work_on_the_demo() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("KEZDESU_DATA_DIR".to_owned(), dir.path().display().to_string())];
    let (demo, text) = Process::demo(&settings).await;
    let meeting = text.split("A meeting is live: ").nth(1).unwrap().lines().next().unwrap();
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    let [query, subscription] = bodies(&readme).try_into().expect("two commands");
    let post = |body: String| {
        let request = harness::web().post(format!("http://{}/graphql", demo.host));
        request.header("content-type", "application/json").header("accept-language", "kk").body(body)
    };
    let answer: serde_json::Value = post(query).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["region"]["name"], "Алмалы ауданы");
    assert_eq!(answer["data"]["region"]["meetings"]["nodes"][0], serde_json::json!({ "id": meeting, "phase": "LIVE" }));
    let request = post(subscription.replace("mtg_…", meeting)).header("accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    let mut events = String::new();
    while !events.contains("POSTED") {
        let chunk = tokio::time::timeout(harness::TIMEOUT, stream.chunk()).await.unwrap().unwrap().unwrap();
        events.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(events.contains("Q-0001"), "the demo posts comments: {events}");
    demo.kill().await;
}

#[test]
fn documented_make_targets_exist() {
    let makefile = std::fs::read_to_string(checkout().join("Makefile")).unwrap();
    for document in ["README.md", "docs/operations.md", "docs/integration.md", "docs/architecture.md"] {
        let text =
            std::fs::read_to_string(checkout().join(document)).unwrap_or_else(|_| panic!("{document} is missing"));
        for target in text.split("`make ").skip(1).filter_map(|rest| rest.split('`').next()) {
            let target = target.split(' ').next().unwrap();
            assert!(makefile.contains(&format!("\n{target}:")), "{document} names make {target}");
        }
    }
}

#[test]
fn dashboard_and_documentation_list_every_metric() {
    let figures = |text: &str| {
        let parts = text.split("kezdesu_").skip(1);
        let names =
            parts.map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>());
        // Suffixes that Prometheus adds to the name of a histogram.
        let plain = |name: String| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end).map(str::to_owned))
                .unwrap_or(name)
        };
        names.map(plain).collect::<BTreeSet<_>>()
    };
    let dashboard = std::fs::read_to_string(checkout().join("docs/grafana.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).expect("valid JSON");
    let handbook = std::fs::read_to_string(checkout().join("docs/operations.md")).unwrap();
    let shown = figures(&dashboard);
    assert_eq!(shown, figures(&handbook), "the handbook lists the same metrics");
    let sources =
        Command::new("grep").args(["-rhoE", "\"kezdesu_[a-z_]+\""]).arg(checkout().join("api/src")).output().unwrap();
    assert_eq!(shown, figures(&String::from_utf8(sources.stdout).unwrap()));
}

#[tokio::test]
async fn a_second_demo_on_the_same_data_ends_the_first_meetings() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("KEZDESU_DATA_DIR".to_owned(), dir.path().display().to_string())];
    let phases = async |demo: &Process| {
        let all = harness::external::anonymous(&demo.host)
            .query("{ meetings { nodes { phase } } }", serde_json::json!({}))
            .await;
        let mut phases: Vec<_> =
            all["meetings"]["nodes"].as_array().unwrap().iter().map(|one| one["phase"].to_string()).collect();
        phases.sort();
        phases
    };
    let (first, _) = Process::demo(&settings).await;
    assert_eq!(phases(&first).await, ["\"ANNOUNCED\"", "\"LIVE\"", "\"LIVE\"", "\"PLANNED\""]);
    first.kill().await;
    let (second, _) = Process::demo(&settings).await;
    let both = ["\"ANNOUNCED\"", "\"ENDED\"", "\"ENDED\"", "\"LIVE\"", "\"LIVE\"", "\"PLANNED\""];
    assert_eq!(phases(&second).await, both);
    second.kill().await;
}

#[tokio::test]
async fn the_demo_refuses_real_settings() {
    let dir = tempfile::tempdir().unwrap();
    for environment in ["development", "production"] {
        let settings = harness::external::settings(dir.path(), &[("KEZDESU_ENVIRONMENT", environment.to_owned())]);
        let output = tokio::process::Command::new(Process::program())
            .arg("demo")
            .env_clear()
            .envs(settings)
            .output()
            .await
            .unwrap();
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && says.contains("invents meetings and people"), "{says}");
        assert!(!dir.path().join("kezdesu.db").exists(), "it is rejected before the database is created");
    }
}
