//! Verifies the audit log.

use crate::{
    domain::audit_chain::{BrokenChain, ChainVerifier},
    store::{Store, StoreError},
};

/// Entries that are read at once.
const PAGE: u64 = 1_000;

/// Verifies all chains of the audit log, page by page, while others may append to them. Returns the number of entries, or the
/// first bad one.
///
/// # Errors
/// When the database fails.
pub async fn verify(store: &Store) -> Result<Result<u64, BrokenChain>, StoreError> {
    let snapshot = store.audit_snapshot().await?;
    let mut verifier = ChainVerifier::new(snapshot.heads().await?);
    let mut after: Option<(String, i64)> = None;
    loop {
        let page = snapshot.entries(after.as_ref().map(|(shard, seq)| (shard.as_str(), *seq)), PAGE).await?;
        let Some(last) = page.last() else { return Ok(verifier.finish()) };
        after = Some((last.shard.clone(), last.seq));
        if let Some(broken) = page.iter().find_map(|entry| verifier.check(entry).err()) {
            return Ok(Err(broken));
        }
    }
}
