//! A case as the graph shows it: the agency's own type.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::{
    auth::Viewer,
    case::{Case, CaseState},
    graphql::{
        context::Scene,
        joined::{Comment, Issue, Region},
    },
};

/// A case of the register.
pub(in crate::graphql) struct CaseObject(pub(in crate::graphql) Case);

/// A case in the register of a central agency.
#[Object(name = "Case")]
impl CaseObject {
    /// Opaque identity.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Number in the register, for example `2026-00017`.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// What it is about.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// How far it has come.
    async fn state(&self) -> CaseState {
        self.0.state
    }

    /// When it was opened.
    async fn opened_at(&self) -> DateTime<Utc> {
        self.0.opened_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// What the agency's staff noted; null where there is nothing, and for everybody else.
    #[graphql(tag = "internal")]
    async fn internal_note(&self, ctx: &Context<'_>) -> Option<&str> {
        match ctx.viewer() {
            Viewer::Officer { .. } => self.0.note.as_deref(),
            Viewer::Anonymous | Viewer::Person => None,
        }
    }

    /// The question it was opened about; null where there is none.
    async fn comment(&self) -> Option<Comment> {
        self.0.comment().map(|id| Comment::new(id, Some(self.0.clone())))
    }

    /// The issue it was opened about; null where there is none.
    async fn issue(&self) -> Option<Issue> {
        self.0.issue().map(|id| Issue::new(id, Some(self.0.clone())))
    }

    /// The unit it is about.
    async fn region(&self) -> Region {
        Region::new(self.0.region.clone())
    }
}
