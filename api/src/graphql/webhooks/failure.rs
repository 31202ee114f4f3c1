//! Messages about failed deliveries.

use entities::enums::Language;

use crate::text;

/// Returns the message about a failure. A failure that a later version stored has a general one.
pub(super) fn failure_message(language: Language, name: &str) -> String {
    let key = match name {
        "ADDRESS" => "delivery-error-address",
        "UNRESOLVED" => "delivery-error-unresolved",
        "CONNECT" => "delivery-error-connect",
        "TLS" => "delivery-error-tls",
        "TIMEOUT" => "delivery-error-timeout",
        "CLOSED" => "delivery-error-closed",
        "REDIRECT" => "delivery-error-redirect",
        "STATUS" => "delivery-error-status",
        "GONE" => "delivery-error-gone",
        "EVENTS_DELETED" => "delivery-error-events-deleted",
        _ => "delivery-error-unknown",
    };
    text::message(language, key, &[])
}
