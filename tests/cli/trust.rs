//! What the files of a repository may do before anybody consented: no program runs, and nothing is sent.

#![cfg(unix)]

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{API_KEY, Account, BILLING, Repository, Run, codes};
use crate::terminal::Terminal;

/// A script that leaves a mark, and prints a token.
const SCRIPT: &str = "#!/bin/sh\necho >> \"$MARKER\"\nprintf s3cr''3t-program\n";

/// A repository, an account, and a user's own folder outside of both.
struct Scene {
    account: Account,
    repository: Repository,
    own: tempfile::TempDir,
}

impl Scene {
    /// The webhook's token comes from there.
    fn with_token(source: &str) -> Self {
        Self::declaring(&format!("{BILLING}    bearer_token: {source}\n"))
    }

    fn declaring(declarations: &str) -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut repository = Repository::with(declarations);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        repository.set("XDG_STATE_HOME", &text(&own.path().join("state")));
        repository.set("MARKER", &text(&own.path().join("ran")));
        let scene = Self {
            account: Account::new(),
            repository,
            own,
        };
        scene.script("webhooks.d/token.sh", SCRIPT);
        scene
    }

    /// The one target's keys, in hookctl.yaml.
    fn target(&self, keys: &str) {
        self.repository.write(
            "hookctl.yaml",
            &format!("targets: {{ qa: {{ {keys} }} }}\n"),
        );
    }

    fn script(&self, path: &str, text: &str) {
        self.repository.write(path, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.repository.path(path), mode).unwrap();
    }

    fn url(&self) -> String {
        self.account.sandbox.base_url()
    }

    /// How often a program ran.
    fn runs(&self) -> usize {
        let marks = fs::read_to_string(self.own.path().join("ran"));
        marks.map_or(0, |marks| marks.lines().count())
    }

    fn stored(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.own.path().join("state/hookctl/trust"));
        let entries = folder.into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn sync(&self) -> Run {
        self.repository.sync(&self.account, &["--output", "json"])
    }

    /// Expects that nothing ran and nothing was sent, for want of consent.
    #[track_caller]
    fn refuses(&self, run: &Run) {
        let document = run.json();
        let code = document.pointer("/error/code");
        let code = code.or_else(|| document.pointer("/diagnostics/0/code"));
        let code = code.and_then(Value::as_str);
        assert_eq!((run.status, code), (1, Some("untrusted")), "{}", run.stdout);
        assert_eq!(self.runs(), 0);
        assert_eq!(self.account.requests(), [""; 0]);
    }

    /// The same for what `hookctl sync` of the files does.
    #[track_caller]
    fn is_refused(&self) -> String {
        let run = self.repository.run(&["sync", "--output", "json"]);
        self.refuses(&run);
        run.stdout
    }

    fn consents(&self) {
        self.repository.run(&["trust", "--yes"]).code(0);
    }

    fn forgets_the_runs(&self) {
        let _ = fs::remove_file(self.own.path().join("ran"));
    }
}

