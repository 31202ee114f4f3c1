//! Personal data is in no log line and in no error, whatever fails.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use entities::{enums::Language, ids::ReceptionId};
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use super::*;
use crate::{
    app::receptions::ReceptionRules,
    app::{App, AppParts, CommandError, rate_limit::RateLimits},
    clock::ManualClock,
    domain::{
        norms::Norms,
        regions::embedded,
        viewer::{ImportRestriction, Person, Viewer},
    },
    feed::MemoryBus,
    idgen::RandomIds,
    store::Store,
    webhooks::{AddressRules, SystemResolver, WebhookClient},
};

const SECRETS: [&str; 3] = ["canary name", "+77011234567", "910831450197"];
const KEYS: &str =
    "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,digest:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn webhook_client() -> WebhookClient {
    let clock = ManualClock::at(DateTime::UNIX_EPOCH);
    WebhookClient::new(AddressRules::default(), Arc::new(SystemResolver::default()), clock).unwrap()
}

async fn app(dir: &tempfile::TempDir, keys: &str) -> Arc<App> {
    let store = Store::connect(&format!("sqlite://{}", dir.path().join("test.db").display()), 2).await.unwrap();
    store.migrate().await.unwrap();
    let tx = store.begin().await.unwrap();
    tx.seed_units(embedded()).await.unwrap();
    tx.commit().await.unwrap();
    let region_history = ArcSwap::from_pointee(store.region_history().await.unwrap());
    App::new(AppParts {
        store,
        clock: ManualClock::at(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000)),
        ids: RandomIds::start(),
        region_history,
        norms: Norms::named(&["decree-2022"]).unwrap(),
        data_keys: KeyRing::parse(keys).unwrap(),
        bus: Arc::new(MemoryBus::default()),
        reception_rules: ReceptionRules::default(),
        webhook_client: webhook_client(),
        public_url: String::new(),
        limits: RateLimits { person: None, address: None, person_cost: None, address_cost: None, gateways: Vec::new() },
    })
}

async fn save(app: &App, registration: u128) -> Result<(), String> {
    let applicant = Applicant {
        name: SECRETS[0].to_owned(),
        phone: Some(SECRETS[1].to_owned()),
        iin: Some(SECRETS[2].to_owned()),
        language: Language::Ru,
    };
    let now = app.clock.now();
    let tx = app.store.begin().await.unwrap();
    let new = NewApplicant {
        registration: RegistrationId(Uuid::from_u128(registration)),
        reception: ReceptionId(Uuid::from_u128(1)),
        host: "751110000".parse().unwrap(),
        reception_ends_at: now,
        applicant: &applicant,
    };
    tracing::info!(?new, "saving");
    app.save_applicants(&tx, &[new], now).await.map_err(|error| format!("{error:?} {}", error.chain()))?;
    app.registrations_of_applicant(&tx, new.reception, Some(SECRETS[1]), Some(SECRETS[2])).await.unwrap();
    tx.commit().await.unwrap();
    Ok(())
}

async fn read(app: &App, registration: u128) -> Result<usize, CommandError> {
    let viewer = Viewer::Person(Person {
        subject: "staff".to_owned(),
        name: "Staff".to_owned(),
        grants: Vec::new(),
        imports: ImportRestriction::default(),
    });
    let found = app.read_applicants(&viewer, &[RegistrationId(Uuid::from_u128(registration))]).await?;
    tracing::info!(?found, "read");
    Ok(found.len())
}

#[tokio::test]
async fn logs_and_errors_contain_nothing_personal() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    let dir = tempfile::tempdir().unwrap();
    let first = app(&dir, KEYS).await;
    save(&first, 1).await.unwrap();
    assert_eq!(read(&first, 1).await.unwrap(), 1);
    let mut said = vec![save(&first, 1).await.unwrap_err()];
    let lost = KEYS.replace("k1:AQ", "k2:AQ");
    let lost = app(&dir, &lost).await;
    said.push(format!("{:?}", read(&lost, 1).await.unwrap_err()));
    let other = KEYS.replace("k1:AQ", "k1:BQ");
    let other = app(&dir, &other).await;
    said.push(format!("{:?}", read(&other, 1).await.unwrap_err()));
    assert!(said[1].contains("UnknownKey") && said[2].contains("NotAuthentic"), "{said:?}");

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("saving") && log.contains("read") && log.lines().count() > 5, "{log}");
    for text in said.iter().map(String::as_str).chain(log.lines()) {
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)) && !text.contains("canary"), "{text}");
    }
}
