//! Tests that verification finds any changed, removed, inserted or swapped entry of 10,000.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::domain::audit::{AuditActor, NewAuditEntry};

/// Entries in all chains.
const ENTRIES: usize = 10_000;
/// Hosts with a chain.
const HOSTS: usize = 7;

/// The audit log as the database holds it.
#[derive(Clone)]
struct Log {
    rows: Vec<ChainEntry>,
    heads: BTreeMap<String, ChainHead>,
}

fn new_entry(n: usize) -> NewAuditEntry {
    NewAuditEntry {
        id: Uuid::from_u128(u128::try_from(n).unwrap() << 32),
        at: DateTime::UNIX_EPOCH + TimeDelta::microseconds(i64::try_from(n).unwrap()),
        actor: AuditActor::Service,
        action: "applicant.read",
        subject: format!("reg_{n}"),
        detail: n.is_multiple_of(2).then(|| format!("detail {n}")),
    }
}

impl Log {
    fn of(entries: usize) -> Self {
        let mut log = Self { rows: Vec::new(), heads: BTreeMap::new() };
        for n in HOSTS..entries {
            let shard = format!("75111000{}", n % HOSTS);
            if !log.heads.contains_key(&shard) {
                log.append(SHARDS, &NewAuditEntry::shard_begun(&shard, DateTime::UNIX_EPOCH));
            }
            log.append(&shard, &new_entry(n));
        }
        log.sort();
        log
    }

    fn append(&mut self, shard: &str, entry: &NewAuditEntry) {
        let row = self.heads.entry(shard.to_owned()).or_default().append(shard, entry);
        self.rows.push(row);
    }

    /// Orders the rows as the database returns them.
    fn sort(&mut self) {
        self.rows.sort_by(|one, other| (&one.shard, one.seq).cmp(&(&other.shard, other.seq)));
    }

    fn verify(&self) -> Result<u64, BrokenChain> {
        let mut verifier = ChainVerifier::new(self.heads.clone());
        self.rows.iter().try_for_each(|row| verifier.check(row))?;
        verifier.finish()
    }
}

/// A short log, which each case damages.
static SHORT: LazyLock<Log> = LazyLock::new(|| Log::of(300));

/// Changes one column of a row.
fn change(row: &mut ChainEntry, column: usize) {
    match column {
        0 => row.shard.push('x'),
        1 => row.seq += 1_000_000,
        2 => row.id = Uuid::from_u128(row.id.as_u128() ^ 1),
        3 => row.at += TimeDelta::microseconds(1),
        4 => row.actor.push('x'),
        5 => row.action.push('x'),
        6 => row.subject.push('x'),
        7 => row.detail = if row.detail.is_some() { None } else { Some(String::new()) },
        8 => row.previous_hash.push('0'),
        _ => row.hash = "0".repeat(64),
    }
}
const COLUMNS: usize = 10;

#[test]
fn an_untouched_log_is_in_order() {
    assert_eq!(Log::of(ENTRIES).verify(), Ok(u64::try_from(ENTRIES).unwrap()));
    assert_eq!(Log { rows: Vec::new(), heads: BTreeMap::new() }.verify(), Ok(0));
}

