//! Hostile input: names, files, pipes, and readers.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Account, BILLING, Repository, Run};

fn fifo(repository: &Repository, name: &str) {
    let path = repository.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// No line would be taken for a command of a CI system, and nothing in it cannot be seen.
fn is_harmless(text: &str) {
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{line:?}");
        for command in ["##[", "##vso[", "##VSO[", "##teamcity["] {
            assert!(!line.contains(command), "{line:?}");
        }
    }
    for harmful in [
        '\u{202e}',
        '\u{1b}',
        '\u{2028}',
        '\u{85}',
        '\u{ad}',
        '\u{200b}',
        '\u{e0041}',
    ] {
        assert!(!text.contains(harmful), "{text:?}");
    }
}

const NAME: &str = "::error::x\u{202e}\u{1b}[31m\u{2028}\u{85}\u{ad}\u{200b}\u{e0041} \
                    ##[error]x ##vso[a.b]x ##VSO[a.b] ##teamcity[a]";

#[test]
fn no_file_name_reaches_a_log_as_it_is() {
    let repository = Repository::new();
    let text = format!("webhooks: {{ a: {{ url: 'x{NAME}', wrong: 1 }} }}\n");
    repository.write(&format!("webhooks.d/{NAME}\n::error::y.yaml"), &text);
    for output in ["human", "github", "json", "sarif"] {
        let run = repository.run(&["validate", "--output", output]).code(1);
        is_harmless(&run.stderr);
        if output == "github" {
            let own = |line: &str| line.strip_prefix("::").map(str::to_owned);
            let commands: Option<Vec<String>> = run.stdout.lines().map(own).collect();
            is_harmless(&commands.unwrap().join("\n"));
        } else {
            is_harmless(&run.stdout);
        }
    }
    let run = repository.run(&["validate", "--output", "json"]).code(1);
    // What is escaped in JSON is the same text to a reader.
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let file = document["diagnostics"][0]["file"].as_str().unwrap();
    assert!(file.contains(NAME), "{file:?}");
    let run = repository
        .run(&["--log-format", "json", "validate"])
        .code(1);
    is_harmless(&run.stderr);
    let config = format!("{NAME}.yaml");
    let run = repository.run(&["--config", &config, "validate"]).code(1);
    is_harmless(&run.stderr);
}

