//! Puts together what an edition contains: only what the public sees.

use std::{collections::HashMap, sync::Arc};

use chrono::NaiveDate;
use entities::{enums::ReceptionState, ids::IssueId, issue, issue_report, meeting, reception};

use crate::{
    app::{
        App, CommandError,
        publications::{
            collect::{receptions, too_large},
            permit::PublicationPermit,
        },
    },
    clock::almaty_date,
    domain::{
        agencies::{Agency, AgencyDirectory},
        comment::receipt_text,
        global_id::{COMMENT, ISSUE, MEETING, typed_id},
        issues::Step,
        localized_name::LocalizedName,
        publications::{
            Content, FundingItem, IssueItem, MAX_CONTENT_BYTES, MeetingItem, NamedItem, NormItem, PeriodItem,
            PublicationSubject, QuestionItem, ReceptionItem, ReportItem, StepItem, Texts, title_of,
        },
        regions::RegionHistory,
    },
    store::{
        StoreError,
        published_issues::{BATCH, IssueSnapshot},
    },
};

/// The names by which units, bodies and categories are called at one moment.
struct Names<'a> {
    app: &'a App,
    regions: Arc<RegionHistory>,
    agencies: Arc<AgencyDirectory>,
    today: NaiveDate,
}

/// What belongs to the issues of a batch.
#[derive(Default)]
struct Parts {
    plans: HashMap<IssueId, Vec<Step>>,
    reports: HashMap<IssueId, Vec<issue_report::Model>>,
    questions: HashMap<IssueId, Vec<QuestionItem>>,
}

impl App {
    /// Returns what an edition would contain.
    ///
    /// # Errors
    /// Rejected when it would be too large.
    pub(super) async fn publication_content(
        &self,
        snapshot: &IssueSnapshot,
        permit: &PublicationPermit<'_>,
        ids: &[IssueId],
    ) -> Result<Content, CommandError> {
        let (regions, agencies) = (self.region_history.load_full(), self.agencies());
        let names = Names { app: self, regions, agencies, today: almaty_date(self.now()) };
        let mut content = head(permit, &names);
        let held = receptions(snapshot, permit).await?.into_iter();
        let held = held.filter(|row| matches!(row.state, ReceptionState::Closed | ReceptionState::Cancelled));
        content.receptions = held.map(reception_item).collect();
        let mut bytes = 0;
        for batch in ids.chunks(BATCH) {
            let mut parts = batch_parts(snapshot, permit, batch).await?;
            let rows = snapshot.issues(batch).await?;
            let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
            for row in batch.iter().filter_map(|id| rows.remove(id)) {
                let item = issue_item(row, &mut parts, &names);
                bytes += text_bytes(&item);
                content.issues.push(item);
            }
            if bytes > MAX_CONTENT_BYTES {
                return Err(too_large().into());
            }
        }
        Ok(content)
    }
}

/// Returns the content without receptions and issues.
fn head(permit: &PublicationPermit<'_>, names: &Names<'_>) -> Content {
    let subject = &permit.subject;
    let region = match subject {
        PublicationSubject::Progress(region, _) => Some(names.region(region.as_str())),
        PublicationSubject::MeetingResults(_) => {
            permit.meeting.as_ref().map(|meeting| names.region(&meeting.region_code))
        }
        _ => None,
    };
    let agency = match subject {
        PublicationSubject::AgencyList(agency, _) => Some(names.agency(agency)),
        _ => None,
    };
    let meeting = permit.meeting.as_ref().map(|row| meeting_item(row, names));
    let about = meeting.as_ref().map(|meeting| &meeting.title);
    let about = about.or(agency.as_ref().or(region.as_ref()).map(|named| &named.name)).cloned().unwrap_or_default();
    let period = subject.period().map(|period| PeriodItem {
        name: period.to_string(),
        from: period.first_day(),
        to: period.last_day(),
    });
    Content {
        title: title_of(subject, &LocalizedName { kk: about.kk, ru: about.ru, en: about.en }),
        norm: NormItem::of(subject.norm()),
        region,
        agency,
        meeting,
        period,
        receptions: Vec::new(),
        issues: Vec::new(),
    }
}

