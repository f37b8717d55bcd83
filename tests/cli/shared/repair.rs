//! `hookctl record repair` on a shared record.

use super::fleet::Fleet;
use crate::harness::{Account, hooks};

/// Three webhooks, and the names of the objects of their record.
fn synced() -> (Fleet, Vec<String>) {
    let mut fleet = Fleet::on(Account::new());
    fleet.declare(&hooks(3));
    fleet.run(&["sync"]).code(0).shows("3 created");
    let names = fleet.store().objects().into_keys().collect();
    (fleet, names)
}

/// Returns the first object with this part in its name.
fn named(names: &[String], part: &str) -> String {
    names
        .iter()
        .find(|name| name.contains(part))
        .unwrap()
        .clone()
}

#[test]
fn an_intact_record_stays_as_it_is() {
    let (fleet, _) = synced();
    let before = fleet.store().objects();
    fleet
        .run(&["record", "repair"])
        .code(0)
        .shows("nothing to repair");
    assert_eq!(fleet.store().objects(), before);
}

#[test]
fn a_damaged_record_is_named_rebuilt_and_used_again() {
    for (part, content) in [
        ("/head", Some(b"garbage".to_vec())),
        ("/head", None),
        ("/log/", Some(b"{}".to_vec())),
        ("/log/", None),
    ] {
        let (mut fleet, names) = synced();
        let name = named(&names, part);
        fleet.store().damage(&name, content);
        fleet.run(&["record", "verify"]).code(1);
        let run = fleet.run(&["record", "repair"]).code(0);
        let run = run.shows("Repaired:");
        assert!(run.stderr.contains(" is damaged: "), "{}", run.stderr);
        fleet.run(&["record", "verify"]).code(0).shows("intact");
        // No webhook is made twice, and no other one is touched.
        fleet.account.requests();
        fleet.declare(&hooks(4));
        fleet.run(&["sync"]).code(0).shows("1 created");
        let requests = fleet.account.requests();
        let writes = requests.iter().filter(|line| !line.starts_with("GET"));
        assert_eq!(writes.count(), 1, "{requests:?}");
        fleet.is_settled(4);
    }
}

#[test]
fn without_the_api_nothing_is_changed() {
    let (mut fleet, names) = synced();
    fleet.store().damage(&named(&names, "/log/"), None);
    let before = fleet.store().objects();
    fleet.set("INTERACTLY_API_KEY", "wrong");
    fleet.run(&["record", "repair"]).code(1);
    assert_eq!(fleet.store().objects(), before);
}

#[test]
fn a_log_without_its_head_is_not_taken_for_a_free_place() {
    let (fleet, names) = synced();
    fleet.store().damage(&named(&names, "/head"), None);
    fleet
        .run(&["record", "init"])
        .code(1)
        .complains("head is damaged: it is missing, and there is a log")
        .complains("hookctl record repair");
}
