//! The subscription to issues.

use std::sync::Arc;

use async_graphql::{Context, SimpleObject, Subscription};
use entities::issue;
use futures_util::stream::BoxStream;

use crate::{
    app::issues::IssueTopic,
    domain::{feed::EventKind, issue_events, policy::own_agencies},
    feed::Entry,
    graphql::{
        context::ContextExt,
        error::ApiError,
        issues::{Issue, IssueFilterInput, enums::IssueEventKind},
        subscription_stream::{EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
};

/// An event of the feed of all issues.
///
/// A client that has received events up to N ignores those with `seq <= N`. If `prev > N`, it has missed
/// events and subscribes again with `after: N` and the `epoch` of SUBSCRIBED. A HEARTBEAT counts as an event
/// and raises N.
#[derive(SimpleObject)]
pub struct IssueEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// The kind of event.
    pub kind: IssueEventKind,
    /// The current state of the issue.
    pub issue: Option<Issue>,
}

impl FeedEvent for IssueEvent {
    type Topic = IssueTopic;
    type Kind = IssueEventKind;
    const SUBSCRIBED: IssueEventKind = IssueEventKind::Subscribed;
    const HEARTBEAT: IssueEventKind = IssueEventKind::Heartbeat;

    fn kind(kind: EventKind) -> IssueEventKind {
        match kind {
            issue_events::RAISED => IssueEventKind::Raised,
            issue_events::ASSIGNED => IssueEventKind::Assigned,
            issue_events::PLANNED => IssueEventKind::Planned,
            issue_events::PROGRESS => IssueEventKind::Progress,
            issue_events::RESOLVED => IssueEventKind::Resolved,
            issue_events::DECLINED => IssueEventKind::Declined,
            issue_events::REOPENED => IssueEventKind::Reopened,
            _ => IssueEventKind::Changed,
        }
    }

    fn new(frame: EventFrame, kind: IssueEventKind, entry: Option<&Entry>) -> Self {
        let issue = entry.and_then(Entry::subject::<Arc<issue::Model>>).map(|row| Issue(Arc::clone(&row)));
        Self { frame, kind, issue }
    }
}

/// The subscription to issues.
#[derive(Default)]
pub struct IssueSubscription;

/// The subscription to issues.
#[Subscription]
impl IssueSubscription {
    /// Follows all issues, or those that a filter selects, from now or from a position. An AGENCY token follows the issues
    /// of its own body: an issue that is assigned to another leaves with a last ASSIGNED that names the new body.
    async fn issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<IssueFilterInput>,
        #[graphql(desc = "Position of the last event that was received: the stream resumes after it.")] after: Option<
            i64,
        >,
        #[graphql(desc = "The `epoch` of that event, as received with SUBSCRIBED.")] epoch: Option<String>,
    ) -> Result<BoxStream<'static, IssueEvent>, ApiError> {
        let filter = filter.unwrap_or_default().parse(ctx)?;
        subscribe(ctx, ResumeArguments { after, epoch }, || {
            // With one body, the database finds its events by an index.
            let own = own_agencies(ctx.viewer()).filter(|own| own.len() == 1).and_then(|mut own| own.pop());
            Ok(((), (filter, own)))
        })
        .await
    }
}
