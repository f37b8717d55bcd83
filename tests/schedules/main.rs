//! Thousands of schedules in virtual time: random declarations, faults at any request, edits by hand, and
//! a crash at any step. After the trouble ends, one run succeeds and the next one has nothing to do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod desired;
mod fleet;
mod late;
mod machine;
mod schedule;
mod world;

use hookctl::plan::PlannedAction;
use hookctl::report::{ActionError, Outcome};
use hookctl::webhook::TokenChange;
use hookctl_testing::simulation::in_virtual_time;
use proptest::prelude::*;
use schedule::{Declaration, Declared, Odds, Run, Schedule, Token, schedules};
use world::{Ending, World};

/// Runs a schedule to its end, and holds the world against what is promised.
async fn hold(schedule: &Schedule) {
    let world = World::new(schedule);
    for run in &schedule.runs {
        let _ending = world.run(run).await;
    }
    settle(&world, &schedule.last).await;
}

async fn settle(world: &World, last: &Declared) {
    let nothing_under_way = world.is_quiet();
    let rehearsed = world.rehearse(last).await;
    let report = match world.quiet(last).await {
        Ending::Done(report) => report,
        Ending::Refused(error) => {
            // Two webhooks that carry one name were there before: they cannot be distinguished.
            assert!(
                matches!(error, hookctl::reconcile::PassError::Plan(_)),
                "{error:?}"
            );
            assert!(rehearsed.is_err());
            return;
        }
        Ending::Died => panic!("nothing dies here"),
    };
    if nothing_under_way {
        let plan = rehearsed.unwrap();
        assert_eq!(report.plan, plan, "a dry run shows what is applied");
    }
    let results = report.report.as_ref().unwrap();
    let outcomes = results
        .results
        .iter()
        .map(|result| (&result.planned.key, &result.outcome));
    let outcomes: Vec<_> = outcomes.collect();
    // An older send of a PATCH that was repeated since may arrive in the very moment of a write.
    let is_disturbed = !nothing_under_way
        && outcomes.iter().all(|(_, outcome)| match outcome {
            Outcome::Failed(error) => matches!(error, ActionError::NotStored(_)),
            Outcome::Applied { .. } | Outcome::NotAttempted => true,
            _ => false,
        });
    assert!(
        results.is_complete() || is_disturbed,
        "{outcomes:?} {:?}",
        results.duplicates
    );
    assert!(
        !report.contested && report.ended_by.is_none(),
        "{report:#?}"
    );

    let echoes = !nothing_under_way || !world.is_quiet();
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    if !results.is_complete() {
        assert!(matches!(world.quiet(last).await, Ending::Done(report) if report.is_complete()));
    }
    let mut second = world.rehearse(last).await.unwrap();
    if echoes && !second.is_empty() {
        // An older send of a PATCH that was repeated since: its fields are seen, as drift, and set back.
        assert!(
            second.actions.iter().all(|planned| is_echo(planned)),
            "{second:#?}"
        );
        assert!(matches!(world.quiet(last).await, Ending::Done(report) if report.is_complete()));
        second = world.rehearse(last).await.unwrap();
    }
    assert!(second.is_empty(), "{second:#?}");
    // One more run ends what lingered, and sends nothing.
    let webhooks = world.emulator.webhooks();
    assert!(matches!(world.quiet(last).await, Ending::Done(report) if report.is_complete()));
    assert_eq!(world.emulator.webhooks(), webhooks);
    world.check(last, &second).await;
}

/// Whether an action sets back fields, and nothing else.
fn is_echo(planned: &PlannedAction) -> bool {
    let patch = planned.action.patch();
    planned.is_drift_only() && patch.is_some_and(|patch| patch.token() == TokenChange::Keep)
}

/// So many cases, or as many as `PROPTEST_CASES` says.
fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if asked_for { default.cases } else { cases },
        max_shrink_iters: 20_000,
        ..default
    }
}

const fn odds(deaths: f64, faults: usize, late: usize) -> Odds {
    Odds {
        deaths,
        faults,
        late,
    }
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn one_fault_at_any_request(schedule in schedules(1..2, odds(0.0, 1, 0))) {
        in_virtual_time(hold(&schedule));
    }

    #[test]
    fn a_crash_at_any_step(schedule in schedules(1..3, odds(1.0, 0, 0))) {
        in_virtual_time(hold(&schedule));
    }

    #[test]
    fn many_faults_in_many_runs(schedule in schedules(1..4, odds(0.0, 6, 0))) {
        in_virtual_time(hold(&schedule));
    }

    #[test]
    fn late_effects_and_crashes(schedule in schedules(1..4, odds(0.5, 0, 3))) {
        in_virtual_time(hold(&schedule));
    }

    #[test]
    fn everything_at_once(schedule in schedules(1..5, odds(0.5, 4, 3))) {
        in_virtual_time(hold(&schedule));
    }
}

/// A create, an update with a token, a rotation, a removed token, a delete, and an adoption in one run.
fn everything() -> (Schedule, Declared) {
    let present = |timeout_seconds, token| {
        Some(Declaration::Present {
            timeout_seconds,
            token,
        })
    };
    let first = Declared {
        webhooks: vec![
            None,
            present(10, Token::LeftOut),
            present(10, Token::Secret(0)),
            present(10, Token::Secret(1)),
            present(10, Token::LeftOut),
        ],
        prune: false,
    };
    let second = Declared {
        webhooks: vec![
            present(10, Token::Secret(2)),
            present(12, Token::Secret(0)),
            present(11, Token::Secret(1)),
            present(10, Token::LeftOut),
            Some(Declaration::Absent),
        ],
        prune: true,
    };
    let schedule = Schedule {
        dialect: hookctl::sandbox::Dialect::default(),
        before: vec![schedule::Before {
            like: None,
            timeout_seconds: 10,
            has_token: true,
        }],
        runs: vec![run(first, None)],
        last: second.clone(),
        latencies: vec![3, 0, 7],
    };
    (schedule, second)
}

fn run(declared: Declared, dies_at: Option<u64>) -> Run {
    Run {
        declared,
        edits: Vec::new(),
        pause: 0,
        faults: Vec::new(),
        late: Vec::new(),
        dies_at,
        interrupted_at: None,
    }
}

#[test]
fn a_crash_at_every_step_there_is() {
    let steps = crash_at_every_step(|_| {});
    // Six actions: two steps of the journal before and after each request, and two of the request.
    assert!(steps >= 6 * 5, "only {steps} steps");
}

/// A webhook whose declaration is gone after the crash is not found by its name: only the journal knows
/// that it is ours.
#[test]
fn a_crash_at_every_step_and_the_declaration_is_gone() {
    crash_at_every_step(|declared| {
        declared.prune = false;
        declared.webhooks[0] = None;
    });
}

/// Lets the second run die at each of its steps in turn, and settles with what is declared then. Returns
/// how many steps there are.
fn crash_at_every_step(change: impl Fn(&mut Declared)) -> u64 {
    let mut step = 0;
    loop {
        let ended = in_virtual_time(async {
            let (schedule, second) = everything();
            let world = World::new(&schedule);
            let _first = world.run(&schedule.runs[0]).await;
            let (ending, _) = world.run(&run(second.clone(), Some(step))).await;
            let mut last = second;
            change(&mut last);
            settle(&world, &last).await;
            !matches!(ending, Ending::Died)
        });
        if ended {
            return step;
        }
        step += 1;
    }
}
