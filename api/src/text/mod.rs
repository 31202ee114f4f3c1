//! Languages, and every message a person reads.

use std::{borrow::Cow, collections::HashMap};

use entities::enums::Language;
use fluent_templates::{Loader, fluent_bundle::FluentValue, static_loader};
use unic_langid::{LanguageIdentifier, langid};

static_loader! {
    static MESSAGES = {
        locales: "./locales",
        fallback_language: "en",
        // Marks around arguments would be seen by programs that compare.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

const KK: LanguageIdentifier = langid!("kk");
const RU: LanguageIdentifier = langid!("ru");
const EN: LanguageIdentifier = langid!("en");

/// A message in a language. One that is missing there comes in English; one that is nowhere as its key.
#[must_use]
pub fn message(language: Language, key: &str, args: &[(&'static str, FluentValue<'static>)]) -> String {
    let id = match language {
        Language::Kk => &KK,
        Language::Ru => &RU,
        Language::En => &EN,
    };
    let args: HashMap<Cow<'static, str>, FluentValue<'static>> =
        args.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect();
    MESSAGES.try_lookup_with_args(id, key, &args).unwrap_or_else(|| key.to_owned())
}

/// The language a client wishes, from `Accept-Language`; Kazakh where none of its wishes is ours.
#[must_use]
pub fn negotiate(accept_language: Option<&str>) -> Language {
    accept_language.and_then(wished).unwrap_or(Language::Kk)
}

/// The most wished language of those that are ours, from a text as in `Accept-Language`.
#[must_use]
pub fn wished(text: &str) -> Option<Language> {
    let wishes = text.split(',').filter_map(|wish| {
        let mut parts = wish.split(';');
        let language = named(parts.next()?.trim())?;
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>).ok()?;
        (quality > 0.0).then_some((Some(language), quality))
    });
    // Of equal wishes the first counts.
    wishes.fold((None, 0.0), |best, wish| if wish.1 > best.1 { wish } else { best }).0
}

/// The language of a tag such as `ru` or `kk-KZ`.
fn named(tag: &str) -> Option<Language> {
    let primary = tag.split(['-', '_']).next()?;
    let is = |code: &str| primary.eq_ignore_ascii_case(code);
    match () {
        () if is("kk") => Some(Language::Kk),
        () if is("ru") => Some(Language::Ru),
        () if is("en") => Some(Language::En),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Keys of a file with the names of their arguments.
    fn keys(file: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        file.lines()
            .filter_map(|line| line.split_once(" = "))
            .filter(|(key, _)| !key.starts_with([' ', '#', '[', '*']))
            .map(|(key, text)| {
                let args = text.split('$').skip(1);
                (key, args.map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap()).collect())
            })
            .collect()
    }

    #[test]
    fn every_message_is_there_in_three_languages_with_the_same_arguments() {
        let kk = keys(include_str!("../../locales/kk/main.ftl"));
        let ru = keys(include_str!("../../locales/ru/main.ftl"));
        let en = keys(include_str!("../../locales/en/main.ftl"));
        assert!(kk.len() > 50);
        assert_eq!(kk, ru);
        assert_eq!(kk, en);
        for (key, args) in kk {
            let args: Vec<_> = args.into_iter().map(|name| (leak(name), FluentValue::from(7))).collect();
            let texts: Vec<_> = Language::ALL.iter().map(|language| message(*language, key, &args)).collect();
            assert!(texts.iter().all(|text| text != key && !text.contains('$') && !text.contains('{')), "{texts:?}");
            assert!(texts[0] != texts[2] && texts[1] != texts[2], "{key} is not translated");
        }
    }

    fn leak(name: &str) -> &'static str {
        Box::leak(name.to_owned().into_boxed_str())
    }

    #[test]
    fn the_wished_language_is_taken_in_the_order_of_the_wish() {
        assert_eq!(negotiate(None), Language::Kk);
        assert_eq!(negotiate(Some("de, fr;q=0.9")), Language::Kk);
        assert_eq!(negotiate(Some("ru-RU,ru;q=0.9,en;q=0.8")), Language::Ru);
        assert_eq!(negotiate(Some("de, en;q=0.5, ru;q=0.7")), Language::Ru);
        assert_eq!(negotiate(Some("ru;q=0, en;q=0.1")), Language::En);
        assert_eq!(negotiate(Some(";;q=x,,")), Language::Kk);
        assert_eq!((wished("de"), wished("de, ru;q=0.1")), (None, Some(Language::Ru)));
    }
}
