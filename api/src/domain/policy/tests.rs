//! Tests of the permission matrix, and of viewers with several grants.

use super::*;

const OBLAST: &str = "100000000";
const DISTRICT: &str = "103200000";
const OTHER_DISTRICT: &str = "113200000";

fn code(text: &str) -> KatoCode {
    text.parse().unwrap()
}

/// Returns the scope of an okrug in the district.
fn okrug() -> HostScope {
    HostScope { host: code("103230000"), ancestors: vec![code(OBLAST), code(DISTRICT)] }
}

fn other_district() -> HostScope {
    HostScope { host: code(OTHER_DISTRICT), ancestors: vec![code("110000000")] }
}

fn viewer(grants: &[(Role, Option<&str>)]) -> Viewer {
    let grants = grants.iter().map(|(role, region)| Grant { role: *role, region: region.map(code), agency: None });
    Viewer::Person(Person {
        subject: "one".to_owned(),
        name: "One".to_owned(),
        grants: grants.collect(),
        imports: ImportRestriction::default(),
    })
}

/// Returns the actions that a viewer may do, by name.
fn permitted(viewer: &Viewer, scope: &HostScope) -> Vec<&'static str> {
    let rows = [meetings::ROWS, questions::ROWS, receptions::ROWS, audit::ROWS].concat();
    rows.iter().filter(|(_, permits)| permits(viewer, scope)).map(|(name, _)| *name).collect()
}

#[test]
fn the_permission_matrix_is_as_reviewed() {
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
reception.run: Moderator(here,above) Akimat(here,above) Admin
reception.register: Citizen Admin
audit.see: Moderator(here,above) Akimat(here,above) Administration Admin
issue.raise: Akimat(here,above) Admin
request.submit: Citizen Admin
request.see: Moderator(here,above) Akimat(here,above) Government Administration Admin
reference.edit: Admin
reference.see_doubts: Admin
issue.run: Akimat(here,above) Admin
issue.report: Akimat(here,above) Agency(here) Admin
issue.fund: Akimat(here,above) Maslikhat(here,above) Admin
issue.follow: Citizen Admin
issue.see_internals: Moderator(here,above) Akimat(here,above) Agency(here) Government Administration Admin
webhook.manage: Akimat(here,above) Admin
publication.publish: Akimat(here,above) Admin
";
    assert_eq!(matrix(&okrug(), code(OTHER_DISTRICT)), expected);
}

#[test]
fn a_role_holds_only_in_the_scope_of_its_own_grant() {
    let both = viewer(&[(Role::Moderator, Some(DISTRICT)), (Role::Akimat, Some(OTHER_DISTRICT))]);
    let moderator = viewer(&[(Role::Moderator, Some(DISTRICT))]);
    let akimat = viewer(&[(Role::Akimat, Some(OTHER_DISTRICT))]);
    assert_eq!(permitted(&both, &okrug()), permitted(&moderator, &okrug()));
    assert_eq!(permitted(&both, &other_district()), permitted(&akimat, &other_district()));
    assert!(ModerateComments::permits(&both, &okrug()) && !PlanMeeting::permits(&both, &okrug()));
    assert!(PlanMeeting::permits(&both, &other_district()) && !ModerateComments::permits(&both, &other_district()));
    assert_eq!(authorize::<PlanMeeting>(&both, &okrug()).unwrap_err(), Denied::Forbidden);
    assert!(is_staff(&both, &okrug()) && is_staff(&both, &other_district()));
}

#[test]
fn a_grant_without_a_region_does_not_borrow_that_of_another() {
    let viewer = viewer(&[(Role::Moderator, None), (Role::Citizen, Some(DISTRICT)), (Role::Connector, Some(OBLAST))]);
    assert_eq!(permitted(&viewer, &okrug()), ["comment.post", "comment.import", "reception.register"]);
    assert!(!is_staff(&viewer, &okrug()));
}

#[test]
fn one_role_in_several_regions_holds_in_each() {
    let viewer = viewer(&[(Role::Moderator, Some(DISTRICT)), (Role::Moderator, Some(OTHER_DISTRICT))]);
    assert!(ModerateComments::permits(&viewer, &okrug()) && ModerateComments::permits(&viewer, &other_district()));
    let beside = HostScope { host: code("710000000"), ancestors: Vec::new() };
    assert!(permitted(&viewer, &beside).is_empty());
}

#[test]
fn admin_and_administration_hold_everywhere_whatever_their_region() {
    for region in [None, Some(OTHER_DISTRICT)] {
        let oversight = viewer(&[(Role::Administration, region), (Role::Citizen, None)]);
        assert_eq!(
            permitted(&oversight, &okrug()),
            ["meeting.see_settings", "comment.post", "comment.see_all", "reception.register", "audit.see"]
        );
        let admin = viewer(&[(Role::Admin, region)]);
        let all = [meetings::ROWS, questions::ROWS, receptions::ROWS, audit::ROWS].concat();
        assert_eq!(permitted(&admin, &okrug()).len(), all.len());
    }
}

