//! A timer that is cheap to poll until it fires.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt, task::AtomicWaker};

use crate::clock::Sleep;

/// Wraps a sleep and polls it only after its waker fired. A socket wakes for every event, and polling its
/// timers each time would cost cache misses.
pub(in crate::http) struct LazyTimer {
    wait: Sleep,
    waker: Arc<TimerWaker>,
}

#[derive(Default)]
struct TimerWaker {
    fired: AtomicBool,
    task: AtomicWaker,
}

impl Wake for TimerWaker {
    fn wake(self: Arc<Self>) {
        self.fired.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl LazyTimer {
    pub(in crate::http) fn new(wait: Sleep) -> Self {
        let waker = TimerWaker { fired: AtomicBool::new(true), task: AtomicWaker::new() };
        Self { wait, waker: Arc::new(waker) }
    }

    pub(in crate::http) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.waker.fired.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.waker.task.register(cx.waker());
        self.waker.fired.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.waker));
        self.wait.poll_unpin(&mut Context::from_waker(&waker))
    }
}
