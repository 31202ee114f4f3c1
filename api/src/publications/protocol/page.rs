//! The page of a protocol.

use askama::Template;
use chrono::{DateTime, Utc};

use crate::{
    domain::{
        norms::paragraph,
        protocol::{Protocol, ProtocolBroadcast, ProtocolQuestion, ProtocolScope},
        time_split::{Segment, SplitStatus},
    },
    publications::{Page, PageLanguage, RenderError, format::machine_time},
};

/// The page of a protocol.
#[derive(Template)]
#[template(path = "protocol.html")]
pub struct ProtocolPage<'a> {
    /// The frame of the page.
    pub page: &'a Page,
    /// What it shows.
    pub protocol: &'a Protocol,
}

impl ProtocolPage<'_> {
    /// Returns the title of the page of a protocol.
    #[must_use]
    pub fn title(protocol: &Protocol, language: PageLanguage) -> String {
        language.text_with("page-protocol-title", language.name(&protocol.meeting.title))
    }

    /// Renders the page as HTML.
    ///
    /// # Errors
    /// When a template fails.
    pub fn html(&self) -> Result<String, RenderError> {
        Ok(self.render()?)
    }

    const fn language(&self) -> PageLanguage {
        self.page.language
    }

    fn is_staff(&self) -> bool {
        self.protocol.scope == ProtocolScope::Staff
    }

    fn host(&self) -> String {
        self.language().unit_path(&self.protocol.meeting.host)
    }

    fn region(&self) -> String {
        self.language().unit_path(&self.protocol.meeting.region)
    }

    fn venue(&self) -> Option<&str> {
        self.protocol.meeting.venue.as_ref().map(|venue| self.language().name(venue))
    }

    fn planned(&self) -> String {
        let meeting = &self.protocol.meeting;
        let length = self.language().duration(i64::from(meeting.planned_minutes) * 60_000);
        format!("{}, {length}", self.language().date_time(meeting.planned_start))
    }

    fn broadcast_platform(&self, broadcast: &ProtocolBroadcast) -> String {
        self.language().platform(Some(broadcast.platform))
    }

    fn date_time(&self, at: &DateTime<Utc>) -> String {
        self.language().date_time(*at)
    }

    fn machine_time(&self, at: &DateTime<Utc>) -> String {
        machine_time(*at)
    }

    /// How the questions were moderated.
    fn moderation(&self) -> String {
        let meeting = &self.protocol.meeting;
        let mode = self.language().moderation(meeting.moderation);
        if meeting.slow_mode_seconds == 0 {
            return mode;
        }
        let pause = self.language().duration(i64::from(meeting.slow_mode_seconds) * 1_000);
        format!("{mode} {}", self.page.text_with("page-protocol-slow-mode", &pause))
    }

    /// The stages with their durations and shares of the time that they took together.
    fn stages(&self) -> [(String, String, String); 3] {
        let (split, language) = (&self.protocol.split, self.language());
        let total = split.presentation_ms + split.questions_ms + split.break_ms;
        let stages = [
            ("page-stage-presentation", split.presentation_ms),
            ("page-stage-questions", split.questions_ms),
            ("page-stage-break", split.break_ms),
        ];
        stages.map(|(name, spent)| (language.text(name), language.duration(spent), language.percent(spent, total)))
    }

    fn is_exceeded(&self) -> bool {
        self.protocol.split.status() == SplitStatus::Exceeded
    }

    /// Whether the presentation kept to its share, with the norm that says so.
    fn verdict(&self) -> String {
        let (split, language) = (&self.protocol.split, self.language());
        let citation = match language {
            PageLanguage::Kk => self.protocol.norms.citation_kk,
            PageLanguage::Ru => self.protocol.norms.citation_ru,
        };
        let share = language.percent(split.presentation_ms, split.planned_ms);
        let limit = language.percent(split.budget_ms, split.planned_ms);
        let key = if self.is_exceeded() { "page-protocol-exceeded" } else { "page-protocol-kept" };
        language.text_args(
            key,
            &[
                ("share", share),
                ("limit", limit),
                ("paragraph", paragraph::TIME_SPLIT.to_owned()),
                ("citation", citation.to_owned()),
            ],
        )
    }

    fn segment(&self, segment: &Segment) -> (String, String, String) {
        let language = self.language();
        let end = segment.ended_at.map_or_else(|| language.text("page-protocol-running"), |at| language.exact_time(at));
        let spent = (segment.ended_at.unwrap_or(self.protocol.as_of) - segment.started_at).num_milliseconds();
        let times = format!("{}–{end}", language.exact_time(segment.started_at));
        (language.stage(segment.stage), times, language.duration(spent))
    }

    /// The states with their numbers of questions.
    fn states(&self) -> Vec<(String, String)> {
        let counts = self.protocol.counts.by_state.iter();
        counts.map(|(state, count)| (self.language().state_called(state), self.number(count))).collect()
    }

    /// The platforms with their numbers of questions.
    fn platforms(&self) -> Vec<(String, String)> {
        let counts = self.protocol.counts.by_platform.iter();
        counts.map(|(platform, count)| (self.language().platform_called(*platform), self.number(count))).collect()
    }

    fn number(&self, count: &u64) -> String {
        self.language().number(i64::try_from(*count).unwrap_or(i64::MAX))
    }

    fn total(&self) -> String {
        self.number(&self.protocol.counts.total)
    }

    /// How many questions are on the page, if they are not all.
    fn shown_of_all(&self) -> Option<String> {
        let shown = u64::try_from(self.protocol.questions.len()).unwrap_or(u64::MAX);
        (!self.protocol.is_complete).then(|| self.number(&shown))
    }

    fn platform(&self, question: &ProtocolQuestion) -> String {
        self.language().platform(question.platform)
    }

    fn state(&self, question: &ProtocolQuestion) -> String {
        self.language().state_called(question.state.as_str())
    }

    fn votes(&self, question: &ProtocolQuestion) -> String {
        self.language().number(question.votes.into())
    }

    /// The unit whose moderator took a question down.
    fn decided_by<'q>(&self, question: &'q ProtocolQuestion) -> Option<&'q str> {
        let body = question.decision.as_ref()?.body.as_ref()?;
        Some(self.language().unit(body))
    }
}
