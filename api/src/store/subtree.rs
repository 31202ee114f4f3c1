//! Conditions on the units of the classifier.

use entities::kato::KatoCode;
use sea_orm::{ColumnTrait, sea_query::SimpleExpr};

/// Returns the condition that a column holds the code of a unit or of one below it: a range, which an index answers.
pub(in crate::store) fn within(column: impl ColumnTrait, unit: KatoCode) -> SimpleExpr {
    let (first, last) = unit.subtree();
    column.between(first.as_str(), last.as_str())
}
