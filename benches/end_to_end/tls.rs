//! The runs of the table over TLS: a new connection costs two round trips before its first request, one for TCP and one for
//! TLS.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hookctl_testing::tls::{Handshakes, TlsFront};

use crate::process::Sandbox;
use crate::relay::Relay;
use crate::{RUNS, Row, floors, repository, runs_with};

/// The certificates of a system. They are a part of what is trusted, because reading them is a part of a run.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Prints a table of the runs with these numbers of webhooks. The floor is that of plain HTTP.
pub(crate) fn table(latency_ms: u64, sizes: &[usize], as_json: bool) {
    if !as_json {
        let (titles, lines) = Row::HEAD.split_once('\n').unwrap();
        println!("{titles} full handshakes | resumed |\n{lines} ---: | ---: |");
    }
    for webhooks in sizes {
        let bytes = bytes(*webhooks);
        let folder = repository();
        let sandbox = Sandbox::start(folder.path(), latency_ms);
        let front = TlsFront::start(&sandbox.url, Duration::from_millis(latency_ms));
        let floors = floors(*webhooks, latency_ms);
        let variables = trust(folder.path(), &front);
        let (url, mut before) = (front.url(), Handshakes::default());
        let to = (&sandbox, &*url);
        runs_with(folder.path(), to, *webhooks, &variables, |run, cost| {
            let row = Row {
                webhooks: *webhooks,
                latency_ms,
                run: RUNS[run],
                cost,
                bytes: bytes[run],
                floor_ms: floors[run],
            };
            let so_far = front.handshakes();
            let full = so_far.full - before.full;
            let resumed = so_far.resumed - before.resumed;
            before = so_far;
            if as_json {
                let mut row = row.json();
                row["full_handshakes"] = full.into();
                row["resumed_handshakes"] = resumed.into();
                println!("{row}");
            } else {
                println!("{} {full} | {resumed} |", row.markdown());
            }
        });
    }
}

/// The bytes of each run, with those of TLS.
fn bytes(count: usize) -> Vec<u64> {
    let folder = repository();
    let sandbox = Sandbox::start(folder.path(), 0);
    let front = TlsFront::start(&sandbox.url, Duration::ZERO);
    let relay = Relay::to(&front.url());
    let variables = trust(folder.path(), &front);
    let mut bytes = Vec::new();
    let to = (&sandbox, &*relay.url);
    runs_with(folder.path(), to, count, &variables, |_, _| {
        bytes.push(relay.take());
    });
    bytes
}

/// Returns the variables with which a run trusts a front, and the authorities of the system.
fn trust(folder: &Path, front: &TlsFront) -> Vec<(String, String)> {
    let file = folder.join("authorities.pem");
    let system = fs::read_to_string(SYSTEM).unwrap_or_default();
    fs::write(&file, system + front.authority()).unwrap();
    vec![(
        "SSL_CERT_FILE".to_owned(),
        file.to_str().unwrap().to_owned(),
    )]
}
