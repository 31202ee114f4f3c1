//! Verification of the chains of the audit log, entry by entry.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use uuid::Uuid;

use crate::domain::audit::{ChainEntry, ChainHead, SHARD_BEGUN, SHARDS};

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// A column was changed.
    Changed,
    /// The entry before it is missing, or an entry was put between.
    Gap,
    /// The entry is not linked to the one before it.
    Unlinked,
    /// The chain has entries but no head, or entries after its head.
    BeyondHead,
    /// The entry to which the head points is missing or another one.
    Missing,
    /// The chain is not listed in the chain of chains.
    Unlisted,
    /// The chain is listed, but has neither entries nor a head.
    Removed,
}

/// The first bad entry of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenChain {
    /// The chain.
    pub shard: String,
    /// Position of the entry.
    pub seq: i64,
    /// Its id, or `None` if the entry is missing.
    pub id: Option<Uuid>,
    /// Its stored hash, or the one that the head names if the entry is missing.
    pub hash: String,
    /// What is wrong.
    pub fault: ChainFault,
}

impl fmt::Display for BrokenChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shard, seq, id, hash, fault } = self;
        let id = id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        let what = match fault {
            ChainFault::Changed => "the entry was changed",
            ChainFault::Gap => "the entry before it is missing, or one was inserted",
            ChainFault::Unlinked => "the entry before it is another one",
            ChainFault::BeyondHead => "the chain ends before it",
            ChainFault::Missing => "the end of the chain is missing",
            ChainFault::Unlisted => "the chain is not listed",
            ChainFault::Removed => "the whole chain is missing",
        };
        write!(f, "shard {shard:?} seq {seq} id {id} hash {hash}: {what}")
    }
}

impl std::error::Error for BrokenChain {}

/// Verifies entries in the order of shards and positions, against the heads of the same moment.
#[derive(Debug)]
pub struct ChainVerifier {
    /// The heads of chains whose entries were not read yet.
    heads: BTreeMap<String, ChainHead>,
    /// The chain that is being read: its shard, and its newest entry so far.
    current: Option<(String, ChainHead)>,
    listed: BTreeSet<String>,
    read: BTreeSet<String>,
    entries: u64,
}

impl ChainVerifier {
    /// Starts with the heads of all chains.
    #[must_use]
    pub fn new(heads: BTreeMap<String, ChainHead>) -> Self {
        Self { heads, current: None, listed: BTreeSet::new(), read: BTreeSet::new(), entries: 0 }
    }

    /// Verifies the next entry.
    ///
    /// # Errors
    /// The first bad entry.
    pub fn check(&mut self, entry: &ChainEntry) -> Result<(), BrokenChain> {
        let bad = |fault| Err(broken(entry, fault));
        if self.current.as_ref().is_none_or(|(shard, _)| *shard != entry.shard) {
            self.end_current()?;
            if !self.heads.contains_key(&entry.shard) {
                return bad(ChainFault::BeyondHead);
            }
            self.current = Some((entry.shard.clone(), ChainHead::default()));
        }
        let Some((_, last)) = &mut self.current else { return bad(ChainFault::BeyondHead) };
        if entry.hash != entry.computed_hash() {
            return bad(ChainFault::Changed);
        }
        if entry.seq != last.seq.saturating_add(1) {
            return bad(ChainFault::Gap);
        }
        if entry.previous_hash != last.hash {
            return bad(ChainFault::Unlinked);
        }
        if self.heads.get(&entry.shard).is_none_or(|head| entry.seq > head.seq) {
            return bad(ChainFault::BeyondHead);
        }
        *last = ChainHead { seq: entry.seq, hash: entry.hash.clone() };
        if entry.shard == SHARDS && entry.action == SHARD_BEGUN {
            self.listed.extend(entry.detail.clone());
        }
        self.entries = self.entries.saturating_add(1);
        Ok(())
    }

    /// Verifies that nothing is missing at the ends, and returns the number of entries.
    ///
    /// # Errors
    /// The first bad entry.
    pub fn finish(mut self) -> Result<u64, BrokenChain> {
        self.end_current()?;
        if let Some((shard, head)) = self.heads.pop_first() {
            let ChainHead { seq, hash } = head;
            return Err(BrokenChain { shard, seq, id: None, hash, fault: ChainFault::Missing });
        }
        let whole =
            |shard: &String, fault| BrokenChain { shard: shard.clone(), seq: 1, id: None, hash: String::new(), fault };
        let read: BTreeSet<String> = self.read.into_iter().filter(|shard| shard != SHARDS).collect();
        if let Some(shard) = self.listed.difference(&read).next() {
            return Err(whole(shard, ChainFault::Removed));
        }
        if let Some(shard) = read.difference(&self.listed).next() {
            return Err(whole(shard, ChainFault::Unlisted));
        }
        Ok(self.entries)
    }

    /// Compares the end of the chain that was read with its head.
    fn end_current(&mut self) -> Result<(), BrokenChain> {
        let Some((shard, last)) = self.current.take() else { return Ok(()) };
        let head = self.heads.remove(&shard).unwrap_or_default();
        if head != last {
            let ChainHead { seq, hash } = head;
            return Err(BrokenChain { shard, seq, id: None, hash, fault: ChainFault::Missing });
        }
        self.read.insert(shard);
        Ok(())
    }
}

fn broken(entry: &ChainEntry, fault: ChainFault) -> BrokenChain {
    let ChainEntry { shard, seq, id, hash, .. } = entry;
    BrokenChain { shard: shard.clone(), seq: *seq, id: Some(*id), hash: hash.clone(), fault }
}
