//! Server-sent events, one operation a connection (graphql-sse, distinct connections).

use std::{convert::Infallible, sync::Arc};

use async_graphql::Request;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, future::Either, stream};

use crate::{
    clock::{Clock, Sleep, sleep},
    graphql::engine::Caller,
    http::{Door, graphql::json_of, negotiate::Form},
};

/// How often a silent stream says that it is alive, so that no proxy takes it for dead.
const ALIVE: TimeDelta = TimeDelta::seconds(12);

/// Streams the answers of an operation until it ends, its token ends, or the service stops.
pub(in crate::http) fn stream(
    door: &Door,
    request: Request,
    caller: &Caller,
    expires_at: Option<DateTime<Utc>>,
) -> Response {
    let answers = door.engine.stream(request, caller).boxed();
    let end = expires_at.map_or_else(|| -> Sleep { Box::pin(std::future::pending()) }, |at| door.clock.sleep_until(at));
    let life = door.life.clone();
    let state = State {
        answers,
        end,
        clock: Arc::clone(&door.clock),
        drain: Box::pin(async move { life.draining().await }),
        done: false,
    };
    metrics::gauge!("kezdesu_streams", "door" => "sse").increment(1.0);
    let open = Open;
    let body = stream::unfold((state, open), |(mut state, open)| async move {
        let bytes = state.next().await?;
        Some((Ok::<_, Infallible>(bytes), (state, open)))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Form::Events.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies such as nginx hold answers back unless told.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct Open;

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("kezdesu_streams", "door" => "sse").decrement(1.0);
    }
}

struct State {
    answers: stream::BoxStream<'static, async_graphql::Response>,
    end: Sleep,
    drain: Sleep,
    clock: Arc<dyn Clock>,
    done: bool,
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        let alive = sleep(self.clock.as_ref(), ALIVE);
        let event = tokio::select! {
            biased;
            () = &mut self.end => Either::Left(None),
            () = &mut self.drain => Either::Left(None),
            answer = self.answers.next() => Either::Left(answer),
            () = alive => Either::Right(()),
        };
        Some(match event {
            Either::Left(Some(answer)) => {
                let mut bytes = b"event: next\ndata: ".to_vec();
                bytes.extend(json_of(&answer));
                bytes.extend(b"\n\n");
                bytes.into()
            }
            Either::Left(None) => {
                self.done = true;
                Bytes::from_static(b"event: complete\ndata:\n\n")
            }
            Either::Right(()) => Bytes::from_static(b":\n\n"),
        })
    }
}
