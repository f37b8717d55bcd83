//! What a person sees while something takes its time, and what fits on their screen.

#![cfg(unix)]

use std::time::Duration;

use hookctl::render::columns;
use hookctl::sandbox::Fault;

use crate::harness::{Account, BILLING, Repository, hooks};
use crate::terminal::{Terminal, command, plain};

/// A response that asks for a pause of a second.
fn busy() -> Fault {
    Fault::Answer {
        status: 503,
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
        body: "{}".to_owned(),
    }
}

#[test]
fn each_phase_is_named_and_so_is_the_reason_of_a_wait() {
    let account = Account::with_latency(Duration::from_millis(400));
    let mut repository = Repository::with(&format!(
        "{BILLING}    bearer_token: {{ command: [sh, -c, 'sleep 0.5; echo s3cr3t-token'] }}\n"
    ));
    repository.set("HOOKCTL_TRUST", "1");
    account.fault("GET", 1, busy());
    let mut terminal = Terminal::start(command(&repository, &account, &["sync"]));
    terminal.shows("Resolving secrets 1/1");
    terminal.shows("Reading the list of webhooks");
    terminal.shows("retrying in 1 s: 503");
    terminal.shows("Plan: 1 to create.");
    terminal.shows("Applying ");
    terminal.shows(" 0/1");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    for phase in ["Resolving", "Reading", "Applying"] {
        assert!(!shown.contains(phase), "{phase} stays:\n{shown}");
    }
    // In a pipe, nothing of it is said.
    repository.lose_record();
    let run = repository.sync(&account, &[]).code(0);
    assert!(!run.stderr.contains("Reading"), "{}", run.stderr);
}

#[test]
fn another_run_that_holds_the_record_is_named() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(1)));
    account.fault("GET", 1, Fault::Hang);
    let mut first = command(&repository, &account, &["sync"]).spawn().unwrap();
    while account.sandbox.requests().is_empty() {
        std::thread::yield_now();
    }
    let mut second = Terminal::start(command(&repository, &account, &["sync"]));
    second.shows(&format!("waiting for another run (process {})", first.id()));
    first.kill().unwrap();
    first.wait().unwrap();
    let (status, shown) = second.end();
    assert_eq!(status, 0, "{shown}");
}

#[test]
fn an_interruption_is_answered_and_ends_with_how_to_continue() {
    let account = Account::with_latency(Duration::from_millis(300));
    let repository = Repository::with(&hooks(200));
    let sync = ["sync", "--grace", "1s"];
    // One request is in flight whenever the signal comes.
    account.fault("POST", 5, Fault::Hang);
    let mut terminal = Terminal::of_width(40, command(&repository, &account, &sync));
    terminal.shows("Applying ");
    terminal.shows("/s · ");
    terminal.interrupts();
    terminal.shows("in flight; Ctrl-C");
    terminal.shows("again to stop now");
    let (status, shown) = terminal.end();
    assert_eq!(status, 130, "{shown}");
    let shown = plain(&shown);
    assert!(
        shown.ends_with("interrupted; run it again to continue\n"),
        "{shown}"
    );
    let words: Vec<&str> = shown.split_whitespace().collect();
    let untried = words.join(" ").matches("not attempted").count();
    assert_eq!(untried, 2, "a line of keys and the count:\n{shown}");
    assert!(shown.lines().count() < 30, "{shown}");

    // A second one says what it leaves behind.
    let posts = account.requests();
    let posts = posts.iter().filter(|line| line.starts_with("POST")).count();
    account.fault("POST", posts + 5, Fault::Hang);
    let mut terminal = Terminal::start(command(&repository, &account, &sync));
    terminal.shows("Applying ");
    terminal.shows("/s · ");
    terminal.interrupts();
    terminal.shows("in flight; Ctrl-C again to stop now");
    terminal.interrupts();
    terminal.shows("stopped with ");
    terminal.shows("in flight; the next run settles them");
    assert_eq!(terminal.end().0, 130);
    repository.settled(&account);
    assert_eq!(account.names().len(), 200, "none is made twice");
}

#[test]
fn a_large_plan_fits_on_a_screen_and_is_complete_in_a_pipe() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(60)));
    let at = |columns, arguments: &[&str]| {
        let (status, shown) =
            Terminal::of_width(columns, command(&repository, &account, arguments)).end();
        assert_eq!(status, 0, "{shown}");
        plain(&shown)
    };
    let compact = at(40, &["sync", "--dry-run"]);
    assert!(compact.contains("+ 60 to create: "), "{compact}");
    assert!(compact.lines().count() < 8, "{compact}");
    let full = at(80, &["sync", "--dry-run", "--full"]);
    assert_eq!(full.matches(": create").count(), 60, "{full}");
    let piped = repository.sync(&account, &["--dry-run"]).code(0).stdout;
    assert_eq!(piped.matches(": create").count(), 60, "{piped}");
    let piped = repository.sync(&account, &["--dry-run", "--compact"]);
    assert_eq!(piped.code(0).stdout.matches(": create").count(), 0);
    let quiet = repository.sync(&account, &["--dry-run", "-q"]).code(0);
    assert_eq!(quiet.stdout, "Plan: 60 to create. (target default)\n");
    let quiet = repository.sync(&account, &["-q"]).code(0).stdout;
    assert!(quiet.starts_with("Applied: 60 created. "), "{quiet}");
    assert_eq!(quiet.lines().count(), 1, "{quiet}");

    // What loses something is shown one by one all the same.
    let url = "https://other.example.com";
    let changed: String = hooks(60)
        .lines()
        .map(|line| match line.split_once("url: ") {
            Some((before, rest)) => {
                let after = rest.find([',', ' ', '}']).map_or("", |end| &rest[end..]);
                format!("{before}url: {url}{after}\n")
            }
            None => format!("{line}\n"),
        })
        .collect();
    repository.declare(&changed);
    let compact = at(80, &["sync", "--dry-run", "--force"]);
    assert!(
        compact.contains("~ 60 to update url (edited): "),
        "{compact}"
    );
}

