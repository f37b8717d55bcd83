//! The port.

use std::time::Duration;

use hookctl_core::record::{Entry, RecordErrorKind, Remembered};

use hookctl_testing::{bound, change, key};

use super::data::{commit, dropped, intended, observation, settled};
use super::{Location, on_every_back_end};

#[test]
fn a_record_that_does_not_exist_is_empty_and_is_not_made_by_reading() {
    on_every_back_end(async |location: &dyn Location| {
        let record = location.reach();
        assert_eq!(
            record.load().await.unwrap().remembered,
            Remembered::default()
        );
        assert_eq!(record.history(10).await.unwrap(), []);
        assert_eq!(record.observed().await.unwrap(), None);
        assert_eq!(record.head().await.unwrap(), None);
    });
}

#[test]
fn what_is_appended_is_read_back_by_others() {
    on_every_back_end(async |location: &dyn Location| {
        let session = location.reach().begin().await.unwrap();
        let first = commit(1, [Entry::Observed(observation(0..3)), intended(5)]);
        assert_eq!(session.append(first.clone()).await.unwrap(), 1);
        let second = commit(2, [settled(bound(5)), intended(6), settled(bound(7))]);
        assert_eq!(session.append(second.clone()).await.unwrap(), 2);
        let third = commit(3, [settled(dropped(7))]);
        assert_eq!(session.append(third.clone()).await.unwrap(), 3);
        let mut expected = Remembered::default();
        for commit in [first, second, third] {
            expected.apply(&commit);
        }
        assert_eq!(session.load().await.unwrap().remembered, expected);
        session.end().await.unwrap();

        let other = location.reach();
        let loaded = other.load().await.unwrap();
        if !location.keeps_observations() {
            expected.pending.seen.clear();
        }
        assert_eq!(loaded.remembered, expected);
        assert_eq!(loaded.sequence, 3);
        let observed = location.keeps_observations().then(|| observation(0..3));
        assert_eq!(other.observed().await.unwrap(), observed);
        let changes = [change(7), change(7), change(5)];
        assert_eq!(other.history(10).await.unwrap(), changes);
        assert_eq!(other.history(1).await.unwrap(), changes[..1]);
    });
}

#[test]
fn what_was_acknowledged_survives_a_session_that_never_ended() {
    on_every_back_end(async |location: &dyn Location| {
        let session = location.reach().begin().await.unwrap();
        session.append(commit(1, [intended(1)])).await.unwrap();
        drop(session);
        let loaded = location.reach().load().await.unwrap();
        assert!(loaded.remembered.pending.of(&key(1)).is_some());
        location.reach().begin().await.unwrap().end().await.unwrap();
    });
}

#[test]
fn only_the_next_commit_is_taken() {
    on_every_back_end(async |location: &dyn Location| {
        let session = location.reach().begin().await.unwrap();
        session.append(commit(1, [intended(1)])).await.unwrap();
        for wrong in [0, 1, 3] {
            let refused = session
                .append(commit(wrong, [intended(2)]))
                .await
                .unwrap_err();
            assert_eq!(refused.kind(), RecordErrorKind::Conflict, "{refused}");
        }
        assert_eq!(session.append(commit(2, [intended(2)])).await.unwrap(), 2);
        session.end().await.unwrap();
    });
}

#[test]
fn a_record_has_one_writer() {
    on_every_back_end(async |location: &dyn Location| {
        let session = location.reach().begin().await.unwrap();
        let other = location.reach();
        match tokio::time::timeout(Duration::from_millis(50), other.begin()).await {
            Ok(Ok(_)) => panic!("two writers"),
            Ok(Err(refused)) => assert_eq!(refused.kind(), RecordErrorKind::Held, "{refused}"),
            // The second writer still waits.
            Err(_) => {}
        }
        session.end().await.unwrap();
        other.begin().await.unwrap().end().await.unwrap();
    });
}

#[test]
fn the_head_tells_two_states_apart() {
    on_every_back_end(async |location: &dyn Location| {
        let session = location.reach().begin().await.unwrap();
        session
            .append(commit(1, [settled(bound(1))]))
            .await
            .unwrap();
        let head = session.end().await.unwrap();
        let other = location.reach();
        assert_eq!(other.head().await.unwrap(), head);
        assert_eq!(other.load().await.unwrap().head, head);
        // Reading is not a write.
        other.begin().await.unwrap().end().await.unwrap();
        assert_eq!(other.head().await.unwrap(), head);
        let session = other.begin().await.unwrap();
        session
            .append(commit(2, [settled(bound(2))]))
            .await
            .unwrap();
        assert_ne!(session.end().await.unwrap(), head);
        assert_ne!(other.head().await.unwrap(), head);
    });
}

#[test]
fn observations_need_not_count_and_are_durable_at_the_end() {
    on_every_back_end(async |location: &dyn Location| {
        let session = location.reach().begin().await.unwrap();
        let observed = commit(1, [Entry::Observed(observation(0..40))]);
        let last = session.append(observed).await.unwrap();
        assert!(last <= 1);
        let next = commit(last + 1, [settled(bound(1))]);
        session.append(next).await.unwrap();
        session.end().await.unwrap();
        let session = location.reach().begin().await.unwrap();
        let last = session.load().await.unwrap().sequence;
        let observed = commit(last + 1, [Entry::Observed(observation(10..20))]);
        session.append(observed).await.unwrap();
        session.end().await.unwrap();
        let kept = location.reach().observed().await.unwrap();
        let expected = location.keeps_observations().then(|| observation(10..20));
        assert_eq!(kept, expected);
    });
}

/// The state equals the fold of any sequence of commits.
#[test]
fn the_state_is_the_fold_of_the_commits() {
    on_every_back_end(async |location: &dyn Location| {
        let (mut expected, mut sequence, mut dice) = (Remembered::default(), 0, 0x2545_f491_u64);
        for _ in 0..20 {
            let session = location.reach().begin().await.unwrap();
            for _ in 0..5 {
                let entries = (0..4).map(|_| {
                    // xorshift: any sequence will do, and always the same one.
                    dice ^= dice << 13;
                    dice ^= dice >> 7;
                    dice ^= dice << 17;
                    let number = dice % 10;
                    match dice / 10 % 4 {
                        0 => intended(number),
                        1 => settled(dropped(number)),
                        _ => settled(bound(number)),
                    }
                });
                let commit = commit(sequence + 1, entries.collect::<Vec<_>>());
                expected.apply(&commit);
                sequence = session.append(commit).await.unwrap();
            }
            session.end().await.unwrap();
            let loaded = location.reach().load().await.unwrap();
            assert_eq!(loaded.remembered, expected);
            assert_eq!(loaded.sequence, sequence);
        }
    });
}
