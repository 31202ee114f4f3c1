//! What those who raised an issue say of its outcome.

/// How many of those who raised an issue are satisfied with its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmations {
    /// Number of people who are satisfied.
    pub satisfied: i32,
    /// Number of people who are not.
    pub unsatisfied: i32,
}

impl Confirmations {
    /// Counts the answers.
    #[must_use]
    pub fn of(answers: impl IntoIterator<Item = bool>) -> Self {
        answers.into_iter().fold(Self::default(), |counts, satisfied| Self {
            satisfied: counts.satisfied.saturating_add(i32::from(satisfied)),
            unsatisfied: counts.unsatisfied.saturating_add(i32::from(!satisfied)),
        })
    }
}

/// Returns whether so many are not satisfied that staff has to look again: three of ten of those who raised it.
#[must_use]
pub const fn is_unsatisfied(raised_by: i32, counts: Confirmations) -> bool {
    counts.unsatisfied > 0 && counts.unsatisfied.saturating_mul(10) >= raised_by.saturating_mul(3)
}
