//! The heads of comment feeds as one operation reads them: before any list, so that whoever reads both and subscribes after the
//! head has everything that came before it.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context,
    parser::types::{Selection, SelectionSet},
};
use entities::ids::MeetingId;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::{
    app::questions::comment_feed,
    graphql::{context::Scene, error::ApiResult},
};

/// The field that shows a head.
const FIELD: &str = "commentsHead";

/// The heads that one operation has read.
#[derive(Default)]
pub struct Heads(Mutex<HashMap<MeetingId, Arc<OnceCell<i64>>>>);

impl Heads {
    /// The head of a meeting's comment feed, read once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(ctx: &Context<'_>, meeting: MeetingId) -> ApiResult<i64> {
        let cell = Arc::clone(ctx.heads().0.lock().entry(meeting).or_default());
        let read = cell.get_or_try_init(|| async {
            ctx.meter().statement()?;
            let extent = ctx.app().reads.feed_extent(&comment_feed(meeting)).await?;
            ApiResult::Ok(extent.map_or(0, |extent| extent.head))
        });
        read.await.copied()
    }

    /// Reads the head before a list is read, where the operation asks for heads at all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn before_list(ctx: &Context<'_>, meeting: MeetingId) -> ApiResult<()> {
        let environment = ctx.query_env;
        let fragments = environment.fragments.values().map(|fragment| &fragment.node.selection_set.node);
        let sets = fragments.chain([&environment.operation.node.selection_set.node]);
        if sets.into_iter().any(names_head) {
            Self::of(ctx, meeting).await?;
        }
        Ok(())
    }
}

fn names_head(set: &SelectionSet) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => field.node.name.node == FIELD || names_head(&field.node.selection_set.node),
        Selection::InlineFragment(inline) => names_head(&inline.node.selection_set.node),
        // Fragments are looked at by themselves.
        Selection::FragmentSpread(_) => false,
    })
}
