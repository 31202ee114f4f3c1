//! The acts, over a real register on disk.

use chrono::TimeDelta;

use super::*;
use crate::{
    case::IssueId,
    testing::{Office, about, about_issue, officer},
};

fn refused<T: std::fmt::Debug>(result: Result<T, ActError>) -> Refused {
    match result.unwrap_err() {
        ActError::Refused(refused) => refused,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_case_is_opened_once_with_the_same_key_and_no_other_with_it() {
    let office = Office::new().await;
    let first = office.open(about(Some("cmt_1"), "k")).await;
    assert_eq!((first.number.as_str(), first.state, &first.note), ("2026-00001", CaseState::Open, &None));
    office.clock.advance(TimeDelta::days(1));
    office.move_to(&first, CaseState::Closed, Some("done")).await.unwrap();
    let again = office.open(about(Some("cmt_1"), "k")).await;
    assert_eq!((again.id, again.state), (first.id, CaseState::Closed), "the case as it stands");

    let others = [
        about(Some("cmt_2"), "k"),
        about(None, "k"),
        about_issue("cmt_1", "k"),
        OpenCase { title: "Дорога".to_owned(), ..about(Some("cmt_1"), "k") },
        OpenCase { region: "750000000".parse().unwrap(), ..about(Some("cmt_1"), "k") },
    ];
    for other in others {
        assert_eq!(refused(office.register.open(&officer(), other).await), Refused::KeyReused);
    }
    let neighbour = Viewer::Officer { subject: "neighbour".to_owned() };
    let own = office.register.open(&neighbour, about(None, "k")).await.unwrap();
    assert_eq!(own.number, "2026-00002", "a key is its caller's");
}

#[tokio::test]
async fn many_who_open_the_same_case_at_once_open_one() {
    let office = Office::new().await;
    // Another process at the same file.
    let second = Store::open(office.dir.path()).await.unwrap();
    let second = Arc::new(Register::new(second, office.clock.clone()));
    let tries = (0..20).map(|n| {
        let register = Arc::clone(if n % 2 == 0 { &office.register } else { &second });
        tokio::spawn(async move { register.open(&officer(), about(Some("cmt_1"), "k")).await.unwrap().id })
    });
    let mut ids = Vec::new();
    for task in tries.collect::<Vec<_>>() {
        ids.push(task.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(office.open(about(None, "other")).await.number, "2026-00002");
}

#[tokio::test]
async fn a_comment_has_one_case() {
    let office = Office::new().await;
    office.open(about(Some("cmt_1"), "a")).await;
    let other = office.register.open(&officer(), about(Some("cmt_1"), "b")).await;
    assert_eq!(refused(other), Refused::AlreadyOpen("commentId"));
    assert_eq!(office.open(about(Some("cmt_2"), "b")).await.number, "2026-00002", "a refusal costs no number");
}

#[tokio::test]
async fn an_issue_has_one_case() {
    let office = Office::new().await;
    let first = office.open(about_issue("iss_1", "a")).await;
    assert_eq!((first.issue().map(IssueId::as_str), first.comment()), (Some("iss_1"), None));
    assert_eq!(office.open(about_issue("iss_1", "a")).await, first, "the same key gives the first result again");
    let other = office.register.open(&officer(), about_issue("iss_1", "b")).await;
    assert_eq!(refused(other), Refused::AlreadyOpen("issueId"));
    assert_eq!(office.open(about_issue("iss_2", "b")).await.number, "2026-00002", "a refusal costs no number");
}

#[tokio::test]
async fn a_case_is_about_a_question_or_an_issue() {
    let office = Office::new().await;
    let both = OpenCase { issue: Some("iss_1".to_owned()), ..about(Some("cmt_1"), "k") };
    assert_eq!(refused(office.register.open(&officer(), both).await), Refused::TwoTopics);
    assert_eq!(office.open(about_issue("iss_1", "k")).await.number, "2026-00001", "the key is still free");
}

#[tokio::test]
async fn what_is_malformed_is_refused_by_name() {
    let office = Office::new().await;
    let wishes = [
        ("title", OpenCase { title: " ".to_owned(), ..about(None, "k") }),
        ("title", OpenCase { title: "x".repeat(201), ..about(None, "k") }),
        ("idempotencyKey", about(None, "")),
        ("commentId", about(Some(""), "k")),
        ("issueId", about_issue("", "k")),
        ("issueId", about_issue("сұрақ", "k")),
    ];
    for (field, wish) in wishes {
        assert_eq!(refused(office.register.open(&officer(), wish).await), Refused::Invalid(field));
    }
    let case = office.open(about(None, "k")).await;
    let long = "x".repeat(2_001);
    assert_eq!(refused(office.move_to(&case, CaseState::Closed, Some(&long)).await), Refused::Invalid("note"));
}

#[tokio::test]
async fn a_move_keeps_the_note_unless_told_and_no_case_becomes_open_again() {
    let office = Office::new().await;
    let case = office.open(about(None, "k")).await;
    office.clock.advance(TimeDelta::hours(1));
    let moved = office.move_to(&case, CaseState::InProgress, Some(" қоңырау \n шалу ")).await.unwrap();
    assert_eq!(
        (moved.note.as_deref(), moved.updated_at - moved.opened_at),
        (Some("қоңырау \n шалу"), TimeDelta::hours(1))
    );
    office.clock.advance(TimeDelta::hours(-3));
    let closed = office.move_to(&case, CaseState::Closed, None).await.unwrap();
    assert_eq!((&closed.note, closed.updated_at), (&moved.note, moved.updated_at), "time does not go back");
    let back = refused(office.move_to(&case, CaseState::Open, None).await);
    assert_eq!(back, Refused::WrongState { from: CaseState::Closed, to: CaseState::Open });
    assert_eq!(office.move_to(&case, CaseState::InProgress, Some("")).await.unwrap().note, None);
    for id in ["case_00000000000000000000000000", "case_x", "cmt_00000000000000000000000000", ""] {
        let wish = MoveCase { id: id.to_owned(), to: CaseState::Closed, note: None };
        assert_eq!(refused(office.register.move_case(&officer(), wish).await), Refused::NotFound("caseId"));
    }
}

#[tokio::test]
async fn only_the_staff_opens_and_moves() {
    let office = Office::new().await;
    let case = office.open(about(None, "k")).await;
    let wish = || MoveCase { id: case.id.to_string(), to: CaseState::Closed, note: None };
    for (viewer, signed_in) in [(Viewer::Anonymous, false), (Viewer::Person, true)] {
        let opened = office.register.open(&viewer, about(None, "k")).await.unwrap_err();
        let moved = office.register.move_case(&viewer, wish()).await.unwrap_err();
        for error in [opened, moved] {
            assert_eq!(matches!(error, ActError::Forbidden), signed_in, "{error:?}");
            assert_eq!(matches!(error, ActError::Unauthenticated), !signed_in, "{error:?}");
        }
    }
}

#[tokio::test]
async fn each_year_has_its_own_numbers() {
    let office = Office::new().await;
    office.open(about(None, "a")).await;
    office.clock.advance(TimeDelta::days(365));
    assert_eq!(office.open(about(None, "b")).await.number, "2027-00001");
}
