//! The bus: says to every replica that a feed has grown. What it loses costs at most a second, never an event.

use tokio::sync::broadcast;

use crate::store::Poke;

/// What a listener hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A feed has grown.
    Poke(Poke),
    /// The units of the classifier have changed.
    Regions,
    /// Something may have been missed: look at everything.
    Missed,
}

/// Carries pokes between replicas.
pub trait Bus: Send + Sync + 'static {
    /// Says that a feed has grown. Returns at once; never fails the act that it follows.
    fn poke(&self, poke: Poke);
    /// Says that the units of the classifier have changed.
    fn regions_changed(&self);
    /// Hears from now on. A listener that falls behind gets `Lagged`, which means the same as [`Heard::Missed`].
    fn listen(&self) -> broadcast::Receiver<Heard>;
    /// Whether the other replicas can be reached now.
    fn is_connected(&self) -> bool;
}

/// How many pokes a listener may be behind before it looks at everything instead.
pub(in crate::feed) const BACKLOG: usize = 4096;

/// The bus of a single process.
#[derive(Debug)]
pub struct MemoryBus(broadcast::Sender<Heard>);

impl Default for MemoryBus {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Bus for MemoryBus {
    fn poke(&self, poke: Poke) {
        // An error means that nobody listens, which is fine.
        let _ = self.0.send(Heard::Poke(poke));
    }

    fn regions_changed(&self) {
        let _ = self.0.send(Heard::Regions);
    }

    fn listen(&self) -> broadcast::Receiver<Heard> {
        self.0.subscribe()
    }

    fn is_connected(&self) -> bool {
        true
    }
}
