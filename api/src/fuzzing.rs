//! Entry points of the fuzz targets (`fuzz/`). Compiled only for `cargo fuzz`, and for tests, which replay the corpus.
//!
//! Each function takes any bytes and panics if a property does not hold. It returns whether the input was valid.

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

    fn corpus(target: &str) -> Vec<PathBuf> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Replays the corpus of a target. Inputs named `good-…` must be accepted, those named `bad-…` rejected.
    fn replay(target: &str, run: fn(&[u8]) -> bool) {
        let (mut good, mut bad) = (0, 0);
        for file in corpus(target) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let is_good = run(&std::fs::read(&file).unwrap());
            assert!(!name.starts_with("good-") || is_good, "{target}/{name} was rejected");
            assert!(!name.starts_with("bad-") || !is_good, "{target}/{name} was accepted");
            *(if is_good { &mut good } else { &mut bad }) += 1;
        }
        assert!(good >= 5 && bad >= 5, "{target}: {good} good and {bad} bad inputs are too few");
    }

    #[test]
    fn replays_queries() {
        replay("query", query);
    }

    #[test]
    fn replays_frames() {
        replay("frames", frames);
    }

    #[test]
    fn replays_tokens() {
        replay("token", token);
    }

    #[test]
    fn replays_regions() {
        replay("regions", regions);
    }

    #[test]
    fn replays_identities() {
        replay("identity", identity);
    }
}
