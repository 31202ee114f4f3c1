//! Import of agencies and categories of issues from files.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use chrono::TimeDelta;
use harness::{Actor, DATA_KEYS, Process, TestEnv, checkout, on_both_engines, until};
use kezdesu::app::audit::verify;
use serde_json::{Value, json};

const HEADER: &str = "code\tkind\tname_kk\tname_ru\tname_en\tvalid_from\tvalid_to\tsource\tdoubt";
const CATEGORY_HEADER: &str = "code\tname_kk\tname_ru\tname_en";

/// Runs the program on the database of an environment.
fn program(env: &TestEnv, arguments: &[&str]) -> Output {
    let mut command = Command::new(Process::program());
    command.args(arguments).env_clear().env("KEZDESU_LOG", "error").envs([
        ("KEZDESU_DATABASE_URL", env.database_url()),
        ("KEZDESU_JWKS", "unused"),
        ("KEZDESU_JWT_ISSUER", "unused"),
        ("KEZDESU_JWT_AUDIENCE", "unused"),
        ("KEZDESU_DATA_KEYS", DATA_KEYS),
    ]);
    command.env("KEZDESU_DATA_DIR", std::env::temp_dir().join("kezdesu-unused")).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr.clone()).unwrap().trim().to_owned()
}

fn write(dir: &Path, text: &str) -> PathBuf {
    let file = dir.join("file.tsv");
    std::fs::write(&file, text).unwrap();
    file
}

async fn names(actor: &Actor, code: &str) -> Value {
    let query = "query($code: String!) { agency(code: $code) { names { kk ru } region { code } validTo } }";
    actor.query(query, json!({ "code": code })).await["agency"].clone()
}

