//! Localised texts.

use async_graphql::{Context, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use chrono_tz::Asia::Almaty;
use entities::enums::Language;

use crate::{
    app::meetings::Title,
    domain::localized_name::LocalizedName,
    graphql::{context::ContextExt, error::ApiResult},
};

/// Returns a time in Asia/Almaty, as people write it.
#[must_use]
pub fn local_time(at: DateTime<Utc>, language: Language) -> String {
    let format = match language {
        Language::Kk | Language::Ru => "%d.%m.%Y, %H:%M",
        Language::En => "%-d %B %Y, %H:%M",
    };
    at.with_timezone(&Almaty).format(format).to_string()
}

/// A text in Kazakh, and optionally in Russian and English.
#[derive(SimpleObject, Clone, Debug, PartialEq, Eq)]
#[graphql(shareable)]
pub struct LocalizedText {
    /// In Kazakh, the state language.
    pub kk: String,
    /// In Russian.
    pub ru: Option<String>,
    /// In English.
    pub en: Option<String>,
}

impl LocalizedText {
    /// Creates a text, or `None` without Kazakh.
    #[must_use]
    pub fn of(kk: Option<&String>, ru: Option<&String>, en: Option<&String>) -> Option<Self> {
        kk.map(|kk| Self { kk: kk.clone(), ru: ru.cloned(), en: en.cloned() })
    }

    /// Counts the text in the response, in all its languages.
    ///
    /// # Errors
    /// If the response becomes too long.
    pub fn metered(self, ctx: &Context<'_>) -> ApiResult<Self> {
        let others: usize = [&self.ru, &self.en].into_iter().flatten().map(String::len).sum();
        ctx.meter().text(self.kk.len() + others)?;
        Ok(self)
    }
}

/// A text in Kazakh, and optionally in Russian and English.
#[derive(InputObject, Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalizedTextInput {
    /// In Kazakh, the state language.
    pub kk: String,
    /// In Russian.
    pub ru: Option<String>,
    /// In English.
    pub en: Option<String>,
}

impl From<&LocalizedName> for LocalizedText {
    fn from(name: &LocalizedName) -> Self {
        Self { kk: name.kk.clone(), ru: name.ru.clone(), en: name.en.clone() }
    }
}

impl From<LocalizedTextInput> for LocalizedName {
    fn from(text: LocalizedTextInput) -> Self {
        Self { kk: text.kk, ru: text.ru, en: text.en }
    }
}

impl From<LocalizedTextInput> for Title {
    fn from(text: LocalizedTextInput) -> Self {
        Self { kk: text.kk, ru: text.ru, en: text.en }
    }
}
