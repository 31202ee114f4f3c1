//! Permissions: named actions with one rule each. Commands require a proof of permission.
//!
//! A meeting belongs to its host, the unit whose akim holds it. A role applies to the subtree of its region, so a role
//! over the host or over a unit above the host is a role over the meeting.

use std::{fmt::Write as _, marker::PhantomData};

use entities::{
    enums::{CommentState, Platform, Stored as _},
    ids::BroadcastId,
    kato::KatoCode,
};

use crate::domain::{
    comment::is_public,
    viewer::{ImportGrant, Person, Role, Viewer},
};

/// The host of a meeting and the units above it, which decide who has authority over the meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostScope {
    /// The unit whose akim holds the meeting.
    pub host: KatoCode,
    /// All units above the host, root first.
    pub ancestors: Vec<KatoCode>,
}

impl HostScope {
    fn is_within(&self, code: KatoCode) -> bool {
        self.host == code || self.ancestors.contains(&code)
    }
}

/// Returns whether the viewer has the role over a host: ADMIN everywhere, others in their region's subtree.
#[must_use]
pub fn has_role_over(viewer: &Viewer, role: Role, scope: &HostScope) -> bool {
    viewer.person().is_some_and(|person| {
        person.roles.contains(&Role::Admin)
            || (person.roles.contains(&role) && person.region.is_some_and(|region| scope.is_within(region)))
    })
}

/// An action on a meeting that needs a permission.
pub trait Action {
    /// Name of the action in the matrix.
    const NAME: &'static str;
    /// Returns whether the viewer may do it.
    fn permits(viewer: &Viewer, scope: &HostScope) -> bool;
}

/// Proof that an action is permitted. Only [`authorize`] creates it.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a, A> {
    /// The permitted person.
    pub person: &'a Person,
    action: PhantomData<A>,
}

/// Why an action is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The caller is not signed in.
    Anonymous,
    /// The caller is signed in, but not permitted.
    Forbidden,
}

/// Authorises the viewer to do `A` and returns the proof.
///
/// # Errors
/// When the viewer is not permitted.
pub fn authorize<'a, A: Action>(viewer: &'a Viewer, scope: &HostScope) -> Result<Allowed<'a, A>, Denied> {
    let person = viewer.person().ok_or(Denied::Anonymous)?;
    if A::permits(viewer, scope) { Ok(Allowed { person, action: PhantomData }) } else { Err(Denied::Forbidden) }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $label:literal: |$viewer:ident, $scope:ident| $rule:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Action for $name {
                const NAME: &'static str = $label;
                fn permits($viewer: &Viewer, $scope: &HostScope) -> bool { $rule }
            }
        )*

        const MATRIX: &[(&str, fn(&Viewer, &HostScope) -> bool)] = &[$(($name::NAME, $name::permits)),*];
    };
}

actions! {
    /// Plans a meeting.
    PlanMeeting = "meeting.plan": |viewer, scope| has_role_over(viewer, Role::Akimat, scope);
    /// Announces a meeting (p. 3.4).
    AnnounceMeeting = "meeting.announce": |viewer, scope| has_role_over(viewer, Role::Akimat, scope);
    /// Reschedules a meeting.
    RescheduleMeeting = "meeting.reschedule": |viewer, scope| has_role_over(viewer, Role::Akimat, scope);
    /// Cancels a meeting.
    CancelMeeting = "meeting.cancel": |viewer, scope| has_role_over(viewer, Role::Akimat, scope);
    /// Adds a broadcast (p. 3.2).
    AddBroadcast = "meeting.add_broadcast": |viewer, scope| has_role_over(viewer, Role::Akimat, scope);
    /// Starts a meeting, changes its stage, ends it.
    RunMeeting = "meeting.run": |viewer, scope| {
        has_role_over(viewer, Role::Akimat, scope) || has_role_over(viewer, Role::Moderator, scope)
    };
    /// Changes moderation settings.
    SetModeration = "meeting.set_moderation": |viewer, scope| has_role_over(viewer, Role::Moderator, scope);
    /// Sees the blocked words of a meeting.
    SeeSettings = "meeting.see_settings": |viewer, scope| SeeAllComments::permits(viewer, scope);
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
        viewer.has_role(Role::Administration)
            || has_role_over(viewer, Role::Moderator, scope)
            || has_role_over(viewer, Role::Akimat, scope)
    };
}

/// Returns whether the viewer belongs to the host's staff: akimat or moderator with a region above it.
#[must_use]
pub fn is_staff(viewer: &Viewer, scope: &HostScope) -> bool {
    let person = viewer.person().filter(|person| person.region.is_some_and(|region| scope.is_within(region)));
    person.is_some_and(|person| person.roles.iter().any(|role| matches!(role, Role::Akimat | Role::Moderator)))
}

/// Returns whether the viewer may post. This is all of [`PostComment`], which does not depend on the meeting.
#[must_use]
pub fn may_post(viewer: &Viewer) -> bool {
    viewer.has_role(Role::Citizen) || viewer.has_role(Role::Admin)
}

/// Returns whether the viewer's grant covers a broadcast, which is the part of [`ImportComments`] that depends on it.
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

/// Renders the permission matrix as text: each action by role and position of the role's region.
#[must_use]
pub fn matrix(scope: &HostScope, elsewhere: KatoCode) -> String {
    let positions = [
        ("here", Some(scope.host)),
        ("above", scope.ancestors.first().copied()),
        ("beside", Some(elsewhere)),
        ("nowhere", None),
    ];
    let mut text = String::new();
    for (name, permits) in MATRIX {
        let anonymous = if permits(&Viewer::Anonymous, scope) { " anonymous" } else { "" };
        let _ = write!(text, "{name}:{anonymous}");
        for role in Role::ALL {
            let allowed: Vec<_> = positions
                .iter()
                .filter(|(_, region)| permits(&sample_viewer(role, *region), scope))
                .map(|(position, _)| *position)
                .collect();
            if allowed.len() == positions.len() {
                let _ = write!(text, " {role:?}");
            } else if !allowed.is_empty() {
                let _ = write!(text, " {role:?}({})", allowed.join(","));
            }
        }
        text.push('\n');
    }
    text
}

fn sample_viewer(role: Role, region: Option<KatoCode>) -> Viewer {
    let (subject, name) = ("one".to_owned(), "One".to_owned());
    Viewer::Person(Person { subject, name, roles: vec![role], region, agency: None, imports: ImportGrant::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permission_matrix_is_as_reviewed() {
        let code = |text: &str| text.parse::<KatoCode>().unwrap();
        let ancestors = vec![code("100000000"), code("103200000")];
        let scope = HostScope { host: code("103230000"), ancestors };
        let expected = "\
meeting.plan: Akimat(here,above) Admin
meeting.announce: Akimat(here,above) Admin
meeting.reschedule: Akimat(here,above) Admin
meeting.cancel: Akimat(here,above) Admin
meeting.add_broadcast: Akimat(here,above) Admin
meeting.run: Moderator(here,above) Akimat(here,above) Admin
meeting.set_moderation: Moderator(here,above) Admin
meeting.see_settings: Moderator(here,above) Akimat(here,above) Administration Admin
comment.post: Citizen Admin
comment.import: Connector(here,above) Admin
comment.moderate: Moderator(here,above) Admin
author.mute: Moderator(here,above) Admin
comment.see_all: Moderator(here,above) Akimat(here,above) Administration Admin
";
        assert_eq!(matrix(&scope, code("113200000")), expected);
    }
}
