//! The states of a comment, and the transitions between them.

use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::{CommentState, MeetingPhase, ModerationMode};

/// States in which everyone may see a comment.
pub const PUBLIC_STATES: [CommentState; 3] = [CommentState::Published, CommentState::Selected, CommentState::Answered];
/// The state in which votes for a comment also count for the comment it was merged into.
///
/// A withdrawn or deleted comment keeps its merge target, but no longer adds its votes.
pub const MERGED_STATE: CommentState = CommentState::Merged;
/// The longest comment, in characters.
pub const MAX_BODY_LENGTH: usize = 1000;
/// The longest reason, in characters.
pub const MAX_REASON_LENGTH: usize = 500;
/// The longest written answer, in characters.
pub const MAX_ANSWER_LENGTH: usize = 5000;
/// The highest number of labels of a comment.
pub const MAX_LABELS: usize = 10;
/// The longest label, in characters.
pub const MAX_LABEL_LENGTH: usize = 40;

/// Returns the receipt that an author can quote, from a comment's number within its meeting.
#[must_use]
pub fn receipt_text(number: i32) -> String {
    format!("Q-{number:04}")
}

/// Returns whether everyone may see a comment in this state.
#[must_use]
pub fn is_public(state: CommentState) -> bool {
    PUBLIC_STATES.contains(&state)
}

/// Returns whether a transition makes a comment public. Moderators may not do so with their own comments.
#[must_use]
pub fn publishes(before: CommentState, after: CommentState) -> bool {
    !is_public(before) && is_public(after)
}

/// Returns the state of a new comment.
#[must_use]
pub const fn first_state(mode: ModerationMode) -> CommentState {
    match mode {
        // A mode of a later version may be as strict as this one.
        ModerationMode::Before | ModerationMode::Unknown => CommentState::Pending,
        ModerationMode::After => CommentState::Published,
    }
}

/// The comment's state does not allow the transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongState(pub CommentState);

/// Result of a transition: the new state, or `None` if the comment is already there.
pub type Transition = Result<Option<CommentState>, WrongState>;

