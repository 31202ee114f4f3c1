//! Delivers the events of a feed to the attached followers of one render group.
//!
//! Each event is rendered once and written to every sink in turn, in one pass over the followers. What arrives during
//! a pass goes out together in the next one. A follower whose sink takes nothing reads on in its own task.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{runtime::Handle, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    feed::{NewEntries, TailReader},
    graphql::{
        attached_follower::{AttachedFollower, Deliverer, Progress, RenderedEvent, ShownEvent},
        caller::Caller,
        render_cache::Rendering,
        stream_item::{Envelope, EventPayload, RenderKey, StreamItem, StreamPosition},
    },
};

/// Number of followers that are served before other tasks may run.
const FOLLOWERS_BETWEEN_YIELDS: usize = 64;
/// Minimum number of listed followers at which those that are closed are removed.
const MIN_SWEEP: usize = 64;
/// Minimum number of followers for which a pass is shared among the workers.
const MIN_SHARD: usize = 512;

/// Renders items of a group.
pub trait Renderer: Send + Sync {
    /// Renders an item for a caller, or returns `None` if the group is gone.
    fn render<'a>(&'a self, caller: &'a Caller, item: &'a StreamItem) -> BoxFuture<'a, Option<Rendering>>;
}

/// The attached followers of one group on one tail.
pub struct Fanout {
    attached: Mutex<Attached>,
    /// Whether each viewer needs a rendering of their own, so that nobody is attached.
    per_viewer: AtomicBool,
    _task: DropGuard,
}

#[derive(Default)]
struct Attached {
    /// Position up to which passes have begun.
    cursor: i64,
    followers: Vec<Arc<AttachedFollower>>,
    /// The number of followers at which those that are closed are removed.
    sweep_at: usize,
    /// Whether the tail has ended, so that nothing more is delivered.
    has_ended: bool,
}

impl Attached {
    fn list(&mut self, follower: &Arc<AttachedFollower>) {
        if self.followers.len() >= self.sweep_at {
            self.followers.retain(|follower| !follower.is_closed());
            self.sweep_at = Ord::max(self.followers.len() * 2, MIN_SWEEP);
        }
        self.followers.push(Arc::clone(follower));
    }
}

impl Deliverer for Fanout {
    fn attach(&self, follower: &Arc<AttachedFollower>, progress: Progress) -> bool {
        !self.per_viewer.load(Ordering::Relaxed)
            && follower.attach(progress, || {
                let mut attached = self.attached.lock();
                // A pass that has begun no longer sees who comes now.
                let is_in_time = progress.cursor >= attached.cursor && !attached.has_ended;
                if is_in_time {
                    attached.list(follower);
                }
                is_in_time
            })
    }
}

impl Fanout {
    /// Starts delivering the events of a tail, until the value is dropped or the tail is gone.
    pub fn start(reader: TailReader, renderer: Arc<dyn Renderer>) -> Arc<Self> {
        let stop = CancellationToken::new();
        let attached = Attached { cursor: reader.head(), ..Attached::default() };
        let fanout = Arc::new(Self {
            attached: Mutex::new(attached),
            per_viewer: AtomicBool::new(false),
            _task: stop.clone().drop_guard(),
        });
        tokio::spawn(run(Arc::downgrade(&fanout), reader, renderer, stop));
        fanout
    }

    /// Begins a pass: takes the followers and the new events.
    fn begin(&self, reader: &TailReader) -> Option<(Vec<Arc<AttachedFollower>>, Pass)> {
        let mut attached = self.attached.lock();
        let after = attached.cursor;
        let Some(new) = reader.read(after) else {
            // The followers read what the tail no longer holds, or end.
            attached.cursor = attached.cursor.max(reader.head());
            attached.has_ended = reader.has_ended();
            let left = std::mem::take(&mut attached.followers);
            drop(attached);
            left.iter().for_each(|follower| follower.hand_back());
            return None;
        };
        if new.entries.is_empty() {
            return None;
        }
        attached.cursor = new.head;
        Some((std::mem::take(&mut attached.followers), Pass { after, new }))
    }
}

/// The events of one pass.
struct Pass {
    /// Position before the first.
    after: i64,
    new: NewEntries,
}

