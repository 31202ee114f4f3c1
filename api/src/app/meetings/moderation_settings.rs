//! Changes the moderation settings of a meeting.

use entities::{enums::ModerationMode, ids::MeetingId, meeting};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::{check_range, text_rejection},
        meetings::check_step,
        rejection::Invalid,
    },
    domain::{
        blocked_words::{BlockedWords, MAX_BLOCKED_WORD_LENGTH, MAX_BLOCKED_WORDS},
        feed::EventKind,
        meeting::{MAX_SLOW_MODE_SECONDS, MeetingStep},
        policy,
        text::single_line,
        viewer::Viewer,
    },
    store::StoreError,
};

/// Moderation settings to change. `None` keeps the current value.
#[derive(Clone, Debug)]
pub struct SetModeration {
    /// The meeting.
    pub meeting: MeetingId,
    /// When comments become public.
    pub mode: Option<ModerationMode>,
    /// Minimum time between two comments of one author, in seconds.
    pub slow_mode_seconds: Option<i32>,
    /// Whether the meeting accepts comments.
    pub accepting_comments: Option<bool>,
    /// Words that comments must not contain.
    pub blocked_words: Option<Vec<String>>,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Changes the moderation settings of a meeting.
    ///
    /// # Errors
    /// Rejected when the meeting is closed or cancelled, or a setting is out of range.
    pub async fn set_moderation(&self, viewer: &Viewer, set: SetModeration) -> Result<meeting::Model, CommandError> {
        let permit = self.permit_meeting::<policy::SetModeration>(viewer, set.meeting).await?;
        // Validated before the lock is taken, because posts wait for the lock.
        if let Some(seconds) = set.slow_mode_seconds {
            check_range("slowModeSeconds", seconds, 0, MAX_SLOW_MODE_SECONDS)?;
        }
        let blocked_words = set.blocked_words.as_deref().map(checked).transpose()?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        check_step(&locked.meeting, set.version, MeetingStep::SetModeration)?;
        let words = Some(locked.tx.blocked_words(locked.meeting.id).await?);
        locked.before.blocked_words.clone_from(&words);
        let (before, meeting) = (&locked.before, &mut locked.meeting);
        meeting.moderation = set.mode.unwrap_or(meeting.moderation);
        meeting.slow_mode_seconds = set.slow_mode_seconds.unwrap_or(meeting.slow_mode_seconds);
        meeting.accepting_comments = set.accepting_comments.unwrap_or(meeting.accepting_comments);
        meeting.blocked_words = blocked_words.or(words);
        if *meeting == *before {
            return Ok(locked.meeting);
        }
        if let Some(words) = meeting.blocked_words.as_ref().filter(|_| meeting.blocked_words != before.blocked_words) {
            locked.tx.save_blocked_words(meeting.id, words).await?;
        }
        Ok(self.save(locked, EventKind::CHANGED).await?)
    }
}

/// Validates blocked words and serialises them for storage.
fn checked(words: &[String]) -> Result<String, CommandError> {
    if words.len() > MAX_BLOCKED_WORDS {
        return Err(
            Rejection::Invalid { field: "blockedWords", why: Invalid::TooMany { max: MAX_BLOCKED_WORDS } }.into()
        );
    }
    let word = |(index, word): (usize, &String)| {
        let word = single_line(word, MAX_BLOCKED_WORD_LENGTH).map_err(|bad| text_rejection("blockedWords", bad));
        let word = word.and_then(|word| match BlockedWords::is_blockable(&word) {
            true => Ok(word),
            false => Err(Rejection::Invalid { field: "blockedWords", why: Invalid::NoWord }),
        });
        word.map_err(|rejection| rejection.at_index("blockedWords", index))
    };
    let words = words.iter().enumerate().map(word).collect::<Result<Vec<_>, _>>()?;
    Ok(serde_json::to_string(&words).map_err(|_| StoreError::Corrupt("list of words"))?)
}
