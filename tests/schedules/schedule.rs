//! Random schedules: what is declared, run after run; what goes wrong; which other writers there are.

use std::time::Duration;

use hookctl::sandbox::{Dialect, Fault, ListName};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

use crate::machine::{Hears, Late};

/// The keys that may be declared.
pub(crate) const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A schedule.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) dialect: Dialect,
    /// What was there before: webhooks that carry the name of a key, and others.
    pub(crate) before: Vec<Before>,
    /// Runs that may fail.
    pub(crate) runs: Vec<Run>,
    /// What the files say in the end.
    pub(crate) last: Declared,
    /// How long requests take, in milliseconds.
    pub(crate) latencies: Vec<u64>,
}

/// A webhook that was there before.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    /// The index of the key whose name it carries; `None` for a stranger.
    pub(crate) like: Option<usize>,
    pub(crate) timeout_seconds: i64,
    pub(crate) has_token: bool,
}

/// One run of the program.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) declared: Declared,
    /// Edits by hand before it.
    pub(crate) edits: Vec<(usize, Edit)>,
    /// How long after the run before it, in milliseconds.
    pub(crate) pause: u64,
    /// Faults by request number within the run, from 1.
    pub(crate) faults: Vec<(usize, Trouble)>,
    /// Writes whose effect is late, by request number within the run, from 1.
    pub(crate) late: Vec<(u64, Late)>,
    /// The step at which the process dies.
    pub(crate) dies_at: Option<u64>,
    /// Whether it is interrupted by a signal after so many requests.
    pub(crate) interrupted_at: Option<u64>,
}

/// What the files say.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// By index of the key.
    pub(crate) webhooks: Vec<Option<Declaration>>,
    pub(crate) prune: bool,
}

/// What a file says of one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Declaration {
    Absent,
    Present { timeout_seconds: i64, token: Token },
}

/// What a file says of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token {
    LeftOut,
    Null,
    Secret(u8),
}

/// An edit by hand.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Timeout(i64),
    Disable,
    TakeToken,
    Remove,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Fault(Fault),
    Edited(usize, Edit),
}

impl Edit {
    /// As a fault just before a request.
    pub(crate) fn fault(&self, webhook: String) -> Fault {
        let fields = match self {
            Self::Timeout(seconds) => json!({ "timeout_seconds": seconds }),
            Self::Disable => json!({ "enabled": false }),
            Self::TakeToken => json!({ "has_bearer_token": false }),
            Self::Remove => return Fault::Remove { webhook },
        };
        Fault::Edit { webhook, fields }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (40..60i64).prop_map(Edit::Timeout),
        1 => Just(Edit::Disable),
        1 => Just(Edit::TakeToken),
        1 => Just(Edit::Remove),
    ]
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str, after: bool) -> Fault {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let body = body.to_owned();
    if after {
        Fault::AnswerAfter {
            status,
            headers,
            body,
        }
    } else {
        Fault::Answer {
            status,
            headers,
            body,
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::CloseBefore),
        Just(Fault::CloseAfter),
        Just(Fault::Hang),
        Just(Fault::HangAfter),
        Just(Fault::HalfAnswer),
        (1..90_000u64).prop_map(|time| Fault::Delay(Duration::from_millis(time))),
        any::<bool>().prop_map(|after| answer(500, &[], "{\"detail\":\"boom\"}", after)),
        any::<bool>().prop_map(|after| answer(
            502,
            &[("content-type", "text/html")],
            "<html>",
            after
        )),
        any::<bool>().prop_map(|after| answer(503, &[("retry-after", "1")], "", after)),
        Just(answer(429, &[("retry-after", "2")], "{}", false)),
        Just(answer(
            429,
            &[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")],
            "{}",
            false
        )),
        Just(answer(401, &[], "{\"detail\":\"no\"}", false)),
        Just(answer(409, &[], "{\"message\":\"busy\"}", false)),
        Just(answer(
            302,
            &[("location", "https://login.example/")],
            "",
            false
        )),
        any::<bool>().prop_map(|after| answer(
            200,
            &[("content-type", "text/html")],
            "<html>",
            after
        )),
        Just(answer(200, &[], "{\"ok\":true}", true)),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        4 => fault().prop_map(Trouble::Fault),
        1 => (0..8usize, edit()).prop_map(|(webhook, edit)| Trouble::Edited(webhook, edit)),
    ]
}

fn declaration() -> impl Strategy<Value = Option<Declaration>> {
    let token = prop_oneof![
        Just(Token::LeftOut),
        Just(Token::Null),
        (0..3u8).prop_map(Token::Secret),
    ];
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Declaration::Absent)),
        5 => (10..14i64, token).prop_map(|(timeout_seconds, token)| {
            Some(Declaration::Present { timeout_seconds, token })
        }),
    ]
}

