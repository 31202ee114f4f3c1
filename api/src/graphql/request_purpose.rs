//! The purpose for which the library is given a request: to validate it, or to execute it.

use std::{any::TypeId, sync::Arc};

use async_graphql::{Data, ValidationResult};
use parking_lot::Mutex;

/// The purpose for which the library is given a request. A request without one is validated and executed as
/// it is.
#[derive(Clone)]
pub enum RequestPurpose {
    /// Only validate the document.
    Validate {
        /// Receives the result.
        result: Arc<Mutex<Option<ValidationResult>>>,
        /// Whether the variables are missing. Errors caused by that are ignored.
        without_variables: bool,
        /// Maximum number of representations of each `_entities` field; 0 without such a field.
        representations: usize,
    },
    /// Execute the validated operation.
    Execute(ValidationResult),
}

/// Returns the purpose for which the library was given a request.
pub fn purpose(data: &Data) -> Option<&RequestPurpose> {
    data.get(&TypeId::of::<RequestPurpose>())?.downcast_ref()
}
