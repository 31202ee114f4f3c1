//! The bus tells every replica that a feed has grown. A lost message costs at most a second, never an event.

use tokio::sync::broadcast;

use crate::store::FeedAdvanced;

/// A message to every replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusMessage {
    /// A feed has grown.
    Advanced(FeedAdvanced),
    /// The units of the classifier have changed.
    Regions,
    /// Something may have been missed: look at everything.
    Missed,
}

/// Carries messages between replicas.
pub trait Bus: Send + Sync + 'static {
    /// Tells that a feed has grown. Returns at once and never fails the command that it follows.
    fn publish(&self, advanced: FeedAdvanced);
    /// Tells that the units of the classifier have changed.
    fn regions_changed(&self);
    /// Receives from now on. A listener that falls behind gets `Lagged`, which means the same as [`BusMessage::Missed`].
    fn listen(&self) -> broadcast::Receiver<BusMessage>;
    /// Whether the other replicas can be reached now.
    fn is_connected(&self) -> bool;
}

/// How many messages a listener may be behind before it looks at everything instead.
pub(in crate::feed) const BACKLOG: usize = 4096;

/// The bus of a single process.
#[derive(Debug)]
pub struct MemoryBus(broadcast::Sender<BusMessage>);

impl Default for MemoryBus {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Bus for MemoryBus {
    fn publish(&self, advanced: FeedAdvanced) {
        // An error means that nobody listens, which is fine.
        let _ = self.0.send(BusMessage::Advanced(advanced));
    }

    fn regions_changed(&self) {
        let _ = self.0.send(BusMessage::Regions);
    }

    fn listen(&self) -> broadcast::Receiver<BusMessage> {
        self.0.subscribe()
    }

    fn is_connected(&self) -> bool {
        true
    }
}
