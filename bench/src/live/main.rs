//! Costs of subscribing, posting and reading, as ratios to baselines of the same run. Writes `bench/RESULTS.md`.

mod bench_env;
mod fanout;
mod flood;
mod floors;
mod issues;
mod load;
mod post;
mod process;
mod query;
mod receptions;
mod replay;
mod webhooks;

use std::fmt::Write as _;

/// Lines of the table: what, measured, target.
pub type Lines = Vec<[String; 3]>;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let length = || arguments[2].parse().expect("a length");
    match arguments.get(1).map(String::as_str) {
        Some("floor") => floors::floor(length()).await,
        Some("plain") => floors::plain(length()).await,
        Some("bare") => floors::bare(length()).await,
        Some("load") => load::run(serde_json::from_str(&arguments[2]).expect("a configuration")).await,
        Some(part) => drop(measure(part).await),
        None => write(&measure("all").await),
    }
}

async fn measure(part: &str) -> Lines {
    let mut lines = Lines::new();
    let wanted = |name: &str| part == "all" || part == name;
    if wanted("fanout") {
        fanout::fanout(&mut lines).await;
    }
    if wanted("groups") {
        fanout::groups(&mut lines).await;
    }
    if wanted("edge") {
        fanout::edge(&mut lines).await;
    }
    if wanted("cold-join") {
        fanout::cold_join(&mut lines).await;
    }
    if wanted("post") {
        post::post(&mut lines).await;
    }
    if wanted("query") {
        query::query(&mut lines).await;
        query::search(&mut lines).await;
    }
    if wanted("issues") {
        issues::issues(&mut lines).await;
    }
    if wanted("replay") {
        replay::replays(&mut lines).await;
    }
    if wanted("webhooks") {
        webhooks::webhooks(&mut lines).await;
    }
    if wanted("receptions") {
        receptions::receptions(&mut lines).await;
    }
    if wanted("flood") {
        flood::flood(&mut lines).await;
    }
    lines
}

/// Adds a line and prints it.
pub fn line(lines: &mut Lines, what: impl Into<String>, figure: impl Into<String>, mark: &str) {
    let entry = [what.into(), figure.into(), mark.to_owned()];
    println!("{:<68} {:>16}   {}", entry[0], entry[1], entry[2]);
    lines.push(entry);
}

fn write(lines: &Lines) {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!(
        "# Results\n\n{}, {cores} cores ({}). Servers and load share them. Written by `make bench`.\n\n\
         | what | measured | target |\n|---|---:|---|\n",
        harness::external::now().format("%Y-%m-%d"),
        model.trim_start_matches([' ', '\t', ':']),
    );
    for [what, figure, mark] in lines {
        let _ = writeln!(text, "| {what} | {figure} | {mark} |");
    }
    // The notes below the table are written by hand and kept.
    let before = std::fs::read_to_string("bench/RESULTS.md").unwrap_or_default();
    if let Some(at) = before.find("\n## ") {
        text.push_str(&before[at..]);
    }
    std::fs::write("bench/RESULTS.md", text).expect("the results are written");
}
