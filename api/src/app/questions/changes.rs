//! Changes of comments of one meeting, gathered behind its lock and written together.

use std::collections::{BTreeMap, BTreeSet};

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::questions::change_event,
    domain::{
        comment::{MERGED_STATE, WrongState, merge, state_after_unmerge},
        feed::NewEvent,
    },
    store::{StoreError, Tx, comment_changes::CommentChange},
};

/// Comments as they were read and as they are to be, with what is told of them.
pub(super) struct Changes<'a> {
    actor: Option<&'a str>,
    rows: BTreeMap<CommentId, CommentChange>,
    recounted: BTreeSet<CommentId>,
    /// Whose votes may be fewer now: told only where they are.
    left: BTreeSet<CommentId>,
    events: Vec<NewEvent>,
}

impl<'a> Changes<'a> {
    pub(super) const fn by(actor: Option<&'a str>) -> Self {
        Self { actor, rows: BTreeMap::new(), recounted: BTreeSet::new(), left: BTreeSet::new(), events: Vec::new() }
    }

    /// Takes comments as they were read. Those that are known already stay as they are here.
    pub(super) fn read(&mut self, rows: impl IntoIterator<Item = comment::Model>) {
        for row in rows {
            self.rows.entry(row.id).or_insert_with(|| row.into());
        }
    }

    /// A comment as it is to be.
    pub(super) fn get(&self, id: CommentId) -> Option<&comment::Model> {
        self.rows.get(&id).map(|change| &change.after)
    }

    /// What is joined to a comment, in its order.
    fn joined_to(&self, into: CommentId) -> Vec<comment::Model> {
        let rows = self.rows.values().map(|change| &change.after);
        let mut joined: Vec<_> =
            rows.filter(|row| row.merged_into == Some(into) && row.state == MERGED_STATE).cloned().collect();
        joined.sort_unstable_by_key(|row| row.posted_seq);
        joined
    }

    /// Notes a new comment, and tells of it.
    pub(super) fn add(&mut self, row: comment::Model) {
        self.events.push(change_event(row.id, None, row.state, self.actor));
        self.rows.insert(row.id, row.into());
    }

    /// A new comment as it is to be, which is then the caller's to write.
    pub(super) fn take_fresh(&mut self, id: CommentId) -> Option<comment::Model> {
        self.rows.remove(&id).map(|change| change.after)
    }

    /// Notes what a comment is to be, and tells of it.
    pub(super) fn set(&mut self, after: comment::Model) {
        let id = after.id;
        let change = self.rows.entry(id).or_insert_with(|| after.clone().into());
        self.events.push(change_event(id, Some(change.after.state), after.state, self.actor));
        change.after = after;
    }

    /// Tells of a comment that something about it has changed which is not its state.
    pub(super) fn touch(&mut self, id: CommentId) {
        if let Some(state) = self.get(id).map(|row| row.state) {
            self.events.push(change_event(id, Some(state), state, self.actor));
        }
    }

    /// Lets a joined comment stand by itself, with the votes that were cast for it.
    pub(super) fn part(&mut self, mut row: comment::Model, next: CommentState) {
        (row.state, row.merged_state, row.merged_into) = (next, None, None);
        self.recount(row.id);
        self.set(row);
    }

    /// Joins a comment to another; what is joined to it comes along. One that is joined there already stays as it is.
    pub(super) fn join(&mut self, mut row: comment::Model, into: CommentId) -> Result<(), WrongState> {
        if row.state == MERGED_STATE && row.merged_into == Some(into) {
            return Ok(());
        }
        let along = self.joined_to(row.id);
        let next = merge(row.state)?;
        (row.merged_state, row.merged_into) = (Some(row.state), Some(into));
        row.state = next;
        self.set(row);
        for row in along {
            self.set(comment::Model { merged_into: Some(into), ..row });
        }
        Ok(())
    }

    /// Parts a comment that is taken back from everything: what was joined to it stands by itself again, and what it was joined
    /// to loses its votes. `before` is what the comment was.
    pub(super) fn part_all(&mut self, from: &comment::Model, before: CommentState) {
        for row in self.joined_to(from.id) {
            let next = state_after_unmerge(before, row.merged_state);
            self.recount(from.id);
            self.part(row, next);
        }
        if let Some(into) = from.merged_into.filter(|_| before == MERGED_STATE) {
            self.recount(into);
            self.left.insert(into);
        }
    }

    /// Whether nothing is told of anything.
    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Has the votes of a comment counted anew.
    pub(super) fn recount(&mut self, id: CommentId) {
        self.recounted.insert(id);
    }

    /// Writes everything, and gives the events to be recorded.
    pub(super) async fn write(&mut self, tx: &Tx) -> Result<Vec<NewEvent>, StoreError> {
        let changes: Vec<CommentChange> = self.rows.values().cloned().collect();
        tx.change_comments(&changes).await?;
        let recounted: Vec<CommentId> = self.recounted.iter().copied().collect();
        for (id, votes) in tx.recount_votes(&recounted).await? {
            if let Some(change) = self.rows.get_mut(&id) {
                change.after.votes = votes;
            }
        }
        for id in std::mem::take(&mut self.left) {
            if self.rows.get(&id).is_some_and(|change| change.before.votes != change.after.votes) {
                self.touch(id);
            }
        }
        Ok(std::mem::take(&mut self.events))
    }
}
