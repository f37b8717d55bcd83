//! What goes wrong around the files: a message that says what, where, and what to do; the right exit code;
//! nothing written.

use std::fs;

use crate::harness::{Account, BILLING, Repository, codes};

const GUARDED: &str = "webhooks:
  billing:
    url: https://hooks.example.com/billing
    actions: all
    bearer_token: { env: HOOK_TOKEN }
";

fn untouched(account: &Account, repository: &Repository) {
    assert!(account.requests().is_empty());
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
        .complains("nothing was sent");
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
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
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
    // Root may read everything; a link that leads nowhere cannot be read by anybody.
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
