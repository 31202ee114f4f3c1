//! Global ids: opaque to clients, and typed by a prefix.

use async_graphql::ID;
use entities::{
    ids::{BroadcastId, CommentId, MeetingId},
    kato::KatoCode,
};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::graphql::error::{ApiError, ApiResult};

/// What an identity names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GlobalId {
    /// `region_` and the classifier code.
    Region(KatoCode),
    /// `mtg_…`
    Meeting(MeetingId),
    /// `brd_…`
    Broadcast(BroadcastId),
    /// `cmt_…`
    Comment(CommentId),
}

impl GlobalId {
    /// Reads an identity; none when it is malformed or of no kind that is served.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(code) = text.strip_prefix("region_") {
            return code.parse().ok().map(Self::Region);
        }
        // The library cuts a text at a byte, so it panics where that is inside a letter.
        let id: TypeSafeId<DynamicType> = Some(text).filter(|text| text.is_ascii())?.parse().ok()?;
        let uuid = id.uuid();
        // All that stands before the number, which may hold underscores.
        match id.type_prefix() {
            "mtg" => Some(Self::Meeting(MeetingId(uuid))),
            "brd" => Some(Self::Broadcast(BroadcastId(uuid))),
            "cmt" => Some(Self::Comment(CommentId(uuid))),
            _ => None,
        }
    }

    /// The identity as shown.
    #[must_use]
    pub fn show(self) -> ID {
        match self {
            Self::Region(code) => ID(format!("region_{code}")),
            Self::Meeting(id) => typed("mtg", id.0),
            Self::Broadcast(id) => typed("brd", id.0),
            Self::Comment(id) => typed("cmt", id.0),
        }
    }
}

fn typed(prefix: &'static str, uuid: Uuid) -> ID {
    // The prefixes are ours and valid, so the fallback is never seen.
    DynamicType::new(prefix).map_or_else(
        |_| ID(format!("{prefix}_{}", uuid.simple())),
        |kind| ID(TypeSafeId::from_type_and_uuid(kind, uuid).to_string()),
    )
}

/// Reads a meeting's identity from an argument.
///
/// # Errors
/// `BAD_USER_INPUT` when it is not one.
pub fn meeting_id(id: &ID, field: &str) -> ApiResult<MeetingId> {
    match GlobalId::parse(id) {
        Some(GlobalId::Meeting(id)) => Ok(id),
        _ => Err(ApiError::bad(field)),
    }
}

/// Reads a comment's identity from an argument.
///
/// # Errors
/// `BAD_USER_INPUT` when it is not one.
pub fn comment_id(id: &ID, field: &str) -> ApiResult<CommentId> {
    match GlobalId::parse(id) {
        Some(GlobalId::Comment(id)) => Ok(id),
        _ => Err(ApiError::bad(field)),
    }
}

/// Reads a broadcast's identity from an argument.
///
/// # Errors
/// `BAD_USER_INPUT` when it is not one.
pub fn broadcast_id(id: &ID, field: &str) -> ApiResult<BroadcastId> {
    match GlobalId::parse(id) {
        Some(GlobalId::Broadcast(id)) => Ok(id),
        _ => Err(ApiError::bad(field)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_the_way_out_and_back() {
        let uuid = Uuid::from_u128(0x0193_5f3e_7c00_7000_8000_0000_0000_0001);
        for id in [
            GlobalId::Region("751110000".parse().unwrap()),
            GlobalId::Meeting(MeetingId(uuid)),
            GlobalId::Broadcast(BroadcastId(uuid)),
            GlobalId::Comment(CommentId(uuid)),
        ] {
            assert_eq!(GlobalId::parse(&id.show()), Some(id));
        }
    }

    #[test]
    fn a_malformed_identity_is_none() {
        for text in [
            "",
            "mtg",
            "mtg_",
            "mtg_1",
            "region_",
            "region_75111000x",
            "user_01h455vb4pex5vsknk084sn02q",
            "_01h455vb4pex5vsknk084sn02q",
            "mtg_cmt_01h455vb4pex5vsknk084sn02q",
        ] {
            assert_eq!(GlobalId::parse(text), None, "{text}");
        }
        assert_eq!(GlobalId::parse(&format!("{}_01h455vb4pex5vsknk084sn02q", "ж".repeat(64))), None);
    }
}