#[test]
fn a_program_of_the_repository_runs_only_with_consent() {
    let scene = Scene::with_token("{ command: [./token.sh] }");
    let run = scene.sync();
    scene.refuses(&run);
    assert!(
        run.stdout.contains("webhooks.d/all.yaml:6:"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("HOOKCTL_TRUST="), "{}", run.stdout);
    scene
        .repository
        .sync(&scene.account, &[])
        .code(1)
        .complains("hookctl trust");

    scene.consents();
    assert_eq!(scene.runs(), 0, "to consent runs nothing");
    scene.sync().code(0);
    assert_eq!(scene.runs(), 1);
    let id = scene.account.id("Billing");
    assert_eq!(scene.account.sandbox.token(&id).unwrap(), "s3cr3t-program");
}

#[test]
fn consent_ends_with_any_change_of_what_runs() {
    type Change = fn(&Scene);
    let changes: [(&str, Change); 5] = [
        ("the script", |scene| {
            scene.script("webhooks.d/token.sh", &SCRIPT.replace("echo", "echo more"));
        }),
        ("the arguments", |scene| {
            let more = format!("{BILLING}    bearer_token: {{ command: [./token.sh, -v] }}\n");
            scene.repository.declare(&more);
        }),
        ("a link", |scene| {
            scene.script("other.sh", &SCRIPT.replace("program", "another"));
            let path = scene.repository.path("webhooks.d/token.sh");
            fs::remove_file(&path).unwrap();
            symlink("../other.sh", path).unwrap();
        }),
        ("a link out of the repository", |scene| {
            let path = scene.repository.path("webhooks.d/token.sh");
            fs::remove_file(&path).unwrap();
            symlink("/bin/sh", path).unwrap();
        }),
        ("the program", |scene| {
            scene.script("webhooks.d/other.sh", SCRIPT);
            let other = format!("{BILLING}    bearer_token: {{ command: [./other.sh] }}\n");
            scene.repository.declare(&other);
        }),
    ];
    for (what, change) in changes {
        let scene = Scene::with_token("{ command: [./token.sh] }");
        scene.consents();
        scene.sync().code(0);
        scene.forgets_the_runs();
        scene.account.requests();
        change(&scene);
        let run = scene.sync();
        assert!(run.stdout.contains("untrusted"), "{what}: {}", run.stdout);
        scene.refuses(&run);
    }
}

#[test]
fn consent_ends_with_a_change_of_a_file_that_an_argument_names() {
    for arguments in [
        "[sh, ./token.sh]",
        "[sh, -c, 'sh ./token.sh']",
        "[env, -S, 'sh token.sh']",
    ] {
        let scene = Scene::with_token(&format!("{{ command: {arguments} }}"));
        scene.consents();
        scene.sync().code(0);
        assert_eq!(scene.runs(), 1, "{arguments}");
        scene.forgets_the_runs();
        scene.account.requests();
        scene.script(
            "webhooks.d/token.sh",
            "echo >> \"$MARKER\"; printf s3cr3t-evil",
        );
        scene.refuses(&scene.sync());
    }
}

#[test]
fn a_checkout_elsewhere_has_no_consent() {
    let scene = Scene::with_token("{ command: [./token.sh] }");
    scene.consents();
    let moved = tempfile::tempdir().unwrap();
    let copied = moved.path().join("webhooks.d");
    fs::rename(scene.repository.path("webhooks.d"), copied).unwrap();
    let mut command =
        scene
            .repository
            .command(&["--api-url", &scene.url(), "sync", "--output", "json"]);
    let run = Run::of(command.current_dir(moved.path()).output().unwrap());
    scene.refuses(&run);
}

#[test]
fn no_program_is_found_in_the_repository_by_its_name() {
    let mut scene = Scene::with_token("{ command: [token-tool] }");
    for folder in ["webhooks.d", "bin"] {
        scene.script(&format!("{folder}/token-tool"), SCRIPT);
    }
    let outside = scene.own.path().join("link");
    symlink(scene.repository.path("bin"), &outside).unwrap();
    let usual = std::env::var_os("PATH").unwrap().into_string().unwrap();
    scene.repository.set("HOOKCTL_TRUST", "1");
    for first in [
        ".".to_owned(),
        String::new(),
        "bin:../bin:webhooks.d".to_owned(),
        scene.repository.path("bin").to_str().unwrap().to_owned(),
        outside.to_str().unwrap().to_owned(),
    ] {
        scene.repository.set("PATH", &format!("{first}:{usual}"));
        let run = scene.sync().code(1);
        assert_eq!(codes(&run.json())[0], "secret-unresolved", "{first}");
        assert!(
            run.stdout.contains("could not find 'token-tool'"),
            "{}",
            run.stdout
        );
        // Nor by a program that there is consent to.
        let shell = "{ command: [sh, -c, 'token-tool || printf s3cr\"\"3t-none'] }";
        scene
            .repository
            .declare(&format!("{BILLING}    bearer_token: {shell}\n"));
        scene.sync().code(0);
        let named = "{ command: [token-tool] }";
        scene
            .repository
            .declare(&format!("{BILLING}    bearer_token: {named}\n"));
        assert_eq!(scene.runs(), 0, "{first}");
        scene.account.requests();
    }
}

#[test]
fn a_shell_in_a_key_runs_for_no_command_without_consent() {
    for key in ["api_key", "fingerprint_key"] {
        let scene = Scene::declaring(BILLING);
        let shell = "command: [sh, -c, 'echo >> \"$MARKER\"; printf s3cr\"\"3t-api-key-5f1d']";
        scene.target(&format!("api_url: '{}', {key}: {{ {shell} }}", scene.url()));
        scene.is_refused();
        for arguments in [
            &["sync", "--dry-run", "--output", "json"][..],
            &[
                "sync",
                "--dry-run",
                "--allow-missing-secrets",
                "--output",
                "json",
            ],
            &["status", "--output", "json"],
            &["events", "--output", "json"],
            &["attempts", "x", "--output", "json"],
            &["retry", "x", "--output", "json"],
        ] {
            scene.refuses(&scene.repository.run(arguments));
        }
        for arguments in [&["import"][..], &["watch"]] {
            scene
                .repository
                .run(arguments)
                .code(1)
                .complains("no consent to what the files ask for: run");
        }
        for harmless in [
            &["validate"][..],
            &["schema"],
            &["explain"],
            &["trust", "--list"],
            &["cache", "verify"],
            &["sync", "--sandbox"],
            &["status", "--sandbox"],
        ] {
            scene.repository.run(harmless).code(0);
        }
        assert_eq!((scene.runs(), scene.account.requests().len()), (0, 0));

        scene.consents();
        scene.repository.run(&["sync"]).code(0);
        assert_eq!(scene.runs(), 1, "{key}");
    }
}

#[test]
fn the_key_comes_from_nothing_else_than_its_own_variables_without_consent() {
    let mut scene = Scene::declaring(BILLING);
    let file = scene.own.path().join("credentials");
    fs::write(&file, API_KEY).unwrap();
    let link = scene.repository.path("key");
    symlink(&file, link).unwrap();
    let absolute = format!("{{ file: '{}' }}", file.to_str().unwrap());
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SECRET", "INTERACTLY_OTHER"] {
        scene.repository.set(name, API_KEY);
    }
    for source in [
        "{ env: AWS_SECRET_ACCESS_KEY }",
        "'${AWS_SECRET}'",
        "'${INTERACTLY_NONE:-${AWS_SECRET}}'",
        &absolute,
    ] {
        scene.target(&format!("api_url: '{}', api_key: {source}", scene.url()));
        let told = scene.is_refused();
        assert!(told.contains("take the API key from"), "{told}");
        assert!(told.contains("hookctl.yaml:1:"), "{told}");
        // The address of a flag is no consent to another key.
        scene.refuses(&scene.sync());
        scene.consents();
        scene.repository.run(&["sync", "--dry-run"]).code(0);
        scene.repository.run(&["trust", "--revoke"]).code(0);
        scene.account.requests();
    }
    // A link out of the repository is not followed at all.
    scene.target(&format!(
        "api_url: '{}', api_key: {{ file: key }}",
        scene.url()
    ));
    scene
        .repository
        .run(&["sync"])
        .code(1)
        .complains("leads outside");
    scene.target(&format!(
        "api_url: '{}', api_key: {{ env: INTERACTLY_OTHER }}",
        scene.url()
    ));
    scene.repository.run(&["sync"]).code(0);
}

