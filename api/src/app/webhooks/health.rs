//! Whether the receiver of a webhook takes messages.

use chrono::{DateTime, Utc};
use entities::webhook;

use crate::webhooks::DeliveryOutcome;

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

    /// Returns the health after an attempt.
    pub(super) fn after(self, outcome: DeliveryOutcome, now: DateTime<Utc>) -> Self {
        match error_of(outcome) {
            None => Self { failing_since: None, last_error: None },
            Some(error) => {
                Self { failing_since: Some(self.failing_since.unwrap_or(now)), last_error: Some(error.to_owned()) }
            }
        }
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
