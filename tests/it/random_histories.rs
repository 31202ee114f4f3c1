//! Random histories of commands: subscribers converge to the listed comments and see nothing else on the way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::TimeDelta;
use harness::{Actor, HOST, TestEnv, id_of, on_both_engines, until};
use serde_json::{Value, json};

const STEPS: usize = 160;

/// A seeded random generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A client model that is built from events only.
#[derive(Clone, Debug, Default)]
struct ClientModel {
    /// Last position.
    last: i64,
    /// Position of the last event of this stream, or where the stream started.
    shown: i64,
    comments: BTreeMap<String, Value>,
}

impl ClientModel {
    /// Applies an event as docs/integration.md tells clients to.
    fn take(&mut self, event: &Value, public: bool) {
        let number = |name: &str| event[name].as_i64().unwrap();
        let (seq, prev) = (number("seq"), number("prev"));
        match event["kind"].as_str().unwrap() {
            "SUBSCRIBED" => {
                assert_eq!((seq, prev, event["recovered"].as_bool()), (self.last, self.last, Some(true)), "{event}");
                self.shown = seq;
            }
            "HEARTBEAT" => {
                assert!(prev == self.shown && seq >= self.last, "a gap or a step back: {event}");
                self.last = seq;
            }
            kind => {
                assert_eq!(prev, self.shown, "a gap or a duplicate: {event}");
                assert!(seq > self.last, "{event}");
                (self.last, self.shown) = (seq, seq);
                let id = event["commentId"].as_str().unwrap().to_owned();
                if kind == "REMOVED" {
                    assert!(event["comment"].is_null(), "{event}");
                    self.comments.remove(&id);
                } else {
                    let comment = event["comment"].clone();
                    let state = comment["state"].as_str().unwrap();
                    assert!(!public || ["PUBLISHED", "SELECTED", "ANSWERED"].contains(&state), "{event}");
                    self.comments.insert(id, comment);
                }
            }
        }
    }
}

/// A subscriber that updates a model, and disconnects after a few events each time if `cuts` is set.
struct Follower {
    shown: Arc<Mutex<ClientModel>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    fn start(actor: Actor, meeting: &str, view: &'static str, cuts: Option<u64>) -> Self {
        let (shown, stop) = (Arc::new(Mutex::new(ClientModel::default())), Arc::new(AtomicBool::new(false)));
        let (model, stopped, meeting) = (Arc::clone(&shown), Arc::clone(&stop), meeting.to_owned());
        let task = tokio::spawn(async move {
            let mut rng = Rng(cuts.unwrap_or(1));
            while !stopped.load(Ordering::Relaxed) {
                let last = model.lock().unwrap().last;
                let mut live = actor.begin_comments(&meeting, Some(last), view).await;
                let takes = if cuts.is_some() { 1 + rng.below(9) } else { usize::MAX };
                for _ in 0..takes {
                    let event = live.next().await;
                    model.lock().unwrap().take(&event, view == "PUBLIC");
                }
                live.disconnect();
            }
        });
        Self { shown, stop, task }
    }