pub(crate) fn declared() -> impl Strategy<Value = Declared> {
    (vec(declaration(), KEYS.len()), any::<bool>())
        .prop_map(|(webhooks, prune)| Declared { webhooks, prune })
}

pub(crate) fn dialect() -> impl Strategy<Value = Dialect> {
    (any::<[bool; 5]>(), option::weighted(0.2, 1..3usize)).prop_map(
        |([bare, without_total, document_ids, silent_writes, normalizes], page_cap)| Dialect {
            list: if bare {
                ListName::Bare
            } else {
                ListName::Subscriptions
            },
            without_total,
            page_cap,
            document_ids,
            silent_writes,
            normalizes,
        },
    )
}

/// The longest that a late write is under way, in milliseconds: below the default horizon, which is 45 s.
const LONGEST_TRANSIT: u64 = 44_000;

fn late() -> impl Strategy<Value = Late> {
    let transit = prop_oneof![1..3_000u64, 1..LONGEST_TRANSIT];
    let hears = prop_oneof![
        2 => Just(Hears::Nothing),
        1 => (0..200u64).prop_map(Hears::Reset),
        1 => (0..200u64).prop_map(Hears::Gateway),
    ];
    (transit, hears).prop_map(|(transit, hears)| Late { transit, hears })
}

pub(crate) fn run(trouble_of: Odds) -> impl Strategy<Value = Run> {
    (
        declared(),
        vec((0..8usize, edit()), 0..2),
        prop_oneof![2 => Just(0), 2 => 0..3_000u64, 1 => 0..90_000u64],
        vec((1..14usize, trouble()), 0..=trouble_of.faults),
        vec((1..14u64, late()), 0..=trouble_of.late),
        option::weighted(trouble_of.deaths.clamp(0.001, 0.999), 0..70u64),
        option::weighted(0.1, 1..10u64),
    )
        .prop_map(
            |(declared, edits, pause, faults, late, dies_at, interrupted_at)| Run {
                declared,
                edits,
                pause,
                faults,
                late,
                dies_at,
                interrupted_at,
            },
        )
}

/// How much goes wrong in each run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    /// The probability that it dies.
    pub(crate) deaths: f64,
    /// The most faults.
    pub(crate) faults: usize,
    /// The most late writes.
    pub(crate) late: usize,
}

/// Webhooks that were there before.
pub(crate) fn before() -> impl Strategy<Value = Before> {
    (
        option::weighted(0.6, 0..KEYS.len()),
        10..14i64,
        any::<bool>(),
    )
        .prop_map(|(like, timeout_seconds, has_token)| Before {
            like,
            timeout_seconds,
            has_token,
        })
}

/// Schedules of so many runs, with so much trouble in each.
pub(crate) fn schedules(
    runs: std::ops::Range<usize>,
    trouble: Odds,
) -> impl Strategy<Value = Schedule> {
    (
        dialect(),
        vec(before(), 0..3),
        vec(run(trouble), runs),
        declared(),
        vec(0..20u64, 1..8),
    )
        .prop_map(|(dialect, before, runs, last, latencies)| Schedule {
            dialect,
            before,
            runs,
            last,
            latencies,
        })
}
