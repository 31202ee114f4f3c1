//! The services of `docker-compose.yml`: their settings, mounts and dependencies.

use std::collections::{BTreeMap, BTreeSet};

use harness::checkout;
use kezdesu::config::{Environment, SETTINGS, Settings, load};
use yaml_serde::{Mapping, Value};

/// Variables given by the operator.
type Given = BTreeMap<&'static str, &'static str>;

/// Required variables. None has a well-known default.
const REQUIRED: [(&str, &str); 6] = [
    ("POSTGRES_PASSWORD", "hush"),
    ("KEZDESU_JWKS", "https://id.example/jwks"),
    ("KEZDESU_JWT_ISSUER", "https://id.example"),
    ("KEZDESU_JWT_AUDIENCE", "kezdesu"),
    ("KEZDESU_HOSTS", "meetings.example"),
    ("KEZDESU_DATA_KEYS", harness::DATA_KEYS),
];

fn text() -> String {
    std::fs::read_to_string(checkout().join("docker-compose.yml")).unwrap()
}

fn compose() -> Value {
    let mut parsed: Value = yaml_serde::from_str(&text()).expect("valid YAML");
    parsed.apply_merge().expect("valid anchors");
    parsed
}

fn map(value: &Value) -> &Mapping {
    value.as_mapping().unwrap_or_else(|| panic!("no mapping: {value:?}"))
}

fn services(compose: &Value) -> Vec<(&str, &Value)> {
    map(&compose["services"]).iter().map(|(name, service)| (name.as_str().unwrap(), service)).collect()
}

/// Substitutes variables: `${NAME:?why}` is required, `${NAME:-default}` is optional.
fn filled(text: &str, given: &Given) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').expect("it exits");
    let value = match (inside.split_once(":-"), inside.split_once(":?")) {
        (Some((name, default)), _) => given.get(name).copied().unwrap_or(default),
        (None, Some((name, _))) => given.get(name).copied().unwrap_or_else(|| panic!("{name} is not given")),
        (None, None) => panic!("{inside} has neither a default nor an error message"),
    };
    format!("{before}{value}{}", filled(after, given))
}

/// Returns the variables of the file, and whether each is required.
fn asked() -> BTreeMap<String, bool> {
    let text = text();
    let asked = text.split("${").skip(1).map(|rest| {
        let inside = rest.split('}').next().unwrap();
        let (name, must) = inside
            .split_once(":?")
            .map_or_else(|| (inside.split(":-").next().unwrap(), false), |(name, _)| (name, true));
        (name.to_owned(), must)
    });
    asked.collect()
}

/// Returns the settings of a service that is built from this repository.
fn settings(service: &Value, given: &Given) -> Option<Settings> {
    (service.get("build")?.as_str()? == ".").then(|| {
        let pairs = map(&service["environment"]).iter();
        let pairs =
            pairs.map(|(name, value)| (name.as_str().unwrap().to_owned(), filled(value.as_str().unwrap(), given)));
        load(pairs).unwrap_or_else(|bad| panic!("{bad}"))
    })
}

#[test]
fn every_service_has_valid_settings() {
    let compose = compose();
    let mut given = Given::from(REQUIRED);
    for more in [&[][..], &[("KEZDESU_ALLOWED_ORIGINS", "https://a.example"), ("KEZDESU_GATEWAY_OPERATIONS", "50")]] {
        given.extend(more.iter().copied());
        let ours: BTreeMap<_, _> = services(&compose)
            .into_iter()
            .filter_map(|(name, service)| Some((name, settings(service, &given)?)))
            .collect();
        assert_eq!(ours.keys().copied().collect::<Vec<_>>(), ["api-1", "api-2", "migrate"]);
        for (name, settings) in &ours {
            assert_eq!(settings.environment, Environment::Production, "{name}");
            assert_eq!(settings.database_url.reveal(), "postgres://kezdesu:hush@postgres:5432/kezdesu", "{name}");
            assert_eq!(settings.redis_url.as_ref().unwrap().reveal(), "redis://redis:6379", "{name}");
            assert_eq!(settings.allowed_origins.len(), more.len() / 2, "{name}");
        }
    }
}

#[test]
fn every_required_variable_is_a_setting_and_documented() {
    let asked = asked();
    let must: BTreeSet<&str> = asked.iter().filter(|(_, must)| **must).map(|(name, _)| name.as_str()).collect();
    assert_eq!(must, REQUIRED.iter().map(|(name, _)| *name).collect());
    // Published ports.
    let ports = ["KEZDESU_PORT", "KEZDESU_GATEWAY_PORT"];
    for name in asked.keys().filter(|name| name.starts_with("KEZDESU_")) {
        let setting = SETTINGS.iter().any(|one| one.name == name.as_str());
        assert!(setting || ports.contains(&name.as_str()), "{name} is not a setting");
    }
    let handbook = std::fs::read_to_string(checkout().join("docs/operations.md")).unwrap();
    let (_, about) =
        handbook.split_once("`docker-compose.yml` runs such a setup").expect("the handbook describes the compose file");
    let about = about.split("\n\n").next().unwrap();
    for name in must {
        assert!(about.contains(&format!("`{name}`")), "the handbook does not say that {name} must be given");
    }
}

