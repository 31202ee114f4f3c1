//! Finding units by name: every word that is looked for begins a word of a name, in Kazakh or in Russian.
//!
//! A list of all words that occur leads to the few units that can match, so that a search does not read every name.

use std::collections::BTreeMap;

use crate::domain::{
    body::{fold, words},
    regions::{Node, Unit},
};

/// The words of a unit's names, folded, each with a space before it.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct Haystack(String);

impl Haystack {
    pub(in crate::domain::regions) fn of(unit: &Unit) -> Self {
        Self(format!(" {} {}", fold(&unit.names.kk), fold(&unit.names.ru)))
    }
}

/// What is looked for: folded words, each with a space before it.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct Needles(Vec<String>);

impl Needles {
    /// The words of a text; none where it holds no word, and so asks for nothing.
    pub(in crate::domain::regions) fn of(text: &str) -> Option<Self> {
        let words: Vec<_> = words(text).into_iter().map(|word| format!(" {word}")).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    pub(in crate::domain::regions) fn are_in(&self, haystack: &Haystack) -> bool {
        self.0.iter().all(|needle| haystack.0.contains(needle.as_str()))
    }
}

/// All words of all names in their order, each with the units whose names hold it.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct Words(Vec<(Box<str>, Vec<Node>)>);

impl Words {
    /// The words of the names, which stand in tree order.
    pub(in crate::domain::regions) fn of<'a>(names: impl Iterator<Item = (Node, &'a Haystack)>) -> Self {
        let mut words: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
        for (node, haystack) in names {
            for word in haystack.0.split_whitespace() {
                let nodes = words.entry(word).or_default();
                if nodes.last() != Some(&node) {
                    nodes.push(node);
                }
            }
        }
        Self(words.into_iter().map(|(word, nodes)| (word.into(), nodes)).collect())
    }

    /// The units that hold the rarest of the needles, in tree order; whether they hold the others is still to be seen. None
    /// where there would be more than `limit`, and reading every name is faster.
    pub(in crate::domain::regions) fn candidates(&self, needles: &Needles, limit: usize) -> Option<Vec<Node>> {
        let with = |needle: &String| {
            let begin = needle.trim_start();
            let from = self.0.partition_point(|(word, _)| &**word < begin);
            let rest = self.0.get(from..).unwrap_or_default();
            rest.get(..rest.partition_point(|(word, _)| word.starts_with(begin))).unwrap_or_default()
        };
        let size = |words: &&[(Box<str>, Vec<Node>)]| words.iter().map(|(_, nodes)| nodes.len()).sum::<usize>();
        let rarest = needles.0.iter().map(with).min_by_key(size).filter(|words| size(words) <= limit)?;
        let mut nodes: Vec<Node> = rarest.iter().flat_map(|(_, nodes)| nodes).copied().collect();
        nodes.sort_unstable();
        nodes.dedup();
        Some(nodes)
    }
}
