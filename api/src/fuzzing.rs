//! The door for the fuzz targets (`fuzz/`), one function each. Not of the product: it is there only where `cargo fuzz` builds, and in
//! tests, which put every input that is kept through its target once more.
//!
//! A function takes any bytes, fails by a panic where something does not hold that must, and else tells whether the input was good.

pub use crate::{
    app::regions::fuzzing::regions,
    auth::fuzzing::token,
    graphql::fuzzing::{identity, query},
    http::fuzzing::frames,
};

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn kept(target: &str) -> Vec<PathBuf> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Puts every kept input through its target. Those whose name begins so must be good, or must be refused.
    fn replay(target: &str, run: fn(&[u8]) -> bool) {
        let (mut good, mut bad) = (0, 0);
        for file in kept(target) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let is_good = run(&std::fs::read(&file).unwrap());
            assert!(!name.starts_with("good-") || is_good, "{target}/{name} was refused");
            assert!(!name.starts_with("bad-") || !is_good, "{target}/{name} was let through");
            *(if is_good { &mut good } else { &mut bad }) += 1;
        }
        assert!(good >= 5 && bad >= 5, "{target}: {good} good ones and {bad} bad ones show too little");
    }

    #[test]
    fn kept_queries_are_held_to_the_limits() {
        replay("query", query);
    }

    #[test]
    fn kept_talks_are_held_to_the_protocol() {
        replay("frames", frames);
    }

    #[test]
    fn kept_tokens_are_known_only_where_they_are_signed() {
        replay("token", token);
    }

    #[test]
    fn kept_region_files_are_trees_or_refused() {
        replay("regions", regions);
    }

    #[test]
    fn kept_identities_have_one_form() {
        replay("identity", identity);
    }
}