async fn batch_parts(
    snapshot: &IssueSnapshot,
    permit: &PublicationPermit<'_>,
    ids: &[IssueId],
) -> Result<Parts, StoreError> {
    let (contribution, period) = (permit.subject.contribution(), permit.subject.period());
    let mut parts = Parts::default();
    for (issue, step) in snapshot.plans(ids).await? {
        parts.plans.entry(issue).or_default().push(step);
    }
    if period.is_some() {
        let reports = snapshot.reports(ids).await?.into_iter();
        for report in reports.filter(|report| contribution.reports.contain(&report.quarter, period)) {
            parts.reports.entry(report.issue_id).or_default().push(report);
        }
    }
    if contribution.questions {
        for (issue, comment, receipt) in snapshot.questions(ids).await? {
            let question = QuestionItem { id: typed_id(COMMENT, comment.0), receipt: receipt_text(receipt) };
            parts.questions.entry(issue).or_default().push(question);
        }
    }
    Ok(parts)
}

impl Names<'_> {
    fn region(&self, code: &str) -> NamedItem {
        let unit = code.parse().ok().and_then(|code| self.regions.unit_on(code, self.today));
        let names = unit.and_then(|(tree, node)| tree.unit(node).map(|unit| unit.names.clone()));
        let name = names.map_or_else(
            || Texts { kk: code.to_owned(), ru: None, en: None },
            |names| Texts { kk: names.kk, ru: Some(names.ru), en: None },
        );
        NamedItem { code: code.to_owned(), name }
    }

    fn agency(&self, code: &str) -> NamedItem {
        let agency = self.agencies.get(code).cloned().unwrap_or_else(|| Arc::new(Agency::unknown(code)));
        NamedItem { code: code.to_owned(), name: Texts::from(&agency.names) }
    }

    fn category(&self, code: &str) -> NamedItem {
        let categories = self.app.issue_categories();
        let unknown = || Texts { kk: code.to_owned(), ru: None, en: None };
        let name = categories.get(code).map_or_else(unknown, |category| Texts::from(&category.names));
        NamedItem { code: code.to_owned(), name }
    }
}

fn meeting_item(row: &meeting::Model, names: &Names<'_>) -> MeetingItem {
    MeetingItem {
        id: typed_id(MEETING, row.id.0),
        title: Texts { kk: row.title_kk.clone(), ru: row.title_ru.clone(), en: row.title_en.clone() },
        host: names.region(&row.host_code),
        planned_start: row.planned_start,
        started_at: row.started_at,
        ended_at: row.ended_at,
    }
}

fn reception_item(row: reception::Model) -> ReceptionItem {
    ReceptionItem {
        place: Texts { kk: row.place_kk, ru: row.place_ru, en: row.place_en },
        starts_at: row.starts_at,
        ends_at: row.closed_at.unwrap_or(row.ends_at),
        state: row.state.as_str().to_owned(),
    }
}

/// Returns what the public sees of an issue: not who raised it, and the description as far as it was released.
fn issue_item(row: issue::Model, parts: &mut Parts, names: &Names<'_>) -> IssueItem {
    let funding = row.funding_decision.map(|decision| FundingItem {
        decision: decision.as_str().to_owned(),
        needed: row.funding_needed.unwrap_or_default().to_string(),
        session: row.funding_session,
        source: row.funding_source,
    });
    let steps = parts.plans.remove(&row.id).unwrap_or_default().into_iter();
    let reports = parts.reports.remove(&row.id).unwrap_or_default().into_iter();
    IssueItem {
        id: typed_id(ISSUE, row.id.0),
        title: row.title,
        description: row.released_description,
        language: row.language.as_str().to_owned(),
        category: names.category(&row.category),
        region: names.region(&row.region_code),
        level: row.level.as_str().to_owned(),
        state: row.state.as_str().to_owned(),
        responsible: row.responsible.as_deref().map(|code| names.agency(code)),
        deadline: row.deadline,
        plan: steps.map(|step| step_item(step, names)).collect(),
        funding,
        reports: reports.map(report_item).collect(),
        resolution: row.resolution,
        questions: parts.questions.remove(&row.id).unwrap_or_default(),
        number: row.number,
    }
}

fn step_item(step: Step, names: &Names<'_>) -> StepItem {
    let executor = names.agency(&step.executor);
    StepItem { action: step.action, executor, due: step.due, done_at: step.done_at }
}

fn report_item(report: issue_report::Model) -> ReportItem {
    ReportItem { quarter: report.quarter, text: report.text, percent: report.percent }
}

/// Returns the size of the long texts of an issue.
fn text_bytes(item: &IssueItem) -> usize {
    let steps: usize = item.plan.iter().map(|step| step.action.len()).sum();
    let reports: usize = item.reports.iter().map(|report| report.text.len()).sum();
    let texts = [&item.description, &item.resolution].into_iter().flatten().map(String::len);
    item.title.len() + steps + reports + texts.sum::<usize>()
}
