//! Muting an author.

use chrono::TimeDelta;
use entities::{comment, ids::CommentId};

use crate::{
    app::{App, CommandError, Rejection, input::check_range, questions::moderated, rejection::Invalid},
    domain::{
        feed::{Audience, EventKind, FeedName, NewEvent},
        meeting::MAX_MUTE_MINUTES,
        policy,
        viewer::Viewer,
    },
};

impl App {
    /// Keeps the author of a comment from writing at its meeting for some minutes; 0 lets them write again.
    ///
    /// # Errors
    /// Rejected when the time is out of range, or nobody knows who the author is.
    pub async fn mute_author(
        &self,
        viewer: &Viewer,
        id: CommentId,
        minutes: i32,
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::MuteAuthor>(viewer, id).await?;
        check_range("minutes", minutes, 0, MAX_MUTE_MINUTES)?;
        let (mut tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let Some(author) = &locked.comment.author_key else {
            return Err(Rejection::Invalid { field: "commentId", why: Invalid::UnknownAuthor }.into());
        };
        tx.mute(locked.meeting.id, author, now + TimeDelta::minutes(minutes.into())).await?;
        // For the moderators only: neither the public nor the author is told of it.
        let actor = Some(locked.allowed.person.subject.clone());
        let event =
            NewEvent { subject: id.0, kind: EventKind::Changed, public_kind: None, audience: Audience::Staff, actor };
        tx.record(FeedName::Comments(locked.meeting.id), now, &[event]).await?;
        self.commit(tx).await?;
        Ok(locked.comment)
    }
}
