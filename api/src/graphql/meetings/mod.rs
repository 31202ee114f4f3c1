//! Meetings: the object, its lists, its mutations and its subscription.

mod heads;
mod input;
mod mutation;
mod object;
mod subscription;

pub use heads::Heads;
pub use input::MeetingFilterInput;
pub use mutation::MeetingMutation;
pub use object::{Broadcast, Meeting, MeetingConnection, list};
pub use subscription::MeetingSubscription;