/// A proxy that sees whether anybody comes.
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
    let mut scene = Scene::declaring(BILLING);
    let proxy = Proxy::set_for(&mut scene.repository);
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
        scene.target(&format!(
            "api_url: '{url}', api_key: {{ env: INTERACTLY_API_KEY }}"
        ));
        let told = scene.is_refused();
        assert!(
            told.contains("send the API key from the variable INTERACTLY_API_KEY"),
            "{told}"
        );
        for command in ["status", "events"] {
            scene.refuses(&scene.repository.run(&[command, "--output", "json"]));
        }
        assert!(!proxy.was_asked(), "{url}");
    }
    scene.target("api_url: 'https://api.example.com'");
    scene.is_refused();
    scene.repository.set("HOOKCTL_TRUST", "1");
    let mut child = scene
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
    let mut scene = Scene::declaring(BILLING);
    let shell = "command: [sh, -c, 'echo >> \"$MARKER\"; printf x']";
    scene.target(&format!(
        "api_url: '{}', api_key: {{ {shell} }}",
        scene.url()
    ));
    scene.repository.set("HOOKCTL_TRUST", "1");
    scene
        .repository
        .set("HOOKCTL_ALLOWED_HOSTS", "*.interactly.ai,api.example.com");
    let url = scene.url();
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
        let run = scene.repository.run(arguments).code(1);
        assert!(run.stdout.contains("host-not-allowed"), "{}", run.stdout);
        assert_eq!((scene.runs(), scene.account.requests().len()), (0, 0));
    }
    scene.repository.run(&["sync", "--sandbox"]).code(0);
    scene
        .repository
        .run(&["explain", "host-not-allowed"])
        .code(0);
    scene.repository.set("HOOKCTL_ALLOWED_HOSTS", "127.0.0.1");
    scene.target(&format!("api_url: '{url}'"));
    scene.repository.run(&["sync"]).code(0);
    scene.account.requests();
    // What is not understood allows nothing, rather than everything.
    for wrong in [",", "*", "http://127.0.0.1"] {
        scene.repository.set("HOOKCTL_ALLOWED_HOSTS", wrong);
        scene.repository.run(&["sync"]).code(64);
    }
    assert_eq!(scene.account.requests(), [""; 0]);
}

