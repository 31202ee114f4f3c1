//! The languages of pages.

use entities::enums::Language;

use crate::text;

/// A language of pages: Kazakh, the state language, or Russian, which is used officially beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageLanguage {
    /// Kazakh.
    Kk,
    /// Russian.
    Ru,
}

impl PageLanguage {
    /// All languages of pages.
    pub const ALL: [Self; 2] = [Self::Kk, Self::Ru];

    /// Returns the language that an address names by `lang`, else the one preferred by `Accept-Language`, else Kazakh.
    #[must_use]
    pub fn choose(lang: Option<&str>, accept_language: Option<&str>) -> Self {
        let named = lang.and_then(|lang| Self::ALL.into_iter().find(|language| language.code() == lang));
        named.unwrap_or_else(|| {
            let preferred = accept_language.and_then(|text| text::preferred_of(text, &Self::ALL.map(Into::into)));
            if preferred == Some(Language::Ru) { Self::Ru } else { Self::Kk }
        })
    }

    /// Returns the code of the language in addresses and in HTML.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Kk => "kk",
            Self::Ru => "ru",
        }
    }

    /// Returns the name of the language in itself.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Kk => "Қазақша",
            Self::Ru => "Русский",
        }
    }

    /// Returns a text of the pages.
    #[must_use]
    pub fn text(self, key: &str) -> String {
        text::message(self.into(), key, &[])
    }

    /// Returns a text of the pages with an argument called `value`.
    #[must_use]
    pub fn text_with(self, key: &str, value: &str) -> String {
        text::message(self.into(), key, &[("value", value.to_owned().into())])
    }

    /// Returns a text of the pages with named arguments.
    #[must_use]
    pub fn text_args(self, key: &str, args: &[(&'static str, String)]) -> String {
        let args: Vec<_> = args.iter().map(|(name, value)| (*name, value.clone().into())).collect();
        text::message(self.into(), key, &args)
    }
}

impl From<PageLanguage> for Language {
    fn from(language: PageLanguage) -> Self {
        match language {
            PageLanguage::Kk => Self::Kk,
            PageLanguage::Ru => Self::Ru,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_precedes_the_header_and_kazakh_is_the_default() {
        let choose = PageLanguage::choose;
        assert_eq!(choose(Some("ru"), Some("kk")), PageLanguage::Ru);
        assert_eq!(choose(Some("en"), Some("ru;q=0.3, kk;q=0.2")), PageLanguage::Ru);
        assert_eq!(choose(None, Some("en, ru;q=0.9, kk;q=0.8")), PageLanguage::Ru);
        assert_eq!(choose(None, Some("kk-KZ;q=0.9, ru;q=0.8")), PageLanguage::Kk);
        for header in [None, Some("de"), Some("ru;q=0"), Some(";;q=")] {
            assert_eq!(choose(None, header), PageLanguage::Kk, "{header:?}");
        }
    }
}
