//! The layout of the code: which module may import which, and the length of files.

use std::path::{Path, PathBuf};

use harness::checkout;

/// A module, and the modules that it may import, or the files of them.
const ALLOWED_IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &["domain", "telemetry"]),
    ("text", &[]),
    ("config", &["domain"]),
    ("auth", &["clock", "config", "domain", "tls"]),
    ("feed", &["clock", "domain", "store"]),
    ("app", &["clock", "domain", "feed", "idgen", "network", "store"]),
    ("graphql", &["app", "clock", "domain", "feed", "idgen", "text"]),
    ("jobs", &["app", "auth", "clock", "domain", "feed", "lifecycle", "store", "telemetry"]),
    ("demo", &["app", "auth", "clock", "config", "domain", "graphql", "service", "store"]),
    (
        "http",
        &[
            "app::database_health",
            "auth",
            "clock",
            "config",
            "domain",
            "feed",
            "graphql",
            "idgen",
            "lifecycle",
            "network",
            "telemetry",
            "text",
        ],
    ),
];

/// A feature of `app`, and the features that it may import. Together they have no circle.
const ALLOWED_FEATURES: &[(&str, &[&str])] = &[
    ("meetings", &[]),
    ("notifications", &[]),
    ("questions", &["meetings", "notifications"]),
    ("regions", &[]),
    ("time_split", &["meetings"]),
];

/// Maximum lines of a file.
const MAX_LINES: usize = 400;

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// Returns the paths below `crate` that a source text names, such as `app::reads::Reads`, with braces resolved.
fn imported(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, prefix) in text.match_indices("crate::") {
        read_paths(&text[at + prefix.len()..], "", &mut paths);
    }
    paths
}

/// Reads one tree of paths, and returns the text after it.
fn read_paths<'a>(text: &'a str, parent: &str, paths: &mut Vec<String>) -> &'a str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() || rest.starts_with('}') {
                return rest.strip_prefix('}').unwrap_or(rest);
            }
            rest = read_paths(rest, parent, paths);
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}::{name}") };
    if let Some(children) = rest.strip_prefix("::") {
        return read_paths(children, &path, paths);
    }
    paths.push(path);
    // What is no name, such as a star, is passed over.
    if name.is_empty() { rest.char_indices().nth(1).map_or("", |(next, _)| &rest[next..]) } else { rest }
}

/// Returns whether a path is a module or names something in it.
fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns a file without its unit tests, which may import anything.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn reads_the_paths_of_imports() {
    let text = "use crate::{\n    app::{App, reads::{Reads, StoreError as Error}},\n    clock::*, text,\n};\ncrate::feed::Hub::new()";
    let paths = imported(text);
    for path in ["app::App", "app::reads::Reads", "app::reads::StoreError", "text", "feed::Hub::new"] {
        assert!(paths.iter().any(|found| found == path), "{path} is not in {paths:?}");
    }
}

#[test]
fn modules_import_only_the_modules_they_may() {
    let src = checkout().join("api/src");
    let mut wrong = Vec::new();
    for (module, allowed) in ALLOWED_IMPORTS {
        for file in files(&src.join(module)).into_iter().filter(|file| !file.ends_with("tests.rs")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for path in imported(without_tests(&text)) {
                let imported = path.split("::").next().unwrap();
                let is_module = imported.starts_with(|c: char| c.is_lowercase()) && imported != "connection";
                if is_module && imported != *module && !allowed.iter().any(|allowed| is_within(&path, allowed)) {
                    wrong.push(format!("{} uses {path}", file.strip_prefix(&src).unwrap().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn features_import_only_the_features_they_may() {
    let app = checkout().join("api/src/app");
    let mut wrong = Vec::new();
    for (feature, allowed) in ALLOWED_FEATURES {
        let mut own = vec![app.join(format!("{feature}.rs"))];
        own.retain(|file| file.is_file());
        if app.join(feature).is_dir() {
            own.extend(files(&app.join(feature)));
        }
        assert!(!own.is_empty(), "there is no {feature}");
        for file in own {
            let text = std::fs::read_to_string(&file).unwrap();
            let paths = imported(without_tests(&text));
            for (other, _) in ALLOWED_FEATURES.iter().filter(|(other, _)| other != feature && !allowed.contains(other))
            {
                let names_it = |path: &String| {
                    path.strip_prefix("app::").is_some_and(|path| path.starts_with(&format!("{other}::")))
                };
                if paths.iter().any(names_it) || text.contains(&format!("super::{other}::")) {
                    wrong.push(format!("{} uses {other}", file.strip_prefix(&app).unwrap().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_store_uses_the_database_and_domain_does_no_io() {
    let src = checkout().join("api/src");
    for file in files(&src) {
        let path = file.strip_prefix(&src).unwrap().display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        if !path.starts_with("store/") {
            assert!(!text.contains("sea_orm"), "{path} uses sea_orm");
        }
        if path.starts_with("domain/") {
            for word in ["async fn", "tokio::", "std::fs", "std::net", "async_graphql", "axum"] {
                assert!(!without_tests(&text).contains(word), "{path} contains {word}");
            }
        }
    }
    for file in files(&checkout().join("migration/src")) {
        assert!(!std::fs::read_to_string(&file).unwrap().contains("entities"), "migrations must not use entities");
    }
}

#[test]
fn no_file_exceeds_the_length_limit() {
    for module in ["api/src", "entities/src", "migration/src", "tests/harness"] {
        for file in files(&checkout().join(module)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn the_guide_to_features_names_files_that_exist() {
    let text = std::fs::read_to_string(checkout().join("docs/adding-a-feature.md")).unwrap();
    let named: Vec<&str> = text.split('`').filter(|part| part.contains('/') && part.contains('.')).collect();
    for path in named.iter().filter(|path| !path.contains('*')) {
        assert!(checkout().join(path).is_file(), "there is no {path}");
    }
    let walk = text.split("## A mutation").nth(1).and_then(|rest| rest.split("## ").next()).unwrap();
    let steps = walk.lines().filter(|line| line.starts_with('|') && line.contains('`')).count();
    assert!((1..=8).contains(&steps), "a mutation takes {steps} files");
}
