//! Process lifecycle: background tasks that must not die unnoticed, and a graceful shutdown.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Coordinates shutdown, and tracks the tasks to wait for.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    shutting_down: CancellationToken,
    drain: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Begins the shutdown: readiness turns off, so that load balancers send requests elsewhere. Requests are
    /// still accepted.
    pub fn begin_shutdown(&self) {
        self.shutting_down.cancel();
    }

    /// Returns whether shutdown or draining has begun.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.is_cancelled() || self.drain.is_cancelled()
    }

    /// Starts draining: nothing new is accepted, sockets close, requests in flight finish.
    pub fn begin_drain(&self) {
        self.drain.cancel();
    }

    /// Returns whether draining has started.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Completes when draining starts.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Runs a background task until the shutdown. If the task returns or panics before, draining starts: a
    /// half-working service must not go on.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let lifecycle = self.clone();
        self.tasks.spawn(async move {
            let _guard = TaskGuard { name, lifecycle: lifecycle.clone(), may_end: lifecycle.stop.clone() };
            tokio::select! {
                () = lifecycle.stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Runs a background task that ends by itself once draining has started, and that shutdown waits for. If the task
    /// returns or panics before, draining starts.
    pub fn spawn_until_drain(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let lifecycle = self.clone();
        self.tasks.spawn(async move {
            let _guard = TaskGuard { name, may_end: lifecycle.drain.clone(), lifecycle };
            task.await;
        });
    }

    /// Runs a task that ends by itself and that shutdown waits for.
    pub fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Stops the background tasks and waits for all tasks.
    pub async fn finish(&self) {
        self.drain.cancel();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct TaskGuard {
    name: &'static str,
    lifecycle: Lifecycle,
    /// Is cancelled once the task may end.
    may_end: CancellationToken,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        if !self.may_end.is_cancelled() {
            tracing::error!(task = self.name, "a background task ended unexpectedly: shutting down");
            self.lifecycle.begin_drain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_starts_draining() {
        let lifecycle = Lifecycle::default();
        lifecycle.spawn("dies", async { panic!("for the test") });
        lifecycle.draining().await;
        lifecycle.finish().await;
    }

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_end_after_draining_starts() {
        let lifecycle = Lifecycle::default();
        let task = lifecycle.clone();
        lifecycle.spawn_until_drain("ends", async move {
            task.draining().await;
            tokio::task::yield_now().await;
            task.begin_shutdown();
        });
        lifecycle.finish().await;
        assert!(lifecycle.shutting_down.is_cancelled());
        let other = Lifecycle::default();
        other.spawn_until_drain("returns", async {});
        other.draining().await;
    }

    #[tokio::test]
    async fn shutdown_begins_before_draining() {
        let lifecycle = Lifecycle::default();
        assert!(!lifecycle.is_shutting_down());
        lifecycle.begin_shutdown();
        assert!(lifecycle.is_shutting_down() && !lifecycle.is_draining());
        let other = Lifecycle::default();
        other.begin_drain();
        assert!(other.is_shutting_down(), "draining without notice is a shutdown too");
    }

    #[tokio::test]
    async fn finish_stops_tasks_and_waits_for_them() {
        let lifecycle = Lifecycle::default();
        lifecycle.spawn("goes on", std::future::pending());
        assert!(!lifecycle.is_draining());
        lifecycle.finish().await;
        assert!(lifecycle.is_draining());
    }
}
