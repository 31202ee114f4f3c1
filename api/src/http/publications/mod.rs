//! Editions of publications as pages and JSON, and the Atom feeds that announce them.

mod admission;
mod cache;
mod feeds;
mod pages;
mod refused;

pub use cache::EditionCache;
pub(in crate::http) use feeds::{agency_feed, unit_feed};
pub(in crate::http) use pages::{edition, schema};
