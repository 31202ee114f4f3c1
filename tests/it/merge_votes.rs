//! Votes for merged comments.

use harness::{id_of, on_both_engines};
use serde_json::json;

use crate::merging::{Fixture, done, expect_state, withdraw};

on_both_engines! {
    async fn an_author_does_not_vote_for_their_own_comment_through_a_merge(env) {
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let (a, b) =
            (id_of(&ana.post(&fixture.meeting, "Жол қашан?").await), id_of(&ben.post(&fixture.meeting, "Жол?").await));
        done(&ben.mutate("voteComment", json!({ "commentId": a })).await);
        fixture.vote(&[0], &a).await;
        assert_eq!(fixture.merge(&[&a], &b).await["votes"], 1, "only other persons' votes count");
        assert_eq!(fixture.seen_by(&ben, &b).await["viewerHasVoted"], false);
        assert_eq!(fixture.seen_by(&fixture.voters[0], &b).await["viewerHasVoted"], true);
        withdraw(&ben, &b).await;
        assert_eq!(fixture.state_of(&a).await, expect_state("PUBLISHED", 2, false));
        assert_eq!(fixture.seen_by(&ben, &a).await["viewerHasVoted"], true);
        assert_eq!(done(&ben.mutate("voteComment", json!({ "commentId": a, "up": false })).await)["votes"], 1);
    }

    async fn a_person_has_one_vote_per_merge(env) {
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let (a, b) =
            (id_of(&ana.post(&fixture.meeting, "Жол қашан?").await), id_of(&ben.post(&fixture.meeting, "Жол?").await));
        fixture.vote(&[0, 1], &a).await;
        fixture.vote(&[1], &b).await;
        fixture.merge(&[&a], &b).await;
        let vote = async |voter: usize, up: bool| {
            done(&fixture.voters[voter].mutate("voteComment", json!({ "commentId": b, "up": up })).await)
        };
        assert_eq!(vote(0, true).await["votes"], 2, "their vote is already counted");
        let gone = vote(1, false).await;
        assert_eq!((&gone["votes"], &gone["viewerHasVoted"]), (&json!(1), &json!(false)));
        assert_eq!(vote(1, false).await["votes"], 1);
        assert_eq!(vote(0, false).await["votes"], 0);
        assert_eq!(vote(0, true).await["votes"], 1);
        withdraw(&ben, &b).await;
        assert_eq!(fixture.state_of(&a).await, expect_state("PUBLISHED", 0, false), "withdrawn votes stay withdrawn");
    }

    async fn a_withdrawn_comment_no_longer_counts_in_a_merge(env) {
        let (ana, ben, dana) = (env.citizen("Ana"), env.citizen("Ben"), env.citizen("Dana"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let wire = fixture.broadcast(&env).await;
        let (a, b, d) = (
            id_of(&ana.post(&fixture.meeting, "Жол қашан?").await),
            id_of(&ben.post(&fixture.meeting, "Жол?").await),
            id_of(&dana.post(&fixture.meeting, "Жол ше?").await),
        );
        wire.import(&[("c", "Жолды қашан?", false)]).await;
        let c = id_of(&fixture.moderator.comments(&fixture.meeting, json!({ "orderBy": "NEWEST" })).await[0]);
        fixture.vote(&[0, 1], &a).await;
        fixture.vote(&[1, 2], &b).await;
        fixture.vote(&[3], &c).await;
        assert_eq!(fixture.merge(&[&a, &c, &d], &b).await["votes"], 4);
        let mut live = env.anonymous().follow_comments(&fixture.meeting, None, "PUBLIC").await;
        withdraw(&ana, &a).await;
        let event = live.next().await;
        assert_eq!(
            (&event["commentId"], &event["kind"], &event["comment"]["votes"]),
            (&json!(b), &json!("CHANGED"), &json!(3))
        );
        assert_eq!(fixture.seen_by(&fixture.voters[0], &b).await["viewerHasVoted"], false);
        assert_eq!(fixture.seen_by(&fixture.voters[1], &b).await["viewerHasVoted"], true);
        withdraw(&dana, &d).await;
        assert_eq!(wire.import(&[("c", "", true)]).await["removed"], 1);
        let event = live.next().await;
        assert_eq!(
            (&event["commentId"], &event["comment"]["votes"]),
            (&json!(b), &json!(2)),
            "a comment without votes changes no count"
        );
        // Voters of the withdrawn comment may vote for the target, and withdraw only that vote.
        fixture.vote(&[0], &b).await;
        assert_eq!(fixture.state_of(&b).await, expect_state("PUBLISHED", 3, false));
        for (voter, left) in [(3, 3), (0, 2), (1, 1)] {
            let down = json!({ "commentId": b, "up": false });
            assert_eq!(done(&fixture.voters[voter].mutate("voteComment", down).await)["votes"], left);
        }
    }

    async fn a_migration_recounts_votes_of_withdrawn_merged_comments(env) {
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let fixture = Fixture::open(&env, "AFTER").await;
        let (a, b, c) = (
            id_of(&ana.post(&fixture.meeting, "Жол қашан?").await),
            id_of(&ben.post(&fixture.meeting, "Жол?").await),
            id_of(&env.citizen("Dana").post(&fixture.meeting, "Жол ше?").await),
        );
        fixture.vote(&[0, 1], &a).await;
        fixture.vote(&[1, 2], &b).await;
        fixture.vote(&[3], &c).await;
        done(&ben.mutate("voteComment", json!({ "commentId": c })).await);
        fixture.merge(&[&a, &c], &b).await;
        withdraw(&ana, &a).await;
        // As an earlier version left it.
        env.sql(
            "UPDATE comments SET votes = 4 WHERE body = 'Жол?'; UPDATE comments SET votes = 7 WHERE body = 'Жол ше?'; \
                  DELETE FROM seaql_migrations WHERE version = 'm0014_merged_votes'",
        )
        .await;
        env.service(0).app().store.migrate().await.unwrap();
        assert_eq!(fixture.state_of(&b).await, expect_state("PUBLISHED", 3, false));
        assert_eq!(fixture.state_of(&c).await.1, 7, "nothing else is recounted");
    }
}
