//! Dispatches the batches of a data loader when the operation waits. All keys requested until then form one
//! batch.
//!
//! The loads of an operation are polled by its own task and in turn with it. So no load completes while the
//! operation requests keys, and no load starts before it has requested all it can.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, UnboundedSender};

type Load = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Dispatches the batches of one operation.
#[derive(Default)]
pub struct LoaderDispatch(Arc<Mutex<Option<UnboundedSender<Load>>>>);

impl LoaderDispatch {
    /// Runs an operation and its loads. Dropping it drops the loads as well.
    pub async fn run<F: Future>(&self, operation: F) -> F::Output {
        let (sender, mut started) = mpsc::unbounded_channel();
        *self.0.lock() = Some(sender);
        let mut operation = pin!(operation);
        let mut loads = FuturesUnordered::new();
        let output = poll_fn(|context| {
            let recorder =
                Arc::new(RecordingWaker { inner: context.waker().clone(), was_woken: AtomicBool::new(false) });
            let waker = Waker::from(Arc::clone(&recorder));
            if let Poll::Ready(output) = operation.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
            // The operation only yielded and may request more keys.
            if recorder.was_woken.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            while let Poll::Ready(Some(load)) = started.poll_recv(context) {
                loads.push(load);
            }
            while let Poll::Ready(Some(())) = loads.poll_next_unpin(context) {}
            Poll::Pending
        })
        .await;
        *self.0.lock() = None;
        output
    }

    /// Returns the spawner for a data loader. Loads of a running operation run in its task, others in tasks
    /// of their own.
    pub fn spawner(&self) -> impl Fn(Load) + Send + Sync + use<> {
        let running = Arc::clone(&self.0);
        move |load| {
            let sender = running.lock().clone();
            let unsent = match sender {
                Some(sender) => sender.send(load).err().map(|unsent| unsent.0),
                None => Some(load),
            };
            unsent.map(tokio::spawn);
        }
    }
}

/// Wakes the task and records it.
struct RecordingWaker {
    inner: Waker,
    was_woken: AtomicBool,
}

impl Wake for RecordingWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.was_woken.store(true, Ordering::Release);
        self.inner.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn begins_a_load_when_the_operation_waits_and_not_when_it_yields() {
        let dispatch = LoaderDispatch::default();
        let spawn = dispatch.spawner();
        let requested = Arc::new(AtomicUsize::new(0));
        let (tell, told) = tokio::sync::oneshot::channel();
        let seen = dispatch
            .run(async {
                let counted = Arc::clone(&requested);
                spawn(Box::pin(async move { tell.send(counted.load(Ordering::SeqCst)).unwrap() }));
                for _ in 0..100 {
                    requested.fetch_add(1, Ordering::SeqCst);
                    yield_to_itself().await;
                }
                told.await.unwrap()
            })
            .await;
        assert_eq!(seen, 100, "it has waited for what was asked for after it");
    }

    #[tokio::test]
    async fn begins_a_load_of_an_operation_that_has_ended() {
        let dispatch = LoaderDispatch::default();
        let spawn = dispatch.spawner();
        dispatch.run(async {}).await;
        let (tell, told) = tokio::sync::oneshot::channel();
        spawn(Box::pin(async move { tell.send(()).unwrap() }));
        told.await.unwrap();
    }

    /// Yields as a set of many futures does: wakes itself before it returns.
    async fn yield_to_itself() {
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
