//! `watch`: every way of saving a file reaches the API, and invalid files change nothing.

#![cfg(unix)]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hookctl::sandbox::{Fault, Hears, Webhook};
use serde_json::json;

use crate::harness::{Account, BILLING, CANARY, Repository};

/// A running watch; it is ended when this is dropped.
pub(crate) struct Watch<'a> {
    pub(crate) child: Child,
    account: &'a Account,
}

impl<'a> Watch<'a> {
    pub(crate) fn start(repository: &Repository, account: &'a Account, arguments: &[&str]) -> Self {
        Self::start_at(&account.sandbox.base_url(), repository, account, arguments)
    }

    /// Starts one that reaches the account at this address.
    pub(crate) fn start_at(
        url: &str,
        repository: &Repository,
        account: &'a Account,
        arguments: &[&str],
    ) -> Self {
        let mut all = vec!["--api-url", url, "watch"];
        all.extend(arguments);
        let child = repository
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, account }
    }

    /// Starts one, and waits until what is declared is there.
    pub(crate) fn settled(
        repository: &Repository,
        account: &'a Account,
        arguments: &[&str],
    ) -> Self {
        let watch = Self::start(repository, account, arguments);
        watch.until("the first pass", |webhooks| !webhooks.is_empty());
        watch
    }

    /// Waits until the account is as wanted.
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&[Webhook]) -> bool) {
        self.wait(what, || wanted(&self.account.sandbox.webhooks()));
    }

    pub(crate) fn wait(&self, what: &str, wanted: impl Fn() -> bool) {
        let mut patience = 8_000;
        while !wanted() {
            std::thread::sleep(Duration::from_millis(5));
            patience -= 1;
            assert!(
                patience > 0,
                "{what}: {:#?}",
                self.account.sandbox.webhooks()
            );
        }
    }

    pub(crate) fn until_timeout(&self, name: &str, seconds: i64) {
        self.until(&format!("{name}: {seconds}"), |webhooks| {
            timeout(webhooks, name) == Some(seconds)
        });
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Ends it by a signal, and returns its log.
    pub(crate) fn end(mut self) -> String {
        self.signal("TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        assert!(!log.contains(CANARY), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        log
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn timeout(webhooks: &[Webhook], name: &str) -> Option<i64> {
    let webhook = webhooks.iter().find(|webhook| webhook.name == name)?;
    Some(webhook.timeout_seconds)
}

pub(crate) fn billing(timeout_seconds: i64) -> String {
    format!("{BILLING}    timeout_seconds: {timeout_seconds}\n")
}

fn replaced(repository: &Repository, path: &str, text: &str) {
    let beside = format!("{path}.swp");
    repository.write(&beside, text);
    fs::rename(repository.path(&beside), repository.path(path)).unwrap();
}

#[test]
fn every_way_of_saving_lands() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(&repository, &account, &["--interval", "1h"]);
    let file = "webhooks.d/all.yaml";

    repository.write(file, &billing(11));
    watch.until_timeout("Billing", 11);

    replaced(&repository, file, &billing(12));
    watch.until_timeout("Billing", 12);

    // vim: the old file becomes the backup, a new one is written.
    fs::rename(
        repository.path(file),
        repository.path("webhooks.d/all.yaml~"),
    )
    .unwrap();
    repository.write(file, &billing(13));
    fs::remove_file(repository.path("webhooks.d/all.yaml~")).unwrap();
    watch.until_timeout("Billing", 13);

    let deep = "webhooks:\n  deep: { url: 'https://deep.example.com', actions: all }\n";
    repository.write("webhooks.d/new/folder/deep.yaml", deep);
    watch.until("a new folder", |webhooks| webhooks.len() == 2);
    repository.write(
        "webhooks.d/new/folder/deep.yaml",
        &deep.replace("actions: all", "actions: all, timeout_seconds: 14"),
    );
    watch.until_timeout("deep", 14);

    // A checkout that takes the folder away and makes it again.
    fs::remove_dir_all(repository.path("webhooks.d")).unwrap();
    repository.write(file, &billing(15));
    watch.until_timeout("Billing", 15);
    repository.write(file, &billing(16));
    watch.until_timeout("Billing", 16);

    assert_eq!(
        account.names().len(),
        2,
        "nothing is deleted because a file is gone"
    );
    let log = watch.end();
    assert_eq!(log.matches("\"start\"").count(), 1, "{log}");
}

#[test]
fn a_config_map_is_swapped() {
    let (account, repository) = (Account::new(), Repository::new());
    let version = |number: i64| {
        repository.write(
            &format!("webhooks.d/..v{number}/all.yaml"),
            &billing(number),
        );
        let link = repository.path("webhooks.d/..data_tmp");
        symlink(format!("..v{number}"), &link).unwrap();
        fs::rename(link, repository.path("webhooks.d/..data")).unwrap();
    };
    version(11);
    symlink("..data/all.yaml", repository.path("webhooks.d/all.yaml")).unwrap();
    let watch = Watch::settled(&repository, &account, &["--interval", "1h"]);
    for number in 12..15 {
        version(number);
        watch.until_timeout("Billing", number);
    }
    watch.end();
}

/// A checkout by git-sync: each commit has a folder of its own, and one link names the current one. The declarations are
/// below that link, so neither their folder nor its parent changes.
#[test]
fn a_link_above_the_folder_is_swapped() {
    let (account, mut repository) = (Account::new(), Repository::new());
    let watched = repository.path("git/current/webhooks.d");
    repository.set("HOOKCTL_DIR", watched.to_str().unwrap());
    let commit = |number: i64| {
        let folder = format!("git/.worktrees/{number}");
        repository.write(&format!("{folder}/webhooks.d/all.yaml"), &billing(number));
        let link = repository.path("git/.link");
        symlink(format!(".worktrees/{number}"), &link).unwrap();
        fs::rename(link, repository.path("git/current")).unwrap();
    };
    commit(11);
    let watch = Watch::settled(&repository, &account, &["--interval", "1h"]);
    for number in 12..15 {
        let started = Instant::now();
        commit(number);
        watch.until_timeout("Billing", number);
        let waited = started.elapsed();
        assert!(
            waited < Duration::from_secs(15),
            "only the rescan saw it: {waited:?}"
        );
    }
    watch.end();
}

#[test]
fn a_checkout_that_rewrites_everything_is_few_passes() {
    let (account, repository) = (Account::new(), Repository::new());
    let write = |timeout: i64| {
        for number in 0..100 {
            repository.write(
                &format!("webhooks.d/{number}.yaml"),
                &format!(
                    "webhooks:\n  hook-{number}: {{ url: 'https://hooks.example.com/{number}', \
                     actions: all, timeout_seconds: {timeout} }}\n"
                ),
            );
        }
    };
    write(11);
    repository.write("hookctl.yaml", "safety: { max_update_percent: 100 }\n");
    let watch = Watch::start(&repository, &account, &["--interval", "1h"]);
    watch.until("all of them", |webhooks| webhooks.len() == 100);
    write(12);
    watch.until("the change", |webhooks| {
        webhooks.iter().all(|webhook| webhook.timeout_seconds == 12)
    });
    let log = watch.end();
    let passes = log.matches("reason=\"files\"").count();
    assert!((1..=10).contains(&passes), "{passes} passes");
}

#[test]
fn a_file_system_without_events_is_looked_at() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(&repository, &account, &["--poll", "--interval", "1h"]);
    repository.declare(&billing(11));
    watch.until_timeout("Billing", 11);
    watch.end();
}

#[test]
fn a_broken_file_leaves_what_is_applied_and_drift_is_still_reverted() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(&repository, &account, &["--interval", "1s"]);
    repository.write("webhooks.d/broken.yaml", "webhooks: [");
    account.edit("Billing", &json!({ "timeout_seconds": 55 }));
    watch.until_timeout("Billing", 10);
    repository.write("webhooks.d/broken.yaml", "webhooks: {}\n");
    repository.declare(&billing(11));
    watch.until_timeout("Billing", 11);
    let log = watch.end();
    assert!(log.contains("webhooks.d/broken.yaml:1:11"), "{log}");
    assert_eq!(
        log.matches("the last valid state stays applied").count(),
        1,
        "{log}"
    );
}

