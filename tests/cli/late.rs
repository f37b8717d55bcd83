//! An API slower than a restart: requests take effect after their sender was killed, timed out, or got a gateway error.
//! No webhook is duplicated or lost, and no old token stays.
//!
//! `HOOKCTL_LATE_ROUNDS` and `HOOKCTL_LATE_HORIZON` (in milliseconds) set the length.

use std::process::{Child, Stdio};
use std::time::Duration;

use hookctl::sandbox::{Fault, Hears};
use serde_json::json;

use crate::harness::{Account, Repository, Run, hooks};
use crate::interruption::{nothing_pends, reached, signal};

/// How many webhooks are created in a round.
const HOOKS: usize = 3;

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var_os(variable);
    value.map_or(default, |value| value.to_str().unwrap().parse().unwrap())
}

struct Rounds {
    horizon: u64,
    seed: u64,
}

impl Rounds {
    /// Runs a scenario several times, each with a fresh account and repository.
    fn run(scenario: impl Fn(&mut Self, &Account, &mut Repository)) {
        let mut rounds = Self {
            horizon: number("HOOKCTL_LATE_HORIZON", 600),
            seed: 0x9e37_79b9_7f4a_7c15,
        };
        for _ in 0..number("HOOKCTL_LATE_ROUNDS", 3) {
            let account = Account::new();
            let mut repository = Repository::with(&hooks(HOOKS));
            let (horizon, timeout) = (rounds.horizon, rounds.horizon / 2);
            repository.set("HOOKCTL_SETTLE_HORIZON", &format!("{horizon}ms"));
            repository.set("HOOKCTL_REQUEST_TIMEOUT", &format!("{timeout}ms"));
            scenario(&mut rounds, &account, &mut repository);
        }
    }

    /// A moment within the horizon.
    fn late(&mut self) -> Duration {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        Duration::from_millis(self.seed % (self.horizon * 9 / 10))
    }

    fn posts_are_late(&mut self, account: &Account, hears: Hears) {
        for number in 1..=HOOKS {
            let after = self.late();
            account.fault("POST", number, Fault::Late { after, hears });
        }
    }
}

