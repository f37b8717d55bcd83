//! The local record: its commands, damage, and repair.

use std::fs;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, Run};

const TWO: &str = "webhooks:
  billing: { name: Billing, url: 'https://billing.example.com', actions: all, bearer_token: { env: TOKEN }, prevent_destroy: true }
  other: { name: Other, url: 'https://other.example.com', actions: all }
";

fn scene() -> (Account, Repository) {
    let (account, mut repository) = (Account::new(), Repository::with(TWO));
    repository.set("TOKEN", "s3cr3t-token");
    repository.settled(&account);
    (account, repository)
}

fn record(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "record"];
    all.extend(arguments);
    repository.run(&all)
}

/// Cuts the database in the middle of what it holds.
fn damage(repository: &Repository) {
    let path = repository.path(".hookctl/db/db");
    let mut content = fs::read(&path).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).unwrap();
    content.iter_mut().skip(used / 2).for_each(|byte| *byte = 0);
    fs::write(path, content).unwrap();
}

#[test]
fn what_is_remembered_is_shown() {
    let (account, repository) = scene();
    let shown = record(&repository, &account, &["show"]).code(0).stdout;
    assert!(shown.contains("  token, protected  Billing\n"), "{shown}");
    assert!(
        shown.contains("2 webhooks bound. Last observed: 2 webhooks at "),
        "{shown}"
    );
    let document = record(&repository, &account, &["show", "--output", "json"])
        .code(0)
        .json();
    conforms(&validator("record-v1.schema.json"), &document);
    assert_eq!(document["bindings"][0]["id"], account.id("Billing"));

    let shown = record(&repository, &account, &["history"]).code(0).stdout;
    assert!(shown.contains("create other ("), "{shown}");
    assert!(
        shown.contains("bearer_token: (none) -> (secret)"),
        "{shown}"
    );
    let history = ["history", "billing", "--output", "json"];
    let document = record(&repository, &account, &history).code(0).json();
    conforms(&validator("history-v1.schema.json"), &document);
    assert_eq!(document["entries"].as_array().unwrap().len(), 1);

    // Without an address, the only account that is remembered is meant.
    repository
        .run(&["record", "show"])
        .code(0)
        .shows("2 webhooks bound.");
    record(&repository, &account, &["verify"])
        .code(0)
        .shows("The record is intact: 2 bound");
    assert!(account.requests().is_empty(), "looking needs no API");
}

#[test]
fn there_is_nothing_to_show_before_the_first_sync() {
    let repository = Repository::new();
    repository
        .run(&["record", "show"])
        .code(0)
        .shows("0 webhooks bound.");
    repository
        .run(&["record", "history"])
        .code(0)
        .shows("No changes yet.");
    repository
        .run(&["record", "verify"])
        .code(0)
        .shows("No record exists yet");
    assert!(repository.record().is_empty());
}

#[test]
fn a_renamed_key_keeps_its_webhook_and_its_token() {
    let (account, repository) = scene();
    record(&repository, &account, &["rename", "billing", "other"])
        .code(1)
        .complains("already bound");
    record(&repository, &account, &["rename", "unknown", "new"])
        .code(64)
        .complains("not bound");
    record(&repository, &account, &["rename", "billing", "New!"]).code(64);
    record(&repository, &account, &["rename", "billing", "invoices"]).code(0);
    repository.declare(&TWO.replace("  billing:", "  invoices:"));
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
}

#[test]
fn a_forgotten_webhook_stays_at_the_api() {
    let (account, repository) = scene();
    record(&repository, &account, &["forget", "other"]).code(0);
    assert_eq!(account.names().len(), 2);
    repository.sync(&account, &[]).code(0).shows("1 adopted");
    record(&repository, &account, &["forget", "unknown"])
        .code(64)
        .complains("not bound");
}

#[test]
fn a_damaged_record_is_never_trusted_and_can_be_repaired() {
    let (account, repository) = scene();
    damage(&repository);
    for arguments in [
        &["sync"][..],
        &["sync", "--dry-run"],
        &["record", "show"],
        &["record", "verify"],
    ] {
        let url = account.sandbox.base_url();
        let mut all = vec!["--api-url", &url];
        all.extend(arguments);
        let run = repository.run(&all);
        assert_eq!(run.status, 1, "{arguments:?}: {}", run.stdout);
        assert!(run.stderr.contains("record repair"), "{}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
    account.got_only_lists();

    record(&repository, &account, &["repair"])
        .code(0)
        .shows("Repaired:");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let aside = fs::read_dir(repository.path(".hookctl"))
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("damaged-")
        })
        .count();
    assert_eq!(aside, 1, "moved, not deleted");
    record(&repository, &account, &["verify"])
        .code(0)
        .shows("intact");
    repository.sync(&account, &[]).code(0);
    let requests = account.requests();
    let id = account.id("Billing");
    assert_eq!(
        requests,
        [
            "GET workflow-webhooks".to_owned(),
            format!("PATCH {id} {{\"bearer_token\":\"s3cr3t-token\"}}")
        ],
        "each token once, and nothing else"
    );
    record(&repository, &account, &["repair"])
        .code(0)
        .shows("nothing to repair");
}

