//! Tests of the permission matrix.

use super::*;

#[test]
fn the_permission_matrix_is_as_reviewed() {
    let code = |text: &str| text.parse::<KatoCode>().unwrap();
    let ancestors = vec![code("100000000"), code("103200000")];
    let scope = HostScope { host: code("103230000"), ancestors };
    let expected = "\
meeting.plan: Akimat(here,above) Admin
meeting.announce: Akimat(here,above) Admin
meeting.reschedule: Akimat(here,above) Admin
meeting.cancel: Akimat(here,above) Admin
meeting.add_broadcast: Akimat(here,above) Admin
meeting.run: Moderator(here,above) Akimat(here,above) Admin
meeting.set_moderation: Moderator(here,above) Admin
meeting.see_settings: Moderator(here,above) Akimat(here,above) Administration Admin
comment.post: Citizen Admin
comment.import: Connector(here,above) Admin
comment.moderate: Moderator(here,above) Admin
author.mute: Moderator(here,above) Admin
comment.see_all: Moderator(here,above) Akimat(here,above) Administration Admin
";
    assert_eq!(matrix(&scope, code("113200000")), expected);
}
