//! Permissions: named actions with one rule each. Commands require a proof of permission.
//!
//! Each feature declares its actions in a module of its own, each action on the subject that it is judged on.
//! A role holds in the scope of its grant only: a moderator of one district who is staff of another has each power
//! in its own district.

mod audit;
mod issues;
mod meetings;
mod publications;
mod questions;
mod receptions;
mod reference_data;
#[cfg(test)]
mod tests;
mod webhooks;

use std::{fmt::Write as _, marker::PhantomData};

use entities::kato::KatoCode;

pub use self::{
    audit::{AuditScope, SeeAuditLog, acts_in_office, audit_scope},
    issues::{
        FollowIssue, FundIssue, InternalsScope, IssueScope, RaiseIssue, ReportIssue, RunIssue, SeeIssueInternals,
        SeeRequests, SubmitRequest, internals_scope, own_agencies,
    },
    meetings::{
        AddBroadcast, AnnounceMeeting, CancelMeeting, PlanMeeting, RescheduleMeeting, RunMeeting, SeeSettings,
        SetModeration, is_staff,
    },
    publications::{Publish, Publisher, check_publishes_anything},
    questions::{
        CommentScope, ImportComments, ModerateComments, MuteAuthor, PostComment, SeeAllComments, author_key, author_of,
        comment_scope, may_import_from, may_post, moderating_unit, subject_of,
    },
    receptions::{RegisterForReception, RunReception, is_staff_anywhere},
    reference_data::{Country, EditReferenceData, SeeDoubts},
    webhooks::{ManageWebhook, WebhookOwner, WebhookScope, webhook_scope},
};
use crate::domain::viewer::{Grant, ImportRestriction, Person, Role, Viewer};

/// An action that needs a permission.
pub trait Action {
    /// What the action is judged on.
    type On<'a>;
    /// Name of the action in the matrix.
    const NAME: &'static str;
    /// Returns whether the viewer may do it.
    fn permits(viewer: &Viewer, on: &Self::On<'_>) -> bool;
}

/// An action on a meeting or its comments, judged on the meeting's host.
pub trait HostAction: for<'a> Action<On<'a> = HostScope> {}

impl<A: for<'a> Action<On<'a> = HostScope>> HostAction for A {}

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
pub fn authorize<'a, A: Action>(viewer: &'a Viewer, on: &A::On<'_>) -> Result<Allowed<'a, A>, Denied> {
    let person = viewer.person().ok_or(Denied::Anonymous)?;
    if A::permits(viewer, on) { Ok(Allowed { person, action: PhantomData }) } else { Err(Denied::Forbidden) }
}

/// The host of a meeting and the units above it, which decide who has authority over the meeting.
///
/// A meeting belongs to its host, the unit whose akim holds it. A role applies to the subtree of its region, so a role
/// over the host or over a unit above the host is a role over the meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostScope {
    /// The unit whose akim holds the meeting.
    pub host: KatoCode,
    /// All units above the host, root first.
    pub ancestors: Vec<KatoCode>,
}

impl HostScope {
    /// Returns whether a grant holds over the host.
    fn is_within(&self, grant: &Grant) -> bool {
        let is_above = |code| self.host == code || self.ancestors.contains(&code);
        grant.role.is_nationwide() || grant.region.is_some_and(is_above)
    }
}

/// Returns whether the viewer has the role over a host: ADMIN everywhere, others by the scope of their grant.
#[must_use]
pub fn has_role_over(viewer: &Viewer, role: Role, scope: &HostScope) -> bool {
    viewer.grants().iter().any(|grant| grant.role == Role::Admin || (grant.role == role && scope.is_within(grant)))
}

/// An action's name and rule, as a row of the matrix.
type Row<S> = (&'static str, fn(&Viewer, &S) -> bool);

/// Declares the actions of a feature on one subject type, and their rows of the matrix.
macro_rules! actions {
    (
        $rows:ident on<$life:lifetime> $subject:ty:
        $($(#[$doc:meta])* $name:ident = $label:literal: |$viewer:ident, $on:ident| $rule:expr;)*
    ) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl $crate::domain::policy::Action for $name {
                type On<$life> = $subject;
                const NAME: &'static str = $label;
                fn permits($viewer: &Viewer, $on: &Self::On<'_>) -> bool { $rule }
            }
        )*

        pub(in crate::domain::policy) const $rows: &[$crate::domain::policy::Row<$subject>] = &[$(
            (
                <$name as $crate::domain::policy::Action>::NAME,
                <$name as $crate::domain::policy::Action>::permits,
            )
        ),*];
    };
}
use actions;

/// Renders the permission matrix as text: each action by role and position of the role's region.
#[must_use]
pub fn matrix(scope: &HostScope, elsewhere: KatoCode) -> String {
    let positions = [
        ("here", Some(scope.host)),
        ("above", scope.ancestors.first().copied()),
        ("beside", Some(elsewhere)),
        ("nowhere", None),
    ];
    let issue = IssueScope { region: scope.clone(), responsible: Some(sample_agency(scope.host)) };
    let of_hosts = [meetings::ROWS, questions::ROWS, receptions::ROWS, audit::ROWS, issues::UNIT_ROWS];
    [
        of_hosts.map(|rows| render(rows, scope, &positions)).concat(),
        render(reference_data::ROWS, &Country, &positions),
        render(issues::ROWS, &issue, &positions),
        render(webhooks::ROWS, &WebhookOwner::Akimat(scope.clone()), &positions),
        render(publications::ROWS, &Publisher::Akimat(scope.clone()), &positions),
    ]
    .concat()
}

/// Renders the rows of actions on one subject. `positions` are the regions of the roles, with their names.
fn render<S>(rows: &[Row<S>], on: &S, positions: &[(&str, Option<KatoCode>)]) -> String {
    let mut text = String::new();
    for (name, permits) in rows {
        let anonymous = if permits(&Viewer::Anonymous, on) { " anonymous" } else { "" };
        let _ = write!(text, "{name}:{anonymous}");
        for role in Role::ALL {
            let allowed: Vec<_> = positions
                .iter()
                .filter(|(_, region)| permits(&sample_viewer(role, *region), on))
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
    let grants = vec![Grant { role, region, agency: region.map(sample_agency) }];
    Viewer::Person(Person { subject, name, grants, imports: ImportRestriction::default() })
}

/// Returns the code of the body that stands beside a unit in the matrix.
fn sample_agency(region: KatoCode) -> String {
    format!("agency-{region}")
}
