//! Live questions: the comment, its lists, mutations and subscription.

mod entity;
mod input;
mod mutation;
mod object;
mod subscription;

pub use entity::Comment;
pub use input::CommentFilterInput;
pub use mutation::QuestionMutation;
pub use object::{CommentConnection, list_comments, own_comments};
pub use subscription::QuestionSubscription;
