//! Demonstration data: meetings in several phases, and simulated participants.
//!
//! All changes go through the same commands as a client's; nothing writes to the database directly.

mod issues;
mod people;
mod publications;
mod questions;
mod reception;

use std::sync::Arc;

use chrono::TimeDelta;
use entities::{
    enums::{MeetingOrigin, MeetingPhase, ModerationMode, OutreachChannel, Platform, Stage},
    ids::MeetingId,
};

use crate::{
    app::{
        App, CommandError,
        meetings::{AddBroadcast, Announce, PlanMeeting, Title},
        reads::{MeetingFilter, PageRequest, Reads},
    },
    auth::{MintError, TokenRequest, mint},
    clock::Clock,
    config::{Environment, Settings},
    domain::viewer::{Grant, ImportRestriction, Person, Role, Viewer},
    graphql::node::GlobalId,
    service::Service,
};

/// The unit whose akim hosts the meetings.
const HOST: &str = "751110000";

/// Why the demonstration cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The database may be in real use.
    #[error(
        "the demonstration invents meetings and people: it runs neither in production nor where KEZDESU_JWKS is set"
    )]
    RealUse,
    /// A command failed.
    #[error("the demonstration's meetings cannot be made")]
    Command(#[from] CommandError),
    /// Tokens cannot be minted.
    #[error(transparent)]
    Tokens(#[from] MintError),
}

/// Checks that a demonstration is allowed, before anything is opened.
///
/// # Errors
/// In production, or when tokens are signed elsewhere.
pub fn check_allowed(settings: &Settings) -> Result<(), DemoError> {
    if settings.environment == Environment::Production || settings.jwks.is_some() {
        return Err(DemoError::RealUse);
    }
    Ok(())
}

/// Creates the meetings, starts the participants, and returns instructions for the user.
///
/// # Errors
/// When the meetings cannot be created or tokens cannot be minted.
pub async fn start(service: &Service, settings: &Settings, clock: Arc<dyn Clock>) -> Result<String, DemoError> {
    let app = service.app();
    let staff = viewer("demo-akimat", "Алмалы ауданының әкімдігі", &[Role::Akimat, Role::Moderator], Some(HOST));
    let Meetings { live, ending } = create_meetings(app, &staff).await?;
    issues::raise_all(app, &staff, live).await?;
    publications::publish_list(app, issues::AKIMAT).await?;
    service.lifecycle().spawn("demo reception", reception::run(Arc::clone(app), staff.clone(), ending));
    service.lifecycle().spawn("demo", people::run(Arc::clone(app), staff, live));
    let token = |subject: &str, roles: &[Role], region: Option<&str>| {
        let request = TokenRequest {
            subject: subject.to_owned(),
            name: subject.to_owned(),
            grants: grants(roles, region),
            imports: ImportRestriction::default(),
            ttl: TimeDelta::hours(8),
        };
        mint(settings, &request, clock.now())
    };
    let citizen = token("citizen", &[Role::Citizen], None)?;
    let moderator = token("moderator", &[Role::Moderator, Role::Akimat], Some(HOST))?;
    let (id, ending) = (GlobalId::Meeting(live).show(), GlobalId::Meeting(ending).show());
    let (address, id, ending) = (service.address(), id.as_str(), ending.as_str());
    Ok(format!(
        "Kezdesu demo\n\n  explorer   http://{address}/\n  endpoint   http://{address}/graphql  (WebSocket at the same path)\n  \
         operator   http://{}\n\nA meeting is live: {id}\n\nFollow its questions (paste into the explorer):\n\n  subscription {{\n    \
         comments(meetingId: \"{id}\") {{ seq prev kind comment {{ receipt body state votes }} }}\n  }}\n\n\
         Another meeting ends in a minute: {ending}\nIts reception opens then. Follow the queue:\n\n  subscription {{\n    \
         receptions(meetingId: \"{ending}\") {{ kind reception {{ waiting nowServing calls {{ ticket desk }} }} }}\n  }}\n\nIssues in every state were raised from its questions:\n\n  {{ issues {{ nodes {{ number title state deadline responsible {{ name }} }} }} }}\n\nWhat was published of them:\n\n  {{ publications {{ nodes {{ title {{ kk }} edition pageUrl jsonUrl }} }} }}\n\nFirst query:\n\n  \
         curl -s http://{address}/graphql -H 'content-type: application/json' \\\n    \
         -d '{{\"query\":\"{{ meeting(id: \\\"{id}\\\") {{ title {{ kk }} phase timeSplit {{ stage presentationMs budgetMs }} }} }}\"}}'\n\n\
         Tokens for 8 hours (header: Authorization: Bearer …):\n\n  CITIZEN\n  {citizen}\n\n  MODERATOR and AKIMAT of {HOST}\n  {moderator}\n\n\
         Ctrl-C ends it.\n",
        service.ops_address()
    ))
}

fn viewer(subject: &str, name: &str, roles: &[Role], region: Option<&str>) -> Viewer {
    Viewer::Person(Person {
        subject: subject.to_owned(),
        name: name.to_owned(),
        grants: grants(roles, region),
        imports: ImportRestriction::default(),
    })
}

/// Returns grants of these roles in one region.
fn grants(roles: &[Role], region: Option<&str>) -> Vec<Grant> {
    let region = region.and_then(|code| code.parse().ok());
    roles.iter().map(|role| Grant { role: *role, region, agency: None }).collect()
}

/// The live meetings of the demonstration.
struct Meetings {
    /// It goes on.
    live: MeetingId,
    /// It ends soon, and a reception opens.
    ending: MeetingId,
}

/// Creates four meetings: one planned, one announced, two live.
async fn create_meetings(app: &Arc<App>, staff: &Viewer) -> Result<Meetings, CommandError> {
    let plan = |kk: &str, ru: &str, days: i64| -> Option<PlanMeeting> {
        Some(PlanMeeting {
            region: HOST.parse().ok()?,
            host: HOST.parse().ok()?,
            title: Title { kk: kk.to_owned(), ru: Some(ru.to_owned()), en: None },
            origin: MeetingOrigin::Calendar,
            off_calendar_reason: None,
            venue: Some(Title {
                kk: "Мәдениет үйі".to_owned(), ru: Some("Дом культуры".to_owned()), en: None
            }),
            planned_start: app.clock.now() + TimeDelta::days(days) + TimeDelta::minutes(1),
            planned_minutes: 90,
            moderation: ModerationMode::Before,
        })
    };
    let announce = |meeting| Announce {
        meeting,
        channels: vec![OutreachChannel::OfficialSite, OutreachChannel::SocialNetworks],
        version: None,
    };
    let earlier = end_earlier(app, staff).await?;
    let mut live = Vec::new();
    for (kk, ru, days) in [
        ("Көктемгі кездесу", "Весенняя встреча", 60),
        ("Ауданның даму жоспары", "План развития района", 20),
        ("Әкімнің халықпен кездесуі", "Встреча акима с населением", 0),
        ("Тұрғын үй мәселелері", "Вопросы жилья", 0),
    ] {
        let Some(plan) = plan(kk, ru, days).filter(|_| days == 0 || !earlier) else { continue };
        let meeting = app.plan_meeting(staff, plan, None).await?.id;
        if days < 60 {
            app.announce_meeting(staff, announce(meeting)).await?;
        }
        if days == 0 {
            let url = "https://www.youtube.com/watch?v=demo".to_owned();
            let platform = Platform::Youtube;
            let add = AddBroadcast { meeting, platform, url, external_id: None, comments_enabled: true };
            app.add_broadcast(staff, add, None).await?;
            app.start_meeting(staff, meeting, Stage::Presentation).await?;
            live.push(meeting);
        }
    }
    match live[..] {
        [live, ending] => Ok(Meetings { live, ending }),
        _ => Err(CommandError::Forbidden),
    }
}

/// Ends the live meetings and receptions of an earlier run. Returns whether there was one.
async fn end_earlier(app: &Arc<App>, staff: &Viewer) -> Result<bool, CommandError> {
    let filter = MeetingFilter { host: HOST.parse().ok(), ..MeetingFilter::default() };
    let window = PageRequest { after: None, before: None, limit: 1000, backward: true };
    let rows = Reads::of_commands(app).meetings(&filter, &window).await?.rows;
    let earlier: Vec<_> = rows.into_iter().filter(|row| Some(row.created_by.as_str()) == staff.subject()).collect();
    for row in earlier.iter().filter(|row| row.phase == MeetingPhase::Live) {
        app.end_meeting(staff, row.id).await?;
    }
    let meetings: Vec<_> = earlier.iter().map(|row| row.id).collect();
    reception::cancel_earlier(app, staff, &meetings).await?;
    Ok(!earlier.is_empty())
}
