//! Merges issues about the same problem.

use std::collections::{BTreeMap, HashMap};

use entities::{ids::IssueId, issue, issue_person};

use crate::{
    app::{
        App, CommandError, Rejection,
        issues::{
            MERGED, confirmations, is_merged,
            locked::{ChangeRecord, LockedIssue},
            wrong_issue_state,
        },
        rejection::Invalid,
    },
    domain::{
        feed::EventKind,
        issues::MAX_MERGED,
        policy::{self, authorize},
        viewer::Viewer,
    },
};

/// The name of the list in the input.
const ISSUES: &str = "issueIds";

impl App {
    /// Merges issues into another: sources and followers move, and the old numbers go on naming what they named.
    ///
    /// # Errors
    /// Rejected when an issue does not exist, is merged already, or is merged into itself.
    pub async fn merge_issues(
        &self,
        viewer: &Viewer,
        into: IssueId,
        ids: &[IssueId],
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::RunIssue>(viewer, into).await?;
        let merged_ids = checked_ids(into, ids)?;
        let tx = self.store.begin().await?;
        let all: Vec<_> = merged_ids.iter().copied().chain([into]).collect();
        let mut rows: HashMap<_, _> = tx.lock_issues(&all).await?.into_iter().map(|row| (row.id, row)).collect();
        let target = rows.remove(&into).ok_or(Rejection::NotFound { field: "into" })?;
        if is_merged(&target) {
            return Err(wrong_issue_state(MERGED).into());
        }
        let scope = self.issue_scope(&target)?;
        authorize::<policy::RunIssue>(viewer, &scope)?;
        let mut merged = Vec::new();
        for (index, id) in merged_ids.iter().enumerate() {
            let row = rows.remove(id).ok_or_else(|| Rejection::NotFound { field: ISSUES }.at_index(ISSUES, index))?;
            authorize::<policy::RunIssue>(viewer, &self.issue_scope(&row)?)?;
            if is_merged(&row) {
                return Err(wrong_issue_state(MERGED).at_index(ISSUES, index).into());
            }
            merged.push(row);
        }
        let record = ChangeRecord::new(self, viewer, permit.person, &scope);
        let mut locked = LockedIssue { tx, before: target.clone(), issue: target, record, now };
        self.move_people(&mut locked, &merged_ids).await?;
        let sources = locked.tx.sources_of(&[into]).await?;
        let last = sources.iter().map(|source| source.ordinal).max().unwrap_or_default();
        locked.tx.move_sources(&merged_ids, into, last).await?;
        let numbers: Vec<_> = merged.iter().map(|row| row.number.as_str()).collect();
        locked.changed("merged", None, Some(numbers.join(", ")));
        self.save_merged(locked, merged).await
    }

    /// Moves the people of merged issues. What they said of another outcome is not taken along.
    async fn move_people(&self, locked: &mut LockedIssue, merged: &[IssueId]) -> Result<(), CommandError> {
        let into = locked.issue.id;
        let mut people: BTreeMap<String, issue_person::Model> =
            locked.tx.people_of(&[into]).await?.into_iter().map(|row| (row.person.clone(), row)).collect();
        for other in locked.tx.people_of(merged).await? {
            let new = issue_person::Model {
                issue_id: into,
                satisfied: None,
                comment: None,
                raised: false,
                follows: false,
                ..other.clone()
            };
            let row = people.entry(other.person).or_insert(new);
            row.raised |= other.raised;
            row.follows |= other.follows;
        }
        (_, locked.issue.is_unsatisfied) = confirmations(people.values());
        locked.tx.save_people(people.into_values().collect()).await?;
        locked.tx.delete_people(merged).await?;
        Ok(())
    }

    /// Saves the issue with those merged into it, in one transaction with all events.
    async fn save_merged(
        &self,
        mut locked: LockedIssue,
        merged: Vec<issue::Model>,
    ) -> Result<issue::Model, CommandError> {
        let into = locked.issue.id;
        let mut recorded = locked.write(self, EventKind::CHANGED).await?;
        let LockedIssue { mut tx, issue, mut record, now, .. } = locked;
        record.fields.clear();
        for before in merged {
            let issue = issue::Model { merged_into: Some(into), is_unsatisfied: false, ..before.clone() };
            let mut one = LockedIssue { tx, before, issue, record, now };
            let other = one.write(self, EventKind::CHANGED).await?;
            recorded.events.extend(other.events);
            for (shard, entries) in other.audit {
                recorded.audit.entry(shard).or_default().extend(entries);
            }
            (tx, record) = (one.tx, one.record);
        }
        self.commit_recorded(tx, recorded, now).await?;
        Ok(issue)
    }
}

fn checked_ids(into: IssueId, ids: &[IssueId]) -> Result<Vec<IssueId>, CommandError> {
    if ids.is_empty() {
        return Err(Rejection::Invalid { field: ISSUES, why: Invalid::Empty }.into());
    }
    if ids.len() > MAX_MERGED {
        return Err(Rejection::Invalid { field: ISSUES, why: Invalid::TooMany { max: MAX_MERGED } }.into());
    }
    if let Some(index) = ids.iter().position(|id| *id == into) {
        return Err(Rejection::Invalid { field: ISSUES, why: Invalid::IntoItself }.at_index(ISSUES, index).into());
    }
    let mut unique = Vec::new();
    for id in ids {
        if !unique.contains(id) {
            unique.push(*id);
        }
    }
    Ok(unique)
}
