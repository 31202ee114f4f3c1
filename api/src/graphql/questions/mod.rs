//! Live questions: the comment, its lists, its mutations and its subscription.

mod input;
mod mutation;
mod object;
mod subscription;

pub use input::CommentFilterInput;
pub use mutation::QuestionMutation;
pub use object::{Comment, CommentConnection, list, own_comments};
pub use subscription::QuestionSubscription;