/// Approves a pending comment.
///
/// # Errors
/// When the comment was rejected, hidden, withdrawn or merged.
pub const fn approve(state: CommentState) -> Transition {
    match state {
        CommentState::Pending => Ok(Some(CommentState::Published)),
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// Rejects a pending comment.
///
/// # Errors
/// When the comment is not pending.
pub const fn reject(state: CommentState) -> Transition {
    match state {
        CommentState::Pending => Ok(Some(CommentState::Rejected)),
        CommentState::Rejected => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// Hides a public comment.
///
/// # Errors
/// When the comment is not public.
pub const fn hide(state: CommentState) -> Transition {
    match state {
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(Some(CommentState::Hidden)),
        CommentState::Hidden => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// Restores a rejected or hidden comment.
///
/// # Errors
/// When the comment is neither.
pub const fn restore(state: CommentState, answered: bool) -> Transition {
    match state {
        CommentState::Rejected | CommentState::Hidden if answered => Ok(Some(CommentState::Answered)),
        CommentState::Rejected | CommentState::Hidden => Ok(Some(CommentState::Published)),
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// Selects a public comment to be answered now.
///
/// # Errors
/// When the comment is not public, or already answered.
pub const fn select(state: CommentState) -> Transition {
    match state {
        CommentState::Published => Ok(Some(CommentState::Selected)),
        CommentState::Selected => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// Marks a public comment as answered. The answer may be improved later.
///
/// # Errors
/// When the comment is not public.
pub const fn answer(state: CommentState) -> Result<CommentState, WrongState> {
    match state {
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(CommentState::Answered),
        _ => Err(WrongState(state)),
    }
}

/// Merges a comment into another that asks the same.
///
/// # Errors
/// When it is selected, or no longer waits for an answer.
pub const fn merge(state: CommentState) -> Result<CommentState, WrongState> {
    match state {
        CommentState::Pending | CommentState::Published => Ok(CommentState::Merged),
        _ => Err(WrongState(state)),
    }
}

/// Returns whether other comments can be merged into a comment in this state, and stay merged.
#[must_use]
pub const fn can_be_merge_target(state: CommentState) -> bool {
    matches!(state, CommentState::Pending | CommentState::Published | CommentState::Selected | CommentState::Answered)
}

/// Checks that other comments can be merged into a comment in this state.
///
/// # Errors
/// When the comment can no longer be answered.
pub const fn check_merge_target(state: CommentState) -> Result<(), WrongState> {
    if can_be_merge_target(state) { Ok(()) } else { Err(WrongState(state)) }
}

/// Returns the state of a comment that a moderator restores from a merge.
///
/// `into` is the state of the merge target, `was` the comment's state before the merge. Comments merged by old versions
/// have no `was` and become pending.
///
/// # Errors
/// When the merge target can still be answered.
pub fn unmerge(into: Option<CommentState>, was: Option<CommentState>) -> Result<CommentState, WrongState> {
    if !into.is_some_and(can_be_merge_target) {
        Ok(was.unwrap_or(CommentState::Pending))
    } else {
        Err(WrongState(CommentState::Merged))
    }
}

/// Returns the state of a merged comment whose merge target is withdrawn or deleted.
///
/// It returns to the state before the merge. If a moderator had taken the target down, it waits for moderation.
#[must_use]
pub fn state_after_unmerge(into: CommentState, was: Option<CommentState>) -> CommentState {
    if can_be_merge_target(into) { was.unwrap_or(CommentState::Pending) } else { CommentState::Pending }
}

/// Withdraws a comment by its author.
///
/// # Errors
/// When it was answered, rejected or hidden.
pub const fn withdraw(state: CommentState) -> Transition {
    match state {
        CommentState::Pending | CommentState::Published | CommentState::Selected | CommentState::Merged => {
            Ok(Some(CommentState::Withdrawn))
        }
        CommentState::Withdrawn => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// Withdraws a comment that its platform deleted. Rejected and hidden ones go too, so that nobody can restore them.
///
/// # Errors
/// When it was answered: answers stay.
pub const fn delete(state: CommentState) -> Transition {
    match state {
        CommentState::Rejected | CommentState::Hidden => Ok(Some(CommentState::Withdrawn)),
        _ => withdraw(state),
    }
}

/// Returns the state of a comment whose text was edited on its platform. `held` texts always wait for a moderator.
///
/// # Errors
/// When it was selected, answered, moderated or merged: the text stays as it was.
pub const fn edit(state: CommentState, mode: ModerationMode, held: bool) -> Result<CommentState, WrongState> {
    match state {
        CommentState::Published if !held => Ok(first_state(mode)),
        CommentState::Pending | CommentState::Published => Ok(CommentState::Pending),
        _ => Err(WrongState(state)),
    }
}

/// Checks that a comment in this state can be voted for.
///
/// # Errors
/// When it is not public, or already answered.
pub const fn vote(state: CommentState) -> Result<(), WrongState> {
    match state {
        CommentState::Published | CommentState::Selected => Ok(()),
        _ => Err(WrongState(state)),
    }
}

/// Returns how long an author must still wait in slow mode, or `None` if they may post.
///
/// Posts of one batch may be out of order, so `last` may be after `now`.
#[must_use]
pub fn slow_mode_wait(pause: TimeDelta, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<TimeDelta> {
    let wait = last.filter(|_| pause > TimeDelta::zero())? + pause - now;
    Some(wait).filter(|wait| *wait > TimeDelta::zero())
}

/// Returns whether comments may be moderated in this phase of the meeting.
#[must_use]
pub const fn can_moderate(phase: MeetingPhase) -> bool {
    matches!(phase, MeetingPhase::Live | MeetingPhase::Ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_restore_publishes_a_rejected_hidden_or_withdrawn_comment() {
        for state in [CommentState::Rejected, CommentState::Hidden, CommentState::Withdrawn, CommentState::Merged] {
            assert_eq!(approve(state), Err(WrongState(state)));
            assert_eq!(select(state), Err(WrongState(state)));
            assert_eq!(answer(state), Err(WrongState(state)));
            assert_eq!(vote(state), Err(WrongState(state)));
        }
        assert_eq!(restore(CommentState::Hidden, true), Ok(Some(CommentState::Answered)));
        assert_eq!(restore(CommentState::Rejected, false), Ok(Some(CommentState::Published)));
        assert_eq!(restore(CommentState::Withdrawn, false), Err(WrongState(CommentState::Withdrawn)));
    }

    #[test]
    fn unmerging_publishes_only_what_was_public_before() {
        for into in CommentState::ALL {
            for was in [None, Some(CommentState::Pending)] {
                assert_eq!(state_after_unmerge(*into, was), CommentState::Pending, "{into:?}");
            }
            let public = state_after_unmerge(*into, Some(CommentState::Published)) == CommentState::Published;
            assert_eq!(public, can_be_merge_target(*into), "{into:?}");
            let unmerged = unmerge(Some(*into), Some(CommentState::Published));
            assert_eq!(unmerged.is_ok(), !can_be_merge_target(*into), "a comment is merged or restored: {into:?}");
        }
        assert_eq!(unmerge(Some(CommentState::Hidden), None), Ok(CommentState::Pending));
    }

    #[test]
    fn a_comment_deleted_on_its_platform_cannot_be_restored() {
        for state in CommentState::ALL {
            match delete(*state) {
                Ok(next) => {
                    let gone = next.unwrap_or(*state);
                    assert_eq!(restore(gone, true), Err(WrongState(gone)));
                }
                Err(WrongState(state)) => assert_eq!(state, CommentState::Answered),
            }
        }
    }

    #[test]
    fn an_edit_never_publishes_a_comment() {
        for state in CommentState::ALL {
            for mode in [ModerationMode::Before, ModerationMode::After] {
                for held in [false, true] {
                    if edit(*state, mode, held) == Ok(CommentState::Published) {
                        assert_eq!((*state, mode, held), (CommentState::Published, ModerationMode::After, false));
                    }
                }
            }
        }
    }

    #[test]
    fn repeating_a_transition_changes_nothing() {
        for state in CommentState::ALL {
            for step in [approve, reject, hide, select, withdraw, delete] {
                if let Ok(Some(next)) = step(*state) {
                    assert_eq!(step(next), Ok(None), "{state:?}");
                }
            }
        }
    }

    #[test]
    fn slow_mode_counts_from_the_last_post_in_any_order() {
        let now: DateTime<Utc> = "2026-03-02T04:00:00Z".parse().unwrap();
        let (off, on) = (TimeDelta::zero(), TimeDelta::seconds(10));
        for last in [now - TimeDelta::milliseconds(5), now, now + TimeDelta::milliseconds(5)] {
            assert_eq!(slow_mode_wait(off, Some(last), now), None);
            assert_eq!(slow_mode_wait(on, Some(last), now), Some(last + on - now));
        }
        assert_eq!(slow_mode_wait(on, Some(now - on), now), None);
        assert_eq!(slow_mode_wait(on, None, now), None);
    }
}
