//! The page of a protocol, and the files beside it: language, escaping, headers, CSV, JSON and its schema.

use harness::{Fetched, HeldMeeting, TestEnv, beside, on_both_engines};
use serde_json::{Value, json};

async fn ended(env: &TestEnv) -> HeldMeeting {
    let held = HeldMeeting::start(env).await;
    held.end().await;
    held
}

fn rows(csv: &Fetched) -> Vec<Vec<String>> {
    let text = csv.text.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.expect("a row of the same length").iter().map(str::to_owned).collect()).collect()
}

on_both_engines! {
    async fn the_page_is_in_kazakh_or_russian(env) {
        let (held, anonymous) = (ended(&env).await, env.anonymous());
        for (query, header, lang, title, time) in [
            ("", "", "kk", "Кездесу хаттамасы: Кездесу", "2026 жылғы 2\u{a0}наурыз, 09:00"),
            ("", "de", "kk", "Кездесу хаттамасы: Кездесу", "09:00"),
            ("", "en, ru;q=0.7, kk;q=0.2", "ru", "Протокол встречи: Встреча", "2\u{a0}марта 2026\u{a0}г., 09:00"),
            ("?lang=ru", "kk", "ru", "Протокол встречи: Встреча", "09:00"),
            ("?lang=kk", "ru", "kk", "Кездесу хаттамасы: Кездесу", "09:00"),
        ] {
            let page = anonymous.fetch(&format!("{}{query}", held.path("")), &[("accept-language", header)]).await;
            assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
            assert!(page.header("vary").contains("Accept-Language"));
            assert!(page.text.contains(&format!("<html lang=\"{lang}\">")), "{query} {header}");
            assert!(page.text.contains(&format!("<h1>{title}</h1>")) && page.text.contains(time), "{}", page.text);
        }
        let page = anonymous.fetch(&format!("{}?lang=ru", held.path("")), &[]).await.text;
        // 20 of 60 minutes are more than a quarter.
        for text in [
            "Алматы", "Алмалинский район", "Доклад занял 33,3\u{a0}% запланированного времени при пределе 25,0\u{a0}%: норма нарушена",
            "пункт 3.3", "Указ Президента Республики Казахстан от 3 марта 2022 года № 826", "YouTube", "Этот сервис", "Дан ответ",
            "Q-0001", "Шілдеде.\nҚұбыр салынып жатыр.", "https://youtube.example/live?a=1&#38;b=2", &held.issue, "Голосов: 1",
        ] {
            assert!(page.contains(text), "{text} is not in {page}");
        }
    }

    async fn texts_are_escaped_and_nothing_is_loaded_or_run(env) {
        let (held, anonymous) = (ended(&env).await, env.anonymous());
        let page = anonymous.fetch(&held.path(""), &[]).await;
        assert!(page.text.contains("&#60;script&#62;alert(&#39;xss&#39;)&#60;/script&#62;"), "{}", page.text);
        assert!(!page.text.contains("<script") && !page.text.contains(" src=") && !page.text.contains(" style="));
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("'self'"), "{policy}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")] {
            assert_eq!(page.header(name), value);
        }
        let json = anonymous.fetch(&held.path(".json"), &[]).await;
        assert_eq!(json.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        for tag in ["<main id=\"content\"", "<header", "<nav aria-label=", "<footer", "<h1>", "<caption>", "<th scope=\"col\""] {
            assert!(page.text.contains(tag), "{tag}");
        }
    }

    async fn links_of_the_page_open_what_they_name(env) {
        let held = HeldMeeting::start(&env).await;
        let path = held.staff.protocol(&held.meeting).await.expect("an address");
        let page = env.anonymous().fetch(&path, &[]).await;
        assert!(page.text.contains("<meta name=\"robots\" content=\"noindex\">"));
        let links: Vec<_> = page.text.split("href=\"http://localhost:").skip(1).collect();
        assert_eq!(links.len(), 4, "two languages and two files: {links:?}");
        for link in links {
            let link = link.split('"').next().unwrap().replace("&#38;", "&");
            let path = format!("/{}", link.split_once('/').unwrap().1);
            let opened = env.anonymous().fetch(&path, &[]).await;
            assert_eq!(opened.status, 200, "{path}");
            assert!(opened.text.contains("Қабылданбаған"), "{path}");
        }
    }

    async fn the_csv_is_read_by_others_and_holds_no_formula(env) {
        let (held, anonymous) = (ended(&env).await, env.anonymous());
        let csv = anonymous.fetch(&held.path(".csv"), &[("accept-language", "ru")]).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
        let table = rows(&csv);
        assert_eq!(table[0][..4], ["Номер", "Поступил (время Алматы)", "Текст", "Автор"]);
        assert_eq!((table.len(), table[0].len()), (4, 10));
        assert_eq!(table[1][0], "Q-0001");
        assert_eq!(table[1][1], "2026-03-02 09:21:00");
        assert_eq!(table[1][7..], ["Шілдеде.\nҚұбыр салынып жатыр.".to_owned(), table[1][8].clone(), held.issue.clone()]);
        assert_eq!(table[2][2], "'=HYPERLINK(\"http://evil.example\")");
        assert_eq!((table[3][3].as_str(), table[3][4].as_str()), ("Марат", "YouTube"));
        assert!(csv.text.split("\r\n").count() == 5 && csv.text.ends_with("\r\n"), "RFC 4180: {:?}", csv.text);
        let kazakh = rows(&anonymous.fetch(&format!("{}?lang=kk", held.path(".csv")), &[]).await);
        assert_eq!(kazakh[0][..2], ["Нөмірі", "Түскен уақыты (Алматы)"]);
        let path = held.staff.protocol(&held.meeting).await.expect("an address");
        let staff = rows(&anonymous.fetch(&beside(&path, ".csv"), &[("accept-language", "ru")]).await);
        assert_eq!(staff[0][10..], ["Причина", "Решение принял орган", "Объединён с вопросом"]);
        assert_eq!(staff[3][10..], ["off topic", "Алмалинский район", ""]);
        assert_eq!(staff[5][10..], ["", "Алмалинский район", "Q-0001"]);
    }

    async fn the_json_is_as_its_schema_says(env) {
        let (held, anonymous) = (HeldMeeting::start(&env).await, env.anonymous());
        let live = held.staff.fetch(&held.path(".json"), &[]).await.json();
        held.end().await;
        let public = anonymous.fetch(&held.path(".json"), &[]).await.json();
        let staff = held.staff.fetch(&held.path(".json"), &[]).await.json();
        let address = public["$schema"].as_str().expect("an address").to_owned();
        let served = anonymous.fetch("/schemas/protocol-1.json", &[]).await;
        assert_eq!((served.status, served.header("content-type")), (200, "application/schema+json"));
        assert_eq!(served.header("cache-control"), "public, max-age=300");
        let schema = served.json();
        assert!(address.ends_with("/schemas/protocol-1.json") && schema["$id"] == address);
        let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
        for document in [&live, &public, &staff] {
            let errors: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
        let mut broken = public.clone();
        broken["questions"][0]["votes"] = json!("many");
        assert!(!validator.is_valid(&broken) && !validator.is_valid(&json!({})));
        assert_eq!(public["timeSplit"]["presentationMs"], 20 * 60_000);
        assert_eq!((&public["timeSplit"]["kept"], &public["timeSplit"]["norm"]["paragraph"]), (&json!(false), &json!("3.3")));
        let stages: Vec<&Value> = public["timeSplit"]["segments"].as_array().unwrap().iter().map(|one| &one["stage"]).collect();
        assert_eq!(stages, ["PRESENTATION", "QUESTIONS"]);
        assert!(live["timeSplit"]["segments"][1]["endedAt"].is_null() && live["meeting"]["endedAt"].is_null());
        let own = json!({ "platform": null, "count": 2 });
        assert_eq!(public["counts"]["byPlatform"], json!([own, { "platform": "YOUTUBE", "count": 1 }]));
    }
}
