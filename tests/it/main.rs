//! The product as its users meet it: a file a feature, every scene on both engines.

mod architecture;
mod caching;
mod chaos;
mod crowd;
mod doors;
mod faults;
mod federation;
mod feeds;
mod groups;
mod histories;
mod idempotency;
mod kill;
mod live;
mod meetings;
mod moderation;
mod permissions;
mod program;
mod questions;
mod regions;
mod restart;
mod rolling;
mod schema;
mod time_split;
mod withdrawal;
