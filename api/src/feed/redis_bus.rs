//! The bus of several replicas, over Redis publish/subscribe.
//!
//! Redis is only a wake-up call: whatever it loses, the one-second look finds. So nothing here ever waits for it: pokes go
//! through a bounded queue that drops what does not fit, and a reconnection is answered with a look at everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use redis::{
    Client, PushInfo, PushKind, RedisError, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{
    sync::{broadcast, mpsc},
    time::timeout,
};

use crate::{
    clock::{Clock, sleep},
    domain::feed::FeedName,
    feed::bus::{BACKLOG, Bus, BusMessage},
    store::FeedAdvanced,
};

const ANSWER: Duration = Duration::from_millis(500);
const RETRY: TimeDelta = TimeDelta::seconds(1);
const REGIONS: &str = "regions";

/// A bus that reaches every replica on the same Redis and prefix.
pub struct RedisBus {
    client: Client,
    channel: String,
    clock: Arc<dyn Clock>,
    received: broadcast::Sender<BusMessage>,
    outgoing: mpsc::Sender<String>,
    waiting: parking_lot::Mutex<Option<mpsc::Receiver<String>>>,
    connected: Arc<AtomicBool>,
}

impl RedisBus {
    /// A bus over the Redis at `url`; connects once [`RedisBus::run`] runs.
    ///
    /// # Errors
    /// When the address is not understood.
    pub fn new(url: &str, prefix: &str, clock: Arc<dyn Clock>) -> Result<Arc<Self>, RedisError> {
        let resp3 = if url.contains('?') { format!("{url}&protocol=resp3") } else { format!("{url}?protocol=resp3") };
        let (outgoing, waiting) = mpsc::channel(BACKLOG);
        Ok(Arc::new(Self {
            client: Client::open(resp3)?,
            channel: format!("{prefix}:pokes"),
            clock,
            received: broadcast::channel(BACKLOG).0,
            outgoing,
            waiting: parking_lot::Mutex::new(Some(waiting)),
            connected: Arc::new(AtomicBool::new(false)),
        }))
    }

    /// Connects, stays connected, and carries messages both ways until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        let mut manager = self.connect().await;
        let mut pulse = sleep(self.clock.as_ref(), RETRY);
        loop {
            // While the manager connects anew it answers nothing, for as long as that takes: hence the limits.
            let sent = tokio::select! {
                message = waiting.recv() => match message {
                    Some(message) => timeout(ANSWER * 2, self.publish_queued(&mut manager, message, &mut waiting)).await,
                    None => return,
                },
                () = &mut pulse => {
                    pulse = sleep(self.clock.as_ref(), RETRY);
                    timeout(ANSWER * 2, redis::cmd("PING").exec_async(&mut manager)).await
                }
            };
            let up = matches!(sent, Ok(Ok(())));
            if note(&self.connected, up) && up {
                let _ = self.received.send(BusMessage::Missed);
            }
        }
    }

    /// Publishes a message and everything that waits behind it, in one round trip.
    async fn publish_queued(
        &self,
        manager: &mut ConnectionManager,
        first: String,
        waiting: &mut mpsc::Receiver<String>,
    ) -> Result<(), RedisError> {
        let mut pipe = redis::pipe();
        pipe.publish(&self.channel, first).ignore();
        for _ in 0..BACKLOG {
            let Ok(message) = waiting.try_recv() else { break };
            pipe.publish(&self.channel, message).ignore();
        }
        pipe.exec_async(manager).await
    }

    async fn connect(&self) -> ConnectionManager {
        loop {
            match self.try_connect().await {
                Ok(manager) => return manager,
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "the bus cannot be reached");
                    sleep(self.clock.as_ref(), RETRY).await;
                }
            }
        }
    }

    async fn try_connect(&self) -> Result<ConnectionManager, RedisError> {
        let (received, connected) = (self.received.clone(), Arc::clone(&self.connected));
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWER))
            .set_connection_timeout(Some(ANSWER * 2))
            .set_max_delay(Duration::from_secs(1))
            .set_number_of_retries(1_000_000)
            .set_push_sender(move |push: PushInfo| -> Result<(), RedisError> {
                on_push(&push, &received, &connected);
                Ok(())
            })
            .set_automatic_resubscription();
        let mut manager = timeout(ANSWER * 4, self.client.get_connection_manager_with_config(config))
            .await
            .map_err(|_| RedisError::from((redis::ErrorKind::Io, "no answer")))??;
        manager.subscribe(&self.channel).await?;
        note(&self.connected, true);
        let _ = self.received.send(BusMessage::Missed);
        Ok(manager)
    }

    fn send(&self, text: String, message: BusMessage) {
        // Those on this replica need no detour, and receive it even while Redis is away.
        let _ = self.received.send(message);
        // A full queue means that Redis does not keep up: the others will look by themselves within a second.
        let _ = self.outgoing.try_send(text);
    }
}

impl Bus for RedisBus {
    fn publish(&self, advanced: FeedAdvanced) {
        self.send(format!("{} {}", advanced.feed, advanced.seq), BusMessage::Advanced(advanced));
    }

    fn regions_changed(&self) {
        self.send(REGIONS.to_owned(), BusMessage::Regions);
    }

    fn listen(&self) -> broadcast::Receiver<BusMessage> {
        self.received.subscribe()
    }

    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }
}

/// Remembers whether the bus is connected, and says so where that is new; gives whether it is.
fn note(connected: &AtomicBool, up: bool) -> bool {
    let new = connected.swap(up, Ordering::Relaxed) != up;
    match (new, up) {
        (true, true) => tracing::info!("the bus is connected"),
        (true, false) => tracing::warn!("the bus is not connected: live delivery falls back to a look a second"),
        (false, _) => {}
    }
    new
}

fn on_push(push: &PushInfo, received: &broadcast::Sender<BusMessage>, connected: &AtomicBool) {
    let message = match push.kind {
        PushKind::Disconnection => {
            note(connected, false);
            BusMessage::Missed
        }
        PushKind::Subscribe => {
            note(connected, true);
            BusMessage::Missed
        }
        PushKind::Message => match push.data.last() {
            // What a later version says to its own is not for this one.
            Some(Value::BulkString(bytes)) => match parse(bytes) {
                Some(message) => message,
                None => return,
            },
            _ => BusMessage::Missed,
        },
        _ => return,
    };
    let _ = received.send(message);
}

fn parse(bytes: &[u8]) -> Option<BusMessage> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text == REGIONS {
        return Some(BusMessage::Regions);
    }
    let (feed, seq) = text.split_once(' ')?;
    Some(BusMessage::Advanced(FeedAdvanced { feed: FeedName::stored(feed), seq: seq.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_what_only_a_later_version_says() {
        let (received, mut listener) = broadcast::channel(8);
        for text in ["meetings 7", "weather", "meetings soon", "", "regions"] {
            let push = PushInfo { kind: PushKind::Message, data: vec![Value::BulkString(text.into())] };
            on_push(&push, &received, &AtomicBool::new(true));
        }
        let not_text = PushInfo { kind: PushKind::Message, data: vec![Value::BulkString(vec![0xff])] };
        on_push(&not_text, &received, &AtomicBool::new(true));
        let mut all = Vec::new();
        while let Ok(message) = listener.try_recv() {
            all.push(message);
        }
        assert_eq!(
            all,
            [BusMessage::Advanced(FeedAdvanced { feed: FeedName::stored("meetings"), seq: 7 }), BusMessage::Regions]
        );
    }
}
