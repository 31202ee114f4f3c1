//! The responses of an operation, as transports send them.

use async_graphql::{Response, ServerError, Value};
use bytes::Bytes;
use serde_json::json;

use crate::graphql::{error::RateLimit, stream_item::StreamPosition};

/// A response of an operation.
#[derive(Debug)]
pub enum OperationResponse {
    /// The operation was rejected before it ran.
    Rejected(Box<Response>),
    /// A response, serialised. A subscription has many.
    Serialized {
        /// The response as JSON.
        json: Bytes,
        /// The position after which the stream can be resumed.
        position: Option<StreamPosition>,
    },
    /// The end of a stream that cannot continue: the next events are no longer stored, or the feed has a new
    /// epoch.
    EventsExpired,
}

/// The response of a query or mutation, serialised.
#[derive(Clone, Debug)]
pub struct SerializedResponse {
    /// The response as JSON; without `data` if nothing was executed.
    pub json: Bytes,
    /// The errors of the response.
    pub errors: Vec<ServerError>,
    /// Whether it is a request error: nothing was executed.
    pub is_request_error: bool,
    /// The rate limit that rejected the whole operation.
    pub limit: Option<RateLimit>,
}

impl SerializedResponse {
    /// Returns the response as an item of a stream.
    #[must_use]
    pub fn into_operation_response(self) -> OperationResponse {
        if self.is_request_error {
            return OperationResponse::Rejected(Box::new(Response::from_errors(self.errors)));
        }
        OperationResponse::Serialized { json: self.json, position: None }
    }
}

/// Returns whether a response is a request error: nothing was executed.
#[must_use]
pub fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Returns the errors of a response as JSON without `data`.
#[must_use]
pub fn errors_json(response: &Response) -> Vec<u8> {
    serde_json::to_vec(&json!({ "errors": response.errors })).unwrap_or_default()
}
