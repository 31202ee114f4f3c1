//! Issues in every state, raised from questions of the live meeting.

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use entities::{
    enums::{CommentKind, FundingDecision, IssueLevel, IssueState, Language},
    ids::{IssueId, MeetingId},
};

use crate::{
    app::{
        App, CommandError,
        issues::{AssignIssue, FundingInput, RaiseIssue, ReportProgress, SourceId},
        questions::{PostComment, PostOptions},
    },
    clock::almaty_date,
    demo::{HOST, viewer},
    domain::{
        issues::{Quarter, WantedStep},
        viewer::{Role, Viewer},
    },
};

/// Question, title, category, and the state that the issue is brought into.
const ISSUES: [(&str, &str, &str, IssueState); 5] = [
    (
        "Абай көшесінде су құбыры жиі жарылады, қашан ауыстырылады?",
        "Абай көшесіндегі су құбыры",
        "water-supply",
        IssueState::InProgress,
    ),
    (
        "Мектеп жанында жаяу жүргіншілер өткелі керек.",
        "Мектеп жанындағы өткел",
        "roads-transport",
        IssueState::Resolved,
    ),
    ("Емханада балалар дәрігері жоқ.", "Балалар дәрігерінің жетіспеуі", "health", IssueState::Assigned),
    (
        "Жеке гараж алдындағы жолды жөндеп беріңіздер.",
        "Жеке гараж алдындағы жол",
        "roads-transport",
        IssueState::Declined,
    ),
    ("Аулада балалар ойын алаңы ескірген.", "Ауладағы ойын алаңы", "housing", IssueState::Registered),
];
/// The bodies that become responsible.
pub(in crate::demo) const AKIMAT: &str = "akimat-750000000";
const MINISTRY: &str = "min-health";

/// Raises the issues.
///
/// # Errors
/// When a command fails.
pub(in crate::demo) async fn raise_all(app: &Arc<App>, staff: &Viewer, meeting: MeetingId) -> Result<(), CommandError> {
    for (index, (question, title, category, state)) in ISSUES.into_iter().enumerate() {
        let author = viewer(&format!("demo-author-{index}"), "Тұрғын", &[Role::Citizen], None);
        let (kind, language) = (CommentKind::Question, Some(Language::Kk));
        let post = PostComment { meeting, body: question.to_owned(), kind, language, author_name: None };
        let comment = app.post_comment(&author, post, PostOptions { key: None, language: Language::Kk }).await?;
        let Ok(region) = HOST.parse() else { return Ok(()) };
        let raise = RaiseIssue {
            region,
            meeting: Some(meeting),
            sources: vec![SourceId::Comment(comment.id)],
            title: title.to_owned(),
            description: question.to_owned(),
            category: category.to_owned(),
            language: Language::Kk,
            level: IssueLevel::Local,
        };
        let issue = app.raise_issue(staff, &raise, None).await?;
        app.release_description(staff, issue.id, question, None).await?;
        bring_into(app, staff, issue.id, state).await?;
    }
    Ok(())
}

async fn bring_into(app: &Arc<App>, staff: &Viewer, id: IssueId, state: IssueState) -> Result<(), CommandError> {
    let today = almaty_date(app.clock.now());
    if state == IssueState::Declined {
        app.decline_issue(staff, id, "Жекеменшік аумақ: бюджет қаражаты жұмсалмайды.", None).await?;
        return Ok(());
    }
    if state == IssueState::Registered {
        return Ok(());
    }
    let agency = if state == IssueState::Assigned { MINISTRY } else { AKIMAT };
    let deadline = in_days(today, 120);
    let assign = AssignIssue { issue: id, agency: agency.to_owned(), level: None, deadline, version: None };
    app.assign_issue(staff, assign).await?;
    match state {
        IssueState::InProgress => plan_and_report(app, staff, id, today).await,
        IssueState::Resolved => app.resolve_issue(staff, id, "Өткел салынды.", None).await.map(drop),
        _ => Ok(()),
    }
}

async fn plan_and_report(app: &Arc<App>, staff: &Viewer, id: IssueId, today: NaiveDate) -> Result<(), CommandError> {
    let step = |action: &str, days: u64| WantedStep {
        action: action.to_owned(),
        executor: AKIMAT.to_owned(),
        due: in_days(today, days),
    };
    app.plan_issue(staff, id, &[step("Жобаны дайындау", 30), step("Құбырды ауыстыру", 110)], None).await?;
    let funding = FundingInput {
        needed: 48_000_000,
        session: today,
        decision: FundingDecision::Funded,
        source: Some("Қала бюджеті".to_owned()),
    };
    app.decide_funding(staff, id, &funding, None).await?;
    let report = ReportProgress {
        issue: id,
        quarter: Quarter::of(today).to_string(),
        text: "Жоба дайындалып жатыр.".to_owned(),
        percent: 15,
    };
    app.report_progress(staff, &report, None).await.map(drop)
}

fn in_days(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(day)
}
