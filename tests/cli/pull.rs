//! Pull: what changed at the API is written into the files, and the plan is empty afterwards.

use std::fs;

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, Run};

const LIST: &str = "GET workflow-webhooks";

const COMMENTED: &str = "# Receivers of the billing team.
defaults:
  timeout_seconds: 20   # slow receivers
webhooks:
  # Ask before you change it.
  billing:
    name: 'Billing'          # shown in the dashboard
    url: \"https://hooks.example.com/billing\"

    actions: [workflow_run_completed]   # only this one
    enabled: true # for now
  reports:   # the nightly ones
    url: https://${HOST}/reports
    actions:
      - workflow_created   # new
      - workflow_updated
    bearer_token: { env: HOOK_TOKEN }
";

fn pull(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "pull"];
    all.extend(arguments);
    repository.run(&all)
}

fn text(repository: &Repository) -> String {
    fs::read_to_string(repository.path("webhooks.d/all.yaml")).unwrap()
}

fn commented() -> (Account, Repository) {
    let (account, mut repository) = (Account::new(), Repository::with(COMMENTED));
    repository.set("HOOKCTL_VAR_HOST", "hooks.example.com");
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.settled(&account);
    (account, repository)
}

fn git(repository: &Repository, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(["-c", "core.abbrev=7", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(repository.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn drift_is_written_into_a_file_with_comments() {
    let (account, repository) = commented();
    repository.write(".gitignore", ".hookctl/\n");
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "before"]);
    account.edit(
        "Billing",
        &json!({ "name": "Billing: it's #1 ${X}", "enabled": false, "timeout_seconds": 45,
                 "actions": ["workflow_run_started", "workflow_run_completed"] }),
    );
    account.edit(
        "reports",
        &json!({ "max_retries": 7, "actions": ["workflow_updated", "workflow_deleted"] }),
    );
    let before = account.sandbox.webhooks();

    let shown = pull(&repository, &account, &["--dry-run"]).code(0);
    assert_eq!(account.requests(), [LIST]);
    assert_eq!(text(&repository), COMMENTED, "a dry run");
    insta::assert_snapshot!("pull_dry_run", shown.stdout);
    let detailed = ["--dry-run", "--detailed-exitcode"];
    pull(&repository, &account, &detailed).code(3);
    account.requests();

    let pulled = pull(&repository, &account, &[]).code(0);
    assert_eq!(account.requests(), [LIST]);
    insta::assert_snapshot!("pull", pulled.stdout);
    let diff = git(&repository, &["diff"]);
    insta::assert_snapshot!("pull_git_diff", diff);
    assert_eq!(account.sandbox.webhooks(), before);

    // The record follows with the next sync, without a request.
    assert_eq!(repository.plan(&account, &[]).0, 0);
    account.requests();
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST]);
    account.edit("reports", &json!({ "max_retries": 2 }));
    assert_eq!(
        repository.plan(&account, &[]).0,
        3,
        "drift again, not an edit"
    );
    pull(&repository, &account, &["--dry-run"])
        .code(0)
        .shows("max_retries: 7 -> 2");
    pull(&repository, &account, &detailed).code(3);
    pull(&repository, &account, &[]).code(0);
    pull(&repository, &account, &detailed)
        .code(0)
        .shows("Nothing to pull");
}

#[test]
fn what_cannot_be_pulled_is_reported_and_the_rest_is_written() {
    let (account, repository) = commented();
    let id = account.id("reports");
    account.edit(
        "reports",
        &json!({ "url": "https://elsewhere.example.com/", "enabled": false, "has_bearer_token": false }),
    );
    account.sandbox.remove("Billing").unwrap();
    account.put("5eb7cf5a86d9755df3a6c009", "other", "https://o.example.com");
    account.requests();
    let run = pull(&repository, &account, &[]).code(4);
    assert_eq!(account.requests(), [LIST]);
    insta::assert_snapshot!("pull_left", run.stderr);
    assert!(
        run.stdout.contains("1 webhook no file declares"),
        "{}",
        run.stdout
    );
    assert_eq!(
        text(&repository),
        COMMENTED.replace(
            "    bearer_token: { env: HOOK_TOKEN }\n",
            "    bearer_token: { env: HOOK_TOKEN }\n    enabled: false\n"
        )
    );
    let (_, plan) = repository.plan(&account, &["--only", "reports"]);
    let changes = &plan["actions"][0]["changes"];
    let fields: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["field"])
        .collect();
    assert_eq!(fields, ["url", "bearer_token"], "{id}");
}

