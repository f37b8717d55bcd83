//! Import: writes files for existing webhooks, after which a plan is empty.

use std::fs;

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{API_KEY, Account, Repository};

const A: &str = "5eb7cf5a86d9755df3a6c001";
const B: &str = "5eb7cf5a86d9755df3a6c002";
const C: &str = "5eb7cf5a86d9755df3a6c003";

/// An account with a few webhooks that were made by hand.
fn account() -> Account {
    let account = Account::new();
    account.put(A, "Billing: run completed", "https://a.example.com/${x}");
    account.put(B, "on call", "https://b.example.com");
    account.put(C, "On Call", "https://c.example.com");
    account.edit(
        "Billing: run completed",
        &json!({ "has_bearer_token": true, "timeout_seconds": 25, "actions": ["workflow_created"] }),
    );
    account
}

fn import(repository: &Repository, account: &Account, arguments: &[&str]) -> crate::harness::Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "import"];
    all.extend(arguments);
    repository.run(&all)
}

#[test]
fn everything_is_declared_bound_and_left_as_it_is() {
    let (account, repository) = (account(), Repository::new());
    let before = account.sandbox.webhooks();
    let shown = import(&repository, &account, &["--dry-run"]).code(0);
    insta::assert_snapshot!("import", shown.stdout);
    assert!(!repository.path("webhooks.d").exists(), "a dry run");
    account.requests();
    import(&repository, &account, &[])
        .code(0)
        .shows("Imported and bound 3 of 3.");
    assert!(
        account
            .requests()
            .iter()
            .all(|request| request.starts_with("GET"))
    );
    assert_eq!(account.sandbox.webhooks(), before);
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, &plan["summary"]["unchanged"]), (0, &json!(3)));
    assert_eq!(plan["actions"], json!([]));
    assert_eq!(plan["diagnostics"], json!([]), "nothing is left to say");
    repository
        .run(&["validate"])
        .code(0)
        .shows("3 webhooks in 3 files are valid.");
    import(&repository, &account, &[])
        .code(0)
        .shows("Nothing to import");

    // It is bound: a later change is an edit.
    let path = "webhooks.d/on-call.yaml";
    let text = fs::read_to_string(repository.path(path)).unwrap();
    repository.write(path, &format!("{text}    max_retries: 5\n"));
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["actions"][0]["changes"][0]["cause"], "edited");
}

#[test]
fn some_are_declared_in_one_file_under_the_keys_that_are_wished_for() {
    let (account, repository) = (account(), Repository::with(crate::harness::BILLING));
    repository.settled(&account);
    let pager = format!("pager={B}");
    import(&repository, &account, &[&pager, "--file", "imported.yaml"])
        .code(0)
        .shows("wrote webhooks.d/imported.yaml");
    let text = fs::read_to_string(repository.path("webhooks.d/imported.yaml")).unwrap();
    assert!(text.contains("  pager:\n    name: on call\n"), "{text}");
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["summary"]["unmanaged"], 2);
    import(&repository, &account, &[&pager])
        .code(1)
        .complains("already");
    import(&repository, &account, &["x=5eb7cf5a86d9755df3a6cfff"])
        .code(1)
        .complains("the API has no webhook with this id");
    let again = format!("again={C}");
    import(&repository, &account, &[&again, "--file", "imported.yaml"])
        .code(1)
        .complains("already exists; nothing was written");
    import(
        &repository,
        &account,
        &[&again, "--file", "teams/on-call/all.yaml"],
    )
    .code(0)
    .shows("wrote webhooks.d/teams/on-call/all.yaml");
    let text = fs::read_to_string(repository.path("webhooks.d/teams/on-call/all.yaml")).unwrap();
    assert!(text.contains("$schema=../../.schema.json"), "{text}");
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["summary"]["unmanaged"], 1);
    for wrong in [
        "pager",
        "UPPER=x",
        "a=",
        "--file=../x.yaml",
        "--file=/x.yaml",
        "--file=a/../x.yaml",
        "--file=.hidden/x.yaml",
        "--file=a/.x.yaml",
        "--file=teams",
        "--file=",
    ] {
        import(&repository, &account, &[wrong, "--dry-run"]).code(64);
    }
}

#[test]
fn what_no_declaration_can_say_is_reported_and_left() {
    let (account, repository) = (account(), Repository::new());
    account.edit("on call", &json!({ "actions": ["workflow_paused"] }));
    import(&repository, &account, &[])
        .code(4)
        .complains("warning[not-imported]: \"on call\" (5eb7cf5a86d9755df3a6c002): unknown action")
        .shows("Imported and bound 2 of 3.");
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["summary"]["unmanaged"], 1);
}

