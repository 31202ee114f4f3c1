//! Every rule a citizen could argue about: pure functions over values, with the time handed in. No I/O, no async.

pub mod announcement;
pub mod author_name;
pub mod blocked_words;
pub mod body;
pub mod characters;
pub mod comment;
pub mod feed;
mod look_alikes;
pub mod meeting;
pub mod normalization;
pub mod norms;
pub mod policy;
pub mod regions;
pub mod text;
pub mod time_split;
pub mod viewer;