#[test]
fn text_is_wrapped_by_the_columns_that_a_terminal_shows() {
    let name = "会議の記録を送る受信者の名前がとても長い場合の表示";
    let account = Account::new();
    account.put("5eb7cf5a86d9755df3a6c001", name, "https://a.example.com");
    let repository = Repository::with(&format!(
        "webhooks:\n  meeting:\n    name: '{name}'\n    url: https://b.example.com\n    \
         actions: [workflow_run_completed, workflow_run_started]\n"
    ));
    for columns_of_screen in [40, 80, 200] {
        for arguments in [
            &["sync", "--dry-run"][..],
            &["status"],
            &["explain"],
            &["sync", "--only", "nothing-*"],
        ] {
            let terminal =
                Terminal::of_width(columns_of_screen, command(&repository, &account, arguments));
            let shown = plain(&terminal.end().1);
            for line in shown.lines() {
                assert!(
                    columns(line) <= usize::from(columns_of_screen),
                    "{arguments:?} at {columns_of_screen}: {line}"
                );
            }
        }
    }
}

#[test]
fn a_dumb_terminal_gets_plain_text_and_variables_decide_about_colors() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let shown = |variables: &[(&str, &str)]| {
        let mut command = command(&repository, &account, &["sync", "--dry-run"]);
        command.envs(variables.iter().copied());
        Terminal::start(command).end().1
    };
    for (variables, is_colored) in [
        (&[("TERM", "dumb")][..], false),
        (&[("HOOKCTL_COLOR", "never")], false),
        (&[("HOOKCTL_COLOR", "always"), ("NO_COLOR", "1")], true),
        (&[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true),
    ] {
        let text = shown(variables);
        assert_eq!(text.contains('\u{1b}'), is_colored, "{variables:?}\n{text}");
    }
    let url = account.sandbox.base_url();
    let mut piped = repository.command(&["--api-url", &url, "sync", "--dry-run"]);
    let output = piped.env("FORCE_COLOR", "1").output().unwrap();
    assert!(output.stdout.contains(&0x1b));
    let wrong = repository
        .command(&["schema"])
        .env("HOOKCTL_COLOR", "x")
        .output();
    assert_eq!(wrong.unwrap().status.code(), Some(64));
}

#[test]
fn a_question_comes_with_the_plan_whatever_the_output() {
    for output in ["json", "markdown"] {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        repository.settled(&account);
        repository.declare("webhooks: { billing: { state: absent } }");
        let arguments = ["sync", "--output", output];
        let mut terminal = Terminal::start(command(&repository, &account, &arguments));
        terminal.shows("- billing (");
        terminal.shows("Apply this plan? [y/N] ");
        terminal.writes("n");
        let (status, shown) = terminal.end();
        assert_eq!(status, 5, "{shown}");
        assert!(shown.contains("not-confirmed"), "{shown}");
        assert_eq!(account.names(), ["Billing"]);
    }
}

#[test]
fn a_watch_says_what_it_watches_and_shows_changes_as_a_plan_does() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let mut terminal = Terminal::start(command(&repository, &account, &["watch"]));
    terminal.shows("Watching ");
    terminal.shows("webhooks.d");
    terminal.shows("Ctrl-C ends the watch.");
    terminal.shows("the watch starts");
    terminal.shows("+ billing: create");
    terminal.shows("Applied: 1 created.");
    repository.declare(&BILLING.replace("example.com/billing", "example.com/other"));
    terminal.shows("the files changed");
    terminal.shows("~ billing (");
    terminal.shows("Applied: 1 updated.");
    terminal.interrupts();
    let (status, shown) = terminal.end();
    assert_eq!(status, 130, "{shown}");
    assert!(shown.ends_with("The watch has ended.\n"), "{shown}");
    assert!(!shown.contains("INFO"), "{shown}");
}

#[test]
fn help_is_in_groups_and_leaves_out_what_means_nothing() {
    let repository = Repository::new();
    let sync = repository.run(&["sync", "-h"]).code(0).stdout;
    let (own, global) = sync.split_once("Global options:").unwrap();
    assert!(
        own.contains("--dry-run") && !own.contains("--api-url"),
        "{sync}"
    );
    assert!(global.contains("--api-url"), "{sync}");
    for name in ["schema", "explain", "completions", "man"] {
        let help = repository.run(&[name, "-h"]).code(0).stdout;
        for option in ["--insecure-http", "--api-url", "--lock-timeout"] {
            assert!(!help.contains(option), "{name}: {help}");
        }
        assert!(help.contains("--color"), "{name}: {help}");
    }
    // Hidden, they are accepted as before.
    repository
        .run(&["--dir", "x", "schema", "--target", "y"])
        .code(0);
}
