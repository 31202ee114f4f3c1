//! The time split between presentation and questions (p. 3.3), computed from segments, plan, norms and `now`.
//!
//! Times are server times in whole milliseconds. A change takes effect at `now` or at the last known time, whichever is
//! later, so that a clock that jumps back cannot make a segment negative or let two overlap.

use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::Stage;

/// An uninterrupted period of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The stage.
    pub stage: Stage,
    /// Start of the segment.
    pub started_at: DateTime<Utc>,
    /// End of the segment, or `None` while it runs.
    pub ended_at: Option<DateTime<Utc>>,
}

/// State of the presentation's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitStatus {
    /// Below 80 % of the budget.
    Within,
    /// From 80 % of the budget up to all of it.
    Warning,
    /// Over the budget.
    Exceeded,
}

/// Totals of a meeting at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitTotals {
    /// The running stage.
    pub stage: Option<Stage>,
    /// Start of the running stage.
    pub stage_started_at: Option<DateTime<Utc>>,
    /// Planned time.
    pub planned_ms: i64,
    /// Budget of the presentation.
    pub budget_ms: i64,
    /// Time spent on the presentation.
    pub presentation_ms: i64,
    /// Time spent on questions and answers.
    pub questions_ms: i64,
    /// Time spent on breaks.
    pub break_ms: i64,
    /// When the presentation reached 80 % of its budget.
    pub warned_at: Option<DateTime<Utc>>,
    /// When the presentation used up its budget and continued.
    pub exceeded_at: Option<DateTime<Utc>>,
}

/// Planned length and share that the budget is computed from.
#[derive(Clone, Copy, Debug)]
pub struct SplitPlan {
    /// Planned length in minutes.
    pub minutes: i32,
    /// The presentation's share, as a fraction.
    pub share: (u32, u32),
}

impl SplitPlan {
    /// Returns the planned time in milliseconds.
    #[must_use]
    pub fn planned_ms(self) -> i64 {
        i64::from(self.minutes) * 60_000
    }

    /// Returns the presentation's budget in milliseconds, rounded down.
    #[must_use]
    pub fn budget_ms(self) -> i64 {
        self.planned_ms() * i64::from(self.share.0) / i64::from(self.share.1.max(1))
    }

    /// Returns 80 % of the budget in milliseconds, rounded up.
    #[must_use]
    pub fn warning_ms(self) -> i64 {
        (self.budget_ms() * 4 + 4) / 5
    }
}

impl SplitTotals {
    /// Returns what is left of the budget, negative once it is exceeded.
    #[must_use]
    pub const fn budget_left_ms(&self) -> i64 {
        self.budget_ms - self.presentation_ms
    }

    /// Returns the share of the planned time that the presentation has taken.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "durations of meetings are far below 2^52 ms"
    )]
    pub fn presentation_share(&self) -> f64 {
        if self.planned_ms == 0 { 0.0 } else { self.presentation_ms as f64 / self.planned_ms as f64 }
    }

    /// Returns the state of the presentation's budget.
    #[must_use]
    pub const fn status(&self) -> SplitStatus {
        match (self.exceeded_at, self.warned_at) {
            (Some(_), _) => SplitStatus::Exceeded,
            (None, Some(_)) => SplitStatus::Warning,
            (None, None) => SplitStatus::Within,
        }
    }
}

/// Computes the totals of a meeting's segments.
#[must_use]
pub fn split_totals(plan: SplitPlan, segments: &[Segment], now: DateTime<Utc>) -> SplitTotals {
    let running = segments.last().filter(|segment| segment.ended_at.is_none());
    let mut totals = SplitTotals {
        stage: running.map(|segment| segment.stage),
        stage_started_at: running.map(|segment| segment.started_at),
        planned_ms: plan.planned_ms(),
        budget_ms: plan.budget_ms(),
        presentation_ms: 0,
        questions_ms: 0,
        break_ms: 0,
        warned_at: None,
        exceeded_at: None,
    };
    for segment in segments {
        let spent = (segment.ended_at.unwrap_or(now) - segment.started_at).num_milliseconds().max(0);
        match segment.stage {
            Stage::Presentation => {
                let before = totals.presentation_ms;
                let reaches = |mark: i64| {
                    let at = segment.started_at + TimeDelta::milliseconds((mark - before).max(0));
                    (before + spent >= mark).then_some(at)
                };
                totals.warned_at = totals.warned_at.or_else(|| reaches(plan.warning_ms()));
                // Exactly the budget is allowed; one millisecond more is not.
                totals.exceeded_at = totals
                    .exceeded_at
                    .or_else(|| reaches(totals.budget_ms + 1).map(|at| at - TimeDelta::milliseconds(1)));
                totals.presentation_ms += spent;
            }
            Stage::Questions => totals.questions_ms += spent,
            // Unknown stages of a later version have no budget.
            Stage::Break | Stage::Unknown => totals.break_ms += spent,
        }
    }
    totals
}

