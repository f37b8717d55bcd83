//! TLS: what is sent over it, how many handshakes it takes, and a certificate that is not trusted. On Linux only: elsewhere,
//! no variable names the certificates to trust.

use std::io::{self, BufRead as _, BufReader};
use std::time::Duration;

use hookctl_testing::tls::{Handshakes, TlsFront};
use serde_json::Value;

use crate::harness::{Account, BILLING, CANARY, Repository, Run, hooks};
use crate::watch::{Watch, billing};

/// Starts a front of an account, without latency, which a repository trusts.
fn front(account: &Account, repository: &mut Repository) -> TlsFront {
    let front = TlsFront::start(&account.sandbox.base_url(), Duration::ZERO);
    trust(repository, &front);
    front
}

fn trust(repository: &mut Repository, front: &TlsFront) {
    repository.write("authority.pem", front.authority());
    repository.set("SSL_CERT_FILE", "authority.pem");
}

fn sync(repository: &Repository, url: &str, arguments: &[&str]) -> Run {
    let mut all = vec!["--api-url", url, "sync", "--yes"];
    all.extend(arguments);
    repository.run(&all)
}

/// The requests since the last time, with all that the account sees of them, sorted: writes are sent side by side.
fn received(account: &Account) -> Vec<String> {
    let requests = account.sandbox.requests();
    account.sandbox.clear_requests();
    let mut lines: Vec<_> = requests
        .iter()
        .map(|request| {
            // The emulator of each account draws ids of its own.
            let path = request.path.split("workflow-webhooks/").next().unwrap();
            let body = request.body.as_ref().map(Value::to_string);
            format!(
                "{} {path} {:?} {body:?} {} {:?}",
                request.method, request.query, request.authorized, request.headers
            )
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_requests_over_tls_are_those_over_plain_http() {
    let plain = (Account::new(), Repository::new());
    let mut secure = (Account::new(), Repository::new());
    let front = front(&secure.0, &mut secure.1);
    let runs = [
        hooks(5)
            + &format!(
                "  token: {{ url: 'https://x.example.com', actions: all, bearer_token: '{CANARY}' }}\n"
            ),
        hooks(5),
        hooks(4),
        hooks(4),
    ];
    let mut seen = Vec::new();
    for declarations in &runs {
        let results = [(&plain, plain.0.sandbox.base_url()), (&secure, front.url())].map(
            |((account, repository), url)| {
                repository.declare(declarations);
                let run = sync(repository, &url, &["--prune", "--force"]).code(0);
                (run.stdout, received(account))
            },
        );
        let [(plain_said, over_http), (secure_said, over_tls)] = results;
        assert_eq!(over_http, over_tls);
        assert_eq!(plain_said.lines().count(), secure_said.lines().count());
        seen.push(over_tls.len());
    }
    assert_eq!(seen, [8, 2, 2, 1], "the lists and the writes");
}

#[test]
fn a_watch_resumes_its_session_when_it_connects_again() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    let front = front(&account, &mut repository);
    let mut watch = Watch::start_at(&front.url(), &repository, &account, &["--interval", "1h"]);
    let mut log = BufReader::new(watch.child.stderr.take().unwrap()).lines();
    // A pass is logged once the responses to its requests are read.
    let mut passed = |reason: &str| {
        let is_pass = |line: io::Result<String>| {
            let line = line.unwrap();
            assert!(!line.contains(CANARY), "{line}");
            line.contains(&format!("reason=\"{reason}\""))
        };
        assert!(log.any(is_pass), "the watch ended");
    };
    passed("start");
    let first = Handshakes {
        full: 1,
        ..Handshakes::default()
    };
    assert_eq!(
        front.handshakes(),
        first,
        "one connection for the first pass"
    );
    for pass in 1..=4 {
        front.close_connections();
        repository.declare(&billing(10 + i64::try_from(pass).unwrap()));
        passed("files");
        let resumed = Handshakes {
            resumed: pass,
            ..first
        };
        assert_eq!(front.handshakes(), resumed, "after {pass} further passes");
    }
}

#[test]
fn the_connections_of_a_burst_resume_the_session_of_the_list() {
    let (account, mut repository) = (Account::new(), Repository::with(&hooks(40)));
    let front = front(&account, &mut repository);
    sync(&repository, &front.url(), &[]).code(0);
    let Handshakes {
        full,
        resumed,
        failed,
    } = front.handshakes();
    // The server issues two tickets with each connection, and each ticket is used once.
    assert!(resumed >= 2, "{resumed} resumed, {full} full");
    assert_eq!(failed, 0);
}

#[test]
fn a_certificate_that_is_not_trusted_ends_the_run_at_once_and_says_what_to_do() {
    let declarations = format!("{BILLING}    bearer_token: {{ env: TOKEN }}\n");
    let (account, mut repository) = (Account::new(), Repository::with(&declarations));
    repository.set("TOKEN", CANARY);
    let front = front(&account, &mut repository);
    let other = TlsFront::start(&account.sandbox.base_url(), Duration::ZERO);
    trust(&mut repository, &other);
    let run = sync(&repository, &front.url(), &[]).code(1);
    insta::assert_snapshot!(run.stderr.replace(&front.url(), "https://API"));
    assert!(account.requests().is_empty());
    let failed = Handshakes {
        failed: 1,
        ..Handshakes::default()
    };
    assert_eq!(
        front.handshakes(),
        failed,
        "further attempts would fail too"
    );
}

#[test]
fn a_certificate_of_another_host_is_not_trusted() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    let front = front(&account, &mut repository);
    let url = front.url().replace("127.0.0.1", "localhost");
    let run = sync(&repository, &url, &[]).code(1);
    insta::assert_snapshot!(run.stderr.replace(&url, "https://API"));
    assert!(account.requests().is_empty());
}
