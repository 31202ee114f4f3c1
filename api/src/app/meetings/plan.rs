//! Plans a meeting.

use chrono::{DateTime, Utc};
use entities::{
    enums::{MeetingOrigin, MeetingPhase, ModerationMode},
    ids::MeetingId,
    kato::KatoCode,
    meeting,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        input::{Title, check_range, checked_text},
        meetings::{check_planned_start, meeting_event},
        rejection::{DecreeViolation, Invalid},
    },
    clock::almaty_date,
    domain::{
        comment_events::comment_feed,
        meeting::{MAX_PLANNED_MINUTES, MAX_REASON_LENGTH, MAX_TITLE_LENGTH, MIN_PLANNED_MINUTES},
        meeting_events::{PLANNED, meeting_feed},
        normalization::{self, normalize_for_search},
        norms::paragraph,
        policy::{self, authorize},
        regions::covers_as_host,
        text::is_blank,
        viewer::Viewer,
    },
};

/// A meeting to plan.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PlanMeeting {
    /// The unit where it is held.
    pub region: KatoCode,
    /// The unit whose akim holds it.
    pub host: KatoCode,
    /// The title.
    pub title: Title,
    /// From the calendar or outside it.
    pub origin: MeetingOrigin,
    /// Reason for a meeting outside the calendar.
    pub off_calendar_reason: Option<String>,
    /// The venue.
    pub venue: Option<Title>,
    /// Planned start.
    pub planned_start: DateTime<Utc>,
    /// Planned length in minutes.
    pub planned_minutes: i32,
    /// When comments become public.
    pub moderation: ModerationMode,
}

impl App {
    /// Plans a meeting in a unit that the host's akim covers (p. 2.1), from the calendar or outside it (p. 3.1).
    ///
    /// # Errors
    /// Rejected when a field of the plan breaks a rule.
    pub async fn plan_meeting(
        &self,
        viewer: &Viewer,
        plan: PlanMeeting,
        key: Option<&str>,
    ) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let person = authorize::<policy::PlanMeeting>(viewer, &self.host_scope(plan.host))?.person;
        let key = idempotency_key(&person.subject, "planMeeting", key, &plan)?;
        let id = MeetingId(self.ids.next(now));
        let validated = self.validate_plan(id, &plan, &person.subject, now);
        let mut tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key.as_ref(), id.0, now).await? {
            let first = tx.lock_meeting(MeetingId(first)).await?;
            return first.ok_or_else(|| Rejection::NotFound { field: "idempotencyKey" }.into());
        }
        // Validated only now, because a repeat succeeds even if the plan would be rejected today.
        let row = validated?;
        self.remember_staff(&tx, viewer, &self.host_scope(plan.host)).await?;
        tx.insert_meeting(row.clone()).await?;
        tx.create_feed(&comment_feed(row.id)).await?;
        let event = meeting_event(&row, PLANNED, Some(&person.subject));
        tx.record(meeting_feed(), now, &[event]).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    fn validate_plan(
        &self,
        id: MeetingId,
        plan: &PlanMeeting,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<meeting::Model, CommandError> {
        let title = plan.title.checked("title", MAX_TITLE_LENGTH)?;
        let venue = plan.venue.as_ref().map(|venue| venue.checked("venue", MAX_TITLE_LENGTH)).transpose()?;
        check_range("plannedMinutes", plan.planned_minutes, MIN_PLANNED_MINUTES, MAX_PLANNED_MINUTES)?;
        check_planned_start(plan.planned_start, now)?;
        let off_calendar_reason = off_calendar_reason(plan)?;
        self.check_coverage(plan)?;
        let texts: Vec<&str> = title.texts().chain(venue.iter().flat_map(Title::texts)).collect();
        let search = normalize_for_search(&texts.join(" "));
        let (venue_kk, venue_ru, venue_en) = venue.map_or((None, None, None), |v| (Some(v.kk), v.ru, v.en));
        Ok(meeting::Model {
            id,
            region_code: plan.region.to_string(),
            host_code: plan.host.to_string(),
            title_kk: title.kk,
            title_ru: title.ru,
            title_en: title.en,
            search,
            normalization_version: normalization::VERSION,
            origin: plan.origin,
            off_calendar_reason,
            venue_kk,
            venue_ru,
            venue_en,
            planned_start: plan.planned_start,
            planned_minutes: plan.planned_minutes,
            phase: MeetingPhase::Planned,
            announced_at: None,
            date_announced_at: None,
            channels: "[]".to_owned(),
            reschedule_reason: None,
            cancel_reason: None,
            started_at: None,
            ended_at: None,
            moderation: plan.moderation,
            slow_mode_seconds: 0,
            accepting_comments: true,
            blocked_words: Some("[]".to_owned()),
            last_receipt: 0,
            warned_at: None,
            exceeded_at: None,
            created_by: subject.to_owned(),
            created_at: now,
            version: 1,
        })
    }

    fn check_coverage(&self, plan: &PlanMeeting) -> Result<(), Rejection> {
        // By the tree in force today, because future units are unknown.
        let tree = self.tree();
        let unknown = |field| Rejection::Invalid { field, why: Invalid::UnknownRegion };
        let host = tree.get(plan.host).and_then(|node| tree.unit(node)).ok_or_else(|| unknown("host"))?;
        tree.get(plan.region).ok_or_else(|| unknown("region"))?;
        if !host.has_akim {
            return Err(Rejection::Invalid { field: "host", why: Invalid::NoAkim });
        }
        let norms = self.norms.in_force(almaty_date(plan.planned_start));
        if covers_as_host(&tree, norms, plan.host, plan.region) {
            return Ok(());
        }
        Err(Rejection::Decree { field: "region", norm: paragraph::COVERAGE, why: DecreeViolation::NotCovered })
    }
}

fn off_calendar_reason(plan: &PlanMeeting) -> Result<Option<String>, CommandError> {
    let given = plan.off_calendar_reason.as_deref().filter(|reason| !is_blank(reason));
    match (plan.origin, given) {
        (MeetingOrigin::OffCalendar, None) => {
            let (field, norm) = ("offCalendarReason", paragraph::OFF_CALENDAR);
            Err(Rejection::Decree { field, norm, why: DecreeViolation::NoReason }.into())
        }
        (_, given) => given.map(|reason| checked_text("offCalendarReason", reason, MAX_REASON_LENGTH)).transpose(),
    }
}
