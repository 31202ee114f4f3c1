//! Meetings: objects, lists, mutations and the subscription.

mod input;
mod mutation;
mod object;
mod subscription;

pub use input::MeetingFilterInput;
pub use mutation::MeetingMutation;
pub use object::{Broadcast, Meeting, MeetingConnection, list_meetings};
pub use subscription::MeetingSubscription;