#[test]
fn no_file_consents_to_itself() {
    let mut scene = Scene::with_token("{ command: [./token.sh] }");
    scene.repository.write(".env", "HOOKCTL_TRUST=1\n");
    scene.repository.write(".envrc", "export HOOKCTL_TRUST=1\n");
    scene.refuses(&scene.sync());
    for name in ["HOOKCTL_VAR_HOOKCTL_TRUST", "hookctl_trust"] {
        scene.repository.set(name, "1");
    }
    scene.target("vars: { HOOKCTL_TRUST: 1 }");
    scene.refuses(&scene.sync());
    for key in ["trust", "HOOKCTL_TRUST", "env"] {
        scene
            .repository
            .write("hookctl.yaml", &format!("{key}: 1\n"));
        let run = scene.sync().code(1);
        assert!(run.stdout.contains("unknown-field"), "{}", run.stdout);
    }
    fs::remove_file(scene.repository.path("hookctl.yaml")).unwrap();
    assert_eq!((scene.runs(), scene.account.requests().len()), (0, 0));

    // What is stored in the repository is no consent either.
    scene.consents();
    let folder = scene.repository.path("state/hookctl/trust");
    fs::create_dir_all(&folder).unwrap();
    for path in scene.stored() {
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let inside = scene.repository.path("state");
    scene
        .repository
        .set("XDG_STATE_HOME", inside.to_str().unwrap());
    scene.refuses(&scene.sync());
    scene
        .repository
        .run(&["trust", "--yes"])
        .code(1)
        .complains("is in the repository");
    let link = scene.own.path().join("link");
    symlink(&inside, &link).unwrap();
    scene
        .repository
        .set("XDG_STATE_HOME", link.to_str().unwrap());
    scene.refuses(&scene.sync());
}

#[test]
fn a_job_consents_to_everything_or_to_exactly_what_it_names() {
    let mut scene = Scene::with_token("{ command: [./token.sh] }");
    scene.target(&format!(
        "api_url: '{}', api_key: {{ env: OTHER_KEY }}",
        scene.url()
    ));
    scene.repository.set("OTHER_KEY", API_KEY);
    let shown = scene
        .repository
        .run(&["trust", "--output", "json"])
        .code(1)
        .json();
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
        scene
            .is_refused()
            .contains(&format!("HOOKCTL_TRUST={digest}"))
    );
    assert_eq!(scene.stored().len(), 0);

    let other = "0".repeat(64);
    scene.repository.set("HOOKCTL_TRUST", &other);
    assert!(scene.is_refused().contains("HOOKCTL_TRUST does not cover"));
    for wrong in ["yes", "true", "0", &digest[1..], &format!("1,{digest}")] {
        scene.repository.set("HOOKCTL_TRUST", wrong);
        scene
            .repository
            .run(&["sync"])
            .code(64)
            .complains("HOOKCTL_TRUST is neither");
    }
    assert_eq!((scene.runs(), scene.account.requests().len()), (0, 0));
    for covering in [&digest, &format!("{other}, {digest}")] {
        scene.repository.set("HOOKCTL_TRUST", covering);
        scene.repository.run(&["sync", "--output", "json"]).code(0);
        // A part of what there is consent to has it too.
        scene.repository.run(&["events"]).code(0);
    }
    assert_eq!(scene.runs(), 2);
    scene.forgets_the_runs();
    scene.account.requests();

    // Exactly that: what was stored besides does not widen it.
    scene.repository.unset("HOOKCTL_TRUST");
    scene.script(
        "webhooks.d/token.sh",
        "#!/bin/sh\necho >> \"$MARKER\"; printf s3cr3t-x",
    );
    scene.consents();
    scene.repository.set("HOOKCTL_TRUST", &digest);
    scene.is_refused();
    scene.repository.set("HOOKCTL_TRUST", "");
    scene.repository.run(&["sync"]).code(0);
}

