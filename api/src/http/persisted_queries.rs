//! Persisted queries: operations of a manifest, and those that clients register (automatic persisted
//! queries). With a safelist, the public runs only operations of the manifest.

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
    graphql::literals::normalize_strings,
    http::{
        apq_cache::{ApqCache, ApqClient},
        bad_request::BadRequest,
    },
};

/// Maximum size of a document that is registered, in bytes. Longer ones run but are not stored.
const MAX_REGISTERED_BYTES: usize = 16 << 10;
/// Prefix of an id that is a SHA-256 hash.
const SHA256_PREFIX: &str = "sha256:";
/// The `format` of a manifest.
const MANIFEST_FORMAT: &str = "apollo-persisted-query-manifest";

/// Why a manifest is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("KEZDESU_OPERATIONS: the file cannot be read")]
    File(#[source] std::io::Error),
    /// The file is not a manifest.
    #[error("KEZDESU_OPERATIONS: the file is not a manifest of persisted operations, version 1")]
    Malformed,
    /// An operation cannot be parsed.
    #[error("KEZDESU_OPERATIONS: what the identity {0} is given to cannot be parsed")]
    InvalidDocument(String),
    /// Two operations have the same id.
    #[error("KEZDESU_OPERATIONS: the identity {0} is given to two operations")]
    DuplicateId(String),
}

/// A document, and the hash under which to register it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct ResolvedDocument {
    pub(in crate::http) query: String,
    pub(in crate::http) hash: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    operations: Vec<ManifestOperation>,
}

#[derive(Deserialize)]
struct ManifestOperation {
    id: String,
    body: String,
}

/// Persisted queries by id, and the safelist.
pub struct PersistedQueries {
    manifest: HashMap<String, Arc<str>>,
    listed: HashSet<Arc<str>>,
    safelist: Safelist,
    apq_cache: Mutex<ApqCache>,
}

impl Default for PersistedQueries {
    fn default() -> Self {
        Self { manifest: HashMap::new(), listed: HashSet::new(), safelist: Safelist::Off, apq_cache: Mutex::default() }
    }
}

impl PersistedQueries {
    /// Loads a manifest in Apollo's format.
    ///
    /// # Errors
    /// When the file cannot be read or is not a manifest.
    pub fn load(manifest: Option<&Path>, safelist: Safelist) -> Result<Self, ManifestError> {
        let Some(path) = manifest else { return Ok(Self { safelist, ..Self::default() }) };
        Self::parse(&std::fs::read(path).map_err(ManifestError::File)?, safelist)
    }

    fn parse(bytes: &[u8], safelist: Safelist) -> Result<Self, ManifestError> {
        let read: Manifest = serde_json::from_slice(bytes).map_err(|_| ManifestError::Malformed)?;
        if read.format != MANIFEST_FORMAT || read.version != 1 {
            return Err(ManifestError::Malformed);
        }
        let mut queries = Self { safelist, ..Self::default() };
        for ManifestOperation { id, body } in read.operations {
            if parse_query(normalize_strings(&body)).is_err() {
                return Err(ManifestError::InvalidDocument(id));
            }
            let body: Arc<str> = body.into();
            queries.listed.insert(Arc::clone(&body));
            if queries.manifest.insert(id.clone(), Arc::clone(&body)).is_some_and(|other| other != body) {
                return Err(ManifestError::DuplicateId(id));
            }
        }
        Ok(queries)
    }

    /// Returns the document of a request: its own, or the one that its id names.
    pub(in crate::http) fn resolve(
        &self,
        query: Option<String>,
        id: Option<&str>,
    ) -> Result<ResolvedDocument, BadRequest> {
        match (query, id) {
            (Some(query), None) => Ok(ResolvedDocument { query, hash: None }),
            (None, None) => Err(BadRequest::new("request-no-query")),
            (None, Some(id)) => {
                let known = self.lookup(id).map(|body| ResolvedDocument { query: (*body).to_owned(), hash: None });
                known.ok_or(BadRequest::UnknownHash)
            }
            (Some(query), Some(id)) => {
                if self.manifest.get(id).is_some_and(|body| **body == *query) {
                    return Ok(ResolvedDocument { query, hash: None });
                }
                let hash = sha256(&query);
                if !hash.eq_ignore_ascii_case(strip_hash_prefix(id)) {
                    return Err(BadRequest::new("request-hash"));
                }
                Ok(ResolvedDocument { query, hash: Some(hash) })
            }
        }
    }

    /// Registers a document under its hash. Call this only after validation, so that invalid documents do not
    /// fill the cache.
    pub(in crate::http) fn register(&self, client: &ApqClient, hash: &str, document: &str) {
        if document.len() <= MAX_REGISTERED_BYTES {
            self.apq_cache.lock().register(client, hash, document);
        }
    }

    fn lookup(&self, id: &str) -> Option<Arc<str>> {
        let listed = self.manifest.get(id).or_else(|| self.manifest.get(strip_hash_prefix(id))).cloned();
        listed.or_else(|| self.apq_cache.lock().get(&strip_hash_prefix(id).to_ascii_lowercase()))
    }

    /// Returns whether the viewer may run a document. With a safelist, the public may run only listed ones.
    pub(in crate::http) fn allows(&self, viewer: &Viewer, document: &str) -> bool {
        match self.safelist {
            Safelist::Off => true,
            Safelist::Public => !viewer.is_public() || self.listed.contains(document),
        }
    }
}

fn strip_hash_prefix(id: &str) -> &str {
    id.strip_prefix(SHA256_PREFIX).unwrap_or(id)
}

fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rejects_a_bad_manifest_with_its_reason() {
        let parse = |text: &str| {
            PersistedQueries::parse(text.as_bytes(), Safelist::Off).map(drop).map_err(|bad| bad.to_string())
        };
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
    fn finds_a_hash_with_and_without_its_prefix() {
        let hash = sha256("{x}");
        let manifest =
            json!({ "format": MANIFEST_FORMAT, "version": 1, "operations": [{ "id": hash, "body": "{x}" }] });
        let queries = PersistedQueries::parse(manifest.to_string().as_bytes(), Safelist::Off).unwrap();
        for id in [hash.clone(), format!("{SHA256_PREFIX}{hash}")] {
            assert_eq!(queries.resolve(None, Some(&id)).map(|found| found.query).as_deref(), Ok("{x}"));
        }
    }

    #[test]
    fn does_not_register_documents_that_are_too_long() {
        let queries = PersistedQueries::default();
        let known = |text: &str| queries.resolve(None, Some(&sha256(text).to_uppercase())).map(|found| found.query);
        for (length, kept) in [(MAX_REGISTERED_BYTES, true), (MAX_REGISTERED_BYTES + 1, false)] {
            let text = "x".repeat(length);
            queries.register(&ApqClient::Unknown, &sha256(&text), &text);
            assert_eq!(known(&text).is_ok(), kept, "{length}");
        }
    }
}
