//! A window on a long list, checked once where it enters.

/// Where a window begins, by the sort keys of the row it begins at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window<C> {
    /// Only rows after this one.
    pub after: Option<C>,
    /// Only rows before this one.
    pub before: Option<C>,
    /// How many rows.
    pub limit: usize,
    /// Whether they are counted from the end.
    pub backward: bool,
}

impl<C> Window<C> {
    /// How many rows to ask for: one more than is shown, to know whether there are more.
    #[must_use]
    pub fn ask(&self) -> u64 {
        u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Cuts rows that were read in the window's direction, and puts them in list order.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Cut<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if self.backward {
            rows.reverse();
        }
        Cut {
            rows,
            has_next: if self.backward { self.before.is_some() } else { more },
            has_previous: if self.backward { more } else { self.after.is_some() },
        }
    }
}

/// The rows of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut<T> {
    /// In list order.
    pub rows: Vec<T>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows go before.
    pub has_previous: bool,
}