#[test]
fn a_rotated_secret_file_is_picked_up() {
    let (account, repository) = (
        Account::new(),
        Repository::with(&format!(
            "{BILLING}    bearer_token: {{ file: ../token }}\n"
        )),
    );
    repository.write("token", "s3cr3t-one");
    let watch = Watch::settled(&repository, &account, &["--interval", "1h"]);
    let id = account.id("Billing");
    let is = |token: &str| account.sandbox.token(&id).as_deref() == Some(token);
    watch.wait("the first token", || is("s3cr3t-one"));
    replaced(&repository, "token", "s3cr3t-two");
    watch.wait("the second token", || is("s3cr3t-two"));
    watch.end();
}

#[test]
fn drift_can_be_reported_instead_of_reverted() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(
        &repository,
        &account,
        &["--interval", "1s", "--drift", "warn"],
    );
    account.edit("Billing", &json!({ "timeout_seconds": 55 }));
    let seen = account.sandbox.received();
    watch.wait("some passes", || account.sandbox.received() > seen + 6);
    assert_eq!(timeout(&account.sandbox.webhooks(), "Billing"), Some(55));
    repository.declare(&format!("{}    max_retries: 7\n", billing(56)));
    watch.until_timeout("Billing", 56);
    assert!(watch.end().contains("drift not corrected"));
}

