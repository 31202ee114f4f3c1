//! Text in the languages of the product.

use async_graphql::{InputObject, SimpleObject};

/// A text in Kazakh and, where given, in Russian and English.
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
    /// A text that may be missing altogether.
    #[must_use]
    pub fn of(kk: Option<&String>, ru: Option<&String>, en: Option<&String>) -> Option<Self> {
        kk.map(|kk| Self { kk: kk.clone(), ru: ru.cloned(), en: en.cloned() })
    }
}

/// A text in Kazakh and, where wished, in Russian and English.
#[derive(InputObject, Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalizedTextInput {
    /// In Kazakh, the state language.
    pub kk: String,
    /// In Russian.
    pub ru: Option<String>,
    /// In English.
    pub en: Option<String>,
}
