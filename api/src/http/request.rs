//! Parses GraphQL requests from JSON bodies, query strings and WebSocket payloads.

use async_graphql::{Request, ServerError, Variables, parser::types::OperationType};
use serde_json::{Map, Value};

use crate::{
    graphql::{Engine, caller::Caller},
    http::{
        apq_cache::ApqClient,
        bad_request::BadRequest,
        persisted_queries::{PersistedQueries, ResolvedDocument},
    },
};

/// Extension of the request that holds the hash under which to register its document.
const REGISTER_HASH: &str = "persistedQueryHash";

/// Returns the type of the operation to run, and registers a document that came with its hash, now that it is
/// valid.
///
/// # Errors
/// When the document is too large, cannot be parsed, or the operation is ambiguous.
pub(in crate::http) fn operation_type(
    request: &mut Request,
    engine: &Engine,
    persisted: &PersistedQueries,
    caller: &Caller,
) -> Result<OperationType, ServerError> {
    let operation = engine.operation(request)?;
    if let Some(async_graphql::Value::String(hash)) = request.extensions.get(REGISTER_HASH) {
        persisted.register(&ApqClient::of(caller), hash, &request.query);
    }
    Ok(operation)
}

/// Parses a request from a JSON body.
pub(in crate::http) fn parse(body: &[u8], persisted: &PersistedQueries) -> Result<Request, BadRequest> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => from_fields(fields, persisted),
        Ok(Value::Array(_)) => Err(BadRequest::new("request-batch")),
        Ok(_) => Err(BadRequest::new("request-object")),
        Err(_) => Err(BadRequest::new("request-json")),
    }
}

/// Parses a request from the fields of a JSON object.
pub(in crate::http) fn from_fields(
    mut fields: Map<String, Value>,
    persisted: &PersistedQueries,
) -> Result<Request, BadRequest> {
    let query = match fields.remove("query") {
        Some(Value::String(query)) => Some(query),
        Some(_) => return Err(BadRequest::in_field("request-text-field", "query")),
        None => None,
    };
    let hash = match fields.remove("extensions") {
        None | Some(Value::Null) => None,
        Some(Value::Object(mut extensions)) => persisted_query_hash(extensions.remove("persistedQuery"))?,
        Some(_) => return Err(BadRequest::in_field("request-object-field", "extensions")),
    };
    let (id, unknown) = match fields.remove("documentId") {
        None | Some(Value::Null) => (hash, BadRequest::UnknownHash),
        Some(Value::String(id)) => (Some(id), BadRequest::UnknownDocument),
        Some(_) => return Err(BadRequest::in_field("request-text-field", "documentId")),
    };
    let resolved = persisted.resolve(query, id.as_deref());
    let ResolvedDocument { query, hash } =
        resolved.map_err(|bad| if bad == BadRequest::UnknownHash { unknown } else { bad })?;
    let mut request = Request::new(query);
    if let Some(hash) = hash {
        request.extensions.insert(REGISTER_HASH.to_owned(), hash.into());
    }
    match fields.remove("operationName") {
        None | Some(Value::Null) => {}
        // An empty name counts as absent.
        Some(Value::String(name)) => request.operation_name = Some(name).filter(|name| !name.is_empty()),
        Some(_) => return Err(BadRequest::in_field("request-text-field", "operationName")),
    }
    match fields.remove("variables") {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => request.variables = Variables::from_json(variables),
        Some(_) => return Err(BadRequest::in_field("request-object-field", "variables")),
    }
    Ok(request)
}

/// Returns the hash of the `persistedQuery` extension.
fn persisted_query_hash(extension: Option<Value>) -> Result<Option<String>, BadRequest> {
    let Some(extension) = extension.filter(|extension| !extension.is_null()) else { return Ok(None) };
    match (extension.get("version").and_then(Value::as_u64), extension.get("sha256Hash")) {
        (Some(1), Some(Value::String(hash))) => Ok(Some(hash.clone())),
        _ => Err(BadRequest::new("request-persisted-query")),
    }
}

/// Parses a request from a query string.
pub(in crate::http) fn from_query_string(query: &str, persisted: &PersistedQueries) -> Result<Request, BadRequest> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" | "documentId" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" => json_field(&value, "variables")?,
            "extensions" => json_field(&value, "extensions")?,
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    from_fields(fields, persisted)
}

fn json_field(text: &str, field: &'static str) -> Result<Value, BadRequest> {
    serde_json::from_str(text).map_err(|_| BadRequest::in_field("request-object-field", field))
}
