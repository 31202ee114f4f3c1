//! The immutable tree of units of one period.
//!
//! Units are sorted by code. Codes start with the segments of their parent's code, so this is nested-set order: all
//! descendants of a unit directly follow it.

use std::{collections::HashMap, ops::Range};

use entities::{enums::RegionKind, kato::KatoCode};

use crate::domain::regions::{
    Unit, UnitNode,
    search::{SearchTerms, WordIndex},
};

/// Why units do not form a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// There are no units.
    #[error("there are no units")]
    Empty,
    /// Two units have the same code.
    #[error("the code {0} is there twice")]
    Doubled(KatoCode),
    /// A unit's parent does not exist or does not precede it.
    #[error("the unit {0} has no parent {1}")]
    NoParent(KatoCode, KatoCode),
}

#[derive(Clone, Debug)]
struct TreeEntry {
    unit: Unit,
    parent: Option<UnitNode>,
    /// Index after the last descendant.
    end: usize,
}

/// The tree of units of one period.
#[derive(Clone, Debug)]
pub struct Tree {
    entries: Vec<TreeEntry>,
    by_code: HashMap<KatoCode, UnitNode>,
    words: WordIndex,
    /// Kind and akim of each unit, in one compact array for full scans.
    traits: Vec<(RegionKind, bool)>,
}

/// Filter of units. All given conditions must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnitFilter<'a> {
    /// Direct children of this unit.
    pub parent: Option<KatoCode>,
    /// Descendants of this unit.
    pub within: Option<KatoCode>,
    /// Any of these kinds.
    pub kinds: Option<&'a [RegionKind]>,
    /// With or without an akim.
    pub has_akim: Option<bool>,
    /// Names with words that start with the words of this text.
    pub search: Option<&'a str>,
}

impl UnitFilter<'_> {
    /// Returns whether every unit within `within` passes the filter.
    const fn is_unfiltered(&self) -> bool {
        self.parent.is_none() && self.kinds.is_none() && self.has_akim.is_none() && self.search.is_none()
    }
}

/// A request for a page of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPageRequest {
    /// Only units after this code.
    pub after: Option<KatoCode>,
    /// Only units before this code.
    pub before: Option<KatoCode>,
    /// Number of units.
    pub limit: usize,
    /// Whether the page is taken from the end.
    pub backward: bool,
}

/// A page of units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPage {
    /// The units, in tree order.
    pub nodes: Vec<UnitNode>,
    /// Whether units follow.
    pub has_next: bool,
    /// Whether units precede.
    pub has_previous: bool,
    /// Number of units that pass the filter.
    pub total: usize,
}

impl Tree {
    /// Builds the tree.
    ///
    /// # Errors
    /// When the units do not form a tree.
    pub fn build(mut units: Vec<Unit>) -> Result<Self, TreeError> {
        if units.is_empty() {
            return Err(TreeError::Empty);
        }
        units.sort_by_key(|unit| unit.code);
        let mut entries: Vec<TreeEntry> = Vec::with_capacity(units.len());
        let mut by_code = HashMap::with_capacity(units.len());
        for unit in units {
            let node = UnitNode(entries.len());
            let parent = match unit.parent {
                None => None,
                Some(code) => {
                    let (first, last) = code.subtree();
                    let above = by_code.get(&code).copied().filter(|_| (first..=last).contains(&unit.code));
                    Some(above.ok_or(TreeError::NoParent(unit.code, code))?)
                }
            };
            if by_code.insert(unit.code, node).is_some() {
                return Err(TreeError::Doubled(unit.code));
            }
            entries.push(TreeEntry { unit, parent, end: node.0 + 1 });
        }
        // From the back, so that each unit's end is final before it extends its parent's.
        for index in (0..entries.len()).rev() {
            let Some(TreeEntry { parent: Some(UnitNode(parent)), end, .. }) = entries.get(index) else { continue };
            let (parent, end) = (*parent, *end);
            if let Some(above) = entries.get_mut(parent) {
                above.end = above.end.max(end);
            }
        }
        let words = WordIndex::of(entries.iter().enumerate().map(|(index, entry)| (UnitNode(index), &entry.unit)));
        let traits = entries.iter().map(|entry| (entry.unit.kind, entry.unit.has_akim)).collect();
        Ok(Self { entries, by_code, words, traits })
    }

    /// Returns the number of units.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no units, which is never the case.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the index of a unit.
    #[must_use]
    pub fn get(&self, code: KatoCode) -> Option<UnitNode> {
        self.by_code.get(&code).copied()
    }

    /// Returns the unit at an index.
    #[must_use]
    pub fn unit(&self, node: UnitNode) -> Option<&Unit> {
        self.entries.get(node.0).map(|entry| &entry.unit)
    }

