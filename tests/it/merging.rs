//! Merged comments whose target is withdrawn, hidden or deleted.

use harness::{Actor, HOST, TestEnv, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

/// A meeting with a moderator and voters.
pub(crate) struct Fixture {
    pub(crate) staff: Actor,
    pub(crate) moderator: Actor,
    pub(crate) voters: Vec<Actor>,
    pub(crate) meeting: String,
}

impl Fixture {
    pub(crate) async fn open(env: &TestEnv, mode: &str) -> Self {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), mode).await;
        let voters = (0..5).map(|n| env.citizen(&format!("Voter {n}"))).collect();
        Self { staff, moderator: env.moderator(HOST), voters, meeting }
    }

    pub(crate) async fn vote(&self, voters: &[usize], id: &str) {
        for voter in voters {
            done(&self.voters[*voter].mutate("voteComment", json!({ "commentId": id })).await);
        }
    }

    pub(crate) async fn merge(&self, ids: &[&str], into: &str) -> Value {
        done(&self.moderator.mutate("mergeComments", json!({ "into": into, "commentIds": ids })).await)
    }

    /// Returns a comment as a person sees it.
    pub(crate) async fn seen_by(&self, actor: &Actor, id: &str) -> Value {
        let all = actor.comments(&self.meeting, json!({})).await;
        all.into_iter().find(|comment| comment["id"] == id).unwrap_or_default()
    }

    /// Returns the state and votes of a comment, and whether it is merged into another.
    pub(crate) async fn state_of(&self, id: &str) -> (String, i64, bool) {
        let seen = self.seen_by(&self.moderator, id).await;
        (seen["state"].as_str().unwrap().to_owned(), seen["votes"].as_i64().unwrap(), seen["mergedInto"].is_object())
    }

    pub(crate) async fn try_moderate(&self, action: &str, ids: &[&str]) -> Value {
        self.moderator
            .mutate("moderateComments", json!({ "commentIds": ids, "action": action, "reason": "себеп" }))
            .await
    }

    /// Adds a broadcast, and returns an importer for it.
    pub(crate) async fn broadcast(&self, env: &TestEnv) -> Importer {
        let add = json!({ "meetingId": self.meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&self.staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        Importer { connector: env.connector(HOST), meeting: self.meeting.clone(), broadcast, posted: json!(env.now()) }
    }
}

pub(crate) struct Importer {
    connector: Actor,
    meeting: String,
    broadcast: String,
    posted: Value,
}

impl Importer {
    pub(crate) async fn import(&self, comments: &[(&str, &str, bool)]) -> Value {
        let one = |(id, body, deleted): &(&str, &str, bool)| {
            json!({ "externalId": id, "authorExternalId": format!("account of {id}"), "authorName": "Марат", "body": body,
                    "postedAt": self.posted, "deleted": deleted })
        };
        let comments: Vec<_> = comments.iter().map(one).collect();
        let input = json!({ "meetingId": self.meeting, "broadcastId": self.broadcast, "comments": comments });
        self.connector.mutate("importComments", input).await
    }
}

pub(crate) fn done(payload: &Value) -> Value {
    assert!(payload["refusal"].is_null(), "{payload}");
    payload["comment"].clone()
}

pub(crate) fn expect_state(state: &str, votes: i64, joined: bool) -> (String, i64, bool) {
    (state.to_owned(), votes, joined)
}

pub(crate) async fn withdraw(author: &Actor, id: &str) -> Value {
    done(&author.mutate("withdrawComment", json!({ "commentId": id })).await)
}

on_both_engines! {
    async fn withdrawing_the_target_restores_merged_comments_with_their_votes(env) {
        let (ana, ben, dana) = (env.citizen("Ana"), env.citizen("Ben"), env.citizen("Dana"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let one = ana.post(&fixture.meeting, "Жол қашан?").await;
        let (a, b, c) = (
            id_of(&one),
            id_of(&ben.post(&fixture.meeting, "Жолды қашан жөндейсіз?").await),
            id_of(&dana.post(&fixture.meeting, "Жол ше?").await),
        );
        fixture.vote(&[0, 1], &a).await;
        fixture.vote(&[1, 2], &b).await;
        fixture.vote(&[0, 3], &c).await;
        assert_eq!(fixture.merge(&[&c], &a).await["votes"], 3);
        let mut queue = fixture.moderator.follow_comments(&fixture.meeting, None, "MODERATION").await;
        assert_eq!(fixture.merge(&[&a], &b).await["votes"], 4, "each voter counts once across chained merges");
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(queue.next().await["commentId"].clone());
        }
        assert_eq!(told, [json!(a), json!(c), json!(b)], "earlier merges move along");
        fixture.vote(&[4], &b).await;
        let mut live = env.anonymous().follow_comments(&fixture.meeting, None, "PUBLIC").await;
        assert_eq!(withdraw(&ben, &b).await["state"], "WITHDRAWN");
        let mut events = Vec::new();
        for _ in 0..3 {
            let event = live.next().await;
            events.push((
                event["kind"].as_str().unwrap().to_owned(),
                event["commentId"].as_str().unwrap().to_owned(),
                event["comment"]["votes"].clone(),
            ));
        }
        let event = |kind: &str, id: &str, votes: Value| (kind.to_owned(), id.to_owned(), votes);
        assert_eq!(
            events,
            [event("REMOVED", &b, Value::Null), event("POSTED", &a, json!(2)), event("POSTED", &c, json!(2))]
        );
        assert_eq!(fixture.state_of(&a).await, expect_state("PUBLISHED", 2, false));
        assert_eq!(fixture.state_of(&c).await, expect_state("PUBLISHED", 2, false));
        let back = fixture.seen_by(&ana, &a).await;
        assert_eq!((&back["receipt"], &back["postedAt"]), (&one["receipt"], &one["postedAt"]));
        for (voter, voted) in [(0, true), (1, true), (2, false), (3, false), (4, false)] {
            assert_eq!(fixture.seen_by(&fixture.voters[voter], &a).await["viewerHasVoted"], voted, "voter {voter}");
        }
        assert_eq!(
            refusal(&ana.mutate("postComment", json!({ "meetingId": fixture.meeting, "body": "Жол қашан?" })).await),
            "DUPLICATE"
        );
        assert_eq!(fixture.merge(&[&c], &a).await["votes"], 3, "an unmerged comment can be merged again");
    }

    async fn an_unapproved_comment_is_pending_again_after_an_unmerge(env) {
        let (ana, ben, dana) = (env.citizen("Ana"), env.citizen("Ben"), env.citizen("Dana"));
        let fixture = Fixture::open(&env, "BEFORE").await;
        let mut ids = Vec::new();
        for (author, body) in [(&ana, "Бір"), (&ben, "Екі"), (&dana, "Үш")] {
            ids.push(id_of(&author.post(&fixture.meeting, body).await));
        }
        fixture.moderator.moderate("APPROVE", &[&ids[0], &ids[2]]).await;
        fixture.merge(&[&ids[0], &ids[1]], &ids[2]).await;
        // Only comments that were public before become public again, whatever the mode is by then.
        fixture.moderator.mutate("setModeration", json!({ "meetingId": fixture.meeting, "mode": "AFTER" })).await;
        withdraw(&dana, &ids[2]).await;
        assert_eq!(fixture.state_of(&ids[0]).await, expect_state("PUBLISHED", 0, false));
        assert_eq!(fixture.state_of(&ids[1]).await, expect_state("PENDING", 0, false));
        assert_eq!(env.anonymous().comments(&fixture.meeting, json!({})).await.len(), 1);
    }

    async fn deleting_the_target_on_its_platform_restores_merged_comments(env) {
        let ana = env.citizen("Ana");
        let fixture = Fixture::open(&env, "AFTER").await;
        let wire = fixture.broadcast(&env).await;
        let own = id_of(&ana.post(&fixture.meeting, "Жол?").await);
        for first in ["joined", "target"] {
            let (joined, target) = (format!("joined {first}"), format!("target {first}"));
            wire.import(&[(&joined, "Жол қашан?", false), (&target, "Жол ше?", false)]).await;
            let all = fixture.moderator.comments(&fixture.meeting, json!({ "orderBy": "NEWEST" })).await;
            let (b, a) = (id_of(&all[0]), id_of(&all[1]));
            fixture.merge(&[&a, &own], &b).await;
            // Both are deleted in one import, in either order.
            let mut deleted = [(joined.as_str(), "", true), (target.as_str(), "", true)];
            if first == "target" {
                deleted.reverse();
            }
            assert_eq!(wire.import(&deleted).await["removed"], 2);
            assert_eq!(
                (fixture.state_of(&a).await.0, fixture.state_of(&b).await.0),
                ("WITHDRAWN".to_owned(), "WITHDRAWN".to_owned()),
                "{first}"
            );
            assert_eq!(fixture.state_of(&own).await, expect_state("PUBLISHED", 0, false), "{first}");
        }
        wire.import(&[("c", "Көпір?", false), ("d", "Көпір ше?", false)]).await;
        let all = fixture.moderator.comments(&fixture.meeting, json!({ "orderBy": "NEWEST" })).await;
        let (d, c) = (id_of(&all[0]), id_of(&all[1]));
        fixture.merge(&[&c, &own], &d).await;
        fixture.moderator.moderate("HIDE", &[&d]).await;
        assert_eq!(wire.import(&[("d", "", true)]).await["removed"], 1);
        assert_eq!(
            fixture.state_of(&c).await,
            expect_state("PENDING", 0, false),
            "a moderator had hidden it with the target"
        );
        assert_eq!(wire.import(&[("c", "", true)]).await["removed"], 1);
        assert_eq!(fixture.state_of(&own).await, expect_state("PENDING", 0, false));
    }

    async fn comments_merged_into_a_hidden_one_can_be_restored_or_posted_again(env) {
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let (a, b) =
            (id_of(&ana.post(&fixture.meeting, "Жол қашан?").await), id_of(&ben.post(&fixture.meeting, "Жол?").await));
        let again = json!({ "meetingId": fixture.meeting, "body": "Жол қашан?" });
        fixture.vote(&[0, 1], &a).await;
        fixture.vote(&[1, 2], &b).await;
        for order in [[&a, &b], [&b, &a]] {
            fixture.merge(&[&a], &b).await;
            assert_eq!(
                refusal(&fixture.try_moderate("RESTORE", &[&a]).await),
                "WRONG_STATE",
                "the target is still visible"
            );
            assert_eq!(refusal(&ana.mutate("postComment", again.clone()).await), "DUPLICATE");
            fixture.moderator.moderate("HIDE", &[&b]).await;
            let restored = fixture.moderator.moderate("RESTORE", &order.map(String::as_str)).await;
            assert!(
                restored.as_array().unwrap().iter().all(|one| one["state"] == "PUBLISHED" && one["votes"] == 2),
                "{restored}"
            );
            assert_eq!(
                (fixture.state_of(&a).await, fixture.state_of(&b).await),
                (expect_state("PUBLISHED", 2, false), expect_state("PUBLISHED", 2, false))
            );
        }
        let mut queue = fixture.moderator.follow_comments(&fixture.meeting, None, "MODERATION").await;
        fixture.merge(&[&a], &b).await;
        fixture.moderator.moderate("HIDE", &[&b]).await;
        fixture.moderator.moderate("RESTORE", &[&a]).await;
        let mut last = Vec::new();
        for id in [&a, &b, &b, &a, &b] {
            let event = queue.next().await;
            assert_eq!(event["commentId"], json!(id), "{event}");
            last.push((event["comment"]["state"].clone(), event["comment"]["votes"].clone()));
        }
        assert_eq!(last[3..], [(json!("PUBLISHED"), json!(2)), (json!("HIDDEN"), json!(2))], "both comments changed");
        assert_eq!(fixture.state_of(&b).await, expect_state("HIDDEN", 2, false));
        fixture.moderator.moderate("RESTORE", &[&b]).await;
        fixture.merge(&[&a], &b).await;
        fixture.moderator.moderate("HIDE", &[&b]).await;
        assert_eq!(done(&ana.mutate("postComment", again).await)["state"], "PUBLISHED", "the duplicate is not visible");
    }

    async fn the_author_of_a_withdrawn_merged_comment_still_sees_the_answer(env) {
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let (a, b) =
            (id_of(&ana.post(&fixture.meeting, "Жол қашан?").await), id_of(&ben.post(&fixture.meeting, "Жол?").await));
        fixture.vote(&[0], &a).await;
        fixture.merge(&[&a], &b).await;
        assert_eq!(withdraw(&ana, &a).await["state"], "WITHDRAWN");
        fixture.moderator.mutate("answerComment", json!({ "commentId": b, "answer": "Мамырда" })).await;
        assert_eq!(fixture.seen_by(&ana, &a).await["mergedInto"]["answer"], "Мамырда");

        let (c, d) =
            (id_of(&ana.post(&fixture.meeting, "Көпір?").await), id_of(&ben.post(&fixture.meeting, "Көпір ше?").await));
        fixture.merge(&[&c], &d).await;
        withdraw(&ana, &c).await;
        withdraw(&ben, &d).await;
        assert_eq!(fixture.state_of(&c).await.0, "WITHDRAWN", "the author's withdrawal is final");
    }

    async fn merging_does_not_reveal_comments_of_other_meetings(env) {
        let fixture = Fixture::open(&env, "AFTER").await;
        let admin = env.person("Staff", &["ADMIN"], None);
        let far = admin.live_meeting("103200000", "103230000", env.now(), "BEFORE").await;
        let ana = env.citizen("Ana");
        let into = id_of(&ana.post(&fixture.meeting, "Жол?").await);
        let secret = id_of(&ana.post(&far, "Құпия").await);
        let merge = async |id: &str| {
            fixture.moderator.mutate("mergeComments", json!({ "into": into, "commentIds": [id] })).await
        };
        let hidden = merge(&secret).await;
        assert_eq!(
            (refusal(&hidden), &hidden),
            ("NOT_FOUND".to_owned(), &merge("cmt_00000000000000000000000000").await)
        );
        for (command, input, field) in [
            ("mergeComments", json!({ "into": secret, "commentIds": [into] }), "into"),
            ("moderateComments", json!({ "commentIds": [secret, into], "action": "APPROVE" }), "commentIds.0"),
            ("moderateComments", json!({ "commentIds": [into, secret], "action": "APPROVE" }), "commentIds.1"),
            ("labelComment", json!({ "commentId": secret, "labels": [] }), "commentId"),
        ] {
            let refused = fixture.moderator.mutate(command, input).await;
            assert_eq!(
                (refusal(&refused).as_str(), refused["refusal"]["field"].as_str()),
                ("NOT_FOUND", Some(field)),
                "{command}"
            );
        }
        let other = id_of(&ana.post(&far, "Ашық").await);
        admin.moderate("APPROVE", &[&other]).await;
        assert_eq!(refusal(&merge(&other).await), "INVALID", "a public comment is reported as invalid");
        for ids in [[&secret, &other], [&other, &secret]] {
            let both = fixture.moderator.mutate("mergeComments", json!({ "into": into, "commentIds": ids })).await;
            assert_eq!(both, hidden, "hidden also next to a visible comment");
        }
    }

    async fn concurrent_merges_on_two_replicas_lose_nothing(env) {
        let mut env = env;
        let second = env.replica().await;
        let there = env.host(second);
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let moderator = fixture.moderator.at(there.clone());
        for round in 0..12 {
            let (a, b) = (
                id_of(&ana.post(&fixture.meeting, &format!("Жол {round}?")).await),
                id_of(&ben.post(&fixture.meeting, &format!("Көпір {round}?")).await),
            );
            fixture.vote(&[0, 1], &a).await;
            fixture.vote(&[1, 2], &b).await;
            let (here, other) = (json!({ "into": b, "commentIds": [a] }), json!({ "into": a, "commentIds": [b] }));
            let (withdrawn, hidden) =
                (json!({ "commentId": b }), json!({ "commentIds": [b], "action": "HIDE", "reason": "себеп" }));
            let ben = ben.at(there.clone());
            tokio::join!(
                async { fixture.moderator.mutate("mergeComments", here).await },
                async { moderator.mutate("mergeComments", other).await },
                async {
                    if round % 2 == 0 {
                        ben.mutate("withdrawComment", withdrawn).await
                    } else {
                        moderator.mutate("moderateComments", hidden).await
                    }
                },
            );
            let (one, two) = (fixture.state_of(&a).await, fixture.state_of(&b).await);
            let alone = |state_of: &(String, i64, bool)| {
                !state_of.2 && ["PUBLISHED", "HIDDEN", "WITHDRAWN"].contains(&state_of.0.as_str())
            };
            match (one.0.as_str(), two.0.as_str()) {
                // Withdrawn while merged: the target stays.
                ("PUBLISHED", "MERGED") if two.2 => assert_eq!(one.1, 3, "{round}: {one:?} {two:?}"),
                ("PUBLISHED", "WITHDRAWN") if two.2 => assert_eq!(one.1, 2, "{round}: {one:?} {two:?}"),
                ("MERGED", "HIDDEN") if one.2 => assert_eq!(two.1, 3, "{round}: {one:?} {two:?}"),
                _ => assert!(alone(&one) && alone(&two) && one.1 == 2, "{round}: {one:?} {two:?}"),
            }
            if one.0 == "MERGED" {
                fixture.moderator.moderate("RESTORE", &[&a]).await;
                assert_eq!(
                    (fixture.state_of(&a).await, fixture.state_of(&b).await.1),
                    (expect_state("PUBLISHED", 2, false), 2)
                );
            }
        }
    }
}
