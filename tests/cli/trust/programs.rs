//! Programs named by files run only with consent, which ends when any part of them changes.

use super::*;

#[test]
fn a_program_of_the_repository_runs_only_with_consent() {
    let fixture = Fixture::with_token("{ command: [./token.sh] }");
    let run = fixture.sync();
    fixture.refuses(&run);
    assert!(
        run.stdout.contains("webhooks.d/all.yaml:6:"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("HOOKCTL_TRUST="), "{}", run.stdout);
    fixture
        .repository
        .sync(&fixture.account, &[])
        .code(1)
        .complains("hookctl trust");

    fixture.consents();
    assert_eq!(fixture.runs(), 0, "to consent runs nothing");
    fixture.sync().code(0);
    assert_eq!(fixture.runs(), 1);
    let id = fixture.account.id("Billing");
    assert_eq!(
        fixture.account.sandbox.token(&id).unwrap(),
        "s3cr3t-program"
    );
}

#[test]
fn consent_ends_with_any_change_of_what_runs() {
    type Change = fn(&Fixture);
    let changes: [(&str, Change); 5] = [
        ("the script", |fixture| {
            fixture.script("webhooks.d/token.sh", &SCRIPT.replace("echo", "echo more"));
        }),
        ("the arguments", |fixture| {
            let more = format!("{BILLING}    bearer_token: {{ command: [./token.sh, -v] }}\n");
            fixture.repository.declare(&more);
        }),
        ("a link", |fixture| {
            fixture.script("other.sh", &SCRIPT.replace("program", "another"));
            let path = fixture.repository.path("webhooks.d/token.sh");
            fs::remove_file(&path).unwrap();
            symlink("../other.sh", path).unwrap();
        }),
        ("a link out of the repository", |fixture| {
            let path = fixture.repository.path("webhooks.d/token.sh");
            fs::remove_file(&path).unwrap();
            symlink("/bin/sh", path).unwrap();
        }),
        ("the program", |fixture| {
            fixture.script("webhooks.d/other.sh", SCRIPT);
            let other = format!("{BILLING}    bearer_token: {{ command: [./other.sh] }}\n");
            fixture.repository.declare(&other);
        }),
    ];
    for (what, change) in changes {
        let fixture = Fixture::with_token("{ command: [./token.sh] }");
        fixture.consents();
        fixture.sync().code(0);
        fixture.forgets_the_runs();
        fixture.account.requests();
        change(&fixture);
        let run = fixture.sync();
        assert!(run.stdout.contains("untrusted"), "{what}: {}", run.stdout);
        fixture.refuses(&run);
    }
}

#[test]
fn consent_ends_with_a_change_of_a_file_that_an_argument_names() {
    for arguments in [
        "[sh, ./token.sh]",
        "[sh, -c, 'sh ./token.sh']",
        "[env, -S, 'sh token.sh']",
        "[sh, -c, 'cd .. && sh webhooks.d/token.sh']",
        "[sh, -c, 'cd .. && cd webhooks.d && sh token.sh']",
        "[sh, -c, 'sh ./to\"ken\".sh']",
        "[sh, -c, 'sh \"$$0\"', token.sh]",
    ] {
        let fixture = Fixture::with_token(&format!("{{ command: {arguments} }}"));
        fixture.consents();
        fixture.sync().code(0);
        assert_eq!(fixture.runs(), 1, "{arguments}");
        fixture.forgets_the_runs();
        fixture.account.requests();
        fixture.script(
            "webhooks.d/token.sh",
            "echo >> \"$MARKER\"; printf s3cr3t-evil",
        );
        fixture.refuses(&fixture.sync());
    }
}

#[test]
fn consent_ends_with_a_change_of_a_folder_that_an_argument_names() {
    let fixture = Fixture::with_token("{ command: [sh, ./token.sh, ..] }");
    fixture.consents();
    for _ in 0..2 {
        // The record is in that folder, and changes.
        fixture.sync().code(0);
    }
    let fixture = Fixture::with_token("{ command: [sh, ../run.sh, --in=../parts] }");
    fixture.script("run.sh", "for part in ../parts/*/*; do . \"$part\"; done");
    fixture.script("parts/a/first", SCRIPT);
    fixture.consents();
    fixture.sync().code(0);
    assert_eq!(fixture.runs(), 1);
    fixture.sync().code(0);
    fixture.forgets_the_runs();
    fixture.account.requests();
    fixture.script("parts/b/second", "echo >> \"$MARKER\"");
    fixture.refuses(&fixture.sync());
    for number in 0..4_200 {
        fixture.repository.write(&format!("parts/c/{number}"), "");
    }
    let run = fixture.sync();
    assert!(
        run.stdout.contains("is too large for consent"),
        "{}",
        run.stdout
    );
    fixture.refuses(&run);
    fixture
        .repository
        .run(&["trust", "--yes"])
        .code(1)
        .complains("at most 4,096 files");
}

#[test]
fn what_a_text_reads_is_reported_if_it_is_unknown() {
    let said = "may read other files";
    for (arguments, hides) in [
        ("[sh, -c, 'cat $$HOME/x']", true),
        ("[sh, -c, 'cat *']", true),
        ("[sh, -c, 'cd .. && cat x']", true),
        ("[sh, ./token.sh]", true),
        ("[cat, x]", false),
    ] {
        let fixture = Fixture::with_token(&format!("{{ command: {arguments} }}"));
        let run = fixture.repository.run(&["trust"]).code(1);
        assert_eq!(
            run.stdout.contains(said),
            hides,
            "{arguments}: {}",
            run.stdout
        );
        let run = fixture
            .repository
            .run(&["trust", "--output", "json"])
            .code(1);
        assert_eq!(run.json()["grants"][0]["reads_more"], hides, "{arguments}");
        let command = fixture
            .repository
            .command(&["--api-url", &fixture.url(), "sync"]);
        let mut terminal = Terminal::start(command);
        terminal.shows("[N]o: ");
        terminal.writes("");
        let (_, shown) = terminal.end();
        assert_eq!(shown.contains(said), hides, "{arguments}: {shown}");
    }
}

#[test]
fn without_git_a_file_above_the_folder_of_the_configuration_counts() {
    let fixture = Fixture::declaring("");
    fs::remove_dir_all(fixture.repository.path("webhooks.d")).unwrap();
    let run = |arguments: &[&str]| {
        let url = fixture.url();
        let all = [&["--api-url", url.as_str()], arguments].concat();
        let mut command = fixture.repository.command(&all);
        let command = command.current_dir(fixture.repository.path("infra"));
        Run::of(command.output().unwrap())
    };
    for arguments in ["[../../bin/tool]", "[sh, ../../bin/tool]"] {
        fixture.script("bin/tool", SCRIPT);
        let declared = format!("{BILLING}    bearer_token: {{ command: {arguments} }}\n");
        fixture
            .repository
            .write("infra/webhooks.d/all.yaml", &declared);
        run(&["trust", "--yes"]).code(0);
        run(&["sync"]).code(0);
        fixture.forgets_the_runs();
        fixture.account.requests();
        fixture.script("bin/tool", &SCRIPT.replace("program", "evil"));
        fixture.refuses(&run(&["sync", "--output", "json"]));
    }
}

#[test]
fn a_checkout_elsewhere_has_no_consent() {
    let fixture = Fixture::with_token("{ command: [./token.sh] }");
    fixture.consents();
    let moved = tempfile::tempdir().unwrap();
    let copied = moved.path().join("webhooks.d");
    fs::rename(fixture.repository.path("webhooks.d"), copied).unwrap();
    let mut command =
        fixture
            .repository
            .command(&["--api-url", &fixture.url(), "sync", "--output", "json"]);
    let run = Run::of(command.current_dir(moved.path()).output().unwrap());
    fixture.refuses(&run);
}

#[test]
fn no_program_is_found_in_the_repository_by_its_name() {
    let mut fixture = Fixture::with_token("{ command: [token-tool] }");
    for folder in ["webhooks.d", "bin"] {
        fixture.script(&format!("{folder}/token-tool"), SCRIPT);
    }
    let outside = fixture.own.path().join("link");
    symlink(fixture.repository.path("bin"), &outside).unwrap();
    let usual = std::env::var_os("PATH").unwrap().into_string().unwrap();
    fixture.repository.set("HOOKCTL_TRUST", "1");
    for first in [
        ".".to_owned(),
        String::new(),
        "bin:../bin:webhooks.d".to_owned(),
        fixture.repository.path("bin").to_str().unwrap().to_owned(),
        outside.to_str().unwrap().to_owned(),
    ] {
        fixture.repository.set("PATH", &format!("{first}:{usual}"));
        let run = fixture.sync().code(1);
        assert_eq!(codes(&run.json())[0], "secret-unresolved", "{first}");
        assert!(
            run.stdout.contains("could not find 'token-tool'"),
            "{}",
            run.stdout
        );
        // Nor by a program that there is consent to.
        let shell = "{ command: [sh, -c, 'token-tool || printf s3cr\"\"3t-none'] }";
        fixture
            .repository
            .declare(&format!("{BILLING}    bearer_token: {shell}\n"));
        fixture.sync().code(0);
        let named = "{ command: [token-tool] }";
        fixture
            .repository
            .declare(&format!("{BILLING}    bearer_token: {named}\n"));
        assert_eq!(fixture.runs(), 0, "{first}");
        fixture.account.requests();
    }
}

#[test]
fn a_shell_in_a_key_runs_for_no_command_without_consent() {
    for key in ["api_key", "fingerprint_key"] {
        let fixture = Fixture::declaring(BILLING);
        let shell = "command: [sh, -c, 'echo >> \"$MARKER\"; printf s3cr\"\"3t-api-key-5f1w']";
        fixture.target(&format!(
            "api_url: '{}', {key}: {{ {shell} }}",
            fixture.url()
        ));
        fixture.is_refused();
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
            fixture.refuses(&fixture.repository.run(arguments));
        }
        for arguments in [&["import"][..], &["watch"]] {
            fixture
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
            &["record", "verify"],
            &["sync", "--sandbox"],
            &["status", "--sandbox"],
        ] {
            fixture.repository.run(harmless).code(0);
        }
        assert_eq!((fixture.runs(), fixture.account.requests().len()), (0, 0));

        fixture.consents();
        fixture.repository.run(&["sync"]).code(0);
        assert_eq!(fixture.runs(), 1, "{key}");
    }
}