#[test]
fn edits_that_wait_for_a_sync_are_kept_unless_they_are_overwritten() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.edit("Billing", &json!({ "timeout_seconds": 50 }));
    let edited = format!("{BILLING}    timeout_seconds: 30 # ours\n    max_retries: 5\n");
    repository.declare(&edited);
    pull(&repository, &account, &[])
        .code(4)
        .complains("'timeout_seconds' of 'billing': the file and the API both changed")
        .complains("hint: add --overwrite-edits")
        .complains("'max_retries' of 'billing': the file changed, and the API did not");
    assert_eq!(text(&repository), edited);
    pull(&repository, &account, &["--field", "max_retries"])
        .code(0)
        .shows("Nothing was pulled.");
    pull(&repository, &account, &["--overwrite-edits"]).code(0);
    assert_eq!(
        text(&repository),
        format!("{BILLING}    timeout_seconds: 50 # ours\n    max_retries: 3\n")
    );
    assert_eq!(repository.plan(&account, &[]).0, 0);
}

#[test]
fn only_the_named_keys_and_fields_are_pulled() {
    let (account, repository) = (Account::new(), Repository::new());
    let declared = "webhooks:
  billing-a: { url: 'https://a.example.com', actions: all }
  billing-b: { url: 'https://b.example.com', actions: all }
  other: { url: 'https://c.example.com', actions: all }
";
    repository.declare(declared);
    repository.settled(&account);
    for name in ["billing-a", "billing-b", "other"] {
        account.edit(name, &json!({ "max_retries": 1, "enabled": false }));
    }
    pull(&repository, &account, &["billing-*", "--field", "enabled"]).code(0);
    let line = |key: &str| format!("{key}.example.com', actions: all }}");
    let with = |key: &str| format!("{key}.example.com', actions: all, enabled: false }}");
    assert_eq!(
        text(&repository),
        declared
            .replace(&line("a"), &with("a"))
            .replace(&line("b"), &with("b"))
    );
    pull(&repository, &account, &["biling-*"])
        .code(64)
        .complains("KEY-GLOB: no key matches 'biling-*'")
        .complains("did you mean");
    pull(&repository, &account, &["--field", "bearer_token"]).code(64);
    pull(&repository, &account, &["--detailed-exitcode"]).code(64);
}

/// Names that mean something to YAML, to variables, to terminals, or to workflows.
const HOSTILE: &[&str] = &[
    "a: b",
    "a #b",
    "# a",
    "- a",
    "${HOME} $$ $X ${",
    "yes",
    "null",
    "012",
    "'",
    "\"",
    "\\n\\u0041",
    "}, evil: { url: x",
    "*a &b !c",
    "::error::x",
    "\u{202e}\u{200b}\u{ad}\u{feff}x",
    "日本 \u{1f600}",
    "a\u{2028}b",
    "<<",
    "%{x}",
    "`whoami`",
];

