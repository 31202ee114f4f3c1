//! The feeds of the service.

use std::sync::Arc;

use crate::{
    app::{
        App, issues::IssueTopic, meetings::MeetingTopic, notifications::NotificationTopic, questions::CommentTopic,
        receptions::ReceptionTopic,
    },
    feed::Topics,
};

/// Registers every topic.
#[must_use]
pub fn topics(app: &Arc<App>) -> Topics {
    Topics::default()
        .with(CommentTopic(Arc::clone(app)))
        .with(MeetingTopic(app.store.clone()))
        .with(NotificationTopic(app.store.clone()))
        .with(ReceptionTopic(Arc::clone(app)))
        .with(IssueTopic(Arc::clone(app)))
}
