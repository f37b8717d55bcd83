//! What each call means.

use hookctl_record::shared::{Blob, Blobs as _, Version, Written};
use hookctl_testing::s3::{S3Options, S3Stub};

use super::{INTERFACES, created, key};

#[tokio::test]
async fn only_one_create_wins_and_only_the_current_version_is_replaced() {
    for interface in INTERFACES {
        let stub = S3Stub::start();
        let blobs = interface.blobs(&stub);
        let first = created(&blobs, "head", "1").await;
        assert!(first.e_tag.is_some());
        let again = blobs.create("head", "2".into()).await.unwrap();
        assert_eq!(again, Written::Refused);
        let swapped = blobs.swap("head", "3".into(), &first).await.unwrap();
        let Written::Done(second) = swapped else {
            panic!("{swapped:?}");
        };
        assert_ne!(first, second);
        let late = blobs.swap("head", "4".into(), &first).await.unwrap();
        assert_eq!(late, Written::Refused);
        let missing = blobs.swap("other", "5".into(), &first).await.unwrap();
        assert_eq!(missing, Written::Refused);
        assert_eq!(stub.objects()[&key("head")], b"3");
        assert_eq!(stub.requests().len(), 5, "one attempt for each call");
    }
}

#[tokio::test]
async fn an_unchanged_object_is_not_sent_again() {
    for interface in INTERFACES {
        let stub = S3Stub::start();
        let blobs = interface.blobs(&stub);
        assert_eq!(blobs.read("head", None).await.unwrap(), Blob::Missing);
        let version = created(&blobs, "head", "1").await;
        let unchanged = blobs.read("head", Some(&version)).await.unwrap();
        assert_eq!(unchanged, Blob::Unchanged);
        assert_eq!(stub.requests().last().unwrap().status, Some(304));
        let found = Blob::Found {
            content: b"1".to_vec(),
            version: version.clone(),
        };
        assert_eq!(blobs.read("head", None).await.unwrap(), found);
        stub.damage(&key("head"), Some(b"2".to_vec()));
        let changed = blobs.read("head", Some(&version)).await.unwrap();
        assert!(matches!(changed, Blob::Found { content, .. } if content == b"2"));
        stub.damage(&key("head"), None);
        let gone = blobs.read("head", Some(&version)).await.unwrap();
        assert_eq!(gone, Blob::Missing);
        // A version of a store that names only generations is no reason to read nothing.
        let other = Version {
            e_tag: None,
            version: Some("1".to_owned()),
        };
        assert_eq!(
            blobs.read("head", Some(&other)).await.unwrap(),
            Blob::Missing
        );
    }
}

#[tokio::test]
async fn a_list_has_the_names_after_another_over_all_its_pages() {
    for interface in INTERFACES {
        let stub = S3Stub::with(S3Options {
            page_size: 2,
            ..S3Options::default()
        });
        let blobs = interface.blobs(&stub);
        for number in 0..7 {
            created(&blobs, &format!("log/{number:020}"), "x").await;
        }
        for other in ["head", "base/1", "log-2/1"] {
            created(&blobs, other, "x").await;
        }
        stub.damage("hookctl/v1/qa-000000000/log/9", Some(Vec::new()));
        stub.forget_requests();
        let after = format!("log/{:020}", 1);
        let names = blobs.list_after("log/", &after).await.unwrap();
        let expected: Vec<_> = (2..7).map(|number| format!("log/{number:020}")).collect();
        assert_eq!(names, expected);
        let requests = stub.requests();
        assert_eq!(requests.len(), 3, "five names in pages of two");
        assert!(requests[0].key.contains("start-after="), "{requests:?}");
        assert_eq!(blobs.list_after("log/", "").await.unwrap().len(), 7);
        assert_eq!(blobs.list_after("late/", "").await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_write_without_a_condition_would_be_refused_by_this_store() {
    let stub = S3Stub::start();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (authorization, condition, status) in [
        ("Bearer stub-key", None, 400),
        ("Bearer stub-key", Some(("if-match", "x")), 400),
        (
            "Bearer stub-key",
            Some(("x-goog-if-generation-match", "0")),
            200,
        ),
        (
            "AWS4-HMAC-SHA256 Credential=stub-key/x, Signature=x",
            None,
            400,
        ),
        (
            "AWS4-HMAC-SHA256 Credential=stub-key/x, Signature=x",
            Some(("x-goog-if-generation-match", "0")),
            400,
        ),
        (
            "AWS4-HMAC-SHA256 Credential=stub-key/x, Signature=x",
            Some(("if-none-match", "*")),
            412,
        ),
        (
            "Bearer other",
            Some(("x-goog-if-generation-match", "0")),
            401,
        ),
    ] {
        let mut request = client.put(format!("{}/bucket/x", stub.url()));
        request = request.header("authorization", authorization);
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        let response = request.body("x").send().await.unwrap();
        assert_eq!(
            response.status().as_u16(),
            status,
            "{authorization} {condition:?}"
        );
    }
}
