//! How a meeting's comments are moderated.

use entities::{enums::ModerationMode, ids::MeetingId, meeting};

use crate::{
    app::{
        ActError, App, Refused,
        meetings::{in_range, step, text},
        refused::Invalid,
    },
    domain::{
        feed::EventKind,
        meeting::{SLOWEST_MODE, Step},
        policy,
        viewer::Viewer,
        words::{LONGEST_WORD, MOST_WORDS},
    },
    store::StoreError,
};

/// What is to be changed; what is not named stays.
#[derive(Clone, Debug)]
pub struct SetModeration {
    /// The meeting.
    pub meeting: MeetingId,
    /// When comments become public.
    pub mode: Option<ModerationMode>,
    /// Least time between two comments of one author, in seconds.
    pub slow_mode_seconds: Option<i32>,
    /// Whether the floor is open.
    pub accepting_comments: Option<bool>,
    /// Words that no comment may hold.
    pub blocked_words: Option<Vec<String>>,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Changes how a meeting's comments are moderated.
    ///
    /// # Errors
    /// Refused when the meeting is closed or cancelled, or a setting is out of range.
    pub async fn set_moderation(&self, viewer: &Viewer, set: SetModeration) -> Result<meeting::Model, ActError> {
        let tx = self.store.begin().await?;
        let (mut meeting, allowed) = self.lock::<policy::SetModeration>(&tx, viewer, set.meeting).await?;
        step(&meeting, set.version, Step::SetModeration)?;
        let before = meeting.clone();
        meeting.moderation = set.mode.unwrap_or(meeting.moderation);
        if let Some(seconds) = set.slow_mode_seconds {
            in_range("slowModeSeconds", seconds, 0, SLOWEST_MODE)?;
            meeting.slow_mode_seconds = seconds;
        }
        meeting.accepting_comments = set.accepting_comments.unwrap_or(meeting.accepting_comments);
        if let Some(words) = set.blocked_words {
            if words.len() > MOST_WORDS {
                return Err(
                    Refused::Invalid { field: "blockedWords", why: Invalid::TooMany { max: MOST_WORDS } }.into()
                );
            }
            let words = words.iter().map(|word| text("blockedWords", word, LONGEST_WORD));
            let words = words.collect::<Result<Vec<_>, _>>()?;
            meeting.blocked_words = serde_json::to_string(&words).map_err(|_| StoreError::Corrupt("list of words"))?;
        }
        if meeting == before {
            return Ok(meeting);
        }
        Ok(self.save(tx, meeting, EventKind::Changed, &allowed.person.subject).await?)
    }
}
