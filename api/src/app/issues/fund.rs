//! Records what a maslikhat session decided about the money for an issue (p. 3.5).

use chrono::NaiveDate;
use entities::{enums::FundingDecision, ids::IssueId, issue};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::{check_version, checked_text},
        rejection::Invalid,
    },
    domain::{
        feed::EventKind,
        issues::{MAX_NOTE_LENGTH, Transition, furthest_due},
        norms::DECREE_2022,
        policy,
        viewer::Viewer,
    },
};

/// The most money, in tenge: more than any budget, and small enough to be added up.
const MAX_TENGE: i64 = 1_000_000_000_000_000;

/// What a session decided.
#[derive(Clone, Debug)]
pub struct FundingInput {
    /// The money that is needed, in tenge.
    pub needed: i64,
    /// Day of the session.
    pub session: NaiveDate,
    /// The decision.
    pub decision: FundingDecision,
    /// Where the money comes from.
    pub source: Option<String>,
}

impl App {
    /// Records what a maslikhat session decided about the money for an issue.
    ///
    /// # Errors
    /// Rejected when the state does not allow it, or a field breaks a rule.
    pub async fn decide_funding(
        &self,
        viewer: &Viewer,
        id: IssueId,
        funding: &FundingInput,
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::FundIssue>(viewer, id).await?;
        let source = funding.source.as_deref().map(|text| checked_text("source", text, MAX_NOTE_LENGTH)).transpose()?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        locked.transition(Transition::Fund)?;
        check_funding(funding, locked.today())?;
        let row = &mut locked.issue;
        row.funding_needed = Some(funding.needed);
        row.funding_session = Some(funding.session);
        row.funding_decision = Some(funding.decision);
        row.funding_source = source;
        if locked.issue == locked.before {
            return Ok(locked.before);
        }
        locked.save(self, EventKind::CHANGED).await
    }
}

fn check_funding(funding: &FundingInput, today: NaiveDate) -> Result<(), Rejection> {
    let no_money = funding.decision == FundingDecision::NotNeeded;
    let (min, max) = if no_money { (0, 0) } else { (1, MAX_TENGE) };
    if !(min..=max).contains(&funding.needed) {
        return Err(Rejection::Invalid { field: "needed", why: Invalid::Range { min, max } });
    }
    let is_decided = funding.decision != FundingDecision::Pending;
    let (from, to) = (DECREE_2022.valid_from, if is_decided { today } else { furthest_due(today) });
    if !(from..=to).contains(&funding.session) {
        return Err(Rejection::Invalid { field: "session", why: Invalid::Dates { from, to } });
    }
    Ok(())
}