#[test]
fn the_scope_of_the_audit_log_is_that_of_its_action() {
    let hosts = [okrug(), other_district()];
    let regions = [None, Some(OBLAST), Some(DISTRICT), Some("103230000"), Some(OTHER_DISTRICT)];
    for (role, region) in Role::ALL.iter().flat_map(|role| regions.map(|region| (*role, region))) {
        let viewer = viewer(&[(role, region), (Role::Citizen, Some(DISTRICT))]);
        for host in &hosts {
            let is_below = |unit: &KatoCode| (unit.subtree().0..=unit.subtree().1).contains(&host.host);
            let scoped = match audit_scope(&viewer) {
                Ok(AuditScope::Everything) => true,
                Ok(AuditScope::Within(units)) => units.iter().any(is_below),
                Err(denied) => denied != Denied::Forbidden,
            };
            assert_eq!(scoped, SeeAuditLog::permits(&viewer, host), "{role:?} {region:?}");
        }
    }
    assert_eq!(audit_scope(&Viewer::Anonymous), Err(Denied::Anonymous));
}

#[test]
fn an_office_elsewhere_is_no_office_here() {
    let acts = |role, region| acts_in_office(&viewer(&[(role, region), (Role::Citizen, Some(OBLAST))]), &okrug());
    assert!(acts(Role::Akimat, Some(DISTRICT)) && acts(Role::Admin, None));
    assert!(!acts(Role::Akimat, Some(OTHER_DISTRICT)) && !acts(Role::Citizen, Some(DISTRICT)));
}

#[test]
fn the_scope_of_webhooks_is_that_of_their_action() {
    let agency = |code: &str| WebhookOwner::Agency(code.to_owned());
    let owners = [WebhookOwner::Akimat(okrug()), WebhookOwner::Akimat(other_district()), agency("MOH"), agency("MOJ")];
    let regions = [None, Some(OBLAST), Some(DISTRICT), Some("103230000"), Some(OTHER_DISTRICT)];
    let grants = Role::ALL.iter().flat_map(|role| {
        regions.into_iter().flat_map(move |region| [None, Some("MOH")].map(move |agency| (*role, region, agency)))
    });
    for (role, region, agency) in grants {
        let grant = Grant { role, region: region.map(code), agency: agency.map(str::to_owned) };
        let person = Person {
            subject: "one".to_owned(),
            name: "One".to_owned(),
            grants: vec![grant],
            imports: ImportRestriction::default(),
        };
        let viewer = Viewer::Person(person);
        for owner in &owners {
            let scoped = match (webhook_scope(&viewer), owner) {
                (Ok(WebhookScope::Everything), _) => true,
                (Ok(WebhookScope::Own { agencies, .. }), WebhookOwner::Agency(code)) => agencies.contains(code),
                (Ok(WebhookScope::Own { regions, .. }), WebhookOwner::Akimat(scope)) => {
                    regions.iter().any(|unit| scope.host.as_str().starts_with(unit.prefix()))
                }
                (Err(_), _) => false,
            };
            assert_eq!(scoped, ManageWebhook::permits(&viewer, owner), "{role:?} {region:?} {agency:?} {owner:?}");
        }
    }
    assert_eq!(webhook_scope(&Viewer::Anonymous), Err(Denied::Anonymous));
}

#[test]
fn each_publisher_publishes_what_is_its_own() {
    let own = |role, region: Option<&str>| viewer(&[(role, region)]);
    let agency = |named: &str| {
        let grants = vec![Grant { role: Role::Agency, region: None, agency: Some(named.to_owned()) }];
        let (subject, name) = ("one".to_owned(), "One".to_owned());
        Viewer::Person(Person { subject, name, grants, imports: ImportRestriction::default() })
    };
    let publishers = [Publisher::Akimat(okrug()), Publisher::Agency("min-health".to_owned()), Publisher::Government];
    for (viewer, expected) in [
        (Viewer::Anonymous, [false; 3]),
        (own(Role::Citizen, None), [false; 3]),
        (own(Role::Moderator, Some(DISTRICT)), [false; 3]),
        (own(Role::Administration, None), [false; 3]),
        (own(Role::Akimat, Some(DISTRICT)), [true, false, false]),
        (own(Role::Akimat, Some(OTHER_DISTRICT)), [false; 3]),
        (own(Role::Akimat, None), [false; 3]),
        (agency("min-health"), [false, true, false]),
        (agency("min-energy"), [false; 3]),
        (own(Role::Agency, None), [false; 3]),
        (own(Role::Government, None), [false, false, true]),
        (own(Role::Admin, None), [true; 3]),
    ] {
        let permitted = [0, 1, 2].map(|nth| Publish::permits(&viewer, &publishers[nth]));
        assert_eq!(permitted, expected, "{viewer:?}");
        assert!(check_publishes_anything(&viewer).is_ok() || permitted == [false; 3], "{viewer:?}");
    }
}
