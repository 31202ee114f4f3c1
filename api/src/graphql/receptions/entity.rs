//! The reception and the registration: their rows, and how they are loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::{
    ids::{ReceptionId, RegistrationId},
    reception, registration,
};
use tokio::sync::OnceCell;

use crate::{
    app::personal_data::Applicant,
    domain::receptions::{Queue, ticket},
    graphql::{
        context::ContextExt,
        entity::{Entity, UuidFormat},
        error::{ApiError, ApiResult},
        feed_heads::FeedHeads,
        loaders::{ApplicantOf, QueueOf},
    },
};

/// The cost of a field that needs the queue. All fields of a reception read it once.
pub const QUEUE_COST: usize = 10;

/// A personal reception after a meeting (p. 3.5). Created only from rows that the viewer may see.
#[derive(Clone)]
pub struct Reception {
    /// The row.
    pub row: Arc<reception::Model>,
    queue: Arc<OnceCell<Arc<Queue>>>,
}

impl Reception {
    /// Creates the object from its row.
    #[must_use]
    pub fn new(row: Arc<reception::Model>) -> Self {
        Self { row, queue: Arc::default() }
    }

    /// Returns its queue, read once for all fields of the object. It is the same for every viewer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn queue(&self, ctx: &Context<'_>) -> ApiResult<&Queue> {
        let read_queue = self
            .queue
            .get_or_try_init(|| async { ctx.load(QueueOf(Arc::clone(&self.row))).await?.ok_or(ApiError::NotFound) });
        read_queue.await.map(AsRef::as_ref)
    }

    /// Returns a ticket as people read it.
    #[must_use]
    pub fn ticket(&self, number: i32) -> String {
        ticket(self.row.letter.as_deref().unwrap_or_default(), number)
    }
}

impl Entity for Reception {
    const PREFIX: &'static str = "rcp";
    type Id = ReceptionId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: ReceptionId) -> ApiResult<Option<Self>> {
        FeedHeads::before_receptions(ctx).await?;
        Ok(ctx.loaders().load_one(id).await?.map(Self::new))
    }
}

/// A person's registration for a reception. Created only from rows that the viewer may see.
#[derive(Clone)]
pub struct Registration {
    /// The row.
    pub row: Arc<registration::Model>,
    reception: Arc<OnceCell<Reception>>,
    applicant: Arc<OnceCell<Option<Applicant>>>,
}

impl Registration {
    /// Creates the object from its row.
    #[must_use]
    pub fn new(row: Arc<registration::Model>) -> Self {
        Self { row, reception: Arc::default(), applicant: Arc::default() }
    }

    /// Creates the object from its row and its reception, whose queue they share.
    #[must_use]
    pub fn at(reception: &Reception, row: Arc<registration::Model>) -> Self {
        Self { reception: Arc::new(OnceCell::new_with(Some(reception.clone()))), ..Self::new(row) }
    }

    /// Returns its reception, read once for all fields of the object.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn reception(&self, ctx: &Context<'_>) -> ApiResult<&Reception> {
        let read_reception = self
            .reception
            .get_or_try_init(|| async { Reception::load(ctx, self.row.reception_id).await?.ok_or(ApiError::NotFound) });
        read_reception.await
    }

    /// Returns the person's data, read once for the object. Each reading is a look that is recorded, so it is batched always.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn load_applicant(&self, ctx: &Context<'_>) -> ApiResult<Option<Applicant>> {
        let read = self.applicant.get_or_try_init(|| ctx.loaders().load_one(ApplicantOf(self.row.id)));
        read.await.cloned()
    }
}

impl Entity for Registration {
    const PREFIX: &'static str = "reg";
    type Id = RegistrationId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: RegistrationId) -> ApiResult<Option<Self>> {
        FeedHeads::before_receptions(ctx).await?;
        Ok(ctx.loaders().load_one(id).await?.map(Self::new))
    }
}
