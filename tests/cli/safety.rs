//! What is refused before the first write.

use serde_json::json;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, codes};

fn hooks(count: usize, extra: &str) -> String {
    let mut text = "webhooks:\n".to_owned();
    for number in 0..count {
        text.push_str(&format!(
            "  hook-{number:02}: {{ url: 'https://hooks.example.com/{number}', actions: all{extra} }}\n"
        ));
    }
    text
}

#[test]
fn too_many_deletes_are_refused_with_figures_and_the_way_out() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(10, "")));
    repository.settled(&account);
    repository.declare(&hooks(6, ""));
    let run = repository.sync(&account, &["--prune"]).code(5);
    let run = run.complains("deletes 4 of 10 webhooks (40 %)");
    run.complains("safety.max_delete_percent")
        .complains("--force");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let (code, plan) = repository.plan(&account, &["--prune"]);
    assert_eq!(code, 5);
    assert!(codes(&plan).contains(&"too-many-deletes"), "{plan}");
    assert_eq!(plan["summary"]["delete"], 4);

    repository.sync(&account, &["--prune", "--force"]).code(0);
    assert_eq!(account.names().len(), 6);
}

#[test]
fn too_many_updates_are_refused() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(12, "")));
    repository.settled(&account);
    repository.declare(&hooks(12, ", max_retries: 1"));
    repository
        .sync(&account, &[])
        .code(5)
        .complains("updates 12 of 12 webhooks");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    repository.write("hookctl.yaml", "safety: { max_update_percent: 100 }\n");
    repository.sync(&account, &[]).code(0).shows("12 updated");
}

#[test]
fn another_teams_key_is_suspected() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(3, "")));
    repository.settled(&account);
    for name in account.names() {
        account.sandbox.remove(&name).unwrap();
    }
    repository
        .sync(&account, &[])
        .code(5)
        .complains("another team's");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    repository.sync(&account, &["--force"]).code(0);
    assert_eq!(account.names().len(), 3);
}

#[test]
fn prevent_destroy_protects_even_a_declaration_that_is_gone() {
    let (account, repository) = (Account::new(), Repository::new());
    repository.write("webhooks.d/more.yaml", &hooks(1, ""));
    repository.declare(&format!("{BILLING}    prevent_destroy: true\n"));
    repository.settled(&account);
    std::fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();
    for arguments in [&["--prune"][..], &["--prune", "--force"]] {
        repository
            .sync(&account, arguments)
            .code(5)
            .complains("prevent_destroy");
    }
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );

    repository.declare(BILLING);
    repository.settled(&account);
    std::fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();
    repository
        .sync(&account, &["--prune"])
        .code(0)
        .shows("1 deleted");
}

#[test]
fn off_a_terminal_nothing_asks() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare("webhooks:\n  billing: { name: Billing, state: absent }\n");
    repository.sync(&account, &[]).code(0).shows("1 deleted");
}

#[test]
fn a_dry_run_writes_nothing_whatever_it_plans() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(4, "")));
    repository.settled(&account);
    let before = repository.record();
    account.edit("hook-00", &json!({ "enabled": false }));
    account.sandbox.remove("hook-01").unwrap();
    repository.declare(&hooks(3, ", timeout_seconds: 20"));
    for output in ["human", "json", "diff"] {
        repository
            .sync(&account, &["--dry-run", "--prune", "--output", output])
            .code(0);
    }
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );
    assert!(repository.record() == before, "the record was written");
}

/// The settings that a plan shows, as `name value before`.
fn settings(plan: &serde_json::Value) -> Vec<String> {
    let settings = plan.get("settings").and_then(serde_json::Value::as_array);
    let text = |setting: &serde_json::Value, name: &str| {
        let value = setting.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or("-").to_owned()
    };
    settings
        .into_iter()
        .flatten()
        .map(|setting| {
            ["name", "value", "source", "before"]
                .map(|name| text(setting, name))
                .join(" ")
        })
        .collect()
}

