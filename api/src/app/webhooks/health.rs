//! Whether the receiver of a webhook takes messages.

use chrono::{DateTime, Utc};
use entities::webhook;

use crate::webhooks::DeliveryOutcome;

/// The name of the error that events were deleted before they were sent.
const EVENTS_DELETED: &str = "EVENTS_DELETED";

/// Whether a webhook's receiver takes messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    failing_since: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl Health {
    /// Returns what is recorded.
    pub(super) fn of(row: &webhook::Model) -> Self {
        Self { failing_since: row.failing_since, last_error: row.last_error.clone() }
    }

    /// Returns the health after an attempt. That events were deleted is said until the owner has reacted.
    pub(super) fn after(self, outcome: DeliveryOutcome, now: DateTime<Utc>) -> Self {
        let deleted = self.last_error.filter(|error| error == EVENTS_DELETED);
        match error_of(outcome) {
            None => Self { failing_since: None, last_error: deleted },
            Some(error) => Self {
                failing_since: Some(self.failing_since.unwrap_or(now)),
                last_error: deleted.or(Some(error.to_owned())),
            },
        }
    }

    /// Returns the health after events were deleted before they were sent.
    pub(super) fn with_deleted_events(self) -> Self {
        Self { last_error: Some(EVENTS_DELETED.to_owned()), ..self }
    }

    /// Records the health in a row.
    pub(super) fn of_webhook(self, row: webhook::Model) -> webhook::Model {
        webhook::Model { failing_since: self.failing_since, last_error: self.last_error, ..row }
    }
}

/// Returns the name of a failure, as it is stored.
pub(super) const fn error_of(outcome: DeliveryOutcome) -> Option<&'static str> {
    match outcome {
        DeliveryOutcome::Delivered { .. } => None,
        DeliveryOutcome::Gone => Some("GONE"),
        DeliveryOutcome::Failed { reason, .. } => Some(reason.as_str()),
    }
}
