//! Personal data of applicants: encrypted in the database, erased in time, and in no log.

use std::{collections::HashMap, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use chrono::TimeDelta;
use entities::{
    applicant, audit_entry,
    enums::Language,
    ids::{ReceptionId, RegistrationId},
};
use harness::{DATA_KEYS, Engine, HOST, Process, TestEnv, external::settings, lease, on_both_engines, until};
use kezdesu::{
    app::{
        App, CommandError,
        personal_data::{Applicant, NewApplicant},
    },
    domain::viewer::{Grant, ImportRestriction, Person, Role, Viewer},
    encryption::{KEY_FILE, KeyRing},
};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, prelude::Uuid};

const NAME: &str = "Айгүл canary Сериккызы";
const PHONE: &str = "+77011234567";
const IIN: &str = "910831450197";

fn person() -> Applicant {
    Applicant {
        name: NAME.to_owned(),
        phone: Some(PHONE.to_owned()),
        iin: Some(IIN.to_owned()),
        language: Language::Kk,
    }
}

fn id(n: u128) -> RegistrationId {
    RegistrationId(Uuid::from_u128(n))
}

fn reception(n: u128) -> ReceptionId {
    ReceptionId(Uuid::from_u128(n))
}

fn viewer(role: Role, subject: &str) -> Viewer {
    let grants = vec![Grant { role, region: Some(HOST.parse().unwrap()), agency: None }];
    let imports = ImportRestriction::default();
    Viewer::Person(Person { subject: subject.to_owned(), name: subject.to_owned(), grants, imports })
}

fn app(env: &TestEnv) -> &Arc<App> {
    env.service(0).app()
}

