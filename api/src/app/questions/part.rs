//! What comments that part from each other become, and how many votes each then has.

use std::collections::HashMap;

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    domain::comment::{JOINED_STATE, left_alone},
    store::{StoreError, Tx},
};

/// Parts everything from a comment that is taken back, writes it, and counts the votes of the comment anew. `before` is what
/// the comment was. Gives what was parted.
pub(super) async fn part_all(
    tx: &Tx,
    from: &mut comment::Model,
    before: CommentState,
) -> Result<Vec<comment::Model>, StoreError> {
    let mut joined = tx.joined_to(from.id).await?;
    if joined.is_empty() {
        return Ok(joined);
    }
    let next: Vec<_> = joined.iter().map(|row| left_alone(before, row.merged_state)).collect();
    for (row, next) in joined.iter_mut().zip(next) {
        part(tx, row, next).await?;
    }
    from.votes = tx.joint_votes(from).await?;
    Ok(joined)
}

/// Lets a joined comment stand by itself, and writes it.
pub(super) async fn part(tx: &Tx, row: &mut comment::Model, next: CommentState) -> Result<(), StoreError> {
    (row.state, row.merged_state, row.merged_into) = (next, None, None);
    row.votes = tx.joint_votes(row).await?;
    tx.save_comment(row.clone()).await
}

/// The comment that one was joined to which has just been taken back and written, with the votes that are left. None: it was not
/// joined, or its votes made no difference.
pub(super) async fn left_by(
    tx: &Tx,
    row: &comment::Model,
    before: CommentState,
) -> Result<Option<comment::Model>, StoreError> {
    let Some(into) = row.merged_into.filter(|_| before == JOINED_STATE) else { return Ok(None) };
    let Some(target) = tx.comments_by_id(&[into]).await?.pop() else { return Ok(None) };
    let votes = tx.joint_votes(&target).await?;
    Ok((votes != target.votes).then_some(comment::Model { votes, ..target }))
}

/// What comments are joined to, as it stands.
pub(super) async fn joined_to(
    tx: &Tx,
    rows: &[comment::Model],
) -> Result<HashMap<CommentId, comment::Model>, StoreError> {
    let joined = rows.iter().filter(|row| row.state == CommentState::Merged);
    let ids: Vec<CommentId> = joined.filter_map(|row| row.merged_into).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(tx.comments_by_id(&ids).await?.into_iter().map(|row| (row.id, row)).collect())
}
