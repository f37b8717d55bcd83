//! The destinations and sources of the API key.

use super::*;

#[test]
fn the_key_comes_from_nothing_else_than_its_own_variables_without_consent() {
    let mut fixture = Fixture::declaring(BILLING);
    let file = fixture.own.path().join("credentials");
    fs::write(&file, API_KEY).unwrap();
    let link = fixture.repository.path("key");
    symlink(&file, link).unwrap();
    let absolute = format!("{{ file: '{}' }}", file.to_str().unwrap());
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SECRET", "INTERACTLY_OTHER"] {
        fixture.repository.set(name, API_KEY);
    }
    for source in [
        "{ env: AWS_SECRET_ACCESS_KEY }",
        "'${AWS_SECRET}'",
        "'${INTERACTLY_NONE:-${AWS_SECRET}}'",
        &absolute,
    ] {
        fixture.target(&format!("api_url: '{}', api_key: {source}", fixture.url()));
        let reported = fixture.is_refused();
        assert!(reported.contains("take the API key from"), "{reported}");
        assert!(reported.contains("hookctl.yaml:1:"), "{reported}");
        // The address of a flag is no consent to another key.
        fixture.refuses(&fixture.sync());
        fixture.consents();
        fixture.repository.run(&["sync", "--dry-run"]).code(0);
        fixture.repository.run(&["trust", "--revoke"]).code(0);
        fixture.account.requests();
    }
    // A link out of the repository is not followed at all.
    fixture.target(&format!(
        "api_url: '{}', api_key: {{ file: key }}",
        fixture.url()
    ));
    fixture
        .repository
        .run(&["sync"])
        .code(1)
        .complains("is outside");
    fixture.target(&format!(
        "api_url: '{}', api_key: {{ env: INTERACTLY_OTHER }}",
        fixture.url()
    ));
    fixture.repository.run(&["sync"]).code(0);
}

#[test]
fn no_way_round_leads_from_a_key_to_a_token() {
    let mut fixture = Fixture::declaring(BILLING);
    let own = |name: &str| fixture.own.path().join(name).to_str().unwrap().to_owned();
    let (key, hard) = (own("key"), own("hard"));
    fs::write(&key, format!("{API_KEY}\n")).unwrap();
    fs::hard_link(&key, &hard).unwrap();
    fixture
        .repository
        .set("INTERACTLY_API_KEY", "s3cr3t-unused");
    fixture.repository.set("COPY", API_KEY);
    fixture.repository.set("WITHIN", &format!("x-{API_KEY}"));
    fixture
        .repository
        .set("HOOKCTL_OTHER_KEY", "s3cr3t-of-another");
    fixture.repository.set("HOOKCTL_TRUST", "1");
    let in_file = format!("{{ file: '{key}' }}");
    let by_program = "{ command: [printenv, COPY] }".to_owned();
    let of_file = format!("{{ file: '{hard}' }}");
    for (from, token) in [
        (&in_file, of_file.as_str()),
        (&in_file, "{ env: COPY }"),
        (&in_file, "{ env: WITHIN }"),
        (&in_file, "'${NONE:-${COPY}}'"),
        (&in_file, "{ env: HOOKCTL_OTHER_KEY }"),
        (&in_file, "{ command: [printenv, WITHIN] }"),
        // What a program says is known of both only when the session begins.
        (&by_program, "{ command: [printenv, WITHIN] }"),
        (&by_program, "{ env: COPY }"),
        (&by_program, of_file.as_str()),
    ] {
        fixture.target(&format!("api_url: '{}', api_key: {from}", fixture.url()));
        let declared = format!("{BILLING}    bearer_token: {token}\n");
        fixture.repository.declare(&declared);
        let run = fixture.sync().code(1);
        assert!(
            run.stdout.contains("key-as-token"),
            "{token}: {}",
            run.stdout
        );
        fixture.repository.run(&["sync", "--dry-run"]).code(1);
        assert_eq!(fixture.account.requests(), [""; 0], "{token}");
    }
    let other = "{ command: [printf, s3cr%st-token, \"3\"] }";
    fixture
        .repository
        .declare(&format!("{BILLING}    bearer_token: {other}\n"));
    fixture.sync().code(0);
}

