//! Sources of tokens. Every run of this suite searches all output and the record for its secrets.

use std::fs;

use hookctl::sandbox::Fault;
use serde_json::json;

use crate::harness::{API_KEY, Account, BILLING, Repository, Run};

pub(crate) fn guarded(source: &str) -> String {
    format!("{BILLING}    bearer_token: {source}\n")
}

pub(crate) fn token(account: &Account) -> Option<String> {
    account.sandbox.token(&account.id("Billing"))
}

#[test]
fn a_token_may_come_from_a_file_beside_the_declaration() {
    let (account, repository) = (
        Account::new(),
        Repository::with(&guarded("{ file: tokens/a }")),
    );
    repository.write("webhooks.d/tokens/a", "s3cr3t-file\n");
    repository.sync(&account, &[]).code(0);
    assert_eq!(token(&account).unwrap(), "s3cr3t-file");
}

#[test]
fn a_file_may_be_anywhere_in_the_repository_and_not_outside() {
    let (account, repository) = (Account::new(), Repository::new());
    repository.write("common/token", "s3cr3t-shared");
    repository.write("common/key", API_KEY);
    let url = account.sandbox.base_url();
    repository.write(
        "infra/hookctl.yaml",
        &format!("targets: {{ qa: {{ api_url: '{url}', api_key: {{ file: ../common/key }} }} }}\n"),
    );
    repository.write(
        "infra/webhooks.d/all.yaml",
        &guarded("{ file: ../../common/token }"),
    );
    let run = |arguments: &[&str]| {
        let mut command = repository.command(arguments);
        let command = command.current_dir(repository.path("infra"));
        Run::of(command.output().unwrap())
    };
    // Without Git, the folder of hookctl.yaml is all that is known of the repository.
    run(&["sync"])
        .code(1)
        .complains("leads out of the repository");
    repository.write(".git/HEAD", "ref: refs/heads/main\n");
    run(&["sync"]).code(0);
    assert_eq!(token(&account).unwrap(), "s3cr3t-shared");
    repository.write(
        "infra/webhooks.d/all.yaml",
        &guarded("{ file: ../../../token }"),
    );
    run(&["validate"])
        .code(1)
        .complains("leads out of the repository");
}

#[cfg(unix)]
#[test]
fn a_token_may_come_from_a_program_that_validate_never_runs() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(&guarded(
            "{ command: [sh, -c, 'echo ran >> ran; printf s3cr\"\"3t-program'] }",
        )),
    );
    repository.set("HOOKCTL_TRUST", "1");
    repository.run(&["validate"]).code(0);
    let ran = |repository: &Repository| {
        ["ran", "webhooks.d/ran"]
            .iter()
            .any(|path| repository.path(path).exists())
    };
    assert!(!ran(&repository));
    repository.sync(&account, &[]).code(0);
    assert!(ran(&repository));
    assert_eq!(token(&account).unwrap(), "s3cr3t-program");
}

#[test]
fn a_token_may_be_a_text_with_variables() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(&guarded("'${NEW:-${OLD}}${PART}'")),
    );
    repository.set("OLD", "s3cr3t-old-");
    repository.set("PART", "s3cr3t-part");
    let run = repository.sync(&account, &[]).code(0);
    assert_eq!(run.stderr, "");
    assert_eq!(token(&account).unwrap(), "s3cr3t-old-s3cr3t-part");
}

#[test]
fn a_token_reads_the_environment_and_never_the_variables_of_a_target() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(&guarded("{ env: HOOK_TOKEN }")),
    );
    repository.write(
        "hookctl.yaml",
        "targets: { qa: { vars: { HOOK_TOKEN: s3cr3t-vars } } }\n",
    );
    let run = repository.sync(&account, &[]).code(1);
    assert!(
        run.stderr.contains("HOOK_TOKEN is not set"),
        "{}",
        run.stderr
    );
    repository.set("HOOK_TOKEN", "s3cr3t-environment");
    repository.sync(&account, &[]).code(0);
    assert_eq!(token(&account).unwrap(), "s3cr3t-environment");

    repository.declare(&guarded("'${HOOK_TOKEN}'"));
    let run = repository.sync(&account, &[]).code(0);
    assert!(run.stderr.contains("plaintext-secret"), "{}", run.stderr);
    assert_eq!(token(&account).unwrap(), "s3cr3t-environment");
}

