//! Counts the operations of a socket whose work goes on, whether or not their client still wants them.

use std::sync::Arc;

/// The slots of one socket.
#[derive(Debug, Default)]
pub(in crate::http) struct Slots(Arc<()>);

/// Held for as long as the work of an operation goes on.
#[derive(Debug)]
pub(in crate::http) struct Slot {
    _counted: Arc<()>,
}

impl Slots {
    /// Takes a slot. Dropping it gives it back.
    pub(in crate::http) fn take(&self) -> Slot {
        Slot { _counted: Arc::clone(&self.0) }
    }

    /// Returns how many slots are taken.
    pub(in crate::http) fn taken(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}
