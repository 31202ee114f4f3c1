//! Regions of the classifier: hierarchy, search, paging and import.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use harness::{Engine, TestEnv, on_both_engines};
use kezdesu::{
    app::{
        regions::{ImportError, ImportOptions},
        time_split::TimeSplitTickers,
        topics,
    },
    domain::viewer::Viewer,
    feed::Hub,
    graphql::{caller::Caller, engine},
};
use serde_json::json;

/// A district that is embedded with all its regions.
const DISTRICT: &str = "103200000";

/// Returns the path of the real workbook, if it exists.
fn real() -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/kato-2026-07-17.xlsx");
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: ../shared/data/kato-2026-07-17.xlsx is not here, so the real tree is not paged");
    None
}

on_both_engines! {
    async fn reads_the_whole_classifier_without_the_database(env) {
        let Some(book) = real() else { return };
        let app = env.service(0).app();
        app.import_regions(&book, ImportOptions::default()).await.unwrap();
        // From here on the database is unavailable.
        app.store.close().await;
        let query = "query($after: String) { regions(first: 100, after: $after) { totalCount nodes { code } pageInfo { hasNextPage endCursor } } }";
        let (mut codes, mut after, anonymous) = (Vec::new(), json!(null), env.anonymous());
        loop {
            let page = anonymous.query(query, json!({ "after": after })).await["regions"].clone();
            codes
                .extend(page["nodes"].as_array().unwrap().iter().map(|node| node["code"].as_str().unwrap().to_owned()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(codes.len(), 15_594);
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "every region once and in order");
        let counts = "{ akims: regions(hasAkim: true) { totalCount } found: regions(search: \"караганды\", kinds: [OBLAST]) { nodes { names { kk } } } \
                      region(code: \"350000000\") { descendants(kinds: [RURAL_OKRUG]) { totalCount } children { totalCount } } }".replace("\\", "");
        let found = anonymous.query(&counts, json!({})).await;
        assert_eq!(found["akims"]["totalCount"], 2589);
        assert_eq!(found["found"]["nodes"][0]["names"]["kk"], "Қарағанды облысы");
        assert!(
            found["region"]["descendants"]["totalCount"].as_i64() > found["region"]["children"]["totalCount"].as_i64()
        );
    }

    async fn a_region_shows_its_place_in_the_hierarchy(env) {
        let query = "query($code: KatoCode!) { region(code: $code) { id name(language: RU) names { kk } kind hasAkim validFrom validTo \
                     parent { code } ancestors { code } children { totalCount } descendants(kinds: [LOCALITY]) { totalCount } } }";
        let found = env.anonymous().query(query, json!({ "code": DISTRICT })).await["region"].clone();
        assert_eq!(found["id"], "region_103200000");
        assert_eq!(found["name"], "Абайский район");
        assert_eq!(found["names"]["kk"], "Абай ауданы");
        assert_eq!(found["parent"]["code"], "100000000");
        assert_eq!(found["ancestors"], json!([{ "code": "100000000" }]));
        assert_eq!((found["kind"].as_str(), found["hasAkim"].as_bool()), (Some("DISTRICT"), Some(true)));
        assert!(found["validFrom"].is_null() && found["validTo"].is_null());
        let (children, below) = (found["children"]["totalCount"].as_i64(), found["descendants"]["totalCount"].as_i64());
        assert_eq!(children.zip(below).map(|(children, below)| children + below), Some(25));
        let missing = env.anonymous().query(query, json!({ "code": "999999999" })).await;
        assert!(missing["region"].is_null());
        assert_eq!(env.anonymous().error(query, json!({ "code": "1032" })).await, "BAD_USER_INPUT");
    }

    async fn finds_a_name_in_any_spelling(env) {
        let query = "query($text: String!) { regions(search: $text) { nodes { code } } }";
        for (text, code) in
            [("караганды", "350000000"), ("ҚАРАҒАНДЫ", "350000000"), ("абайский", DISTRICT), ("алмалы", "751110000")]
        {
            let found = env.anonymous().query(query, json!({ "text": text })).await;
            let codes: Vec<_> =
                found["regions"]["nodes"].as_array().unwrap().iter().map(|node| &node["code"]).collect();
            assert!(codes.contains(&&json!(code)), "{text}: {codes:?}");
        }
        let none = env.anonymous().query(query, json!({ "text": "атлантида" })).await;
        assert_eq!(none["regions"]["nodes"], json!([]));
    }

    async fn pages_every_region_once_in_order(env) {
        let query = "query($after: String) { regions(first: 37, after: $after) { totalCount nodes { code } \
                     pageInfo { hasNextPage endCursor } } }";
        let (mut codes, mut after, anonymous) = (Vec::new(), json!(null), env.anonymous());
        loop {
            let page = anonymous.query(query, json!({ "after": after })).await["regions"].clone();
            codes
                .extend(page["nodes"].as_array().unwrap().iter().map(|node| node["code"].as_str().unwrap().to_owned()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["totalCount"], codes.len());
                break;
            }
        }
        assert!(codes.is_sorted());
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        let back = "{ regions(last: 3) { nodes { code } pageInfo { hasPreviousPage hasNextPage startCursor } } }";
        let last = anonymous.query(back, json!({})).await["regions"].clone();
        assert_eq!(last["nodes"][2]["code"].as_str(), codes.last().map(String::as_str));
        assert_eq!(
            (last["pageInfo"]["hasPreviousPage"].as_bool(), last["pageInfo"]["hasNextPage"].as_bool()),
            (Some(true), Some(false))
        );
        for bad in ["first: 0", "first: 101", "first: -1", "last: 0", "first: 1, last: 1", "after: \"?\""] {
            let code = anonymous.error(&format!("{{ regions({bad}) {{ totalCount }} }}"), json!({})).await;
            assert_eq!(code, "BAD_USER_INPUT", "{bad}");
        }
    }

    async fn imports_an_edition_as_a_diff_and_ends_missing_regions(env) {
        let head = "te,ab,cd,ef,hij,k,name_kaz,name_rus,nn\n";
        let old = "100000000,10,00,00,000,0,Абай облысы,область Абай,1\n103200000,10,32,00,000,2,Абай ауданы,Абайский район,2\n\
                   103230000,10,32,30,000,2,Қараауыл а.о.,Карааульский с.о.,3\n";
        let new = "100000000,10,00,00,000,0,Абай облысы,область Абай,1\n103200000,10,32,00,000,2,Шыңғыстау ауданы,Чингистауский район,2\n\
                   103400000,10,34,00,000,2,Жаңа ауданы,Новый район,4\n";
        let dir = tempfile::tempdir().unwrap();
        let import = async |text: &str, dated: &str| {
            let file = dir.path().join("kato.csv");
            std::fs::write(&file, format!("{head}{text}")).unwrap();
            let dated = Some(dated.parse().unwrap());
            // These editions have a few regions for the whole country.
            let options = ImportOptions { dated, allow_ending: 1000, ..ImportOptions::default() };
            env.service(0).app().import_regions(&file, options).await
        };
        let unit = async |code: &str| {
            let query = "query($code: KatoCode!) { region(code: $code) { names { kk } validFrom validTo } }";
            env.anonymous().query(query, json!({ "code": code })).await["region"].clone()
        };
        import(old, "2026-01-01").await.unwrap();
        assert_eq!(
            unit("103230000").await["validFrom"],
            json!(null),
            "regions of the first edition have no start date"
        );
        assert_eq!(unit("750000000").await["validTo"], "2026-01-01", "missing regions end");
        let again = import(old, "2026-02-01").await.unwrap();
        assert!(again.diff.is_empty(), "importing the same edition changes nothing");
        let report = import(new, "2026-03-01").await.unwrap();
        assert_eq!((report.diff.added.len(), report.diff.renamed.len(), report.diff.ended.len()), (1, 1, 1));
        assert_eq!(
            unit("103200000").await,
            json!({ "names": { "kk": "Шыңғыстау ауданы" }, "validFrom": "2026-03-01", "validTo": null })
        );
        assert_eq!(
            unit("103230000").await,
            json!({ "names": { "kk": "Қараауыл ауылдық округі" }, "validFrom": null, "validTo": "2026-03-01" })
        );
        let as_of = "query($day: Date!) { regions(asOf: $day, search: \"ауданы\") { nodes { names { kk } } } }";
        let before = env.anonymous().query(as_of, json!({ "day": "2026-02-28" })).await;
        assert_eq!(before["regions"]["nodes"], json!([{ "names": { "kk": "Абай ауданы" } }]));
        let broken = import("103200000,10,32,00,000,2,А,Б,2\n", "2026-04-01").await.unwrap_err();
        assert_eq!(broken.to_string(), "row 2: nothing in the file stands above 103200000");
        assert_eq!(unit("103400000").await["names"]["kk"], "Жаңа ауданы", "a broken file changes nothing");
        assert!(import(old, "2026-02-15").await.is_err(), "an older edition is rejected");
        let corrected = new.replace("Шыңғыстау ауданы", "Шыңғыс ауданы");
        let report = import(&corrected, "2026-03-01").await.unwrap();
        assert_eq!(report.diff.renamed.len(), 1, "an edition of the same day corrects it");
        assert_eq!(
            unit("103200000").await,
            json!({ "names": { "kk": "Шыңғыс ауданы" }, "validFrom": "2026-03-01", "validTo": null })
        );
        assert_eq!(import(old, "2026-05-01").await.unwrap().diff.added.len(), 1);
        let back = json!({ "names": { "kk": "Қараауыл ауылдық округі" }, "validFrom": "2026-05-01", "validTo": null });
        assert_eq!(unit("103230000").await, back, "an ended region may return");
    }

    async fn rejects_a_truncated_file(env) {
        // Two oblasts, each with ten districts of nine okrugs.
        let mut lines = vec!["te,ab,cd,ef,hij,k,name_kaz,name_rus,nn".to_owned()];
        let mut add = |ab: &str, cd: &str, ef: &str, names: String| {
            let number = lines.len();
            lines.push(format!("{ab}{cd}{ef}000,{ab},{cd},{ef},000,2,{names},{number}"));
        };
        for ab in ["10", "11"] {
            add(ab, "00", "00", format!("Облыс {ab} облысы,область {ab}"));
            for cd in (32..52).step_by(2).map(|cd| cd.to_string()) {
                add(ab, &cd, "00", format!("Аудан {cd} ауданы,Район {cd} район"));
                for ef in (30..39).map(|ef| ef.to_string()) {
                    add(ab, &cd, &ef, format!("Округ {ef} а.о.,Округ {ef} с.о."));
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let import = async |text: &str, dated: &str, allow_ending: usize| {
            let file = dir.path().join("kato.csv");
            std::fs::write(&file, text).unwrap();
            let options =
                ImportOptions { dated: Some(dated.parse().unwrap()), allow_ending, ..ImportOptions::default() };
            env.service(0).app().import_regions(&file, options).await
        };
        let count = async || {
            env.anonymous().query("{ regions { totalCount } }", json!({})).await["regions"]["totalCount"].clone()
        };
        import(&lines.join("\n"), "2026-01-01", 1000).await.unwrap();
        assert_eq!(count().await, 202);
        for rows in 80..=195 {
            let cut = import(&lines[..=rows].join("\n"), "2026-02-01", 0).await.unwrap_err();
            assert!(matches!(cut, ImportError::TooManyEnd(_)), "{rows} rows: {cut}");
        }
        let cut = import(&lines[..=100].join("\n"), "2026-02-01", 101).await.unwrap_err().to_string();
        let reason = "the edition would end 102 of 202 units, 110000000 with all that is in it among them: is the file whole? \
                      If it is, allow 102 units to end";
        assert_eq!(cut, reason);
        let whole = lines.join("\n");
        let inside = import(&whole[..whole.len() - 12], "2026-02-01", 1000).await.unwrap_err();
        assert_eq!(inside.to_string(), "row 203: the file ends in the middle of the row: it was cut off");
        let far = import(&whole, "2027-03-04", 0).await.unwrap_err();
        assert!(matches!(far, ImportError::FarAhead(_)), "{far}");
        assert_eq!(count().await, 202, "nothing was changed");
        assert_eq!(env.service(0).app().store.count_editions().await.unwrap(), 1);
        // A few regions may end by default, more if allowed explicitly.
        assert_eq!(import(&lines[..=196].join("\n"), "2026-02-01", 0).await.unwrap().diff.ended.len(), 6);
        assert_eq!(import(&lines[..=100].join("\n"), "2026-03-01", 96).await.unwrap().diff.ended.len(), 96);
        assert_eq!(count().await, 100);
    }
}

/// Creates an engine without HTTP, so that an operation runs on the task of the test.
fn engine(env: &TestEnv) -> engine::Engine {
    let app = env.service(0).app();
    let clock = || Arc::clone(&app.clock);
    let hub = Hub::new(topics(app), app.store.clone(), clock());
    let splits = TimeSplitTickers::new(Arc::clone(&hub), app.store.clone(), clock());
    engine::Engine::new(Arc::clone(app), hub, splits, false)
}

#[tokio::test]
async fn each_search_of_an_operation_yields_to_other_tasks() {
    let env = TestEnv::start(Engine::Embedded).await;
    let engine = engine(&env);
    let caller = Caller { viewer: Viewer::Anonymous, language: entities::enums::Language::Kk, address: None };
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&turns);
    // The runtime has one thread, so this runs only when the operation yields.
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    for searches in [1, 10] {
        let fields: String =
            (0..searches).map(|n| format!("s{n}: regions(search: \"а\", first: 1) {{ totalCount }} ")).collect();
        let before = turns.load(Ordering::Relaxed);
        let response = engine.execute(format!("{{ {fields} }}").into(), &caller, None).await;
        let during = turns.load(Ordering::Relaxed) - before;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        assert!(during >= searches, "another task ran {during} times during {searches} searches");
    }
    other.abort();
}