#[test]
fn what_stands_in_a_file_is_plain_text_in_whatever_form() {
    for source in [
        "s3cr3t-plain",
        "'${NONE:-s3cr3t-default}'",
        "'${NONE:-${OTHER:-s3cr3t-default}}'",
        "'s3cr3t-${NONE:-}'",
        "'${HOOK_TOKEN}-suffix'",
    ] {
        let (account, mut repository) = (Account::new(), Repository::with(&guarded(source)));
        repository.set("HOOK_TOKEN", "s3cr3t-environment");
        repository.write("hookctl.yaml", "plaintext_secrets: deny\n");
        repository
            .sync(&account, &[])
            .code(1)
            .complains("plaintext-secret");
        account.got_only_lists();
    }
}

#[test]
fn a_plain_text_is_a_warning_or_an_error_and_never_shown() {
    let (account, repository) = (Account::new(), Repository::with(&guarded("s3cr3t-plain")));
    repository
        .sync(&account, &[])
        .code(0)
        .complains("plaintext-secret");
    repository.write("hookctl.yaml", "plaintext_secrets: deny\n");
    account.requests();
    repository
        .sync(&account, &[])
        .code(1)
        .complains("plaintext-secret");
    account.got_only_lists();
}

#[cfg(unix)]
#[test]
fn a_program_gets_no_variable_of_ours() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(&guarded(
            "{ command: [sh, -c, 'env > seen; printf s3cr\"\"3t-program'] }",
        )),
    );
    repository.set("HOOKCTL_TRUST", "1");
    repository.set("HOOKCTL_VAR_X", "hunter2");
    repository.set("OTHER", "other");
    repository.sync(&account, &[]).code(0);
    let seen = fs::read_to_string(repository.path("webhooks.d/seen")).unwrap();
    assert!(seen.contains("OTHER=other"), "{seen}");
    assert!(
        !seen.contains("INTERACTLY_") && !seen.contains("HOOKCTL_"),
        "{seen}"
    );
}

#[test]
fn what_would_break_or_clear_a_token_is_refused() {
    for useless in [
        "",
        "****",
        "one\ntwo",
        "   ",
        "s3cr3t\u{a0}",
        "s3cr3t\u{200b}",
        "s3cr3t ",
        "\u{feff}s3cr3t",
    ] {
        let (account, mut repository) = (
            Account::new(),
            Repository::with(&guarded("{ env: HOOK_TOKEN }")),
        );
        repository.set("HOOK_TOKEN", useless);
        repository.sync(&account, &[]).code(1);
        account.got_only_lists();
    }
}

#[test]
fn a_file_may_not_leave_the_repository() {
    let (account, repository) = (
        Account::new(),
        Repository::with(&guarded("{ file: ../../secret }")),
    );
    repository
        .sync(&account, &[])
        .code(1)
        .complains("webhooks.d/all.yaml:6:");
    account.got_only_lists();
}

#[test]
fn the_first_missing_secret_does_not_hide_the_second() {
    let (account, repository) = (
        Account::new(),
        Repository::with(
            "webhooks:
  a: { url: 'https://a.example.com', actions: all, bearer_token: { env: ONE } }
  b: { url: 'https://b.example.com', actions: all, bearer_token: { env: TWO } }
",
        ),
    );
    repository
        .sync(&account, &[])
        .code(1)
        .complains("ONE")
        .complains("TWO");
    account.got_only_lists();
}

