//! Collects changes of a meeting's comments under its lock, and writes them together.

use std::collections::{BTreeMap, BTreeSet};

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::{
        notifications,
        questions::{EventsToRecord, change_event},
    },
    domain::{
        comment::{self as rules, MERGED_STATE, WrongState, state_after_unmerge},
        feed::{FeedName, NewEvent},
    },
    store::{StoreError, Tx, comment_changes::CommentChange},
};

/// Comments as read and as changed, with the events of the changes.
pub(super) struct CommentChanges<'a> {
    actor: Option<&'a str>,
    rows: BTreeMap<CommentId, CommentChange>,
    recounted: BTreeSet<CommentId>,
    /// Merge targets that may lose votes, which is an event only if they do.
    may_lose_votes: BTreeSet<CommentId>,
    events: Vec<NewEvent>,
    notifications: Vec<(FeedName, NewEvent)>,
}

impl<'a> CommentChanges<'a> {
    pub(super) const fn new(actor: Option<&'a str>) -> Self {
        Self {
            actor,
            rows: BTreeMap::new(),
            recounted: BTreeSet::new(),
            may_lose_votes: BTreeSet::new(),
            events: Vec::new(),
            notifications: Vec::new(),
        }
    }

    /// Adds comments as read. Known comments keep their changes.
    pub(super) fn load(&mut self, rows: impl IntoIterator<Item = comment::Model>) {
        for row in rows {
            self.rows.entry(row.id).or_insert_with(|| row.into());
        }
    }

    /// Returns a comment with its changes.
    pub(super) fn get(&self, id: CommentId) -> Option<&comment::Model> {
        self.rows.get(&id).map(|change| &change.after)
    }

    /// Returns the comments merged into a comment, in order of posting.
    fn merged_into(&self, into: CommentId) -> Vec<comment::Model> {
        let rows = self.rows.values().map(|change| &change.after);
        let mut merged: Vec<_> =
            rows.filter(|row| row.merged_into == Some(into) && row.state == MERGED_STATE).cloned().collect();
        merged.sort_unstable_by_key(|row| row.posted_seq);
        merged
    }

    /// Adds a new comment and its event.
    pub(super) fn insert(&mut self, row: comment::Model) {
        self.events.push(change_event(row.id, None, row.state, self.actor));
        self.rows.insert(row.id, row.into());
    }

    /// Removes and returns a new comment, which the caller inserts.
    pub(super) fn take_inserted(&mut self, id: CommentId) -> Option<comment::Model> {
        self.rows.remove(&id).map(|change| change.after)
    }

    /// Changes a comment and adds the event.
    pub(super) fn update(&mut self, after: comment::Model) {
        let id = after.id;
        let change = self.rows.entry(id).or_insert_with(|| after.clone().into());
        let before = change.after.state;
        self.events.push(change_event(id, Some(before), after.state, self.actor));
        self.notifications.extend(notifications::of_change(&after, before, after.state, self.actor));
        change.after = after;
    }

    /// Adds an event for a change that is not a change of state.
    pub(super) fn notify(&mut self, id: CommentId) {
        if let Some(state) = self.get(id).map(|row| row.state) {
            self.events.push(change_event(id, Some(state), state, self.actor));
        }
    }

    /// Unmerges a comment, which keeps its own votes.
    pub(super) fn unmerge(&mut self, mut row: comment::Model, next: CommentState) {
        (row.state, row.merged_state, row.merged_into, row.decided_by) = (next, None, None, None);
        self.recount(row.id);
        self.update(row);
    }

    /// Merges a comment into another, together with the comments merged into it. Does nothing if it already is.
    pub(super) fn merge(&mut self, mut row: comment::Model, into: CommentId) -> Result<(), WrongState> {
        if row.state == MERGED_STATE && row.merged_into == Some(into) {
            return Ok(());
        }
        let merged = self.merged_into(row.id);
        let next = rules::merge(row.state)?;
        (row.merged_state, row.merged_into) = (Some(row.state), Some(into));
        row.state = next;
        self.update(row);
        for row in merged {
            self.update(comment::Model { merged_into: Some(into), ..row });
        }
        Ok(())
    }

    /// Unmerges all comments from a withdrawn comment, and recounts the votes of its merge target.
    ///
    /// `before` is the comment's state before the withdrawal.
    pub(super) fn unmerge_all(&mut self, from: &comment::Model, before: CommentState) {
        for row in self.merged_into(from.id) {
            let next = state_after_unmerge(before, row.merged_state);
            self.recount(from.id);
            self.unmerge(row, next);
        }
        if let Some(into) = from.merged_into.filter(|_| before == MERGED_STATE) {
            self.recount(into);
            self.may_lose_votes.insert(into);
        }
    }

    /// Returns whether there are no events.
    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Recounts a comment's votes on write.
    pub(super) fn recount(&mut self, id: CommentId) {
        self.recounted.insert(id);
    }

    /// Writes all changes, and returns what to record.
    pub(super) async fn write(&mut self, tx: &Tx) -> Result<EventsToRecord, StoreError> {
        let changes: Vec<CommentChange> = self.rows.values().cloned().collect();
        tx.change_comments(&changes).await?;
        let recounted: Vec<CommentId> = self.recounted.iter().copied().collect();
        for (id, votes) in tx.recount_votes(&recounted).await? {
            if let Some(change) = self.rows.get_mut(&id) {
                change.after.votes = votes;
            }
        }
        for id in std::mem::take(&mut self.may_lose_votes) {
            if self.rows.get(&id).is_some_and(|change| change.before.votes != change.after.votes) {
                self.notify(id);
            }
        }
        let (events, notifications) = (&mut self.events, &mut self.notifications);
        Ok(EventsToRecord { events: std::mem::take(events), notifications: std::mem::take(notifications) })
    }
}
