//! Changes of the files that loosen the settings protecting an account are shown with the plan.

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, Run};
use crate::safety::settings;

/// Git, in a repository.
fn git(repository: &Repository, arguments: &[&str]) {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(arguments)
        .current_dir(repository.path(""))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_plan_says_what_a_change_of_files_did_to_its_settings() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let git = |arguments: &[&str]| git(&repository, arguments);
    let shown = || settings(&repository.plan(&account, &[]).1);
    git(&["init", "-q", "-b", "main"]);
    repository.write(
        "hookctl.yaml",
        "plaintext_secrets: deny\nsafety: { max_update_count: 50 }\n",
    );
    git(&["add", "hookctl.yaml"]);
    git(&["commit", "-qm", "one"]);
    // The first commit has none before it.
    assert_eq!(shown(), ["safety.max_update_count 50 hookctl.yaml:2 -"]);
    let now = "# more\nsafety: { max_update_count: 50, max_delete_count: 9 }\n";
    repository.write("hookctl.yaml", now);
    let changed = [
        "safety.max_delete_count 9 hookctl.yaml:2 3",
        "safety.max_update_count 50 hookctl.yaml:2 -",
        "plaintext_secrets warn - deny",
    ];
    // In the work tree, in a commit, and on a branch of several.
    assert_eq!(shown(), changed);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(&["commit", "-qam", "two"]);
    assert_eq!(shown(), changed);
    git(&["commit", "-q", "--allow-empty", "-m", "three"]);
    assert_eq!(shown(), changed);
    repository
        .sync(&account, &["--dry-run"])
        .shows("safety.max_update_count: 50 (default 10; unchanged)")
        .shows("plaintext_secrets: warn (the default; changed from deny)");
    // What the work tree has beside does not hide what the branch did.
    repository.write("hookctl.yaml", &format!("{now}# more\n"));
    assert_eq!(shown(), changed);
    repository.write("hookctl.yaml", now);
    // Once it is on the trunk, only what is not the default is left.
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(
        shown(),
        [
            "safety.max_delete_count 9 hookctl.yaml:2 -",
            "safety.max_update_count 50 hookctl.yaml:2 -",
        ]
    );
}

