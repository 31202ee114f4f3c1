//! Reads what a publication is about, in sets, and finds what is missing.

use std::collections::HashMap;

use entities::{enums::PublicationKind, ids::IssueId, reception};

use crate::{
    app::{CommandError, Rejection, publications::permit::PublicationPermit, rejection::Invalid},
    domain::publications::{
        MAX_ISSUES, MAX_MISSING, MissingAbout, MissingPart, Part, missing_of_issue, missing_of_reception,
    },
    store::{
        StoreError,
        published_issues::{BATCH, IssueSnapshot},
    },
};

/// What is missing before something can be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MissingParts {
    /// The first of them, at most [`MAX_MISSING`].
    pub(super) listed: Vec<MissingPart>,
    /// How many.
    pub(super) count: usize,
}

impl MissingParts {
    fn push(&mut self, part: MissingPart) {
        self.count += 1;
        if self.listed.len() < MAX_MISSING {
            self.listed.push(part);
        }
    }
}

/// Returns the issues of a publication, newest first.
///
/// # Errors
/// Rejected when there are too many.
pub(super) async fn issue_ids(
    snapshot: &IssueSnapshot,
    permit: &PublicationPermit<'_>,
) -> Result<Vec<IssueId>, CommandError> {
    let ids = snapshot.ids(&permit.issues(), MAX_ISSUES + 1).await?;
    if ids.len() > MAX_ISSUES {
        return Err(too_large().into());
    }
    Ok(ids)
}

/// Returns the rejection of a publication that would be too large.
pub(super) const fn too_large() -> Rejection {
    Rejection::Invalid { field: "kind", why: Invalid::LargePublication { max: MAX_ISSUES } }
}

/// Returns the public receptions after the meeting that a publication is about.
pub(super) async fn receptions(
    snapshot: &IssueSnapshot,
    permit: &PublicationPermit<'_>,
) -> Result<Vec<reception::Model>, StoreError> {
    match &permit.meeting {
        Some(meeting) => snapshot.receptions(meeting.id).await,
        None => Ok(Vec::new()),
    }
}

/// Finds what issues and receptions lack.
pub(super) async fn missing_parts(
    snapshot: &IssueSnapshot,
    permit: &PublicationPermit<'_>,
    ids: &[IssueId],
) -> Result<MissingParts, StoreError> {
    let (kind, period) = (permit.subject.kind(), permit.subject.period());
    let reported = period.filter(|_| kind == PublicationKind::Progress);
    let quarter = reported.map(|period| period.to_string());
    let mut missing = MissingParts::default();
    for row in receptions(snapshot, permit).await?.into_iter().filter(|row| missing_of_reception(row.state)) {
        let reception::Model { host_code: host, region_code: region, starts_at, .. } = row;
        let about = MissingAbout::Reception { host, region, starts_at };
        missing.push(MissingPart { what: Part::Reception, about, period: None });
    }
    for batch in ids.chunks(BATCH) {
        let mut facts: HashMap<_, _> =
            snapshot.facts(batch, quarter.as_deref()).await?.into_iter().map(|facts| (facts.id, facts)).collect();
        for facts in batch.iter().filter_map(|id| facts.remove(id)) {
            for what in missing_of_issue(kind, &facts) {
                let (id, number, region) = (facts.id, facts.number.clone(), facts.region.clone());
                missing.push(MissingPart { what, about: MissingAbout::Issue { id, number, region }, period });
            }
        }
    }
    Ok(missing)
}
