//! The bus notifies replicas of new events. A lost message delays an event by at most a second and loses
//! none.

use tokio::sync::broadcast;

use crate::store::FeedAdvanced;

/// A message to every replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusMessage {
    /// A feed has new events.
    Advanced(FeedAdvanced),
    /// The regions, agencies or categories have changed.
    ReferenceData,
    /// Messages may have been lost: read all feeds from the database.
    Missed,
}

/// Carries messages between replicas.
pub trait Bus: Send + Sync + 'static {
    /// Publishes that a feed has new events. Returns at once and never fails.
    fn publish(&self, advanced: FeedAdvanced);
    /// Publishes that the regions, agencies or categories have changed.
    fn reference_data_changed(&self);
    /// Subscribes to messages. A listener that falls behind gets `Lagged`, which means the same as
    /// [`BusMessage::Missed`].
    fn listen(&self) -> broadcast::Receiver<BusMessage>;
    /// Returns whether messages currently reach the other replicas.
    fn is_connected(&self) -> bool;
}

/// Maximum number of messages that a listener may lag behind.
pub(in crate::feed) const BACKLOG: usize = 4096;

/// The in-process bus.
#[derive(Debug)]
pub struct MemoryBus(broadcast::Sender<BusMessage>);

impl Default for MemoryBus {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Bus for MemoryBus {
    fn publish(&self, advanced: FeedAdvanced) {
        // Sending fails only if nobody listens.
        let _ = self.0.send(BusMessage::Advanced(advanced));
    }

    fn reference_data_changed(&self) {
        let _ = self.0.send(BusMessage::ReferenceData);
    }

    fn listen(&self) -> broadcast::Receiver<BusMessage> {
        self.0.subscribe()
    }

    fn is_connected(&self) -> bool {
        true
    }
}
