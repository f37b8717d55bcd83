//! Objects that hookctl never writes.

use std::sync::Arc;

use hookctl_core::record::{Account, After, Backend as _, Entry, RecordErrorKind, Remembered};
use hookctl_core::secret::{FingerprintKey, Fingerprints, Salt};
use hookctl_core::webhook::RemoteId;
use hookctl_testing::simulation::Machine;
use hookctl_testing::{bound, secret};
use jiff::Timestamp;

use super::digest::Digest;
use super::format::{self, BaseBody, HeadBody, LogBody, Tail};
use super::holder::Holder;
use super::names;
use super::packed;
use super::read::{LARGEST_BASE, LARGEST_ENTRY};
use super::{MemoryBlobs, SharedError, SharedOptions, SharedRecord};

async fn made() -> (MemoryBlobs, SharedRecord) {
    let store = MemoryBlobs::new();
    let record = over(&store, "a machine");
    record.init().await.unwrap();
    (store, record)
}

fn over(store: &MemoryBlobs, run: &str) -> SharedRecord {
    let options = SharedOptions::new(run, Arc::new(Machine::steady("a machine")));
    let account = Account::new("prod", "https://api.example");
    SharedRecord::new(store.clone(), account, options)
}

/// Replaces the head by a changed one.
fn change(store: &MemoryBlobs, change: impl FnOnce(&mut HeadBody)) {
    let objects = store.objects();
    let mut head: HeadBody = format::decode(names::HEAD, &objects[names::HEAD]).unwrap();
    change(&mut head);
    store.damage(names::HEAD, Some(format::encode(&head).unwrap()));
}

fn holder(run: String) -> Holder {
    Holder {
        id: "1".to_owned(),
        run,
        since: Timestamp::UNIX_EPOCH,
    }
}

/// Appends an empty entry of an epoch.
fn append(store: &MemoryBlobs, sequence: u64, epoch: u64, before: Digest) -> Tail {
    let body = LogBody {
        sequence,
        epoch,
        writer: "1".to_owned(),
        nonce: "1".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        before,
        operations: Vec::new(),
    };
    let content = format::encode(&body).unwrap();
    let digest = Digest::of(&content);
    store.damage(&names::log(sequence), Some(content));
    Tail { sequence, digest }
}

#[tokio::test]
async fn a_text_of_the_head_that_is_too_long_is_damage_and_one_that_is_shown_is_escaped() {
    let (store, record) = made().await;
    let whole = store.objects()[names::HEAD].clone();
    let long = "x".repeat(5_000_000);
    let changes: [&dyn Fn(&mut HeadBody); 3] = [
        &|head| head.holder = Some(holder(long.clone())),
        &|head| head.moved_to = Some(long.clone()),
        &|head| head.record.clone_from(&long),
    ];
    for each in changes {
        change(&store, each);
        let refused = record.status().await.unwrap_err();
        assert!(matches!(refused, SharedError::Damaged { .. }));
        assert_eq!(refused.to_string(), "head is damaged: it is too large");
        store.damage(names::HEAD, Some(whole.clone()));
    }
    let hostile = "\u{1b}[2J\n::error::x";
    change(&store, |head| head.moved_to = Some(hostile.to_owned()));
    let moved = record.status().await.unwrap_err().to_string();
    assert!(
        moved.starts_with("the record was moved to \\u{1b}"),
        "{moved}"
    );
    assert!(!moved.contains(['\n', '\u{1b}']), "{moved}");
    store.damage(names::HEAD, Some(whole.clone()));
    change(&store, |head| head.account = "x".repeat(5_000));
    let other = record.status().await.unwrap_err();
    assert!(matches!(other, SharedError::OtherAccount { .. }));
    assert!(other.to_string().len() < 400);
}

#[tokio::test]
async fn a_long_description_of_a_run_is_cut_before_it_is_written() {
    let (store, record) = made().await;
    let run = "é".repeat(5_000);
    let held = over(&store, &run).begin().await.unwrap();
    let shown = record.status().await.unwrap().holder.unwrap().run;
    assert_eq!(shown.chars().count(), 201);
    held.end().await.unwrap();
}

