//! A change of reference data, field by field, for reports and the audit log.

use std::fmt;

/// The fields of an item that an operator may change, as text.
pub trait ReferenceItem {
    /// Returns the code.
    fn code(&self) -> &str;
    /// Returns the names of the fields with their values.
    fn fields(&self) -> Vec<(&'static str, Option<String>)>;
}

/// A changed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Name of the field.
    pub field: &'static str,
    /// The old value, or `None` if there was none.
    pub before: Option<String>,
    /// The new value, or `None` if there is none.
    pub after: Option<String>,
}

/// A new or changed item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceChange {
    /// Its code.
    pub code: String,
    /// Whether it is new.
    pub is_new: bool,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
}

impl ReferenceChange {
    /// Returns what differs, or `None` if nothing does.
    #[must_use]
    pub fn between<T: ReferenceItem>(before: Option<&T>, after: &T) -> Option<Self> {
        let old = before.map(ReferenceItem::fields).unwrap_or_default();
        let value = |field| old.iter().find(|(name, _)| *name == field).and_then(|(_, value)| value.clone());
        let changed = after.fields().into_iter().filter_map(|(field, after)| {
            let before = value(field);
            (before != after).then_some(FieldChange { field, before, after })
        });
        let fields: Vec<_> = changed.collect();
        let is_new = before.is_none();
        (is_new || !fields.is_empty()).then(|| Self { code: after.code().to_owned(), is_new, fields })
    }
}

impl fmt::Display for ReferenceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.code)?;
        for (at, FieldChange { field, before, after }) in self.fields.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            let [before, after] = [before, after].map(|value| value.as_deref().unwrap_or("–"));
            if self.is_new {
                write!(f, "{separator} {field} {after}")?;
            } else {
                write!(f, "{separator} {field} {before} → {after}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(&'static str, Option<&'static str>);

    impl ReferenceItem for Item {
        fn code(&self) -> &str {
            "one"
        }

        fn fields(&self) -> Vec<(&'static str, Option<String>)> {
            vec![("name", Some(self.0.to_owned())), ("end", self.1.map(str::to_owned))]
        }
    }

    #[test]
    fn names_what_differs() {
        let text = |before: Option<&Item>, after: &Item| {
            ReferenceChange::between(before, after).map(|change| change.to_string())
        };
        assert_eq!(text(None, &Item("A", None)).as_deref(), Some("one: name A"));
        assert_eq!(text(Some(&Item("A", None)), &Item("A", None)), None);
        let both = text(Some(&Item("A", None)), &Item("B", Some("2026")));
        assert_eq!(both.as_deref(), Some("one: name A → B; end – → 2026"));
        assert_eq!(text(Some(&Item("A", Some("2026"))), &Item("A", None)).as_deref(), Some("one: end 2026 → –"));
    }
}
