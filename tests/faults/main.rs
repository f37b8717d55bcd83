//! The fault table: each of the four methods under each of eleven faults, and the exact requests that
//! answer it. Real sockets, a record on a real disk.
//!
//! Each cell is a pass with the fault, the pass after it, and a third one that has nothing to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod boots;
mod dropped;
mod fixture;
mod late_writer;
mod stop_gate;

use std::time::Duration;

use fixture::Fixture;
use hookctl::plan::Plan;
use hookctl::reconcile::Verdict;
use hookctl::report::{Outcome, Remark};
use hookctl::sandbox::{Dialect, Fault, Hears, Sandbox, When};
use serde_json::json;

const KEEP: &str = "webhooks:
  keep: { name: Keep, url: 'https://keep.example.com', actions: all }
";
const SUBJECT: &str =
    "  subject: { name: Subject, url: 'https://subject.example.com', actions: all }\n";
const SUBJECT_ALONE: &str =
    "webhooks:\n  subject: { name: Subject, url: 'https://subject.example.com', actions: all }\n";
const EDITED: &str = "  subject: { name: Subject, url: 'https://subject.example.com', actions: all, max_retries: 7 }\n";
const RENAMED: &str =
    "  subject: { name: 'Subject  two', url: 'https://subject.example.com', actions: all }\n";
const ABSENT: &str = "  subject: { name: Subject, state: absent }\n";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// The API refuses the request.
    Refuse,
    /// The connection is closed, and nothing happened.
    ResetBefore,
    /// It happens, and the connection is closed.
    ResetAfter,
    /// No answer ever comes, and nothing happens.
    Hang,
    /// It happens, and half an answer comes.
    HalfAnswer,
    /// 429 with `Retry-After`.
    Throttle,
    /// It happens, and the answer is not the API's.
    WrongJson,
    /// Nothing happens, and the response says that there is no such webhook.
    NoSuchWebhook,
    /// Nothing happens, and the answer is a success that says nothing.
    EmptySuccess,
    /// Another writer edits between two requests.
    Edited,
    /// The API stores another form.
    Normalised,
}

impl Trouble {
    fn fault(self) -> Option<Fault> {
        let answer = |status: u16, header: (&str, &str), body: &str| {
            let headers = vec![(header.0.to_owned(), header.1.to_owned())];
            (status, headers, body.to_owned())
        };
        Some(match self {
            Self::Refuse => {
                let (status, headers, body) =
                    answer(400, ("x-request-id", "r1"), "{\"message\":\"not today\"}");
                Fault::Answer {
                    status,
                    headers,
                    body,
                }
            }
            Self::ResetBefore => Fault::CloseBefore,
            Self::ResetAfter => Fault::CloseAfter,
            Self::Hang => Fault::Hang,
            Self::HalfAnswer => Fault::HalfAnswer,
            Self::Throttle => {
                let (status, headers, body) = answer(429, ("retry-after", "0"), "{}");
                Fault::Answer {
                    status,
                    headers,
                    body,
                }
            }
            Self::NoSuchWebhook | Self::EmptySuccess => {
                let (status, headers, body) = if self == Self::EmptySuccess {
                    answer(200, ("content-type", "application/json"), "{}")
                } else {
                    answer(404, ("x-request-id", "r2"), "{\"detail\":\"Not Found\"}")
                };
                Fault::Answer {
                    status,
                    headers,
                    body,
                }
            }
            Self::WrongJson => {
                let (status, headers, body) =
                    answer(200, ("content-type", "text/html"), "<html>Welcome</html>");
                Fault::AnswerAfter {
                    status,
                    headers,
                    body,
                }
            }
            Self::Edited => Fault::Edit {
                webhook: "Keep".to_owned(),
                fields: json!({ "timeout_seconds": 44 }),
            },
            Self::Normalised => return None,
        })
    }
}

/// The state before, what is declared, and where the subject has to end.
struct Case {
    method: &'static str,
    before: bool,
    declared: &'static str,
    after: bool,
}