#[test]
fn hostile_names_are_read_back_exactly() {
    let forms = [
        "    name: Billing\n",
        "    name: 'Billing'   # c\n",
        "    name: \"Billing\"\n",
        "    name: >-\n      Billing\n",
        "    name: |-\n      Billing\n",
        "",
    ];
    for form in forms {
        let (account, repository) = (Account::new(), Repository::new());
        let declared = BILLING.replace("    name: Billing\n", form);
        repository.declare(&declared);
        repository.settled(&account);
        let mut name = if form.is_empty() {
            "billing"
        } else {
            "Billing"
        }
        .to_owned();
        for hostile in HOSTILE {
            account.edit(&name, &json!({ "name": hostile }));
            name = (*hostile).to_owned();
            let run = pull(&repository, &account, &[]);
            if run.status == 4 {
                // Only a block cannot show it, and says so.
                assert!(
                    form.contains(">-") || form.contains("|-"),
                    "{hostile:?} in {form:?}"
                );
                assert!(
                    run.stderr.contains("cannot be edited in place"),
                    "{}",
                    run.stderr
                );
                continue;
            }
            let run = run.code(0);
            assert!(!run.stdout.contains('\u{202e}'));
            assert!(!run.stdout.contains("\n::"), "{}", run.stdout);
            let (code, plan) = repository.plan(&account, &[]);
            assert_eq!(
                code,
                0,
                "{hostile:?} in {form:?}\n{}\n{plan}",
                text(&repository)
            );
            let read: serde_yaml::Value = serde_yaml::from_str(&text(&repository)).unwrap();
            let read = read["webhooks"]["billing"]["name"]
                .as_str()
                .unwrap()
                .to_owned();
            assert_eq!(read.replace("$$", "$"), *hostile);
            repository.settled(&account);
        }
    }
}

#[test]
fn a_name_with_line_breaks_is_written_on_one_line_and_control_characters_are_refused() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.edit(
        "Billing",
        &json!({ "name": "Billing\n  webhooks: {}\t# x" }),
    );
    pull(&repository, &account, &[]).code(0);
    assert!(text(&repository).contains("    name: \"Billing webhooks: {} # x\"\n"));
    repository.settled(&account);
    account.edit(
        "Billing\n  webhooks: {}\t# x",
        &json!({ "name": "a\u{1b}[2J" }),
    );
    let before = text(&repository);
    let run = pull(&repository, &account, &[]).code(4);
    assert!(!run.stderr.contains('\u{1b}'));
    assert!(run.stderr.contains("control character"), "{}", run.stderr);
    assert_eq!(text(&repository), before);
}

#[test]
fn line_ends_and_a_byte_order_mark_stay() {
    let (account, repository) = (Account::new(), Repository::new());
    let declared = format!("\u{feff}{BILLING}").replace('\n', "\r\n");
    repository.declare(&declared);
    repository.settled(&account);
    account.edit(
        "Billing",
        &json!({ "enabled": false, "url": "https://b.example.com/" }),
    );
    pull(&repository, &account, &[]).code(0);
    assert_eq!(
        text(&repository),
        declared.replace(
            "https://hooks.example.com/billing",
            "https://b.example.com/"
        ) + "    enabled: false\r\n"
    );
}

#[test]
fn the_document_conforms_and_hides_secrets() {
    let schema = validator("pull-v1.schema.json");
    let (account, repository) = commented();
    account.edit(
        "Billing",
        &json!({ "url": "https://hooks.example.com/?key=hunter2", "actions": ["workflow_paused"] }),
    );
    let dry = pull(&repository, &account, &["--dry-run", "--output", "json"]).code(4);
    assert_eq!(dry.stderr, "");
    let run = pull(&repository, &account, &["--output", "json"]).code(4);
    for document in [dry.json(), run.json()] {
        conforms(&schema, &document);
        assert!(!document.to_string().contains("hunter2"));
        assert_eq!(document["values"][0]["field"], "url");
        assert_eq!(document["values"][0]["line"], 8);
        assert_eq!(document["left"][0]["reason"], "undeclarable");
        assert_eq!(document["remaining"], 1);
    }
    let human = pull(&repository, &account, &["--dry-run"]);
    assert!(!human.stdout.contains("hunter2") && !human.stderr.contains("hunter2"));
    let failed = pull(&repository, &account, &["nothing", "--output", "json"]).code(64);
    assert_eq!(failed.json()["error"]["code"], Value::from("usage"));
}

#[test]
fn the_api_key_is_never_written_into_a_file() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.edit("Billing", &json!({ "name": crate::harness::API_KEY }));
    pull(&repository, &account, &[])
        .code(4)
        .complains("contains a secret of this run");
    assert_eq!(text(&repository), BILLING);
}

