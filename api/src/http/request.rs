//! Reading a GraphQL request from what a client sent.

use async_graphql::{Request, ServerError, Variables, parser::types::OperationType};
use serde_json::{Map, Value};

use crate::{
    graphql::Engine,
    http::documents::{Documents, Found},
};

/// Where a request holds the hash by which its document is to be kept.
const HASH: &str = "persistedQueryHash";

/// Which kind of operation a request that is allowed would run. A document that came with its hash is kept, now that it is known
/// to be one.
///
/// # Errors
/// When the document is too large, cannot be parsed, or does not say which operation to run.
pub(in crate::http) fn operation(request: &mut Request, documents: &Documents) -> Result<OperationType, ServerError> {
    let operation = Engine::operation(request)?;
    if let Some(async_graphql::Value::String(hash)) = request.extensions.get(HASH) {
        documents.keep(hash, &request.query);
    }
    Ok(operation)
}

/// What is wrong with a request, in words for whoever builds the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct BadRequest {
    /// For programs.
    pub(in crate::http) code: &'static str,
    /// For people.
    pub(in crate::http) message: &'static str,
}

impl BadRequest {
    /// A malformed request.
    pub(in crate::http) const fn new(message: &'static str) -> Self {
        Self { code: "BAD_USER_INPUT", message }
    }
}

/// Reads a request from JSON.
pub(in crate::http) fn parse(body: &[u8], documents: &Documents) -> Result<Request, BadRequest> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => from_fields(fields, documents),
        Ok(Value::Array(_)) => {
            Err(BadRequest::new("batches of operations are not taken: send one operation a request"))
        }
        Ok(_) => Err(BadRequest::new("the request must be a JSON object")),
        Err(_) => Err(BadRequest::new("the request is not well-formed JSON")),
    }
}

/// Reads a request from the fields of a JSON object.
pub(in crate::http) fn from_fields(
    mut fields: Map<String, Value>,
    documents: &Documents,
) -> Result<Request, BadRequest> {
    let query = match fields.remove("query") {
        Some(Value::String(query)) => Some(query),
        Some(_) => return Err(BadRequest::new("\"query\" must be a string")),
        None => None,
    };
    let hash = match fields.remove("extensions") {
        None | Some(Value::Null) => None,
        Some(Value::Object(mut extensions)) => persisted(extensions.remove("persistedQuery"))?,
        Some(_) => return Err(BadRequest::new("\"extensions\" must be an object or null")),
    };
    let id = match fields.remove("documentId") {
        None | Some(Value::Null) => hash,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(BadRequest::new("\"documentId\" must be a string or null")),
    };
    let Found { query, hash } = documents.find(query, id.as_deref())?;
    let mut request = Request::new(query);
    if let Some(hash) = hash {
        request.extensions.insert(HASH.to_owned(), hash.into());
    }
    match fields.remove("operationName") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => request.operation_name = Some(name),
        Some(_) => return Err(BadRequest::new("\"operationName\" must be a string or null")),
    }
    match fields.remove("variables") {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => request.variables = Variables::from_json(variables),
        Some(_) => return Err(BadRequest::new("\"variables\" must be an object or null")),
    }
    Ok(request)
}

/// The identity in the `persistedQuery` extension.
fn persisted(extension: Option<Value>) -> Result<Option<String>, BadRequest> {
    let Some(extension) = extension.filter(|extension| !extension.is_null()) else { return Ok(None) };
    match (extension.get("version").and_then(Value::as_u64), extension.get("sha256Hash")) {
        (Some(1), Some(Value::String(hash))) => Ok(Some(hash.clone())),
        _ => Err(BadRequest::new("\"persistedQuery\" must have version 1 and a \"sha256Hash\"")),
    }
}

/// Reads a request from the parameters of an address.
pub(in crate::http) fn from_parameters(query: &str, documents: &Documents) -> Result<Request, BadRequest> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" | "documentId" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|_| BadRequest::new("\"variables\" and \"extensions\" must be JSON objects"))?,
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    from_fields(fields, documents)
}
