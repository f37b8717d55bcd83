//! How calls fail.

use std::time::{Duration, Instant};

use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::record::RecordUrl;
use hookctl_objects::{Credentials, ObjectBlobs, ObjectOptions};
use hookctl_record::shared::{Blob, BlobErrorKind, Blobs as _, Written};
use hookctl_testing::s3::{Fault, S3Options, S3Stub};

use super::{INTERFACES, Interface, SHORT, created, failed, key};

#[tokio::test]
async fn a_lost_response_is_an_error_and_is_not_retried() {
    for interface in INTERFACES {
        for fault in [
            Fault::CutAfterWrite,
            Fault::RefuseAfterWrite,
            Fault::HangAfterWrite,
        ] {
            let stub = S3Stub::start();
            let blobs = interface.hasty(&stub);
            stub.set_fault_once(fault);
            let (kind, text) = failed(blobs.create("head", "1".into()).await);
            assert_eq!(kind, BlobErrorKind::Unavailable, "{fault:?}: {text}");
            assert_eq!(stub.requests().len(), 1, "{fault:?}");
            assert_eq!(stub.objects()[&key("head")], b"1");
            let Blob::Found { version, .. } = blobs.read("head", None).await.unwrap() else {
                panic!("{fault:?}");
            };
            stub.forget_requests();
            stub.set_fault_once(fault);
            let (kind, _) = failed(blobs.swap("head", "2".into(), &version).await);
            assert_eq!(kind, BlobErrorKind::Unavailable, "{fault:?}");
            assert_eq!(stub.requests().len(), 1, "{fault:?}");
            assert_eq!(stub.objects()[&key("head")], b"2");
        }
    }
}

