//! The port over HTTP, on a strict store in memory, by the interface of S3 and by that of Google Cloud Storage.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod calls;
mod faults;
mod machines;
mod record;

use std::time::Duration;

use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::record::RecordUrl;
use hookctl_objects::{ObjectBlobs, ObjectOptions};
use hookctl_record::shared::{BlobErrorKind, Blobs, Version, Written};
use hookctl_testing::s3::S3Stub;

/// The time that a test gives to a call that the store does not answer.
const SHORT: Duration = Duration::from_millis(300);

/// The folder of the record.
const FOLDER: &str = "hookctl/v1/qa-00000000";

/// An interface of the store.
#[derive(Clone, Copy, Debug)]
enum Interface {
    S3,
    Google,
}

const INTERFACES: [Interface; 2] = [Interface::S3, Interface::Google];

impl Interface {
    fn options(self, stub: &S3Stub) -> ObjectOptions {
        let (url, variables) = match self {
            Self::S3 => ("s3://bucket/hookctl", stub.variables()),
            Self::Google => (
                "gs://bucket/hookctl",
                vec![("GOOGLE_BEARER_TOKEN".to_owned(), "stub-key".to_owned())],
            ),
        };
        let url = RecordUrl::parse(url).unwrap();
        ObjectOptions {
            endpoint: matches!(self, Self::Google).then(|| ApiBaseUrl::parse(&stub.url()).unwrap()),
            request_timeout: Duration::from_secs(20),
            ..ObjectOptions::new(url, "v1/qa-00000000".to_owned(), variables)
        }
    }

    fn blobs(self, stub: &S3Stub) -> ObjectBlobs {
        ObjectBlobs::new(&self.options(stub)).unwrap()
    }

    /// Gives up early.
    fn hasty(self, stub: &S3Stub) -> ObjectBlobs {
        let options = ObjectOptions {
            request_timeout: SHORT,
            ..self.options(stub)
        };
        ObjectBlobs::new(&options).unwrap()
    }
}

async fn created(blobs: &impl Blobs, name: &str, content: &str) -> Version {
    match blobs.create(name, content.into()).await.unwrap() {
        Written::Done(version) => version,
        Written::Refused => panic!("{name} exists"),
    }
}

fn key(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Returns the kind and the text of a failed call.
fn failed<T: std::fmt::Debug>(
    result: Result<T, hookctl_record::shared::BlobError>,
) -> (BlobErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind(), error.to_string())
}