#[test]
fn a_plan_says_which_settings_make_it_less_careful() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(settings(&plan), [""; 0]);
    assert!(plan.get("settings").is_none());
    repository.write(
        "hookctl.yaml",
        "prune: true
safety: { max_delete_count: 100, max_update_count: 5 }
settle_horizon: 1s
lints: { plain-http: allow, private-host: deny }
",
    );
    let all = [
        "prune true hookctl.yaml:1 -",
        "safety.max_delete_count 100 hookctl.yaml:2 -",
        "settle_horizon 1s hookctl.yaml:3 -",
        "lints.plain-http allow hookctl.yaml:4 -",
    ];
    // The variable of these tests says another horizon, so what the file says does not hold.
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(settings(&plan), [all[0], all[1], all[3]]);
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "sync", "--dry-run", "--output", "json"];
    let mut without = repository.command(&arguments);
    let output = without
        .env_remove("HOOKCTL_SETTLE_HORIZON")
        .output()
        .unwrap();
    let plan = crate::harness::Run::of(output).code(0).json();
    assert_eq!(settings(&plan), all);
    conforms(&validator("plan-v1.schema.json"), &plan);

    repository
        .sync(&account, &["--dry-run"])
        .shows("Settings of hookctl.yaml that make this plan less careful:")
        .shows("! safety.max_delete_count: 100 (default 3)   hookctl.yaml:2");
    let markdown = ["--dry-run", "--output", "markdown"];
    repository
        .sync(&account, &markdown)
        .shows("**Settings of hookctl.yaml that make this plan less careful**")
        .shows("(default 3) (`hookctl.yaml:2`)");
    repository.settled(&account);
    repository.sync(&account, &markdown).shows("less careful");
    // An apply of a saved plan says it too.
    repository.declare(&format!("{BILLING}    timeout_seconds: 20\n"));
    repository
        .sync(&account, &["--dry-run", "--out", "plan.json"])
        .code(0);
    let apply = ["--api-url", &url, "apply", "plan.json"];
    repository.run(&apply).code(0).shows("less careful");
}

/// Git, in a repository.
fn git(repository: &Repository, arguments: &[&str]) {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(arguments)
        .current_dir(repository.path(""))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_plan_says_what_a_change_of_files_did_to_its_settings() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let git = |arguments: &[&str]| git(&repository, arguments);
    let shown = || settings(&repository.plan(&account, &[]).1);
    git(&["init", "-q", "-b", "main"]);
    repository.write(
        "hookctl.yaml",
        "plaintext_secrets: deny\nsafety: { max_update_count: 50 }\n",
    );
    git(&["add", "hookctl.yaml"]);
    git(&["commit", "-qm", "one"]);
    // The first commit has none before it.
    assert_eq!(shown(), ["safety.max_update_count 50 hookctl.yaml:2 -"]);
    let now = "# more\nsafety: { max_update_count: 50, max_delete_count: 9 }\n";
    repository.write("hookctl.yaml", now);
    let changed = [
        "safety.max_delete_count 9 hookctl.yaml:2 3",
        "safety.max_update_count 50 hookctl.yaml:2 -",
        "plaintext_secrets warn - deny",
    ];
    // In the work tree, in a commit, and on a branch of several.
    assert_eq!(shown(), changed);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(&["commit", "-qam", "two"]);
    assert_eq!(shown(), changed);
    git(&["commit", "-q", "--allow-empty", "-m", "three"]);
    assert_eq!(shown(), changed);
    repository
        .sync(&account, &["--dry-run"])
        .shows("safety.max_update_count: 50 (default 10; as before)")
        .shows("plaintext_secrets: warn (the default; this change of files made it so, from deny)");
    // What the work tree has beside does not hide what the branch did.
    repository.write("hookctl.yaml", &format!("{now}# more\n"));
    assert_eq!(shown(), changed);
    repository.write("hookctl.yaml", now);
    // Once it is on the trunk, only what is not the default is left.
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(
        shown(),
        [
            "safety.max_delete_count 9 hookctl.yaml:2 -",
            "safety.max_update_count 50 hookctl.yaml:2 -",
        ]
    );
}

