//! Operations that are known by an identity: those of a manifest, and those that clients have registered (automatic persisted
//! queries). With a safelist the public runs only what the manifest lists.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use async_graphql::parser::parse_query;
use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    config::Safelist,
    domain::viewer::Viewer,
    graphql::literals::normalized,
    http::{
        apq_cache::{ApqCache, Client},
        request::BadRequest,
    },
};

/// How long a registered document may be, in bytes. A longer one runs, and is not kept.
const LONGEST_REGISTERED: usize = 16 << 10;
/// How an identity begins that says that it is a hash.
const SHA256: &str = "sha256:";
/// The format of a manifest.
const FORMAT: &str = "apollo-persisted-query-manifest";

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// The file cannot be read.
    #[error("KEZDESU_OPERATIONS: the file cannot be read")]
    File(#[source] std::io::Error),
    /// It is not a manifest.
    #[error("KEZDESU_OPERATIONS: the file is not a manifest of persisted operations, version 1")]
    Malformed,
    /// An operation is none.
    #[error("KEZDESU_OPERATIONS: what the identity {0} is given to cannot be parsed")]
    Document(String),
    /// Two operations have one identity.
    #[error("KEZDESU_OPERATIONS: the identity {0} is given to two operations")]
    Twice(String),
}

/// A document, and the hash that it came with, by which it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Found {
    pub(in crate::http) query: String,
    pub(in crate::http) hash: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// The documents that are known by an identity.
pub struct Documents {
    manifest: HashMap<String, Arc<str>>,
    listed: HashSet<Arc<str>>,
    safelist: Safelist,
    apq_cache: Mutex<ApqCache>,
}

impl Default for Documents {
    fn default() -> Self {
        Self { manifest: HashMap::new(), listed: HashSet::new(), safelist: Safelist::Off, apq_cache: Mutex::default() }
    }
}

impl Documents {
    /// The documents of a manifest, in the format of Apollo's.
    ///
    /// # Errors
    /// When there is a file and it is no manifest.
    pub fn read(manifest: Option<&Path>, safelist: Safelist) -> Result<Self, BadManifest> {
        let Some(path) = manifest else { return Ok(Self { safelist, ..Self::default() }) };
        Self::parse(&std::fs::read(path).map_err(BadManifest::File)?, safelist)
    }

    fn parse(bytes: &[u8], safelist: Safelist) -> Result<Self, BadManifest> {
        let read: Manifest = serde_json::from_slice(bytes).map_err(|_| BadManifest::Malformed)?;
        if read.format != FORMAT || read.version != 1 {
            return Err(BadManifest::Malformed);
        }
        let mut documents = Self { safelist, ..Self::default() };
        for Operation { id, body } in read.operations {
            if parse_query(normalized(&body)).is_err() {
                return Err(BadManifest::Document(id));
            }
            let body: Arc<str> = body.into();
            documents.listed.insert(Arc::clone(&body));
            if documents.manifest.insert(id.clone(), Arc::clone(&body)).is_some_and(|other| other != body) {
                return Err(BadManifest::Twice(id));
            }
        }
        Ok(documents)
    }

    /// The document that a request means: its own, or the one that is known by the identity it names.
    pub(in crate::http) fn find(&self, query: Option<String>, id: Option<&str>) -> Result<Found, BadRequest> {
        match (query, id) {
            (Some(query), None) => Ok(Found { query, hash: None }),
            (None, None) => Err(BadRequest::new("request-no-query")),
            (None, Some(id)) => {
                let known = self.known(id).map(|body| Found { query: (*body).to_owned(), hash: None });
                known.ok_or(BadRequest::UnknownHash)
            }
            (Some(query), Some(id)) => {
                if self.manifest.get(id).is_some_and(|body| **body == *query) {
                    return Ok(Found { query, hash: None });
                }
                let hash = sha256(&query);
                if !hash.eq_ignore_ascii_case(hash_in(id)) {
                    return Err(BadRequest::new("request-hash"));
                }
                Ok(Found { query, hash: Some(hash) })
            }
        }
    }

    /// Keeps a document that a client sent with its hash: once it is known that it may run, so that nobody fills the place with what
    /// never does.
    pub(in crate::http) fn keep(&self, client: &Client, hash: &str, document: &str) {
        if document.len() <= LONGEST_REGISTERED {
            self.apq_cache.lock().keep(client, hash, document);
        }
    }

    fn known(&self, id: &str) -> Option<Arc<str>> {
        let listed = self.manifest.get(id).or_else(|| self.manifest.get(hash_in(id))).cloned();
        listed.or_else(|| self.apq_cache.lock().get(&hash_in(id).to_ascii_lowercase()))
    }

    /// Whether a caller may run a document: everybody where there is no safelist, else staff anything and the public what is listed.
    pub(in crate::http) fn may_run(&self, viewer: &Viewer, document: &str) -> bool {
        match self.safelist {
            Safelist::Off => true,
            Safelist::Public => !viewer.is_public() || self.listed.contains(document),
        }
    }
}

fn hash_in(id: &str) -> &str {
    id.strip_prefix(SHA256).unwrap_or(id)
}

fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_that_is_none_is_refused_by_what_is_wrong() {
        let parse =
            |text: &str| Documents::parse(text.as_bytes(), Safelist::Off).map(drop).map_err(|bad| bad.to_string());
        assert!(parse("{").unwrap_err().contains("not a manifest"));
        assert!(parse(r#"{"format":"other","version":1,"operations":[]}"#).unwrap_err().contains("not a manifest"));
        let twice = r#"{"format":"apollo-persisted-query-manifest","version":1,
            "operations":[{"id":"a","body":"{x}"},{"id":"a","body":"{y}"}]}"#;
        assert!(parse(twice).unwrap_err().ends_with("the identity a is given to two operations"));
        assert!(parse(&twice.replace("{y}", "{x}")).is_ok());
        let none = parse(&twice.replace("{y}", "{{{")).unwrap_err();
        assert!(none.ends_with("what the identity a is given to cannot be parsed"), "{none}");
    }

    #[test]
    fn a_hash_is_found_whether_or_not_it_says_that_it_is_one() {
        let hash = sha256("{x}");
        let manifest = json!({ "format": FORMAT, "version": 1, "operations": [{ "id": hash, "body": "{x}" }] });
        let documents = Documents::parse(manifest.to_string().as_bytes(), Safelist::Off).unwrap();
        for id in [hash.clone(), format!("{SHA256}{hash}")] {
            assert_eq!(documents.find(None, Some(&id)).map(|found| found.query).as_deref(), Ok("{x}"));
        }
    }

    #[test]
    fn keeps_no_document_that_is_too_long() {
        let documents = Documents::default();
        let known = |text: &str| documents.find(None, Some(&sha256(text).to_uppercase())).map(|found| found.query);
        for (length, kept) in [(LONGEST_REGISTERED, true), (LONGEST_REGISTERED + 1, false)] {
            let text = "x".repeat(length);
            documents.keep(&Client::Unknown, &sha256(&text), &text);
            assert_eq!(known(&text).is_ok(), kept, "{length}");
        }
    }
}