async fn run(fanout: Weak<Fanout>, mut reader: TailReader, renderer: Arc<dyn Renderer>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = reader.changed() => if !changed { return },
        }
        let Some(fanout) = fanout.upgrade() else { return };
        let Some((followers, pass)) = fanout.begin(&reader) else { continue };
        let workers = Handle::current().metrics().num_workers();
        let shard_size = followers.len().div_ceil(workers).max(MIN_SHARD);
        let shard = |followers: &[Arc<AttachedFollower>]| Shard {
            fanout: Arc::clone(&fanout),
            reader: reader.clone(),
            renderer: Arc::clone(&renderer),
            followers: followers.to_vec(),
            kept: Vec::with_capacity(followers.len()),
            after: pass.after,
            new: pass.new.clone(),
            renderings: Vec::new(),
            sent: 0,
        };
        // Tasks of their own, so that a panic does not end the delivery.
        let mut shards: JoinSet<()> = followers.chunks(shard_size).map(|part| shard(part).deliver()).collect();
        while shards.join_next().await.is_some() {}
    }
}

/// The part of a pass that one worker runs.
struct Shard {
    fanout: Arc<Fanout>,
    reader: TailReader,
    renderer: Arc<dyn Renderer>,
    /// Followers that are still to be served, the next one last.
    followers: Vec<Arc<AttachedFollower>>,
    /// Followers that stay attached.
    kept: Vec<Arc<AttachedFollower>>,
    after: i64,
    new: NewEntries,
    renderings: Vec<(RenderKey, Bytes)>,
    /// Number of events sent since they were last counted.
    sent: u64,
}

impl Shard {
    async fn deliver(mut self) {
        let mut scratch = Vec::new();
        let deliveries = metrics::counter!("kezdesu_deliveries_total", "by" => "group");
        while let Some(follower) = self.followers.last().cloned() {
            if self.followers.len().is_multiple_of(FOLLOWERS_BETWEEN_YIELDS) {
                tokio::task::yield_now().await;
            }
            if self.deliver_to(&follower, &mut scratch).await {
                self.kept.push(follower);
            }
            self.followers.pop();
            deliveries.increment(std::mem::take(&mut self.sent));
        }
        self.fanout.attached.lock().followers.append(&mut self.kept);
    }

    /// Reads the events again if something was removed meanwhile, so that nobody is shown what others no longer see.
    /// Returns false if the tail no longer holds them.
    fn is_current(&mut self) -> bool {
        if self.reader.removals() == Some(self.new.removals) {
            return true;
        }
        let Some(mut new) = self.reader.read(self.after) else { return false };
        // Later events belong to the next pass.
        new.entries.retain(|entry| entry.event.seq <= self.new.head);
        self.new = NewEntries { head: self.new.head, ..new };
        true
    }

    /// Delivers the events to one follower. Returns whether it stays attached.
    async fn deliver_to(&mut self, follower: &Arc<AttachedFollower>, scratch: &mut Vec<u8>) -> bool {
        loop {
            if self.fanout.per_viewer.load(Ordering::Relaxed) || !self.is_current() {
                follower.hand_back();
                return false;
            }
            let (renderings, mut sent) = (&self.renderings, 0);
            let delivered = follower.deliver(&self.new.entries, |sink, shown| {
                let events = shown.iter().map(|event| {
                    let json = find(renderings, event).ok_or_else(|| self.item(event))?;
                    let epoch = Arc::clone(self.reader.epoch());
                    Ok(RenderedEvent { json, position: StreamPosition { epoch, seq: event.entry.event.seq } })
                });
                let has_sent = sink.try_send(&events.collect::<Result<Vec<_>, _>>()?, scratch);
                sent = if has_sent { shown.len() } else { 0 };
                Ok(has_sent)
            });
            self.sent += u64::try_from(sent).unwrap_or_default();
            let item: StreamItem = match delivered {
                Ok(stays) => return stays,
                Err(item) => item,
            };
            match (self.renderer.render(&follower.caller, &item).await, item.render_key()) {
                (Some(Rendering::Shared(json)), Some(key)) => self.renderings.push((key, json)),
                _ => self.fanout.per_viewer.store(true, Ordering::Relaxed),
            }
        }
    }

    fn item(&self, event: &ShownEvent<'_>) -> StreamItem {
        StreamItem::Feed(Envelope {
            seq: event.entry.event.seq,
            prev: event.prev,
            at: event.entry.at(),
            epoch: Arc::clone(self.reader.epoch()),
            payload: EventPayload::Shared(event.kind, event.entry.clone()),
        })
    }
}

impl Drop for Shard {
    /// After a panic, whoever was not served reads on in their own task.
    fn drop(&mut self) {
        self.followers.iter().chain(&self.kept).for_each(|follower| follower.hand_back());
    }
}

/// Returns the rendering of an event.
fn find(renderings: &[(RenderKey, Bytes)], event: &ShownEvent<'_>) -> Option<Bytes> {
    let key = RenderKey::Event(event.prev, event.entry.event.seq, event.kind, event.entry.version);
    renderings.iter().find(|(known, _)| *known == key).map(|(_, json)| json.clone())
}