#[test]
fn a_field_that_another_writer_keeps_changing_is_held_until_the_file_changes() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(&repository, &account, &["--interval", "1s"]);
    for seconds in 51..54 {
        account.edit("Billing", &json!({ "timeout_seconds": seconds }));
        watch.until_timeout("Billing", 10);
    }
    account.edit("Billing", &json!({ "timeout_seconds": 54 }));
    let seen = account.sandbox.received();
    watch.wait("some passes", || account.sandbox.received() > seen + 5);
    assert_eq!(
        timeout(&account.sandbox.webhooks(), "Billing"),
        Some(54),
        "held"
    );
    repository.declare(&billing(11));
    watch.until_timeout("Billing", 11);
    assert!(watch.end().contains("corrected three times in ten minutes"));
}

#[test]
fn pruning_waits_until_the_folder_has_been_stable() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let other = "webhooks:\n  other: { url: 'https://other.example.com', actions: all }\n";
    repository.write("webhooks.d/other.yaml", other);
    let arguments = ["--prune", "--prune-grace", "3s", "--interval", "1s"];
    let watch = Watch::start(&repository, &account, &arguments);
    watch.until("both", |webhooks| webhooks.len() == 2);
    fs::remove_file(repository.path("webhooks.d/other.yaml")).unwrap();
    repository.declare(&billing(11));
    watch.until_timeout("Billing", 11);
    assert_eq!(account.names().len(), 2, "not yet");
    watch.until("the prune", |webhooks| webhooks.len() == 1);
    // An empty folder, and one that is gone, never prune.
    fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();
    let seen = account.sandbox.received();
    std::thread::sleep(Duration::from_millis(3_500));
    fs::remove_dir_all(repository.path("webhooks.d")).unwrap();
    watch.wait("more passes", || account.sandbox.received() > seen + 3);
    assert_eq!(account.names(), ["Billing"]);
    watch.end();
}

#[test]
fn an_api_that_is_down_is_tried_again_for_ever() {
    let account = Account::new();
    let repository = Repository::with(BILLING);
    let refusal = |number| {
        account.fault(
            "GET",
            number,
            hookctl::sandbox::Fault::Answer {
                status: 404,
                headers: Vec::new(),
                body: "{}".to_owned(),
            },
        );
    };
    (1..=2).for_each(refusal);
    let watch = Watch::start(&repository, &account, &["--interval", "1h"]);
    watch.until("it comes back", |webhooks| webhooks.len() == 1);
    let log = watch.end();
    assert_eq!(log.matches("pass failed").count(), 2, "{log}");
    assert!(log.contains("reason=\"retry\""), "{log}");
}

#[test]
fn other_commands_live_beside_it() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(&repository, &account, &["--interval", "1s"]);
    for _ in 0..5 {
        repository
            .sync(&account, &["--dry-run"])
            .code(0)
            .shows("No changes.");
        repository.sync(&account, &[]).code(0).shows("No changes.");
    }
    watch.end();
}

