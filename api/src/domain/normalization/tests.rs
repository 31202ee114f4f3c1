//! Rules and invariants of the normalisation.

use proptest::prelude::*;

use super::*;

fn search(text: &str) -> String {
    normalize(text, Level::Search)
}

fn duplicates(text: &str) -> String {
    normalize(text, Level::Duplicates)
}

fn blocked(text: &str) -> String {
    normalize(text, Level::BlockedWords)
}

const LEVELS: [Level; 3] = [Level::Search, Level::Duplicates, Level::BlockedWords];

#[test]
fn spellings_of_a_name_are_equal() {
    for (one, other) in [
        ("Қарағанды облысы", "КАРАГАНДЫ  ОБЛЫСЫ"),
        ("село Берёзовка", "село бере\u{308}зовка"),
        ("село Берёзовка", "СЕЛО БЕРЕЗОВКА"),
        ("Алматы", "Aлмaты"),
        ("Алматы", "А\u{301}л\u{200b}ма\u{ad}т\u{202e}ы\u{fe0f}"),
        ("Алматы", "𝐀лматы"),
        ("жиһаз", "жиhаз"),
        ("Нұрсұлтан", "Hурсултан"),
        ("Ілияс", "Iлияс"),
        ("Ілияс", "И\u{323}лияс"),
        ("İstanbul", "ISTANBUL"),
        ("İstanbul", "ıstanbul"),
        ("Straße", "STRASSE"),
        ("Visa", "Vіsа"),
        ("м²", "м2"),
        ("Müller", "muller"),
    ] {
        assert_eq!(search(one), search(other), "{one} {other}");
        assert_eq!(duplicates(one), duplicates(other), "{one} {other}");
    }
}

#[test]
fn distinct_letters_stay_distinct() {
    assert_eq!(search("Йод"), "йод");
    assert_eq!(search("и\u{306}од"), "йод");
    assert_ne!(search("йод"), search("иод"));
    assert_eq!(search("ёж"), "еж");
    assert_eq!(search("№5 Samsung™"), "5 samsung № ™");
    assert_eq!(search("हिन्दी"), "हिन्दी");
    assert_eq!(search("\u{1112}\u{1161}\u{11ab}글"), "한글");
    assert_eq!(search("がぎ"), "がぎ");
    assert_eq!(search("VK cop"), "vk cop", "a word in one alphabet stays in it");
}

#[test]
fn a_search_without_words_finds_signs() {
    assert_eq!(terms("Үлкен-Өзен, ҮЛКЕН"), ["улкен", "озен"]);
    assert_eq!(terms("100%"), ["100"]);
    assert_eq!(terms("%_%"), ["%", "_"]);
    assert_eq!(terms("👍\u{1f3fd}"), ["👍", "\u{1f3fd}"]);
    assert_eq!(terms(" \u{200b}\u{ad}\n"), [""; 0]);
    assert_eq!(search("Бәрі, 100% 👍👍"), "бари 100 , % 👍");
}

#[test]
fn a_search_is_bounded() {
    let different = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let found = |text: &str| search_terms(text).map(|terms| terms.len());
    assert_eq!(found(&different(MAX_SEARCH_TERMS)), Some(MAX_SEARCH_TERMS));
    assert_eq!(found(&different(MAX_SEARCH_TERMS + 1)), None);
    assert_eq!(search_terms(&"Су ".repeat(40)), Some(vec!["су".to_owned()]), "repeated words count once");
    assert_eq!(found(&"ә\u{200b}".repeat(MAX_SEARCH_LENGTH)), Some(1), "invisible characters do not count");
    assert_eq!(found(&"ә".repeat(MAX_SEARCH_LENGTH + 1)), None);
}

#[test]
fn repeated_texts_are_duplicates() {
    for again in
        ["ЖОЛ  қашан жөнделеді", "Жол, қашан жөнделеді?!", "жол кашан жонделеди?", "«Жoл» қа\u{200b}шан — жөнделеді…"]
    {
        assert_eq!(duplicates("Жол қашан жөнделеді?"), duplicates(again), "{again}");
    }
    for (one, other) in
        [("👍", "👎"), ("?", "!"), ("+1", "1"), ("C#", "C++"), ("Жол 1", "Жол 2"), ("қашан жол", "жол қашан")]
    {
        assert_ne!(duplicates(one), duplicates(other), "{one} {other}");
    }
}