#[test]
fn what_held_before_is_what_would_have_been_found_then() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let git = |arguments: &[&str]| git(&repository, arguments);
    let strict = "plaintext_secrets: deny\nsafety: { max_update_count: 5 }\n";
    let remove = |name: &str| std::fs::remove_file(repository.path(name)).unwrap();
    let plan = || repository.plan(&account, &[]).1;
    let lost = [
        "safety.max_update_count 10 - 5",
        "plaintext_secrets warn - deny",
    ];
    git(&["init", "-q", "-b", "main"]);
    repository.write("hookctl.yaml", strict);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(settings(&plan()), [""; 0]);

    remove("hookctl.yaml");
    assert_eq!(settings(&plan()), lost, "taken away");
    repository
        .sync(&account, &["--dry-run"])
        .shows("plaintext_secrets: warn (the default; changed from deny)");
    repository.write("hookctl.yml", "prune: false\n");
    assert_eq!(settings(&plan()), lost, "under another name");
    remove("hookctl.yml");
    repository.write("inner/hookctl.yaml", "webhooks_dir: hooks\n");
    repository.write("inner/hooks/all.yaml", BILLING);
    repository.write("hookctl.yaml", strict);
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "sync", "--dry-run", "--output", "json"];
    let mut nearer = repository.command(&arguments);
    let output = nearer.current_dir(repository.path("inner")).output();
    let nearer = Run::of(output.unwrap()).code(0).json();
    assert_eq!(settings(&nearer), lost, "a nearer one");

    // What was no file, or not valid, cannot be compared.
    for (before, why) in [
        (
            "safety: [\n",
            "before this change: hookctl.yaml was invalid",
        ),
        (
            "",
            "before this change: it had both hookctl.yaml and hookctl.yml",
        ),
    ] {
        repository.write("hookctl.yaml", before);
        if before.is_empty() {
            repository.write("hookctl.yml", before);
        }
        git(&["add", "hookctl.*"]);
        git(&["commit", "-qm", "worse"]);
        git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        if before.is_empty() {
            remove("hookctl.yml");
        }
        repository.write("hookctl.yaml", "# nothing\n");
        for output in ["human", "markdown"] {
            let arguments = ["--dry-run", "--output", output];
            repository.sync(&account, &arguments).code(0).shows(why);
        }
        let plan = plan();
        conforms(&validator("plan-v1.schema.json"), &plan);
        let reported = plan
            .get("settings_unread")
            .and_then(|reported| reported.as_str());
        assert!(why.ends_with(reported.unwrap_or("?")), "{plan}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_was_before_is_followed_in_the_repository() {
    use std::os::unix::fs::symlink;

    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let git = |arguments: &[&str]| git(&repository, arguments);
    let remove = |name: &str| std::fs::remove_file(repository.path(name)).unwrap();
    git(&["init", "-q", "-b", "main"]);
    repository.write("ops/h.yaml", "plaintext_secrets: deny\n");
    symlink("ops/h.yaml", repository.path("hookctl.yaml")).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let plan = || repository.plan(&account, &[]).1;
    assert_eq!(settings(&plan()), [""; 0]);
    remove("hookctl.yaml");
    repository.write("hookctl.yaml", "# nothing\n");
    assert_eq!(settings(&plan()), ["plaintext_secrets warn - deny"]);

    remove("hookctl.yaml");
    symlink("../outside.yaml", repository.path("hookctl.yaml")).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "two"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    remove("hookctl.yaml");
    repository
        .sync(&account, &["--dry-run"])
        .code(0)
        .shows("hookctl.yaml was not a file of the repository");
}

const STRICT: &str = "plaintext_secrets: deny\n";
const LOST: &str = "plaintext_secrets warn - deny";

/// A repository whose trunk is strict, in a folder of its own, and a branch that is checked out.
fn strict(folder: &str) -> (Account, Repository) {
    let (account, repository) = (Account::new(), Repository::new());
    repository.write(&format!("{folder}/hookctl.yaml"), STRICT);
    repository.write(&format!("{folder}/webhooks.d/all.yaml"), BILLING);
    git(&repository, &["init", "-q", "-b", "main"]);
    commit(&repository);
    git(&repository, &["checkout", "-q", "-b", "change"]);
    (account, repository)
}

fn commit(repository: &Repository) {
    git(repository, &["add", "-A"]);
    git(
        repository,
        &["commit", "-q", "--allow-empty", "-m", "change"],
    );
}

/// The plan of a folder, with these variables of a CI system.
fn plan(
    account: &Account,
    repository: &Repository,
    folder: &str,
    variables: &[(&str, &str)],
) -> serde_json::Value {
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "sync", "--dry-run", "--output", "json"];
    let folder = repository.path(folder);
    let mut command = repository.command(&arguments);
    command.current_dir(&folder).env("PWD", &folder);
    let output = command.envs(variables.iter().copied()).output();
    Run::of(output.unwrap()).code(0).json()
}

fn unread(plan: &serde_json::Value) -> &str {
    let reported = plan
        .get("settings_unread")
        .and_then(|reported| reported.as_str());
    reported.unwrap_or_default()
}

/// Loosens the settings, and moves on by another commit.
fn weaken(repository: &Repository, folder: &str) {
    repository.write(&format!("{folder}/hookctl.yaml"), "# nothing\n");
    commit(repository);
}

#[test]
fn attributes_that_change_the_text_hide_nothing() {
    let (account, repository) = strict("ops");
    weaken(&repository, "ops");
    repository.write(".gitattributes", "* text=auto eol=crlf ident\n");
    repository.write("ops/hookctl.yaml", "# nothing\r\n");
    let found = plan(&account, &repository, "ops", &[]);
    assert_eq!(settings(&found), [LOST]);
}

#[test]
fn a_branch_that_another_user_pushed_hides_nothing() {
    let (account, repository) = strict("ops");
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/develop", "HEAD"],
    );
    weaken(&repository, "ops");
    commit(&repository);
    for pushed in ["main", "master", "HEAD"] {
        let name = format!("refs/remotes/origin/{pushed}");
        git(&repository, &["update-ref", &name, "HEAD"]);
    }
    for variable in ["GITHUB_BASE_REF", "CI_DEFAULT_BRANCH"] {
        let found = plan(&account, &repository, "ops", &[(variable, "develop")]);
        assert_eq!(settings(&found), [LOST], "{variable}");
    }
    // One of several that tells is enough.
    let base = "refs/remotes/origin/develop";
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/master", base],
    );
    assert_eq!(settings(&plan(&account, &repository, "ops", &[])), [LOST]);
}