fn start(repository: &Repository, account: &Account) -> Child {
    let url = account.sandbox.base_url();
    repository
        .command(&["--api-url", &url, "sync", "--grace", "0s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The account holds each webhook once, also after all that was sent has arrived.
fn each_is_there_once(account: &Account, repository: &Repository) {
    repository.sync(account, &[]).code(0);
    std::thread::sleep(Duration::from_millis(number("HOOKCTL_LATE_HORIZON", 600)));
    let names: Vec<_> = (0..HOOKS)
        .map(|number| format!("hook-{number:02}"))
        .collect();
    assert_eq!(account.names(), names);
    repository.sync(account, &[]).code(0).shows("No changes.");
    nothing_pends(repository, account);
}

#[test]
fn a_killed_run_and_the_next_one_at_once() {
    Rounds::run(|rounds, account, repository| {
        rounds.posts_are_late(account, Hears::Nothing);
        let mut child = start(repository, account);
        reached(account, 1 + HOOKS);
        child.kill().unwrap();
        child.wait().unwrap();
        each_is_there_once(account, repository);
    });
}

#[test]
fn a_second_signal_and_the_next_run_at_once() {
    Rounds::run(|rounds, account, repository| {
        rounds.posts_are_late(account, Hears::Nothing);
        let mut child = start(repository, account);
        reached(account, 1 + HOOKS);
        signal(&child, "INT");
        signal(&child, "INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        each_is_there_once(account, repository);
    });
}

#[test]
fn a_run_that_waited_for_the_one_that_was_killed() {
    Rounds::run(|rounds, account, repository| {
        rounds.posts_are_late(account, Hears::Nothing);
        let mut child = start(repository, account);
        reached(account, 1 + HOOKS);
        let waiting = start(repository, account);
        child.kill().unwrap();
        child.wait().unwrap();
        Run::of(waiting.wait_with_output().unwrap()).code(0);
        each_is_there_once(account, repository);
    });
}

#[test]
fn a_gateways_timeout_or_a_reset_at_once() {
    for hears in [Hears::GatewayTimeout, Hears::Close] {
        Rounds::run(|rounds, account, repository| {
            rounds.posts_are_late(account, hears);
            repository.sync(account, &[]).code(0).shows("3 created");
            each_is_there_once(account, repository);
        });
    }
}

/// A run that writes a second token of what is declared is killed, and what it sent arrives later.
fn a_token_is_under_way(rounds: &mut Rounds, account: &Account, repository: &mut Repository) {
    repository.set("TOKEN", "s3cr3t-zero");
    repository.sync(account, &[]).code(0);
    let after = rounds.late();
    let hears = Hears::Nothing;
    account.fault("PATCH", 1, Fault::Late { after, hears });
    repository.set("TOKEN", "s3cr3t-one");
    let sent = account.sandbox.received();
    let mut child = start(repository, account);
    reached(account, sent + 2);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_token_that_was_under_way_does_not_replace_the_next_one() {
    Rounds::run(|rounds, account, repository| {
        let declared = "webhooks:\n  hook: { url: 'https://h.example.com', actions: all, bearer_token: { env: TOKEN } }\n";
        repository.declare(declared);
        a_token_is_under_way(rounds, account, repository);
        repository.set("TOKEN", "s3cr3t-two");
        repository.sync(account, &[]).code(0);
        std::thread::sleep(Duration::from_millis(rounds.horizon));
        let token = account.sandbox.token(&account.id("hook"));
        assert_eq!(token.as_deref(), Some("s3cr3t-two"));
        repository.sync(account, &[]).code(0).shows("No changes.");
    });
}

/// A token is under way, and the webhook has another key by then.
fn under_another_key(arguments: &[&str]) {
    Rounds::run(|rounds, account, repository| {
        let fields = "url: 'https://h.example.com', actions: all, bearer_token: { env: TOKEN } }";
        repository.declare(&format!("webhooks:\n  hook: {{ {fields}\n"));
        a_token_is_under_way(rounds, account, repository);
        let id = account.id("hook");
        repository.set("TOKEN", "s3cr3t-two");
        repository.declare(&format!("webhooks:\n  other: {{ id: {id}, {fields}\n"));
        repository.sync(account, arguments).code(0);
        std::thread::sleep(Duration::from_millis(3 * rounds.horizon));
        repository.sync(account, &[]).code(0);
        let token = account.sandbox.token(&id);
        assert_eq!(token.as_deref(), Some("s3cr3t-two"), "{arguments:?}");
        repository.sync(account, &[]).code(0).shows("No changes.");
        nothing_pends(repository, account);
    });
}

#[test]
fn a_token_that_was_under_way_belongs_to_its_webhook_whatever_its_key() {
    under_another_key(&[]);
}

#[test]
fn a_token_that_was_under_way_is_written_over_after_settle_now_whatever_its_key() {
    under_another_key(&["--settle", "now"]);
}

#[test]
fn a_create_of_the_name_that_a_webhook_had_before_is_waited_for() {
    Rounds::run(|rounds, account, repository| {
        let after = rounds.late();
        let hears = Hears::Nothing;
        account.fault("POST", 1, Fault::Late { after, hears });
        let fields = "url: 'https://h.example.com', actions: all }";
        repository.declare(&format!("webhooks:\n  hook: {{ name: Old, {fields}\n"));
        let mut child = start(repository, account);
        reached(account, 2);
        child.kill().unwrap();
        child.wait().unwrap();
        repository.declare(&format!(
            "webhooks:\n  other: {{ name: New, previously: [Old], {fields}\n"
        ));
        // 4 if it was waited for, 1 if it was there at once.
        let refused = repository.sync(account, &[]);
        assert_ne!(refused.status, 0, "{}", refused.stdout);
        refused.complains("record rename hook other");
        std::thread::sleep(Duration::from_millis(3 * rounds.horizon));
        assert_eq!(account.names(), ["Old"], "no second one beside it");
        let url = account.sandbox.base_url();
        let rename = ["--api-url", &url, "record", "rename", "hook", "other"];
        repository.run(&rename).code(0);
        repository.sync(account, &[]).code(0).shows("1 updated");
        assert_eq!(account.names(), ["New"]);
        repository.sync(account, &[]).code(0).shows("No changes.");
    });
}

#[test]
fn a_run_of_some_keys_waits_for_no_other() {
    let account = Account::new();
    let mut repository = Repository::with(&hooks(2));
    repository.set("HOOKCTL_SETTLE_HORIZON", "10m");
    account.fault("POST", 1, Fault::Hang);
    account.fault("POST", 2, Fault::Hang);
    let mut child = start(&repository, &account);
    reached(&account, 3);
    child.kill().unwrap();
    child.wait().unwrap();
    repository.declare(&format!(
        "{}  extra: {{ url: 'https://x.example.com', actions: all }}\n",
        hooks(2)
    ));
    repository
        .sync(&account, &["--only", "extra"])
        .code(0)
        .shows("1 created");
    assert_eq!(account.names(), ["extra"]);
}

#[test]
fn what_is_waited_for_is_said_and_a_dry_run_does_not_wait() {
    let account = Account::new();
    let mut repository = Repository::with(&hooks(1));
    repository.set("HOOKCTL_SETTLE_HORIZON", "2s");
    let (after, hears) = (Duration::from_millis(1_500), Hears::Nothing);
    account.fault("POST", 1, Fault::Late { after, hears });
    let mut child = start(&repository, &account);
    reached(&account, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let dry = repository.sync(&account, &["--dry-run"]).code(0);
    dry.complains("may still take effect");
    let now = repository
        .sync(&account, &["--dry-run", "--settle", "now"])
        .code(0);
    now.complains("may still take effect");
    assert_eq!(account.names().len(), 0, "neither waited");
    let run = repository.sync(&account, &[]).code(0);
    run.complains("waiting up to").complains("hook-00");
    assert_eq!(account.names(), ["hook-00"]);
}

#[test]
fn settle_now_does_not_wait_and_the_record_says_so() {
    let account = Account::new();
    let mut repository = Repository::with(&hooks(1));
    repository.set("HOOKCTL_SETTLE_HORIZON", "1m");
    account.fault("POST", 1, Fault::Hang);
    let mut child = start(&repository, &account);
    reached(&account, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    repository
        .sync(&account, &["--settle", "now"])
        .code(0)
        .shows("1 created");
    let url = account.sandbox.base_url();
    let shown = repository
        .run(&["--api-url", &url, "record", "show"])
        .code(0);
    shown.shows("it may still take effect");
    assert_eq!(account.names(), ["hook-00"]);
}

/// A token that may still be set stays in the record, which keeps back nothing else of it.
#[test]
fn a_protection_is_recorded_while_a_token_may_still_be_set() {
    const WEBHOOK: &str = "  hook: { url: 'https://h.example.com', actions: all";
    const OTHER: &str = "  other: { url: 'https://o.example.com', actions: all }\n";
    for (edit, patches) in [("", 0), (", timeout_seconds: 20", 1)] {
        let account = Account::new();
        let mut repository = Repository::new();
        let declare = |repository: &Repository, fields: &str| {
            repository.declare(&format!("webhooks:\n{WEBHOOK}{fields} }}\n{OTHER}"));
        };
        repository.set("HOOKCTL_SETTLE_HORIZON", "10m");
        repository.set("TOKEN", "s3cr3t-one");
        declare(&repository, "");
        repository.settled(&account);
        declare(&repository, ", bearer_token: { env: TOKEN }");
        account.fault("PATCH", 1, Fault::Hang);
        let sent = account.sandbox.received();
        let mut child = start(&repository, &account);
        reached(&account, sent + 2);
        child.kill().unwrap();
        child.wait().unwrap();
        account.requests();
        declare(&repository, &format!(", prevent_destroy: true{edit}"));
        repository.sync(&account, &["--settle", "now"]).code(0);
        let requests = account.requests();
        let is_patch = |line: &&String| line.starts_with("PATCH");
        assert_eq!(requests.iter().filter(is_patch).count(), patches);
        let url = account.sandbox.base_url();
        let show = ["--api-url", &url, "record", "show", "--output", "json"];
        let record = repository.run(&show).code(0).json();
        let hook = &record["bindings"][0];
        assert_eq!(
            (&hook["key"], &hook["prevent_destroy"], &hook["token_set"]),
            (&json!("hook"), &json!(true), &json!(true)),
            "{edit}: {record}"
        );
        // The declaration is gone.
        repository.declare(&format!("webhooks:\n{OTHER}"));
        let prune = ["--prune", "--force", "--yes", "--settle", "now"];
        repository
            .sync(&account, &prune)
            .code(5)
            .complains("prevent_destroy");
        account.got_only_lists();
        assert_eq!(account.names(), ["hook", "other"]);
    }
}
