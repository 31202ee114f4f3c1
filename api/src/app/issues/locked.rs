//! An issue locked for a command, and what is written at the end.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use entities::{issue, issue_person};

use crate::{
    app::{
        App, CommandError, Rejection,
        issues::{MERGED, assigned_away, is_merged, issue_event, own_deadline, permit::IssuePermit, wrong_issue_state},
        normalization::normalize_issue,
        notifications,
    },
    clock::almaty_date,
    domain::{
        audit::{AuditActor, NewAuditEntry},
        feed::{EventKind, FeedName, NewEvent},
        global_id::{ISSUE, typed_id},
        issue_events::issue_feed,
        issues::{self, Author, FieldChange, Transition, acting_as, audit_action, urgent_by},
        notification::{PersonKey, of_issue},
        policy::{Action, IssueScope, authorize},
        viewer::{Person, Viewer},
    },
    store::{StoreError, Tx},
};

/// An issue under its lock.
pub(super) struct LockedIssue {
    pub(super) tx: Tx,
    /// The issue as read under the lock.
    pub(super) before: issue::Model,
    /// The issue to save.
    pub(super) issue: issue::Model,
    pub(super) record: ChangeRecord,
    pub(super) now: DateTime<Utc>,
}

/// Who changes an issue, and which changes its columns do not tell.
pub(super) struct ChangeRecord {
    pub(super) by: Author,
    pub(super) actor: AuditActor,
    /// Pseudonym of the person, who is not notified.
    pub(super) person: PersonKey,
    /// Changed fields beside those of the row.
    pub(super) fields: Vec<(String, Option<String>, Option<String>)>,
}

/// What a changed issue records: events and audit entries, both in the transaction of the change.
#[derive(Default)]
pub(in crate::app) struct Recorded {
    pub(in crate::app) events: Vec<(FeedName, NewEvent)>,
    pub(in crate::app) audit: BTreeMap<String, Vec<NewAuditEntry>>,
}

impl ChangeRecord {
    pub(super) fn new(app: &App, viewer: &Viewer, person: &Person, scope: &IssueScope) -> Self {
        Self {
            by: acting_as(viewer, scope),
            actor: app.audit_actor(viewer, person, &scope.region),
            person: PersonKey::of(&person.subject),
            fields: Vec::new(),
        }
    }

    /// Returns the entries of the audit log for a change, one for each changed field.
    pub(super) fn audit(
        &self,
        app: &App,
        (before, after): (&issue::Model, &issue::Model),
        kind: EventKind,
        now: DateTime<Utc>,
    ) -> Vec<NewAuditEntry> {
        let mut fields = differing_fields(before, after);
        fields.extend(self.fields.iter().map(|(field, before, after)| (field.clone(), before.clone(), after.clone())));
        let mut fields: Vec<_> =
            fields.into_iter().map(|(field, before, after)| (Some(field), before, after)).collect();
        if fields.is_empty() {
            fields.push((None, None, None));
        }
        let subject = typed_id(ISSUE, after.id.0);
        let entry = |(field, before, after)| {
            let change = FieldChange { by: self.by.clone(), kind: kind.as_str().to_owned(), field, before, after };
            NewAuditEntry {
                id: app.ids.next(now),
                at: now,
                actor: self.actor.clone(),
                action: audit_action(kind),
                subject: subject.clone(),
                detail: serde_json::to_string(&change).ok(),
            }
        };
        fields.into_iter().map(entry).collect()
    }
}

impl LockedIssue {
    /// Applies what the issue's state allows.
    pub(super) fn transition(&mut self, change: Transition) -> Result<(), CommandError> {
        self.issue.state = issues::next_state(self.issue.state, change)?;
        Ok(())
    }

    /// Returns the date of the command in Kazakhstan.
    pub(super) fn today(&self) -> NaiveDate {
        almaty_date(self.now)
    }

    /// Adds a change that the columns of the issue do not tell.
    pub(super) fn changed(&mut self, field: impl Into<String>, before: Option<String>, after: Option<String>) {
        self.record.fields.push((field.into(), before, after));
    }

    /// Writes everything with its event, the notifications of its followers and its history, and commits.
    pub(super) async fn save(mut self, app: &App, kind: EventKind) -> Result<issue::Model, CommandError> {
        let recorded = self.write(app, kind).await?;
        app.commit_recorded(self.tx, recorded, self.now).await?;
        Ok(self.issue)
    }

