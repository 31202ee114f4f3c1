//! Actions on meetings.

use super::{HostScope, SeeAllComments, actions, has_role_over};
use crate::domain::viewer::{Role, Viewer};

actions! {
    ROWS on<'a> HostScope:
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
}

/// Returns whether the viewer belongs to the host's staff: akimat or moderator with a region above it.
#[must_use]
pub fn is_staff(viewer: &Viewer, scope: &HostScope) -> bool {
    let is_staff_role = |role| matches!(role, Role::Akimat | Role::Moderator);
    viewer.grants().iter().any(|grant| is_staff_role(grant.role) && scope.is_within(grant))
}
