//! An object store that is down, refuses, or loses answers.

use hookctl_testing::s3::Fault;

use super::fleet::Fleet;
use crate::harness::{BILLING, hooks};

fn fleet() -> Fleet {
    let mut fleet = Fleet::runners();
    fleet.declare(BILLING);
    fleet
}

#[test]
fn an_object_store_that_is_down_stops_a_run_before_it_sends_anything() {
    let fleet = fleet();
    fleet.store().set_fault(Some(Fault::Refuse));
    let (code, requests) = fleet.step(&["sync", "--yes"]);
    assert_eq!(code, 1);
    assert!(
        requests.iter().all(|line| line.starts_with("GET")),
        "{requests:?}"
    );
    let run = fleet
        .run(&["sync", "--yes"])
        .complains("the object store failed");
    // Said at once, and once.
    let reported = run
        .stderr
        .matches("the object store of the record failed, and is tried again for up to");
    assert_eq!(reported.count(), 1, "{}", run.stderr);
    fleet.store().set_fault(None);
    fleet.run(&["sync", "--yes"]).code(0);
    fleet.is_settled(1);
}

#[test]
fn a_redirect_of_the_object_store_says_what_to_set() {
    let fleet = fleet();
    let long = concat!(
        "eu-west-1-",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    );
    for status in [301, 307] {
        for (region, named) in [
            (Some("eu-west-1"), true),
            (None, false),
            // Not a region, and the key of the store.
            (Some("eu-west-1\t::error::x"), false),
            (Some("EU-WEST-1 choose"), false),
            (Some("stub-secret"), false),
            (Some(""), false),
            (Some(long), false),
        ] {
            let fault = Fault::Elsewhere(status, region);
            fleet.store().set_fault(Some(fault));
            for command in [&["sync", "--yes"][..], &["record", "status"]] {
                fleet.store().forget_requests();
                let run = fleet
                    .run(command)
                    .code(1)
                    .complains("hint: set `region` of `record` to the region of the bucket")
                    .complains(
                        "hint: if `record` has an `endpoint`, set it to that of this region",
                    );
                let is_named = run.stderr.contains("the bucket is in region eu-west-1\n");
                assert_eq!(is_named, named, "{fault:?}: {}", run.stderr);
                let requests = fleet.store().requests();
                assert_eq!(requests.len(), 1, "{fault:?}: a retry does not help");
                let stderr = &run.stderr;
                for text in ["::error", "choose", "stub-secret", "aaaa"] {
                    assert!(!stderr.contains(text), "{fault:?}: {stderr}");
                }
            }
        }
    }
    fleet.account.got_only_lists();
    fleet.store().set_fault(None);
    fleet.run(&["sync", "--yes"]).code(0);
    fleet.is_settled(1);
}

#[test]
fn a_job_that_may_not_write_can_plan_and_cannot_apply() {
    let fleet = fleet();
    fleet.store().set_fault(Some(Fault::ReadOnly));
    fleet
        .run(&["sync", "--dry-run"])
        .code(0)
        .shows("1 to create");
    let (code, requests) = fleet.step(&["sync", "--yes"]);
    assert_ne!(code, 0);
    assert!(
        requests.iter().all(|line| line.starts_with("GET")),
        "{requests:?}"
    );
    fleet.store().set_fault(None);
    fleet.run(&["sync", "--yes"]).code(0);
    fleet.is_settled(1);
}

#[test]
fn a_lost_answer_of_any_write_is_no_failure() {
    for fault in [Fault::CutAfterWrite, Fault::RefuseAfterWrite] {
        let mut fleet = fleet();
        fleet.store().set_fault(Some(fault));
        let (code, requests) = fleet.step(&["sync", "--yes"]);
        assert_eq!(code, 0, "{fault:?}");
        let creates = requests.iter().filter(|line| line.starts_with("POST"));
        assert_eq!(creates.count(), 1, "{fault:?}");
        fleet.store().set_fault(None);
        fleet.is_settled(1);
        fleet.declare(&hooks(40));
        fleet.store().set_fault_once(fault);
        fleet.run(&["sync", "--yes"]).code(0);
        fleet.is_settled(41);
    }
}

#[test]
fn a_run_without_changes_writes_nothing_and_one_edit_writes_four_objects() {
    let mut fleet = fleet();
    fleet.run(&["sync", "--yes"]).code(0);
    let requests = |fleet: &Fleet, arguments: &[&str]| {
        fleet.store().forget_requests();
        fleet.run(arguments).code(0);
        let requests = fleet.store().requests();
        let of = |method: &str| {
            let of_method = requests.iter().filter(|request| request.method == method);
            of_method.count()
        };
        (of("GET"), of("PUT"))
    };
    for arguments in [&["sync", "--yes"][..], &["sync", "--dry-run"]] {
        // The head, and two entries of the log.
        assert_eq!(requests(&fleet, arguments), (3, 0));
    }
    fleet.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    // The lease, the intent, the settlement, and the release. The head is not read again.
    assert_eq!(requests(&fleet, &["sync", "--yes"]), (3, 4));
}

#[test]
fn a_folder_for_records_keeps_what_was_read() {
    let mut fleet = fleet();
    let home = fleet.checkout();
    std::fs::create_dir(home.path(".hookctl")).unwrap();
    home.run(&["sync", "--yes"]).code(0);
    fleet.store().forget_requests();
    home.run(&["sync", "--yes"]).code(0);
    let requests = fleet.store().requests();
    let requests: Vec<_> = requests
        .iter()
        .map(|request| (&*request.method, request.status))
        .collect();
    assert_eq!(requests, [("GET", Some(304))]);
    // One edited field takes five round trips.
    fleet.store().forget_requests();
    home.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    home.run(&["sync", "--yes"]).code(0).shows("1 updated");
    let requests = fleet.store().requests();
    let requests: Vec<_> = requests
        .iter()
        .map(|request| (&*request.method, request.status))
        .collect();
    let written = ("PUT", Some(200));
    assert_eq!(
        requests,
        [("GET", Some(304)), written, written, written, written]
    );
    fleet.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    fleet.is_settled(1);
}

#[test]
fn a_damaged_object_is_named_and_nothing_is_decided_from_it() {
    let mut fleet = fleet();
    fleet.run(&["sync", "--yes"]).code(0);
    let name = fleet
        .store()
        .objects()
        .into_keys()
        .find(|name| name.contains("/log/"))
        .unwrap();
    fleet.store().damage(&name, Some(b"{}".to_vec()));
    fleet.declare("webhooks: {}");
    let (code, requests) = fleet.step(&["sync", "--yes", "--force", "--prune", "--allow-empty"]);
    assert_eq!(code, 1);
    assert!(
        requests.iter().all(|line| line.starts_with("GET")),
        "{requests:?}"
    );
    let run = fleet.run(&["record", "verify"]).code(1);
    let end = name.split_once("/log/").unwrap().1;
    run.complains(&format!("log/{end} is damaged"));
}
