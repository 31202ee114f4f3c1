//! Search of units by name: every search term must start a word of a name, in Kazakh or in Russian.
//!
//! An index of words leads to the units. Sets of units are bit sets, so that common words cost as little as rare ones.

use std::{collections::BTreeMap, ops::Range};

use crate::domain::{
    normalization::{normalize_for_search, terms},
    regions::{Unit, UnitNode},
};

/// Normalised search terms, none of which is a prefix of another.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct SearchTerms(Vec<String>);

impl SearchTerms {
    /// Returns the terms of a text, or `None` if it is blank.
    pub(in crate::domain::regions) fn of(text: &str) -> Option<Self> {
        let mut words = terms(text);
        // In sorted order a prefix directly precedes the longer terms, which imply it.
        words.sort_unstable();
        let next: Vec<_> = words.iter().skip(1).cloned().map(Some).chain([None]).collect();
        let needed = words.into_iter().zip(next);
        let words: Vec<_> = needed
            .filter(|(word, next)| !next.as_ref().is_some_and(|next| next.starts_with(word.as_str())))
            .map(|(word, _)| word)
            .collect();
        (!words.is_empty()).then_some(Self(words))
    }
}

/// A set of units.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct UnitSet(Vec<u64>);

impl UnitSet {
    fn none(units: usize) -> Self {
        Self(vec![0; units.div_ceil(64)])
    }

    fn add(&mut self, UnitNode(at): UnitNode) {
        if let Some(bits) = self.0.get_mut(at / 64) {
            *bits |= 1 << (at % 64);
        }
    }

    fn keep(&mut self, other: &Self) {
        for (bits, others) in self.0.iter_mut().zip(&other.0) {
            *bits &= others;
        }
    }

    pub(in crate::domain::regions) fn holds(&self, UnitNode(at): UnitNode) -> bool {
        self.0.get(at / 64).is_some_and(|bits| bits & (1 << (at % 64)) != 0)
    }

    /// Returns the units in a range, in tree order.
    pub(in crate::domain::regions) fn within(&self, range: Range<usize>) -> impl Iterator<Item = UnitNode> {
        let blocks = range.start / 64..range.end.div_ceil(64).min(self.0.len()).max(range.start / 64);
        let first = blocks.start;
        let blocks = self.0.get(blocks).unwrap_or_default().iter().enumerate();
        let all = blocks.flat_map(move |(block, bits)| {
            let bits = std::iter::successors(Some(*bits).filter(|bits| *bits != 0), |bits| {
                Some(bits & (bits - 1)).filter(|bits| *bits != 0)
            });
            bits.map(move |bits| (first + block) * 64 + usize::try_from(bits.trailing_zeros()).unwrap_or_default())
        });
        all.filter(move |at| range.contains(at)).map(UnitNode)
    }
}

/// Sorted words of all names with the units whose names contain them.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct WordIndex {
    words: Vec<(Box<str>, Vec<UnitNode>)>,
    units: usize,
}

impl WordIndex {
    /// Builds the index of units in tree order.
    pub(in crate::domain::regions) fn of<'a>(units: impl Iterator<Item = (UnitNode, &'a Unit)>) -> Self {
        let mut words: BTreeMap<Box<str>, Vec<UnitNode>> = BTreeMap::new();
        let mut count = 0;
        for (node, unit) in units {
            count += 1;
            for name in [&unit.names.kk, &unit.names.ru] {
                for word in normalize_for_search(name).split_whitespace() {
                    match words.get_mut(word) {
                        Some(nodes) if nodes.last() == Some(&node) => {}
                        Some(nodes) => nodes.push(node),
                        None => {
                            words.insert(word.into(), vec![node]);
                        }
                    }
                }
            }
        }
        Self { words: words.into_iter().collect(), units: count }
    }

    /// Returns the units whose names contain a word with each term as prefix.
    pub(in crate::domain::regions) fn find(&self, SearchTerms(terms): &SearchTerms) -> UnitSet {
        let mut all: Option<UnitSet> = None;
        for term in terms {
            let mut found = UnitSet::none(self.units);
            for (_, nodes) in self.beginning_with(term) {
                nodes.iter().for_each(|node| found.add(*node));
            }
            all = Some(match all {
                None => found,
                Some(mut all) => {
                    all.keep(&found);
                    all
                }
            });
        }
        all.unwrap_or_else(|| UnitSet::none(self.units))
    }

    fn beginning_with(&self, term: &str) -> &[(Box<str>, Vec<UnitNode>)] {
        let from = self.words.partition_point(|(word, _)| &**word < term);
        let rest = self.words.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|(word, _)| word.starts_with(term))).unwrap_or_default()
    }
}
