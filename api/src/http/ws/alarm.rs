//! A timer that costs nothing to poll until it has rung.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt, task::AtomicWaker};

use crate::clock::Sleep;

/// A wait that is looked at only when it has rung: a socket wakes for every event, and its timers lie elsewhere in memory.
pub(in crate::http) struct Alarm {
    wait: Sleep,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Alarm {
    pub(in crate::http) fn new(wait: Sleep) -> Self {
        let bell = Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() };
        Self { wait, bell: Arc::new(bell) }
    }

    pub(in crate::http) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.bell.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.bell.task.register(cx.waker());
        self.bell.rung.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.bell));
        self.wait.poll_unpin(&mut Context::from_waker(&waker))
    }
}
