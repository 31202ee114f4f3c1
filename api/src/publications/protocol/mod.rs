//! The protocol of a meeting as a page, as CSV and as JSON.

mod csv;
mod json;
mod page;

pub use self::csv::csv;
pub use self::json::{SCHEMA_PATH, json, json_schema};
pub use self::page::ProtocolPage;

use entities::enums::{CommentState, ModerationMode, Platform, Stage};

use crate::{
    domain::{localized_name::LocalizedName, protocol::platform_name, regions::Names},
    publications::PageLanguage,
};

impl PageLanguage {
    /// Returns the name of a unit or body.
    fn unit(self, names: &Names) -> &str {
        match self {
            Self::Kk => &names.kk,
            Self::Ru => &names.ru,
        }
    }

    /// Returns the name of a unit after those of the units above it.
    fn unit_path(self, path: &[Names]) -> String {
        path.iter().map(|names| self.unit(names)).collect::<Vec<_>>().join(", ")
    }

    fn name(self, name: &LocalizedName) -> &str {
        name.in_language(self.into())
    }

    /// Returns the name of a platform, or of this service.
    fn platform(self, platform: Option<Platform>) -> String {
        self.platform_called(platform.map(platform_name))
    }

    /// Returns the name of a platform by its name in the API.
    fn platform_called(self, name: Option<&str>) -> String {
        match name {
            None => self.text("page-platform-own"),
            Some("YOUTUBE") => "YouTube".to_owned(),
            Some("FACEBOOK") => "Facebook".to_owned(),
            Some("INSTAGRAM") => "Instagram".to_owned(),
            Some("TELEGRAM") => "Telegram".to_owned(),
            Some("TIKTOK") => "TikTok".to_owned(),
            Some("VK") => "VK".to_owned(),
            Some("TWITCH") => "Twitch".to_owned(),
            Some("TELEVISION") => self.text("page-platform-television"),
            Some("VIDEOCONFERENCE") => self.text("page-platform-videoconference"),
            Some(_) => self.text("page-platform-other"),
        }
    }

    /// Returns the name of a state of a question, by its name in the API.
    fn state_called(self, name: &str) -> String {
        let known = name.parse().unwrap_or(CommentState::Unknown);
        self.text(match known {
            CommentState::Pending => "page-state-pending",
            CommentState::Published => "page-state-published",
            CommentState::Selected => "page-state-selected",
            CommentState::Answered => "page-state-answered",
            CommentState::Rejected => "page-state-rejected",
            CommentState::Hidden => "page-state-hidden",
            CommentState::Withdrawn => "page-state-withdrawn",
            CommentState::Merged => "page-state-merged",
            CommentState::Unknown => "page-state-unknown",
        })
    }

    fn stage(self, stage: Stage) -> String {
        self.text(match stage {
            Stage::Presentation => "page-stage-presentation",
            Stage::Questions => "page-stage-questions",
            Stage::Break | Stage::Unknown => "page-stage-break",
        })
    }

    fn moderation(self, mode: ModerationMode) -> String {
        self.text(match mode {
            ModerationMode::Before | ModerationMode::Unknown => "page-moderation-before",
            ModerationMode::After => "page-moderation-after",
        })
    }
}
