//! Late effects by name: each is the smallest schedule in which a request outlives its sender.

use std::time::Duration;

use hookctl::apply::Settle;
use hookctl::plan::Notice;
use hookctl::sandbox::{Dialect, Fault};

use crate::machine::{Hears, Late};
use crate::schedule::{Before, Declaration, Declared, Edit, Run, Schedule, Token, Trouble};
use crate::world::{Ending, World};
use crate::{hold, in_virtual_time, settle};

/// The step at which the first write of a run has just left: three steps of the list, two of its intent,
/// and the one before it leaves.
const WRITE_HAS_LEFT: u64 = 6;

fn declared(token: Token) -> Declared {
    let mut webhooks = vec![None; crate::schedule::KEYS.len()];
    webhooks[0] = Some(Declaration::Present {
        timeout_seconds: 10,
        token,
    });
    Declared {
        webhooks,
        prune: false,
    }
}

fn run(declared: Declared) -> Run {
    Run {
        declared,
        edits: Vec::new(),
        pause: 0,
        faults: Vec::new(),
        late: Vec::new(),
        dies_at: None,
        interrupted_at: None,
    }
}

fn late(transit: u64, hears: Hears) -> Vec<(u64, Late)> {
    vec![(2, Late { transit, hears })]
}

fn check(runs: Vec<Run>, last: Declared) {
    let schedule = Schedule {
        dialect: Dialect::default(),
        before: Vec::new(),
        runs,
        last,
        latencies: vec![3],
    };
    in_virtual_time(hold(&schedule));
}

#[test]
fn a_create_that_outlives_a_killed_run_is_not_doubled() {
    for transit in [50, 3_000, 44_000] {
        let killed = Run {
            late: late(transit, Hears::Nothing),
            dies_at: Some(WRITE_HAS_LEFT),
            ..run(declared(Token::LeftOut))
        };
        check(vec![killed], declared(Token::LeftOut));
    }
}

#[test]
fn a_create_behind_a_gateways_timeout_is_not_doubled() {
    for transit in [100, 600, 5_000, 44_000] {
        for hears in [Hears::Gateway(5), Hears::Reset(5), Hears::Nothing] {
            let run = Run {
                late: late(transit, hears),
                ..run(declared(Token::LeftOut))
            };
            check(vec![run], declared(Token::LeftOut));
        }
    }
}

#[test]
fn a_token_that_outlives_a_killed_run_does_not_replace_the_next_one() {
    for transit in [50, 3_000, 44_000] {
        let killed = Run {
            late: late(transit, Hears::Nothing),
            dies_at: Some(WRITE_HAS_LEFT),
            ..run(declared(Token::Secret(1)))
        };
        let first = run(declared(Token::Secret(0)));
        check(vec![first, killed], declared(Token::Secret(2)));
    }
}

#[test]
fn a_token_behind_a_gateways_timeout_does_not_replace_the_next_one() {
    for transit in [600, 5_000, 44_000] {
        let repeated = Run {
            late: late(transit, Hears::Gateway(5)),
            ..run(declared(Token::Secret(1)))
        };
        let first = run(declared(Token::Secret(0)));
        check(vec![first, repeated], declared(Token::Secret(2)));
    }
}

/// A list that began before a create took effect, and took longer than its horizon.
#[test]
fn a_slow_list_tells_of_the_moment_that_it_began() {
    let killed = Run {
        late: late(1_000, Hears::Nothing),
        dies_at: Some(WRITE_HAS_LEFT),
        ..run(declared(Token::LeftOut))
    };
    let hang = |number| (number, Trouble::Fault(Fault::Hang));
    let slow = Run {
        // The first page is read before the effect, and the second is asked for three times after it.
        pause: 900,
        faults: vec![hang(2), hang(3)],
        ..run(declared(Token::LeftOut))
    };
    let schedule = Schedule {
        dialect: Dialect {
            without_total: true,
            ..Dialect::default()
        },
        before: vec![Before {
            like: None,
            timeout_seconds: 10,
            has_token: false,
        }],
        runs: vec![killed, slow],
        last: declared(Token::LeftOut),
        latencies: vec![3],
    };
    in_virtual_time(hold(&schedule));
}

/// What remains: a request that takes effect after its horizon doubles, and the next plan says so.
#[test]
fn a_create_that_outlives_its_horizon_is_doubled_and_reported() {
    let beyond = 75_000;
    let run = Run {
        late: late(beyond, Hears::Gateway(5)),
        ..run(declared(Token::LeftOut))
    };
    let schedule = Schedule {
        dialect: Dialect::default(),
        before: Vec::new(),
        runs: Vec::new(),
        last: declared(Token::LeftOut),
        latencies: vec![3],
    };
    in_virtual_time(async {
        let world = World::new(&schedule);
        let (ending, _) = world.run(&run).await;
        assert!(matches!(ending, Ending::Done(report) if report.is_complete()));
        tokio::time::sleep(Duration::from_millis(beyond)).await;
        assert_eq!(world.emulator.webhooks().len(), 2);
        let plan = world.rehearse(&schedule.last).await.unwrap();
        assert!(plan.is_empty());
        let reported = |notice: &Notice| matches!(notice, Notice::Duplicate { .. });
        assert!(plan.notices.iter().any(reported), "{:?}", plan.notices);
    });
}

