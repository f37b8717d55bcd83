//! Credentials from the service of a machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use hookctl_core::record::RecordUrl;
use hookctl_objects::{Credentials, ObjectBlobs, ObjectOptions};
use hookctl_record::shared::{Blob, BlobErrorKind, Blobs as _};
use hookctl_testing::s3::S3Stub;

use super::{Interface, failed};

/// A service for credentials. It runs until the process ends.
struct Service {
    authority: String,
    /// The heads of the requests, in lower case.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Starts a service that answers by the path of the request.
    fn start(answer: fn(&str) -> (u16, &'static str)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let recorded = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                let path = lines.first().unwrap().split(' ').nth(1).unwrap().to_owned();
                recorded
                    .lock()
                    .unwrap()
                    .push(lines.join("\n").to_lowercase());
                let (status, body) = answer(&path);
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        Self { authority, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Returns an authority that nothing listens at.
fn unused_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn blobs(options: ObjectOptions, variables: &[(&str, &str)]) -> ObjectBlobs {
    let variables = variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ObjectBlobs::new(&ObjectOptions {
        credentials: Credentials::Chain(variables.collect()),
        ..options
    })
    .unwrap()
}

#[tokio::test]
async fn a_token_of_google_is_fetched_once() {
    let stub = S3Stub::start();
    let options = Interface::Google.options(&stub);
    let service = Service::start(|_| (200, "{\"access_token\":\"stub-key\",\"expires_in\":3600}"));
    let blobs = blobs(options, &[("GCE_METADATA_HOST", &service.authority)]);
    for _ in 0..3 {
        assert_eq!(blobs.read("head", None).await.unwrap(), Blob::Missing);
    }
    let heads = service.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].contains("metadata-flavor: google"), "{heads:?}");
}

#[tokio::test]
async fn keys_of_aws_are_fetched_and_used() {
    let stub = S3Stub::start();
    let service = Service::start(|path| match path {
        "/latest/api/token" => (200, "imds-token"),
        "/latest/meta-data/iam/security-credentials/" => (200, "role"),
        "/latest/meta-data/iam/security-credentials/role" => (
            200,
            "{\"AccessKeyId\":\"stub-key\",\"SecretAccessKey\":\"secret-of-role\",\"Token\":\"token-of-role\",\"Expiration\":\"2999-01-01T00:00:00Z\"}",
        ),
        _ => (404, ""),
    });
    let endpoint = format!("http://{}", service.authority);
    let variables = [
        ("AWS_ENDPOINT_URL_S3", &*stub.url()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
    ];
    let blobs = blobs(Interface::S3.options(&stub), &variables);
    assert_eq!(blobs.read("head", None).await.unwrap(), Blob::Missing);
    assert_eq!(service.heads().len(), 3);
}

#[tokio::test]
async fn a_service_without_credentials_is_no_missing_object() {
    let stub = S3Stub::start();
    for answer in [
        (|_| (404, "")) as fn(&str) -> (u16, &'static str),
        |_| (304, ""),
        |_| (412, ""),
    ] {
        let service = Service::start(answer);
        let endpoint = format!("http://{}", service.authority);
        let aws = [
            ("AWS_ENDPOINT_URL_S3", &*stub.url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
        ];
        let google = [("GCE_METADATA_HOST", &*service.authority)];
        for blobs in [
            blobs(Interface::S3.options(&stub), &aws),
            blobs(Interface::Google.options(&stub), &google),
        ] {
            let (kind, text) = failed(blobs.read("head", None).await);
            assert_eq!(kind, BlobErrorKind::Denied, "{text}");
            let (kind, text) = failed(blobs.create("head", "1".into()).await);
            assert_eq!(kind, BlobErrorKind::Denied, "{text}");
        }
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn a_machine_without_a_service_has_no_credentials() {
    let stub = S3Stub::start();
    let authority = unused_address();
    let endpoint = format!("http://{authority}");
    let aws = [
        ("AWS_ENDPOINT_URL_S3", &*stub.url()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
    ];
    let google = [("GCE_METADATA_HOST", &*authority)];
    for blobs in [
        blobs(Interface::S3.options(&stub), &aws),
        blobs(Interface::Google.options(&stub), &google),
    ] {
        let (kind, text) = failed(blobs.read("head", None).await);
        assert_eq!(kind, BlobErrorKind::Denied, "{text}");
        let expected = "could not read head: no credentials were found, and this machine has no metadata service";
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn an_app_of_azure_proves_itself_with_the_given_header_alone() {
    let service = Service::start(|_| (400, "{\"error\":\"invalid_resource\"}"));
    let url = RecordUrl::parse("az://account/container/hookctl").unwrap();
    let endpoint = format!("http://{}/msi/token", service.authority);
    for header in ["", "proof-of-app"] {
        let options = ObjectOptions::new(url.clone(), "v1/x".to_owned(), Vec::new());
        let variables = [
            ("IDENTITY_ENDPOINT", &*endpoint),
            ("IDENTITY_HEADER", header),
        ];
        let blobs = blobs(options, &variables);
        let (kind, text) = failed(blobs.read("head", None).await);
        assert_eq!(kind, BlobErrorKind::Denied);
        assert_eq!(text, "could not read head: 400 invalid_resource");
        let heads = service.heads();
        let head = heads.last().unwrap();
        assert_eq!(
            head.contains("x-identity-header: proof-of-app"),
            !header.is_empty()
        );
    }
}
