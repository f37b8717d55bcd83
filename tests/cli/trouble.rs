//! Problems around the files: the message names the problem, the location, and the fix; nothing is written.

use std::fs;

use hookctl::sandbox::Fault;
use serde_json::json;

use crate::harness::{Account, BILLING, Repository, codes};

const GUARDED: &str = "webhooks:
  billing:
    url: https://hooks.example.com/billing
    actions: all
    bearer_token: { env: HOOK_TOKEN }
";

fn untouched(account: &Account, repository: &Repository) {
    account.got_only_lists();
    assert!(repository.record().is_empty());
}

#[test]
fn a_missing_variable_names_the_place_and_the_variable() {
    let (account, repository) = (Account::new(), Repository::with(GUARDED));
    repository
        .sync(&account, &[])
        .code(1)
        .complains("HOOK_TOKEN")
        .complains("webhooks.d/all.yaml:5:19")
        .complains("nothing was changed");
    untouched(&account, &repository);

    let (code, plan) = repository.plan(&account, &["--allow-missing-secrets"]);
    assert_eq!(code, 2);
    assert_eq!(
        plan["actions"][0]["request"]["body"]["bearer_token"],
        "(secret)"
    );
    repository
        .sync(&account, &["--allow-missing-secrets"])
        .code(64);
}

#[test]
fn an_unreachable_api_says_where_it_looked() {
    let repository = Repository::with(BILLING);
    // Bound, so that no other process gets the port, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let run = repository.run(&["--api-url", &url, "sync", "--dry-run"]);
    run.code(1).complains(&url);
    assert!(repository.record().is_empty());
}

#[test]
fn a_wrong_key_is_named_by_its_source() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    repository.set("INTERACTLY_API_KEY", "s3cr3t-wrong");
    repository
        .sync(&account, &[])
        .code(1)
        .complains("INTERACTLY_API_KEY");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    assert!(account.names().is_empty());
}

#[test]
fn no_key_at_all_says_where_to_put_one() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    repository.set("INTERACTLY_API_KEY", "");
    repository
        .sync(&account, &[])
        .code(1)
        .complains("INTERACTLY_API_KEY")
        .complains("--sandbox");
    untouched(&account, &repository);
}

#[test]
fn no_address_says_how_to_give_one() {
    let repository = Repository::with(BILLING);
    repository
        .run(&["sync"])
        .code(1)
        .complains("--api-url")
        .complains("--sandbox");
    assert!(repository.record().is_empty());
}

#[test]
fn plain_http_to_elsewhere_needs_to_be_allowed() {
    let repository = Repository::with(BILLING);
    repository
        .run(&["--api-url", "http://api.example.com", "sync"])
        .code(1)
        .complains("--insecure-http");
}

#[test]
fn an_empty_folder_is_refused() {
    let (account, repository) = (Account::new(), Repository::new());
    fs::create_dir(repository.path("webhooks.d")).unwrap();
    repository
        .sync(&account, &["--prune"])
        .code(5)
        .complains("--allow-empty");
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );
}

