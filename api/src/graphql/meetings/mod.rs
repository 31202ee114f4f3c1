//! Meetings: objects, lists, mutations and the subscription.

mod entity;
mod input;
mod mutation;
mod object;
mod subscription;

pub use entity::{Broadcast, Meeting};
pub use input::{MeetingFilterInput, start_of_day};
pub use mutation::{MeetingMutation, MeetingPayload, meeting_payload};
pub use object::{MeetingConnection, list_meetings};
pub use subscription::MeetingSubscription;