const GET: Case = Case {
    method: "GET",
    before: true,
    declared: SUBJECT,
    after: true,
};
const POST: Case = Case {
    method: "POST",
    before: false,
    declared: SUBJECT,
    after: true,
};
const PATCH: Case = Case {
    method: "PATCH",
    before: true,
    declared: EDITED,
    after: true,
};
const RENAME: Case = Case {
    method: "PATCH",
    before: true,
    declared: RENAMED,
    after: true,
};
const DELETE: Case = Case {
    method: "DELETE",
    before: true,
    declared: ABSENT,
    after: false,
};

/// Runs a cell: the requests of the pass with the fault, and of the pass after it.
async fn cell(case: &Case, trouble: Trouble, first: &[&str], second: &[&str]) {
    let dialect = Dialect {
        normalizes: trouble == Trouble::Normalised,
        ..Dialect::default()
    };
    let mut fixture = Fixture::new(dialect).await;
    fixture.declare(&format!("{KEEP}{}", if case.before { SUBJECT } else { "" }));
    fixture.pass().await.unwrap();
    let so_far = fixture.sandbox().requests();
    let of_method = so_far
        .iter()
        .filter(|request| request.method == case.method);
    let number = of_method.count() + 1;
    fixture.requests();
    if let Some(mut fault) = trouble.fault() {
        // A PATCH sees an edit of the very webhook; the others of a neighbour.
        if let (Fault::Edit { webhook, .. }, "PATCH") = (&mut fault, case.method) {
            "Subject".clone_into(webhook);
        }
        let method = case.method;
        fixture.sandbox().fault(When::Nth { method, number }, fault);
    }
    fixture.declare(&format!("{KEEP}{}", case.declared));
    if trouble == Trouble::Hang {
        fixture.patience = Duration::from_secs(2);
    }
    // Some faults end a pass, or fail an action; what counts is what was sent.
    let _ended = fixture.pass().await;
    fixture.patience = Duration::from_secs(30);
    assert_eq!(fixture.requests(), first, "the pass with the fault");
    let report = fixture.pass().await.unwrap();
    assert_eq!(fixture.requests(), second, "the pass after it");
    assert!(report.report.unwrap().is_complete());
    let report = fixture.pass().await.unwrap();
    assert_eq!(fixture.requests(), ["L"], "the third pass: {report:?}");

    let webhooks = fixture.sandbox().webhooks();
    let count = |name: &str| {
        let named = webhooks
            .iter()
            .filter(|webhook| webhook.name.starts_with(name));
        named.count()
    };
    assert_eq!(count("Keep"), 1);
    assert_eq!(count("Subject"), usize::from(case.after), "doubled or lost");
    assert_eq!(webhooks.len(), 1 + usize::from(case.after));
    assert!(fixture.pending().await.is_empty());
}

macro_rules! cells {
    ($($name:ident: $case:ident, $trouble:ident, [$($first:literal),*], [$($second:literal),*];)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                cell(&$case, Trouble::$trouble, &[$($first),*], &[$($second),*]).await;
            }
        )+
    };
}

