//! The unit of the classifier: its state at one time, and how it is loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::kato::KatoCode;

use crate::{
    clock::almaty_date,
    domain::{
        global_id::REGION,
        regions::{Tree, Unit, UnitNode},
    },
    graphql::{
        context::ContextExt,
        entity::{Entity, TextFormat},
        error::ApiResult,
    },
};

/// A unit of the classifier of administrative-territorial objects (КАТО), as it was at one time.
#[derive(Clone)]
pub struct Region {
    pub(in crate::graphql::regions) tree: Arc<Tree>,
    pub(in crate::graphql::regions) node: UnitNode,
    pub(in crate::graphql::regions) unit: Unit,
}

impl Region {
    /// Returns the unit at a node of a tree.
    #[must_use]
    pub fn at(tree: Arc<Tree>, node: UnitNode) -> Option<Self> {
        let unit = tree.unit(node)?.clone();
        Some(Self { tree, node, unit })
    }

    /// Returns the unit with this code: its current state, or its last one.
    #[must_use]
    pub fn current(ctx: &Context<'_>, code: KatoCode) -> Option<Self> {
        let app = ctx.app();
        let today = almaty_date(app.clock.now());
        let (tree, node) = app.region_history.load().unit_on(code, today)?;
        Self::at(tree, node)
    }
}

impl Entity for Region {
    const PREFIX: &'static str = REGION;
    type Id = KatoCode;
    type Format = TextFormat;

    async fn load(ctx: &Context<'_>, id: KatoCode) -> ApiResult<Option<Self>> {
        Ok(Self::current(ctx, id))
    }
}
