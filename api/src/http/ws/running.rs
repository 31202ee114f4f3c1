//! The operations that run on one socket, each a stream of messages. They are asked in turn, so that one that never pauses
//! cannot starve its neighbour, and nothing queues behind a slow reader.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use async_graphql::{Request, Response, parser::types::OperationType};
use bytes::Bytes;
use futures_util::{
    FutureExt, Stream, StreamExt,
    future::BoxFuture,
    stream::{self, AbortHandle, BoxStream, SelectAll, abortable},
};
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::{
    graphql::{
        Engine,
        engine::{Answer, Caller},
    },
    http::{
        Door,
        answering::{self, Single, code},
        following::{Fate, Following, Reason},
        lines,
        ws::{slots::Slot, wire::Batch},
    },
    telemetry::SPANS,
};

/// What this door is called in the log.
pub(in crate::http) const DOOR: &str = "websocket";
/// How many messages are written at once at most.
const MOST_MESSAGES: usize = 64;
/// How many bytes are written at once, about.
const MOST_BYTES: usize = 64 << 10;

/// What an operation says.
pub(in crate::http) struct Out {
    pub(in crate::http) id: Arc<Id>,
    what: What,
}

enum What {
    Next(Bytes),
    Error(Value),
    Complete,
}

/// An operation's id, as it is and as JSON.
pub(in crate::http) struct Id {
    pub(in crate::http) plain: String,
    json: String,
}

impl Out {
    /// Whether the operation was refused before it ran.
    pub(in crate::http) const fn is_error(&self) -> bool {
        matches!(self.what, What::Error(_))
    }

    /// Whether the operation has nothing more to say.
    pub(in crate::http) const fn is_last(&self) -> bool {
        !matches!(self.what, What::Next(_))
    }

    fn size(&self) -> usize {
        match &self.what {
            What::Next(json) => json.len() + self.id.json.len() + 64,
            What::Error(_) | What::Complete => 256,
        }
    }

    fn write(&self, batch: &mut Batch) {
        match &self.what {
            What::Next(json) => {
                let id = self.id.json.as_bytes();
                batch.text(&[b"{\"id\":", id, b",\"type\":\"next\",\"payload\":", json, b"}"]);
            }
            What::Error(errors) => {
                let text = json!({ "id": self.id.plain, "type": "error", "payload": errors }).to_string();
                batch.text(&[text.as_bytes()]);
            }
            What::Complete => {
                batch.text(&[json!({ "id": self.id.plain, "type": "complete" }).to_string().as_bytes()]);
            }
        }
    }
}

/// Several messages as one batch.
pub(in crate::http) fn batch(outs: &[Out]) -> Batch {
    let mut batch = Batch::with_capacity(outs.iter().map(Out::size).sum());
    for out in outs {
        out.write(&mut batch);
    }
    batch
}

/// Stops an operation when it is dropped.
#[derive(Debug)]
pub(in crate::http) struct Operation {
    handle: AbortHandle,
    /// Of a subscription, which ends at once. A query or mutation takes its slot along.
    _slot: Option<Slot>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// An operation that a client asks for.
pub(in crate::http) struct Asked {
    pub(in crate::http) id: String,
    pub(in crate::http) request: Request,
    pub(in crate::http) slot: Slot,
}

/// The operations of a socket. Most sockets run one, which needs no bookkeeping.
#[derive(Default)]
pub(in crate::http) struct Running {
    /// Why they end when the socket does.
    pub(in crate::http) fate: Fate,
    first: Option<BoxStream<'static, Out>>,
    others: SelectAll<BoxStream<'static, Out>>,
}

impl Running {
    /// Begins an operation.
    pub(in crate::http) fn begin(&mut self, asked: Asked, caller: &Caller, door: &Door) -> Operation {
        let Asked { id, mut request, slot } = asked;
        let mut slot = Some(slot);
        let json = Value::String(id.clone()).to_string();
        let id = Arc::new(Id { plain: id, json });
        // The engine says what is wrong with one that cannot be run.
        let operation = Engine::operation(&mut request).unwrap_or(OperationType::Query);
        let name = lines::name(&mut request);
        let span = tracing::info_span!(target: SPANS, "graphql.socket", %operation, name);
        let caller = caller.clone();
        // Boxed, so that what only the beginning needs is gone afterwards.
        let begun: BoxFuture<'static, (Run, BoxStream<'static, Answer>)> = if operation == OperationType::Subscription {
            let following = Following::begin(door, DOOR, name, &caller.viewer, self.fate.clone());
            let (run, engine) = (Run { id, following: Some(following) }, door.engine.clone());
            async move { (run, engine.answers(request, &caller, None).await) }.instrument(span).boxed()
        } else {
            let single = Single { request, operation, name, caller, through: DOOR, span };
            let answer = answering::answer_holding(door, single, slot.take());
            let run = Run { id, following: None };
            async move { (run, stream::iter([answer.await.into_answer()]).boxed()) }.boxed()
        };
        let outs = begun.map(|(run, answers)| run.outs(answers)).flatten_stream();
        let (outs, handle) = abortable(outs);
        match &mut self.first {
            Some(_) => self.others.push(outs.boxed()),
            none => *none = Some(outs.boxed()),
        }
        Operation { handle, _slot: slot }
    }

    /// Everything that is ready, as far as it is written at once. Pending while there is nothing.
    pub(in crate::http) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Out>> {
        let (mut ready, mut bytes) = (Vec::new(), 0);
        while ready.len() < MOST_MESSAGES && bytes < MOST_BYTES {
            let before = ready.len();
            if let Some(first) = &mut self.first {
                match first.poll_next_unpin(cx) {
                    Poll::Ready(Some(out)) => ready.push(out),
                    Poll::Ready(None) => self.first = None,
                    Poll::Pending => {}
                }
            }
            if let Poll::Ready(Some(out)) = self.others.poll_next_unpin(cx) {
                ready.push(out);
            }
            let Some(new) = ready.get(before..).filter(|new| !new.is_empty()) else { break };
            bytes += new.iter().map(Out::size).sum::<usize>();
        }
        if ready.is_empty() { Poll::Pending } else { Poll::Ready(ready) }
    }
}

/// One run of an operation.
struct Run {
    id: Arc<Id>,
    /// What is logged of it once it has ended; none for what is answered once.
    following: Option<Following>,
}

impl Run {
    fn outs(self, answers: BoxStream<'static, Answer>) -> impl Stream<Item = Out> + Send + 'static {
        stream::unfold(Some((self, answers)), move |state| async move {
            let (mut run, mut answers) = state?;
            let what = match answers.next().await {
                Some(Answer::Rendered { json, .. }) => run.rendered(json),
                Some(Answer::Plain(answer)) => run.plain(&answer),
                Some(Answer::Behind) => run.over(Reason::Behind),
                None => run.over(Reason::Complete),
            };
            let out = Out { id: Arc::clone(&run.id), what };
            let goes_on = !out.is_last();
            Some((out, goes_on.then_some((run, answers))))
        })
    }

    fn rendered(&mut self, json: Bytes) -> What {
        if let Some(following) = &mut self.following {
            following.events += 1;
        }
        What::Next(json)
    }

    /// Why an operation is not begun.
    fn plain(&mut self, answer: &Response) -> What {
        if let Some(following) = &mut self.following {
            following.refuse(code(&answer.errors));
        }
        What::Error(serde_json::to_value(&answer.errors).unwrap_or_default())
    }

    fn over(&mut self, reason: Reason) -> What {
        if let Some(following) = &mut self.following {
            following.end(reason);
        }
        What::Complete
    }
}
