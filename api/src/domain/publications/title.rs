//! The titles of publications.

use crate::domain::{
    localized_name::LocalizedName,
    period::Period,
    publications::{PublicationSubject, Texts},
};

/// Returns the title of a publication in each language. `about` is the name of the meeting, the unit or the body, if it is about one.
#[must_use]
pub fn title_of(subject: &PublicationSubject, about: &LocalizedName) -> Texts {
    let kk = &about.kk;
    let ru = about.ru.as_ref().unwrap_or(kk);
    let en = about.en.as_ref().unwrap_or(kk);
    let texts = |kk: String, ru: String, en: String| Texts { kk, ru: Some(ru), en: Some(en) };
    match subject {
        PublicationSubject::MeetingResults(_) => texts(
            format!("Кездесу қорытындылары: {kk}"),
            format!("Итоги встречи: {ru}"),
            format!("Results of the meeting: {en}"),
        ),
        PublicationSubject::Progress(_, period) => {
            let [in_kk, in_ru, in_en] = named(*period);
            texts(
                format!("Проблемалық мәселелерді шешу барысы: {kk}, {in_kk}"),
                format!("Ход решения проблемных вопросов: {ru}, {in_ru}"),
                format!("Progress on problem issues: {en}, {in_en}"),
            )
        }
        PublicationSubject::AgencyList(_, period) => {
            let [in_kk, in_ru, in_en] = named(*period);
            texts(
                format!("Проблемалық мәселелер тізбесі: {kk}, {in_kk}"),
                format!("Перечень проблемных вопросов: {ru}, {in_ru}"),
                format!("List of problem issues: {en}, {in_en}"),
            )
        }
        PublicationSubject::CentralList(period) => {
            let [in_kk, in_ru, in_en] = named(*period);
            texts(
                format!("Орталық органдар деңгейінде шешуді қажет ететін мәселелер: {in_kk}"),
                format!("Вопросы, требующие решения на уровне центральных органов: {in_ru}"),
                format!("Issues that need central bodies: {in_en}"),
            )
        }
    }
}

/// Returns the name of a period in Kazakh, Russian and English.
fn named(period: Period) -> [String; 3] {
    let year = period.year();
    match (period.quarter(), period.half()) {
        (Some(quarter), _) => [
            format!("{year} жылғы {quarter}-тоқсан"),
            format!("{quarter}-й квартал {year} года"),
            format!("quarter {quarter} of {year}"),
        ],
        (None, Some(half)) => [
            format!("{year} жылғы {half}-жартыжылдық"),
            format!("{half}-е полугодие {year} года"),
            format!("half {half} of {year}"),
        ],
        (None, None) => [format!("{year} жыл"), format!("{year} год"), year.to_string()],
    }
}
