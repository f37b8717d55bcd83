//! Machines with API keys of their own on one record: which of them writes a token, and how often.

use super::fleet::Fleet;
use crate::harness::API_KEY;

/// A machine, by its API key.
type Machine = &'static str;

const ALICE: Machine = API_KEY;
const BOB: Machine = "s3cr3t-api-key-of-bob";

const WITH_TOKEN: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all, bearer_token: { env: TOKEN } }
";
const WITHOUT_TOKEN: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all }
";

/// Runs on new runners, on a record and an account that know no webhook. The account accepts these API keys, too.
fn fleet(others: &[Machine]) -> Fleet {
    let mut fleet = Fleet::runners();
    for other in others {
        fleet.account.sandbox.accept_key(*other);
    }
    fleet.declare(WITH_TOKEN);
    fleet.set("TOKEN", "s3cr3t-one");
    fleet
}

/// Returns what a machine's sync sends, besides the requests for lists.
fn sync(fleet: &mut Fleet, machine: Machine) -> Vec<String> {
    fleet.set("INTERACTLY_API_KEY", machine);
    let (code, requests) = fleet.step(&["sync", "--yes", "--force"]);
    assert_eq!(code, 0);
    let sent = requests.into_iter();
    sent.filter(|line| !line.starts_with("GET")).collect()
}

/// Expects that machines, in turn, send nothing.
#[track_caller]
fn are_silent(fleet: &mut Fleet, machines: &[Machine]) {
    for machine in machines.iter().chain(machines) {
        assert_eq!(sync(fleet, machine), [""; 0]);
    }
    assert_eq!(fleet.account.names(), ["billing"]);
}

/// The request that sets a token.
fn sets(token: &str) -> [String; 1] {
    [format!("PATCH ID {{\"bearer_token\":\"{token}\"}}")]
}

#[test]
fn two_keys_write_a_token_once_each_and_do_not_rewrite_it_in_turn() {
    let mut fleet = fleet(&[BOB]);
    let created = sync(&mut fleet, ALICE);
    assert_eq!(created.len(), 1);
    assert!(created.iter().all(|line| line.starts_with("POST")));
    // Alice cannot tell that Bob's token is hers, and says so once.
    for machine in [BOB, ALICE] {
        assert_eq!(sync(&mut fleet, machine), sets("s3cr3t-one"));
    }
    are_silent(&mut fleet, &[ALICE, BOB]);

    fleet.set("TOKEN", "s3cr3t-two");
    for machine in [ALICE, BOB, ALICE] {
        assert_eq!(sync(&mut fleet, machine), sets("s3cr3t-two"));
    }
    are_silent(&mut fleet, &[ALICE, BOB]);

    fleet.declare(WITHOUT_TOKEN);
    let clears = ["PATCH ID {\"clear_bearer_token\":true}"];
    assert_eq!(sync(&mut fleet, BOB), clears);
    are_silent(&mut fleet, &[ALICE, BOB]);

    fleet.declare(WITH_TOKEN);
    for machine in [BOB, ALICE, BOB] {
        assert_eq!(sync(&mut fleet, machine), sets("s3cr3t-two"));
    }
    are_silent(&mut fleet, &[ALICE, BOB]);
    fleet.is_settled(1);
}

#[test]
fn a_change_that_only_another_key_applied_is_undone() {
    let mut fleet = fleet(&[BOB]);
    sync(&mut fleet, ALICE);
    fleet.set("TOKEN", "s3cr3t-two");
    assert_eq!(sync(&mut fleet, BOB), sets("s3cr3t-two"));
    fleet.set("TOKEN", "s3cr3t-one");
    for machine in [ALICE, BOB, ALICE, BOB] {
        assert_eq!(sync(&mut fleet, machine), sets("s3cr3t-one"));
    }
    are_silent(&mut fleet, &[ALICE, BOB]);
}

#[test]
fn a_token_that_someone_cleared_is_set_again_by_one_key_alone() {
    let mut fleet = fleet(&[BOB]);
    sync(&mut fleet, ALICE);
    sync(&mut fleet, BOB);
    let cleared = serde_json::json!({ "has_bearer_token": false });
    fleet.account.edit("billing", &cleared);
    assert_eq!(sync(&mut fleet, ALICE), sets("s3cr3t-one"));
    are_silent(&mut fleet, &[BOB, ALICE]);
}

#[test]
fn the_fifth_key_replaces_the_oldest() {
    const OTHERS: [Machine; 4] = [
        BOB,
        "s3cr3t-api-key-of-carol",
        "s3cr3t-api-key-of-dave",
        "s3cr3t-api-key-of-erin",
    ];
    let [bob, carol, dave, erin] = OTHERS;
    let mut fleet = fleet(&OTHERS);
    sync(&mut fleet, ALICE);
    for machine in [bob, carol, dave] {
        assert_eq!(sync(&mut fleet, machine), sets("s3cr3t-one"));
    }
    assert_eq!(sync(&mut fleet, ALICE), sets("s3cr3t-one"));
    are_silent(&mut fleet, &[ALICE, bob, carol, dave]);
    // Bob's is the oldest now.
    for machine in [erin, carol] {
        assert_eq!(sync(&mut fleet, machine), sets("s3cr3t-one"));
    }
    are_silent(&mut fleet, &[ALICE, carol, dave, erin]);
    assert_eq!(sync(&mut fleet, bob), sets("s3cr3t-one"));
}

#[test]
fn with_a_common_key_of_fingerprints_the_token_is_written_once() {
    let mut fleet = fleet(&[BOB]);
    fleet.set("HOOKCTL_FINGERPRINT_KEY", "s3cr3t-of-every-machine");
    fleet.fingerprint_key = Some("{ env: HOOKCTL_FINGERPRINT_KEY }");
    assert_eq!(sync(&mut fleet, ALICE).len(), 1);
    are_silent(&mut fleet, &[BOB, ALICE]);
}