#[test]
fn no_verbosity_shows_a_secret() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(&guarded("{ env: HOOK_TOKEN }")),
    );
    repository.set("HOOK_TOKEN", "s3cr3t-token");
    let url = account.sandbox.base_url();
    for output in ["human", "json", "diff"] {
        for format in ["text", "json"] {
            repository.set("HOOK_TOKEN", &format!("s3cr3t-{output}-{format}"));
            let arguments = [
                "-vv",
                "--log-format",
                format,
                "--api-url",
                &url,
                "sync",
                "--output",
                output,
            ];
            let run = repository.run(&arguments).code(0);
            assert!(
                run.stderr.contains("PATCH") || run.stderr.contains("POST"),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn an_api_that_echoes_secrets_is_not_quoted() {
    let echo = format!("{{\"detail\":\"bad key {API_KEY} and token s3cr3t-token\"}}");
    for status in [400, 401, 403, 404, 409, 422, 500] {
        let (account, mut repository) = (
            Account::new(),
            Repository::with(&guarded("{ env: HOOK_TOKEN }")),
        );
        repository.set("HOOK_TOKEN", "s3cr3t-token");
        for number in 1..=9 {
            account.fault(
                "POST",
                number,
                Fault::Answer {
                    status,
                    headers: vec![("retry-after".to_owned(), "0".to_owned())],
                    body: echo.clone(),
                },
            );
        }
        let run = repository.sync(&account, &["--output", "json"]);
        assert_eq!(run.status, 4, "{}", run.stdout);
    }
}

#[test]
fn a_422_echo_of_what_was_sent_is_not_shown() {
    let (account, mut repository) = (
        Account::new(),
        Repository::with(&guarded("{ env: HOOK_TOKEN }")),
    );
    repository.set("HOOK_TOKEN", "s3cr3t-token");
    let body = json!({ "detail": [{ "type": "value_error", "loc": ["body", "bearer_token"],
        "msg": "Value error, s3cr3t-token is too weak", "input": { "bearer_token": "s3cr3t-token" } }] });
    account.fault(
        "POST",
        1,
        Fault::Answer {
            status: 422,
            headers: Vec::new(),
            body: body.to_string(),
        },
    );
    repository
        .sync(&account, &[])
        .code(4)
        .shows("webhooks.d/all.yaml:6:");
}

#[cfg(unix)]
#[test]
fn the_record_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&repository.path(".hookctl")), 0o700);
    for path in repository.record().keys() {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert_eq!(
        fs::read_to_string(repository.path(".hookctl/.gitignore")).unwrap(),
        "*\n"
    );
}

/// Each run looks for the canary in what it prints, and in every file of the record.
#[test]
fn a_password_that_was_left_in_an_address_is_not_kept() {
    let account = Account::new();
    let ignoring = format!("{BILLING}    ignore_changes: [url]\n");
    for (declared, prints) in [(BILLING, "1 updated"), (&ignoring, "No changes.")] {
        let repository = Repository::with(declared);
        repository.settled(&account);
        let address = "https://us:s3cr3t-word@hooks.example.com/billing";
        account.edit("Billing", &json!({ "url": address }));
        account.put("5eb7cf5a86d9755df3a6c001", "Theirs", address);
        repository.sync(&account, &["--dry-run"]).code(0);
        repository.sync(&account, &[]).code(0).shows(prints);
        repository.sync(&account, &[]).code(0).shows("No changes.");
        let url = account.sandbox.base_url();
        repository.run(&["--api-url", &url, "import"]).code(4);
        repository.lose_record();
        let sync = repository.sync(&account, &[]).code(0);
        sync.shows("1 adopted");
        let show = ["--api-url", &url, "record", "show"];
        repository.run(&show).code(0);
        account.sandbox.remove("5eb7cf5a86d9755df3a6c001").unwrap();
        let id = account.id("Billing");
        account.sandbox.remove(&id).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn sources_are_followed_a_few_at_a_time_and_few_files_are_open() {
    use std::fmt::Write as _;

    let account = Account::new();
    let mut repository = Repository::new();
    repository.set("HOOKCTL_TRUST", "1");
    for number in 0..300 {
        let mut text = "webhooks:\n".to_owned();
        let token = match number % 3 {
            0 => format!(
                "{{ command: [sh, -c, 'echo begin >> ../log; sleep 0.05; echo end >> ../log; printf token-{number}'] }}"
            ),
            1 => format!("{{ file: ../tokens/{number} }}"),
            _ => "null".to_owned(),
        };
        repository.write(&format!("tokens/{number}"), &format!("token-{number}"));
        let url = format!("https://hooks.example.com/{number}");
        writeln!(
            text,
            "  hook-{number}: {{ url: '{url}', actions: all, bearer_token: {token} }}"
        )
        .unwrap();
        repository.write(&format!("webhooks.d/{number}.yaml"), &text);
    }
    let url = account.sandbox.base_url();
    let plain = repository.command(&["--api-url", &url, "sync"]);
    let variables = plain
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let run = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear()
        .envs(variables)
        .output()
        .unwrap();
    Run::of(run).code(0).shows("300 created");
    let log = fs::read_to_string(repository.path("log")).unwrap();
    let (mut now, mut most) = (0, 0);
    for line in log.lines() {
        now += if line == "begin" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!((now, log.lines().count()), (0, 200));
    assert!((2..=16).contains(&most), "{most} at once");
}
