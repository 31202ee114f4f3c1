//! Names in the languages of the service.

use entities::enums::Language;

use crate::domain::{
    text::{BadText, single_line},
    tsv::TsvRow,
};

/// The longest name, in code points.
pub const MAX_LOCALIZED_NAME: usize = 200;

/// A name in Kazakh, and in other languages where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalizedName {
    /// In Kazakh, the state language.
    pub kk: String,
    /// In Russian.
    pub ru: Option<String>,
    /// In English.
    pub en: Option<String>,
}

impl LocalizedName {
    /// Reads the names of a row of a file.
    #[must_use]
    pub fn read(row: &TsvRow<'_>) -> Self {
        let name = |column| row.get(column).map(str::to_owned);
        Self { kk: name("name_kk").unwrap_or_default(), ru: name("name_ru"), en: name("name_en") }
    }

    /// Returns the names of the fields with their values, as in a file.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, Option<String>); 3] {
        [("name_kk", Some(self.kk.clone())), ("name_ru", self.ru.clone()), ("name_en", self.en.clone())]
    }

    /// Returns the name in a language, or in Kazakh if there is none in that language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &str {
        let other = match language {
            Language::Kk => &None,
            Language::Ru => &self.ru,
            Language::En => &self.en,
        };
        other.as_deref().unwrap_or(&self.kk)
    }

    /// Cleans the name in each language. It has 1 to [`MAX_LOCALIZED_NAME`] code points.
    ///
    /// # Errors
    /// When the name is blank or too long in a language.
    pub fn checked(&self) -> Result<Self, BadText> {
        let checked = |name: &String| single_line(name, MAX_LOCALIZED_NAME);
        let other = |name: &Option<String>| name.as_ref().map(checked).transpose();
        Ok(Self { kk: checked(&self.kk)?, ru: other(&self.ru)?, en: other(&self.en)? })
    }
}