#[test]
fn a_key_of_fingerprints_is_long_and_comes_from_no_other_variable_without_consent() {
    let mut fixture = Fixture::declaring(BILLING);
    fixture
        .repository
        .set("GITHUB_REPOSITORY", "an-owner/a-repository");
    for name in ["GITHUB_REPOSITORY", "HOOKCTL_API_URL", "HOOKCTL_VAR_MY_KEY"] {
        let url = fixture.url();
        fixture.target(&format!(
            "api_url: '{url}', fingerprint_key: {{ env: {name} }}"
        ));
        let reported = fixture.is_refused();
        let expected = format!("take the fingerprint key from the variable {name}");
        assert!(reported.contains(&expected), "{reported}");
    }
    let url = fixture.url();
    fixture.target(&format!(
        "api_url: '{url}', fingerprint_key: {{ env: HOOKCTL_RECORD_KEY }}"
    ));
    fixture
        .repository
        .set("HOOKCTL_RECORD_KEY", "s3cr3t-key-of-15");
    fixture.repository.run(&["sync"]).code(0);
    fixture.account.requests();
    fixture
        .repository
        .set("HOOKCTL_RECORD_KEY", "s3cr3t-key-o-15");
    fixture
        .repository
        .run(&["sync"])
        .code(1)
        .complains("fewer than 16 characters");
    assert_eq!(fixture.account.requests(), [""; 0]);
}

/// A proxy that records whether it is used.
struct Proxy(TcpListener);

impl Proxy {
    fn set_for(repository: &mut Repository) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
            repository.set(name, &address);
        }
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn was_asked(&self) -> bool {
        self.0.accept().is_ok()
    }
}

#[test]
fn the_key_goes_to_no_other_host_without_consent() {
    let mut fixture = Fixture::declaring(BILLING);
    let proxy = Proxy::set_for(&mut fixture.repository);
    for url in [
        "https://api.example.com",
        "https://evil-interactly.ai",
        "https://interactly.ai.evil.com",
        "https://api.interactlу.ai",
        "https://api-prod.interactly.ai.",
        "http://api-prod.interactly.ai",
        "http://api.localhost",
        "http://[::ffff:127.0.0.1]:1",
    ] {
        fixture.target(&format!(
            "api_url: '{url}', api_key: {{ env: INTERACTLY_API_KEY }}"
        ));
        let reported = fixture.is_refused();
        assert!(
            reported.contains("send the API key from the variable INTERACTLY_API_KEY"),
            "{reported}"
        );
        for command in ["status", "events"] {
            fixture.refuses(&fixture.repository.run(&[command, "--output", "json"]));
        }
        assert!(!proxy.was_asked(), "{url}");
    }
    fixture.target("api_url: 'https://api.example.com'");
    fixture.is_refused();
    fixture.repository.set("HOOKCTL_TRUST", "1");
    let mut child = fixture
        .repository
        .command(&["sync"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut patience = 6_000;
    while !proxy.was_asked() && patience > 0 {
        std::thread::sleep(Duration::from_millis(5));
        patience -= 1;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(patience > 0, "with consent it is asked");
}

#[test]
fn a_job_may_allow_some_hosts_and_no_other() {
    let mut fixture = Fixture::declaring(BILLING);
    let shell = "command: [sh, -c, 'echo >> \"$MARKER\"; printf x']";
    fixture.target(&format!(
        "api_url: '{}', api_key: {{ {shell} }}",
        fixture.url()
    ));
    fixture.repository.set("HOOKCTL_TRUST", "1");
    fixture
        .repository
        .set("HOOKCTL_ALLOWED_HOSTS", "*.interactly.ai,api.example.com");
    let url = fixture.url();
    for arguments in [
        &["sync", "--output", "json"][..],
        &["--api-url", &url, "sync", "--output", "json"],
        &[
            "--api-url",
            "https://api.example.com.evil.com",
            "sync",
            "--output",
            "json",
        ],
        &["--api-url", &url, "events", "--output", "json"],
    ] {
        let run = fixture.repository.run(arguments).code(1);
        assert!(run.stdout.contains("host-not-allowed"), "{}", run.stdout);
        assert_eq!((fixture.runs(), fixture.account.requests().len()), (0, 0));
    }
    fixture.repository.run(&["sync", "--sandbox"]).code(0);
    fixture
        .repository
        .run(&["explain", "host-not-allowed"])
        .code(0);
    fixture.repository.set("HOOKCTL_ALLOWED_HOSTS", "127.0.0.1");
    fixture.target(&format!("api_url: '{url}'"));
    fixture.repository.run(&["sync"]).code(0);
    fixture.account.requests();
    // What is not understood allows nothing, rather than everything.
    for wrong in [",", "*", "http://127.0.0.1"] {
        fixture.repository.set("HOOKCTL_ALLOWED_HOSTS", wrong);
        fixture.repository.run(&["sync"]).code(64);
    }
    assert_eq!(fixture.account.requests(), [""; 0]);
}
