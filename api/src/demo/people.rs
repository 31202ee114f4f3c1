//! Citizens who ask at a human pace, and a moderator who keeps up.

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
    },
    clock::sleep,
    demo::{questions::QUESTIONS, viewer},
    domain::{
        policy::CommentScope,
        viewer::{Role, Viewer},
    },
    store::{
        comments::{CommentFilter, CommentOrder},
        keyset::PageRequest,
    },
};

/// How often something happens.
const PACE: TimeDelta = TimeDelta::milliseconds(2500);
/// After how many happenings the presentation gives way to questions.
const PRESENTATION: u64 = 24;

/// Brings a live meeting to life, until the service ends.
pub(in crate::demo) async fn come(app: Arc<App>, staff: Viewer, meeting: MeetingId) {
    for step in 0_u64.. {
        sleep(app.clock.as_ref(), PACE).await;
        // A refusal is part of life: somebody may have closed the floor.
        if let Err(error @ CommandError::Store(_)) = happen(&app, &staff, meeting, step).await {
            tracing::warn!(%error, "the demonstration stumbles");
        }
    }
}

async fn happen(app: &Arc<App>, staff: &Viewer, meeting: MeetingId, step: u64) -> Result<(), CommandError> {
    if step == PRESENTATION {
        app.set_stage(staff, meeting, Stage::Questions).await?;
    }
    match step % 4 {
        0 | 2 => ask(app, meeting, step / 2).await,
        1 => approve(app, staff, meeting, step).await,
        _ if step > PRESENTATION => answer(app, staff, meeting).await,
        _ => vote(app, meeting, step).await,
    }
}

async fn ask(app: &Arc<App>, meeting: MeetingId, turn: u64) -> Result<(), CommandError> {
    let round = QUESTIONS.len().max(1);
    let index = usize::try_from(turn).unwrap_or_default();
    let Some((name, language, body)) = QUESTIONS.get(index % round) else { return Ok(()) };
    let language = if *language == "kk" { Language::Kk } else { Language::Ru };
    // The same question again would be refused, and rightly.
    let body = if index < round { (*body).to_owned() } else { format!("{body} ({})", index / round + 1) };
    let (kind, language) = (CommentKind::Question, Some(language));
    let post = PostComment { meeting, body, kind, language, author_name: None };
    let author = viewer(&format!("demo-{}", index % round), name, &[Role::Citizen], None);
    app.post_comment(&author, post, PostOptions { key: None, language: Language::Kk }).await?;
    Ok(())
}

async fn approve(app: &Arc<App>, staff: &Viewer, meeting: MeetingId, step: u64) -> Result<(), CommandError> {
    let waiting = some(app, meeting, CommentState::Pending, CommentOrder::Oldest).await?;
    let Some(oldest) = waiting.first() else { return Ok(()) };
    let (action, reason) = if step % 28 == 13 {
        (Moderation::Reject, Some("Сұрақ кездесу тақырыбына қатысты емес".to_owned()))
    } else {
        (Moderation::Approve, None)
    };
    app.moderate_comments(staff, Moderate { comments: vec![oldest.id], action, reason }).await?;
    Ok(())
}

async fn answer(app: &Arc<App>, staff: &Viewer, meeting: MeetingId) -> Result<(), CommandError> {
    if let Some(selected) = some(app, meeting, CommentState::Selected, CommentOrder::Oldest).await?.first() {
        app.answer_comment(staff, selected.id, Some("Жауап тікелей эфирде берілді.")).await?;
    }
    if let Some(next) = some(app, meeting, CommentState::Published, CommentOrder::MostVoted).await?.first() {
        app.select_comment(staff, next.id).await?;
    }
    Ok(())
}

async fn vote(app: &Arc<App>, meeting: MeetingId, step: u64) -> Result<(), CommandError> {
    let voter = viewer(&format!("demo-voter-{step}"), "Тұрғын", &[Role::Citizen], None);
    for comment in some(app, meeting, CommentState::Published, CommentOrder::Newest).await?.iter().take(2) {
        app.vote_comment(&voter, comment.id, true).await?;
    }
    Ok(())
}

async fn some(
    app: &Arc<App>,
    meeting: MeetingId,
    state: CommentState,
    order: CommentOrder,
) -> Result<Vec<comment::Model>, CommandError> {
    let filter = CommentFilter { states: Some(vec![state]), order, ..CommentFilter::default() };
    let window = PageRequest { after: None, before: None, limit: 5, backward: false };
    Ok(app.store.comments(meeting, &CommentScope::Everything, &filter, &window).await?.rows)
}
