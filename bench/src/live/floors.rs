//! Baselines: prepared bytes over bare sockets, the library's own subscriptions, and a bare handler.

use std::sync::Arc;

use async_graphql::{EmptyMutation, Object, Schema, SimpleObject, Subscription};
use async_graphql_axum::GraphQLSubscription;
use axum::{Router, routing::get};
use futures_util::{SinkExt, Stream, StreamExt, stream};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    sync::broadcast,
};
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::WebSocketConfig,
    },
};

async fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    listener
}

/// Reads numbers from standard input, and sends that many messages for each.
async fn bursts<T: Clone>(out: broadcast::Sender<T>, make: impl Fn(usize) -> T) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = out.send(make(line.parse().expect("a number")));
    }
}

/// Serves prepared bytes over bare tokio-tungstenite, with one flush per burst.
pub async fn floor(length: usize) {
    let listener = listener().await;
    let (out, _) = broadcast::channel::<usize>(1024);
    let message = Message::text("a".repeat(length));
    let accepted = out.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mut heard, message) = (accepted.subscribe(), message.clone());
            tokio::spawn(async move {
                let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(64 << 10);
                #[allow(clippy::result_large_err)]
                let protocol = |_: &Request, mut response: Response| {
                    let name = "graphql-transport-ws".parse().expect("a header");
                    response.headers_mut().insert("sec-websocket-protocol", name);
                    Ok(response)
                };
                let socket = accept_hdr_async_with_config(stream, protocol, Some(config)).await;
                let (mut sink, mut source) = socket.expect("a socket").split();
                loop {
                    tokio::select! {
                        burst = heard.recv() => {
                            let Ok(burst) = burst else { return };
                            for _ in 0..burst {
                                if sink.feed(message.clone()).await.is_err() { return }
                            }
                            if sink.flush().await.is_err() { return }
                        }
                        frame = source.next() => if !matches!(frame, Some(Ok(_))) { return }
                    }
                }
            });
        }
    });
    bursts(out, |burst| burst).await;
}

#[derive(Clone, SimpleObject)]
struct Comment {
    id: String,
    body: String,
    author_name: String,
    votes: i32,
    state: String,
    receipt: String,
}

#[derive(Clone, SimpleObject)]
struct CommentEvent {
    seq: i64,
    prev: i64,
    kind: String,
    comment: Comment,
}

struct Query;

#[Object]
impl Query {
    async fn nothing(&self) -> bool {
        true
    }
}

struct Follow(broadcast::Sender<Vec<CommentEvent>>);

#[Subscription]
impl Follow {
    async fn comments(&self) -> impl Stream<Item = CommentEvent> {
        stream::unfold(self.0.subscribe(), |mut heard| async move {
            let burst = heard.recv().await.ok()?;
            Some((stream::iter(burst), heard))
        })
        .flatten()
    }
}

/// Serves the library's own subscriptions over axum, fed by a broadcast channel.
pub async fn plain(length: usize) {
    let listener = listener().await;
    let (out, _) = broadcast::channel(1024);
    let schema = Schema::build(Query, EmptyMutation, Follow(out.clone())).finish();
    let router = Router::new().route_service("/graphql", GraphQLSubscription::new(schema));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("the service responds") });
    let comment = Comment {
        id: "cmt_01kjpb7wg0emv82ffvza2qv962".to_owned(),
        body: "a".repeat(length.saturating_sub(222).max(1)),
        author_name: "Ана".to_owned(),
        votes: 0,
        state: "PUBLISHED".to_owned(),
        receipt: "Q-0001".to_owned(),
    };
    let event = CommentEvent { seq: 1, prev: 0, kind: "POSTED".to_owned(), comment };
    bursts(out, |burst| vec![event.clone(); burst]).await;
}

/// Serves the same bytes from a bare handler.
pub async fn bare(length: usize) {
    let body = Arc::<str>::from("a".repeat(length));
    let handler = move || {
        let body = Arc::clone(&body);
        async move { body.to_string() }
    };
    let listener = listener().await;
    let router = Router::new().route("/graphql", get(handler.clone()).post(handler));
    axum::serve(listener, router).await.expect("the service responds");
}