#[test]
fn files_that_would_be_invalid_are_not_written() {
    let (account, repository) = (Account::new(), Repository::new());
    let declared = "webhooks:
  a: { url: 'https://a.example.com', actions: all }
  b: { url: 'https://b.example.com', actions: all }
";
    repository.declare(declared);
    repository.write(
        "hookctl.yaml",
        &format!(
            "targets: {{ qa: {{ api_url: '{}' }} }}\nlints: {{ plain-http: deny }}\n",
            account.sandbox.base_url()
        ),
    );
    repository.settled(&account);
    account.edit(
        "a",
        &json!({ "url": "http://a.example.com", "enabled": false }),
    );
    account.edit("b", &json!({ "max_retries": 1 }));
    pull(&repository, &account, &[])
        .code(4)
        .complains("'url' of 'a': the files would be invalid");
    assert_eq!(
        text(&repository),
        declared
            .replace(
                "a.example.com', actions: all",
                "a.example.com', actions: all, enabled: false"
            )
            .replace(
                "b.example.com', actions: all",
                "b.example.com', actions: all, max_retries: 1"
            )
    );
}

#[test]
fn another_target_of_the_declaration_is_named() {
    let (account, repository) = (Account::new(), Repository::new());
    repository.declare(
        "webhooks:
  everywhere: { url: 'https://a.example.com', actions: all }
  here: { url: 'https://b.example.com', actions: all, targets: [qa] }
",
    );
    repository.write(
        "hookctl.yaml",
        &format!(
            "default_target: qa\ntargets:\n  qa: {{ api_url: '{}' }}\n  prod: {{ api_url: 'http://127.0.0.1:1' }}\n",
            account.sandbox.base_url()
        ),
    );
    repository.settled(&account);
    account.edit("everywhere", &json!({ "enabled": false }));
    account.edit("here", &json!({ "enabled": false }));
    let run = pull(&repository, &account, &[])
        .code(0)
        .complains("'everywhere' is also declared for prod");
    assert!(!run.stderr.contains("'here'"), "{}", run.stderr);
}

#[cfg(unix)]
mod disk {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn permissions_and_links_stay() {
        let (account, repository) = (Account::new(), Repository::new());
        repository.write("common/hooks.yaml", BILLING);
        fs::create_dir_all(repository.path("webhooks.d")).unwrap();
        symlink(
            "../common/hooks.yaml",
            repository.path("webhooks.d/all.yaml"),
        )
        .unwrap();
        let real = repository.path("common/hooks.yaml");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        repository.settled(&account);
        account.edit("Billing", &json!({ "enabled": false }));
        pull(&repository, &account, &[]).code(0);
        assert!(repository.path("webhooks.d/all.yaml").is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
        assert!(text(&repository).ends_with("    enabled: false\n"));
        let left: Vec<_> = fs::read_dir(repository.path("common")).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file");
    }

    #[test]
    fn a_failure_leaves_every_file_as_it_was() {
        let (account, repository) = (Account::new(), Repository::new());
        repository.write("webhooks.d/a.yaml", BILLING);
        let other = "webhooks: { b: { url: 'https://b.example.com', actions: all } }\n";
        repository.write("webhooks.d/sub/b.yaml", other);
        repository.settled(&account);
        account.edit("Billing", &json!({ "enabled": false }));
        account.edit("b", &json!({ "enabled": false }));
        let folder = repository.path("webhooks.d/sub");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
        // Root can write nevertheless; then there is nothing to test.
        let is_root = fs::write(folder.join("x"), "").is_ok();
        let run = pull(&repository, &account, &[]);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        if is_root {
            return;
        }
        run.code(1)
            .complains("could not write webhooks.d/sub/b.yaml");
        let first = fs::read_to_string(repository.path("webhooks.d/a.yaml")).unwrap();
        assert_eq!(first, BILLING);
        assert_eq!(
            fs::read_dir(repository.path("webhooks.d")).unwrap().count(),
            2
        );
    }
}
