//! Objects with a global id: the format of their ids, and how they are loaded.

use std::{fmt::Display, future::Future, str::FromStr};

use async_graphql::{Context, ID};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::{
    domain::global_id::typed_id,
    graphql::error::{ApiError, ApiResult},
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

    /// Returns an id as the API shows it.
    fn global_id(id: Self::Id) -> ID {
        ID(Self::Format::show(Self::PREFIX, id))
    }
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
        typed_id(prefix, id.into())
    }
}

/// Parses a global id of the type, or returns `None` if it is not one.
pub fn parse<E: Entity>(text: &str) -> Option<E::Id> {
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
