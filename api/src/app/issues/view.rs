//! What webhooks send of issues.

use std::collections::HashMap;

use entities::{ids::IssueId, issue};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, issues::own_deadline},
    clock::almaty_date,
    domain::{
        global_id::{ISSUE, MEETING, typed_id},
        issues::{Step, is_overdue},
    },
    store::{StoreError, issue_parts::QuarterReport},
};

impl App {
    /// Returns issues as JSON, with the names of the public API. Those that `sees_internals` selects have their description, the
    /// others the released one.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::app) async fn issue_views(
        &self,
        ids: &[Uuid],
        sees_internals: impl Fn(&issue::Model) -> bool,
    ) -> Result<HashMap<Uuid, Value>, StoreError> {
        let ids: Vec<_> = ids.iter().copied().map(IssueId).collect();
        let rows = self.store.issues_by_id(&ids).await?;
        let (mut plans, mut reports): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = (HashMap::new(), HashMap::new());
        for (issue, step) in self.store.plans(&ids).await? {
            plans.entry(issue).or_default().push(step_view(&step));
        }
        for report in self.store.issue_reports(&ids).await? {
            reports.entry(report.row.issue_id).or_default().push(report_view(&report));
        }
        let view = |row: &issue::Model| {
            let [plan, progress] = [&mut plans, &mut reports].map(|of| of.remove(&row.id).unwrap_or_default());
            (row.id.0, self.view(row, sees_internals(row), (plan, progress)))
        };
        Ok(rows.iter().map(view).collect())
    }

    fn view(&self, row: &issue::Model, sees_internals: bool, (plan, progress): (Vec<Value>, Vec<Value>)) -> Value {
        let released = row.released_description.as_deref().unwrap_or_default();
        let funding = row.funding_decision.map(|decision| {
            json!({
                "decision": decision.as_str(), "needed": row.funding_needed.unwrap_or_default().to_string(),
                "session": row.funding_session, "source": row.funding_source,
            })
        });
        json!({
            "id": typed_id(ISSUE, row.id.0), "number": row.number, "title": row.title,
            "description": if sees_internals { &row.description } else { released },
            "category": row.category, "language": row.language.as_str(), "region": row.region_code,
            "meetingId": row.meeting_id.map(|id| typed_id(MEETING, id.0)), "level": row.level.as_str(),
            "state": row.state.as_str(), "responsible": row.responsible, "deadline": row.deadline,
            "overdue": is_overdue(row.state, own_deadline(row), almaty_date(self.now())), "funding": funding,
            "resolution": row.resolution, "mergedInto": row.merged_into.map(|id| typed_id(ISSUE, id.0)),
            "plan": plan, "progress": progress, "createdAt": row.created_at, "updatedAt": row.updated_at, "version": row.version,
        })
    }
}

fn step_view(step: &Step) -> Value {
    json!({ "action": step.action, "executor": step.executor, "due": step.due, "doneAt": step.done_at })
}

fn report_view(QuarterReport { row: report, previous_percent }: &QuarterReport) -> Value {
    json!({
        "quarter": report.quarter, "text": report.text, "percent": report.percent,
        "previousPercent": previous_percent, "reportedAt": report.reported_at, "reportedBy": report.reported_by,
    })
}