on_both_engines! {
    async fn imports_a_file_once(env) {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "\u{feff}{HEADER}\r\n\
             min-water-energy\tCENTRAL_BODY\tСу министрлігі\tМинистерство воды\t\t2026-01-01\t\tlaw 1\tkk from memory\r\n\
             min-finance\tCENTRAL_BODY\tҚаржы министрлігі\tМинистерство финансов\tMinistry of Finance\t\t2026-06-01\t\t\r\n\
             \r\n"
        );
        let file = write(dir.path(), &text);
        let file = file.to_str().unwrap();
        let dry = said(&program(&env, &["agencies", "import", file, "--dry-run"]));
        let changes = "rows: 2\nadded: 1\n  min-water-energy: kind CENTRAL_BODY; name_kk Су министрлігі; name_ru Министерство воды; \
                       valid_from 2026-01-01; doubt kk from memory\nchanged: 1\n  min-finance: valid_to – → 2026-06-01\n";
        assert_eq!(dry, format!("{changes}nothing was written (dry run)\n"));
        assert_eq!(env.dump("agencies").await, "");
        assert_eq!(said(&program(&env, &["agencies", "import", file])), format!("{changes}imported\n"));
        let rows = env.dump("agencies").await;
        assert_eq!(said(&program(&env, &["agencies", "import", file])), "rows: 2\nnothing to change\n");
        assert_eq!(env.dump("agencies").await, rows);
        // Two changes, and the entry that begins the chain.
        assert_eq!(verify(&env.service(0).app().store).await.unwrap(), Ok(3));
        let log = env.person("Admin", &["ADMIN"], None);
        let log = log.query("{ auditLog(filter: { actions: [\"agency.saved\"] }) { nodes { actor } } }", json!({})).await;
        assert_eq!(log["auditLog"]["nodes"], json!([{ "actor": "service" }, { "actor": "service" }]));
    }

    async fn running_replicas_see_an_import_within_a_minute(env) {
        let dir = tempfile::tempdir().unwrap();
        let anonymous = env.anonymous();
        let agencies = format!("{HEADER}\nmin-new\tCENTRAL_BODY\tЖаңа\t\t\t\t\t\t\n");
        said(&program(&env, &["agencies", "import", write(dir.path(), &agencies).to_str().unwrap()]));
        let categories = format!("{CATEGORY_HEADER}\nanimals\tЖануарлар\tЖивотные\tAnimals\n");
        said(&program(&env, &["categories", "import", write(dir.path(), &categories).to_str().unwrap()]));
        let found = until(async || names(&anonymous, "min-new").await, || env.advance(TimeDelta::minutes(1)), Value::is_object).await;
        assert_eq!(found["names"]["kk"], "Жаңа");
        let listed = async || anonymous.query("{ issueCategories { code } }", json!({})).await["issueCategories"].clone();
        let is_listed = |list: &Value| list.as_array().unwrap().contains(&json!({ "code": "animals" }));
        until(listed, || env.advance(TimeDelta::minutes(1)), is_listed).await;
    }

    async fn a_second_replica_sees_an_import(env) {
        let mut env = env;
        let other = env.replica().await;
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), &format!("{HEADER}\nmin-new\tCENTRAL_BODY\tЖаңа\t\t\t\t\t\t\n"));
        env.service(other).app().import_agencies(&file, false).await.unwrap();
        let there = env.anonymous().at(env.host(other));
        assert!(names(&there, "min-new").await.is_object(), "the one that imports sees it at once");
        let here = env.anonymous();
        until(async || names(&here, "min-new").await, || env.advance(TimeDelta::minutes(1)), Value::is_object).await;
    }

    async fn a_bad_row_imports_nothing(env) {
        let dir = tempfile::tempdir().unwrap();
        let good = "min-new\tCENTRAL_BODY\tЖаңа\t\t\t\t\t\t";
        let app = env.service(0).app();
        for (rows, why) in [
            ("", "the file has no rows"),
            ("min-two\tCENTRAL_BODY\tЕкі\t\t\t\t\t", "line 3 has 8 fields instead of 9"),
            ("min-new\tCENTRAL_BODY\tЕкі\t\t\t\t\t\t", "line 3: the code min-new is there twice"),
            ("Min\tCENTRAL_BODY\tЕкі\t\t\t\t\t\t", "line 3: a code has 2 to 60 characters: a to z, 0 to 9 and hyphens"),
            ("min-two\tMINISTRY\tЕкі\t\t\t\t\t\t", "line 3: the kind is not one of CENTRAL_BODY, NATIONAL_HOLDING, NATIONAL_COMPANY, LOCAL_EXECUTIVE"),
            ("min-two\tCENTRAL_BODY\t\tДва\t\t\t\t\t", "line 3: a name is blank or too long"),
            ("min-two\tCENTRAL_BODY\tЕкі\t\t\t2026-13-01\t\t\t", "line 3: valid_from is not a date such as 2026-03-02"),
            ("min-two\tCENTRAL_BODY\tЕкі\t\t\t2026-02-01\t2026-02-01\t\t", "line 3: valid_to is not after valid_from"),
            ("akimat-1\tLOCAL_EXECUTIVE\tЕкі\t\t\t\t\t\t", "line 3: codes that begin with akimat- are those of units: there is no such unit"),
            ("akimat-750000000\tCENTRAL_BODY\tЕкі\t\t\t\t\t\t", "line 3: the kind of an akimat follows from the classifier and cannot be changed"),
        ] {
            let text = if rows.is_empty() { HEADER.to_owned() } else { format!("{HEADER}\n{good}\n{rows}\n") };
            let file = write(dir.path(), &text);
            assert_eq!(app.import_agencies(&file, false).await.unwrap_err().to_string(), why);
        }
        let file = write(dir.path(), "code\tname_kk\nmin-new\tЖаңа\n");
        let file = file.to_str().unwrap();
        assert_eq!(refused(&program(&env, &["agencies", "import", file])), "kezdesu: the header has no column kind");
        assert_eq!(refused(&program(&env, &["categories", "import", file])), "kezdesu: the header has no column name_ru");
        assert!(refused(&program(&env, &["agencies", "import", "nowhere.tsv"])).starts_with("kezdesu: the file cannot be read"));
        let many: String = (0..501).map(|n| format!("n{n}\tCENTRAL_BODY\tБ\t\t\t\t\t\t\n")).collect();
        let file = write(dir.path(), &format!("{HEADER}\n{many}"));
        let full = app.import_agencies(&file, false).await.unwrap_err().to_string();
        assert_eq!(full, "line 502: there would be more than 500 bodies beside the built-in ones");
        assert_eq!(env.dump("agencies").await + &env.dump("audit_log").await, "");
    }

    async fn a_file_may_name_units(env) {
        let dir = tempfile::tempdir().unwrap();
        let app = env.service(0).app();
        let with_region = format!("{HEADER}\tregion\nroads-abai\tLOCAL_EXECUTIVE\tЖолдар\t\t\t\t\t\t\t103200000\n");
        app.import_agencies(&write(dir.path(), &with_region), false).await.unwrap();
        let without = format!("{HEADER}\nroads-abai\tLOCAL_EXECUTIVE\tЖол\t\t\t\t\t\t\nakimat-103200000\tLOCAL_EXECUTIVE\tАбай\t\t\t\t\t\t\n");
        app.import_agencies(&write(dir.path(), &without), false).await.unwrap();
        let anonymous = env.anonymous();
        for (code, kk) in [("roads-abai", "Жол"), ("akimat-103200000", "Абай")] {
            let found = names(&anonymous, code).await;
            assert_eq!(found["names"], json!({ "kk": kk, "ru": null }));
            assert_eq!(found["region"], json!({ "code": "103200000" }), "a file without the column keeps units");
        }
    }

    async fn the_embedded_files_change_nothing(env) {
        let file = |name: &str| checkout().join("api/data").join(name).to_str().unwrap().to_owned();
        assert_eq!(said(&program(&env, &["agencies", "import", &file("agencies.tsv")])), "rows: 55\nnothing to change\n");
        let categories = said(&program(&env, &["categories", "import", &file("issue-categories.tsv")]));
        assert_eq!(categories, "rows: 16\nnothing to change\n");
    }

    async fn categories_may_be_put_in_another_order(env) {
        let dir = tempfile::tempdir().unwrap();
        let app = env.service(0).app();
        let text = format!("{CATEGORY_HEADER}\tordinal\nland\tЖер\tЗемля\tLand\t0\nanimals\tЖануарлар\t\t\t15\n");
        let report = app.import_issue_categories(&write(dir.path(), &text), false).await.unwrap();
        assert_eq!(report.changes.len(), 2);
        let list = env.anonymous().query("{ issueCategories { code } }", json!({})).await["issueCategories"].clone();
        let codes: Vec<_> = list.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert_eq!(codes[..4], ["land", "roads-transport", "animals", "utilities-heating"]);
        for (rows, why) in [
            ("land\tЖер\t\t\tfirst\n", "line 2: the ordinal is not a number from 0 to 1000000"),
            ("land\tЖер\t\t\t1\nland\tЖер\t\t\t1\n", "line 3: the code land is there twice"),
        ] {
            let file = write(dir.path(), &format!("{CATEGORY_HEADER}\tordinal\n{rows}"));
            assert_eq!(app.import_issue_categories(&file, false).await.unwrap_err().to_string(), why);
        }
        assert!(app.import_issue_categories(&write(dir.path(), &text), false).await.unwrap().changes.is_empty());
    }
}
