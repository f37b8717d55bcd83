//! `hookctl record trim`.

use super::fleet::Fleet;
use crate::harness::{Repository, hooks};

#[test]
fn the_old_history_is_emptied_and_the_next_run_has_nothing_to_do() {
    let mut fleet = Fleet::runners();
    let nothing = fleet.run(&["record", "trim"]).code(0);
    assert!(nothing.stdout.starts_with("Nothing to trim"));
    // More than the log may grow without a checkpoint.
    fleet.declare(&hooks(300));
    fleet.run(&["sync", "--yes"]).code(0);
    let young = fleet.run(&["record", "trim"]).code(0);
    assert!(young.stdout.starts_with("Nothing to trim"));
    let trimmed = fleet.run(&["record", "trim", "--keep", "0s"]).code(0);
    assert!(trimmed.stdout.starts_with("Trimmed "), "{}", trimmed.stdout);
    let size = |fleet: &Fleet| {
        fleet
            .store()
            .objects()
            .values()
            .map(Vec::len)
            .sum::<usize>()
    };
    let after = size(&fleet);
    fleet.run(&["record", "trim", "--keep", "0s"]).code(0);
    assert_eq!(size(&fleet), after);
    fleet.is_settled(300);
}

#[test]
fn a_local_record_says_what_prunes_it() {
    let repository = Repository::new();
    repository
        .run(&["record", "trim"])
        .code(64)
        .complains("hint: `history` in hookctl.yaml says how long it keeps changes");
}
