//! How anything becomes live: positions, the bus that tells of new ones, and the hub that followers read from.
//!
//! The database is the truth and the bus a wake-up call. A follower is a cursor into a feed's tail, never a queue, so
//! a slow one costs nothing but its own lateness. Nothing here decides who may see what.

pub mod bus;
mod follower;
mod hub;
mod redis_bus;
pub mod single_flight;
mod tail;
mod topic;

pub use bus::{Bus, BusMessage, MemoryBus};
pub use follower::Follower;
pub use hub::{FollowError, Hub, Resume};
pub use redis_bus::RedisBus;
pub use tail::{Entry, RenderVersion};
pub use topic::{Scope, Topic, Topics, Visibility, VisibilityOf, feed_name};
