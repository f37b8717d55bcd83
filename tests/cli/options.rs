//! Precedence of flags, environment variables, hookctl.yaml, and defaults.

use serde_json::json;

use crate::harness::{Account, BILLING, Repository};

const TWO: &str = "webhooks:
  billing-a: { url: 'https://a.example.com', actions: all }
  scheduling-b: { url: 'https://b.example.com', actions: all }
";

#[test]
fn only_touches_what_it_selects() {
    let (account, repository) = (Account::new(), Repository::with(TWO));
    repository
        .sync(&account, &["--only", "billing-*"])
        .code(0)
        .shows("1 created")
        .shows("1 not selected");
    assert_eq!(account.names(), ["billing-a"]);
    repository
        .sync(&account, &["--only", "a[", "--output", "json"])
        .code(64)
        .json();
    account.requests();
    repository
        .sync(&account, &["--only", "biling-*", "--only", "sched*"])
        .code(64)
        .complains("no key matches 'biling-*'")
        .complains("did you mean 'billing-a'?");
    repository
        .sync(&account, &["--only", "zzz"])
        .code(64)
        .complains("hookctl status");
    account.got_only_lists();
    // A key that no file declares any more can still be meant.
    repository.declare(&TWO.replace("billing-a", "billing-b"));
    repository.sync(&account, &["--only", "billing-a"]).code(0);
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    repository.write(
        "hookctl.yaml",
        &format!(
            "default_target: qa\ntargets:\n  qa: {{ api_url: '{}' }}\n  prod: {{ api_url: 'http://127.0.0.1:1' }}\n",
            account.sandbox.base_url()
        ),
    );
    let target = |repository: &Repository, arguments: &[&str]| {
        let mut all = vec!["sync", "--dry-run", "--output", "json"];
        all.extend(arguments);
        repository.run(&all).json()["target"].clone()
    };
    assert_eq!(target(&repository, &[]), "qa");
    repository.set("HOOKCTL_TARGET", "prod");
    assert_eq!(target(&repository, &[]), "prod");
    assert_eq!(target(&repository, &["--target", "qa"]), "qa");
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    for name in [
        "HOOKCTL_TARGET",
        "HOOKCTL_CONFIG",
        "HOOKCTL_DIR",
        "HOOKCTL_CACHE_DIR",
        "HOOKCTL_API_URL",
        "HOOKCTL_LOCK_TIMEOUT",
        "HOOKCTL_LOG_FORMAT",
    ] {
        repository.set(name, "");
    }
    repository.settled(&account);
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["target"], "default");
    assert_eq!(plan["summary"]["unchanged"], json!(1));
    assert!(repository.path(".hookctl").is_dir());
}

#[test]
fn a_target_that_is_not_configured_is_an_error() {
    let repository = Repository::with(BILLING);
    let unknown = |repository: &Repository, name: &str, hint: &str| {
        repository
            .run(&["--target", name, "sync", "--sandbox"])
            .code(64)
            .complains(&format!("unknown target '{name}'"))
            .complains(hint);
        assert!(!repository.path(".hookctl").exists());
    };
    unknown(&repository, "defalt", "did you mean 'default'?");
    unknown(&repository, "prod", "under `targets`");
    unknown(&repository, "", "under `targets`");
    repository.write("hookctl.yaml", "targets: { qa: {}, prod: {} }\n");
    unknown(&repository, "prodd", "did you mean 'prod'?");
    unknown(&repository, "default", "qa");
}

#[test]
fn the_configuration_names_folders_below_it_and_flags_name_any() {
    let repository = Repository::with(BILLING);
    for folder in ["~/hc", "${HOME}/hc", "/tmp/hc", "../hc"] {
        repository.write("hookctl.yaml", &format!("cache_dir: '{folder}'\n"));
        repository
            .run(&["sync", "--sandbox"])
            .code(1)
            .complains("invalid-folder")
            .complains("--cache-dir");
    }
    assert!(!repository.path("~").exists());
    repository.write("hookctl.yaml", "cache_dir: state\n");
    repository.run(&["sync", "--sandbox"]).code(0);
    assert!(repository.path("state").is_dir());
}

#[test]
fn warnings_can_be_allowed_and_denied() {
    let repository = Repository::with(&BILLING.replace("https:", "http:"));
    repository
        .run(&["validate"])
        .code(0)
        .complains("warning[plain-http]");
    repository
        .run(&["--deny-warnings", "validate"])
        .code(1)
        .complains("error[plain-http]");
    repository.write("hookctl.yaml", "lints: { plain-http: deny }\n");
    repository
        .run(&["validate"])
        .code(1)
        .complains("error[plain-http]");
    repository.write("hookctl.yaml", "lints: { plain-http: allow }\n");
    let run = repository.run(&["--deny-warnings", "validate"]).code(0);
    assert_eq!(run.stderr, "");
    // The warnings about the configuration itself are shown, and can be denied as well.
    repository.declare(BILLING);
    repository.write(
        "hookctl.yaml",
        "targets: { qa: { api_key: s3cr3t-plain } }\n",
    );
    repository
        .run(&["validate"])
        .code(0)
        .complains("warning[plaintext-secret]");
    repository
        .run(&["--deny-warnings", "sync", "--sandbox"])
        .code(1)
        .complains("error[plaintext-secret]");
}

