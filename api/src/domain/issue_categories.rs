//! Categories of issues: the built-in ones, and what an operator changed or added.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    localized_name::LocalizedName,
    reference_change::ReferenceItem,
    reference_code::{BadCode, check_code},
    text::BadText,
    tsv::{TsvRow, read_tsv},
};

const FACTS: &str = include_str!("../../data/issue-categories.tsv");

/// The columns of a file of categories.
pub const CATEGORY_COLUMNS: &[&str] = &["code", "name_kk", "name_ru", "name_en"];
/// The column that a file may have in addition.
pub const CATEGORY_ORDINAL: &str = "ordinal";
/// The category of everything else, which is always the last.
const OTHER: &str = "other";
/// Between the sort keys of two built-in categories, so that others fit between them.
const STEP: i32 = 10;
/// The highest sort key.
pub const MAX_ORDINAL: i32 = 1_000_000;
/// The most categories that there may be.
pub const MAX_CATEGORIES: usize = 200;

/// A category of issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueCategory {
    /// The code, which never changes its meaning.
    pub code: String,
    /// The names.
    pub names: LocalizedName,
    /// Sort key in the list.
    pub ordinal: i32,
}

impl ReferenceItem for IssueCategory {
    fn code(&self) -> &str {
        &self.code
    }

    fn fields(&self) -> Vec<(&'static str, Option<String>)> {
        let mut fields = self.names.fields().to_vec();
        fields.push(("ordinal", Some(self.ordinal.to_string())));
        fields
    }
}

/// A category to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueCategoryDraft {
    /// The code.
    pub code: String,
    /// The names.
    pub names: LocalizedName,
    /// Sort key; by default that of the category, or the last one for a new category.
    pub ordinal: Option<i32>,
}

impl IssueCategoryDraft {
    /// Reads a row of a file.
    ///
    /// # Errors
    /// When the sort key is not a number.
    pub fn read(row: &TsvRow<'_>) -> Result<Self, BadIssueCategory> {
        let ordinal = row.get(CATEGORY_ORDINAL).map(str::parse).transpose().map_err(|_| BadIssueCategory::Ordinal)?;
        Ok(Self { code: row.get("code").unwrap_or_default().to_owned(), names: LocalizedName::read(row), ordinal })
    }
}

/// Why a category cannot be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssueCategory {
    /// The code is malformed.
    #[error(transparent)]
    Code(#[from] BadCode),
    /// A name is blank or too long.
    #[error("a name is blank or too long")]
    Names(BadText),
    /// The sort key is out of range.
    #[error("the ordinal is not a number from 0 to {MAX_ORDINAL}")]
    Ordinal,
    /// There are too many categories.
    #[error("there would be more than {MAX_CATEGORIES} categories")]
    TooMany,
}

/// All categories, in their order.
#[derive(Clone, Debug)]
pub struct IssueCategories {
    in_order: Vec<Arc<IssueCategory>>,
    by_code: BTreeMap<String, Arc<IssueCategory>>,
}

impl IssueCategories {
    /// Creates the list from the built-in categories and the saved ones, which take the place of those with the same code.
    #[must_use]
    pub fn new(saved: impl IntoIterator<Item = IssueCategory>) -> Self {
        let all = embedded().into_iter().chain(saved).map(|category| (category.code.clone(), Arc::new(category)));
        let by_code: BTreeMap<_, _> = all.collect();
        let mut in_order: Vec<_> = by_code.values().cloned().collect();
        in_order.sort_by_key(|category| (category.code == OTHER, category.ordinal, category.code.clone()));
        Self { in_order, by_code }
    }

