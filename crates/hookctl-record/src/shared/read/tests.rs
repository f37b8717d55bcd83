//! Objects that hookctl does not write, though their checksums hold.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;

use super::super::format::Base;
use super::super::memory::MemoryBlobs;
use super::*;

fn attempts(blobs: &MemoryBlobs) -> Attempts<'_> {
    static FAILING: AtomicBool = AtomicBool::new(false);
    Attempts {
        blobs,
        timeout: Duration::from_secs(1),
        budget: Duration::from_secs(1),
        failing: &FAILING,
        on_event: &|_| {},
    }
}

fn head() -> HeadBody {
    HeadBody {
        record: "r".to_owned(),
        account: "a".to_owned(),
        epoch: 3,
        holder: None,
        lease_ms: 0,
        permit_ms: 0,
        beat: 0,
        tail: Tail::empty(),
        base: None,
        trimmed: 0,
        unclean: false,
        moved_to: None,
        nonce: "n".to_owned(),
    }
}

fn entry(sequence: u64, epoch: u64, before: Digest) -> LogBody {
    LogBody {
        sequence,
        epoch,
        writer: "w".to_owned(),
        nonce: "n".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        before,
        operations: Vec::new(),
    }
}

/// Stores the entries in order, and returns the end of the log.
fn stored(blobs: &MemoryBlobs, epochs: &[u64]) -> Tail {
    let mut tail = Tail::empty();
    for &epoch in epochs {
        let sequence = tail.sequence + 1;
        let content = format::encode(&entry(sequence, epoch, tail.digest)).unwrap();
        tail = Tail {
            sequence,
            digest: Digest::of(&content),
        };
        blobs.damage(&names::log(sequence), Some(content));
    }
    tail
}

async fn refused(head: &HeadBody) -> String {
    let blobs = MemoryBlobs::new();
    blobs.damage(names::HEAD, Some(format::encode(head).unwrap()));
    let read = attempts(&blobs).head(None).await;
    read.unwrap_err().to_string()
}

#[tokio::test]
async fn impossible_numbers_in_the_head_are_damage() {
    let tail = Tail {
        sequence: MOST + 1,
        ..Tail::empty()
    };
    let base = Base {
        digest: Digest::none(),
        tail: Tail {
            sequence: 1,
            ..Tail::empty()
        },
    };
    for head in [
        HeadBody {
            epoch: MOST + 1,
            ..head()
        },
        HeadBody { tail, ..head() },
        HeadBody {
            base: Some(base),
            ..head()
        },
    ] {
        let error = refused(&head).await;
        assert_eq!(error, "head is damaged: it has an impossible number");
    }
}

#[tokio::test]
async fn a_head_with_a_long_text_is_damage() {
    let error = refused(&HeadBody {
        moved_to: Some("x".repeat(LARGEST_HEAD)),
        ..head()
    })
    .await;
    assert_eq!(error, "head is damaged: it is too large");
}

#[tokio::test]
async fn an_entry_of_a_newer_epoch_than_the_head_is_damage() {
    let blobs = MemoryBlobs::new();
    let tail = stored(&blobs, &[1, 3, 4]);
    let named = HeadBody { tail, ..head() };
    let error = attempts(&blobs).state(&named, None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it is of a newer epoch than the head"),
        "{error}"
    );
    assert!(attempts(&blobs).verify(&named).await.is_err());
    let newer = HeadBody { epoch: 4, ..named };
    assert!(attempts(&blobs).state(&newer, None).await.is_ok());
    assert!(attempts(&blobs).verify(&newer).await.is_ok());
}

#[tokio::test]
async fn an_epoch_does_not_come_back() {
    let blobs = MemoryBlobs::new();
    let tail = stored(&blobs, &[1, 3, 2]);
    let named = HeadBody { tail, ..head() };
    let error = attempts(&blobs).state(&named, None).await;
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("its epoch is over"), "{error}");
}