cells! {
    get_refused: GET, Refuse, ["L"], ["L"];
    get_reset_before: GET, ResetBefore, ["L", "L"], ["L"];
    get_reset_after: GET, ResetAfter, ["L", "L"], ["L"];
    get_hangs: GET, Hang, ["L", "L"], ["L"];
    get_half_an_answer: GET, HalfAnswer, ["L", "L"], ["L"];
    get_throttled: GET, Throttle, ["L", "L"], ["L"];
    get_wrong_json: GET, WrongJson, ["L"], ["L"];
    get_empty_success: GET, EmptySuccess, ["L"], ["L"];
    get_edited_before: GET, Edited, ["L", "PATCH {\"timeout_seconds\":10}"], ["L"];
    get_normalised: GET, Normalised, ["L"], ["L"];

    post_refused: POST, Refuse, ["L", "POST \"Subject\""], ["L", "POST \"Subject\"", "L"];
    post_reset_before: POST, ResetBefore, ["L", "POST \"Subject\"", "L", "POST \"Subject\"", "L"], ["L"];
    post_reset_after: POST, ResetAfter, ["L", "POST \"Subject\"", "L"], ["L"];
    post_hangs: POST, Hang, ["L", "POST \"Subject\"", "L", "POST \"Subject\"", "L"], ["L"];
    post_half_an_answer: POST, HalfAnswer, ["L", "POST \"Subject\"", "L"], ["L"];
    post_throttled: POST, Throttle, ["L", "POST \"Subject\"", "POST \"Subject\"", "L"], ["L"];
    post_wrong_json: POST, WrongJson, ["L", "POST \"Subject\"", "L"], ["L"];
    post_empty_success: POST, EmptySuccess, ["L", "POST \"Subject\"", "L", "POST \"Subject\"", "L"], ["L"];
    post_edited_before: POST, Edited, ["L", "POST \"Subject\"", "L"], ["L", "PATCH {\"timeout_seconds\":10}"];
    post_normalised: POST, Normalised, ["L", "POST \"Subject\"", "L"], ["L"];

    patch_refused: PATCH, Refuse, ["L", "PATCH {\"max_retries\":7}"], ["L", "PATCH {\"max_retries\":7}"];
    patch_reset_before: PATCH, ResetBefore, ["L", "PATCH {\"max_retries\":7}", "PATCH {\"max_retries\":7}"], ["L"];
    patch_reset_after: PATCH, ResetAfter, ["L", "PATCH {\"max_retries\":7}", "PATCH {\"max_retries\":7}"], ["L"];
    patch_hangs: PATCH, Hang, ["L", "PATCH {\"max_retries\":7}", "PATCH {\"max_retries\":7}"], ["L"];
    patch_half_an_answer: PATCH, HalfAnswer, ["L", "PATCH {\"max_retries\":7}", "PATCH {\"max_retries\":7}"], ["L"];
    patch_throttled: PATCH, Throttle, ["L", "PATCH {\"max_retries\":7}", "PATCH {\"max_retries\":7}"], ["L"];
    patch_wrong_json: PATCH, WrongJson, ["L", "PATCH {\"max_retries\":7}", "L"], ["L"];
    patch_called_gone: PATCH, NoSuchWebhook, ["L", "PATCH {\"max_retries\":7}", "L", "PATCH {\"max_retries\":7}"], ["L"];
    patch_empty_success: PATCH, EmptySuccess, ["L", "PATCH {\"max_retries\":7}", "L", "PATCH {\"max_retries\":7}"], ["L"];
    patch_edited_before: PATCH, Edited, ["L", "PATCH {\"max_retries\":7}", "L", "PATCH {\"timeout_seconds\":10}"], ["L"];
    patch_normalised: RENAME, Normalised, ["L", "PATCH {\"name\":\"Subject  two\"}"], ["L"];

    delete_refused: DELETE, Refuse, ["L", "DELETE"], ["L", "DELETE"];
    delete_reset_before: DELETE, ResetBefore, ["L", "DELETE", "DELETE"], ["L"];
    delete_reset_after: DELETE, ResetAfter, ["L", "DELETE", "DELETE", "L"], ["L"];
    delete_hangs: DELETE, Hang, ["L", "DELETE", "DELETE"], ["L"];
    delete_half_an_answer: DELETE, HalfAnswer, ["L", "DELETE", "DELETE", "L"], ["L"];
    delete_throttled: DELETE, Throttle, ["L", "DELETE", "DELETE"], ["L"];
    delete_wrong_json: DELETE, WrongJson, ["L", "DELETE", "L"], ["L"];
    delete_called_gone: DELETE, NoSuchWebhook, ["L", "DELETE", "L", "L", "DELETE"], ["L"];
    delete_empty_success: DELETE, EmptySuccess, ["L", "DELETE", "L", "L", "DELETE"], ["L"];
    delete_edited_before: DELETE, Edited, ["L", "DELETE"], ["L", "PATCH {\"timeout_seconds\":10}"];
    delete_normalised: DELETE, Normalised, ["L", "DELETE"], ["L"];
}

