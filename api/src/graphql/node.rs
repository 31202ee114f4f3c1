//! Entities: objects with a global id. Each type is registered once, in the list below.
//!
//! The ids, the `Node` interface, its look-up and the resolvers of federation entities come from that list.

use std::{fmt::Display, future::Future, str::FromStr};

use async_graphql::{Context, ID, Interface};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::graphql::{
    error::{ApiError, ApiResult},
    meetings::{Broadcast, Meeting},
    questions::Comment,
    regions::Region,
};

/// An object with a global id.
pub trait Entity: Sized {
    /// The prefix of its global ids.
    const PREFIX: &'static str;
    /// Its id.
    type Id: Copy;
    /// The format of its ids after the prefix.
    type Format: IdFormat<Self::Id>;

    /// Loads the object, or `None` if it does not exist or is not for the viewer.
    fn load(ctx: &Context<'_>, id: Self::Id) -> impl Future<Output = ApiResult<Option<Self>>> + Send;
}

/// The text format of a global id.
pub trait IdFormat<T> {
    /// Parses a global id with this prefix.
    fn parse(prefix: &'static str, text: &str) -> Option<T>;
    /// Returns the id as a global id.
    fn show(prefix: &'static str, id: T) -> String;
}

/// The prefix and the id as text: `region_751110000`.
pub struct TextFormat;

impl<T: FromStr + Display> IdFormat<T> for TextFormat {
    fn parse(prefix: &'static str, text: &str) -> Option<T> {
        text.strip_prefix(prefix)?.strip_prefix('_')?.parse().ok()
    }

    fn show(prefix: &'static str, id: T) -> String {
        format!("{prefix}_{id}")
    }
}

/// A `TypeID`: the prefix and the UUID in base 32.
pub struct UuidFormat;

impl<T: From<Uuid> + Into<Uuid>> IdFormat<T> for UuidFormat {
    fn parse(prefix: &'static str, text: &str) -> Option<T> {
        // The library slices at a byte and panics within a character.
        if !text.is_ascii() || !text.starts_with(prefix) {
            return None;
        }
        let id: TypeSafeId<DynamicType> = text.parse().ok()?;
        // The prefix may itself contain underscores.
        (id.type_prefix() == prefix).then(|| id.uuid().into())
    }

    fn show(prefix: &'static str, id: T) -> String {
        let uuid: Uuid = id.into();
        // All prefixes are valid, so the fallback is unreachable.
        DynamicType::new(prefix).map_or_else(
            |_| format!("{prefix}_{}", uuid.simple()),
            |kind| TypeSafeId::from_type_and_uuid(kind, uuid).to_string(),
        )
    }
}

macro_rules! entities {
    ($($(#[$doc:meta])* $object:ident,)+) => {
        /// A global id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum GlobalId {
            $($(#[$doc])* $object(<$object as Entity>::Id),)+
        }

        impl GlobalId {
            /// Parses a global id, or returns `None` if it is malformed or of an unknown type.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                None$(.or_else(|| parse::<$object>(text).map(Self::$object)))+
            }

            /// Returns the id as the API shows it.
            #[must_use]
            pub fn show(self) -> ID {
                match self {
                    $(Self::$object(id) => ID(<$object as Entity>::Format::show($object::PREFIX, id)),)+
                }
            }
        }

        /// An object with a global id.
        #[derive(Interface)]
        #[graphql(field(name = "id", ty = "ID", desc = "Global id, opaque."))]
        pub enum Node {
            $($(#[$doc])* $object($object),)+
        }

        impl Node {
            /// Loads the object with an id, or returns `None` if it does not exist or is not for the viewer.
            ///
            /// # Errors
            /// If the database fails.
            pub async fn load(ctx: &Context<'_>, id: &str) -> ApiResult<Option<Self>> {
                Ok(match GlobalId::parse(id) {
                    None => None,
                    $(Some(GlobalId::$object(id)) => $object::load(ctx, id).await?.map(Self::$object),)+
                })
            }
        }
    };
}

entities! {
    /// A unit of the classifier.
    Region,
    /// A meeting.
    Meeting,
    /// A broadcast.
    Broadcast,
    /// A comment.
    Comment,
}

fn parse<E: Entity>(text: &str) -> Option<E::Id> {
    E::Format::parse(E::PREFIX, text)
}

/// Parses the id of an argument.
///
/// # Errors
/// `BAD_USER_INPUT` if it is not an id of the type.
pub fn parse_id<E: Entity>(id: &ID, field: &str) -> ApiResult<E::Id> {
    parse::<E>(id).ok_or_else(|| ApiError::bad(field))
}

/// Resolves a federation entity by its id.
///
/// # Errors
/// If the database fails.
pub async fn find<E: Entity>(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<E>> {
    match parse::<E>(id) {
        Some(id) => E::load(ctx, id).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use entities::ids::{BroadcastId, CommentId, MeetingId};

    use super::*;

    #[test]
    fn parses_the_ids_that_it_shows() {
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
    fn rejects_malformed_ids() {
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
