//! The states of a comment, and what leads from one to another.

use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::{CommentState, MeetingPhase, ModerationMode};

use crate::domain::feed::EventKind;

/// The states in which everybody may see a comment.
pub const PUBLIC_STATES: [CommentState; 3] = [CommentState::Published, CommentState::Selected, CommentState::Answered];
/// The state in which the votes for a comment count for the one it was joined to as well. Taken back by its author or deleted on
/// its platform it asks for nothing any more, and its votes go with it.
pub const JOINED_STATE: CommentState = CommentState::Merged;
/// How many characters a reason may have.
pub const MAX_REASON_LENGTH: usize = 500;
/// How many characters a written answer may have.
pub const MAX_ANSWER_LENGTH: usize = 5000;
/// How many labels a comment may have.
pub const MAX_LABELS: usize = 10;
/// How many characters a label may have.
pub const MAX_LABEL_LENGTH: usize = 40;

/// Whether everybody may see a comment in this state.
#[must_use]
pub fn is_public(state: CommentState) -> bool {
    PUBLIC_STATES.contains(&state)
}

/// Whether a step shows everybody what they were not shown before it: nobody takes it over what they have written themselves.
#[must_use]
pub fn publishes(before: CommentState, after: CommentState) -> bool {
    !is_public(before) && is_public(after)
}

/// The state of a comment that has just been posted.
#[must_use]
pub const fn first_state(mode: ModerationMode) -> CommentState {
    match mode {
        // A mode of a later version may be as strict as this one.
        ModerationMode::Before | ModerationMode::Unknown => CommentState::Pending,
        ModerationMode::After => CommentState::Published,
    }
}

/// A step that a comment's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongState(pub CommentState);

/// Where a step leads: to a new state, or nowhere, because the comment is already there.
pub type Step = Result<Option<CommentState>, WrongState>;