/// The API goes away between the list and the first write, for good.
async fn unreachable(case: &Case) {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(&format!("{KEEP}{}", if case.before { SUBJECT } else { "" }));
    fixture.pass().await.unwrap();
    fixture.declare(&format!("{KEEP}{}", case.declared));
    let mut down = |_: &Plan, sandbox: &mut Option<Sandbox>| {
        drop(sandbox.take());
        Verdict::Apply
    };
    let report = fixture.pass_with(&mut down).await.unwrap();
    let results = report.report.unwrap();
    assert_eq!(results.failed(), 1, "{results:?}");
    let pending = fixture.pending().await;
    assert!(pending.intents.len() <= 1);
}

#[tokio::test]
async fn get_unreachable() {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(KEEP);
    drop(fixture.sandbox.take());
    let error = fixture.pass().await.unwrap_err().to_string();
    assert_eq!(error, "could not list the webhooks");
    assert!(fixture.pending().await.is_empty());
}

#[tokio::test]
async fn post_unreachable() {
    unreachable(&POST).await;
}

#[tokio::test]
async fn patch_unreachable() {
    unreachable(&PATCH).await;
}

#[tokio::test]
async fn delete_unreachable() {
    unreachable(&DELETE).await;
}

/// A create behind a gateway that is seen by none of the first lists: it is reported once, and as created.
#[tokio::test]
async fn a_create_that_is_found_late_is_reported() {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.horizon.0 = Duration::from_mins(1);
    fixture.declare(SUBJECT_ALONE);
    let (after, hears) = (Duration::from_millis(900), Hears::GatewayTimeout);
    let (method, number) = ("POST", 1);
    let late = Fault::Late { after, hears };
    fixture.sandbox().fault(When::Nth { method, number }, late);
    let report = fixture.pass().await.unwrap().report.unwrap();
    let outcomes: Vec<_> = report.results.iter().map(|one| &one.outcome).collect();
    let reported = |outcome: &&Outcome| match outcome {
        Outcome::Applied { remarks, .. } => *remarks == [Remark::FoundAfterNoAnswer],
        _ => false,
    };
    assert!(
        outcomes.len() == 1 && outcomes.iter().all(reported),
        "{outcomes:?}"
    );
    let requests = fixture.requests();
    let (writes, lists): (Vec<_>, Vec<_>) = requests.iter().partition(|line| *line != "L");
    assert_eq!(writes, ["POST \"Subject\""]);
    assert!(lists.len() >= 3, "{requests:?}");
}

/// A 5xx that is there to stay: the budget is spent, and what may have happened stays intended.
#[tokio::test]
async fn a_spent_budget_leaves_the_intent_of_what_may_have_happened() {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(&format!("{KEEP}{SUBJECT}"));
    fixture.pass().await.unwrap();
    fixture.requests();
    for number in 1..=3 {
        let fault = Fault::AnswerAfter {
            status: 503,
            headers: Vec::new(),
            body: String::new(),
        };
        let method = "PATCH";
        fixture.sandbox().fault(When::Nth { method, number }, fault);
    }
    fixture.declare(&format!("{KEEP}{EDITED}"));
    let report = fixture.pass().await.unwrap();
    assert_eq!(report.report.unwrap().failed(), 1);
    assert_eq!(fixture.requests().len(), 4, "the list and three tries");
    assert_eq!(fixture.pending().await.intents.len(), 1);
    fixture.pass().await.unwrap();
    assert_eq!(fixture.requests(), ["L"], "it had happened");
    assert!(fixture.pending().await.is_empty());
}
