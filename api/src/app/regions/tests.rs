//! Rules of the import, and every row of the official data where it is available.

use std::{collections::BTreeMap, path::PathBuf};

use entities::enums::RegionKind;

use super::*;
use crate::domain::regions::{NotNewer, Tree, Unit, UnitFilter, diff, embedded};

fn real(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(file);
    if path.exists() {
        return Some(path);
    }
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    {
        eprintln!("SKIPPED: ../shared/data/{file} is not here, so the real classifier is not checked");
    }
    None
}

#[test]
fn every_row_of_the_official_files_becomes_the_expected_unit() {
    let (Some(expected), Some(book), Some(csv)) =
        (real("regions-expected-10-39.tsv"), real("kato-2026-07-17.xlsx"), real("kato-2026-07-17.csv"))
    else {
        return;
    };
    for file in [book, csv] {
        let (units, _) = read_edition(&file).unwrap();
        let by_code: BTreeMap<String, &Unit> = units.iter().map(|unit| (unit.code.to_string(), unit)).collect();
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_path(&expected).unwrap();
        let mut wrong = Vec::new();
        let mut rows = 0;
        for record in reader.records() {
            let record = record.unwrap();
            let unit = by_code.get(&record[0]).unwrap_or_else(|| panic!("{} is missing", &record[0]));
            let actual = [
                unit.code.to_string(),
                unit.parent.map(|code| code.to_string()).unwrap_or_default(),
                unit.kind.as_str().to_owned(),
                u8::from(unit.has_akim).to_string(),
                unit.locality.map(|sort| sort.as_str().to_lowercase()).unwrap_or_default(),
                unit.names.kk.clone(),
                unit.names.ru.clone(),
            ];
            if !record.iter().eq(actual.iter().map(String::as_str)) {
                wrong.push((actual, record));
            }
            rows += 1;
        }
        assert!(wrong.is_empty(), "{} of {rows} rows differ, first: {:#?}", wrong.len(), wrong.first());
        assert_eq!(rows, 10_295);
        check_counts(units);
    }
}

fn check_counts(units: Vec<Unit>) {
    let tree = Tree::build(units).unwrap();
    assert_eq!(tree.len(), 15_594);
    let count = |kind| tree.select(&UnitFilter { kinds: Some(&[kind]), ..UnitFilter::default() }).len();
    let expected = [17, 1, 2, 170, 39, 25, 48, 2108, 71, 108, 39, 12_966];
    let kinds = [
        RegionKind::Oblast,
        RegionKind::Capital,
        RegionKind::RepublicanCity,
        RegionKind::District,
        RegionKind::OblastCity,
        RegionKind::CityDistrict,
        RegionKind::DistrictCity,
        RegionKind::RuralOkrug,
        RegionKind::Settlement,
        RegionKind::Village,
        RegionKind::CityProper,
        RegionKind::Locality,
    ];
    for (kind, expected) in kinds.into_iter().zip(expected) {
        assert_eq!(count(kind), expected, "{kind:?}");
    }
    assert_eq!(tree.select(&UnitFilter { has_akim: Some(true), ..UnitFilter::default() }).len(), 2589);
    let deepest = tree.units().map(|unit| tree.ancestors(tree.get(unit.code).unwrap()).count() + 1).max();
    assert!(deepest <= Some(5), "{deepest:?}");
    let okrugs = |name| {
        let found = tree.select(&UnitFilter {
            search: Some(name),
            kinds: Some(&[RegionKind::RuralOkrug]),
            ..UnitFilter::default()
        });
        found.into_iter().filter(|node| tree.unit(*node).unwrap().names.kk == name).count()
    };
    assert_eq!(okrugs("Жамбыл ауылдық округі"), 19);
}

#[test]
fn the_embedded_units_match_the_official_classifier() {
    let Some(book) = real("kato-2026-07-17.xlsx") else { return };
    let tree = Tree::build(read_edition(&book).unwrap().0).unwrap();
    for unit in embedded() {
        let real = tree.unit(tree.get(unit.code).unwrap()).unwrap();
        assert!(unit.same_state(real), "{unit:?} is {real:?}");
    }
}

