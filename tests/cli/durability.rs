//! What is on the disk before a write leaves, told by the system calls of the real process.

use std::process::{Command, Stdio};

use crate::harness::{Account, BILLING, Repository};

/// The calls that matter, in order: writes to the database, syncs of it, and requests that write.
#[derive(Debug, PartialEq)]
enum Call {
    Written,
    Synced,
    Sent(&'static str),
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
                return Some(Call::Written);
            }
            let method = ["POST", "PATCH", "DELETE"]
                .into_iter()
                .find(|method| line.contains(&format!("\"{method} /")));
            method
                .filter(|_| is(&["sendto", "write", "writev", "sendmsg"]))
                .map(Call::Sent)
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn every_intent_is_synced_before_its_request_leaves() {
    let known = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if !known.is_ok_and(|status| status.success()) {
        // Nothing else looks at system calls without rights that a test should not need.
        return;
    }
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("hookctl.yaml", "concurrency: 1\n");
    repository.settled(&account);
    repository.declare(&format!(
        "{BILLING}    max_retries: 7\n  one: {{ url: 'https://one.example.com', actions: all }}\n  two: {{ url: 'https://two.example.com', actions: all }}\n"
    ));
    let url = account.sandbox.base_url();
    let trace = repository.path("trace");
    let plain = repository.command(&["--api-url", &url, "sync"]);
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-y", "-s", "40", "-e"])
        .arg("trace=fsync,fdatasync,write,pwrite64,pwritev,writev,sendto,sendmsg")
        .arg("-o")
        .arg(&trace)
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    let output = traced.output().unwrap();
    if !output.status.success() && account.requests().is_empty() {
        // Tracing is not allowed here.
        return;
    }
    let calls = calls(&std::fs::read_to_string(&trace).unwrap());
    let mut dirty = false;
    let mut synced_since_sent = false;
    let mut sent = Vec::new();
    for call in &calls {
        match call {
            Call::Written => dirty = true,
            Call::Synced => (dirty, synced_since_sent) = (false, true),
            Call::Sent(method) => {
                assert!(
                    !dirty && synced_since_sent,
                    "{method} before its intent: {calls:?}"
                );
                synced_since_sent = false;
                sent.push(*method);
            }
        }
    }
    assert_eq!(sent, ["POST", "POST", "PATCH"]);
    assert!(
        !dirty && synced_since_sent,
        "the last settlement: {calls:?}"
    );
}
