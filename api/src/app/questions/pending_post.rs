//! A post before it is committed, and its author's name.

use chrono::{DateTime, Utc};
use entities::{
    enums::{CommentKind, Language},
    ids::CommentId,
};

use crate::{
    app::{CommandError, Rejection, input::checked_text, normalization::NormalizedComment, rejection::Invalid},
    domain::{
        author_name::{has_title, name_key},
        viewer::{MAX_NAME_LENGTH, Person, Viewer},
    },
    store::idempotency::IdempotencyKey,
};

/// A queued post, validated as far as possible without the database.
pub(in crate::app) struct PendingPost {
    pub(super) id: CommentId,
    pub(super) now: DateTime<Utc>,
    pub(super) viewer: Viewer,
    pub(super) author: String,
    pub(in crate::app) idempotency_key: Option<IdempotencyKey>,
    pub(super) kind: CommentKind,
    pub(super) language: Language,
    pub(super) body: String,
    /// The body, normalised to detect duplicates.
    pub(super) normalized_body: String,
    /// The columns that are derived from the texts.
    pub(super) normalized: NormalizedComment,
    pub(super) name: DisplayName,
}

/// The author name of a comment.
pub(super) struct DisplayName {
    pub(super) text: String,
    /// Whether the author chose it, instead of the token's name.
    pub(super) chosen: bool,
    /// Key of a chosen name that reads differently from the token's.
    pub(super) key: Option<String>,
}

impl DisplayName {
    pub(super) fn of(chosen: Option<&str>, person: &Person) -> Result<Self, CommandError> {
        let Some(chosen) = chosen else {
            // Already sanitised with the token.
            return Ok(Self { text: person.name.clone(), chosen: false, key: None });
        };
        let text = checked_text("authorName", chosen, MAX_NAME_LENGTH)?;
        let key = Some(name_key(&text)).filter(|key| *key != name_key(&person.name));
        if key.is_some() && has_title(&text) {
            return Err(RESERVED_NAME.into());
        }
        Ok(Self { chosen: text != person.name, text, key })
    }
}

/// The rejection of a reserved name.
pub(super) const RESERVED_NAME: Rejection = Rejection::Invalid { field: "authorName", why: Invalid::ReservedName };

/// Returns the distinct authors of posts.
pub(super) fn authors_of(posts: &[PendingPost]) -> Vec<String> {
    let mut authors: Vec<String> = posts.iter().map(|post| post.author.clone()).collect();
    authors.sort_unstable();
    authors.dedup();
    authors
}
