//! Mutes an author.

use chrono::TimeDelta;
use entities::{comment, ids::CommentId};

use crate::{
    app::{App, CommandError, Rejection, input::check_range, questions::check_moderation_open, rejection::Invalid},
    domain::{
        comment_events::comment_feed,
        feed::{Audience, EventKind, FilterValues, NewEvent},
        meeting::MAX_MUTE_MINUTES,
        policy,
        viewer::Viewer,
    },
};

impl App {
    /// Mutes the author of a comment at its meeting for some minutes. 0 ends the mute.
    ///
    /// # Errors
    /// Rejected when the time is out of range, or the author is unknown.
    pub async fn mute_author(
        &self,
        viewer: &Viewer,
        id: CommentId,
        minutes: i32,
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::MuteAuthor>(viewer, id).await?;
        check_range("minutes", minutes, 0, MAX_MUTE_MINUTES)?;
        let (mut tx, locked) = self.begin_with_comment(&permit).await?;
        check_moderation_open(&locked.meeting)?;
        let Some(author) = &locked.comment.author_key else {
            return Err(Rejection::Invalid { field: "commentId", why: Invalid::UnknownAuthor }.into());
        };
        tx.mute(locked.meeting.id, author, now + TimeDelta::minutes(minutes.into())).await?;
        // Only staff see this event, neither the public nor the author.
        let actor = Some(locked.allowed.person.subject.clone());
        let event = NewEvent {
            subject: id.0,
            kind: EventKind::CHANGED,
            public_kind: None,
            audience: Audience::Staff,
            actor,
            filter_values: FilterValues::default(),
        };
        tx.record(comment_feed(locked.meeting.id), now, &[event]).await?;
        self.commit(tx).await?;
        Ok(locked.comment)
    }
}