/// Beyond the tail of a held record, a newer epoch is that of a taker, whose head is read once more.
#[tokio::test]
async fn an_entry_beyond_the_tail_is_of_an_epoch_that_some_head_had() {
    let (store, record) = made().await;
    change(&store, |head| {
        head.epoch = 2;
        head.holder = Some(holder("a run".to_owned()));
    });
    append(&store, 1, 3, Digest::none());
    let refused = record.load().await.unwrap_err();
    assert!(refused.to_string().contains("newer epoch"), "{refused}");
    // The taker swapped the head after this process had read it.
    let attempts = record.attempts();
    let old = attempts.head(None).await.unwrap().unwrap();
    change(&store, |head| head.epoch = 3);
    let mut state = attempts.state(&old.body, None).await.unwrap();
    attempts.follow(&mut state).await.unwrap();
    attempts.confirm_epoch(&state, 2).await.unwrap();
    assert_eq!(record.load().await.unwrap().sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn a_taker_names_an_entry_of_an_epoch_that_no_head_had() {
    let (store, record) = made().await;
    change(&store, |head| {
        head.epoch = 2;
        head.holder = Some(holder("a run".to_owned()));
    });
    // The taker has epoch 3.
    append(&store, 1, 9, Digest::none());
    let refused = record.begin().await.err().unwrap();
    assert_eq!(refused.kind(), RecordErrorKind::Damaged, "{refused}");
}

#[tokio::test]
async fn an_entry_that_is_larger_than_any_is_named_and_not_decoded() {
    let (store, record) = made().await;
    let mut before = Digest::none();
    for sequence in 1..=3 {
        before = append(&store, sequence, 1, before).digest;
    }
    store.damage(&names::log(2), Some(vec![b' '; LARGEST_ENTRY + 1]));
    change(&store, |head| {
        head.epoch = 1;
        head.tail = Tail {
            sequence: 3,
            digest: before,
        };
    });
    for refused in [
        record.load().await.err(),
        record.history(9).await.err(),
        record.verify().await.err().map(Into::into),
    ] {
        let refused = refused.unwrap();
        assert_eq!(refused.kind(), RecordErrorKind::Damaged);
        let expected = format!("{} is damaged: it is larger than any entry", names::log(2));
        assert_eq!(refused.to_string(), expected);
    }
}

#[tokio::test]
async fn the_log_after_a_checkpoint_is_bounded_as_a_whole() {
    let (store, record) = made().await;
    let mut before = Digest::none();
    for sequence in 1..=9 {
        before = append(&store, sequence, 1, before).digest;
    }
    change(&store, |head| head.epoch = 1);
    let attempts = record.attempts();
    let head = attempts.head(None).await.unwrap().unwrap();
    let size = store.objects()[&names::log(1)].len() as u64;
    let read = async |most| {
        let mut state = attempts.state(&head.body, None).await?;
        attempts.extend(&mut state, 9, most).await
    };
    read(size * 9).await.unwrap();
    let refused = read(size * 5).await.unwrap_err().to_string();
    assert!(refused.starts_with(&names::log(6)), "{refused}");
}

#[test]
fn the_checkpoint_of_100_000_webhooks_fits_in_one_object() {
    let number = 100_000;
    let mut remembered = Remembered::default();
    let keys = ["a", "b", "c", "d"].map(|key| FingerprintKey::derive(&secret(key)));
    let mut random = blake3::Hasher::new().finalize_xof();
    for sequence in 0..number {
        let mut settlement = bound(sequence);
        if let After::Record(record) = &mut settlement.after {
            let mut bytes = [0; 16];
            random.fill(&mut bytes);
            let salt = Salt::new(bytes);
            let token = secret("a token");
            let mut all = keys.iter().map(|key| key.fingerprint(salt, &token));
            let first = Fingerprints::from(all.next().unwrap());
            record.token = Some(all.fold(first, |all, one| all.with(one)));
            record.id = RemoteId::parse(&format!("{:032x}", u128::from_be_bytes(bytes))).unwrap();
            record.sent.name = format!("Billing of clinic {sequence}");
            record.stored.name.clone_from(&record.sent.name);
        }
        remembered.apply_entry(&Entry::Settled(settlement));
    }
    let content = format::encode(&BaseBody::of("r", &remembered)).unwrap();
    let packed = packed::pack(&content).unwrap();
    assert!(packed.len() < LARGEST_BASE * 3 / 4, "{}", packed.len());
    let body: BaseBody<'_> = format::decode("base", &packed::unpack(&packed).unwrap()).unwrap();
    assert_eq!(body.into_remembered(), remembered);
}
