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
    feed::bus::{BACKLOG, Bus, Heard},
    store::Poke,
};

const ANSWER: Duration = Duration::from_millis(500);
const RETRY: TimeDelta = TimeDelta::seconds(1);
const REGIONS: &str = "regions";

/// A bus that reaches every replica on the same Redis and prefix.
pub struct RedisBus {
    client: Client,
    channel: String,
    clock: Arc<dyn Clock>,
    heard: broadcast::Sender<Heard>,
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
            heard: broadcast::channel(BACKLOG).0,
            outgoing,
            waiting: parking_lot::Mutex::new(Some(waiting)),
            connected: Arc::new(AtomicBool::new(false)),
        }))
    }

    /// Connects, stays connected, and carries pokes both ways until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        let mut manager = self.connect().await;
        let mut pulse = sleep(self.clock.as_ref(), RETRY);
        loop {
            // While the manager connects anew it answers nothing, for as long as that takes: hence the limits.
            let sent = tokio::select! {
                message = waiting.recv() => match message {
                    Some(message) => timeout(ANSWER * 2, self.publish(&mut manager, message, &mut waiting)).await,
                    None => return,
                },
                () = &mut pulse => {
                    pulse = sleep(self.clock.as_ref(), RETRY);
                    timeout(ANSWER * 2, redis::cmd("PING").exec_async(&mut manager)).await
                }
            };
            let up = matches!(sent, Ok(Ok(())));
            if note(&self.connected, up) && up {
                let _ = self.heard.send(Heard::Missed);
            }
        }
    }

    /// Publishes a message and everything that waits behind it, in one round trip.
    async fn publish(
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
        let (heard, connected) = (self.heard.clone(), Arc::clone(&self.connected));
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWER))
            .set_connection_timeout(Some(ANSWER * 2))
            .set_max_delay(Duration::from_secs(1))
            .set_number_of_retries(1_000_000)
            .set_push_sender(move |push: PushInfo| -> Result<(), RedisError> {
                hear(&push, &heard, &connected);
                Ok(())
            })
            .set_automatic_resubscription();
        let mut manager = timeout(ANSWER * 4, self.client.get_connection_manager_with_config(config))
            .await
            .map_err(|_| RedisError::from((redis::ErrorKind::Io, "no answer")))??;
        manager.subscribe(&self.channel).await?;
        note(&self.connected, true);
        let _ = self.heard.send(Heard::Missed);
        Ok(manager)
    }

    fn say(&self, message: String, heard: Heard) {
        // Those on this replica need no detour, and hear it even while Redis is away.
        let _ = self.heard.send(heard);
        // A full queue means that Redis does not keep up: the others will look by themselves within a second.
        let _ = self.outgoing.try_send(message);
    }
}

impl Bus for RedisBus {
    fn poke(&self, poke: Poke) {
        self.say(format!("{} {}", poke.feed.key(), poke.seq), Heard::Poke(poke));
    }

    fn regions_changed(&self) {
        self.say(REGIONS.to_owned(), Heard::Regions);
    }

    fn listen(&self) -> broadcast::Receiver<Heard> {
        self.heard.subscribe()
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

fn hear(push: &PushInfo, heard: &broadcast::Sender<Heard>, connected: &AtomicBool) {
    let word = match push.kind {
        PushKind::Disconnection => {
            note(connected, false);
            Heard::Missed
        }
        PushKind::Subscribe => {
            note(connected, true);
            Heard::Missed
        }
        PushKind::Message => match push.data.last() {
            // What a later version says to its own is not for this one.
            Some(Value::BulkString(bytes)) => match parse(bytes) {
                Some(word) => word,
                None => return,
            },
            _ => Heard::Missed,
        },
        _ => return,
    };
    let _ = heard.send(word);
}

fn parse(bytes: &[u8]) -> Option<Heard> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text == REGIONS {
        return Some(Heard::Regions);
    }
    let (feed, seq) = text.split_once(' ')?;
    Some(Heard::Poke(Poke { feed: FeedName::from_key(feed)?, seq: seq.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_what_only_a_later_version_says() {
        let (heard, mut listener) = broadcast::channel(8);
        for text in ["meetings 7", "receptions:1 5", "weather", "meetings soon", "", "regions"] {
            let push = PushInfo { kind: PushKind::Message, data: vec![Value::BulkString(text.into())] };
            hear(&push, &heard, &AtomicBool::new(true));
        }
        let not_text = PushInfo { kind: PushKind::Message, data: vec![Value::BulkString(vec![0xff])] };
        hear(&not_text, &heard, &AtomicBool::new(true));
        let mut all = Vec::new();
        while let Ok(word) = listener.try_recv() {
            all.push(word);
        }
        assert_eq!(all, [Heard::Poke(Poke { feed: FeedName::Meetings, seq: 7 }), Heard::Regions]);
    }
}
