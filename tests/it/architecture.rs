//! The layout of the code: which module may import which, and the length of files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use harness::checkout;

/// A module, and the modules that it may import, or the files of them.
const ALLOWED_IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("encryption", &["secret_file"]),
    ("store", &["domain", "encryption", "telemetry"]),
    ("text", &[]),
    ("config", &["domain", "encryption"]),
    ("publications", &["domain", "text"]),
    ("auth", &["clock", "config", "domain", "secret_file", "tls"]),
    ("feed", &["clock", "domain", "store"]),
    ("webhooks", &["clock", "secret_file", "tls"]),
    ("app", &["clock", "domain", "encryption", "feed", "idgen", "network", "store", "webhooks"]),
    ("graphql", &["app", "clock", "domain", "feed", "idgen", "text"]),
    ("jobs", &["app", "auth", "clock", "domain", "feed", "lifecycle", "telemetry"]),
    ("demo", &["app", "auth", "clock", "config", "domain", "feed", "graphql", "service"]),
    (
        "http",
        &[
            "app::database_health",
            "app::protocol",
            "app::publications",
            "auth",
            "clock",
            "config",
            "domain",
            "feed",
            "graphql",
            "idgen",
            "lifecycle",
            "network",
            "publications",
            "telemetry",
            "text",
        ],
    ),
];

/// The modules whose files import each other in no circle.
const WITHOUT_CIRCLES: &[&str] = &[
    "app",
    "auth",
    "config",
    "demo",
    "domain",
    "encryption",
    "feed",
    "graphql",
    "http",
    "jobs",
    "publications",
    "store",
    "text",
    "webhooks",
];

/// The modules that may use the database of the app.
const USERS_OF_STORE: &[&str] = &["app", "feed", "store"];

/// A feature of `app`, and the features that it may import. Together they have no circle.
const ALLOWED_FEATURES: &[(&str, &[&str])] = &[
    ("meetings", &[]),
    ("notifications", &[]),
    ("personal_data", &[]),
    ("publications", &["meetings"]),
    ("questions", &["meetings", "notifications"]),
    ("protocol", &["meetings"]),
    ("regions", &[]),
    ("time_split", &["meetings"]),
    ("webhooks", &[]),
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
/// Visibilities are left out.
fn imported(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, prefix) in text.match_indices("crate::").filter(|(at, _)| !text[..*at].ends_with("(in ")) {
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

/// The source files of the service by their paths, such as `app::reads`, without comments and unit tests.
struct SourceTree {
    texts: BTreeMap<String, String>,
    /// The full paths of names that a module re-exports from its files.
    reexports: BTreeMap<String, String>,
}

impl SourceTree {
    fn read(src: &Path) -> Self {
        let mut texts = BTreeMap::new();
        for file in files(src).into_iter().filter(|file| !file.to_string_lossy().ends_with("tests.rs")) {
            let path = file.strip_prefix(src).unwrap().with_extension("");
            let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
            let text = std::fs::read_to_string(&file).unwrap();
            let code = without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            texts.insert(parts.join("::"), code.collect::<Vec<_>>().join("\n"));
        }
        Self::of(texts)
    }

    fn of(texts: BTreeMap<String, String>) -> Self {
        let mut reexports = BTreeMap::new();
        for (module, text) in &texts {
            let mut paths = Vec::new();
            for (at, prefix) in text.match_indices("pub use ") {
                read_paths(&text[at + prefix.len()..], module, &mut paths);
            }
            for path in paths {
                let name = path.rsplit("::").next().unwrap();
                // Other re-exports are of other crates.
                if texts.keys().any(|file| *file != *module && is_within(file, module) && is_within(&path, file)) {
                    reexports.insert(format!("{module}::{name}"), path);
                }
            }
        }
        Self { texts, reexports }
    }

    /// Returns the file that defines what a path names.
    fn file_of(&self, path: &str) -> Option<&str> {
        let mut prefix = path;
        loop {
            // Files first: a file may define what has its name, and be re-exported with it.
            if let Some((file, _)) = self.texts.get_key_value(prefix) {
                return Some(file);
            }
            if let Some(target) = self.reexports.get(prefix) {
                return self.file_of(target);
            }
            prefix = prefix.rsplit_once("::")?.0;
        }
    }

    /// Returns the imports among the files of a module that are in a circle, or lead from one circle to another.
    fn circles(&self, module: &str) -> BTreeSet<(&str, &str)> {
        let mut imports = BTreeSet::new();
        for (file, text) in self.texts.iter().filter(|(file, _)| is_within(file, module)) {
            let paths = imported(text);
            let targets = paths.iter().filter_map(|path| self.file_of(path));
            imports
                .extend(targets.filter(|target| *target != file && is_within(target, module)).map(|to| (&**file, to)));
        }
        // A file that imports none of the others, or is imported by none, is in no circle.
        loop {
            let importers: BTreeSet<_> = imports.iter().map(|(from, _)| *from).collect();
            let targets: BTreeSet<_> = imports.iter().map(|(_, to)| *to).collect();
            let count = imports.len();
            imports.retain(|(from, to)| targets.contains(from) && importers.contains(to));
            if imports.len() == count {
                return imports;
            }
        }
    }
}

#[test]
fn finds_circles_through_reexports() {
    let texts = [
        ("app", "pub use reads::{Reads, Slice};\npub use time::time;\npub struct App;"),
        ("app::digest", "use crate::app::{reads::Slice, time};"),
        ("app::reads", "use crate::{app::App, store::Store};\nuse crate::app::time::Now;"),
        ("app::time", "use crate::app::Reads;"),
        ("store", "pub use sea_orm::Reads;\nuse crate::app::Reads;"),
    ];
    let tree = SourceTree::of(texts.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect());
    assert_eq!(tree.circles("app"), [("app::reads", "app::time"), ("app::time", "app::reads")].into());
    assert!(tree.circles("store").is_empty());
}

#[test]
fn files_of_a_module_do_not_import_each_other_in_a_circle() {
    let tree = SourceTree::read(&checkout().join("api/src"));
    for module in WITHOUT_CIRCLES {
        assert!(tree.texts.contains_key(*module), "there is no {module}");
        let circles = tree.circles(module);
        assert!(circles.is_empty(), "{circles:#?}");
    }
}

#[test]
fn only_app_and_feed_use_the_store_of_the_app() {
    let tree = SourceTree::read(&checkout().join("api/src"));
    for (module, _) in ALLOWED_IMPORTS.iter().filter(|(module, _)| !USERS_OF_STORE.contains(module)) {
        for (file, text) in tree.texts.iter().filter(|(file, _)| is_within(file, module)) {
            assert!(!text.contains("app.store.") && !text.contains("app().store."), "{file} uses the store");
        }
    }
}

#[test]
fn reads_the_paths_of_imports() {
    let text = "use crate::{\n    app::{App, reads::{Reads, StoreError as Error}},\n    clock::*, text,\n};\ncrate::feed::Hub::new()\npub(in crate::idgen) fn";
    let paths = imported(text);
    for path in ["app::App", "app::reads::Reads", "app::reads::StoreError", "text", "feed::Hub::new"] {
        assert!(paths.iter().any(|found| found == path), "{path} is not in {paths:?}");
    }
    assert!(!paths.contains(&"idgen".to_owned()), "a visibility is no import");
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
