//! `confirm` of hookctl.yaml: before which plans a person is asked, and what a pipe does about it.

use serde_json::json;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, codes};

/// A repository whose target `prod` has a value of `confirm`.
fn repository(account: &Account, confirm: &str) -> Repository {
    let repository = Repository::with(BILLING);
    repository.write(
        "hookctl.yaml",
        &format!(
            "confirm: never\ntargets:\n  prod: {{ api_url: '{}', confirm: {confirm} }}\n",
            account.sandbox.base_url()
        ),
    );
    repository
}

#[test]
fn a_pipe_cannot_answer_and_needs_yes() {
    let account = Account::new();
    let repository = repository(&account, "always");
    let run = repository.run(&["sync"]).code(5);
    let run = run.shows("+ billing: create").complains("add --yes");
    insta::assert_snapshot!(run.stderr, @"
    error[not-confirmed]: `confirm: always` needs an answer, and there is no terminal to ask on; nothing was applied
      hint: add --yes to apply the plan
    ");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let document = repository.run(&["sync", "--output", "json"]).code(5).json();
    conforms(&validator("plan-v1.schema.json"), &document);
    assert_eq!(codes(&document), ["not-confirmed"]);
    assert_eq!(document["actions"][0]["result"], json!("planned"));
    assert!(account.names().is_empty());
    // A dry run writes nothing, and neither does a rehearsal.
    repository.run(&["sync", "--dry-run"]).code(0);
    repository.run(&["sync", "--sandbox"]).code(0);
    repository.run(&["sync", "--yes"]).code(0);
    assert_eq!(account.names(), ["Billing"]);
    repository.run(&["sync"]).code(0).shows("No changes.");
}

#[test]
fn the_others_ask_no_question_in_a_pipe() {
    for confirm in ["losses", "never"] {
        let account = Account::new();
        let repository = repository(&account, confirm);
        let run = repository.run(&["sync"]).code(0);
        let is_looser = run.stdout.contains("confirm");
        assert_eq!(is_looser, confirm == "never", "{}", run.stdout);
        repository.declare("webhooks: { billing: { state: absent } }");
        repository.run(&["sync"]).code(0);
        assert!(account.names().is_empty());
    }
}

#[cfg(unix)]
mod on_a_terminal {
    use super::*;
    use crate::terminal::Terminal;

    fn answered(repository: &Repository, answer: &str, expected: i32) {
        let mut terminal = Terminal::start(repository.command(&["sync"]));
        terminal.shows("Apply this plan? [y/N] ");
        terminal.writes(answer);
        let (status, shown) = terminal.end();
        assert_eq!(status, expected, "{shown}");
    }

    #[test]
    fn each_plan_is_asked_about_if_all_are() {
        let account = Account::new();
        let repository = repository(&account, "always");
        answered(&repository, "n", 5);
        assert!(account.names().is_empty());
        answered(&repository, "y", 0);
        assert_eq!(account.names(), ["Billing"]);
        let terminal = Terminal::start(repository.command(&["sync"]));
        assert_eq!(terminal.end().0, 0, "nothing to ask about");
    }

    #[test]
    fn not_even_a_delete_is_asked_about_if_none_is() {
        let account = Account::new();
        let repository = repository(&account, "never");
        repository.run(&["sync"]).code(0);
        repository.declare("webhooks: { billing: { state: absent } }");
        let terminal = Terminal::start(repository.command(&["sync"]));
        let (status, shown) = terminal.end();
        assert_eq!(status, 0, "{shown}");
        assert!(account.names().is_empty());
    }
}
