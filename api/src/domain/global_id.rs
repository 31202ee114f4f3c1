//! Global ids as text: what kind of object it is, and which.

use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// The prefix of the global ids of agencies.
pub const AGENCY: &str = "agency";
/// The prefix of the global ids of units of the classifier.
pub const REGION: &str = "region";
/// The prefix of the global ids of meetings.
pub const MEETING: &str = "mtg";
/// The prefix of the global ids of comments.
pub const COMMENT: &str = "cmt";
/// The prefix of the global ids of issues.
pub const ISSUE: &str = "iss";
/// The prefix of the global ids of requests.
pub const REQUEST: &str = "req";
/// The prefix of the global ids of registrations.
pub const REGISTRATION: &str = "reg";
/// The prefix of the global ids of publications.
pub const PUBLICATION: &str = "pub";
/// The prefix of the global ids of webhooks.
pub const WEBHOOK: &str = "webhook";

/// Returns the id of an object as a `TypeID`: the prefix and the UUID in base 32.
#[must_use]
pub fn typed_id(prefix: &'static str, id: Uuid) -> String {
    // All prefixes are valid, so the fallback is unreachable.
    DynamicType::new(prefix).map_or_else(
        |_| format!("{prefix}_{}", id.simple()),
        |kind| TypeSafeId::from_type_and_uuid(kind, id).to_string(),
    )
}
