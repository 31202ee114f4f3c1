//! Load generator: thousands of subscribers in their own process, which read and count frames.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Semaphore,
};

/// Shorter frames are acknowledgements and heartbeats.
const EVENT: usize = 200;
/// Latencies are counted in tenths of a millisecond, up to 30 s.
const SLOTS: usize = 300_000;

struct Count {
    began: Instant,
    greeted: AtomicU64,
    greetings: u64,
    events: AtomicU64,
    target: AtomicU64,
    mark: AtomicU64,
    bytes: AtomicU64,
    slots: Vec<AtomicU32>,
    /// Greetings of one subscriber, and the times from arrival to the last of them, in tenths of a millisecond.
    greetings_each: u64,
    arrivals: Mutex<Vec<u64>>,
}

impl Count {
    fn tenths(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros() / 100).expect("a short run")
    }

    /// Counts a greeting, the `nth` of a subscriber that arrived at this time.
    fn greeting(&self, nth: u64, arrived: u64) {
        if nth == self.greetings_each {
            self.arrivals.lock().expect("no panic").push(self.tenths() - arrived);
        }
        if self.greeted.fetch_add(1, Relaxed) + 1 == self.greetings {
            let mut times = self.arrivals.lock().expect("no panic");
            times.sort_unstable();
            let quantile = |part: f64| times[((times.len() - 1) as f64 * part) as usize] as f64 / 10.0;
            report(&format!("ready {} {}", quantile(0.5), quantile(0.99)));
        }
    }

    fn event(&self, length: usize) {
        self.bytes.store(length as u64, Relaxed);
        let slot = usize::try_from(self.tenths() - self.mark.load(Relaxed)).expect("a short run");
        self.slots[slot.min(SLOTS - 1)].fetch_add(1, Relaxed);
        if self.events.fetch_add(1, Relaxed) + 1 == self.target.load(Relaxed) {
            report(&format!("done {} {} {}", self.quantile(0.5), self.quantile(0.99), self.bytes.load(Relaxed)));
        }
    }

    fn quantile(&self, part: f64) -> f64 {
        let wished = (self.events.load(Relaxed) as f64 * part) as u64;
        let mut seen = 0;
        let slot = self.slots.iter().position(|slot| {
            seen += u64::from(slot.load(Relaxed));
            seen >= wished
        });
        slot.unwrap_or(SLOTS) as f64 / 10.0
    }

    fn expect(&self, events: u64) {
        self.slots.iter().for_each(|slot| slot.store(0, Relaxed));
        self.events.store(0, Relaxed);
        self.target.store(events, Relaxed);
        self.mark.store(self.tenths(), Relaxed);
        report("armed");
    }
}

fn report(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the connection is accepted");
}

/// Subscribes as configured, and counts events as requested by lines of standard input.
pub async fn run(config: Value) {
    let count = config["count"].as_u64().expect("count");
    let greetings_each = config["greetings"].as_u64().expect("greetings");
    let greetings = greetings_each * count;
    let shared = Arc::new(Count {
        began: Instant::now(),
        greeted: AtomicU64::new(0),
        greetings,
        events: AtomicU64::new(0),
        target: AtomicU64::new(config["expect"].as_u64().unwrap_or(u64::MAX)),
        mark: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        slots: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
        greetings_each,
        arrivals: Mutex::default(),
    });
    // Either a few at a time, or spread evenly over a span, whether or not the server keeps up.
    let span = config["withinMs"].as_u64().map(Duration::from_millis);
    let open = Arc::new(Semaphore::new(if span.is_some() { Semaphore::MAX_PERMITS } else { 128 }));
    let (mut opening, first) = (Vec::new(), tokio::time::Instant::now());
    for n in 0..count {
        if let Some(span) = span {
            let share = n as f64 / count as f64;
            let _ = tokio::time::timeout_at(first + span.mul_f64(share), std::future::pending::<()>()).await;
        }
        let permit = Arc::clone(&open).acquire_owned().await.expect("open");
        let (shared, config, arrived) = (Arc::clone(&shared), config.clone(), shared.tenths());
        opening.push(tokio::spawn(async move {
            let stream = enter(&config, n).await;
            drop(permit);
            tokio::spawn(follow(stream, shared, arrived));
        }));
    }
    for task in opening {
        task.await.expect("the handshake succeeds");
    }
    if greetings == 0 {
        report("ready 0 0");
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(events) = line.strip_prefix("expect ") {
            shared.expect(events.parse().expect("a number"));
        }
    }
}

async fn enter(config: &Value, n: u64) -> TcpStream {
    let host = config["host"].as_str().expect("host");
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    let hello = format!(
        "GET /graphql HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    );
    stream.write_all(hello.as_bytes()).await.expect("the write succeeds");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a response"));
    }
    let operations = config["operations"].as_u64().unwrap_or(1).max(1);
    for message in config["messages"].as_array().into_iter().flatten() {
        let text = message.as_str().expect("text").replace("OPERATION", &format!("op{}", n % operations));
        stream.write_all(&masked(0x81, text.as_bytes())).await.expect("the write succeeds");
    }
    stream
}

fn masked(first: u8, text: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if text.len() < 126 {
        frame.push(0x80 | u8::try_from(text.len()).expect("short"));
    } else {
        frame.push(0x80 | 126);
        frame.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
    }
    // A zero mask leaves the text unchanged.
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

async fn follow(mut stream: TcpStream, count: Arc<Count>, arrived: u64) {
    let (mut head, mut skip, mut greetings) = (Vec::with_capacity(10), 0_usize, 0);
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let mut pongs = 0;
        {
            let mut buffer = [0; 32 << 10];
            let Ok(read) = stream.try_read(&mut buffer) else { continue };
            if read == 0 {
                return;
            }
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                if skip > 0 {
                    let part = skip.min(rest.len());
                    (skip, rest) = (skip - part, &rest[part..]);
                    continue;
                }
                head.push(rest[0]);
                rest = &rest[1..];
                let length = match head[..] {
                    [_, short] if short < 126 => usize::from(short),
                    [_, 126, a, b] => usize::from(u16::from_be_bytes([a, b])),
                    _ => continue,
                };
                match head[0] {
                    0x81 if length < EVENT => {
                        greetings += 1;
                        count.greeting(greetings, arrived);
                    }
                    0x81 => count.event(length),
                    0x89 => pongs += 1,
                    _ => {}
                }
                (skip, head) = (length, Vec::with_capacity(10));
            }
        }
        for _ in 0..pongs {
            if stream.write_all(&masked(0x8A, b"")).await.is_err() {
                return;
            }
        }
    }
}