/// A moderator lets a waiting comment be public.
///
/// # Errors
/// When the comment was taken down or back.
pub const fn approve(state: CommentState) -> Step {
    match state {
        CommentState::Pending => Ok(Some(CommentState::Published)),
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// A moderator refuses a waiting comment.
///
/// # Errors
/// When the comment does not wait.
pub const fn reject(state: CommentState) -> Step {
    match state {
        CommentState::Pending => Ok(Some(CommentState::Rejected)),
        CommentState::Rejected => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// A moderator takes a public comment down.
///
/// # Errors
/// When the comment is not public.
pub const fn hide(state: CommentState) -> Step {
    match state {
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(Some(CommentState::Hidden)),
        CommentState::Hidden => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// A moderator brings back what was rejected or hidden.
///
/// # Errors
/// When the comment was neither.
pub const fn restore(state: CommentState, answered: bool) -> Step {
    match state {
        CommentState::Rejected | CommentState::Hidden if answered => Ok(Some(CommentState::Answered)),
        CommentState::Rejected | CommentState::Hidden => Ok(Some(CommentState::Published)),
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// A moderator takes a public comment to be answered now.
///
/// # Errors
/// When the comment is not public or is answered.
pub const fn select(state: CommentState) -> Step {
    match state {
        CommentState::Published => Ok(Some(CommentState::Selected)),
        CommentState::Selected => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// A comment has been answered; an answer may be put better later.
///
/// # Errors
/// When the comment is not public.
pub const fn answer(state: CommentState) -> Result<CommentState, WrongState> {
    match state {
        CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(CommentState::Answered),
        _ => Err(WrongState(state)),
    }
}

/// A comment is joined to another that asks the same.
///
/// # Errors
/// When it is being answered, or no longer waits for one.
pub const fn merge(state: CommentState) -> Result<CommentState, WrongState> {
    match state {
        CommentState::Pending | CommentState::Published => Ok(CommentState::Merged),
        _ => Err(WrongState(state)),
    }
}

/// Whether others may be joined to a comment in this state.
///
/// # Errors
/// When it is on its way to no answer.
pub const fn take_in(state: CommentState) -> Result<(), WrongState> {
    match state {
        CommentState::Pending | CommentState::Published | CommentState::Selected | CommentState::Answered => Ok(()),
        _ => Err(WrongState(state)),
    }
}

/// Whether a comment in this state is on its way to no answer, and what is joined to it with it.
#[must_use]
pub const fn is_gone(state: CommentState) -> bool {
    take_in(state).is_err()
}

/// A moderator lets a joined comment stand by itself again. `into` is the state of the one it was joined to, and `was` its own
/// before. What it was is not known of old ones: those wait.
///
/// # Errors
/// When the one it was joined to may still be answered.
pub fn part(into: Option<CommentState>, was: Option<CommentState>) -> Result<CommentState, WrongState> {
    if into.is_none_or(is_gone) {
        Ok(was.unwrap_or(CommentState::Pending))
    } else {
        Err(WrongState(CommentState::Merged))
    }
}

/// What a joined comment becomes when the one it was joined to is taken back. It is what it was, unless a moderator had taken
/// that one down, and it too: then it waits.
#[must_use]
pub fn left_alone(into: CommentState, was: Option<CommentState>) -> CommentState {
    if is_gone(into) { CommentState::Pending } else { was.unwrap_or(CommentState::Pending) }
}

/// The author takes a comment back.
///
/// # Errors
/// When it has been answered or taken down.
pub const fn withdraw(state: CommentState) -> Step {
    match state {
        CommentState::Pending | CommentState::Published | CommentState::Selected | CommentState::Merged => {
            Ok(Some(CommentState::Withdrawn))
        }
        CommentState::Withdrawn => Ok(None),
        _ => Err(WrongState(state)),
    }
}

/// A comment was deleted on its platform. What a moderator has taken down goes too: nobody may bring it back.
///
/// # Errors
/// When it has been answered: what was heard stays.
pub const fn delete(state: CommentState) -> Step {
    match state {
        CommentState::Rejected | CommentState::Hidden => Ok(Some(CommentState::Withdrawn)),
        _ => withdraw(state),
    }
}

/// What a comment becomes whose text changes on its platform. `held`: the new text waits for a moderator whatever the mode.
///
/// # Errors
/// When it is being answered or was, or stands no more by itself: it stays as it was heard or judged.
pub const fn edit(state: CommentState, mode: ModerationMode, held: bool) -> Result<CommentState, WrongState> {
    match state {
        CommentState::Published if !held => Ok(first_state(mode)),
        CommentState::Pending | CommentState::Published => Ok(CommentState::Pending),
        _ => Err(WrongState(state)),
    }
}

/// Whether a comment in this state can be voted for.
///
/// # Errors
/// When it is not waiting for an answer in public.
pub const fn vote(state: CommentState) -> Result<(), WrongState> {
    match state {
        CommentState::Published | CommentState::Selected => Ok(()),
        _ => Err(WrongState(state)),
    }
}

/// How long an author must still wait in slow mode; none where they may post, as always when it is off.
///
/// Posts that are judged together are not always in the order of their moments, so the last one may lie ahead of `now`.
#[must_use]
pub fn slow_mode_wait(pause: TimeDelta, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<TimeDelta> {
    let wait = last.filter(|_| pause > TimeDelta::zero())? + pause - now;
    Some(wait).filter(|wait| *wait > TimeDelta::zero())
}

/// Whether comments may be moderated while the meeting is in this phase.
#[must_use]
pub const fn can_moderate(phase: MeetingPhase) -> bool {
    matches!(phase, MeetingPhase::Live | MeetingPhase::Ended)
}

/// How a change of state looks to those who see everything and to everyone else. `before` is none for a new comment.
#[must_use]
pub fn event_kinds(before: Option<CommentState>, after: CommentState) -> (EventKind, Option<EventKind>) {
    let all = if before.is_none() { EventKind::Posted } else { EventKind::Changed };
    let public = match (before.is_some_and(is_public), is_public(after)) {
        (false, true) => Some(EventKind::Posted),
        (true, true) => Some(EventKind::Changed),
        (true, false) => Some(EventKind::Removed),
        (false, false) => None,
    };
    (all, public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_makes_a_rejected_hidden_or_withdrawn_comment_public_but_restore() {
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
    fn nobody_is_shown_what_they_were_not_shown_before_it_was_joined() {
        for into in CommentState::ALL {
            for was in [None, Some(CommentState::Pending)] {
                assert_eq!(left_alone(*into, was), CommentState::Pending, "{into:?}");
            }
            let public = left_alone(*into, Some(CommentState::Published)) == CommentState::Published;
            assert_eq!(public, take_in(*into).is_ok(), "{into:?}");
            let parted = part(Some(*into), Some(CommentState::Published));
            assert_eq!(
                parted.is_ok(),
                take_in(*into).is_err(),
                "it is joined to one of them or stands alone: {into:?}"
            );
        }
        assert_eq!(part(Some(CommentState::Hidden), None), Ok(CommentState::Pending));
    }

    #[test]
    fn what_its_author_has_deleted_elsewhere_is_restored_by_nobody() {
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
    fn an_edit_makes_nothing_public_that_was_not() {
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
    fn a_step_that_is_already_taken_changes_nothing() {
        for state in CommentState::ALL {
            for step in [approve, reject, hide, select, withdraw, delete] {
                if let Ok(Some(next)) = step(*state) {
                    assert_eq!(step(next), Ok(None), "{state:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_waits_while_slow_mode_is_off_in_whatever_order_posts_are_judged() {
        let now: DateTime<Utc> = "2026-03-02T04:00:00Z".parse().unwrap();
        let (off, on) = (TimeDelta::zero(), TimeDelta::seconds(10));
        for last in [now - TimeDelta::milliseconds(5), now, now + TimeDelta::milliseconds(5)] {
            assert_eq!(slow_mode_wait(off, Some(last), now), None);
            assert_eq!(slow_mode_wait(on, Some(last), now), Some(last + on - now));
        }
        assert_eq!(slow_mode_wait(on, Some(now - on), now), None);
        assert_eq!(slow_mode_wait(on, None, now), None);
    }

    #[test]
    fn the_public_hears_exactly_of_what_it_can_see() {
        for before in CommentState::ALL {
            for after in CommentState::ALL {
                let (_, public) = event_kinds(Some(*before), *after);
                assert_eq!(public.is_some(), is_public(*before) || is_public(*after));
                assert_eq!(public == Some(EventKind::Removed), is_public(*before) && !is_public(*after));
            }
        }
        assert_eq!(event_kinds(None, CommentState::Pending), (EventKind::Posted, None));
    }
}