#[test]
fn finds_each_row_that_is_changed_or_removed() {
    // Only the chain of the row and the ends are read anew, so that every row can be tried.
    let log = Log::of(ENTRIES);
    let chains: Vec<&[ChainEntry]> = log.rows.chunk_by(|one, other| one.shard == other.shard).collect();
    let mut tried = 0;
    for chain in chains {
        let heads: BTreeMap<_, _> = log.heads.iter().filter(|(shard, _)| **shard == chain[0].shard).collect();
        let heads: BTreeMap<String, ChainHead> =
            heads.into_iter().map(|(shard, head)| (shard.clone(), head.clone())).collect();
        for (at, row) in chain.iter().enumerate() {
            let previous = at.checked_sub(1).map(|at| &chain[at]);
            let head =
                previous.map_or_else(ChainHead::default, |row| ChainHead { seq: row.seq, hash: row.hash.clone() });
            let verifier = |heads: &BTreeMap<String, ChainHead>| {
                let mut verifier = ChainVerifier::new(heads.clone());
                verifier.current = Some((row.shard.clone(), head.clone()));
                verifier
            };
            assert_eq!(verifier(&heads).check(row), Ok(()));
            // One column of each row in turn, and all columns of some rows.
            let columns = if at.is_multiple_of(20) { 0..COLUMNS } else { at % COLUMNS..at % COLUMNS + 1 };
            for column in columns {
                let mut changed = row.clone();
                change(&mut changed, column);
                let found = verifier(&heads).check(&changed).unwrap_err();
                // In another shard, the end of its own is what is missing first.
                let named = (found.seq, found.id) == (changed.seq, Some(changed.id));
                assert!(named || (column == 0 && found.fault == ChainFault::Missing), "column {column} of {row:?}");
            }
            let mut without = verifier(&heads);
            let found = match chain.get(at + 1) {
                Some(next) => without.check(next).unwrap_err(),
                None => without.end_current().unwrap_err(),
            };
            assert!(matches!(found.fault, ChainFault::Gap | ChainFault::Missing), "{found:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, ENTRIES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn finds_any_damage_of_a_whole_log(at in 0_usize..300, other in 0_usize..300, kind in 0_usize..6, column in 0..COLUMNS) {
        let mut log = SHORT.clone();
        let row = log.rows[at].clone();
        match kind {
            0 => change(&mut log.rows[at], column),
            1 => drop(log.rows.remove(at)),
            2 => {
                // A copy, at a position of its own or of its neighbour.
                let seq = if column.is_multiple_of(2) { row.seq + 1 } else { row.seq + 1_000 };
                let mut copy = ChainEntry { id: Uuid::from_u128(7), seq, ..row };
                copy.hash = copy.computed_hash();
                log.rows.push(copy);
            }
            3 => {
                prop_assume!(at != other);
                let [one, two] = [at, other].map(|at| (log.rows[at].shard.clone(), log.rows[at].seq));
                (log.rows[at].shard, log.rows[at].seq) = two;
                (log.rows[other].shard, log.rows[other].seq) = one;
            }
            4 => {
                // A changed row with a new hash: the next row, or the head, still has the old one.
                log.rows[at].subject.push('x');
                log.rows[at].hash = log.rows[at].computed_hash();
            }
            _ => {
                // A whole chain, with its head.
                log.rows.retain(|other| other.shard != row.shard);
                log.heads.remove(&row.shard);
            }
        }
        log.sort();
        prop_assert!(log.verify().is_err());
    }

    #[test]
    fn no_two_entries_have_the_same_encoding(text in "[ab]{0,6}", cut in 0_usize..6, cut_again in 0_usize..6) {
        let split = |at: usize| {
            let (action, subject) = text.split_at(at.min(text.len()));
            let mut row = ChainHead::default().append("751110000", &new_entry(1));
            (row.action, row.subject) = (action.to_owned(), subject.to_owned());
            row.computed_hash()
        };
        prop_assert_eq!(split(cut) == split(cut_again), cut.min(text.len()) == cut_again.min(text.len()));
    }
}

#[test]
fn finds_what_is_wrong_with_heads() {
    let log = Log::of(300);
    let head = "751110003";
    let verify = |change: &dyn Fn(&mut Log)| {
        let mut changed = log.clone();
        change(&mut changed);
        changed.verify().unwrap_err().fault
    };
    assert_eq!(verify(&|log| drop(log.heads.remove(head))), ChainFault::BeyondHead);
    assert_eq!(verify(&|log| log.heads.get_mut(head).unwrap().seq -= 1), ChainFault::BeyondHead);
    assert_eq!(verify(&|log| log.heads.get_mut(head).unwrap().seq += 1), ChainFault::Missing);
    assert_eq!(verify(&|log| log.heads.get_mut(head).unwrap().hash.push('0')), ChainFault::Missing);
    assert_eq!(verify(&|log| log.rows.retain(|row| row.shard != head)), ChainFault::Missing);
    assert_eq!(
        verify(&|log| {
            log.rows.retain(|row| row.shard != head);
            log.heads.remove(head);
        }),
        ChainFault::Removed
    );
    assert_eq!(
        verify(&|log| {
            log.rows.retain(|row| row.shard != SHARDS);
            log.heads.remove(SHARDS);
        }),
        ChainFault::Unlisted
    );
}

#[test]
fn a_report_names_the_row() {
    let mut log = Log::of(300);
    let row = log.rows.last_mut().unwrap();
    row.detail = Some("canary".to_owned());
    let expected =
        format!("shard {:?} seq {} id {} hash {}: the entry was changed", row.shard, row.seq, row.id, row.hash);
    assert_eq!(log.verify().unwrap_err().to_string(), expected);
}