#[test]
fn consent_is_stored_for_its_owner_alone_and_can_be_listed_and_revoked() {
    let mut scene = Scene::with_token("{ command: [./token.sh] }");
    let run = scene.repository.run(&["trust"]).code(1);
    run.shows("token.sh").complains("--yes");
    assert_eq!(scene.stored().len(), 0);
    scene
        .repository
        .run(&["trust", "--list"])
        .code(0)
        .shows("No consent is stored");
    scene.consents();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let [file] = &scene.stored()[..] else {
        panic!("{:?}", scene.stored());
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
    scene
        .repository
        .run(&["trust"])
        .code(0)
        .shows("consent is stored");
    scene
        .repository
        .run(&["trust", "--list"])
        .code(0)
        .shows("token.sh");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = scene
        .repository
        .command(&["trust", "--list", "--output", "json"]);
    let run = Run::of(command.current_dir(elsewhere.path()).output().unwrap()).code(0);
    assert_eq!(run.json()["here"], serde_json::json!([]));
    assert_eq!(run.json()["elsewhere"].as_array().unwrap().len(), 1);

    // Whoever can write there could consent.
    let folder = file.parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o722)).unwrap();
    scene.refuses(&scene.sync());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();

    let mut command = scene.repository.command(&["trust", "--revoke"]);
    let run = Run::of(command.current_dir(elsewhere.path()).output().unwrap());
    run.code(0).shows("Revoked 0");
    scene
        .repository
        .run(&["trust", "--revoke"])
        .code(0)
        .shows("Revoked 1");
    scene.refuses(&scene.sync());

    scene.repository.unset("XDG_STATE_HOME");
    let run = scene
        .repository
        .command(&["trust", "--yes"])
        .env_remove("HOME")
        .output();
    Run::of(run.unwrap())
        .code(1)
        .complains("neither XDG_STATE_HOME nor HOME is set");
}

#[test]
fn nothing_runs_where_no_token_is_needed() {
    let mut scene = Scene::with_token("{ command: [./token.sh] }");
    scene.repository.run(&["validate"]).code(0);
    for _ in 0..2 {
        scene
            .repository
            .run(&["sync", "--sandbox", "--yes"])
            .code(0);
    }
    let again = ["sync", "--sandbox", "--dry-run", "--detailed-exitcode"];
    scene.repository.run(&again).code(0);
    let (code, plan) = scene.plan_without_secrets();
    assert_eq!((code, plan["summary"]["create"].as_u64()), (2, Some(1)));
    assert_eq!(scene.runs(), 0);

    // Nor is a file elsewhere read.
    let file = scene.own.path().join("token");
    fs::write(&file, "s3cr3t-file").unwrap();
    scene.repository.declare(&format!(
        "{BILLING}    bearer_token: {{ file: '{}' }}\n",
        file.to_str().unwrap()
    ));
    let unseen = |plan: &Value| codes(plan).contains(&"unresolved-token");
    scene.sync().code(0);
    assert!(unseen(&scene.plan_without_secrets().1));
    let plan = scene.repository.plan(&scene.account, &[]).1;
    assert!(!unseen(&plan), "without the flag it is read: {plan}");

    scene.repository.declare(&format!(
        "{BILLING}    bearer_token: {{ command: [./token.sh] }}\n"
    ));
    scene.repository.set("HOOKCTL_TRUST", "1");
    scene.plan_without_secrets();
    assert_eq!(scene.runs(), 0, "consent makes no difference");
    scene
        .repository
        .run(&["sync", "--sandbox", "--yes"])
        .code(0);
    assert_eq!(scene.runs(), 1, "and in the sandbox it does");
}