    /// Writes the rows, and returns what is recorded of the change.
    pub(super) async fn write(&mut self, app: &App, kind: EventKind) -> Result<Recorded, StoreError> {
        self.issue.urgent_by = urgent_by(self.issue.state, own_deadline(&self.issue));
        self.issue.updated_at = self.now;
        self.issue.version = self.before.version.saturating_add(1);
        normalize_issue(&mut self.issue);
        self.tx.save_issue(&self.before, &self.issue).await?;
        let is_told = of_issue(kind).is_some();
        let people = if is_told { self.tx.people_of(&[self.issue.id]).await? } else { Vec::new() };
        let audit = self.record.audit(app, (&self.before, &self.issue), kind, self.now);
        let away =
            self.before.responsible.as_deref().filter(|before| Some(*before) != self.issue.responsible.as_deref());
        let events = away.map(|before| assigned_away(&self.issue, before, kind)).into_iter();
        let events = events.chain([issue_event(&self.issue, kind)]).map(|event| (issue_feed(), event));
        let told = notified(&self.issue, kind, &people, &self.record.person);
        Ok(Recorded {
            events: events.chain(told).collect(),
            audit: BTreeMap::from([(self.issue.region_code.clone(), audit)]),
        })
    }
}

impl App {
    /// Records the events and the audit entries of a change, the last in the lock order, and commits.
    pub(super) async fn commit_recorded(
        &self,
        mut tx: Tx,
        recorded: Recorded,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        tx.record_each(now, recorded.events).await?;
        tx.append_audit_to_each(recorded.audit).await?;
        self.commit(tx).await
    }

    /// Starts a transaction, locks the permit's issue, and authorises again, because the issue may have changed.
    pub(super) async fn begin_with_issue<A: for<'a> Action<On<'a> = IssueScope>>(
        &self,
        permit: &IssuePermit<'_, A>,
        now: DateTime<Utc>,
    ) -> Result<LockedIssue, CommandError> {
        let tx = self.store.begin().await?;
        self.lock_issue(tx, permit, now).await
    }

    /// Locks the permit's issue in a transaction that has locked nothing after it.
    pub(super) async fn lock_issue<A: for<'a> Action<On<'a> = IssueScope>>(
        &self,
        tx: Tx,
        permit: &IssuePermit<'_, A>,
        now: DateTime<Utc>,
    ) -> Result<LockedIssue, CommandError> {
        let issue = tx.lock_issues(&[permit.issue.id]).await?.pop();
        let issue = issue.ok_or(Rejection::NotFound { field: "issueId" })?;
        let scope = self.issue_scope(&issue)?;
        authorize::<A>(permit.viewer, &scope)?;
        if is_merged(&issue) {
            return Err(wrong_issue_state(MERGED).into());
        }
        let record = ChangeRecord::new(self, permit.viewer, permit.person, &scope);
        Ok(LockedIssue { tx, before: issue.clone(), issue, record, now })
    }
}

/// Returns the notifications of those who follow an issue, except who changed it.
pub(super) fn notified(
    row: &issue::Model,
    kind: EventKind,
    people: &[issue_person::Model],
    actor: &PersonKey,
) -> Vec<(FeedName, NewEvent)> {
    let Some(kind) = of_issue(kind) else { return Vec::new() };
    let told = people.iter().filter(|person| person.follows && person.person != actor.0);
    told.map(|person| notifications::of_issue(&person.person, row.id, kind)).collect()
}

/// Returns the columns that a change of an issue tells: name, value before, value after.
fn differing_fields(before: &issue::Model, after: &issue::Model) -> Vec<(String, Option<String>, Option<String>)> {
    let fields = |row: &issue::Model| {
        [
            ("state", Some(row.state.as_str().to_owned())),
            ("level", Some(row.level.as_str().to_owned())),
            ("responsible", row.responsible.clone()),
            ("deadline", row.deadline.map(|day| day.to_string())),
            ("funding.decision", row.funding_decision.map(|decision| decision.as_str().to_owned())),
            ("funding.needed", row.funding_needed.map(|needed| needed.to_string())),
            ("funding.session", row.funding_session.map(|day| day.to_string())),
            ("funding.source", row.funding_source.clone()),
            ("resolution", row.resolution.clone()),
            ("mergedInto", row.merged_into.map(|id| typed_id(ISSUE, id.0))),
            ("satisfied", Some(row.satisfied.to_string())),
            ("unsatisfied", Some(row.unsatisfied.to_string())),
        ]
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    let differing = pairs.filter(|((_, before), (_, after))| before != after);
    differing.map(|((name, before), (_, after))| (name.to_owned(), before, after)).collect()
}
