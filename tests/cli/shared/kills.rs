//! A run killed between a create and its response.

use std::time::Duration;

use super::fleet::Fleet;
use crate::harness::hooks;

#[test]
fn a_create_without_a_response_is_not_repeated_by_another_runner() {
    let mut fleet = Fleet::runners();
    fleet.declare(&hooks(1));
    let fault = hookctl::sandbox::Fault::HangAfter;
    fleet.account.fault("POST", 1, fault);
    let (_runner, mut child) = fleet.start(&["sync", "--yes"]);
    while fleet.account.names().is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fleet.account.requests();
    let run = fleet.run(&["sync", "--yes"]).code(0);
    assert!(
        run.stderr.contains("waiting for the record")
            && run.stderr.contains("took over the record"),
        "{}",
        run.stderr
    );
    let requests = fleet.account.requests();
    assert!(
        requests.iter().all(|line| line.starts_with("GET")),
        "{requests:?}"
    );
    fleet.is_settled(1);
}
