//! An operation that is ready to be executed, as often as needed.

use std::sync::Arc;

use async_graphql::{
    Request, ValidationResult, Variables,
    parser::types::{ExecutableDocument, OperationType},
};

use crate::graphql::{request_purpose::RequestPurpose, response_shape::ResponseShape};

/// An operation that is ready to be executed.
#[derive(Clone)]
pub struct PreparedOperation {
    /// The operation without its variables.
    pub template: Arc<OperationTemplate>,
    /// The variables, with their defaults.
    pub variables: Variables,
}

/// What requests of the same operation share.
pub struct OperationTemplate {
    /// The type of the operation.
    pub operation: OperationType,
    /// Its name in the document.
    pub name: Option<String>,
    /// The document to execute.
    pub document: ExecutableDocument,
    /// The name that the request gave.
    pub operation_name: Option<String>,
    /// The result of the validation.
    pub validation: ValidationResult,
    /// The shape of its responses.
    pub response_shape: ResponseShape,
}

impl PreparedOperation {
    /// Returns a request that executes it.
    #[must_use]
    pub fn to_request(&self) -> Request {
        let OperationTemplate { document, operation_name, validation, .. } = &*self.template;
        let mut request =
            Request::new(String::new()).variables(self.variables.clone()).data(RequestPurpose::Execute(*validation));
        request.operation_name.clone_from(operation_name);
        request.set_parsed_query(document.clone());
        request
    }
}