#[tokio::test]
async fn a_call_ends_in_time_whatever_the_store_does() {
    for interface in INTERFACES {
        for fault in [Fault::Hang, Fault::Delay(Duration::from_mins(1))] {
            let stub = S3Stub::start();
            let blobs = interface.hasty(&stub);
            let version = created(&blobs, "head", "1").await;
            stub.set_fault(Some(fault));
            let started = Instant::now();
            let results = [
                failed(blobs.create("log/1", "1".into()).await),
                failed(blobs.swap("head", "1".into(), &version).await),
                failed(blobs.read("head", None).await),
                failed(blobs.list_after("log/", "").await),
            ];
            let passed = started.elapsed();
            assert!(passed >= SHORT * 4 && passed < SHORT * 8, "{passed:?}");
            for (kind, text) in results {
                assert_eq!(kind, BlobErrorKind::Unavailable);
                assert!(text.ends_with("timed out"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_is_down_or_busy_is_unavailable() {
    for interface in INTERFACES {
        let stub = S3Stub::start();
        let blobs = interface.blobs(&stub);
        stub.set_fault(Some(Fault::Refuse));
        let (kind, text) = failed(blobs.read("head", None).await);
        assert_eq!(kind, BlobErrorKind::Unavailable);
        let expected = "could not read head: 503 SlowDown: Please reduce your request rate.";
        assert_eq!(text, expected);
        assert_eq!(stub.requests().len(), 1);
        drop(stub);
        let (kind, text) = failed(blobs.read("head", None).await);
        assert_eq!(kind, BlobErrorKind::Unavailable);
        assert!(text.starts_with("could not read head: "), "{text}");
        assert!(!text.contains("http"), "{text}");
    }
}

#[tokio::test]
async fn a_write_that_competes_with_another_is_refused() {
    let stub = S3Stub::start();
    let blobs = Interface::S3.blobs(&stub);
    stub.set_fault(Some(Fault::Conflict));
    let refused = blobs.create("log/1", "1".into()).await.unwrap();
    assert_eq!(refused, Written::Refused);
    assert!(stub.objects().is_empty());
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn credentials_that_do_not_suffice_are_no_missing_object() {
    for interface in INTERFACES {
        let stub = S3Stub::with(S3Options {
            access_key: "other-key".to_owned(),
            ..S3Options::default()
        });
        let mut options = interface.options(&stub);
        let Credentials::Chain(variables) = &mut options.credentials else {
            panic!("a chain");
        };
        for (name, value) in variables {
            if matches!(&**name, "AWS_ACCESS_KEY_ID" | "GOOGLE_BEARER_TOKEN") {
                "wrong-key-1".clone_into(value);
            }
        }
        let blobs = ObjectBlobs::new(&options).unwrap();
        for (kind, text) in [
            failed(blobs.read("head", None).await),
            failed(blobs.create("head", "1".into()).await),
            failed(blobs.list_after("log/", "").await),
        ] {
            assert_eq!(kind, BlobErrorKind::Denied, "{text}");
            assert!(
                !text.contains("wrong-key-1") && !text.contains("stub-secret"),
                "{text}"
            );
        }
    }
    let stub = S3Stub::start();
    let blobs = Interface::S3.blobs(&stub);
    created(&blobs, "head", "1").await;
    stub.set_fault(Some(Fault::ReadOnly));
    assert!(blobs.read("head", None).await.is_ok());
    let (kind, text) = failed(blobs.create("log/1", "1".into()).await);
    assert_eq!(kind, BlobErrorKind::Denied);
    assert_eq!(
        text,
        "could not write log/1: 403 AccessDenied: Access Denied"
    );
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_object() {
    for interface in INTERFACES {
        let stub = S3Stub::with(S3Options {
            bucket: "another".to_owned(),
            ..S3Options::default()
        });
        let blobs = interface.blobs(&stub);
        let version = hookctl_record::shared::Version {
            e_tag: Some("\"1\"".to_owned()),
            version: Some("1".to_owned()),
        };
        for (kind, text) in [
            failed(blobs.read("head", None).await),
            failed(blobs.create("head", "1".into()).await),
            failed(blobs.swap("head", "1".into(), &version).await),
            failed(blobs.list_after("log/", "").await),
        ] {
            assert_eq!(kind, BlobErrorKind::NoBucket, "{text}");
            assert!(text.ends_with("://bucket does not exist"), "{text}");
        }
    }
}

#[tokio::test]
async fn an_object_that_no_record_has_is_not_read() {
    let stub = S3Stub::start();
    let blobs = Interface::S3.blobs(&stub);
    stub.damage(&key("head"), Some(vec![b' '; 16 * 1024 * 1024]));
    assert!(blobs.read("head", None).await.is_ok());
    stub.damage(&key("head"), Some(vec![b' '; 16 * 1024 * 1024 + 1]));
    let (kind, text) = failed(blobs.read("head", None).await);
    assert_eq!(kind, BlobErrorKind::TooLarge);
    assert_eq!(text, "could not read head: a response exceeds 16 MiB");
}

#[tokio::test]
async fn credentials_of_a_program_are_used_and_renewed() {
    let output = |id: &str| {
        format!(
            "{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\"}}"
        )
    };
    let stub = S3Stub::start();
    let options = ObjectOptions {
        endpoint: Some(ApiBaseUrl::parse(&stub.url()).unwrap()),
        credentials: Credentials::Program(output("expired-key").into()),
        ..Interface::S3.options(&stub)
    };
    let blobs = ObjectBlobs::new(&options).unwrap();
    let (kind, _) = failed(blobs.read("head", None).await);
    assert_eq!(kind, BlobErrorKind::Denied);
    assert!(blobs.renew("not credentials").is_err());
    blobs.clone().renew(&output("stub-key")).unwrap();
    assert_eq!(blobs.read("head", None).await.unwrap(), Blob::Missing);
    assert_eq!(blobs.expires(), None);

    let options = ObjectOptions {
        credentials: Credentials::Program("{\"accessToken\":\"stub-key\"}\n".to_owned().into()),
        ..Interface::Google.options(&stub)
    };
    let blobs = ObjectBlobs::new(&options).unwrap();
    assert_eq!(blobs.read("head", None).await.unwrap(), Blob::Missing);
}

#[test]
fn an_endpoint_elsewhere_must_use_tls_and_settings_must_suit_the_store() {
    let new = |url: &str, change: &dyn Fn(&mut ObjectOptions)| {
        let url = RecordUrl::parse(url).unwrap();
        let mut options = ObjectOptions::new(url, "v1/x".to_owned(), Vec::new());
        change(&mut options);
        ObjectBlobs::new(&options)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let plain = |options: &mut ObjectOptions| {
        options.endpoint = ApiBaseUrl::parse("http://minio.example:9000").ok();
    };
    let error = new("s3://b/x", &plain).unwrap_err();
    assert_eq!(
        error,
        "the endpoint http://minio.example:9000 must use https"
    );
    let kms = |options: &mut ObjectOptions| options.kms_key = Some("k".to_owned());
    assert!(new("gs://b/x", &kms).unwrap_err().contains("kms_key"));
    let region = |options: &mut ObjectOptions| options.region = Some("k".to_owned());
    assert!(new("az://a/c/x", &region).unwrap_err().contains("region"));
    let folder = |options: &mut ObjectOptions| options.folder = "v1//x".to_owned();
    assert!(new("s3://b/x", &folder).is_err());
}
