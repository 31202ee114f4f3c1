//! Actions on the comments of meetings, and which comments a viewer may see.

use entities::{
    enums::{CommentState, Platform, Stored as _},
    ids::BroadcastId,
    kato::KatoCode,
};

use super::{HostScope, actions, has_role_over};
use crate::domain::{
    comment::is_public,
    policy::Action as _,
    viewer::{Role, Viewer},
};

actions! {
    ROWS on<'a> HostScope:
    /// Posts, votes for and withdraws comments.
    PostComment = "comment.post": |viewer, _scope| may_post(viewer);
    /// Imports comments from a broadcast platform.
    ImportComments = "comment.import": |viewer, scope| has_role_over(viewer, Role::Connector, scope);
    /// Approves, rejects, hides, selects, answers, merges and labels comments.
    ModerateComments = "comment.moderate": |viewer, scope| has_role_over(viewer, Role::Moderator, scope);
    /// Mutes an author.
    MuteAuthor = "author.mute": |viewer, scope| has_role_over(viewer, Role::Moderator, scope);
    /// Sees comments that are not public (p. 7 for the Presidential Administration).
    SeeAllComments = "comment.see_all": |viewer, scope| {
        let has = |role| has_role_over(viewer, role, scope);
        has(Role::Administration) || has(Role::Moderator) || has(Role::Akimat)
    };
}

/// Returns whether the viewer may post. This is all of [`PostComment`], which does not depend on the meeting.
#[must_use]
pub fn may_post(viewer: &Viewer) -> bool {
    viewer.has_role(Role::Citizen) || viewer.has_role(Role::Admin)
}

/// Returns the unit for which the viewer moderates the comments of a host; `None` for an operator of the service.
#[must_use]
pub fn moderating_unit(viewer: &Viewer, scope: &HostScope) -> Option<KatoCode> {
    let moderates = viewer.grants().iter().filter(|grant| grant.role == Role::Moderator && scope.is_within(grant));
    moderates.filter_map(|grant| grant.region).next()
}

/// Returns whether the viewer may import from a broadcast: the part of [`ImportComments`] that depends on it.
#[must_use]
pub fn may_import_from(viewer: &Viewer, platform: Platform, broadcast: BroadcastId) -> bool {
    viewer.has_role(Role::Admin) || viewer.person().is_some_and(|person| person.imports.covers(platform, broadcast))
}

/// Which comments of a meeting a viewer may see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommentScope {
    /// All comments.
    Everything,
    /// Public comments, and those of this author.
    PublicAndOwn(String),
    /// Public comments.
    PublicOnly,
}

impl CommentScope {
    /// Returns whether a comment in this state by this author may be seen. Nobody sees comments in an unknown state.
    #[must_use]
    pub fn allows(&self, state: CommentState, author_key: Option<&str>) -> bool {
        match self {
            _ if !state.is_known() => false,
            Self::Everything => true,
            Self::PublicAndOwn(own) => is_public(state) || author_key == Some(own),
            Self::PublicOnly => is_public(state),
        }
    }
}

/// Returns which comments of a meeting the viewer may see.
#[must_use]
pub fn comment_scope(viewer: &Viewer, scope: &HostScope) -> CommentScope {
    if SeeAllComments::permits(viewer, scope) {
        return CommentScope::Everything;
    }
    author_key(viewer).map_or(CommentScope::PublicOnly, CommentScope::PublicAndOwn)
}

/// The prefix of the keys of signed-in authors.
const PERSON: &str = "sub:";

/// Returns the author key of the viewer, or `None` if anonymous.
#[must_use]
pub fn author_key(viewer: &Viewer) -> Option<String> {
    viewer.subject().map(author_of)
}

/// Returns the author key of a person.
#[must_use]
pub fn author_of(subject: &str) -> String {
    format!("{PERSON}{subject}")
}

/// Returns the subject of the person who writes under a key; `None` for an author of another platform.
#[must_use]
pub fn subject_of(author_key: &str) -> Option<&str> {
    author_key.strip_prefix(PERSON)
}