/// A change of stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageChange {
    /// End of the old stage and start of the new one.
    pub at: DateTime<Utc>,
}

/// Returns the change to another stage, or to none at the end. `None` if that stage already runs.
#[must_use]
pub fn stage_change(segments: &[Segment], to: Option<Stage>, now: DateTime<Utc>) -> Option<StageChange> {
    let running = segments.last().filter(|segment| segment.ended_at.is_none()).map(|segment| segment.stage);
    if running == to {
        return None;
    }
    let newest = segments.last().map(|segment| segment.ended_at.unwrap_or(segment.started_at));
    Some(StageChange { at: newest.map_or(now, |newest| newest.max(now)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUARTER: (u32, u32) = (1, 4);

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_772_424_000_000 + ms).unwrap()
    }

    fn apply(segments: &mut Vec<Segment>, to: Option<Stage>, now: DateTime<Utc>) {
        let Some(StageChange { at }) = stage_change(segments, to, now) else { return };
        if let Some(open) = segments.last_mut().filter(|segment| segment.ended_at.is_none()) {
            open.ended_at = Some(at);
        }
        if let Some(stage) = to {
            segments.push(Segment { stage, started_at: at, ended_at: None });
        }
    }

    #[test]
    fn warns_at_80_percent_and_exceeds_only_beyond_the_budget() {
        let plan = SplitPlan { minutes: 60, share: QUARTER };
        let log = [Segment { stage: Stage::Presentation, started_at: at(0), ended_at: None }];
        let status = |ms| split_totals(plan, &log, at(ms)).status();
        assert_eq!(status(12 * 60_000 - 1), SplitStatus::Within);
        assert_eq!(status(12 * 60_000), SplitStatus::Warning);
        assert_eq!(status(15 * 60_000), SplitStatus::Warning);
        assert_eq!(status(15 * 60_000 + 1), SplitStatus::Exceeded);
        let over = split_totals(plan, &log, at(16 * 60_000));
        assert_eq!(over.exceeded_at, Some(at(15 * 60_000)));
        assert_eq!(over.budget_left_ms(), -60_000);
    }

    /// One press of a stage button at the time of a clock that may jump, possibly sent twice.
    #[derive(Clone, Debug)]
    struct Press {
        to: Option<Stage>,
        step_ms: i64,
        twice: bool,
    }

    fn presses() -> impl Strategy<Value = Vec<Press>> {
        let stage = prop_oneof![
            4 => Just(Some(Stage::Presentation)),
            4 => Just(Some(Stage::Questions)),
            2 => Just(Some(Stage::Break)),
            1 => Just(None),
        ];
        let step = prop_oneof![8 => 0..1_800_000_i64, 1 => -7_200_000..0_i64, 1 => 3_600_000..3_600_001_i64];
        let press = (stage, step, any::<bool>()).prop_map(|(to, step_ms, twice)| Press { to, step_ms, twice });
        prop::collection::vec(press, 0..24)
    }

    /// A naive implementation: running totals, advanced from press to press.
    fn replay(presses: &[Press], end_ms: i64) -> [i64; 3] {
        let mut totals = [0; 3];
        let (mut clock, mut latest, mut running) = (0_i64, i64::MIN, None::<Stage>);
        let mut spend = |stage: Option<Stage>, ms: i64| match stage {
            Some(Stage::Presentation) => totals[0] += ms,
            Some(Stage::Questions) => totals[1] += ms,
            Some(Stage::Break | Stage::Unknown) => totals[2] += ms,
            None => {}
        };
        for press in presses {
            clock += press.step_ms;
            if press.to == running {
                continue;
            }
            let moment = clock.max(latest);
            if running.is_some() {
                spend(running, moment - latest);
            }
            (latest, running) = (moment, press.to);
        }
        if running.is_some() {
            spend(running, (clock + end_ms - latest).max(0));
        }
        totals
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn totals_match_a_naive_replay(presses in presses(), end_ms in 0..1_000_000_i64, minutes in 10..720_i32) {
            let (mut log, mut clock) = (Vec::new(), 0);
            for press in &presses {
                clock += press.step_ms;
                apply(&mut log, press.to, at(clock));
                if press.twice {
                    apply(&mut log, press.to, at(clock));
                }
            }
            let plan = SplitPlan { minutes, share: QUARTER };
            let totals = split_totals(plan, &log, at(clock + end_ms));
            prop_assert_eq!([totals.presentation_ms, totals.questions_ms, totals.break_ms], replay(&presses, end_ms));

            // Segments never overlap, and at most the last one runs.
            for pair in log.windows(2) {
                prop_assert!(pair[0].ended_at.is_some_and(|end| end <= pair[1].started_at));
            }
            // The status says what the sums say.
            let over = totals.presentation_ms > totals.budget_ms;
            prop_assert_eq!(totals.status() == SplitStatus::Exceeded, over);
            prop_assert_eq!(totals.warned_at.is_some(), totals.presentation_ms * 5 >= totals.budget_ms * 4);
        }
    }
}
