//! Personal receptions: the reception, its registrations, mutations and the subscription.

mod entity;
mod input;
mod mutation;
mod object;
mod registration;
mod slot;
mod subscription;

pub use entity::{Reception, Registration};
pub use mutation::ReceptionMutation;
pub use object::receptions_of;
pub use registration::{RegistrationConnection, own_registrations};
pub use subscription::ReceptionSubscription;
