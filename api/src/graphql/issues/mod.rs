//! Problem issues and the requests that people send in.

mod entity;
mod enums;
mod history;
mod input;
mod list;
mod loaders;
mod mutation;
mod object;
mod parts;
mod request;
mod request_input;
mod subscription;

pub use entity::{Issue, PublicRequest};
pub use enums::IssueEventKind;
pub use input::RaiseIssueInput;
pub use list::{IssueConnection, IssueCounter, IssueFilterInput, followed_issues, list_issues};
pub use mutation::IssueMutation;
pub use request::{PublicRequestConnection, RequestFilterInput, issue_from, list_requests, own_requests};
pub use subscription::IssueSubscription;
