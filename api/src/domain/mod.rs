//! Every rule a citizen could argue about: pure functions over values, with the time handed in. No I/O, no async.

pub mod feed;
pub mod viewer;