    /// Returns the category with a code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Arc<IssueCategory>> {
        self.by_code.get(code)
    }

    /// Returns all categories in their order; the one for everything else is the last.
    #[must_use]
    pub fn all(&self) -> &[Arc<IssueCategory>] {
        &self.in_order
    }

    /// Checks a category to save.
    ///
    /// # Errors
    /// When a field is invalid, or there are too many categories.
    pub fn check(&self, draft: &IssueCategoryDraft) -> Result<IssueCategory, BadIssueCategory> {
        check_code(&draft.code)?;
        let names = draft.names.checked().map_err(BadIssueCategory::Names)?;
        let known = self.get(&draft.code);
        if known.is_none() && self.in_order.len() >= MAX_CATEGORIES {
            return Err(BadIssueCategory::TooMany);
        }
        let ordinal = draft.ordinal.or_else(|| known.map(|known| known.ordinal)).unwrap_or_else(|| self.next_ordinal());
        if !(0..=MAX_ORDINAL).contains(&ordinal) {
            return Err(BadIssueCategory::Ordinal);
        }
        Ok(IssueCategory { code: draft.code.clone(), names, ordinal })
    }

    /// Returns the list with a category added or replaced.
    #[must_use]
    pub fn with(&self, category: &IssueCategory) -> Self {
        let saved = self.in_order.iter().map(|category| category.as_ref().clone());
        Self::new(saved.chain([category.clone()]))
    }

    fn next_ordinal(&self) -> i32 {
        let last = self.in_order.iter().map(|category| category.ordinal).max().unwrap_or_default();
        last.saturating_add(STEP).min(MAX_ORDINAL)
    }
}

/// Returns the built-in categories.
fn embedded() -> Vec<IssueCategory> {
    let rows = read_tsv(FACTS, CATEGORY_COLUMNS, &[]).unwrap_or_default();
    let category = |(row, number): (TsvRow<'_>, i32)| {
        let IssueCategoryDraft { code, names, .. } = IssueCategoryDraft::read(&row).ok()?;
        Some(IssueCategory { code, names, ordinal: number.saturating_mul(STEP) })
    };
    rows.into_iter().zip(1..).filter_map(category).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(code: &str) -> IssueCategoryDraft {
        let names = LocalizedName { kk: " Жаңа ".to_owned(), ru: None, en: None };
        IssueCategoryDraft { code: code.to_owned(), names, ordinal: None }
    }

    fn codes(categories: &IssueCategories) -> Vec<&str> {
        categories.all().iter().map(|category| category.code.as_str()).collect()
    }

    #[test]
    fn every_built_in_category_is_read() {
        let all = IssueCategories::new([]);
        assert_eq!(all.all().len(), FACTS.lines().count() - 1);
        assert_eq!((codes(&all)[0], *codes(&all).last().unwrap()), ("roads-transport", OTHER));
        assert!(all.all().iter().all(|category| all.check(&IssueCategoryDraft {
            code: category.code.clone(),
            names: category.names.clone(),
            ordinal: None,
        }) == Ok(category.as_ref().clone())));
    }

    #[test]
    fn a_new_category_comes_before_the_one_for_everything_else() {
        let categories = IssueCategories::new([]);
        let new = categories.check(&draft("animals")).unwrap();
        assert_eq!(new.names.kk, "Жаңа");
        let categories = categories.with(&new);
        assert_eq!(codes(&categories)[15..], ["animals", "other"]);
        let moved = categories.check(&IssueCategoryDraft { ordinal: Some(0), ..draft("animals") }).unwrap();
        assert_eq!(codes(&categories.with(&moved))[0], "animals");
        let renamed = categories.check(&draft("education")).unwrap();
        assert_eq!(codes(&categories.with(&renamed)), codes(&categories), "a name moves nothing");
    }

    #[test]
    fn rejects_bad_categories() {
        let categories = IssueCategories::new([]);
        assert_eq!(categories.check(&draft("Roads")), Err(BadIssueCategory::Code(BadCode)));
        let far = IssueCategoryDraft { ordinal: Some(-1), ..draft("roads") };
        assert_eq!(categories.check(&far), Err(BadIssueCategory::Ordinal));
        let mut blank = draft("roads");
        blank.names.ru = Some(" ".to_owned());
        assert_eq!(categories.check(&blank), Err(BadIssueCategory::Names(BadText::Empty)));
        let many = (0..MAX_CATEGORIES).map(|number| format!("n{number}"));
        let saved = many.map(|code| IssueCategory { code, names: draft("n").names, ordinal: 1 });
        let full = IssueCategories::new(saved);
        assert_eq!(full.check(&draft("one-more")), Err(BadIssueCategory::TooMany));
        assert!(full.check(&draft("n1")).is_ok());
    }
}
