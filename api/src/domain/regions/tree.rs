//! The tree: small, read by everything, immutable.
//!
//! Units stand in the order of their codes, which is nested-set order, because a code begins with its parent's segments:
//! whatever lies below a unit stands directly after it.

use std::{collections::HashMap, ops::Range};

use entities::{enums::RegionKind, kato::KatoCode};

use crate::domain::regions::{
    Unit,
    search::{SearchTerms, WordIndex},
};

/// A place in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub(in crate::domain::regions) usize);

/// Why units do not make a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTree {
    /// There are none.
    #[error("there are no units")]
    Empty,
    /// Two units have one code.
    #[error("the code {0} is there twice")]
    Doubled(KatoCode),
    /// A unit names a parent that does not stand above it.
    #[error("the unit {0} has no parent {1}")]
    NoParent(KatoCode, KatoCode),
}

#[derive(Clone, Debug)]
struct Place {
    unit: Unit,
    parent: Option<Node>,
    /// The first place after everything below.
    end: usize,
}

/// The units of one time.
#[derive(Clone, Debug)]
pub struct Tree {
    places: Vec<Place>,
    by_code: HashMap<KatoCode, Node>,
    words: WordIndex,
    /// What selections ask of each unit, close together: a selection may look at all of them.
    traits: Vec<(RegionKind, bool)>,
}

/// Which units are wanted. Every part that is given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    /// Directly below this unit.
    pub parent: Option<KatoCode>,
    /// Anywhere below this unit.
    pub within: Option<KatoCode>,
    /// Of one of these kinds.
    pub kinds: Option<&'a [RegionKind]>,
    /// With or without an akim.
    pub has_akim: Option<bool>,
    /// With names that hold these words.
    pub search: Option<&'a str>,
}

impl Query<'_> {
    /// Whether everything within is let through.
    const fn takes_all(&self) -> bool {
        self.parent.is_none() && self.kinds.is_none() && self.has_akim.is_none() && self.search.is_none()
    }
}

/// Where a page of units lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Only units after this one.
    pub after: Option<KatoCode>,
    /// Only units before this one.
    pub before: Option<KatoCode>,
    /// How many.
    pub limit: usize,
    /// Whether they are counted from the end.
    pub backward: bool,
}

/// A page of units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The units, in order.
    pub nodes: Vec<Node>,
    /// Whether units follow.
    pub has_next: bool,
    /// Whether units go before.
    pub has_previous: bool,
    /// How many units the query lets through.
    pub total: usize,
}

impl Tree {
    /// Makes a tree.
    ///
    /// # Errors
    /// When the units do not make one.
    pub fn build(mut units: Vec<Unit>) -> Result<Self, BadTree> {
        if units.is_empty() {
            return Err(BadTree::Empty);
        }
        units.sort_by_key(|unit| unit.code);
        let mut places: Vec<Place> = Vec::with_capacity(units.len());
        let mut by_code = HashMap::with_capacity(units.len());
        for unit in units {
            let node = Node(places.len());
            let parent = match unit.parent {
                None => None,
                Some(code) => {
                    let (first, last) = code.subtree();
                    let above = by_code.get(&code).copied().filter(|_| (first..=last).contains(&unit.code));
                    Some(above.ok_or(BadTree::NoParent(unit.code, code))?)
                }
            };
            if by_code.insert(unit.code, node).is_some() {
                return Err(BadTree::Doubled(unit.code));
            }
            places.push(Place { unit, parent, end: node.0 + 1 });
        }
        // From the back, so that every unit knows its end before it lengthens its parent's.
        for index in (0..places.len()).rev() {
            let Some(Place { parent: Some(Node(parent)), end, .. }) = places.get(index) else { continue };
            let (parent, end) = (*parent, *end);
            if let Some(above) = places.get_mut(parent) {
                above.end = above.end.max(end);
            }
        }
        let words = WordIndex::of(places.iter().enumerate().map(|(index, place)| (Node(index), &place.unit)));
        let traits = places.iter().map(|place| (place.unit.kind, place.unit.has_akim)).collect();
        Ok(Self { places, by_code, words, traits })
    }

    /// How many units there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none; never so.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a unit stands.
    #[must_use]
    pub fn get(&self, code: KatoCode) -> Option<Node> {
        self.by_code.get(&code).copied()
    }

    /// The unit that stands there.
    #[must_use]
    pub fn unit(&self, node: Node) -> Option<&Unit> {
        self.places.get(node.0).map(|place| &place.unit)
    }

