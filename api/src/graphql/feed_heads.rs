//! The heads of feeds, read once per operation and before what it reads of their subjects. So a client that
//! subscribes after the head misses no change since.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context,
    parser::types::{Selection, SelectionSet},
};
use entities::ids::MeetingId;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::graphql::{context::ContextExt, error::ApiResult};

/// The name of the field that returns the head of a comment feed.
const COMMENTS_HEAD_FIELD: &str = "commentsHead";
/// The name of the field that returns the head of the feed of receptions.
const RECEPTIONS_HEAD_FIELD: &str = "head";

/// The heads that an operation has read.
#[derive(Default)]
pub struct FeedHeads {
    comments: Mutex<HashMap<MeetingId, Arc<OnceCell<i64>>>>,
    receptions: OnceCell<i64>,
}

impl FeedHeads {
    /// Returns the head of a meeting's comment feed, read once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn of(ctx: &Context<'_>, meeting: MeetingId) -> ApiResult<i64> {
        let heads = ctx.data_unchecked::<Self>();
        let cell = Arc::clone(heads.comments.lock().entry(meeting).or_default());
        let read_head = cell.get_or_try_init(|| async {
            ctx.meter().statement()?;
            ApiResult::Ok(ctx.reads().comments_head(meeting).await?)
        });
        read_head.await.copied()
    }

    /// Reads the head before a list is read, if the operation selects heads.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn before_list(ctx: &Context<'_>, meeting: MeetingId) -> ApiResult<()> {
        if is_selected(ctx, COMMENTS_HEAD_FIELD) {
            Self::of(ctx, meeting).await?;
        }
        Ok(())
    }

    /// Returns the head of the feed of receptions, read once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn of_receptions(ctx: &Context<'_>) -> ApiResult<i64> {
        let heads = ctx.data_unchecked::<Self>();
        let read_head = heads.receptions.get_or_try_init(|| async {
            ctx.meter().statement()?;
            ApiResult::Ok(ctx.reads().receptions_head().await?)
        });
        read_head.await.copied()
    }

    /// Reads the head before receptions are read or changed, if the operation selects it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn before_receptions(ctx: &Context<'_>) -> ApiResult<()> {
        if is_selected(ctx, RECEPTIONS_HEAD_FIELD) {
            Self::of_receptions(ctx).await?;
        }
        Ok(())
    }
}

/// Returns whether the operation selects a field with this name.
fn is_selected(ctx: &Context<'_>, field: &str) -> bool {
    let environment = ctx.query_env;
    let fragments = environment.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let mut sets = fragments.chain([&environment.operation.node.selection_set.node]);
    sets.any(|set| selects(set, field))
}

fn selects(set: &SelectionSet, name: &str) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => field.node.name.node == name || selects(&field.node.selection_set.node, name),
        Selection::InlineFragment(inline) => selects(&inline.node.selection_set.node, name),
        // Fragments are checked separately.
        Selection::FragmentSpread(_) => false,
    })
}