#[test]
fn the_schema_is_the_one_that_is_checked_in_and_the_files_follow_it() {
    let printed = Repository::new().run(&["schema"]).code(0).json();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/schemas/webhooks-v1.schema.json"
    );
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(path, format!("{printed:#}\n")).unwrap();
    }
    let checked_in: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(printed, checked_in, "set UPDATE_SCHEMA to write it anew");
    let schema = validator("webhooks-v1.schema.json");
    let (account, repository) = (account(), Repository::new());
    import(&repository, &account, &[]).code(0);
    for entry in fs::read_dir(repository.path("webhooks.d")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let document: Value = serde_yaml::from_str(&text).unwrap();
        if path.ends_with(".schema.json") {
            assert_eq!(document, checked_in);
        } else {
            assert!(text.starts_with("# yaml-language-server: $schema=.schema.json\n"));
            conforms(&schema, &document);
        }
    }
}

/// Documents, and whether they are valid: the validator and the schema have to say the same.
const CORPUS: &[(&str, bool)] = &[
    ("webhooks: {}", true),
    ("x-anchors: [1, 2]\nwebhooks: {}", true),
    ("webhook: {}", false),
    ("[]", false),
    ("5", false),
    ("webhooks: []", false),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all } }",
        true,
    ),
    (
        "webhooks: { A: { url: 'https://a.example.com', actions: all } }",
        false,
    ),
    ("webhooks: { a: { url: 'https://a.example.com' } }", false),
    (
        "defaults: { actions: all }\nwebhooks: { a: { url: 'https://a.example.com' } }",
        true,
    ),
    (
        "defaults: { url: 'https://a.example.com' }\nwebhooks: {}",
        false,
    ),
    ("webhooks: { a: { actions: all } }", false),
    (
        "webhooks: { a: { url: a.example.com, actions: all } }",
        false,
    ),
    ("webhooks: { a: { url: 5, actions: all } }", false),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: [] } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: [all] } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: workflow_created } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: [workflow_created] } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: [workflow_created, workflow_created] } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: [workflow_creatd] } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, enabled: yes } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, enabled: false } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, timeout_seconds: 60 } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, timeout_seconds: 61 } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, timeout_seconds: '10' } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, max_retries: -1 } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, retry_backoff_seconds: 0 } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, timeout: 5 } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, name: '' } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: null } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: { env: T } } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: { env: 5T } } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: { env: T, file: t } } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: {} } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: { vault: x } } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: { command: [] } } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: { command: [op, read] } } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, bearer_token: '' } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, ignore_changes: [enabled, bearer_token] } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, ignore_changes: [color] } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, previously: [b] } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, targets: [] } }",
        false,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, prevent_destroy: true } }",
        true,
    ),
    (
        "webhooks: { a: { url: 'https://a.example.com', actions: all, prevent_destroy: 1 } }",
        false,
    ),
    ("webhooks: { a: { state: absent } }", true),
    ("webhooks: { a: { state: absent, name: b } }", true),
    (
        "webhooks: { a: { state: absent, url: 'https://a.example.com' } }",
        false,
    ),
    (
        "webhooks: { a: { state: released, id: 5eb7cf5a86d9755df3a6c593 } }",
        true,
    ),
    ("webhooks: { a: { state: released, actions: all } }", false),
    ("webhooks: { a: { state: gone } }", false),
];

#[test]
fn the_schema_and_the_validator_agree() {
    let schema = validator("webhooks-v1.schema.json");
    for (text, valid) in CORPUS {
        let repository = Repository::with(text);
        let run = repository.run(&["validate"]);
        assert_eq!(run.status == 0, *valid, "validator: {text}\n{}", run.stderr);
        let document: Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(schema.is_valid(&document), *valid, "schema: {text}");
    }
}

#[test]
fn a_taken_file_name_is_left_to_its_owner_and_the_others_are_imported() {
    let (account, repository) = (account(), Repository::new());
    let mine = "# mine\n";
    repository.write("webhooks.d/on-call.yaml", mine);
    let shown = "--- webhooks.d/on-call-2.yaml";
    import(&repository, &account, &["--dry-run"])
        .code(0)
        .shows(shown);
    import(&repository, &account, &[])
        .code(0)
        .shows("wrote webhooks.d/on-call-2.yaml")
        .shows("Imported and bound 3 of 3.");
    let kept = fs::read_to_string(repository.path("webhooks.d/on-call.yaml")).unwrap();
    assert_eq!(kept, mine);
}