/// Saves an applicant of a reception that ends in an hour.
async fn save(app: &App, registration: u128, at: u128, applicant: &Applicant) {
    let now = app.clock.now();
    let tx = app.store.begin().await.unwrap();
    let new = NewApplicant {
        registration: id(registration),
        reception: reception(at),
        host: HOST.parse().unwrap(),
        reception_ends_at: now + TimeDelta::hours(1),
        applicant,
    };
    app.save_applicants(&tx, &[new], now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn read(app: &App, ids: &[RegistrationId]) -> Result<HashMap<RegistrationId, Applicant>, CommandError> {
    app.read_applicants(&viewer(Role::Akimat, "staff"), ids).await
}

async fn same(app: &App, at: u128, phone: Option<&str>, iin: Option<&str>) -> Vec<RegistrationId> {
    let tx = app.store.begin().await.unwrap();
    app.registrations_of_applicant(&tx, reception(at), phone, iin).await.unwrap()
}

async fn rows(env: &TestEnv) -> Vec<applicant::Model> {
    applicant::Entity::find().all(&env.database().await).await.unwrap()
}

async fn audit(env: &TestEnv) -> Vec<audit_entry::Model> {
    let mut rows = audit_entry::Entity::find().all(&env.database().await).await.unwrap();
    rows.retain(|row| row.shard == HOST);
    rows.sort_by_key(|row| row.seq);
    rows
}

/// Returns an id as SQL.
fn literal(env: &TestEnv, n: u128) -> String {
    match env.engine {
        Engine::Embedded => format!("x'{n:032x}'"),
        Engine::Production => format!("'{}'", Uuid::from_u128(n)),
    }
}

fn assert_encrypted(row: &applicant::Model) {
    let text = format!("{row:?}");
    assert!(![NAME, "canary", PHONE, "7011234567", IIN].iter().any(|secret| text.contains(secret)), "{text}");
}

on_both_engines! {
    async fn applicants_are_stored_encrypted_and_read_back(env) {
        let app = app(&env);
        save(app, 1, 1, &person()).await;
        let without = Applicant { phone: None, iin: None, language: Language::Ru, ..person() };
        save(app, 2, 1, &without).await;
        let rows = rows(&env).await;
        assert_eq!(rows.len(), 2);
        rows.iter().for_each(assert_encrypted);
        let found = read(app, &[id(1), id(2), id(3)]).await.unwrap();
        assert_eq!(found, HashMap::from([(id(1), person()), (id(2), without)]));
    }

    async fn each_look_is_recorded_with_a_pseudonym(env) {
        let app = app(&env);
        save(app, 1, 1, &person()).await;
        save(app, 2, 1, &person()).await;
        read(app, &[id(1), id(2)]).await.unwrap();
        app.read_applicants(&viewer(Role::Citizen, "ana"), &[id(1)]).await.unwrap();
        read(app, &[id(3)]).await.unwrap();
        read(app, &[]).await.unwrap();
        let anonymous = app.read_applicants(&Viewer::Anonymous, &[id(1)]).await;
        assert!(matches!(anonymous, Err(CommandError::Unauthenticated)));
        let entries = audit(&env).await;
        let roles: Vec<_> = entries.iter().map(|entry| entry.actor.split(':').next().unwrap()).collect();
        assert_eq!(roles, ["staff", "staff", "self"]);
        assert!(entries.iter().all(|entry| entry.action == "applicant.read" && entry.at == env.now()));
        assert!(entries.iter().all(|entry| entry.subject.starts_with("reg_") && !entry.actor.contains("ana")));
        assert_ne!(entries[0].subject, entries[1].subject);
    }

    async fn a_look_that_cannot_be_recorded_shows_nothing(env) {
        let app = app(&env);
        save(app, 1, 1, &person()).await;
        env.sql("ALTER TABLE audit_log RENAME TO lost").await;
        assert!(matches!(read(app, &[id(1)]).await, Err(CommandError::Store(_))));
        env.sql("ALTER TABLE lost RENAME TO audit_log").await;
        assert_eq!(read(app, &[id(1)]).await.unwrap().len(), 1);
    }

    async fn the_same_person_is_found_within_a_reception(env) {
        let app = app(&env);
        save(app, 1, 1, &person()).await;
        save(app, 2, 1, &Applicant { iin: None, ..person() }).await;
        save(app, 3, 2, &person()).await;
        assert_eq!(same(app, 1, Some(PHONE), None).await, [id(1), id(2)]);
        assert_eq!(same(app, 1, Some("+77010000000"), Some(IIN)).await, [id(1)]);
        assert_eq!(same(app, 2, None, Some(IIN)).await, [id(3)]);
        assert!(same(app, 1, None, None).await.is_empty() && same(app, 1, Some(IIN), Some(PHONE)).await.is_empty());
        let rows = rows(&env).await;
        let digest = |n| rows.iter().find(|row| row.registration_id == id(n)).unwrap().phone_digest.clone().unwrap();
        assert!(digest(1) == digest(2) && digest(1) != digest(3), "receptions cannot be linked");
    }

    async fn a_value_of_another_row_or_column_does_not_decrypt(env) {
        let app = app(&env);
        save(app, 1, 1, &person()).await;
        save(app, 2, 1, &Applicant { name: "Берик".to_owned(), ..person() }).await;
        let [one, two] = [1, 2].map(|n| literal(&env, n));
        let swap = "UPDATE applicants SET name = (SELECT other.name FROM applicants AS other WHERE other.registration_id =";
        env.sql(&format!("{swap} {two}) WHERE registration_id = {one}")).await;
        assert!(matches!(read(app, &[id(1)]).await, Err(CommandError::Store(_))));
        assert_eq!(read(app, &[id(2)]).await.unwrap().len(), 1);
        env.sql(&format!("UPDATE applicants SET phone = iin, iin = phone WHERE registration_id = {two}")).await;
        assert!(matches!(read(app, &[id(2)]).await, Err(CommandError::Store(_))));
        assert!(audit(&env).await.len() == 1, "what was not shown is not recorded as a look");
    }

    async fn erased_data_is_gone_and_erasing_again_changes_nothing(env) {
        let app = app(&env);
        save(app, 1, 1, &person()).await;
        let erase = async || {
            let tx = app.store.begin().await.unwrap();
            let erased = app.erase_personal_data(&tx, id(1), app.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
            erased
        };
        assert!(erase().await);
        let erased_at = env.now();
        env.advance(TimeDelta::seconds(1));
        assert!(!erase().await);
        assert!(read(app, &[id(1)]).await.unwrap().is_empty() && audit(&env).await.is_empty());
        assert!(same(app, 1, Some(PHONE), Some(IIN)).await.is_empty());
        let row = rows(&env).await.remove(0);
        let rest = [row.key_id, row.name, row.phone, row.iin, row.phone_digest, row.iin_digest];
        assert_eq!((rest, row.erased_at), (Default::default(), Some(erased_at)));
    }

    async fn old_applicants_are_erased_and_recorded(env) {
        let app = app(&env);
        for n in 1..=450 {
            save(app, n, n % 2, &person()).await;
        }
        let lease = lease(app).await;
        // Shorter than the setting, so that the job of the service has nothing to do.
        let days = TimeDelta::days(30);
        let tx = app.store.begin().await.unwrap();
        tx.set_reception_end(reception(1), env.now() + TimeDelta::hours(2)).await.unwrap();
        tx.commit().await.unwrap();
        env.advance(days + TimeDelta::hours(1));
        app.erase_old_applicants(&lease, days).await.unwrap();
        assert!(rows(&env).await.iter().all(|row| row.erased_at.is_none()), "the time has not passed yet");
        env.advance(TimeDelta::seconds(1));
        app.erase_old_applicants(&lease, days).await.unwrap();
        let erased = |rows: &[applicant::Model]| rows.iter().filter(|row| row.erased_at.is_some()).count();
        let after = rows(&env).await;
        assert_eq!(erased(&after), 225);
        assert!(after.iter().all(|row| row.erased_at.is_some() == (row.reception_id == reception(0))));
        env.advance(TimeDelta::hours(1));
        app.erase_old_applicants(&lease, days).await.unwrap();
        assert_eq!(erased(&rows(&env).await), 450);
        let entries = audit(&env).await;
        assert_eq!(entries.len(), 450);
        assert!(entries.iter().all(|entry| entry.actor == "service" && entry.detail.as_deref() == Some("retention")));
    }
}

/// Starts a replica with other keys on the database of an environment, and stops the first one.
async fn rotate(env: &mut TestEnv, keys: &str) {
    env.set("KEZDESU_DATA_KEYS", keys);
    env.replica().await;
    env.stop(0).await;
}

on_both_engines! {
    async fn a_rotation_reencrypts_while_the_service_runs(env) {
        let mut env = env;
        for n in 1..=450 {
            save(app(&env), n, 1, &person()).await;
        }
        let digests = |rows: Vec<applicant::Model>| {
            let mut all: Vec<_> = rows.into_iter().map(|row| (row.registration_id, row.phone_digest)).collect();
            all.sort();
            all
        };
        let before = digests(rows(&env).await);
        let two = "k2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
        rotate(&mut env, &format!("{two},{DATA_KEYS}")).await;
        let app = Arc::clone(app(&env));
        // One row is damaged, and another is erased while the job runs.
        env.sql(&format!("UPDATE applicants SET name = phone WHERE registration_id = {}", literal(&env, 1))).await;
        save(&app, 1000, 1, &person()).await;
        let lease = lease(&app).await;
        let reads = async {
            for n in 2..=20 {
                assert_eq!(read(&app, &[id(n)]).await.unwrap()[&id(n)], person());
                let tx = app.store.begin().await.unwrap();
                app.erase_personal_data(&tx, id(n + 100), env.now()).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        let (done, ()) = tokio::join!(app.reencrypt_applicants(&lease), reads);
        done.unwrap();
        // The job of the service may hold rows that this one skipped.
        let is_current = |row: &applicant::Model| row.key_id.as_deref() != Some("k1") || row.registration_id == id(1);
        let again = async || {
            app.reencrypt_applicants(&lease).await.unwrap();
            rows(&env).await
        };
        let after = until(again, || {}, |rows: &Vec<applicant::Model>| rows.iter().all(is_current)).await;
        for row in after.iter().filter(|row| row.erased_at.is_none() && row.registration_id != id(1)) {
            assert_eq!(row.key_id.as_deref(), Some("k2"));
            let fields = [&row.name, &row.phone, &row.iin].map(|field| field.as_deref().unwrap().to_owned());
            assert!(fields.iter().all(|field| field.starts_with("k2:")), "{fields:?}");
        }
        assert_eq!(after.iter().filter(|row| row.erased_at.is_some() && row.name.is_none()).count(), 19);
        assert_eq!(read(&app, &[id(450)]).await.unwrap()[&id(450)], person());
        assert_eq!(same(&app, 1, Some(PHONE), None).await.len(), 451 - 19, "digests are stable");
        assert!(digests(after).iter().filter(|digest| before.contains(digest)).count() >= 431);
    }
}

/// Returns whether a file contains a text.
fn contains(file: &Path, text: &str) -> bool {
    let Ok(bytes) = std::fs::read(file) else { return false };
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn the_database_file_does_not_contain_the_plain_text() {
    let env = TestEnv::start(Engine::Embedded).await;
    save(app(&env), 1, 1, &person()).await;
    read(app(&env), &[id(1)]).await.unwrap();
    env.database().await.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    let path = env.database_url().trim_start_matches("sqlite://").to_owned();
    for ending in ["", "-wal"] {
        let file = format!("{path}{ending}");
        for secret in [NAME, "canary", PHONE, "7011234567", IIN] {
            assert!(!contains(Path::new(&file), secret), "{file} contains {secret}");
        }
    }
    assert!(contains(Path::new(&path), "applicant.read"), "the file was written");
}

#[test]
fn debug_output_shows_nothing_personal() {
    let applicant = person();
    let new = NewApplicant {
        registration: id(1),
        reception: reception(1),
        host: HOST.parse().unwrap(),
        reception_ends_at: "2026-03-02T04:00:00Z".parse().unwrap(),
        applicant: &applicant,
    };
    let text = format!("{applicant:?} {new:?}");
    assert!(![NAME, "canary", PHONE, IIN].iter().any(|secret| text.contains(secret)), "{text}");
}

#[tokio::test]
async fn the_embedded_service_makes_a_private_key_file() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[]);
    let key = || std::fs::read_to_string(dir.path().join(KEY_FILE)).unwrap();
    Process::serve(&settings).await.kill().await;
    let first = key();
    let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    Process::serve(&settings).await.kill().await;
    assert!(KeyRing::parse(&first).is_some() && key() == first, "a restart keeps the keys");
    std::fs::write(dir.path().join(KEY_FILE), "damaged").unwrap();
    let refused = refusal(&settings).await;
    assert!(refused.starts_with("kezdesu: KEZDESU_DATA_DIR: the file data.keys cannot be used"), "{refused}");
}

#[tokio::test]
async fn production_refuses_to_start_without_keys_or_with_bad_ones() {
    let dir = tempfile::tempdir().unwrap();
    let production = ("KEZDESU_ENVIRONMENT", "production".to_owned());
    let with = |keys: &str| settings(dir.path(), &[production.clone(), ("KEZDESU_DATA_KEYS", keys.to_owned())]);
    assert_eq!(refusal(&with("")).await, "kezdesu: KEZDESU_DATA_KEYS: is required in production\n");
    let bad = refusal(&with("k1:canary,digest:canary")).await;
    assert!(bad.starts_with("kezdesu: KEZDESU_DATA_KEYS: holds keys") && !bad.contains("canary"), "{bad}");
    assert!(!dir.path().join(KEY_FILE).exists());
}

#[tokio::test]
async fn a_start_without_a_key_that_is_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[]);
    Process::serve(&settings).await.kill().await;
    let url = format!("sqlite://{}", dir.path().join("kezdesu.db").display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    let row = "INSERT INTO applicants (registration_id, reception_id, host_code, reception_ends_at, key_id, name, language, created_at) \
               VALUES (x'01', x'02', '751110000', '2026-03-02T04:00:00Z', 'lost', 'lost:AA', 'KK', '2026-03-02T04:00:00Z')";
    database.execute_unprepared(row).await.unwrap();
    database.close().await.unwrap();
    let refused = refusal(&settings).await;
    assert!(refused.contains("KEZDESU_DATA_KEYS: personal data is encrypted with the key lost"), "{refused}");
}

/// Returns the line with which the program refuses to start.
async fn refusal(settings: &[(String, String)]) -> String {
    let mut command = tokio::process::Command::new(Process::program());
    command.arg("serve").env_clear().envs(settings.iter().cloned()).kill_on_drop(true);
    command.env("KEZDESU_LISTEN", "127.0.0.1:0").env("KEZDESU_OPS_LISTEN", "127.0.0.1:0").env("KEZDESU_LOG", "error");
    let ended = tokio::time::timeout(harness::TIMEOUT, command.output()).await.expect("it exits").unwrap();
    let line = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), line.lines().count()), (Some(2), 1), "{line}");
    line
}