#[test]
fn a_hangup_reads_hookctl_yaml_again() {
    let (account, repository) = (
        Account::new(),
        Repository::with(&BILLING.replace("hooks.example.com", "${HOST}")),
    );
    let config = |host: &str| {
        let url = account.sandbox.base_url();
        let text = format!("targets: {{ qa: {{ api_url: '{url}', vars: {{ HOST: {host} }} }} }}\n");
        repository.write("hookctl.yaml", &text);
    };
    config("one.example.com");
    let watch = Watch::settled(&repository, &account, &["--interval", "1h"]);
    config("two.example.com");
    watch.signal("HUP");
    watch.until("the other host", |webhooks| {
        webhooks
            .iter()
            .all(|webhook| webhook.url == "https://two.example.com/billing")
    });
    watch.end();
}

#[test]
fn logs_can_be_read_by_machines() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let watch = Watch::settled(&repository, &account, &["--log-format", "json"]);
    repository.declare(&billing(11));
    watch.until_timeout("Billing", 11);
    let log = watch.end();
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["timestamp"].is_string(), "{line}");
    }
    assert!(log.lines().count() >= 3, "{log}");
}

#[test]
fn a_pattern_that_matches_nothing_ends_a_watch_at_its_start() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let url = account.sandbox.base_url();
    repository
        .run(&["--api-url", &url, "watch", "--only", "biling-*"])
        .code(64)
        .complains("--only: no key matches 'biling-*'")
        .complains("did you mean 'billing'?");
    assert!(account.requests().is_empty());
}

#[test]
fn only_the_webhook_whose_request_is_under_way_waits() {
    let account = Account::new();
    let mut repository = Repository::with(&billing(11));
    repository.set("HOOKCTL_SETTLE_HORIZON", "30s");
    let watch = Watch::settled(&repository, &account, &["--interval", "1h"]);

    let (after, hears) = (Duration::from_secs(4), Hears::GatewayTimeout);
    account.fault("POST", 2, Fault::Late { after, hears });
    repository.write(
        "webhooks.d/late.yaml",
        "webhooks:\n  late: { url: 'https://late.example.com', actions: all }\n",
    );
    let posts = || {
        let requests = account.sandbox.requests();
        requests.iter().filter(|sent| sent.method == "POST").count()
    };
    watch.wait("the create that takes effect later", || posts() == 2);

    repository.write("webhooks.d/all.yaml", &billing(12));
    watch.until_timeout("Billing", 12);
    assert_eq!(account.names(), ["Billing"], "the other one has not waited");

    watch.until("the late one", |webhooks| webhooks.len() == 2);
    let id = account.id("late");
    repository.write(
        "webhooks.d/late.yaml",
        "webhooks:\n  late: { url: 'https://late.example.com', actions: all, timeout_seconds: 13 }\n",
    );
    watch.until_timeout("late", 13);
    assert_eq!(
        account.id("late"),
        id,
        "it is bound to the one that came late"
    );
    assert_eq!((posts(), account.names().len()), (2, 2));
    watch.end();
}

#[test]
fn what_cannot_be_read_at_the_api_is_said_once_and_again_when_it_can() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.put("5eb7cf5a86d9755df3a6c593", "Odd", "https://a.example.com/");
    let odd = || {
        let mut rows = json!(account.sandbox.webhooks());
        for row in rows.as_array_mut().unwrap() {
            if row["name"] == "Odd" {
                row["enabled"] = json!("perhaps");
            }
        }
        Fault::Answer {
            status: 200,
            headers: Vec::new(),
            body: json!({ "subscriptions": rows }).to_string(),
        }
    };
    // A list without a total ends with an empty page.
    let empty = || Fault::Answer {
        status: 200,
        headers: Vec::new(),
        body: json!({ "subscriptions": [] }).to_string(),
    };
    repository.sync(&account, &[]).code(0);
    for number in [3, 5] {
        account.fault("GET", number, odd());
        account.fault("GET", number + 1, empty());
    }
    let watch = Watch::start(&repository, &account, &["--interval", "1s"]);
    watch.wait("several passes", || account.sandbox.received() > 9);
    let log = watch.end();
    let said = "unmanaged webhook 5eb7cf5a86d9755df3a6c593 (\"Odd\"): `enabled` has the wrong type";
    assert_eq!(log.matches(said).count(), 1, "{log}");
    assert_eq!(log.matches("is readable again").count(), 1, "{log}");
}
