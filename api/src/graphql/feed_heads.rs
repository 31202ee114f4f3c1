//! The heads of comment feeds, read once per operation and before its lists of comments. So a client that
//! subscribes after the head misses no change since the list.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context,
    parser::types::{Selection, SelectionSet},
};
use entities::ids::MeetingId;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::graphql::{context::ContextExt, error::ApiResult};

/// The name of the field that returns a head.
const HEAD_FIELD: &str = "commentsHead";

/// The heads that an operation has read.
#[derive(Default)]
pub struct FeedHeads(Mutex<HashMap<MeetingId, Arc<OnceCell<i64>>>>);

impl FeedHeads {
    /// Returns the head of a meeting's comment feed, read once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn of(ctx: &Context<'_>, meeting: MeetingId) -> ApiResult<i64> {
        let heads = ctx.data_unchecked::<Self>();
        let cell = Arc::clone(heads.0.lock().entry(meeting).or_default());
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
        let environment = ctx.query_env;
        let fragments = environment.fragments.values().map(|fragment| &fragment.node.selection_set.node);
        let sets = fragments.chain([&environment.operation.node.selection_set.node]);
        if sets.into_iter().any(selects_head) {
            Self::of(ctx, meeting).await?;
        }
        Ok(())
    }
}

fn selects_head(set: &SelectionSet) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => field.node.name.node == HEAD_FIELD || selects_head(&field.node.selection_set.node),
        Selection::InlineFragment(inline) => selects_head(&inline.node.selection_set.node),
        // Fragments are checked separately.
        Selection::FragmentSpread(_) => false,
    })
}