#[test]
fn a_first_repository_holds_what_its_flags_say() {
    let (account, repository) = (account(), Repository::new());
    let url = account.sandbox.base_url();
    let init = [
        "--api-url",
        &url,
        "--dir",
        "./hooks",
        "--cache-dir",
        "var/record",
    ];
    let rest = ["--request-timeout", "20s", "init", "--ci", "github"];
    repository
        .run(&["--api-url", &url, "--dir", "../hooks", "init"])
        .code(64)
        .complains("--dir ../hooks is not below the folder of hookctl.yaml");
    repository
        .run(&[&init as &[&str], &rest].concat())
        .code(0)
        .shows("Imported and bound 3 of 3.");
    let text = fs::read_to_string(repository.path("hookctl.yaml")).unwrap();
    for line in [
        "webhooks_dir: hooks\n",
        "cache_dir: \"var/record\"\n",
        "request_timeout: 20s\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let workflow = repository.path(".github/workflows/hookctl.yml");
    let workflow = fs::read_to_string(workflow).unwrap();
    // Of pull requests, and of pushes.
    let paths = "paths: [\"hooks/**\", hookctl.yaml, .github/";
    assert_eq!(workflow.matches(paths).count(), 2, "{workflow}");
    assert!(
        !workflow.contains("webhooks.d") && !workflow.contains(".hookctl\n"),
        "{workflow}"
    );
    for line in [
        format!("HOOKCTL_API_URL: \"{url}\"\n"),
        "HOOKCTL_ALLOWED_HOSTS: \"127.0.0.1\"\n".to_owned(),
    ] {
        assert!(workflow.contains(&line), "{line} in\n{workflow}");
    }
    assert!(!repository.path("webhooks.d").exists() && !repository.path(".hookctl").exists());
    repository
        .run(&["sync", "--dry-run"])
        .code(0)
        .shows("No changes. 3 webhooks are as declared.");
}

#[test]
fn init_writes_the_configuration_that_its_flag_names_whatever_is_further_up() {
    let (account, repository) = (account(), Repository::new());
    let url = account.sandbox.base_url();
    repository.write("hookctl.yaml", "webhooks_dir: elsewhere\n");
    fs::create_dir(repository.path("team")).unwrap();
    let config = ["--config", "team/hookctl.yaml"];
    let init = ["--api-url", &url, "init"];
    repository
        .run(&[&config as &[&str], &init].concat())
        .code(0);
    assert!(repository.path("team/webhooks.d/on-call.yaml").exists());
    assert!(repository.path("team/.hookctl").exists());
    assert!(!repository.path("elsewhere").exists());
    repository
        .run(&[&config as &[&str], &["sync", "--dry-run"]].concat())
        .code(0)
        .shows("No changes. 3 webhooks are as declared.");
}

#[test]
fn a_first_repository_is_made_in_one_go() {
    let (account, repository) = (account(), Repository::new());
    let url = account.sandbox.base_url();
    repository
        .run(&["init"])
        .code(64)
        .complains("add --api-url");
    repository
        .run(&["--api-url", &url, "init", "--api-key-env", "NO_SUCH_KEY"])
        .code(1)
        .complains("NO_SUCH_KEY");
    assert!(
        !repository.path("hookctl.yaml").exists(),
        "nothing is written before the key is known to work"
    );
    repository
        .run(&[
            "--api-url",
            &url,
            "--target",
            "qa",
            "init",
            "--ci",
            "github",
        ])
        .code(0)
        .complains("The API responds, with 3 webhooks.")
        .shows("wrote hookctl.yaml")
        .shows("wrote .github/workflows/hookctl.yml")
        .shows("Imported and bound 3 of 3.");
    repository
        .run(&["sync", "--dry-run"])
        .code(0)
        .shows("No changes. 3 webhooks are as declared. (target qa)");
    repository
        .run(&["--api-url", &url, "init"])
        .code(1)
        .complains("hookctl.yaml already exists");
}

#[test]
fn a_webhook_that_holds_the_api_key_is_shown_without_it_and_not_imported() {
    let (account, repository) = (Account::new(), Repository::new());
    account.put("5eb7cf5a86d9755df3a6c593", "Fine", "https://a.example.com");
    let url = format!("https://b.example.com/?key={API_KEY}");
    account.put("5eb7cf5a86d9755df3a6c594", "Echo", &url);
    account.put(
        "5eb7cf5a86d9755df3a6c595",
        &API_KEY.to_uppercase(),
        "https://c.example.com",
    );
    let url = account.sandbox.base_url();
    for more in [&["--dry-run"][..], &[]] {
        let arguments = [&["--api-url", url.as_str(), "import"], more].concat();
        let run = repository.run(&arguments).code(4);
        let run = run
            .complains(
                "\"Echo\" (5eb7cf5a86d9755df3a6c594): its 'url' at the API contains a secret",
            )
            .complains(
                "\"(secret)\" (5eb7cf5a86d9755df3a6c595): its 'name' at the API contains a secret",
            );
        let all = format!("{}{}", run.stdout, run.stderr).to_lowercase();
        assert!(
            all.contains("fine") && !all.contains(&API_KEY.to_lowercase()),
            "{all}"
        );
    }
    let names: Vec<_> = fs::read_dir(repository.path("webhooks.d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".yaml"))
        .collect();
    assert_eq!(names, ["fine.yaml"]);
}
