//! Where deliveries come from: the feed of issues, and what a receiver is shown of an issue.

use std::{collections::HashMap, future::Future, pin::Pin};

use chrono::{DateTime, Utc};
use entities::{issue, kato::KatoCode, webhook};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        agencies::agency_id,
        feed::{Audience, EventFilter},
        issue_events::issue_feed,
        policy::WebhookOwner,
    },
    store::{
        StoreError,
        feeds::{EventRange, Extent, StoredEvent},
    },
};

/// An event about an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueEvent {
    /// Position in the feed.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The issue.
    pub issue: Uuid,
    /// Stored name of its kind, which a later version may have added.
    pub kind: String,
}

/// Events of the feed that a webhook is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events, in order.
    pub events: Vec<IssueEvent>,
    /// Position up to which the feed was looked through.
    pub through: i64,
    /// Whether events after the webhook's position are no longer kept.
    pub has_gap: bool,
}

/// A future of [`IssueEvents`].
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Reads the events that a webhook is about, and their issues as the owner of the webhook may see them.
pub trait IssueEvents: Send + Sync + 'static {
    /// Returns the first events after the webhook's position, at most `limit`.
    fn page<'a>(&'a self, app: &'a App, webhook: &'a webhook::Model, limit: usize) -> Reading<'a, EventPage>;

    /// Returns issues as their owner may see them. Those that this version cannot show are left out.
    fn views<'a>(
        &'a self,
        app: &'a App,
        owner: &'a WebhookOwner,
        issues: &'a [Uuid],
    ) -> Reading<'a, HashMap<Uuid, Value>>;
}

/// Which events a webhook is about, by the body that was responsible and by the unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventPlace {
    agency: Option<Uuid>,
    unit: Option<KatoCode>,
}

impl EventPlace {
    /// Returns the place of a webhook, or `None` if this version cannot read it.
    pub(super) fn of(agency: Option<&str>, region: Option<&str>) -> Option<Self> {
        let agency = agency.map(|code| agency_id(code).0);
        let unit = region.map(str::parse).transpose().ok()?;
        (agency.is_some() || unit.is_some()).then_some(Self { agency, unit })
    }

    /// Returns the condition that an index answers best.
    fn filter(self) -> Option<EventFilter> {
        self.agency.map(EventFilter::OfAgency).or_else(|| self.unit.map(EventFilter::Within))
    }

    /// Returns whether an event is about the place.
    pub(super) fn concerns(self, row: &StoredEvent) -> bool {
        let region = || row.region.as_deref().and_then(|code| code.parse().ok());
        let is_within = self.unit.is_none_or(|unit| region().is_some_and(|region| unit.contains(region)));
        // The last event of a body that an issue leaves is for that body only.
        let is_for = match row.audience {
            Audience::Everyone => true,
            Audience::Agency => self.agency.is_some(),
            Audience::Staff => false,
        };
        is_within && is_for && self.agency.is_none_or(|agency| row.agency == Some(agency))
    }
}

/// The feed of issues in the database.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredIssueEvents;

impl StoredIssueEvents {
    async fn read(app: &App, webhook: &webhook::Model, limit: usize) -> Result<EventPage, StoreError> {
        let feed = issue_feed();
        let Extent { head, kept_after } = app.store.feed_extent(&feed).await?;
        let after = webhook.position;
        let has_gap = after < kept_after;
        let place = EventPlace::of(webhook.agency.as_deref(), webhook.region_code.as_deref());
        let Some((place, filter)) = place.and_then(|place| Some((place, place.filter()?))) else {
            // A later version has written it, and will look through the feed.
            return Ok(EventPage { events: Vec::new(), through: after, has_gap: false });
        };
        let range = EventRange { after, through: head, limit };
        let rows = app.store.matching_events(&feed, filter, range).await?;
        let is_full = rows.len() >= limit;
        let through = rows.last().filter(|_| is_full).map_or(head.max(after), |last| last.seq);
        let event = |row: StoredEvent| IssueEvent { seq: row.seq, at: row.at, issue: row.subject, kind: row.kind };
        let events = rows.into_iter().filter(|row| place.concerns(row)).map(event);
        Ok(EventPage { events: events.collect(), through, has_gap })
    }
}

impl IssueEvents for StoredIssueEvents {
    fn page<'a>(&'a self, app: &'a App, webhook: &'a webhook::Model, limit: usize) -> Reading<'a, EventPage> {
        Box::pin(Self::read(app, webhook, limit))
    }

    fn views<'a>(
        &'a self,
        app: &'a App,
        owner: &'a WebhookOwner,
        issues: &'a [Uuid],
    ) -> Reading<'a, HashMap<Uuid, Value>> {
        let sees_internals = move |row: &issue::Model| match owner {
            WebhookOwner::Agency(code) => row.responsible.as_ref() == Some(code),
            WebhookOwner::Akimat(scope) => row.region_code.parse().is_ok_and(|region| scope.host.contains(region)),
        };
        Box::pin(app.issue_views(issues, sees_internals))
    }
}
