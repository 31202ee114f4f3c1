//! Counts the operations of a socket whose work has not ended, including those the client has completed.

use std::sync::Arc;

/// The slot counter of one socket.
#[derive(Debug, Default)]
pub(in crate::http) struct Slots(Arc<()>);

/// A slot, held until the operation's work ends.
#[derive(Debug)]
pub(in crate::http) struct Slot {
    _counted: Arc<()>,
}

impl Slots {
    /// Takes a slot. Dropping it releases it.
    pub(in crate::http) fn take(&self) -> Slot {
        Slot { _counted: Arc::clone(&self.0) }
    }

    /// Returns the number of taken slots.
    pub(in crate::http) fn taken(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}
