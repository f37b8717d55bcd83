//! The advice of each error, as a reader sees it.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use hookctl::config::DiscoverError;
use hookctl::diagnostic::Location;
use hookctl::plan::PlanProblem;
use hookctl::plan::safety::Refusal;
use hookctl::record::shared::{BlobError, BlobErrorKind, Holder, SharedError};
use hookctl::record::{RecordError, RecordErrorKind};
use hookctl::remote::ApiError;
use hookctl::saved::{NoPlan, OpenError};
use hookctl::secret::TooShort;
use hookctl::trust::GatherError;
use hookctl::watch::FsEventsError;
use hookctl::webhook::{Key, RemoteId};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn id() -> RemoteId {
    RemoteId::parse("wh_1").unwrap()
}

fn location() -> Location {
    Location {
        path: std::path::Path::new("webhooks.d/a.yaml").into(),
        line: 1,
        column: 1,
    }
}

fn problems() -> Vec<Box<dyn Error>> {
    let location = location();
    vec![
        Box::new(PlanProblem::Ambiguous {
            key: key("a"),
            location: location.clone(),
            ids: vec![id(), RemoteId::parse("wh_2").unwrap()],
        }),
        Box::new(PlanProblem::Contested {
            keys: vec![key("a"), key("b")],
            location: location.clone(),
            id: id(),
        }),
        Box::new(PlanProblem::DoublyBound {
            keys: vec![key("a"), key("b")],
            location: location.clone(),
            id: id(),
        }),
        Box::new(PlanProblem::PinnedGone {
            key: key("a"),
            location: location.clone(),
            id: id(),
        }),
        Box::new(PlanProblem::RenamedKey {
            key: key("new"),
            location,
            old: key("old"),
            id: id(),
        }),
    ]
}

fn refusals() -> Vec<Box<dyn Error>> {
    vec![
        Box::new(Refusal::NothingDeclared),
        Box::new(Refusal::ForeignAccount { bound: 9 }),
        Box::new(Refusal::TooMany {
            verb: "delete",
            count: 5,
            ours: 9,
            percent: 55,
            max_percent: 30,
            max_count: 20,
        }),
    ]
}

fn store(kind: BlobErrorKind) -> SharedError {
    BlobError::new(kind, format!("{kind:?}")).into()
}

fn records() -> Vec<Box<dyn Error>> {
    let kinds = [
        RecordErrorKind::Held,
        RecordErrorKind::Misplaced,
        RecordErrorKind::Damaged,
        RecordErrorKind::Newer,
        RecordErrorKind::Unavailable,
    ];
    let local = kinds.map(|kind| RecordError::new(kind, format!("a local record: {kind:?}")));
    let shared = [
        SharedError::Missing,
        SharedError::Fenced,
        SharedError::Held {
            holder: Box::new(Holder {
                id: "1".into(),
                run: "https://ci.example.com/8123".into(),
                since: jiff::Timestamp::UNIX_EPOCH,
            }),
            epoch: 41,
            silent: Duration::from_secs(3),
        },
        store(BlobErrorKind::Unavailable),
        store(BlobErrorKind::Denied),
        store(BlobErrorKind::NoBucket),
        store(BlobErrorKind::Elsewhere),
        SharedError::OtherEpoch { found: 7 },
        SharedError::Damaged {
            object: "head".into(),
            reason: "it is empty",
        },
        SharedError::RolledBack { found: 1, known: 2 },
        SharedError::Newer { found: 2 },
        SharedError::OtherAccount {
            found: "another account".into(),
        },
        SharedError::Moved {
            to: "s3://new/place".into(),
        },
        SharedError::Unsafe {
            what: "a second create",
        },
    ];
    let shared = shared.map(RecordError::from);
    local
        .into_iter()
        .chain(shared)
        .map(|error| Box::new(error) as Box<dyn Error>)
        .collect()
}

fn untrusted(reason: &str, unknown_issuer: bool) -> ApiError {
    ApiError::Untrusted {
        url: "https://api.example.com".to_owned(),
        reason: reason.to_owned(),
        unknown_issuer,
    }
}

fn others() -> Vec<Box<dyn Error>> {
    vec![
        Box::new(DiscoverError::Both {
            folder: PathBuf::from("."),
        }),
        Box::new(NoPlan::Form),
        Box::new(NoPlan::Version),
        Box::new(OpenError::OtherKey),
        Box::new(OpenError::OtherVersion("9.0.0".into())),
        Box::new(OpenError::Changed),
        Box::new(TooShort),
        Box::new(GatherError::HostNotAllowed {
            origin: "https://example.com".into(),
        }),
        Box::new(GatherError::TooManyNames {
            program: "vault".into(),
        }),
        Box::new(untrusted("UnknownIssuer", true)),
        Box::new(untrusted("certificate expired", false)),
        Box::new(FsEventsError::OutOfWatches),
        Box::new(FsEventsError::OutOfWatchers),
    ]
}

#[test]
fn each_error_has_its_advice() {
    use std::fmt::Write as _;
    let mut table = String::new();
    let errors = [problems(), refusals(), records(), others()];
    for error in errors.into_iter().flatten() {
        writeln!(table, "error: {error}").unwrap();
        for hint in super::of(error.as_ref()) {
            writeln!(table, "  hint: {hint}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
