//! Editions of publications as pages, and the Atom feeds that announce them.

mod atom;
mod page;

pub use atom::{FeedAbout, FeedEntry, FeedPage};
pub use page::{EditionPage, NewerEdition, PlacementLine, parts_of};