/// A clear whose first send is still under way, while the second one took effect unheard; then an adoption that
/// sends nothing, and a token.
#[test]
fn an_adoption_that_sends_nothing_does_not_forget_a_clear_that_is_under_way() {
    let second_has_arrived = 10;
    let killed = Run {
        late: late(20_000, Hears::Gateway(5)),
        dies_at: Some(second_has_arrived),
        ..run(declared(Token::Null))
    };
    let schedule = Schedule {
        dialect: Dialect::default(),
        before: vec![Before {
            like: Some(0),
            timeout_seconds: 10,
            has_token: true,
        }],
        runs: vec![killed, run(declared(Token::Null))],
        last: declared(Token::Secret(1)),
        latencies: vec![3],
    };
    in_virtual_time(hold(&schedule));
}

/// A token that took effect unheard, behind a delete that was intended and never sent: the record's older token is not
/// vouched for.
#[test]
fn a_token_behind_a_write_that_was_never_sent_is_not_forgotten() {
    let heard = run(declared(Token::Secret(0)));
    let unheard = Run {
        late: late(50, Hears::Nothing),
        dies_at: Some(WRITE_HAS_LEFT),
        ..run(declared(Token::Secret(1)))
    };
    let mut absent = declared(Token::LeftOut);
    absent.webhooks[0] = Some(Declaration::Absent);
    let unsent = Run {
        pause: 1_000,
        dies_at: Some(WRITE_HAS_LEFT - 1),
        ..run(absent)
    };
    check(vec![heard, unheard, unsent], declared(Token::Secret(0)));
}

/// The world with a webhook that has no token yet.
fn without_a_token() -> World {
    World::new(&Schedule {
        dialect: Dialect::default(),
        before: vec![Before {
            like: Some(0),
            timeout_seconds: 10,
            has_token: false,
        }],
        runs: Vec::new(),
        last: declared(Token::LeftOut),
        latencies: vec![3],
    })
}

/// Runs in a world whose webhook has no token yet, and settles with a file that declares none: it has none in the end,
/// and none counts as another writer's.
async fn ends_without_a_token(world: &World, runs: Vec<Run>, last: Token) {
    for run in runs {
        let _ending = world.run(&run).await;
    }
    settle(world, &declared(last)).await;
    assert!(world.is_quiet());
    let webhooks = world.emulator.webhooks();
    assert!(webhooks.iter().all(|webhook| !webhook.has_bearer_token));
}

/// The run after a token was removed by hand. It declares nothing, so the record still contains the token.
fn taken_by_hand() -> Run {
    let nothing = Declared {
        webhooks: vec![None; crate::schedule::KEYS.len()],
        prune: false,
    };
    Run {
        edits: vec![(0, Edit::TakeToken)],
        ..run(nothing)
    }
}

/// The repeat of a token was confirmed, its first send is under way, and the token was removed by hand. A file without a
/// token then asks for no write that could wait.
#[test]
fn a_token_that_was_removed_by_hand_is_not_set_by_its_first_send() {
    for transit in [600, 5_000, 20_000, 44_000] {
        for last in [Token::LeftOut, Token::Null] {
            let repeated = Run {
                late: late(transit, Hears::Gateway(5)),
                ..run(declared(Token::Secret(1)))
            };
            let world = without_a_token();
            let runs = vec![repeated, taken_by_hand()];
            in_virtual_time(ends_without_a_token(&world, runs, last));
        }
    }
}

/// The same with a token that no response confirmed, and an older one in the record.
#[test]
fn a_token_that_was_removed_by_hand_is_not_set_by_a_killed_run() {
    for transit in [50, 3_000, 44_000] {
        for last in [Token::LeftOut, Token::Null] {
            let killed = Run {
                late: late(transit, Hears::Nothing),
                dies_at: Some(WRITE_HAS_LEFT),
                ..run(declared(Token::Secret(1)))
            };
            let world = without_a_token();
            let taken = Run {
                edits: vec![(0, Edit::TakeToken)],
                ..run(declared(last))
            };
            let runs = vec![run(declared(Token::Secret(0))), killed, taken];
            in_virtual_time(ends_without_a_token(&world, runs, last));
        }
    }
}

/// A token that is cleared without waiting for an earlier send that sets it.
#[test]
fn a_token_that_is_cleared_without_waiting_is_cleared_again() {
    for transit in [600, 5_000, 44_000] {
        for last in [Token::LeftOut, Token::Null] {
            let repeated = Run {
                late: late(transit, Hears::Gateway(5)),
                ..run(declared(Token::Secret(1)))
            };
            in_virtual_time(async {
                let mut world = without_a_token();
                let _ending = world.run(&repeated).await;
                world.settle = Settle::Now;
                let _ending = world.run(&run(declared(last))).await;
                world.settle = Settle::Wait;
                ends_without_a_token(&world, Vec::new(), last).await;
            });
        }
    }
}