#[test]
fn no_name_at_the_api_reaches_a_log_as_it_is() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.put("5eb7cf5a86d9755df3a6c593", NAME, "https://x.example.com");
    let url = account.sandbox.base_url();
    for arguments in [
        ["status", "--no-deliveries"].as_slice(),
        &["sync", "--dry-run"],
        &["sync", "--dry-run", "--output", "markdown"],
        &["sync", "--dry-run", "--output", "json"],
        &["sync", "--dry-run", "--output", "json", "--prune"],
        &["sync", "--dry-run", "--output", "diff"],
        &["status", "--no-deliveries", "--output", "json"],
        &["-vv", "sync", "--dry-run"],
        &["-vv", "--log-format", "json", "sync", "--dry-run"],
        &["import", "--dry-run"],
    ] {
        let all = [&["--api-url", url.as_str()], arguments].concat();
        let run = repository.run(&all);
        is_harmless(&run.stdout);
        is_harmless(&run.stderr);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_an_error() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let url = account.sandbox.base_url();
    for arguments in [
        ["schema"].as_slice(),
        &["--help"],
        &["explain"],
        &["validate", "--output", "sarif"],
        &["--api-url", &url, "sync", "--dry-run", "--output", "json"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = repository.command(arguments).stdout(full).output().unwrap();
        Run::of(output)
            .code(1)
            .complains("could not write the result");
        // A reader that has seen enough is no error.
        let mut child = repository
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let run = Run::of(child.wait_with_output().unwrap()).code(0);
        assert!(!run.stderr.contains("could not write"), "{}", run.stderr);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_sandbox_that_cannot_say_where_it_listens_ends() {
    let repository = Repository::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = repository.command(&["sandbox", "--memory", "--listen", "127.0.0.1:0"]);
    Run::of(command.stdout(full).output().unwrap())
        .code(1)
        .complains("could not write the result");
}

#[test]
fn what_is_no_regular_file_is_an_error_at_once() {
    let started = Instant::now();
    let what = "it is not a regular file";
    let repository = Repository::with(BILLING);
    fifo(&repository, "plan.json");
    repository
        .run(&["apply", "plan.json"])
        .code(1)
        .complains(what);
    fifo(&repository, "token");
    repository.declare(&format!(
        "{BILLING}    bearer_token: {{ file: ../token }}\n"
    ));
    let account = Account::new();
    repository.sync(&account, &[]).code(1).complains(what);
    symlink("/dev/zero", repository.path("webhooks.d/zero.yaml")).unwrap();
    repository.run(&["validate"]).code(1);
    repository.declare(BILLING);
    fs::remove_file(repository.path("webhooks.d/zero.yaml")).unwrap();
    repository.settled(&account);
    // The harness itself reads the record, so that this lock goes again.
    fs::remove_file(repository.path(".hookctl/lock")).unwrap();
    fifo(&repository, ".hookctl/lock");
    let url = account.sandbox.base_url();
    let mut planning = repository.command(&["--api-url", &url, "sync", "--dry-run"]);
    Run::of(planning.output().unwrap()).code(1).complains(what);
    fs::remove_file(repository.path(".hookctl/lock")).unwrap();
    fifo(&repository, "hookctl.yaml");
    repository.run(&["validate"]).code(1).complains(what);
    let mut completing = repository.command(&["--", "hookctl", "sync", "--only", ""]);
    completing
        .env("HOOKCTL_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "3");
    completing.output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_plan_is_written_into_a_fifo_and_to_standard_output() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    fifo(&repository, "pipe");
    let path = repository.path("pipe");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
        text
    });
    repository
        .sync(&account, &["--dry-run", "--out", "pipe"])
        .code(0);
    assert!(reader.join().unwrap().contains("format_version"));
    let run = repository
        .sync(&account, &["--dry-run", "--out", "-"])
        .code(0)
        .complains("1 to create");
    assert!(run.json()["format_version"].is_string());
    let both = ["--dry-run", "--out", "-", "--output", "json"];
    repository.sync(&account, &both).code(64);
}

#[test]
fn ten_thousand_mistakes_on_one_line_cost_what_is_shown() {
    let mut text = "webhooks: {".to_owned();
    for number in 0..8_000 {
        text += &format!(
            "k{number}: {{ url: 'http://h{number}.example.com', actions: all, wrong: 1 }}, "
        );
    }
    text += "}\n";
    let repository = Repository::with(&text);
    let started = Instant::now();
    let run = repository.run(&["validate"]).code(1);
    assert!(run.stderr.len() < 200_000, "{} bytes", run.stderr.len());
    assert!(!run.stderr.contains(":::"), "{}", run.stderr);
    run.complains("more; --all shows them")
        .complains("8000 errors")
        .complains("webhooks.d/all.yaml:1:");
    let all = repository.run(&["validate", "--all"]).code(1);
    assert!(all.stderr.len() < 20_000_000, "{} bytes", all.stderr.len());
    assert_eq!(all.stderr.matches("error[unknown-field]").count(), 8_000);
    repository.run(&["validate", "--output", "sarif"]).code(1);
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_signal_ends_the_programs_of_secrets_and_the_run() {
    let command = "[sh, -c, 'sleep 60 & echo $$! > pid.new; mv pid.new pid; wait']";
    let mut repository = Repository::with(&format!(
        "{BILLING}    bearer_token: {{ command: {command} }}\n"
    ));
    repository.set("HOOKCTL_TRUST", "1");
    let account = Account::new();
    let url = account.sandbox.base_url();
    for subcommand in ["sync", "status", "watch"] {
        let path = repository.path("webhooks.d/pid");
        let _ = fs::remove_file(&path);
        let child = repository
            .command(&["--api-url", &url, subcommand])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let wait = |what: &str, holds: &dyn Fn() -> bool| {
            let deadline = Instant::now() + Duration::from_secs(30);
            while !holds() {
                assert!(Instant::now() < deadline, "{subcommand}: {what}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait("no program", &|| path.exists());
        let program = fs::read_to_string(&path).unwrap();
        let status = Command::new("kill").arg(child.id().to_string()).status();
        assert!(status.unwrap().success());
        Run::of(child.wait_with_output().unwrap()).code(130);
        let stat = format!("/proc/{}/stat", program.trim());
        wait("the program goes on", &|| {
            fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
    }
    assert_eq!(account.names(), [""; 0]);
}

#[test]
fn silent_connections_do_not_keep_a_watch_from_its_work() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let url = account.sandbox.base_url();
    let mut child = repository
        .command(&["--api-url", &url, "watch", "--metrics", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let mut byte = [0];
    while !said.ends_with("/metrics\n") && stderr.read(&mut byte).unwrap() > 0 {
        said.push(char::from(byte[0]));
    }
    let address = said.rsplit("http://").next().unwrap();
    let address = address.split('/').next().unwrap().to_owned();
    let silent: Vec<TcpStream> = (0..200)
        .map_while(|_| TcpStream::connect(&address).ok())
        .collect();
    let mut asking = TcpStream::connect(&address).unwrap();
    asking
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    asking
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    repository.declare(&BILLING.replace("/billing", "/saved"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while account.sandbox.webhooks()[0].url != "https://hooks.example.com/saved" {
        assert!(Instant::now() < deadline, "a save was not applied");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(silent);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn nothing_of_the_record_is_waited_for() {
    let repository = Repository::with(BILLING);
    repository.run(&["sync", "--sandbox", "--yes"]).code(0);
    for name in [
        "generation",
        "lock",
        "db/conf",
        "db/db",
        "sandbox/default.json",
    ] {
        let path = repository.path(&format!(".hookctl/{name}"));
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fifo(&repository, &format!(".hookctl/{name}"));
        for command in [
            &["sync", "--sandbox", "--dry-run"][..],
            &["sync", "--sandbox"],
        ] {
            let output = repository.command(command).output().unwrap();
            let run = Run::of(output).code(1);
            run.complains("is not a regular file");
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, kept).unwrap();
    }
    let database = repository.path(".hookctl/db");
    fs::rename(&database, repository.path("elsewhere")).unwrap();
    symlink("../elsewhere", &database).unwrap();
    let run = repository.run(&["sync", "--sandbox"]).code(1);
    run.complains("is not a regular file");
}

#[test]
fn an_argument_does_not_reach_a_log_as_it_is() {
    let repository = Repository::with(BILLING);
    for arguments in [
        &[NAME][..],
        &["sync", "x\n::error::y"],
        &["validate", "--output", NAME],
    ] {
        let run = repository.run(arguments).code(64);
        is_harmless(&run.stderr);
    }
}

#[test]
fn a_pipe_in_place_of_what_a_library_or_git_reads_is_not_waited_for() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    let started = Instant::now();
    fifo(&repository, ".git/HEAD");
    let run = repository.sync(&account, &["--yes"]).code(0);
    run.shows("1 created");
    fifo(&repository, "ca.pem");
    repository.set("SSL_CERT_FILE", "ca.pem");
    for command in ["sync", "status", "import", "events"] {
        repository
            .run(&["--api-url", "https://127.0.0.1:1", command])
            .code(1)
            .complains("could not read the certificates in ca.pem: it is not a regular file");
    }
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// A chain of links that takes the system some 50 milliseconds to follow. `l0` leads to its end.
fn chain(repository: &Repository, end: &str) {
    fs::create_dir_all(repository.path("a")).unwrap();
    for number in 0..35 {
        let next = match number {
            34 => end.to_owned(),
            _ => format!("l{}", number + 1),
        };
        let target = format!("{}{next}", "a/../".repeat(800));
        symlink(target, repository.path(&format!("l{number}"))).unwrap();
    }
}

#[test]
fn files_of_tokens_and_names_in_arguments_lead_through_a_few_links() {
    let started = Instant::now();
    let account = Account::new();
    let repository = Repository::new();
    chain(&repository, "a");
    fs::write(repository.path("a/token"), "tok-1234567890").unwrap();
    let mut text = "webhooks:\n".to_owned();
    for number in 0..2_000 {
        text += &format!(
            "  k{number}: {{ url: 'https://h{number}.example.com', actions: all, \
             bearer_token: {{ file: ../l0/token }} }}\n"
        );
    }
    repository.declare(&text);
    let run = repository.sync(&account, &["--dry-run"]).code(1);
    run.complains("the path leads through a link of more than 1,024 bytes");

    let repository = Repository::with(BILLING);
    chain(&repository, "a");
    let names: Vec<String> = (0..400)
        .map(|number| format!("{}l0", "./".repeat(number)))
        .collect();
    let names = names.join(", ");
    let command = format!("{{ command: [sh, {names}] }}");
    let target = format!("targets: {{ default: {{ api_key: {command} }} }}\n");
    repository.write("hookctl.yaml", &target);
    let run = repository.sync(&account, &["--dry-run"]).code(1);
    run.complains("contain too many names or links for consent to cover");
    // Nor does a refusal repeat all that a program is called with.
    let names = names.replace("l0", "a");
    repository.write("hookctl.yaml", &target.replace("l0", "a"));
    let run = repository.sync(&account, &["--dry-run"]);
    assert!(
        names.len() > 100_000 && run.stderr.len() < 5_000,
        "{}",
        run.stderr.len()
    );
    run.complains("no consent to").complains("…");
    assert!(started.elapsed() < Duration::from_mins(1));
}
