//! Tests of the rules on issues.

use chrono::NaiveDate;
use entities::{enums::IssueState, ids::PlanStepId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn each_state_allows_exactly_its_changes() {
    use IssueState::{Assigned, Declined, InProgress, Registered, Resolved};
    let states = [Registered, Assigned, InProgress, Resolved, Declined];
    let none = [None; 5];
    // Each row: the change, and the state after it from each state in the order above.
    let rows: [(Transition, [Option<IssueState>; 5]); 10] = [
        (Transition::Assign { same_body: false }, [Some(Assigned), Some(Assigned), Some(Assigned), None, None]),
        (Transition::Assign { same_body: true }, [Some(Assigned), Some(Assigned), Some(InProgress), None, None]),
        (Transition::Plan, [None, Some(InProgress), Some(InProgress), None, None]),
        (Transition::CompleteStep, [None, None, Some(InProgress), None, None]),
        (Transition::Fund, [Some(Registered), Some(Assigned), Some(InProgress), None, None]),
        (Transition::Report, [None, Some(InProgress), Some(InProgress), None, None]),
        (Transition::Resolve { open_steps: 0 }, [None, Some(Resolved), Some(Resolved), None, None]),
        (Transition::Resolve { open_steps: 2 }, none),
        (Transition::Decline, [Some(Declined), Some(Declined), Some(Declined), None, None]),
        (Transition::Reopen { is_assigned: true }, [None, None, None, Some(Assigned), Some(Assigned)]),
    ];
    for (change, after) in rows {
        for (state, after) in states.into_iter().zip(after) {
            let is_open_step =
                matches!(change, Transition::Resolve { open_steps: 2 }) && matches!(state, Assigned | InProgress);
            let expected = match after {
                Some(after) => Ok(after),
                None if is_open_step => Err(IssueRefusal::OpenSteps(2)),
                None => Err(IssueRefusal::WrongState(state)),
            };
            assert_eq!(next_state(state, change), expected, "{change:?} in {state:?}");
        }
        assert!(next_state(IssueState::Unknown, change).is_err(), "{change:?}");
    }
    assert_eq!(next_state(Declined, Transition::Reopen { is_assigned: false }), Ok(Registered));
}

#[test]
fn an_issue_is_overdue_from_the_day_after_its_deadline_while_it_is_open() {
    let deadline = Some(date("2026-11-27"));
    for (state, today, overdue) in [
        (IssueState::Assigned, "2026-11-27", false),
        (IssueState::Assigned, "2026-11-28", true),
        (IssueState::InProgress, "2026-11-28", true),
        (IssueState::Resolved, "2026-11-28", false),
        (IssueState::Declined, "2027-11-28", false),
    ] {
        assert_eq!(is_overdue(state, deadline, date(today)), overdue, "{state:?} {today}");
    }
    assert!(!is_overdue(IssueState::Registered, None, date("2030-01-01")));
    assert_eq!(urgent_by(IssueState::Assigned, deadline), date("2026-11-27"));
    assert_eq!(urgent_by(IssueState::Resolved, deadline), date("9999-12-31"));
}

#[test]
fn three_of_ten_or_the_only_one_who_is_not_satisfied_bring_it_back() {
    let counts = |unsatisfied| Confirmations { satisfied: 0, unsatisfied };
    for (raised_by, unsatisfied, listed) in [
        (1, 1, true),
        (1, 0, false),
        (2, 1, true),
        (3, 1, true),
        (4, 1, false),
        (10, 2, false),
        (10, 3, true),
        (0, 0, false),
    ] {
        assert_eq!(is_unsatisfied(raised_by, counts(unsatisfied)), listed, "{unsatisfied} of {raised_by}");
    }
    assert_eq!(Confirmations::of([true, false, true]), Confirmations { satisfied: 2, unsatisfied: 1 });
}

#[test]
fn numbers_are_read_as_people_type_them() {
    assert_eq!(issue_number("ALM", 2026, 123), "ALM-2026-000123");
    assert_eq!(request_number("ALM", 2026, 123), "R-ALM-2026-000123");
    for text in ["ALM-2026-000123", "alm-2026-123", " ALM - 2026 - 000 123 ", "Alm-2026-0000123"] {
        assert_eq!(parse_number(text).as_deref(), Some("ALM-2026-000123"), "{text}");
    }
    for text in
        ["", "ALM", "ALM-2026", "ALM-26-1", "AL-2026-1", "ALM-2026-0", "ALM-2026-x", "АЛМ-2026-1", "ALM-2026-+1"]
    {
        assert_eq!(parse_number(text), None, "{text}");
    }
    assert_eq!(parse_number(&"9".repeat(10_000)), None);
}

#[test]
fn quarters_are_named_by_their_year_and_number() {
    for (day, quarter) in
        [("2026-01-01", "2026-Q1"), ("2026-03-31", "2026-Q1"), ("2026-04-01", "2026-Q2"), ("2026-12-31", "2026-Q4")]
    {
        assert_eq!(Quarter::of(date(day)).to_string(), quarter);
        assert_eq!(quarter.parse(), Ok(Quarter::of(date(day))));
    }
    for text in ["2026-Q0", "2026-Q5", "2026Q1", "26-Q1", "2026-q1", "+026-Q1", "2026-Q11", ""] {
        assert_eq!(text.parse::<Quarter>(), Err(quarter::BadQuarter), "{text}");
    }
    assert!("2025-Q4".parse::<Quarter>().unwrap() < "2026-Q1".parse().unwrap());
}

/// Returns steps with these actions; those in `done` are done.
fn steps(actions: &[u8], done: &[bool]) -> Vec<Step> {
    let step = |(place, (action, done)): (usize, (&u8, &bool))| Step {
        id: PlanStepId(Uuid::from_u128(u128::try_from(place).unwrap() + 1)),
        ordinal: i32::try_from(place).unwrap(),
        action: format!("a{action}"),
        executor: "water".to_owned(),
        due: date("2026-12-01"),
        done_at: done.then(|| "2026-11-27T10:00:00Z".parse().unwrap()),
        struck_at: None,
    };
    actions.iter().zip(done).enumerate().map(step).collect()
}

proptest! {
    #[test]
    fn a_new_plan_keeps_what_is_done_strikes_what_is_left_out_and_has_every_wanted_action(
        (actions, done) in (0..8_usize).prop_flat_map(|n| (prop::collection::vec(0..5_u8, n), prop::collection::vec(any::<bool>(), n))),
        wanted in prop::collection::vec(0..5_u8, 0..8),
    ) {
        let current = steps(&actions, &done);
        let wanted: Vec<_> = wanted.iter().map(|action| WantedStep {
            action: format!("a{action}"), executor: "roads".to_owned(), due: date("2027-01-01"),
        }).collect();
        let change = replace_plan(&current, &wanted);
        // Nothing that is done is struck, and each step is either kept or struck.
        prop_assert!(change.struck.iter().all(|step| step.done_at.is_none()));
        let mut ids: Vec<_> = change.kept.iter().chain(&change.struck).map(|step| step.id).collect();
        ids.sort();
        prop_assert_eq!(ids, current.iter().map(|step| step.id).collect::<Vec<_>>());
        // Counted by action, the plan holds as many steps as are wanted or done, whichever is more.
        for action in 0..5_u8 {
            let name = format!("a{action}");
            let count = |list: &[Step]| list.iter().filter(|step| step.action == name).count();
            let added = change.added.iter().filter(|(_, step)| step.action == name).count();
            let done = current.iter().filter(|step| step.action == name && step.done_at.is_some()).count();
            let wanted = wanted.iter().filter(|step| step.action == name).count();
            prop_assert_eq!(count(&change.kept) + added, wanted.max(done), "{}", name);
        }
        // Places are those of a list without gaps.
        let mut places: Vec<_> = change.kept.iter().map(|step| step.ordinal).chain(change.added.iter().map(|(place, _)| *place)).collect();
        places.sort_unstable();
        prop_assert_eq!(places.clone(), (0..i32::try_from(places.len()).unwrap()).collect::<Vec<_>>());
        // The same plan again changes nothing.
        if change.added.is_empty() && change.struck.is_empty() {
            let again = replace_plan(&change.kept, &wanted);
            prop_assert!(again.added.is_empty() && again.struck.is_empty());
        }
    }
}