    /// Returns all units in tree order.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.entries.iter().map(|entry| &entry.unit)
    }

    /// Returns the parent.
    #[must_use]
    pub fn parent(&self, node: UnitNode) -> Option<UnitNode> {
        self.entries.get(node.0)?.parent
    }

    /// Returns all ancestors, root first.
    pub fn ancestors(&self, node: UnitNode) -> impl Iterator<Item = UnitNode> + use<> {
        let mut above: Vec<UnitNode> = std::iter::successors(self.parent(node), |node| self.parent(*node)).collect();
        above.reverse();
        above.into_iter()
    }

    /// Returns all descendants in tree order.
    pub fn descendants(&self, node: UnitNode) -> impl Iterator<Item = UnitNode> + use<> {
        self.below(node).map(UnitNode)
    }

    /// Returns the range of a unit's descendants.
    fn below(&self, node: UnitNode) -> Range<usize> {
        node.0 + 1..self.entries.get(node.0).map_or(0, |entry| entry.end)
    }

    /// Returns the children.
    pub fn children(&self, node: UnitNode) -> impl Iterator<Item = UnitNode> {
        let Range { start, end } = self.below(node);
        let entry = move |at: usize| (at < end).then_some(UnitNode(at));
        // The next child follows the last descendant of this one.
        std::iter::successors(entry(start), move |child| entry(self.entries.get(child.0)?.end))
    }

    /// Returns whether `code` is `above` or a descendant of it.
    #[must_use]
    pub fn covers(&self, above: KatoCode, code: KatoCode) -> bool {
        match (self.get(above), self.get(code)) {
            (Some(above), Some(node)) => {
                self.entries.get(above.0).is_some_and(|entry| (above.0..entry.end).contains(&node.0))
            }
            _ => false,
        }
    }

    /// Returns a page of the units that pass a filter, in tree order.
    #[must_use]
    pub fn page(&self, query: &UnitFilter<'_>, request: UnitPageRequest) -> UnitPage {
        if query.is_unfiltered() {
            let range = self.range(query);
            return self.slice(range.len(), |at| UnitNode(range.start + at), request);
        }
        let all = self.select(query);
        self.slice(all.len(), |at| all.get(at).copied().unwrap_or(UnitNode(usize::MAX)), request)
    }

    /// Cuts a page out of `total` units in tree order, where `node` returns each.
    fn slice(&self, total: usize, node: impl Fn(usize) -> UnitNode, request: UnitPageRequest) -> UnitPage {
        let UnitPageRequest { after, before, limit, backward } = request;
        let code = |at: usize| self.entries.get(node(at).0).map(|entry| entry.unit.code);
        let begin = after.map_or(0, |after| partition_point(total, |at| code(at) <= Some(after)));
        let end = before.map_or(total, |before| partition_point(total, |at| code(at) < Some(before))).max(begin);
        let cut = (end - begin).saturating_sub(limit);
        let shown = if backward { begin + cut..end } else { begin..end - cut };
        let (has_next, has_previous) =
            if backward { (end < total, cut > 0 || begin > 0) } else { (cut > 0 || end < total, begin > 0) };
        UnitPage { nodes: shown.map(node).collect(), has_next, has_previous, total }
    }

    /// Returns all units that pass a filter, in tree order.
    #[must_use]
    pub fn select(&self, query: &UnitFilter<'_>) -> Vec<UnitNode> {
        let range = self.range(query);
        let parent = query.parent.map(|code| self.get(code));
        let found = query.search.and_then(SearchTerms::of).map(|terms| self.words.find(&terms));
        let wanted = |node: &UnitNode| {
            self.traits.get(node.0).is_some_and(|(kind, has_akim)| {
                query.kinds.is_none_or(|kinds| kinds.contains(kind))
                    && query.has_akim.is_none_or(|has| *has_akim == has)
                    && parent.is_none_or(|parent| self.parent(*node) == parent)
            })
        };
        // Scans the smallest candidate set: children, search results, or the whole range.
        match (parent.flatten(), query.within, &found) {
            (Some(parent), None, found) => {
                let found = |node: &UnitNode| found.as_ref().is_none_or(|found| found.holds(*node));
                self.children(parent).filter(found).filter(wanted).collect()
            }
            (_, _, Some(found)) => found.within(range).filter(wanted).collect(),
            (_, _, None) => range.map(UnitNode).filter(wanted).collect(),
        }
    }

    /// Returns the range that contains all units that pass a filter.
    fn range(&self, query: &UnitFilter<'_>) -> Range<usize> {
        match query.within.or(query.parent).map(|code| self.get(code)) {
            None => 0..self.entries.len(),
            Some(None) => 0..0,
            Some(Some(node)) => self.below(node),
        }
    }
}

/// Returns the first of `count` indexes for which a condition no longer holds, as for a sorted slice.
fn partition_point(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut to) = (0, count);
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) { from = middle + 1 } else { to = middle }
    }
    from
}

#[cfg(test)]
mod tests;
