//! A meeting that ends soon, and the reception after it: simulated visitors, and desks that call them.

use std::sync::Arc;

use chrono::TimeDelta;
use entities::{
    enums::{Language, ReceptionHostRole, ReceptionState, RegistrationState},
    ids::{MeetingId, ReceptionId, RegistrationId},
};

use crate::{
    app::{
        App, CommandError,
        meetings::Title,
        reads::{PageRequest, Reads},
        receptions::{OpenReception, ReceptionHost, Register, RegisterWalkIn, UpdateReception, Visit},
    },
    clock::sleep,
    demo::{publications::publish_results, questions::QUESTIONS, viewer},
    domain::viewer::{Role, Viewer},
};

/// How long the meeting goes on.
const MEETING_LENGTH: TimeDelta = TimeDelta::seconds(60);
/// Interval between steps.
const STEP_INTERVAL: TimeDelta = TimeDelta::seconds(4);
/// Length of the reception.
const RECEPTION_LENGTH: TimeDelta = TimeDelta::hours(2);
/// Number of desks.
const DESKS: i32 = 2;

/// Ends the meeting, opens its reception, and simulates visitors until the service stops or the reception is over.
pub(in crate::demo) async fn run(app: Arc<App>, staff: Viewer, meeting: MeetingId) {
    sleep(app.clock.as_ref(), MEETING_LENGTH).await;
    let reception = match open(&app, &staff, meeting).await {
        Ok(reception) => reception,
        Err(error) => return tracing::warn!(%error, "the reception of the demonstration does not open"),
    };
    let steps = RECEPTION_LENGTH.num_seconds() / STEP_INTERVAL.num_seconds();
    for step in 0..steps {
        sleep(app.clock.as_ref(), STEP_INTERVAL).await;
        // Rejections are expected: nobody may be due, and a user may have closed the reception.
        if let Err(error @ CommandError::Store(_)) = visit(&app, &staff, reception, step).await {
            tracing::warn!(%error, "a step of the demonstration failed");
        }
    }
    let published = async {
        app.close_reception(&staff, reception, None).await?;
        publish_results(&app, &staff, meeting).await
    };
    if let Err(error @ CommandError::Store(_)) = published.await {
        tracing::warn!(%error, "the results of the demonstration are not published");
    }
}

/// Cancels the receptions of an earlier run, whose host is free then.
pub(in crate::demo) async fn cancel_earlier(
    app: &Arc<App>,
    staff: &Viewer,
    meetings: &[MeetingId],
) -> Result<(), CommandError> {
    for row in Reads::of_commands(app).receptions_of(staff, meetings).await? {
        if matches!(row.state, ReceptionState::Open | ReceptionState::Running) {
            let cancel = UpdateReception {
                reception: row.id,
                place: None,
                starts_at: None,
                ends_at: None,
                slot_minutes: None,
                desks: None,
                hosts: None,
                open: None,
                cancel_reason: Some("Демонстрация аяқталды".to_owned()),
                version: None,
            };
            app.update_reception(staff, cancel).await?;
        }
    }
    Ok(())
}

async fn open(app: &Arc<App>, staff: &Viewer, meeting: MeetingId) -> Result<ReceptionId, CommandError> {
    app.end_meeting(staff, meeting).await?;
    let starts_at = app.clock.now();
    let host =
        ReceptionHost {
            role: ReceptionHostRole::Akim, name: "Алмалы ауданының әкімі".to_owned(), position: None
        };
    let open = OpenReception {
        meeting,
        place: Title {
            kk: "Мәдениет үйі, 2-қабат".to_owned(), ru: Some("Дом культуры, 2 этаж".to_owned()), en: None
        },
        starts_at,
        ends_at: starts_at + RECEPTION_LENGTH,
        slot_minutes: 1,
        desks: DESKS,
        hosts: vec![host],
        open: true,
    };
    Ok(app.open_reception(staff, open, None).await?.id)
}

async fn visit(app: &Arc<App>, staff: &Viewer, reception: ReceptionId, step: i64) -> Result<(), CommandError> {
    let index = usize::try_from(step).unwrap_or_default();
    let Some((name, language, topic)) = QUESTIONS.get(index % QUESTIONS.len().max(1)) else { return Ok(()) };
    let (name, topic) = ((*name).to_owned(), (*topic).to_owned());
    let language = if *language == "kk" { Language::Kk } else { Language::Ru };
    let phone = format!("+7701{:07}", step % 10_000_000);
    match step % 8 {
        0 | 2 | 4 => {
            let register = Register {
                reception,
                topic,
                name,
                phone,
                iin: None,
                language,
                slot_starts_at: None,
                wait_if_full: true,
            };
            let visitor = viewer(&format!("demo-visitor-{step}"), "Тұрғын", &[Role::Citizen], None);
            app.register(&visitor, register, None).await?;
        }
        6 => {
            let walk_in = RegisterWalkIn { reception, topic, name, phone: None, iin: None, language };
            app.register_walk_in(staff, walk_in, None).await?;
        }
        turn => {
            let desk = if turn % 4 == 1 { 1 } else { DESKS };
            serve(app, staff, reception, desk).await?;
        }
    }
    Ok(())
}

/// Ends the visit at a desk, and calls the next person to it.
async fn serve(app: &Arc<App>, staff: &Viewer, reception: ReceptionId, desk: i32) -> Result<(), CommandError> {
    if let Some(current) = called_to(app, staff, reception, desk).await? {
        let visit =
            Visit { outcome: "Түсіндірме берілді.".to_owned(), served: true, raise_issue: None };
        app.close_registration(staff, current, &visit).await?;
    }
    app.call_next(staff, reception, desk).await?;
    Ok(())
}

async fn called_to(
    app: &Arc<App>,
    staff: &Viewer,
    reception: ReceptionId,
    desk: i32,
) -> Result<Option<RegistrationId>, CommandError> {
    let reads = Reads::of_commands(app);
    let Some(row) = reads.receptions_by_id(staff, &[reception]).await?.pop() else { return Ok(None) };
    let newest = PageRequest { after: None, before: None, limit: 1_000, backward: true };
    let rows = reads.registrations(staff, &row, &newest).await?.rows;
    let at_desk = rows.iter().find(|row| row.state == RegistrationState::Called && row.call_desk == Some(desk));
    Ok(at_desk.map(|row| row.id))
}
