//! The values of claims: texts, roles and ids of broadcasts.

use entities::ids::BroadcastId;
use serde_json::Value;
use type_safe_id::{DynamicType, TypeSafeId};

use crate::{auth::error::AuthError, domain::viewer::Role};

/// Returns the text of an optional claim, `None` if it is absent or null.
///
/// # Errors
/// When it is neither.
pub(in crate::auth) fn optional_text(claim: Option<&Value>) -> Result<Option<&str>, AuthError> {
    match claim {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(AuthError::BadClaim),
    }
}

/// Parses the public id of a broadcast, `brd_…`.
#[must_use]
pub fn parse_broadcast_id(text: &str) -> Option<BroadcastId> {
    // The library panics on text that is not ASCII.
    let id: TypeSafeId<DynamicType> = Some(text).filter(|text| text.is_ascii())?.parse().ok()?;
    (id.type_prefix() == "brd").then(|| BroadcastId(id.uuid()))
}

/// Formats the public id of a broadcast.
pub(in crate::auth) fn format_broadcast_id(id: BroadcastId) -> Option<String> {
    Some(TypeSafeId::from_type_and_uuid(DynamicType::new("brd").ok()?, id.0).to_string())
}

/// Returns the role with this name in tokens, or `None` if there is none.
pub(in crate::auth) fn parse_role(name: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.as_str() == name)
}
