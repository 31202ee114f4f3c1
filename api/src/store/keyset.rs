//! Keyset pagination: a page request, and the slice of rows that answers it.

/// A request for a page of a list, bounded by sort keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<C> {
    /// Only rows after this key.
    pub after: Option<C>,
    /// Only rows before this key.
    pub before: Option<C>,
    /// Number of rows.
    pub limit: usize,
    /// Whether the page is taken from the end.
    pub backward: bool,
}

impl<C> PageRequest<C> {
    /// Returns how many rows to query: one more than the page, to detect further rows.
    #[must_use]
    pub fn query_limit(&self) -> u64 {
        u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Turns rows read in the request's direction into a page in list order.
    #[must_use]
    pub fn slice<T>(&self, mut rows: Vec<T>) -> PageSlice<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if self.backward {
            rows.reverse();
        }
        PageSlice {
            rows,
            has_next: if self.backward { self.before.is_some() } else { more },
            has_previous: if self.backward { more } else { self.after.is_some() },
        }
    }
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSlice<T> {
    /// Rows in list order.
    pub rows: Vec<T>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
}
