//! Consent is given by a CI job or the user at a terminal, never by a file.

use super::*;
use crate::documents::{conforms, validator};

#[test]
fn no_file_consents_to_itself() {
    let mut fixture = Fixture::with_token("{ command: [./token.sh] }");
    fixture.repository.write(".env", "HOOKCTL_TRUST=1\n");
    fixture
        .repository
        .write(".envrc", "export HOOKCTL_TRUST=1\n");
    fixture.refuses(&fixture.sync());
    for name in ["HOOKCTL_VAR_HOOKCTL_TRUST", "hookctl_trust"] {
        fixture.repository.set(name, "1");
    }
    fixture.target("vars: { HOOKCTL_TRUST: 1 }");
    fixture.refuses(&fixture.sync());
    for key in ["trust", "HOOKCTL_TRUST", "env"] {
        fixture
            .repository
            .write("hookctl.yaml", &format!("{key}: 1\n"));
        let run = fixture.sync().code(1);
        assert!(run.stdout.contains("unknown-field"), "{}", run.stdout);
    }
    fs::remove_file(fixture.repository.path("hookctl.yaml")).unwrap();
    assert_eq!((fixture.runs(), fixture.account.requests().len()), (0, 0));

    // What is stored in the repository is no consent either.
    fixture.consents();
    let folder = fixture.repository.path("state/hookctl/trust");
    fs::create_dir_all(&folder).unwrap();
    for path in fixture.stored() {
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let inside = fixture.repository.path("state");
    fixture
        .repository
        .set("XDG_STATE_HOME", inside.to_str().unwrap());
    fixture.refuses(&fixture.sync());
    fixture
        .repository
        .run(&["trust", "--yes"])
        .code(1)
        .complains("is in the repository");
    let link = fixture.own.path().join("link");
    symlink(&inside, &link).unwrap();
    fixture
        .repository
        .set("XDG_STATE_HOME", link.to_str().unwrap());
    fixture.refuses(&fixture.sync());
}

#[test]
fn a_job_consents_to_everything_or_to_exactly_what_it_names() {
    let mut fixture = Fixture::with_token("{ command: [./token.sh] }");
    fixture.target(&format!(
        "api_url: '{}', api_key: {{ env: OTHER_KEY }}",
        fixture.url()
    ));
    fixture.repository.set("OTHER_KEY", API_KEY);
    let shown = fixture
        .repository
        .run(&["trust", "--output", "json"])
        .code(1)
        .json();
    let schema = validator("trust-v1.schema.json");
    conforms(&schema, &shown);
    let digest = shown["digest"].as_str().unwrap().to_owned();
    let kinds: Vec<_> = shown["grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| {
            (
                grant["kind"].as_str().unwrap(),
                grant["stored"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(kinds, [("variable", false), ("program", false)]);
    assert!(
        fixture
            .is_refused()
            .contains(&format!("HOOKCTL_TRUST={digest}"))
    );
    assert_eq!(fixture.stored().len(), 0);

    let other = "0".repeat(64);
    fixture.repository.set("HOOKCTL_TRUST", &other);
    assert!(
        fixture
            .is_refused()
            .contains("HOOKCTL_TRUST does not cover")
    );
    for wrong in ["yes", "true", "0", &digest[1..], &format!("1,{digest}")] {
        fixture.repository.set("HOOKCTL_TRUST", wrong);
        fixture
            .repository
            .run(&["sync"])
            .code(64)
            .complains("HOOKCTL_TRUST must be 1, or digests");
    }
    assert_eq!((fixture.runs(), fixture.account.requests().len()), (0, 0));
    for covering in [&digest, &format!("{other}, {digest}")] {
        fixture.repository.set("HOOKCTL_TRUST", covering);
        fixture
            .repository
            .run(&["sync", "--output", "json"])
            .code(0);
        // A part of what there is consent to has it too.
        fixture.repository.run(&["events"]).code(0);
    }
    assert_eq!(fixture.runs(), 2);
    fixture.forgets_the_runs();
    fixture.account.requests();

    // Exactly that: what was stored besides does not widen it.
    fixture.repository.unset("HOOKCTL_TRUST");
    fixture.script(
        "webhooks.d/token.sh",
        "#!/bin/sh\necho >> \"$MARKER\"; printf s3cr3t-x",
    );
    fixture.consents();
    fixture.repository.set("HOOKCTL_TRUST", &digest);
    fixture.is_refused();
    fixture.repository.set("HOOKCTL_TRUST", "");
    fixture.repository.run(&["sync"]).code(0);
}

#[test]
fn consent_is_stored_for_its_owner_alone_and_can_be_listed_and_revoked() {
    let mut fixture = Fixture::with_token("{ command: [./token.sh] }");
    let run = fixture.repository.run(&["trust"]).code(1);
    run.shows("token.sh").complains("--yes");
    assert_eq!(fixture.stored().len(), 0);
    fixture
        .repository
        .run(&["trust", "--list"])
        .code(0)
        .shows("No consent is stored");
    fixture.consents();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let [file] = &fixture.stored()[..] else {
        panic!("{:?}", fixture.stored());
    };
    assert_eq!(mode(file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    let stored: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for (field, part) in [
        ("what", "token.sh"),
        ("place", "webhooks.d/all.yaml:6:"),
        ("when", "T"),
        ("checkout", "/"),
    ] {
        assert!(stored[field].as_str().unwrap().contains(part), "{stored}");
    }
    fixture
        .repository
        .run(&["trust"])
        .code(0)
        .shows("consent is stored");
    fixture
        .repository
        .run(&["trust", "--list"])
        .code(0)
        .shows("token.sh");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = fixture
        .repository
        .command(&["trust", "--list", "--output", "json"]);
    let run = Run::of(command.current_dir(elsewhere.path()).output().unwrap()).code(0);
    conforms(&validator("trust-v1.schema.json"), &run.json());
    assert_eq!(run.json()["here"], serde_json::json!([]));
    assert_eq!(run.json()["elsewhere"].as_array().unwrap().len(), 1);

    // A user who can write there could consent.
    let folder = file.parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o722)).unwrap();
    fixture.refuses(&fixture.sync());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();

    // So could a user who can replace the folder; a folder such as /tmp keeps your own files.
    let state = folder.parent().unwrap().parent().unwrap().to_owned();
    for (mode, refuses) in [(0o777, true), (0o1777, false), (0o775, false)] {
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        if refuses {
            fixture.refuses(&fixture.sync());
        } else {
            let shown = fixture.repository.run(&["trust"]).code(0);
            shown.shows("consent is stored");
        }
    }
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();

    let mut command = fixture.repository.command(&["trust", "--revoke"]);
    let run = Run::of(command.current_dir(elsewhere.path()).output().unwrap());
    run.code(0).shows("Revoked 0");
    fixture
        .repository
        .run(&["trust", "--revoke"])
        .code(0)
        .shows("Revoked 1");
    fixture.refuses(&fixture.sync());

    fixture.repository.unset("XDG_STATE_HOME");
    let run = fixture
        .repository
        .command(&["trust", "--yes"])
        .env_remove("HOME")
        .output();
    Run::of(run.unwrap())
        .code(1)
        .complains("neither XDG_STATE_HOME nor HOME is set");
}

#[test]
fn a_watch_never_asks_and_runs_nothing_that_changed() {
    let fixture = Fixture::with_token("{ command: [./token.sh] }");
    let url = fixture.url();
    let arguments = ["--api-url", &url, "watch"];
    fixture
        .repository
        .run(&arguments)
        .code(1)
        .complains("no consent to");
    assert_eq!((fixture.runs(), fixture.account.requests().len()), (0, 0));

    fixture.consents();
    let mut command = fixture.repository.command(&arguments);
    let mut watch = command.stderr(Stdio::piped()).spawn().unwrap();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let mut patience = 8_000;
        while !holds() {
            std::thread::sleep(Duration::from_millis(5));
            patience -= 1;
            assert!(patience > 0, "{what}");
        }
    };
    until("the first pass", &|| !fixture.account.names().is_empty());
    let runs = fixture.runs();
    fixture.script("webhooks.d/token.sh", &SCRIPT.replace("program", "evil"));
    fixture.repository.declare(&format!(
        "{BILLING}    timeout_seconds: 20\n    bearer_token: {{ command: [./token.sh] }}\n"
    ));
    let mut log = String::new();
    let mut stderr = watch.stderr.take().unwrap();
    let mut part = [0; 4_096];
    while !log.contains("untrusted") {
        let length = stderr.read(&mut part).unwrap();
        assert!(length > 0, "{log}");
        log += std::str::from_utf8(&part[..length]).unwrap();
    }
    assert_eq!(fixture.runs(), runs, "{log}");
    fixture.consents();
    let hangup = std::process::Command::new("kill")
        .args(["-HUP", &watch.id().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    let timeout = || fixture.account.sandbox.webhooks()[0].timeout_seconds;
    until("consent", &|| timeout() == 20);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_person_is_asked_and_no_is_the_answer_of_a_mere_enter() {
    let fixture = Fixture::with_token("{ command: [./token.sh] }");
    let url = fixture.url();
    let asked = |answer: &str| {
        let command = fixture
            .repository
            .command(&["--api-url", &url, "sync", "--yes"]);
        let mut terminal = Terminal::start(command);
        terminal.shows("token.sh");
        terminal.shows("all.yaml:6:");
        terminal.shows("[N]o: ");
        fixture.account.got_only_lists();
        terminal.writes(answer);
        terminal.end().0
    };
    for no in ["", "n", "y", "x"] {
        assert_eq!((asked(no), fixture.runs()), (5, 0), "{no}");
    }
    assert_eq!((asked("o"), fixture.runs()), (0, 1));
    assert_eq!(fixture.stored().len(), 0, "once is once");
    fixture.account.requests();
    assert_eq!((asked("a"), fixture.runs()), (0, 2));
    assert_eq!(fixture.stored().len(), 1);
    let command = fixture.repository.command(&["--api-url", &url, "sync"]);
    assert_eq!(Terminal::start(command).end().0, 0);

    fixture.repository.run(&["trust", "--revoke"]).code(0);
    fixture.forgets_the_runs();
    for arguments in [
        &["--api-url", &url, "sync", "--output", "json"][..],
        &["--api-url", &url, "--log-format", "json", "sync"],
        &["--api-url", &url, "watch"],
    ] {
        let (code, shown) = Terminal::start(fixture.repository.command(arguments)).end();
        assert_eq!(code, 1, "{shown}");
        assert!(!shown.contains("[N]o"), "{shown}");
    }
    let mut terminal = Terminal::start(fixture.repository.command(&["trust"]));
    terminal.shows("[y/N] ");
    terminal.writes("");
    assert_eq!(terminal.end().0, 5);
    let mut terminal = Terminal::start(fixture.repository.command(&["trust"]));
    terminal.shows("[y/N] ");
    terminal.writes("y");
    assert_eq!(
        (terminal.end().0, fixture.stored().len(), fixture.runs()),
        (0, 1, 0)
    );
}

#[test]
fn what_changes_while_a_person_is_asked_does_not_run() {
    let fixture = Fixture::with_token("{ command: [./token.sh] }");
    let url = fixture.url();
    let mut terminal = Terminal::start(fixture.repository.command(&["--api-url", &url, "sync"]));
    terminal.shows("[N]o: ");
    fixture.script("webhooks.d/token.sh", &SCRIPT.replace("program", "evil"));
    terminal.writes("o");
    let (code, shown) = terminal.end();
    assert_eq!((code, fixture.runs()), (1, 0), "{shown}");
    assert!(shown.contains("changed during the prompt"), "{shown}");
}
