//! Releases the description of an issue to the public.

use entities::{ids::IssueId, issue};

use crate::{
    app::{
        App, CommandError,
        digest::sha256_hex,
        input::{check_version, text_rejection},
    },
    domain::{
        feed::EventKind,
        issues::{DESCRIPTION, MAX_TEXT_LENGTH},
        policy,
        text::multi_line,
        viewer::Viewer,
    },
};

impl App {
    /// Releases a description that holds no personal data. Each edition is kept.
    ///
    /// # Errors
    /// Rejected when the text is empty or too long.
    pub async fn release_description(
        &self,
        viewer: &Viewer,
        id: IssueId,
        text: &str,
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::RunIssue>(viewer, id).await?;
        let text = multi_line(text, MAX_TEXT_LENGTH).map_err(|bad| text_rejection("text", bad))?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        if locked.issue.released_description.as_ref() == Some(&text) {
            return Ok(locked.before);
        }
        locked.tx.insert_description(id, &text, now).await?;
        // The chain cannot forget, so it holds what proves the text, and not the text.
        let digest = |text: &String| format!("sha256:{}", sha256_hex(text));
        let before = locked.issue.released_description.as_ref().map(digest);
        locked.changed(DESCRIPTION, before, Some(digest(&text)));
        locked.issue.released_description = Some(text);
        locked.save(self, EventKind::CHANGED).await
    }
}
