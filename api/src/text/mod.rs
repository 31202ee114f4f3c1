//! Localised messages and language negotiation.

use std::{borrow::Cow, collections::HashMap};

use entities::enums::Language;
use fluent_templates::{Loader, fluent_bundle::FluentValue, static_loader};
use unic_langid::{LanguageIdentifier, langid};

static_loader! {
    static MESSAGES = {
        locales: "./locales",
        fallback_language: "en",
        // Isolation marks would break programs that compare messages.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

const KK: LanguageIdentifier = langid!("kk");
const RU: LanguageIdentifier = langid!("ru");
const EN: LanguageIdentifier = langid!("en");

/// Returns a message in a language, in English if it is missing there, or its key if it is unknown.
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

/// Returns the preferred supported language of `Accept-Language`, or Kazakh.
#[must_use]
pub fn negotiate(accept_language: Option<&str>) -> Language {
    accept_language.and_then(preferred).unwrap_or(Language::Kk)
}

/// Returns the preferred supported language of a text in the format of `Accept-Language`.
#[must_use]
pub fn preferred(text: &str) -> Option<Language> {
    preferred_of(text, Language::ALL)
}

/// Returns the preferred one of some languages, by a text in the format of `Accept-Language`.
#[must_use]
pub fn preferred_of(text: &str, offered: &[Language]) -> Option<Language> {
    let preferences = text.split(',').filter_map(|preference| {
        let mut parts = preference.split(';');
        let language = language_of(parts.next()?.trim()).filter(|language| offered.contains(language))?;
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>).ok()?;
        (quality > 0.0).then_some((Some(language), quality))
    });
    // The first of equal weights wins.
    preferences.fold((None, 0.0), |best, preference| if preference.1 > best.1 { preference } else { best }).0
}

/// Returns the language of a tag such as `ru` or `kk-KZ`.
fn language_of(tag: &str) -> Option<Language> {
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
    use std::{
        collections::{BTreeMap, BTreeSet},
        path::Path,
    };

    use entities::enums::{CommentState, IssueState, MeetingPhase, ReceptionState, RegistrationState};

    use super::*;
    use crate::domain::viewer::Role;

    /// The catalogues in the order of [`Language::ALL`].
    const FILES: [&str; 3] = [
        include_str!("../../locales/kk/main.ftl"),
        include_str!("../../locales/ru/main.ftl"),
        include_str!("../../locales/en/main.ftl"),
    ];

    /// Returns the keys of a catalogue with the names of their arguments.
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

    /// Returns the keys that are composed at run time from the state that rejects a command.
    fn composed() -> impl Iterator<Item = String> {
        let phases = MeetingPhase::ALL.iter().map(|phase| format!("meeting-phase-{}", phase.as_str()));
        let states = CommentState::ALL.iter().map(|state| format!("comment-state-{}", state.as_str()));
        let receptions = ReceptionState::ALL.iter().map(|state| format!("reception-state-{}", state.as_str()));
        let registrations = RegistrationState::ALL.iter().map(|state| format!("registration-state-{}", state.as_str()));
        let issues = IssueState::ALL.iter().map(|state| state.as_str()).chain(["MERGED"]);
        let issues = issues.map(|state| format!("issue-state-{state}"));
        let roles = Role::ALL.iter().map(|role| format!("role-{}", role.as_str()));
        let objects = ["meeting", "comment", "reception", "registration", "issue"];
        let messages = objects.map(|object| format!("refusal-wrong-state-{object}"));
        phases.chain(states).chain(receptions).chain(registrations).chain(issues).chain(roles).chain(messages)
    }

    /// The texts of pages in the languages of pages.
    const PAGES: [&str; 2] = [include_str!("../../locales/kk/pages.ftl"), include_str!("../../locales/ru/pages.ftl")];

    /// Returns all string literals that look like keys and start with one of these words.
    fn quoted(code: &str, first_words: &BTreeSet<&str>) -> BTreeSet<String> {
        let is_key = |text: &&str| {
            let starts_known = text.split_once('-').is_some_and(|(first, _)| first_words.contains(first));
            starts_known && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
        };
        code.split('"').filter(is_key).map(str::to_owned).collect()
    }

    /// Returns the source code without tests.
    fn code(dir: &Path) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("tests") {
                continue;
            }
            if path.is_dir() {
                all.push_str(&code(&path));
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                all.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
            }
        }
        all
    }

    #[test]
    fn every_message_is_translated_with_the_same_arguments() {
        let [kk, ru, en] = FILES.map(keys);
        assert!(kk.len() > 50);
        assert_eq!(kk, ru);
        assert_eq!(kk, en);
        for (key, args) in kk {
            let args: Vec<_> = args.into_iter().map(|name| (leak(name), FluentValue::from(7))).collect();
            let texts: Vec<_> = Language::ALL.iter().map(|language| message(*language, key, &args)).collect();
            assert!(texts.iter().all(|text| text != key && !text.contains('$') && !text.contains('{')), "{texts:?}");
            let different: BTreeSet<_> = texts.iter().collect();
            assert_eq!(different.len(), texts.len(), "{key} is the same in two languages: {texts:?}");
            let cyrillic = texts.iter().map(|text| text.contains(|c| ('\u{400}'..'\u{530}').contains(&c)));
            assert_eq!(cyrillic.collect::<Vec<_>>(), [true, true, false], "{key} is not translated: {texts:?}");
        }
    }

    #[test]
    fn the_catalogues_contain_exactly_the_used_messages() {
        let known: BTreeSet<_> = keys(FILES[0]).into_keys().map(str::to_owned).collect();
        let first_words = known.iter().filter_map(|key| Some(key.split_once('-')?.0)).collect();
        let mut used = quoted(&code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")), &first_words);
        used.extend(composed());
        assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "used nowhere");
        assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "used, and not there");
    }

    #[test]
    fn the_texts_of_pages_are_translated_and_used() {
        let [kk, ru] = PAGES.map(keys);
        assert_eq!(kk, ru);
        for (key, args) in &kk {
            let args: Vec<_> = args.iter().map(|name| (leak(name), FluentValue::from(7))).collect();
            let [kk, ru] = [Language::Kk, Language::Ru].map(|language| message(language, key, &args));
            assert!(kk != *key && ru != *key && !kk.contains('{') && !ru.contains('{'), "{key}: {kk:?}, {ru:?}");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = code(&root.join("src"));
        for template in std::fs::read_dir(root.join("templates")).unwrap() {
            sources.push_str(&std::fs::read_to_string(template.unwrap().path()).unwrap());
        }
        let known: BTreeSet<_> = kk.into_keys().map(str::to_owned).collect();
        let used = quoted(&sources, &["page"].into());
        assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "used nowhere");
        assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "used, and not there");
    }

    fn leak(name: &str) -> &'static str {
        Box::leak(name.to_owned().into_boxed_str())
    }

    #[test]
    fn negotiates_languages_by_weight() {
        assert_eq!(negotiate(None), Language::Kk);
        assert_eq!(negotiate(Some("de, fr;q=0.9")), Language::Kk);
        assert_eq!(negotiate(Some("ru-RU,ru;q=0.9,en;q=0.8")), Language::Ru);
        assert_eq!(negotiate(Some("de, en;q=0.5, ru;q=0.7")), Language::Ru);
        assert_eq!(negotiate(Some("ru;q=0, en;q=0.1")), Language::En);
        assert_eq!(negotiate(Some(";;q=x,,")), Language::Kk);
        assert_eq!((preferred("de"), preferred("de, ru;q=0.1")), (None, Some(Language::Ru)));
    }
}
