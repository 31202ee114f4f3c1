//! Publications (p. 3.5, 5.2, 5.3): what would be published, what is missing, and editions, which never change.

mod collect;
mod content;
mod permit;
mod placement;
mod publish;
mod reads;
mod served;

pub use placement::NewPlacement;
pub use publish::PublishPublication;
pub use reads::DraftedPublication;
pub use served::{FeedOf, LimitReached, PublishedError, PublishedReads, Requester};
