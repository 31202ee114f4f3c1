//! Marks the response of a request that was rejected, for the access log.

/// Response extension of a request that was rejected before execution.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct RejectedRequest {
    pub(in crate::http) code: &'static str,
    /// The kind of viewer; `None` before authentication.
    pub(in crate::http) viewer: Option<&'static str>,
}