impl Scene {
    fn plan_without_secrets(&self) -> (i32, Value) {
        self.repository
            .plan(&self.account, &["--allow-missing-secrets"])
    }
}

#[test]
fn a_watch_never_asks_and_runs_nothing_that_changed() {
    let scene = Scene::with_token("{ command: [./token.sh] }");
    let url = scene.url();
    let arguments = ["--api-url", &url, "watch"];
    scene
        .repository
        .run(&arguments)
        .code(1)
        .complains("no consent to");
    assert_eq!((scene.runs(), scene.account.requests().len()), (0, 0));

    scene.consents();
    let mut command = scene.repository.command(&arguments);
    let mut watch = command.stderr(Stdio::piped()).spawn().unwrap();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let mut patience = 8_000;
        while !holds() {
            std::thread::sleep(Duration::from_millis(5));
            patience -= 1;
            assert!(patience > 0, "{what}");
        }
    };
    until("the first pass", &|| !scene.account.names().is_empty());
    let runs = scene.runs();
    scene.script("webhooks.d/token.sh", &SCRIPT.replace("program", "evil"));
    scene.repository.declare(&format!(
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
    assert_eq!(scene.runs(), runs, "{log}");
    scene.consents();
    let hangup = std::process::Command::new("kill")
        .args(["-HUP", &watch.id().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    let timeout = || scene.account.sandbox.webhooks()[0].timeout_seconds;
    until("consent", &|| timeout() == 20);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_person_is_asked_and_no_is_the_answer_of_a_mere_enter() {
    let scene = Scene::with_token("{ command: [./token.sh] }");
    let url = scene.url();
    let asked = |answer: &str| {
        let command = scene
            .repository
            .command(&["--api-url", &url, "sync", "--yes"]);
        let mut terminal = Terminal::start(command);
        terminal.shows("token.sh");
        terminal.shows("all.yaml:6:");
        terminal.shows("[N]o: ");
        assert_eq!(scene.account.requests(), [""; 0]);
        terminal.writes(answer);
        terminal.end().0
    };
    for no in ["", "n", "y", "x"] {
        assert_eq!((asked(no), scene.runs()), (5, 0), "{no}");
    }
    assert_eq!((asked("o"), scene.runs()), (0, 1));
    assert_eq!(scene.stored().len(), 0, "once is once");
    scene.account.requests();
    assert_eq!((asked("a"), scene.runs()), (0, 2));
    assert_eq!(scene.stored().len(), 1);
    let command = scene.repository.command(&["--api-url", &url, "sync"]);
    assert_eq!(Terminal::start(command).end().0, 0);

    scene.repository.run(&["trust", "--revoke"]).code(0);
    scene.forgets_the_runs();
    for arguments in [
        &["--api-url", &url, "sync", "--output", "json"][..],
        &["--api-url", &url, "--log-format", "json", "sync"],
        &["--api-url", &url, "watch"],
    ] {
        let (code, shown) = Terminal::start(scene.repository.command(arguments)).end();
        assert_eq!(code, 1, "{shown}");
        assert!(!shown.contains("[N]o"), "{shown}");
    }
    let mut terminal = Terminal::start(scene.repository.command(&["trust"]));
    terminal.shows("[y/N] ");
    terminal.writes("");
    assert_eq!(terminal.end().0, 5);
    let mut terminal = Terminal::start(scene.repository.command(&["trust"]));
    terminal.shows("[y/N] ");
    terminal.writes("y");
    assert_eq!(
        (terminal.end().0, scene.stored().len(), scene.runs()),
        (0, 1, 0)
    );
}

#[test]
fn what_changes_while_a_person_is_asked_does_not_run() {
    let scene = Scene::with_token("{ command: [./token.sh] }");
    let url = scene.url();
    let mut terminal = Terminal::start(scene.repository.command(&["--api-url", &url, "sync"]));
    terminal.shows("[N]o: ");
    scene.script("webhooks.d/token.sh", &SCRIPT.replace("program", "evil"));
    terminal.writes("o");
    let (code, shown) = terminal.end();
    assert_eq!((code, scene.runs()), (1, 0), "{shown}");
    assert!(
        shown.contains("changed while the question was open"),
        "{shown}"
    );
}
