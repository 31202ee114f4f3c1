//! What is published of the meetings and issues of the demonstration, as far as nothing is missing.

use std::sync::Arc;

use entities::{enums::PublicationKind, ids::MeetingId};

use crate::{
    app::{App, CommandError, publications::PublishPublication},
    clock::almaty_date,
    domain::{
        period::Period,
        publications::WantedPublication,
        viewer::{Grant, ImportRestriction, Person, Role, Viewer},
    },
};

/// Publishes the list of a body whose issues all have plans or outcomes (p. 5.3).
///
/// # Errors
/// When the database fails.
pub(in crate::demo) async fn publish_list(app: &Arc<App>, agency: &str) -> Result<(), CommandError> {
    let viewer = Viewer::Person(Person {
        subject: "demo-agency".to_owned(),
        name: "Жауапты орган".to_owned(),
        grants: vec![Grant { role: Role::Agency, region: None, agency: Some(agency.to_owned()) }],
        imports: ImportRestriction::default(),
    });
    let wanted = WantedPublication {
        kind: PublicationKind::AgencyList,
        region: None,
        agency: Some(agency.to_owned()),
        meeting: None,
        period: Some(Period::quarter_of(almaty_date(app.clock.now()))),
    };
    publish(app, &viewer, wanted).await
}

/// Publishes the results of a meeting, if its issues and receptions allow it (p. 3.5).
///
/// # Errors
/// When the database fails.
pub(in crate::demo) async fn publish_results(
    app: &Arc<App>,
    staff: &Viewer,
    meeting: MeetingId,
) -> Result<(), CommandError> {
    let kind = PublicationKind::MeetingResults;
    let wanted = WantedPublication { kind, region: None, agency: None, meeting: Some(meeting), period: None };
    publish(app, staff, wanted).await
}

async fn publish(app: &Arc<App>, viewer: &Viewer, wanted: WantedPublication) -> Result<(), CommandError> {
    match app.publish(viewer, &PublishPublication { wanted, placements: Vec::new() }, None).await {
        // An earlier run may have published the same, or left something open.
        Ok(_) | Err(CommandError::Rejected(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
