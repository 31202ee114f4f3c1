//! Delays batches of the data loader until the current poll of their operation returns: what is asked for in one poll is one batch.

use std::{
    future::{Future, poll_fn},
    pin::pin,
};

use tokio::sync::watch;

/// Dispatches the batches of one operation.
#[derive(Debug, Default)]
pub struct LoaderDispatch(watch::Sender<bool>);

impl LoaderDispatch {
    /// Runs an operation.
    pub async fn run<F: Future>(&self, operation: F) -> F::Output {
        let mut operation = pin!(operation);
        poll_fn(|context| {
            self.0.send_replace(true);
            let polled = operation.as_mut().poll(context);
            self.0.send_replace(false);
            polled
        })
        .await
    }

    /// Begins look-ups, each once the operation is not polled. Where it is not run by this, or has ended, at once.
    pub fn spawner<L: Future<Output = ()> + Send + 'static>(&self) -> impl Fn(L) + Send + Sync + use<L> {
        let polled = self.0.subscribe();
        move |look_up| {
            let mut polled = polled.clone();
            tokio::spawn(async move {
                // An error means that the operation has ended.
                let _ = polled.wait_for(|polled| !polled).await;
                look_up.await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_look_up_begins_when_the_operation_waits() {
        let dispatch = LoaderDispatch::default();
        let spawn = dispatch.spawner();
        let all_asked = Arc::new(AtomicBool::new(false));
        let (tell, told) = tokio::sync::oneshot::channel();
        dispatch
            .run(async {
                let seen = Arc::clone(&all_asked);
                spawn(async move { tell.send(seen.load(Ordering::SeqCst)).unwrap() });
                // The other thread runs meanwhile what may run.
                for _ in 0..1000 {
                    std::thread::yield_now();
                }
                all_asked.store(true, Ordering::SeqCst);
                assert!(told.await.unwrap(), "it has waited for what was asked for after it");
            })
            .await;
    }

    #[tokio::test]
    async fn a_look_up_of_an_operation_that_has_ended_begins() {
        let dispatch = LoaderDispatch::default();
        let spawn = dispatch.spawner();
        drop(dispatch);
        let (tell, told) = tokio::sync::oneshot::channel();
        spawn(async move { tell.send(()).unwrap() });
        told.await.unwrap();
    }
}
