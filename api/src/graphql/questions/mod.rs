//! Live questions: the comment, its lists, mutations and subscription.

mod input;
mod mutation;
mod object;
mod subscription;

pub use input::CommentFilterInput;
pub use mutation::QuestionMutation;
pub use object::{Comment, CommentConnection, list_comments, own_comments};
pub use subscription::QuestionSubscription;
