//! What is on disk before a write is sent, observed by the system calls of the process.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::harness::{Account, BILLING, Repository, Run};

/// The keys, as the record and a request's body or path would show them.
const KEYS: [&str; 3] = ["billing", "one", "two"];

/// The calls that matter, in order: writes to the database with the keys that they tell of, syncs of it, and
/// requests that write.
#[derive(Debug, PartialEq)]
enum Call {
    Written(Vec<&'static str>),
    Synced,
    Sent(&'static str, &'static str),
}

fn calls(trace: &str) -> Vec<Call> {
    trace
        .lines()
        .filter_map(|line| {
            let database = line.contains("/db/db>");
            let is = |names: &[&str]| names.iter().any(|name| line.contains(&format!("{name}(")));
            if database && is(&["fsync", "fdatasync"]) {
                return Some(Call::Synced);
            }
            if database && is(&["pwrite64", "write", "pwritev"]) {
                let reported = |key: &&str| line.contains(&format!(r#"\"key\":\"{key}\""#));
                return Some(Call::Written(KEYS.into_iter().filter(reported).collect()));
            }
            let method = ["POST", "PATCH", "DELETE"]
                .into_iter()
                .find(|method| line.contains(&format!("\"{method} /")))
                .filter(|_| is(&["sendto", "write", "writev", "sendmsg"]))?;
            let named = |key: &&str| line.contains(&format!(r#"\"name\":\"{key}\""#));
            let key = KEYS.into_iter().find(named).unwrap_or("billing");
            Some(Call::Sent(method, key))
        })
        .collect()
}

/// Runs `sync` under `strace` with its options; none where there is none, or where tracing is not allowed: nothing else
/// looks at system calls, or lets them fail, without rights that a test should not need.
#[cfg(target_os = "linux")]
fn traced(
    repository: &Repository,
    account: &Account,
    options: &[&str],
    arguments: &[&str],
) -> Option<Run> {
    let known = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if !known.is_ok_and(|status| status.success()) {
        return None;
    }
    let url = account.sandbox.base_url();
    let plain = repository.command(&[&["--api-url", &url, "sync"], arguments].concat());
    let variables = plain.get_envs();
    let output = Command::new("strace")
        .args(["-f", "-o"])
        .arg(repository.path("trace"))
        .args(options)
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    let run = Run::of(output);
    let ran = run.status == 0 || !run.stderr.contains("strace:");
    ran.then_some(run)
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_refuses_for_good_is_an_error_and_no_crash() {
    for (call, from) in [
        ("fdatasync", 1),
        ("fdatasync", 2),
        ("fsync", 1),
        ("fsync", 2),
    ] {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        repository.settled(&account);
        repository.declare(&format!("{BILLING}    max_retries: 7\n"));
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:error=EIO:when={from}+");
        let options = ["-e", &trace, "-e", &inject];
        let Some(run) = traced(&repository, &account, &options, &["--output", "json"]) else {
            return;
        };
        assert!(
            !run.stderr.contains("panicked"),
            "{call} {from}: {}",
            run.stderr
        );
        let document = run.json();
        let reported = document.to_string();
        match run.status {
            1 => assert!(
                account
                    .requests()
                    .iter()
                    .all(|sent| sent.starts_with("GET")),
                "{reported}"
            ),
            4 => assert_eq!(document["actions"][0]["result"], "failed", "{reported}"),
            code => panic!("{call} {from}: {code}"),
        }
        assert!(reported.contains("Input/output error"), "{reported}");
        repository.sync(&account, &[]).code(0);
        repository.sync(&account, &[]).code(0).shows("No changes.");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn every_intent_is_synced_before_its_request_leaves() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("hookctl.yaml", "concurrency: 1\n");
    repository.settled(&account);
    repository.declare(&format!(
        "{BILLING}    max_retries: 7\n  one: {{ url: 'https://one.example.com', actions: all }}\n  two: {{ url: 'https://two.example.com', actions: all }}\n"
    ));
    let options = [
        "-y",
        "-s",
        "1000000",
        "-e",
        "trace=fsync,fdatasync,write,pwrite64,pwritev,writev,sendto,sendmsg",
    ];
    if traced(&repository, &account, &options, &[]).is_none() {
        return;
    }
    let trace = repository.path("trace");
    let calls = calls(&std::fs::read_to_string(&trace).unwrap());
    let mut written: BTreeSet<&str> = BTreeSet::new();
    let mut durable = BTreeSet::new();
    let mut dirty = false;
    let mut sent = Vec::new();
    for call in &calls {
        match call {
            Call::Written(keys) => {
                written.extend(keys);
                dirty = true;
            }
            Call::Synced => {
                durable.append(&mut written);
                dirty = false;
            }
            Call::Sent(method, key) => {
                assert!(durable.contains(key), "{key} before its intent: {calls:?}");
                sent.push((*method, *key));
            }
        }
    }
    assert_eq!(
        sent,
        [("POST", "one"), ("POST", "two"), ("PATCH", "billing")]
    );
    assert!(!dirty, "the last settlement: {calls:?}");
}