#[test]
fn a_truncated_classifier_is_rejected() {
    let Some(file) = real("kato-2026-07-17.csv") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let whole = rows::from_csv(text.as_bytes()).unwrap();
    let now = Tree::build(edition(&whole).unwrap().0).unwrap();
    let day = "2026-08-01".parse().unwrap();
    // Around the middle, within the largest unit, and up to the last unit of the first level.
    let cuts = (7_795..7_800).chain((4_900..6_500).step_by(400)).chain([15_400, 15_571, 15_580, 15_588]);
    for cut in cuts {
        let units = edition(&whole[..cut]).unwrap().0;
        let changes = diff(&now, units, day, Some(day)).unwrap();
        assert_eq!(changes.ended.len(), whole.len() - cut);
        let refused = changes.check_ended(&now, 0).unwrap_err();
        assert!(refused.first_level.is_some(), "{cut} rows: {refused}");
    }
    let same = diff(&now, edition(&whole).unwrap().0, day, Some(day)).unwrap();
    assert_eq!(same.check_ended(&now, 0), Ok(()));
}

const HEAD: &str = "te,ab,cd,ef,hij,k,name_kaz,name_rus,nn\n";
const OBLAST: &str = "100000000,10,00,00,000,0,Абай облысы,область Абай,1\n";
const DISTRICT: &str = "103200000,10,32,00,000,2,Абай ауданы,Абайский район,2\n";
const OKRUG: &str = "103230000,10,32,30,000,2,Қараауыл а.о.,Карааульский с.о.,3\n";

fn read(text: &str) -> Result<Vec<Unit>, BadFile> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kato.csv");
    std::fs::write(&file, text).unwrap();
    read_edition(&file).map(|(units, _)| units)
}

fn refusal(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_malformed_file_is_rejected_with_row_and_reason() {
    assert_eq!(refusal(""), "the file holds no units");
    assert_eq!(refusal(HEAD), "the file holds no units");
    assert_eq!(refusal("te,ab,cd,ef,hij,k,name_kaz,nn\n"), "row 1: there is no column \"name_rus\"");
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}{DISTRICT}{DISTRICT}")),
        "row 4: the code 103200000 is in row 3 already"
    );
    assert_eq!(refusal(&format!("{HEAD}{DISTRICT}")), "row 2: nothing in the file stands above 103200000");
    assert_eq!(
        refusal(&format!("{HEAD}10320000,10,32,00,000,2,А,А,1\n")),
        "row 2: \"10320000\" is not a classifier code of nine digits that its parts make up"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}103200000,10,34,00,000,2,А,А,1\n")),
        "row 3: \"103200000\" is not a classifier code of nine digits that its parts make up"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}{DISTRICT}103230000,10,32,30,000,2,Қараауыл,Караул,3\n")),
        "row 4: what 103230000 is cannot be told from \"Караул\""
    );
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}103200000,10,32,00,000,2,,А,1\n")),
        "row 3: the unit 103200000 has no name"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}{DISTRICT}\n\n1032,10,32,30,000,2,А,А,1\n")),
        "row 6: \"1032\" is not a classifier code of nine digits that its parts make up",
        "blank lines are counted"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}103200000,10,32,00,000,2,Абай ауданы,Абайский\n \n")),
        "row 3: the file ends in the middle of the row: it was cut off"
    );
    assert_eq!(
        refusal(&format!("{HEAD}{OBLAST}100010000,10,00,10,000,0,А,А,1\n")),
        "row 3: what 100010000 is cannot be told from \"А\""
    );
    assert_eq!(
        read_edition(std::path::Path::new("nowhere/kato.xlsx")).unwrap_err().to_string(),
        "the file cannot be opened"
    );
    assert_eq!(
        read_edition(std::path::Path::new("kato.pdf")).unwrap_err().to_string(),
        "the file is neither .xlsx nor .csv"
    );
}

