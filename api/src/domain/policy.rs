//! Who may do what: named actions, each with one rule; the use case asks for its proof.
//!
//! A meeting belongs to its host, the unit whose akim holds it. A role with a region reaches down that region's subtree, so
//! whoever has authority over the host or over a unit above it has authority over the meeting.

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
    fn under(&self, code: KatoCode) -> bool {
        self.host == code || self.ancestors.contains(&code)
    }
}

/// Whether the viewer has the role here: ADMIN everywhere, others where their region reaches.
#[must_use]
pub fn holds(viewer: &Viewer, role: Role, scope: &HostScope) -> bool {
    viewer.person().is_some_and(|person| {
        person.roles.contains(&Role::Admin)
            || (person.roles.contains(&role) && person.region.is_some_and(|region| scope.under(region)))
    })
}

/// Something that needs a permission on a meeting.
pub trait Action {
    /// Its name, as in the matrix.
    const NAME: &'static str;
    /// Whether the viewer may do it.
    fn permits(viewer: &Viewer, scope: &HostScope) -> bool;
}

/// The proof that an action was permitted. Only [`authorize`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a, A> {
    /// Who may do it.
    pub person: &'a Person,
    action: PhantomData<A>,
}

/// Why an action is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The caller is not signed in.
    Anonymous,
    /// The caller is signed in, and may not.
    Forbidden,
}

/// Asks for the proof that the viewer may do `A` here.
///
/// # Errors
/// When the viewer may not.
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
    PlanMeeting = "meeting.plan": |viewer, scope| holds(viewer, Role::Akimat, scope);
    /// Announces a meeting (p. 3.4).
    AnnounceMeeting = "meeting.announce": |viewer, scope| holds(viewer, Role::Akimat, scope);
    /// Moves a meeting.
    RescheduleMeeting = "meeting.reschedule": |viewer, scope| holds(viewer, Role::Akimat, scope);
    /// Cancels a meeting.
    CancelMeeting = "meeting.cancel": |viewer, scope| holds(viewer, Role::Akimat, scope);
    /// Adds a broadcast (p. 3.2).
    AddBroadcast = "meeting.add_broadcast": |viewer, scope| holds(viewer, Role::Akimat, scope);
    /// Starts a meeting, changes its stage, ends it.
    RunMeeting = "meeting.run": |viewer, scope| {
        holds(viewer, Role::Akimat, scope) || holds(viewer, Role::Moderator, scope)
    };
    /// Sets how comments are moderated.
    SetModeration = "meeting.set_moderation": |viewer, scope| holds(viewer, Role::Moderator, scope);
    /// Sees the words that are blocked at a meeting.
    SeeSettings = "meeting.see_settings": |viewer, scope| SeeAllComments::permits(viewer, scope);
    /// Posts a comment, votes for one, withdraws one's own.
    PostComment = "comment.post": |viewer, _scope| may_post(viewer);
    /// Brings comments from a broadcast platform.
    ImportComments = "comment.import": |viewer, scope| holds(viewer, Role::Connector, scope);
    /// Approves, rejects, hides, selects, answers, merges and labels comments.
    ModerateComments = "comment.moderate": |viewer, scope| holds(viewer, Role::Moderator, scope);
    /// Mutes an author.
    MuteAuthor = "author.mute": |viewer, scope| holds(viewer, Role::Moderator, scope);
    /// Sees comments that are not public (p. 7 for the Presidential Administration).
    SeeAllComments = "comment.see_all": |viewer, scope| {
        viewer.is(Role::Administration) || holds(viewer, Role::Moderator, scope) || holds(viewer, Role::Akimat, scope)
    };
}

/// Whether the viewer is one of those who run the meetings here: akimat staff or a moderator, by their own region.
#[must_use]
pub fn is_staff(viewer: &Viewer, scope: &HostScope) -> bool {
    let person = viewer.person().filter(|person| person.region.is_some_and(|region| scope.under(region)));
    person.is_some_and(|person| person.roles.iter().any(|role| matches!(role, Role::Akimat | Role::Moderator)))
}

/// Whether the viewer may post anywhere: all of [`PostComment`], which does not depend on the meeting.
#[must_use]
pub fn may_post(viewer: &Viewer) -> bool {
    viewer.is(Role::Citizen) || viewer.is(Role::Admin)
}

/// Whether the viewer's own grant reaches a broadcast. Of [`ImportComments`] it is the part that depends on the broadcast.
#[must_use]
pub fn may_import_from(viewer: &Viewer, platform: Platform, broadcast: BroadcastId) -> bool {
    viewer.is(Role::Admin) || viewer.person().is_some_and(|person| person.imports.covers(platform, broadcast))
}

/// Which comments of a meeting a viewer may see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommentScope {
    /// All of them.
    Everything,
    /// The public ones, and those of this author.
    PublicAndOwn(String),
    /// The public ones.
    PublicOnly,
}

impl CommentScope {
    /// Whether a comment in this state by this author may be seen. What a later version means by a state of its own nobody knows:
    /// such a comment is not there.
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

/// Which comments of a meeting the viewer may see.
#[must_use]
pub fn comment_scope(viewer: &Viewer, scope: &HostScope) -> CommentScope {
    if SeeAllComments::permits(viewer, scope) {
        return CommentScope::Everything;
    }
    author_key(viewer).map_or(CommentScope::PublicOnly, CommentScope::PublicAndOwn)
}

/// The key under which what the viewer writes is kept; none for the anonymous.
#[must_use]
pub fn author_key(viewer: &Viewer) -> Option<String> {
    viewer.subject().map(author_of)
}

/// The key under which what a person writes is kept.
#[must_use]
pub fn author_of(subject: &str) -> String {
    format!("sub:{subject}")
}

/// The whole rule book as text: every action for every role, by where the role's region lies.
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
                .filter(|(_, region)| permits(&some(role, *region), scope))
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

fn some(role: Role, region: Option<KatoCode>) -> Viewer {
    let (subject, name) = ("one".to_owned(), "One".to_owned());
    Viewer::Person(Person { subject, name, roles: vec![role], region, agency: None, imports: ImportGrant::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_book_is_as_reviewed() {
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
