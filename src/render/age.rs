//! Why a plan is refused for its age.

use jiff::SignedDuration;

use crate::plan::{Plan, UnfitAge};

use super::words::{again, lasting, time};

/// Returns why a plan is not applied that may be at most so old, and what to do: it reads on from the plan.
pub fn refusal_of_age(plan: &Plan, most: SignedDuration, unfit: UnfitAge) -> String {
    let (made, again) = (time(plan.created_at), again(plan.kind));
    match unfit {
        UnfitAge::Older(age) => format!(
            "it was made on {made}, {} ago, and --max-age allows {}; {again} and have the new plan reviewed",
            lasting(age),
            lasting(most)
        ),
        UnfitAge::NotYetMade(ahead) => format!(
            "it was made on {made}, which by the clock of this machine comes only in {}, so its age for --max-age is not known; \
             if this clock is right, the one of the machine that planned was wrong: {again}",
            lasting(ahead)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanKind;
    use crate::render::samples;

    /// What is said of the sample plan of 23 November 2026, 14:02.
    fn said(most_hours: i64, now: &str) -> Option<String> {
        let plan = samples::empty();
        let most = SignedDuration::from_hours(most_hours);
        let unfit = plan.check_age(most, now.parse().unwrap()).err()?;
        Some(refusal_of_age(&plan, most, unfit))
    }

    #[test]
    fn a_plan_is_as_old_as_allowed_and_not_older() {
        assert_eq!(said(24, "2026-11-24T14:02:00Z"), None);
        assert_eq!(
            said(24, "2026-11-24T14:02:01Z").unwrap(),
            "it was made on 23 November 2026, 14:02 UTC, 24 h ago, and --max-age allows 24 h; \
             plan again and have the new plan reviewed"
        );
        let old = said(7 * 24, "2026-12-03T16:30:00Z").unwrap();
        assert!(
            old.contains("10 days 2 h ago, and --max-age allows 7 days"),
            "{old}"
        );
    }

    #[test]
    fn the_clock_of_who_planned_may_be_a_little_ahead() {
        assert_eq!(said(1, "2026-11-23T13:57:00Z"), None);
        assert_eq!(
            said(1, "2026-11-23T13:56:59Z").unwrap(),
            "it was made on 23 November 2026, 14:02 UTC, which by the clock of this machine comes only in 5 min, so its age for \
             --max-age is not known; if this clock is right, the one of the machine that planned was wrong: plan again"
        );
    }

    #[test]
    fn a_run_is_undone_again() {
        let plan = Plan {
            kind: PlanKind::Undo,
            ..samples::empty()
        };
        let said = refusal_of_age(
            &plan,
            SignedDuration::from_mins(30),
            UnfitAge::Older(SignedDuration::from_mins(90)),
        );
        assert!(
            said.ends_with("1 h 30 min ago, and --max-age allows 30 min; undo the run again and have the new plan reviewed"),
            "{said}"
        );
    }
}