#[test]
fn nothing_runs_where_no_token_is_needed() {
    let mut fixture = Fixture::with_token("{ command: [./token.sh] }");
    fixture.repository.run(&["validate"]).code(0);
    for _ in 0..2 {
        fixture
            .repository
            .run(&["sync", "--sandbox", "--yes"])
            .code(0);
    }
    let again = ["sync", "--sandbox", "--dry-run", "--detailed-exitcode"];
    fixture.repository.run(&again).code(0);
    let (code, plan) = fixture.plan_without_secrets();
    assert_eq!((code, plan["summary"]["create"].as_u64()), (2, Some(1)));
    assert_eq!(fixture.runs(), 0);

    // Nor is a file elsewhere read.
    let file = fixture.own.path().join("token");
    fs::write(&file, "s3cr3t-file").unwrap();
    fixture.repository.declare(&format!(
        "{BILLING}    bearer_token: {{ file: '{}' }}\n",
        file.to_str().unwrap()
    ));
    let unseen = |plan: &Value| codes(plan).contains(&"unresolved-token");
    fixture.sync().code(0);
    assert!(unseen(&fixture.plan_without_secrets().1));
    let plan = fixture.repository.plan(&fixture.account, &[]).1;
    assert!(!unseen(&plan), "without the flag it is read: {plan}");

    fixture.repository.declare(&format!(
        "{BILLING}    bearer_token: {{ command: [./token.sh] }}\n"
    ));
    fixture.repository.set("HOOKCTL_TRUST", "1");
    fixture.plan_without_secrets();
    assert_eq!(fixture.runs(), 0, "consent makes no difference");
    fixture
        .repository
        .run(&["sync", "--sandbox", "--yes"])
        .code(0);
    assert_eq!(fixture.runs(), 1, "and in the sandbox it does");
}

impl Fixture {
    fn plan_without_secrets(&self) -> (i32, Value) {
        self.repository
            .plan(&self.account, &["--allow-missing-secrets"])
    }
}
