//! Live delivery: topics, the bus, and the hub with the tails that followers read.
//!
//! The database is the source of truth, and the bus only carries notifications. A follower is a cursor into a
//! tail and not a queue, so a slow one delays nobody else. Topics decide who may see an event.

pub mod bus;
mod entry;
mod follower;
mod hub;
mod page;
mod redis_bus;
pub mod single_flight;
mod tail;
mod tail_reader;
mod topic;

pub use bus::{Bus, BusMessage, MemoryBus};
pub use entry::{Entry, RenderVersion};
pub use follower::Follower;
pub use hub::{FollowError, Hub, Resume};
pub use redis_bus::RedisBus;
pub use tail_reader::{NewEntries, TailReader};
pub use topic::{EntryVisibility, Topic, Topics, Visibility, VisibilityOf};