#[test]
fn a_missing_folder_is_an_error() {
    let (account, repository) = (Account::new(), Repository::new());
    repository
        .sync(&account, &["--prune", "--allow-empty"])
        .code(1)
        .complains("webhooks.d");
    untouched(&account, &repository);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_an_error_and_never_an_absence() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("webhooks.d/team/more.yaml", "webhooks: {}\n");
    let folder = repository.path("webhooks.d/team");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything; a link that leads nowhere cannot be read by any user.
    symlink("nowhere.yaml", repository.path("webhooks.d/link.yaml")).unwrap();
    let run = repository.sync(&account, &["--prune"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    run.code(1).complains("webhooks.d/link.yaml");
    untouched(&account, &repository);
}

#[cfg(unix)]
#[test]
fn a_record_that_cannot_be_written_is_an_error_before_the_first_request() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write(".hookctl", "a file where the folder should be");
    repository.sync(&account, &[]).code(1).complains(".hookctl");
    assert!(account.requests().is_empty());
}

#[test]
fn wrong_usage_is_64_and_json_stays_json() {
    let repository = Repository::with(BILLING);
    repository.run(&["snyc"]).code(64).complains("sync");
    let run = repository.run(&["sync", "--output", "json", "--nonsense"]);
    let run = run.code(64);
    assert_eq!(codes(&run.json()), ["usage"]);
}

#[test]
fn every_failure_is_one_json_document() {
    let account = Account::new();
    let url = account.sandbox.base_url();
    let good = Repository::with(BILLING);
    let guarded = Repository::with(GUARDED);
    let broken = Repository::with("webhooks: [");
    let empty = Repository::new();
    let runs: [(&Repository, &[&str], i32, &str); 6] = [
        (&good, &["sync"], 1, "no-api-url"),
        (
            &guarded,
            &["--api-url", &url, "sync"],
            1,
            "secrets-unresolved",
        ),
        (
            &broken,
            &["--api-url", &url, "sync"],
            1,
            "invalid-declarations",
        ),
        (
            &empty,
            &["--api-url", &url, "sync"],
            1,
            "invalid-declarations",
        ),
        (
            &good,
            &["--target", "nope", "--api-url", "x", "sync"],
            64,
            "usage",
        ),
        (
            &good,
            &["--api-url", "http://127.0.0.1:1", "sync"],
            1,
            "api",
        ),
    ];
    for (repository, arguments, code, last) in runs {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        let document = repository.run(&all).code(code).json();
        assert_eq!(codes(&document).last(), Some(&last), "{document}");
        assert_eq!(document["actions"], serde_json::json!([]));
    }
}

/// The list as the API answers it, with one field of one webhook taken away.
fn list_without(account: &Account, name: &str, field: &str) -> Fault {
    let rows = account.sandbox.webhooks().into_iter().map(|webhook| {
        let mut row = serde_json::to_value(&webhook).unwrap();
        if webhook.name == name {
            row.as_object_mut().unwrap().remove(field);
        }
        row
    });
    let rows: Vec<_> = rows.collect();
    Fault::Answer {
        status: 200,
        headers: Vec::new(),
        body: json!({ "total": rows.len(), "subscriptions": rows }).to_string(),
    }
}

#[test]
fn an_unmanaged_unreadable_webhook_does_not_stop_the_others() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.sync(&account, &[]).code(0);
    account.put(
        "5eb7cf5a86d9755df3a6c593",
        "Odd \u{1b}[31m",
        "https://a.example.com/",
    );
    repository.declare(&format!("{BILLING}    timeout_seconds: 20\n"));
    account.requests();
    account.fault("GET", 3, list_without(&account, "Odd \u{1b}[31m", "url"));
    repository
        .sync(&account, &[])
        .code(0)
        .shows("1 updated")
        .shows("notice[unreadable-webhook]")
        .shows("webhook 5eb7cf5a86d9755df3a6c593 (\"Odd \\u{1b}[31m\"): `url` is missing");
    let writes = account
        .requests()
        .into_iter()
        .filter(|line| line != "GET workflow-webhooks");
    assert_eq!(writes.count(), 1);

    // A new webhook could be the one whose name cannot be read.
    let new = "  new: { url: 'https://hooks.example.com/new', actions: all }\n";
    repository.declare(&format!("{BILLING}    timeout_seconds: 20\n{new}"));
    account.fault("GET", 4, list_without(&account, "Odd \u{1b}[31m", "name"));
    repository
        .sync(&account, &[])
        .code(1)
        .complains("error[unreadable-webhook]")
        .complains("'new' may already exist")
        .complains("webhook 5eb7cf5a86d9755df3a6c593: `name` is missing");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
}

#[test]
fn a_bound_webhook_that_cannot_be_read_is_named_and_neither_made_again_nor_forgotten() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.sync(&account, &[]).code(0);
    let id = account.id("Billing");
    account.requests();
    account.fault(
        "GET",
        3,
        list_without(&account, "Billing", "timeout_seconds"),
    );
    repository
        .sync(&account, &[])
        .code(1)
        .complains("'billing' is bound to a webhook")
        .complains(&format!(
            "webhook {id} (\"Billing\"): `timeout_seconds` is missing"
        ));
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn an_import_names_what_it_cannot_read_and_takes_the_rest() {
    let (account, repository) = (Account::new(), Repository::new());
    account.put("5eb7cf5a86d9755df3a6c593", "Odd", "https://a.example.com/");
    account.put("5eb7cf5a86d9755df3a6c594", "Fine", "https://b.example.com/");
    account.fault("GET", 1, list_without(&account, "Odd", "enabled"));
    let url = account.sandbox.base_url();
    repository
        .run(&["--api-url", &url, "import"])
        .code(4)
        .complains("warning[not-imported]: webhook 5eb7cf5a86d9755df3a6c593 (\"Odd\"): `enabled` is missing")
        .shows("Imported and bound 1 of 1");
}

#[test]
fn a_proxy_that_would_be_ignored_stops_the_run_and_keeps_its_password() {
    let mut repository = Repository::with(BILLING);
    repository.set("HTTPS_PROXY", "http://user:hunter2 @proxy.example.com");
    let url = "https://api.example.com";
    let run = repository.run(&["--api-url", url, "sync", "--dry-run"]);
    let run = run.code(1).complains("the proxy in HTTPS_PROXY is not");
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}
