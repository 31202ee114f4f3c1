//! Reading a GraphQL request from what a client sent.

use async_graphql::{Request, Variables};
use serde_json::{Map, Value};

/// What is wrong with a request, in words for whoever builds the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct BadRequest(pub(in crate::http) &'static str);

/// Reads a request from JSON.
pub(in crate::http) fn parse(body: &[u8]) -> Result<Request, BadRequest> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => from_fields(fields),
        Ok(Value::Array(_)) => Err(BadRequest("batches of operations are not taken: send one operation a request")),
        Ok(_) => Err(BadRequest("the request must be a JSON object")),
        Err(_) => Err(BadRequest("the request is not well-formed JSON")),
    }
}

/// Reads a request from the fields of a JSON object.
pub(in crate::http) fn from_fields(mut fields: Map<String, Value>) -> Result<Request, BadRequest> {
    let query = match fields.remove("query") {
        Some(Value::String(query)) => query,
        Some(_) => return Err(BadRequest("\"query\" must be a string")),
        None => return Err(BadRequest("\"query\" is missing")),
    };
    let mut request = Request::new(query);
    match fields.remove("operationName") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => request.operation_name = Some(name),
        Some(_) => return Err(BadRequest("\"operationName\" must be a string or null")),
    }
    match fields.remove("variables") {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => request.variables = Variables::from_json(variables),
        Some(_) => return Err(BadRequest("\"variables\" must be an object or null")),
    }
    match fields.remove("extensions") {
        None | Some(Value::Null | Value::Object(_)) => Ok(request),
        Some(_) => Err(BadRequest("\"extensions\" must be an object or null")),
    }
}

/// Reads a request from the parameters of an address.
pub(in crate::http) fn from_parameters(query: &str) -> Result<Request, BadRequest> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|_| BadRequest("\"variables\" and \"extensions\" must be JSON objects"))?,
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    from_fields(fields)
}
