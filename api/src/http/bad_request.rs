//! Why a GraphQL request cannot be parsed.

use entities::enums::Language;

use crate::text;

/// Why a request cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum BadRequest {
    /// The request is malformed.
    Malformed {
        /// The id of the localised message.
        message: &'static str,
        /// The field that is malformed; empty if the message names none.
        field: &'static str,
    },
    /// The document id is not known.
    UnknownDocument,
    /// The document's hash is not registered.
    UnknownHash,
}

impl BadRequest {
    /// A malformed request.
    pub(in crate::http) const fn new(message: &'static str) -> Self {
        Self::in_field(message, "")
    }

    /// A request with a malformed field.
    pub(in crate::http) const fn in_field(message: &'static str, field: &'static str) -> Self {
        Self::Malformed { message, field }
    }

    /// Returns the error code.
    pub(in crate::http) const fn code(self) -> &'static str {
        match self {
            Self::Malformed { .. } => "BAD_USER_INPUT",
            Self::UnknownDocument | Self::UnknownHash => "PERSISTED_QUERY_NOT_FOUND",
        }
    }

    /// Returns the localised message.
    pub(in crate::http) fn message(self, language: Language) -> String {
        match self {
            Self::Malformed { message, field } => text::message(language, message, &[("field", field.into())]),
            Self::UnknownDocument => text::message(language, "request-unknown-document", &[]),
            // APQ clients compare this text literally.
            Self::UnknownHash => "PersistedQueryNotFound".to_owned(),
        }
    }
}
