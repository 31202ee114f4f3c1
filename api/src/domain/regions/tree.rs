//! The tree: small, read by everything, immutable.
//!
//! Units stand in the order of their codes, which is nested-set order, because a code begins with its parent's segments:
//! whatever lies below a unit stands directly after it.

use std::{collections::HashMap, ops::Range};

use entities::{enums::RegionKind, kato::KatoCode};

use crate::domain::regions::{
    Unit,
    search::{Haystack, Needles, Words},
};

/// A place in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

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
    haystack: Haystack,
}

/// The units of one time.
#[derive(Clone, Debug)]
pub struct Tree {
    places: Vec<Place>,
    by_code: HashMap<KatoCode, Node>,
    words: Words,
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
            let haystack = Haystack::of(&unit);
            places.push(Place { unit, parent, end: node.0 + 1, haystack });
        }
        // From the back, so that every unit knows its end before it lengthens its parent's.
        for index in (0..places.len()).rev() {
            let Some(Place { parent: Some(Node(parent)), end, .. }) = places.get(index) else { continue };
            let (parent, end) = (*parent, *end);
            if let Some(above) = places.get_mut(parent) {
                above.end = above.end.max(end);
            }
        }
        let words = Words::of(places.iter().enumerate().map(|(index, place)| (Node(index), &place.haystack)));
        Ok(Self { places, by_code, words })
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
    pub fn page(&self, query: &Query<'_>, Bounds { after, before, limit, backward }: Bounds) -> Slice {
        let all = self.select(query);
        let code = |node: &Node| self.places.get(node.0).map(|place| place.unit.code);
        let begin = after.map_or(0, |after| all.partition_point(|node| code(node) <= Some(after)));
        let end = before.map_or(all.len(), |before| all.partition_point(|node| code(node) < Some(before)));
        let window = all.get(begin..end.max(begin)).unwrap_or_default();
        let cut = window.len().saturating_sub(limit);
        let nodes = if backward { window.get(cut..) } else { window.get(..window.len() - cut) };
        let (has_next, has_previous) =
            if backward { (end < all.len(), cut > 0 || begin > 0) } else { (cut > 0 || end < all.len(), begin > 0) };
        Slice { nodes: nodes.unwrap_or_default().to_vec(), has_next, has_previous, total: all.len() }
    }

    /// Everything that a query lets through, in order.
    #[must_use]
    pub fn select(&self, query: &Query<'_>) -> Vec<Node> {
        let range = match query.within.or(query.parent).map(|code| self.get(code)) {
            None => 0..self.places.len(),
            Some(None) => 0..0,
            Some(Some(node)) => self.below(node),
        };
        let parent = query.parent.map(|code| self.get(code));
        let needles = query.search.and_then(Needles::of);
        let wanted = |node: &Node| {
            self.places.get(node.0).is_some_and(|place| {
                parent.is_none_or(|parent| place.parent == parent)
                    && query.kinds.is_none_or(|kinds| kinds.contains(&place.unit.kind))
                    && query.has_akim.is_none_or(|has| place.unit.has_akim == has)
                    && needles.as_ref().is_none_or(|needles| needles.are_in(&place.haystack))
            })
        };
        // What is read: the children, the units that a rare word leads to, or all in the range.
        if let (Some(parent), None) = (parent.flatten(), query.within) {
            return self.children(parent).filter(wanted).collect();
        }
        match needles.as_ref().and_then(|needles| self.words.candidates(needles, range.len() / 4)) {
            Some(found) => found.into_iter().filter(|node| range.contains(&node.0)).filter(wanted).collect(),
            None => range.map(Node).filter(wanted).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