    /// Waits until the model equals the list.
    async fn agrees(&self, env: &TestEnv, listed: &[Value]) {
        let short = |comment: &Value| json!([comment["id"], comment["body"], comment["state"], comment["votes"]]);
        let wanted: Vec<Value> = sorted(listed.iter().map(short));
        let ask = || async {
            assert!(!self.task.is_finished(), "the subscriber must not end");
            sorted(self.shown.lock().unwrap().comments.values().map(short))
        };
        until(ask, || env.advance(TimeDelta::seconds(1)), |shown| *shown == wanted).await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

fn sorted(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut all: Vec<Value> = values.collect();
    all.sort_by_key(ToString::to_string);
    all
}

/// The people who send commands.
struct Participants {
    people: Vec<Actor>,
    moderator: Actor,
    connector: Actor,
    meeting: String,
    broadcast: String,
}

impl Participants {
    /// Chooses a command, which may be refused but must not fail.
    fn choose_command(
        &self,
        rng: &mut Rng,
        ids: &[String],
        step: usize,
        env: &TestEnv,
    ) -> (Actor, &'static str, Value) {
        let (meeting, moderator) = (&self.meeting, self.moderator.clone());
        let person = rng.of(&self.people).clone();
        let Some(id) = (!ids.is_empty()).then(|| rng.of(ids).clone()) else {
            return (person, "postComment", json!({ "meetingId": meeting, "body": format!("Сұрақ {step}") }));
        };
        let other = rng.of(ids).clone();
        let moderate = |action: &str| json!({ "commentIds": [id, other], "action": action, "reason": "себеп" });
        match rng.below(20) {
            0..=5 => (person, "postComment", json!({ "meetingId": meeting, "body": format!("Сұрақ {step}") })),
            6..=8 => (person, "voteComment", json!({ "commentId": id, "up": rng.below(4) > 0 })),
            9..=11 => (moderator, "moderateComments", moderate("APPROVE")),
            12 => (moderator, "moderateComments", moderate("REJECT")),
            13 => (moderator, "moderateComments", moderate("HIDE")),
            14 => (moderator, "moderateComments", moderate("RESTORE")),
            15 => (moderator, "selectComment", json!({ "commentId": id })),
            16 => (moderator, "answerComment", json!({ "commentId": id, "answer": format!("Жауап {step}") })),
            17 => (moderator, "mergeComments", json!({ "into": id, "commentIds": [other] })),
            18 => (person, "withdrawComment", json!({ "commentId": id })),
            _ => {
                let one = json!({
                    "externalId": rng.below(5).to_string(), "authorName": "Марат", "body": format!("Желіден {step}"),
                    "postedAt": env.now(), "deleted": rng.below(4) == 0,
                });
                let input = json!({ "meetingId": meeting, "broadcastId": self.broadcast, "comments": [one] });
                (self.connector.clone(), "importComments", input)
            }
        }
    }
}

async fn history(mut env: TestEnv, seed: u64, mode: &str) {
    let mut rng = Rng(seed);
    let staff = env.akimat(HOST);
    let meeting = staff.live_meeting(HOST, HOST, env.now(), mode).await;
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let second = env.replica().await;
    let hosts = [env.host(0), env.host(second)];
    let people = (0..4).map(|n| env.citizen(&format!("Person {n}"))).collect();
    let (moderator, connector) = (env.moderator(HOST), env.connector(HOST));
    let participants =
        Participants { people, moderator: moderator.clone(), connector, meeting: meeting.clone(), broadcast };
    let anonymous = env.anonymous();
    let followers = [
        Follower::start(anonymous.clone(), &meeting, "PUBLIC", None),
        Follower::start(anonymous.at(hosts[1].clone()), &meeting, "PUBLIC", Some(seed + 1)),
        Follower::start(moderator.at(hosts[1].clone()), &meeting, "MODERATION", None),
        Follower::start(moderator.clone(), &meeting, "MODERATION", Some(seed + 2)),
    ];
    let mut ids: Vec<String> = Vec::new();
    let mut step = 0;
    while step < STEPS {
        // One to three concurrent commands, on either replica.
        let commands: Vec<_> =
            (0..=rng.below(3)).map(|n| participants.choose_command(&mut rng, &ids, step + n, &env)).collect();
        step += commands.len();
        let done = commands.into_iter().map(|(actor, name, input)| {
            let actor = actor.at(rng.of(&hosts).clone());
            async move { (name, actor.try_mutate(name, input).await) }
        });
        let done: Vec<_> = done.collect();
        for (name, answer) in futures_util::future::join_all(done).await {
            let code = answer["errors"][0]["extensions"]["code"].as_str();
            assert!(matches!(code, None | Some("FORBIDDEN")), "{name}: {answer}");
        }
        env.advance(TimeDelta::milliseconds(i64::try_from(rng.below(900)).unwrap()));
        if rng.below(3) == 0 {
            ids = moderator.comments(&meeting, json!({})).await.iter().map(id_of).collect();
        }
    }
    env.advance(TimeDelta::seconds(2));
    let (public, all) = (json!({}), json!({}));
    let (listed, whole) = (anonymous.comments(&meeting, public).await, moderator.comments(&meeting, all).await);
    assert!(!listed.is_empty() && whole.len() > listed.len(), "the history must publish and hide comments");
    for (n, follower) in followers.iter().enumerate() {
        follower.agrees(&env, if n < 2 { &listed } else { &whole }).await;
    }
    let selected = whole.iter().filter(|comment| comment["state"] == "SELECTED").count();
    assert!(selected <= 1, "at most one comment is selected");
    // A late subscriber that replays everything sees the same.
    let late = Follower::start(anonymous, &meeting, "PUBLIC", None);
    late.agrees(&env, &listed).await;
}

on_both_engines! {
    async fn subscribers_converge_to_the_list_when_moderated_before(env) {
        history(env, 0x9e37_79b9, "BEFORE").await;
    }

    async fn subscribers_converge_to_the_list_when_moderated_after(env) {
        history(env, 0x7f4a_7c15, "AFTER").await;
    }
}