#[test]
fn an_ambiguous_row_is_rejected() {
    let district = |kk: &str| format!("103200000,10,32,00,000,2,{kk},Абайский район,2\n");
    let table = |row: &str| refusal(&format!("{HEAD}{OBLAST}{row}{OKRUG}"));
    assert_eq!(
        table(&district("Абай, бұрынғы Шыңғыстау ауданы")),
        "row 3: it has 10 cells where the heading has 9: is a comma not quoted?"
    );
    assert_eq!(
        table("103200000,10,32,00,000,2,Абай ауданы,Абайский район\n"),
        "row 3: it has 8 cells where the heading has 9: is a comma not quoted?"
    );
    assert_eq!(
        refusal(&format!("\u{feff}{}{OBLAST}", HEAD.replace("nn", "TE "))),
        "row 1: the heading \"te\" stands twice"
    );
    assert_eq!(
        refusal(&format!("{}{}", HEAD.replace("nn", "nn,x, X"), OBLAST.replace('\n', ",,\n"))),
        "row 1: the heading \"x\" stands twice"
    );
    for (foreign, code) in
        [('\u{0}', "0000"), ('\u{7}', "0007"), ('\u{202e}', "202E"), ('\u{200f}', "200F"), ('\u{2067}', "2067")]
    {
        let expected = format!("row 3: a name of 103200000 holds the character U+{code}, which cannot be seen");
        assert_eq!(table(&district(&format!("Абай{foreign} ауданы"))), expected);
    }
    let long = |letters: usize| district(&"ә".repeat(letters));
    assert_eq!(table(&long(201)), "row 3: a name of 103200000 has more than 200 letters");
    assert_eq!(read(&format!("{HEAD}{OBLAST}{}{OKRUG}", long(200))).unwrap().len(), 3);
    assert_eq!(read(&format!("{HEAD}{OBLAST}{}{OKRUG}", district("\"Абай, ауданы\""))).unwrap().len(), 3, "quoted");
}

#[test]
fn a_decomposed_edition_renames_nothing() {
    use unicode_normalization::UnicodeNormalization;
    let oddly = "103240000,10,32,40,000,2,Ќайнар  ўя а.о.,Найманский\u{ad} с.о.,4\n103240100,10,32,40,100,2,Ойжайлау а.,с.Ёлкино,5\n";
    let composed = format!("{HEAD}{OBLAST}{DISTRICT}{OKRUG}{oddly}");
    let units = read(&composed).unwrap();
    assert_eq!(units[3].names.kk, "Қайнар ұя ауылдық округі");
    assert_eq!((units[3].names.ru.as_str(), units[4].names.ru.as_str()), ("Найманский сельский округ", "село Ёлкино"));
    let decomposed: String = composed.nfd().collect();
    assert_ne!(composed, decomposed);
    assert_eq!(read(&decomposed).unwrap(), units);
}

#[test]
fn sidings_are_expanded() {
    let file = format!("{HEAD}{OBLAST}{DISTRICT}{OKRUG}103230100,10,32,30,100,2,Бестөртқүл рзд.,рзд.Бесторткул,4\n");
    let names = read(&file).unwrap().pop().unwrap().names;
    assert_eq!((names.kk.as_str(), names.ru.as_str()), ("Бестөртқүл разъезі", "разъезд Бесторткул"));
    let Some(real) = real("kato-2026-07-17.csv") else { return };
    let (units, _) = read_edition(&real).unwrap();
    let left = units.iter().filter(|unit| unit.names.kk.ends_with(" рзд.") || unit.names.ru.contains("рзд."));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<&Unit>::new());
}

#[test]
fn many_villages_are_imported_in_linear_time() {
    let mut file = format!("{HEAD}{OBLAST}");
    for (cd, ef) in (32..100).flat_map(|cd| (30..100).map(move |ef| (cd, ef))) {
        if ef == 30 {
            file += &format!("10{cd}00000,10,{cd},00,000,2,Ауд {cd} ауданы,Р{cd} район,1\n");
        }
        file += &format!("10{cd}{ef}000,10,{cd},{ef},000,2,Ақ {cd}{ef} а.ә.,Ак {cd}{ef} с.а.,1\n");
        for hij in [200, 300] {
            file += &format!("10{cd}{ef}{hij},10,{cd},{ef},{hij},2,Ақ {cd}{ef} а.,с.Ак{hij},1\n");
        }
    }
    let units = read(&file).unwrap();
    assert_eq!(units.len(), 1 + 68 + 68 * 70 * 3);
    let russian = |code: &str| units.iter().find(|unit| unit.code.as_str() == code).map(|unit| unit.names.ru.as_str());
    assert_eq!(russian("109999000"), Some("село Ак200"), "it is called as the first locality of its name");
}

