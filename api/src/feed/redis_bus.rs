//! The bus of several replicas, over Redis publish/subscribe.
//!
//! Redis carries notifications only, and polling finds whatever it loses. So nothing here waits for Redis:
//! messages go through a bounded queue that drops what does not fit, and a reconnection makes every tail read
//! the database.

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

const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const RETRY_PERIOD: TimeDelta = TimeDelta::seconds(1);
const REFERENCE_DATA: &str = "regions";

/// Connects every replica that uses the same Redis server and prefix.
pub struct RedisBus {
    client: Client,
    channel: String,
    clock: Arc<dyn Clock>,
    received: broadcast::Sender<BusMessage>,
    outgoing: mpsc::Sender<String>,
    queue: parking_lot::Mutex<Option<mpsc::Receiver<String>>>,
    connected: Arc<AtomicBool>,
}

impl RedisBus {
    /// Creates a bus for the Redis server at `url`. [`RedisBus::run`] connects it.
    ///
    /// # Errors
    /// If the URL is invalid.
    pub fn new(url: &str, prefix: &str, clock: Arc<dyn Clock>) -> Result<Arc<Self>, RedisError> {
        let resp3 = if url.contains('?') { format!("{url}&protocol=resp3") } else { format!("{url}?protocol=resp3") };
        let (outgoing, queue) = mpsc::channel(BACKLOG);
        Ok(Arc::new(Self {
            client: Client::open(resp3)?,
            channel: format!("{prefix}:pokes"),
            clock,
            received: broadcast::channel(BACKLOG).0,
            outgoing,
            queue: parking_lot::Mutex::new(Some(queue)),
            connected: Arc::new(AtomicBool::new(false)),
        }))
    }

    /// Connects, reconnects after failures, and sends queued messages until the bus is dropped.
    pub async fn run(self: Arc<Self>) {
        let Some(mut queue) = self.queue.lock().take() else { return };
        let mut manager = self.connect().await;
        let mut next_ping = sleep(self.clock.as_ref(), RETRY_PERIOD);
        loop {
            // While it reconnects, the manager does not respond, hence the timeouts.
            let sent = tokio::select! {
                message = queue.recv() => match message {
                    Some(message) => {
                        let published = self.publish_queued(&mut manager, message, &mut queue);
                        timeout(RESPONSE_TIMEOUT * 2, published).await
                    }
                    None => return,
                },
                () = &mut next_ping => {
                    next_ping = sleep(self.clock.as_ref(), RETRY_PERIOD);
                    timeout(RESPONSE_TIMEOUT * 2, redis::cmd("PING").exec_async(&mut manager)).await
                }
            };
            let is_connected = matches!(sent, Ok(Ok(())));
            if set_connected(&self.connected, is_connected) && is_connected {
                let _ = self.received.send(BusMessage::Missed);
            }
        }
    }

    /// Publishes a message and all queued ones in one round trip.
    async fn publish_queued(
        &self,
        manager: &mut ConnectionManager,
        first: String,
        queue: &mut mpsc::Receiver<String>,
    ) -> Result<(), RedisError> {
        let mut pipe = redis::pipe();
        pipe.publish(&self.channel, first).ignore();
        for _ in 0..BACKLOG {
            let Ok(message) = queue.try_recv() else { break };
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
                    sleep(self.clock.as_ref(), RETRY_PERIOD).await;
                }
            }
        }
    }

    async fn try_connect(&self) -> Result<ConnectionManager, RedisError> {
        let (received, connected) = (self.received.clone(), Arc::clone(&self.connected));
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(RESPONSE_TIMEOUT * 2))
            .set_max_delay(Duration::from_secs(1))
            .set_number_of_retries(1_000_000)
            .set_push_sender(move |push: PushInfo| -> Result<(), RedisError> {
                on_push(&push, &received, &connected);
                Ok(())
            })
            .set_automatic_resubscription();
        let mut manager = timeout(RESPONSE_TIMEOUT * 4, self.client.get_connection_manager_with_config(config))
            .await
            .map_err(|_| RedisError::from((redis::ErrorKind::Io, "no answer")))??;
        manager.subscribe(&self.channel).await?;
        set_connected(&self.connected, true);
        let _ = self.received.send(BusMessage::Missed);
        Ok(manager)
    }

    fn send(&self, text: String, message: BusMessage) {
        // Local listeners receive the message directly, even while Redis is unavailable.
        let _ = self.received.send(message);
        // If the queue is full, the other replicas find the event by polling.
        let _ = self.outgoing.try_send(text);
    }
}

impl Bus for RedisBus {
    fn publish(&self, advanced: FeedAdvanced) {
        self.send(format!("{} {}", advanced.feed, advanced.seq), BusMessage::Advanced(advanced));
    }

    fn reference_data_changed(&self) {
        self.send(REFERENCE_DATA.to_owned(), BusMessage::ReferenceData);
    }

    fn listen(&self) -> broadcast::Receiver<BusMessage> {
        self.received.subscribe()
    }

    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }
}

/// Records and logs whether the bus is connected. Returns whether that has changed.
fn set_connected(connected: &AtomicBool, is_connected: bool) -> bool {
    let changed = connected.swap(is_connected, Ordering::Relaxed) != is_connected;
    match (changed, is_connected) {
        (true, true) => tracing::info!("the bus is connected"),
        (true, false) => tracing::warn!("the bus is not connected: live delivery falls back to polling every second"),
        (false, _) => {}
    }
    changed
}

fn on_push(push: &PushInfo, received: &broadcast::Sender<BusMessage>, connected: &AtomicBool) {
    let message = match push.kind {
        PushKind::Disconnection => {
            set_connected(connected, false);
            BusMessage::Missed
        }
        PushKind::Subscribe => {
            set_connected(connected, true);
            BusMessage::Missed
        }
        PushKind::Message => match push.data.last() {
            // Ignore messages that only a later version understands.
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
    if text == REFERENCE_DATA {
        return Some(BusMessage::ReferenceData);
    }
    let (feed, seq) = text.split_once(' ')?;
    Some(BusMessage::Advanced(FeedAdvanced { feed: FeedName::stored(feed), seq: seq.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_unknown_messages() {
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
            [
                BusMessage::Advanced(FeedAdvanced { feed: FeedName::stored("meetings"), seq: 7 }),
                BusMessage::ReferenceData
            ]
        );
    }
}
