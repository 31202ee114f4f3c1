//! Simulated citizens who ask at a human pace, and a moderator.

use std::sync::Arc;

use chrono::TimeDelta;
use entities::{
    comment,
    enums::{CommentKind, CommentState, Language, Stage},
    ids::MeetingId,
};

use crate::{
    app::{
        App, CommandError,
        questions::{Moderate, Moderation, PostComment, PostOptions},
        reads::{CommentFilter, CommentOrder, PageRequest, Reads},
    },
    clock::sleep,
    demo::{questions::QUESTIONS, viewer},
    domain::viewer::{Role, Viewer},
};

/// Interval between steps.
const STEP_INTERVAL: TimeDelta = TimeDelta::milliseconds(2500);
/// Number of steps before the meeting switches to questions.
const PRESENTATION_STEPS: u64 = 24;

/// Simulates participants of a live meeting until the service stops.
pub(in crate::demo) async fn run(app: Arc<App>, staff: Viewer, meeting: MeetingId) {
    for index in 0_u64.. {
        sleep(app.clock.as_ref(), STEP_INTERVAL).await;
        // Rejections are expected: a user may have closed the meeting to questions.
        if let Err(error @ CommandError::Store(_)) = step(&app, &staff, meeting, index).await {
            tracing::warn!(%error, "a step of the demonstration failed");
        }
    }
}

async fn step(app: &Arc<App>, staff: &Viewer, meeting: MeetingId, index: u64) -> Result<(), CommandError> {
    if index == PRESENTATION_STEPS {
        app.set_stage(staff, meeting, Stage::Questions).await?;
    }
    match index % 4 {
        0 | 2 => ask(app, meeting, index / 2).await,
        1 => approve(app, staff, meeting, index).await,
        _ if index > PRESENTATION_STEPS => answer(app, staff, meeting).await,
        _ => vote(app, staff, meeting, index).await,
    }
}

async fn ask(app: &Arc<App>, meeting: MeetingId, turn: u64) -> Result<(), CommandError> {
    let count = QUESTIONS.len().max(1);
    let index = usize::try_from(turn).unwrap_or_default();
    let Some((name, language, body)) = QUESTIONS.get(index % count) else { return Ok(()) };
    let language = if *language == "kk" { Language::Kk } else { Language::Ru };
    // A duplicate question would be rejected.
    let body = if index < count { (*body).to_owned() } else { format!("{body} ({})", index / count + 1) };
    let (kind, language) = (CommentKind::Question, Some(language));
    let post = PostComment { meeting, body, kind, language, author_name: None };
    let author = viewer(&format!("demo-{}", index % count), name, &[Role::Citizen], None);
    app.post_comment(&author, post, PostOptions { key: None, language: Language::Kk }).await?;
    Ok(())
}

async fn approve(app: &Arc<App>, staff: &Viewer, meeting: MeetingId, index: u64) -> Result<(), CommandError> {
    let waiting = comments_in(app, staff, meeting, CommentState::Pending, CommentOrder::Oldest).await?;
    let Some(oldest) = waiting.first() else { return Ok(()) };
    let (action, reason) = if index % 28 == 13 {
        (Moderation::Reject, Some("Сұрақ кездесу тақырыбына қатысты емес".to_owned()))
    } else {
        (Moderation::Approve, None)
    };
    app.moderate_comments(staff, Moderate { comments: vec![oldest.id], action, reason }).await?;
    Ok(())
}

async fn answer(app: &Arc<App>, staff: &Viewer, meeting: MeetingId) -> Result<(), CommandError> {
    if let Some(selected) =
        comments_in(app, staff, meeting, CommentState::Selected, CommentOrder::Oldest).await?.first()
    {
        app.answer_comment(staff, selected.id, Some("Жауап тікелей эфирде берілді.")).await?;
    }
    if let Some(next) =
        comments_in(app, staff, meeting, CommentState::Published, CommentOrder::MostVoted).await?.first()
    {
        app.select_comment(staff, next.id).await?;
    }
    Ok(())
}

async fn vote(app: &Arc<App>, staff: &Viewer, meeting: MeetingId, index: u64) -> Result<(), CommandError> {
    let voter = viewer(&format!("demo-voter-{index}"), "Тұрғын", &[Role::Citizen], None);
    for comment in comments_in(app, staff, meeting, CommentState::Published, CommentOrder::Newest).await?.iter().take(2)
    {
        app.vote_comment(&voter, comment.id, true).await?;
    }
    Ok(())
}

async fn comments_in(
    app: &Arc<App>,
    staff: &Viewer,
    meeting: MeetingId,
    state: CommentState,
    order: CommentOrder,
) -> Result<Vec<comment::Model>, CommandError> {
    let filter = CommentFilter { states: Some(vec![state]), order, ..CommentFilter::default() };
    let window = PageRequest { after: None, before: None, limit: 5, backward: false };
    let reads = Reads::of_commands(app);
    let Some(meeting) = reads.meetings_by_id(&[meeting]).await?.pop() else { return Ok(Vec::new()) };
    Ok(reads.comments(staff, &meeting, &filter, &window).await?.rows)
}