#[test]
fn mounts_and_dependencies_exist() {
    let compose = compose();
    let names: BTreeSet<&str> = services(&compose).into_iter().map(|(name, _)| name).collect();
    let volumes: BTreeSet<&str> = map(&compose["volumes"]).keys().map(|name| name.as_str().unwrap()).collect();
    let mut mounted = Vec::new();
    for (name, service) in services(&compose) {
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if source.starts_with('.') {
                assert!(checkout().join(source).is_file(), "{name} mounts {source}, which does not exist");
                mounted.push(source.to_owned());
            } else {
                assert!(volumes.contains(source), "{name} mounts {source}, which is not declared");
            }
        }
        if let Some(waits) = service.get("depends_on") {
            let waits: Vec<&str> = match waits {
                Value::Sequence(list) => list.iter().map(|one| one.as_str().unwrap()).collect(),
                other => map(other).keys().map(|one| one.as_str().unwrap()).collect(),
            };
            assert!(waits.iter().all(|one| names.contains(one)), "{name} waits for {waits:?}");
        }
    }
    assert_eq!(mounted.len(), 3, "{mounted:?}");
    let balancer = std::fs::read_to_string(checkout().join("balancer.conf")).unwrap();
    let served = balancer.lines().filter_map(|line| line.trim().strip_prefix("server ")?.split(':').next());
    let served: BTreeSet<&str> = served.filter(|name| *name != "{").collect();
    assert_eq!(served, BTreeSet::from(["api-1", "api-2"]), "the balancer proxies to the replicas");
}

#[test]
fn trusts_only_the_balancer_and_the_gateway() {
    let compose = compose();
    let address = |name: &str| compose["services"][name]["networks"]["default"]["ipv4_address"].as_str().unwrap();
    let trusted: Vec<String> =
        ["balancer", "gateway"].into_iter().map(|name| format!("{}/32", address(name))).collect();
    let settings = settings(&compose["services"]["api-1"], &Given::from(REQUIRED)).unwrap();
    assert_eq!(settings.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), trusted);
}

#[test]
fn gateway_is_the_version_that_the_tests_run() {
    let compose = compose();
    let gateway = &compose["services"]["gateway"];
    let packages = std::fs::read_to_string(checkout().join("tests/node/package.json")).unwrap();
    let packages: serde_json::Value = serde_json::from_str(&packages).unwrap();
    let tested = packages["dependencies"]["@graphql-hive/gateway"].as_str().unwrap();
    assert_eq!(gateway["image"].as_str(), Some(format!("ghcr.io/graphql-hive/gateway:{tested}").as_str()));
    let read = std::fs::read_to_string(checkout().join("api/supergraph/hive-gateway.config.mjs")).unwrap();
    for (name, _) in map(&gateway["environment"]) {
        let name = name.as_str().unwrap();
        assert!(read.contains(&format!("location('{name}')")), "its configuration does not read {name}");
    }
}

#[test]
fn only_the_gateway_gets_the_higher_operation_limit() {
    let compose = compose();
    let address = |name: &str| compose["services"][name]["networks"]["default"]["ipv4_address"].as_str().unwrap();
    let settings = settings(&compose["services"]["api-1"], &Given::from(REQUIRED)).unwrap();
    let gateways: Vec<String> = settings.gateways.iter().map(ToString::to_string).collect();
    assert_eq!(gateways, [format!("{}/32", address("gateway"))]);
    assert_eq!((settings.socket_operations, settings.gateway_operations), (20, 10_000));
    // No other container may get these addresses.
    let given_out = compose["networks"]["default"]["ipam"]["config"][0]["ip_range"].as_str().unwrap();
    let mut networks = settings.gateways;
    networks[0] = given_out.parse().unwrap();
    for name in ["balancer", "gateway"] {
        assert!(!networks[0].contains(&address(name).parse::<std::net::IpAddr>().unwrap()), "{name} is in {given_out}");
    }
}

#[test]
fn grace_period_covers_draining_and_the_balancer_resolves_replicas_again() {
    let compose = compose();
    let settings = settings(&compose["services"]["api-1"], &Given::from(REQUIRED)).unwrap();
    let given = compose["services"]["api-1"]["stop_grace_period"].as_str().unwrap();
    let given: i64 = given.strip_suffix('s').unwrap().parse().unwrap();
    assert!(given >= settings.shutdown_delay.num_seconds() + 20 + 2, "{given}");
    let balancer = std::fs::read_to_string(checkout().join("balancer.conf")).unwrap();
    let servers: Vec<&str> = balancer.lines().map(str::trim).filter(|line| line.starts_with("server api-")).collect();
    assert!(servers.iter().all(|line| line.contains(" resolve ")), "{servers:?}");
    assert!(balancer.contains("resolver 127.0.0.11 ") && balancer.contains("zone api "));
}
