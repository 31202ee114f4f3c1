//! The life of a process: background work that must not die unseen, and an end that loses nothing.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Says when to stop, and waits for what still runs.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    announced: CancellationToken,
    drain: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Says that the end is near, so that whoever sends us work sends it elsewhere. What still comes is taken.
    pub fn announce_end(&self) {
        self.announced.cancel();
    }

    /// Whether the end is near, or has begun.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.announced.is_cancelled() || self.drain.is_cancelled()
    }

    /// Begins the end: nothing new is taken, sockets are closed, what is under way is finished.
    pub fn begin_drain(&self) {
        self.drain.cancel();
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Completes when the end begins.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Runs background work until the end. Work that returns or panics before that begins the end: a service that is half
    /// alive helps nobody.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let life = self.clone();
        self.tasks.spawn(async move {
            let _guard = EndGuard { name, life: life.clone() };
            tokio::select! {
                () = life.stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Runs something that ends by itself, and that the end waits for.
    pub fn track(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Stops the background work and waits for everything that was spawned.
    pub async fn finish(&self) {
        self.drain.cancel();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct EndGuard {
    name: &'static str,
    life: Lifecycle,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if !self.life.stop.is_cancelled() {
            tracing::error!(task = self.name, "background work has ended by itself: the service stops");
            self.life.begin_drain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_dies_begins_the_end() {
        let life = Lifecycle::default();
        life.spawn("dies", async { panic!("for the test") });
        life.draining().await;
        life.finish().await;
    }

    #[tokio::test]
    async fn an_announced_end_has_not_begun() {
        let life = Lifecycle::default();
        assert!(!life.is_ending());
        life.announce_end();
        assert!(life.is_ending() && !life.is_draining());
        let other = Lifecycle::default();
        other.begin_drain();
        assert!(other.is_ending(), "one that has begun unannounced is an end too");
    }

    #[tokio::test]
    async fn the_end_stops_the_work_and_waits_for_it() {
        let life = Lifecycle::default();
        life.spawn("goes on", std::future::pending());
        assert!(!life.is_draining());
        life.finish().await;
        assert!(life.is_draining());
    }
}
