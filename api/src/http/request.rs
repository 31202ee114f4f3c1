//! Reading a GraphQL request from what a client sent.

use async_graphql::{Request, ServerError, Variables, parser::types::OperationType};
use entities::enums::Language;
use serde_json::{Map, Value};

use crate::{
    graphql::{Engine, engine::Caller},
    http::{
        apq_cache::Client,
        documents::{Documents, Found},
    },
    text,
};

/// Where a request holds the hash by which its document is to be kept.
const HASH: &str = "persistedQueryHash";

/// Which kind of operation a request that is allowed would run. A document that came with its hash is kept, now that it is known
/// to be one.
///
/// # Errors
/// When the document is too large, cannot be parsed, or does not say which operation to run.
pub(in crate::http) fn operation(
    request: &mut Request,
    documents: &Documents,
    caller: &Caller,
) -> Result<OperationType, ServerError> {
    let operation = Engine::operation(request)?;
    if let Some(async_graphql::Value::String(hash)) = request.extensions.get(HASH) {
        documents.keep(&Client::of(caller), hash, &request.query);
    }
    Ok(operation)
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum BadRequest {
    /// It is malformed.
    Malformed {
        /// The message that says in which way.
        message: &'static str,
        /// The field that is, where the message names one.
        field: &'static str,
    },
    /// It names a document by an id that is not known.
    UnknownDocument,
    /// It names a document by a hash that is not known yet.
    UnknownHash,
}

impl BadRequest {
    /// A malformed request.
    pub(in crate::http) const fn new(message: &'static str) -> Self {
        Self::in_field(message, "")
    }

    /// A request with a malformed field.
    const fn in_field(message: &'static str, field: &'static str) -> Self {
        Self::Malformed { message, field }
    }

    /// For programs.
    pub(in crate::http) const fn code(self) -> &'static str {
        match self {
            Self::Malformed { .. } => "BAD_USER_INPUT",
            Self::UnknownDocument | Self::UnknownHash => "PERSISTED_QUERY_NOT_FOUND",
        }
    }

    /// For people.
    pub(in crate::http) fn words(self, language: Language) -> String {
        match self {
            Self::Malformed { message, field } => text::message(language, message, &[("field", field.into())]),
            Self::UnknownDocument => text::message(language, "request-unknown-document", &[]),
            // What the clients of automatic persisted queries wait for, to the letter.
            Self::UnknownHash => "PersistedQueryNotFound".to_owned(),
        }
    }
}

/// Reads a request from JSON.
pub(in crate::http) fn parse(body: &[u8], documents: &Documents) -> Result<Request, BadRequest> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => from_fields(fields, documents),
        Ok(Value::Array(_)) => Err(BadRequest::new("request-batch")),
        Ok(_) => Err(BadRequest::new("request-object")),
        Err(_) => Err(BadRequest::new("request-json")),
    }
}

/// Reads a request from the fields of a JSON object.
pub(in crate::http) fn from_fields(
    mut fields: Map<String, Value>,
    documents: &Documents,
) -> Result<Request, BadRequest> {
    let query = match fields.remove("query") {
        Some(Value::String(query)) => Some(query),
        Some(_) => return Err(BadRequest::in_field("request-text-field", "query")),
        None => None,
    };
    let hash = match fields.remove("extensions") {
        None | Some(Value::Null) => None,
        Some(Value::Object(mut extensions)) => persisted(extensions.remove("persistedQuery"))?,
        Some(_) => return Err(BadRequest::in_field("request-object-field", "extensions")),
    };
    let (id, unknown) = match fields.remove("documentId") {
        None | Some(Value::Null) => (hash, BadRequest::UnknownHash),
        Some(Value::String(id)) => (Some(id), BadRequest::UnknownDocument),
        Some(_) => return Err(BadRequest::in_field("request-text-field", "documentId")),
    };
    let found = documents.find(query, id.as_deref());
    let Found { query, hash } = found.map_err(|bad| if bad == BadRequest::UnknownHash { unknown } else { bad })?;
    let mut request = Request::new(query);
    if let Some(hash) = hash {
        request.extensions.insert(HASH.to_owned(), hash.into());
    }
    match fields.remove("operationName") {
        None | Some(Value::Null) => {}
        // As if there was none.
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

/// The identity in the `persistedQuery` extension.
fn persisted(extension: Option<Value>) -> Result<Option<String>, BadRequest> {
    let Some(extension) = extension.filter(|extension| !extension.is_null()) else { return Ok(None) };
    match (extension.get("version").and_then(Value::as_u64), extension.get("sha256Hash")) {
        (Some(1), Some(Value::String(hash))) => Ok(Some(hash.clone())),
        _ => Err(BadRequest::new("request-persisted-query")),
    }
}

/// Reads a request from the parameters of an address.
pub(in crate::http) fn from_parameters(query: &str, documents: &Documents) -> Result<Request, BadRequest> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" | "documentId" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" => json(&value, "variables")?,
            "extensions" => json(&value, "extensions")?,
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    from_fields(fields, documents)
}

fn json(text: &str, field: &'static str) -> Result<Value, BadRequest> {
    serde_json::from_str(text).map_err(|_| BadRequest::in_field("request-object-field", field))
}
