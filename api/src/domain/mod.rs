//! Every rule a citizen could argue about: pure functions over values, with the time handed in. No I/O, no async.

pub mod announcement;
pub mod body;
pub mod comment;
pub mod feed;
pub mod meeting;
pub mod norms;
pub mod policy;
pub mod regions;
pub mod time_split;
pub mod viewer;
pub mod words;