#[test]
fn hookctl_yaml_is_found_from_a_folder_below() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write(
        "hookctl.yaml",
        &format!(
            "targets: {{ qa: {{ api_url: '{}' }} }}\n",
            account.sandbox.base_url()
        ),
    );
    repository.write("deep/down/x", "");
    let output = repository
        .command(&["sync"])
        .current_dir(repository.path("deep/down"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(account.names(), ["Billing"]);
    assert!(repository.path(".hookctl").is_dir());
}

#[test]
fn targets_have_variables_keys_headers_and_records_of_their_own() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(
            "webhooks:
  everywhere: { url: 'https://${HOST}/', actions: all }
  only-prod: { url: 'https://${HOST}/prod', actions: all, targets: [prod] }
",
        ),
    );
    repository.write(
        "hookctl.yaml",
        &format!(
            "targets:
  qa: {{ api_url: '{0}', api_key: {{ env: QA_KEY }}, vars: {{ HOST: qa.example.com }} }}
  prod: {{ api_url: '{0}', vars: {{ HOST: prod.example.com }}, team_id: team-1, user_id: user-1 }}
",
            account.sandbox.base_url()
        ),
    );
    repository.set("QA_KEY", crate::harness::API_KEY);
    repository.set("HOOKCTL_TRUST", "1");
    repository.run(&["sync"]).code(64).complains("--target");
    repository.run(&["--target", "qa", "sync"]).code(0);
    let made = account.sandbox.webhooks();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].url, "https://qa.example.com/");
    account.sandbox.remove("everywhere").unwrap();
    account.sandbox.clear_requests();

    repository.run(&["--target", "prod", "sync"]).code(0);
    let mut names = account.names();
    names.sort_unstable();
    assert_eq!(names, ["everywhere", "only-prod"]);
    let headers = account.sandbox.requests()[0].headers.clone();
    assert!(headers.contains(&("teamid".to_owned(), "team-1".to_owned())));
    assert!(headers.contains(&("uuid".to_owned(), "user-1".to_owned())));
    let own =
        |(name, value): &(String, String)| name == "user-agent" && value.starts_with("hookctl/");
    assert!(headers.iter().any(own), "{headers:?}");
    let run = repository.run(&["--target", "qa", "sync", "--dry-run"]);
    run.code(0).shows("adopt and update");
}

#[test]
fn a_base_url_works_with_and_without_what_people_paste() {
    for suffix in ["", "/", "/workflows", "/workflows/"] {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        let url = format!("{}{suffix}", account.sandbox.base_url());
        repository.run(&["--api-url", &url, "sync"]).code(0);
        let request = account.sandbox.requests()[0].clone();
        assert_eq!(request.path, "/workflows/v1/workflow-webhooks");
        assert_eq!(request.query("size"), Some("300"));
    }
}

#[test]
fn a_dry_run_shows_the_plan_as_a_diff() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    let run = repository.sync(&account, &["--dry-run", "--output", "diff"]);
    insta::assert_snapshot!(run.code(0).stdout, @"
    --- observed/billing
    +++ desired/billing
    @@ -3,7 +3,7 @@
     actions:
     - workflow_run_completed
     enabled: true
    -timeout_seconds: 10
    +timeout_seconds: 30
     max_retries: 3
     retry_backoff_seconds: 10
     bearer_token: (none)
    ");
}

#[test]
fn colour_only_where_it_is_wanted() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    let plan = |repository: &Repository, color: &str| {
        let url = account.sandbox.base_url();
        repository.run(&["--api-url", &url, "--color", color, "sync", "--dry-run"])
    };
    assert!(!plan(&repository, "auto").stdout.contains('\u{1b}'));
    assert!(plan(&repository, "always").stdout.contains('\u{1b}'));
    repository.set("NO_COLOR", "1");
    assert!(!plan(&repository, "auto").stdout.contains('\u{1b}'));
}

#[test]
fn quiet_leaves_the_result() {
    let repository = Repository::with(BILLING);
    let run = repository.run(&["-q", "sync", "--sandbox"]).code(0);
    assert_eq!(run.stderr, "");
    assert!(run.stdout.contains("1 created"));
}

#[test]
fn the_sandbox_is_kept_between_runs_and_beside_the_record() {
    let repository = Repository::with(BILLING);
    repository.run(&["sync", "--sandbox", "--dry-run"]).code(0);
    repository
        .run(&["sync", "--sandbox"])
        .code(0)
        .shows("1 created");
    repository
        .run(&["sync", "--sandbox", "--output", "json"])
        .code(0)
        .shows("\"unchanged\": 1");
    assert!(repository.path(".hookctl/sandbox/default.json").is_file());
}

#[test]
fn environment_of_requests_is_not_a_proxy_for_this_machine() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    repository.set("HTTP_PROXY", "http://127.0.0.1:1");
    repository.set("ALL_PROXY", "http://127.0.0.1:1");
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["summary"]["create"], json!(1));
}

#[test]
fn a_watch_does_not_read_the_list_without_a_pause() {
    let repository = Repository::new();
    for interval in ["0s", "999ms"] {
        let run = repository.run(&["watch", "--interval", interval]).code(64);
        run.complains("is shorter than 1s");
    }
}