#[test]
fn blocked_words_keep_kazakh_letters_and_signs() {
    assert_ne!(blocked("ақымақ"), blocked("акымак"));
    assert_ne!(blocked("қаһар"), blocked("қанар"));
    assert_eq!(blocked("XАM сл0во"), "хам слово");
    assert_eq!(blocked("учи  C#,\n18+"), "учи с#, 18+");
    assert_eq!(blocked("1\u{fe0f}\u{20e3} 👨\u{200d}👩 ℹ\u{fe0f}"), "1\u{20e3} 👨\u{200d}👩 ℹ");
}

/// Characters that some step treats specially, among ordinary ones.
fn awkward() -> impl Strategy<Value = String> {
    let special = "аАaAхХxXhHнНһҺіІiIıİӏйЙиИёЁеEқҚkКәəӘƏөɵұүңғdDжЖ0346²½№™ℹⒶⓂßẞſςΣμηабвσЌўїј\u{300}\u{306}\u{308}\u{307}\u{323}\u{338}\u{345}\
                   \u{20e3}\u{200b}\u{200d}\u{ad}\u{202e}\u{fe0f}\u{93f}\u{3099}क한ガ👍👨\u{1f3fd} \n.,+#%'-";
    let special: Vec<char> = special.chars().collect();
    let one = prop_oneof![6 => prop::sample::select(special), 1 => any::<char>()];
    prop::collection::vec(one, 0..30).prop_map(|text| text.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn normalisation_is_idempotent(text in awkward()) {
        for level in LEVELS {
            let once = normalize(&text, level);
            prop_assert_eq!(&normalize(&once, level), &once, "{:?}", level);
        }
    }

    #[test]
    fn unicode_composition_does_not_matter(text in awkward()) {
        let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
        for level in LEVELS {
            prop_assert_eq!(normalize(&composed, level), normalize(&decomposed, level), "{:?}", level);
        }
    }

    #[test]
    fn invisible_characters_do_not_matter(
        word in "[а-яёәғқңөұүһі]{2,8}", at in 1..2_usize,
        unseen in prop::sample::select(vec!['\u{200b}', '\u{ad}', '\u{301}', '\u{feff}', '\u{200d}', '\u{202e}', '\u{fe0f}', '\u{7}'])
    ) {
        let mut letters: Vec<char> = word.chars().collect();
        letters.insert(at, unseen);
        let dressed: String = letters.into_iter().collect();
        for level in LEVELS {
            prop_assert_eq!(normalize(&dressed, level), normalize(&word, level), "{:?}", level);
        }
    }

    #[test]
    fn a_text_contains_all_of_its_terms(text in awkward()) {
        let stored = format!(" {} ", normalize_for_search(&text));
        for term in terms(&text) {
            prop_assert!(!term.is_empty() && stored.contains(&format!(" {term} ")), "{:?} in {:?}", term, stored);
        }
    }
}

#[test]
fn plain_letters_are_those_that_no_step_but_the_kazakh_one_changes() {
    let plain: Vec<char> = (char::MIN..=char::MAX).filter(|c| is_plain(*c)).collect();
    assert_eq!(plain.len(), 26 + 10 + 31 + 9);
    for c in plain {
        let mut parts = Vec::new();
        decompose_compatible(c, |part| parts.push(part));
        decompose_canonical(c, |part| parts.push(part));
        parts.extend(fold_case(c));
        assert!(parts.len() == 3 && parts.iter().all(|part| *part == c), "{c:?}: {parts:?}");
        assert!(is_other_part_of_word(c) && !is_invisible(c) && !is_combining_mark(c), "{c:?}");
        let mut kept = vec!['и'];
        keep(c, Level::BlockedWords, &mut kept);
        assert_eq!(kept, ['и', c]);
        // No letter composes with what follows it, because marks are not plain.
        assert_eq!(['е', c, 'i'].into_iter().nfc().collect::<String>(), format!("е{c}i"));
    }
}