    /// All units, each before those below it.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.places.iter().map(|place| &place.unit)
    }

    /// The unit above.
    #[must_use]
    pub fn parent(&self, node: Node) -> Option<Node> {
        self.places.get(node.0)?.parent
    }

    /// All units above, root first.
    pub fn ancestors(&self, node: Node) -> impl Iterator<Item = Node> + use<> {
        let mut above: Vec<Node> = std::iter::successors(self.parent(node), |node| self.parent(*node)).collect();
        above.reverse();
        above.into_iter()
    }

    /// All units below, each before those below it.
    pub fn descendants(&self, node: Node) -> impl Iterator<Item = Node> + use<> {
        self.below(node).map(Node)
    }

    /// The places below a unit.
    fn below(&self, node: Node) -> Range<usize> {
        node.0 + 1..self.places.get(node.0).map_or(0, |place| place.end)
    }

    /// The units directly below.
    pub fn children(&self, node: Node) -> impl Iterator<Item = Node> {
        let Range { start, end } = self.below(node);
        let place = move |at: usize| (at < end).then_some(Node(at));
        // The next child stands behind everything below the one before it.
        std::iter::successors(place(start), move |child| place(self.places.get(child.0)?.end))
    }

    /// Whether a unit is another or lies below it.
    #[must_use]
    pub fn covers(&self, above: KatoCode, code: KatoCode) -> bool {
        match (self.get(above), self.get(code)) {
            (Some(above), Some(node)) => {
                self.places.get(above.0).is_some_and(|place| (above.0..place.end).contains(&node.0))
            }
            _ => false,
        }
    }

    /// A page of what a query lets through, in order.
    #[must_use]
    pub fn page(&self, query: &Query<'_>, bounds: Bounds) -> Slice {
        if query.takes_all() {
            let range = self.range(query);
            return self.cut(range.len(), |at| Node(range.start + at), bounds);
        }
        let all = self.select(query);
        self.cut(all.len(), |at| all.get(at).copied().unwrap_or(Node(usize::MAX)), bounds)
    }

    /// Cuts a page out of `total` places in order, of which `node` gives each.
    fn cut(&self, total: usize, node: impl Fn(usize) -> Node, bounds: Bounds) -> Slice {
        let Bounds { after, before, limit, backward } = bounds;
        let code = |at: usize| self.places.get(node(at).0).map(|place| place.unit.code);
        let begin = after.map_or(0, |after| partition_point(total, |at| code(at) <= Some(after)));
        let end = before.map_or(total, |before| partition_point(total, |at| code(at) < Some(before))).max(begin);
        let cut = (end - begin).saturating_sub(limit);
        let shown = if backward { begin + cut..end } else { begin..end - cut };
        let (has_next, has_previous) =
            if backward { (end < total, cut > 0 || begin > 0) } else { (cut > 0 || end < total, begin > 0) };
        Slice { nodes: shown.map(node).collect(), has_next, has_previous, total }
    }

    /// Everything that a query lets through, in order.
    #[must_use]
    pub fn select(&self, query: &Query<'_>) -> Vec<Node> {
        let range = self.range(query);
        let parent = query.parent.map(|code| self.get(code));
        let found = query.search.and_then(SearchTerms::of).map(|terms| self.words.find(&terms));
        let wanted = |node: &Node| {
            self.traits.get(node.0).is_some_and(|(kind, has_akim)| {
                query.kinds.is_none_or(|kinds| kinds.contains(kind))
                    && query.has_akim.is_none_or(|has| *has_akim == has)
                    && parent.is_none_or(|parent| self.parent(*node) == parent)
            })
        };
        // What is looked at: the children, the units that the words lead to, or all in the range.
        match (parent.flatten(), query.within, &found) {
            (Some(parent), None, found) => {
                let found = |node: &Node| found.as_ref().is_none_or(|found| found.holds(*node));
                self.children(parent).filter(found).filter(wanted).collect()
            }
            (_, _, Some(found)) => found.within(range).filter(wanted).collect(),
            (_, _, None) => range.map(Node).filter(wanted).collect(),
        }
    }

    /// Where that lies which a query lets through.
    fn range(&self, query: &Query<'_>) -> Range<usize> {
        match query.within.or(query.parent).map(|code| self.get(code)) {
            None => 0..self.places.len(),
            Some(None) => 0..0,
            Some(Some(node)) => self.below(node),
        }
    }
}

/// The first of `count` places for which a condition no longer holds, as of a sorted slice.
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
