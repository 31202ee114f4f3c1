//! How anything becomes live: positions, pokes, the bus that carries them, and the hub that followers read from.
//!
//! The database is the truth and the bus a wake-up call. A follower is a cursor into a feed's tail, never a queue, so
//! a slow one costs nothing but its own lateness. Nothing here decides who may see what.

pub mod bus;
mod flights;
mod follower;
mod hub;
mod redis_bus;
mod split;
mod tail;

pub use bus::{Bus, Heard, MemoryBus};
pub use follower::Follower;
pub use hub::{Hub, NoSuchFeed, Resume};
pub use redis_bus::RedisBus;
pub use split::{SplitBoard, SplitFollower, SplitState};
pub use tail::{Entry, Stand, Subject};