#[test]
fn what_held_before_is_what_would_have_been_found_then() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let git = |arguments: &[&str]| git(&repository, arguments);
    let strict = "plaintext_secrets: deny\nsafety: { max_update_count: 5 }\n";
    let remove = |name: &str| std::fs::remove_file(repository.path(name)).unwrap();
    let plan = || repository.plan(&account, &[]).1;
    let lost = [
        "safety.max_update_count 10 - 5",
        "plaintext_secrets warn - deny",
    ];
    git(&["init", "-q", "-b", "main"]);
    repository.write("hookctl.yaml", strict);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(settings(&plan()), [""; 0]);

    remove("hookctl.yaml");
    assert_eq!(settings(&plan()), lost, "taken away");
    repository
        .sync(&account, &["--dry-run"])
        .shows("plaintext_secrets: warn (the default; this change of files made it so, from deny)");
    repository.write("hookctl.yml", "prune: false\n");
    assert_eq!(settings(&plan()), lost, "under another name");
    remove("hookctl.yml");
    repository.write("inner/hookctl.yaml", "webhooks_dir: hooks\n");
    repository.write("inner/hooks/all.yaml", BILLING);
    repository.write("hookctl.yaml", strict);
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "sync", "--dry-run", "--output", "json"];
    let mut nearer = repository.command(&arguments);
    let output = nearer.current_dir(repository.path("inner")).output();
    let nearer = crate::harness::Run::of(output.unwrap()).code(0).json();
    assert_eq!(settings(&nearer), lost, "a nearer one");

    // What was no file, or not valid, cannot be compared.
    for (before, why) in [
        ("safety: [\n", "before it, hookctl.yaml was not valid"),
        ("", "before it, there was both hookctl.yaml and hookctl.yml"),
    ] {
        repository.write("hookctl.yaml", before);
        if before.is_empty() {
            repository.write("hookctl.yml", before);
        }
        git(&["add", "hookctl.*"]);
        git(&["commit", "-qm", "worse"]);
        git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        if before.is_empty() {
            remove("hookctl.yml");
        }
        repository.write("hookctl.yaml", "# nothing\n");
        for output in ["human", "markdown"] {
            let arguments = ["--dry-run", "--output", output];
            repository.sync(&account, &arguments).code(0).shows(why);
        }
        let plan = plan();
        conforms(&validator("plan-v1.schema.json"), &plan);
        let told = plan.get("settings_unread").and_then(|told| told.as_str());
        assert!(why.ends_with(told.unwrap_or("?")), "{plan}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_was_before_is_followed_in_the_repository() {
    use std::os::unix::fs::symlink;

    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let git = |arguments: &[&str]| git(&repository, arguments);
    let remove = |name: &str| std::fs::remove_file(repository.path(name)).unwrap();
    git(&["init", "-q", "-b", "main"]);
    repository.write("ops/h.yaml", "plaintext_secrets: deny\n");
    symlink("ops/h.yaml", repository.path("hookctl.yaml")).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let plan = || repository.plan(&account, &[]).1;
    assert_eq!(settings(&plan()), [""; 0]);
    remove("hookctl.yaml");
    repository.write("hookctl.yaml", "# nothing\n");
    assert_eq!(settings(&plan()), ["plaintext_secrets warn - deny"]);

    remove("hookctl.yaml");
    symlink("../outside.yaml", repository.path("hookctl.yaml")).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "two"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    remove("hookctl.yaml");
    repository
        .sync(&account, &["--dry-run"])
        .code(0)
        .shows("before it, hookctl.yaml was no file of the repository");
}
