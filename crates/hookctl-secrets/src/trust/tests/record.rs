//! Grants of a shared record.

use super::*;
use hookctl_core::record::RecordUrl;

#[test]
fn a_record_elsewhere_needs_consent_unless_the_user_named_it() {
    let url = RecordUrl::parse("s3://acme/hooks").unwrap();
    let of = |endpoint: Option<&str>, url_is_given, hosts: Option<&str>| {
        let endpoint = endpoint.map(|endpoint| ApiBaseUrl::parse(endpoint).unwrap());
        let hosts = hosts.map(|hosts| AllowedHosts::parse(hosts).unwrap());
        let needs = Needs {
            record: Some(RecordNeeds {
                url: &url,
                url_is_given,
                endpoint: endpoint.as_ref(),
                region: Some("eu-central-1"),
                kms_key: None,
                credentials: None,
                place: None,
            }),
            hosts: hosts.as_ref(),
            ..Needs::default()
        };
        gather(&needs, &checkout(), None, &machine()).map(|authority| asked(&authority))
    };
    let reported = of(None, false, None).unwrap();
    assert_eq!(
        reported,
        ["keep the record in s3://acme/hooks in the region eu-central-1"]
    );
    assert_eq!(of(None, true, None).unwrap(), [""; 0]);
    // The address of the store comes from the file, even if the user named the record.
    let reported = of(Some("https://s3.example.com/x"), true, None).unwrap();
    assert_eq!(
        reported,
        ["keep the record in s3://acme/hooks at https://s3.example.com in the region eu-central-1"]
    );
    assert_eq!(
        of(Some("http://127.0.0.1:9000"), false, None).unwrap(),
        [""; 0]
    );
    let refused = of(
        Some("https://s3.example.com"),
        true,
        Some("api.example.com"),
    );
    assert!(matches!(refused, Err(GatherError::HostNotAllowed { .. })));
}

#[test]
fn the_program_of_the_records_credentials_needs_consent() {
    let url = RecordUrl::parse("s3://acme/hooks").unwrap();
    let source = command(&["op", "read", "x"]);
    let needs = Needs {
        record: Some(RecordNeeds {
            url: &url,
            url_is_given: true,
            endpoint: None,
            region: None,
            kms_key: None,
            credentials: Some(&source),
            place: None,
        }),
        ..Needs::default()
    };
    let authority = gather(&needs, &checkout(), Some("/usr/bin".as_ref()), &machine()).unwrap();
    assert_eq!(
        asked(&authority),
        ["run /usr/bin/op read x in /repo/webhooks.d for the credentials of the record"]
    );
}