#[test]
fn every_kind_of_damage_is_an_error_with_the_way_out() {
    type Harm = fn(&Repository);
    let harms: [(&str, Harm); 6] = [
        ("truncated", |repository| {
            let path = repository.path(".hookctl/db/db");
            let content = fs::read(&path).unwrap();
            let used = content.iter().rposition(|byte| *byte != 0).unwrap();
            fs::write(path, content.get(..used / 3).unwrap()).unwrap();
        }),
        ("zeroed", |repository| {
            let path = repository.path(".hookctl/db/db");
            let length = fs::read(&path).unwrap().len();
            fs::write(path, vec![0; length]).unwrap();
        }),
        ("emptied", |repository| {
            fs::write(repository.path(".hookctl/db/db"), "").unwrap();
        }),
        ("deleted", |repository| {
            fs::remove_dir_all(repository.path(".hookctl/db")).unwrap();
        }),
        ("its counter deleted", |repository| {
            fs::remove_file(repository.path(".hookctl/generation")).unwrap();
        }),
        ("its counter flipped", |repository| {
            let path = repository.path(".hookctl/generation");
            let content: Vec<u8> = fs::read(&path).unwrap().iter().map(|byte| !byte).collect();
            fs::write(path, content).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let (account, repository) = scene();
        harm(&repository);
        let run = repository.sync(&account, &[]);
        if what == "truncated" && run.status == 0 {
            // Nothing live was behind the cut.
            run.shows("No changes.");
            assert_eq!(account.requests(), ["GET workflow-webhooks"], "{what}");
            continue;
        }
        assert_eq!(run.status, 1, "{what}: {}{}", run.stdout, run.stderr);
        assert!(
            run.stderr.contains("record repair"),
            "{what}: {}",
            run.stderr
        );
        assert!(!run.stderr.contains("panicked"), "{what}: {}", run.stderr);
        account.got_only_lists();
        record(&repository, &account, &["repair"]).code(0);
        repository.sync(&account, &[]).code(0);
        assert_eq!(account.names().len(), 2, "{what}");
    }
}

#[test]
fn a_repair_without_the_api_moves_nothing() {
    let (account, repository) = scene();
    damage(&repository);
    let before = repository.record();
    let run = repository.run(&["--api-url", "http://127.0.0.1:1", "record", "repair"]);
    run.code(1);
    let mut after = repository.record();
    after.retain(|path, _| before.contains_key(path));
    assert!(before == after);
    assert!(account.requests().is_empty());
}

/// A disk that takes no more: a limit on the size of files stands in for it. At once, and in the middle.
#[cfg(unix)]
#[test]
fn a_full_disk_sends_nothing_that_could_not_be_written_down() {
    let mut statuses = std::collections::BTreeSet::new();
    for room in [0, 300, 1_000, 1_100] {
        statuses.insert(with_room(room));
    }
    assert!(statuses.contains(&1), "no room at all: {statuses:?}");
}

/// Makes 40 webhooks with so many blocks of 512 bytes left, and returns the exit code.
#[cfg(unix)]
fn with_room(room: usize) -> i32 {
    let (account, repository) = scene();
    let before = fs::read(repository.path(".hookctl/db/db")).unwrap().len();
    let mut declarations = TWO.to_owned();
    for number in 0..40 {
        declarations += &format!(
            "  more-{number}: {{ url: 'https://more.example.com/{number}', actions: all }}\n"
        );
    }
    repository.declare(&declarations);
    let url = account.sandbox.base_url();
    let plain = repository.command(&["--api-url", &url, "sync", "--output", "json"]);
    let blocks = before / 512 + room;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", &script])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    let run = Run::of(limited.output().unwrap());
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(
        matches!(run.status, 0 | 1 | 4),
        "{}: {}",
        run.status,
        run.stderr
    );
    run.json();
    let again = repository.sync(&account, &[]);
    if again.status != 0 {
        // A partial write is detected and repaired like any damage.
        assert!(again.stderr.contains("record repair"), "{}", again.stderr);
        record(&repository, &account, &["repair"]).code(0);
        repository.sync(&account, &[]).code(0);
    }
    assert_eq!(
        account.names().len(),
        42,
        "doubled or lost, with room for {room}"
    );
    run.status
}

#[cfg(unix)]
#[test]
fn a_record_that_cannot_be_looked_at_is_an_error_and_not_a_new_one() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    // A link to itself: as unreadable to root as to any user.
    std::os::unix::fs::symlink(".hookctl", repository.path(".hookctl")).unwrap();
    for arguments in [&["--dry-run"] as &[&str], &[], &["--prune"]] {
        repository
            .sync(&account, arguments)
            .code(1)
            .complains(".hookctl");
    }
    assert!(account.names().is_empty());
    for command in ["verify", "show", "history"] {
        repository
            .run(&["record", command])
            .code(1)
            .complains(".hookctl");
    }

    std::fs::remove_file(repository.path(".hookctl")).unwrap();
    repository.settled(&account);
    std::fs::rename(repository.path(".hookctl/db"), repository.path("moved")).unwrap();
    std::os::unix::fs::symlink("db", repository.path(".hookctl/db")).unwrap();
    repository
        .sync(&account, &["--dry-run"])
        .code(1)
        .complains("'db' is not a regular file");
}

#[test]
fn the_former_name_of_the_command_still_works() {
    let (account, repository) = scene();
    let shown = record(&repository, &account, &["show"]).code(0).stdout;
    let url = account.sandbox.base_url();
    let former = repository
        .run(&["--api-url", &url, "cache", "show"])
        .code(0)
        .stdout;
    assert_eq!(former, shown);
    let help = repository.run(&["--help"]).code(0).stdout;
    assert!(help.contains("\n  record "), "{help}");
    assert!(!help.contains("\n  cache "), "{help}");
}