#[test]
fn an_edition_is_applied_as_a_diff() {
    let day = |text: &str| text.parse().unwrap();
    let old = Tree::build(read(&format!("{HEAD}{OBLAST}{DISTRICT}{OKRUG}")).unwrap()).unwrap();
    let renamed = DISTRICT.replace("Абай ауданы,Абайский", "Шыңғыстау ауданы,Чингистауский");
    let added = "103400000,10,34,00,000,2,Жаңа ауданы,Новый район,4\n";
    let edition = read(&format!("{HEAD}{OBLAST}{renamed}{added}")).unwrap();

    let changes = diff(&old, edition.clone(), day("2026-07-17"), Some(day("2026-01-01"))).unwrap();
    assert_eq!(changes.added.len(), 1);
    assert_eq!(changes.added[0].valid_from, Some(day("2026-07-17")));
    assert_eq!(changes.renamed.len(), 1);
    assert_eq!(changes.ended.iter().map(|unit| unit.code.to_string()).collect::<Vec<_>>(), ["103230000"]);
    assert!(changes.changed.is_empty());

    let first = diff(&old, edition.clone(), day("2026-07-17"), None).unwrap();
    assert_eq!(first.added[0].valid_from, None, "the first edition tells what has been all along");

    let late = diff(&old, edition.clone(), day("2025-01-01"), Some(day("2026-01-01")));
    assert_eq!(late, Err(NotNewer { dated: day("2025-01-01"), newest: day("2026-01-01") }));
    let same_day = diff(&old, edition.clone(), day("2026-01-01"), Some(day("2026-01-01"))).unwrap();
    assert_eq!(same_day.renamed.len(), 1, "an edition of the same day corrects the one that is there");
    let new = Tree::build(edition.clone()).unwrap();
    assert!(diff(&new, edition, day("2026-01-01"), Some(day("2026-01-01"))).unwrap().is_empty());
}

#[test]
fn oddly_published_names_are_expanded() {
    let names = |kk: &str, ru: &str| {
        let file = format!("{HEAD}{OBLAST}{DISTRICT}{OKRUG}103230100,10,32,30,100,2,{kk},{ru},4\n");
        let units = read(&file).unwrap();
        let unit = units.last().unwrap();
        (unit.names.kk.clone(), unit.names.ru.clone())
    };
    let both = |kk: &str, ru: &str| (kk.to_owned(), ru.to_owned());
    assert_eq!(
        names("Мамаит Омаров атын.с.", "с.им.Мамаита Омарова"),
        both("Мамаит Омаров атындағы ауыл", "село имени Мамаита Омарова")
    );
    assert_eq!(names("Ќаратал  ўя а.", "с. Каратал"), both("Қаратал ұя ауылы", "село Каратал"));

    let okrug = "103233000,10,32,33,000,2,Бұқарбай батыр а.о.,им.Бухарбай батыра с.о.,4\n";
    let village =
        "103235000,10,32,35,000,2,Сәтбаев а.ә.,Сатпаевская с.а.,5\n103235200,10,32,35,200,2,Сәтбаев а.,с.Сатпаев,6\n";
    let units = read(&format!("{HEAD}{OBLAST}{DISTRICT}{okrug}{village}")).unwrap();
    let russian: Vec<_> = units.iter().map(|unit| unit.names.ru.as_str()).collect();
    assert_eq!(russian[2..], ["сельский округ имени Бухарбай батыра", "село Сатпаев", "село Сатпаев"]);
}

#[test]
fn warnings_are_reported_and_stop_nothing() {
    let warnings = |rows: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kato.csv");
        std::fs::write(&file, format!("{HEAD}{OBLAST}{DISTRICT}{OKRUG}{rows}")).unwrap();
        let (_, warnings) = read_edition(&file).unwrap();
        warnings.into_iter().map(|warning| (warning.line, warning.what)).collect::<Vec<_>>()
    };
    assert_eq!(warnings(""), []);
    assert_eq!(
        warnings("103230100,10,32,30,100,2,Талды уч.,уч.Талды,4\n"),
        [(5, WarningKind::Abbreviation("уч.".to_owned()))]
    );
    assert_eq!(warnings("103230100,10,32,30,100,2,Шілікті а,с.Шиликти,4\n"), [(5, WarningKind::Languages)]);
    assert_eq!(warnings("103230100,10,32,30,100,2,Шілікті а.,Шиликти,4\n"), [(5, WarningKind::Languages)]);
    assert_eq!(warnings("103230100,10,32,30,100,2,Шiлiктi а.,с.Шиликти,4\n"), [(5, WarningKind::Letters)], "a Latin i");
    assert_eq!(warnings("103233000,10,32,33,000,2,Ақсу а.ә.,Аксуская с.а.,4\n"), [(5, WarningKind::Adjective)]);
    assert_eq!(warnings("103235100,10,32,35,100,2,Ақсу а.,с.Аксу,4\n"), [(5, WarningKind::Level)]);
}