#[test]
fn a_folder_that_is_a_link_on_one_side_of_the_change_hides_nothing() {
    use std::os::unix::fs::symlink;

    let (account, repository) = strict("ops");
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    );
    let path = |name: &str| repository.path(name);
    std::fs::rename(path("ops"), path("new")).unwrap();
    symlink("new", path("ops")).unwrap();
    weaken(&repository, "new");
    assert_eq!(settings(&plan(&account, &repository, "ops", &[])), [LOST]);
    let found = plan(&account, &repository, "new", &[]);
    assert_eq!(unread(&found), "this folder did not exist");

    let (account, repository) = strict("real");
    let path = |name: &str| repository.path(name);
    symlink("real", path("ops")).unwrap();
    commit(&repository);
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    );
    std::fs::remove_file(path("ops")).unwrap();
    repository.write("ops/webhooks.d/all.yaml", BILLING);
    weaken(&repository, "ops");
    assert_eq!(settings(&plan(&account, &repository, "ops", &[])), [LOST]);
}

#[test]
fn a_folder_that_becomes_a_submodule_hides_nothing() {
    let (account, repository) = strict("ops");
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    );
    let inner = Repository::with(BILLING);
    git(&inner, &["init", "-q", "-b", "main"]);
    inner.write("hookctl.yaml", "# nothing\n");
    commit(&inner);
    commit(&inner);
    git(&repository, &["rm", "-rq", "ops"]);
    let from = inner.path("");
    let from = from.to_str().unwrap();
    let allow = ["-c", "protocol.file.allow=always"];
    let add = [&allow[..], &["submodule", "add", "-q", from, "ops"]].concat();
    git(&repository, &add);
    commit(&repository);
    assert_eq!(settings(&plan(&account, &repository, "ops", &[])), [LOST]);
}

#[test]
fn of_several_places_where_a_branch_left_all_count() {
    let (account, repository) = strict("ops");
    // A harmless change of long ago, merged into the trunk; and the trunk merged into the branch, its content left out.
    git(&repository, &["checkout", "-q", "--orphan", "first"]);
    weaken(&repository, "ops");
    git(&repository, &["branch", "-f", "change", "first"]);
    git(&repository, &["checkout", "-q", "main"]);
    let merge = [
        "merge",
        "-q",
        "--allow-unrelated-histories",
        "-s",
        "ours",
        "-m",
        "m",
    ];
    git(&repository, &[&merge[..], &["first"]].concat());
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/main", "main"],
    );
    git(&repository, &["checkout", "-q", "change"]);
    git(&repository, &[&merge[..], &["main^"]].concat());
    commit(&repository);
    assert_eq!(settings(&plan(&account, &repository, "ops", &[])), [LOST]);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let (account, repository) = strict("ops");
    weaken(&repository, "ops");
    commit(&repository);
    let wanted = [("GITHUB_BASE_REF", "main")];
    let found = plan(&account, &repository, "ops", &wanted);
    assert_eq!(unread(&found), "the branch main was not fetched");
    assert_eq!(unread(&plan(&account, &repository, "ops", &[])), "");

    git(&repository, &["checkout", "-q", "--orphan", "elsewhere"]);
    commit(&repository);
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/main", "main"],
    );
    let found = plan(&account, &repository, "ops", &[]);
    assert!(unread(&found).contains("no commit in common"), "{found}");
}

#[test]
fn git_that_gives_no_answer_is_no_git_that_knows_nothing() {
    let (account, repository) = strict("ops");
    git(
        &repository,
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    );
    weaken(&repository, "ops");
    // More than is read of one answer, in what is asked for.
    repository.write(
        "ops/hookctl.yaml",
        &format!("# {}\n", "x".repeat(6_000_000)),
    );
    commit(&repository);
    repository.write("ops/hookctl.yaml", "# nothing\n");
    let found = plan(&account, &repository, "ops", &[]);
    assert_eq!(unread(&found), "the output of Git was incomplete");
    conforms(&validator("plan-v1.schema.json"), &found);
}
