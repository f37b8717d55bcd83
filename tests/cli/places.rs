//! Links, folders, and repositories that lead elsewhere.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::harness::{Account, BILLING, Repository, Run};

const OTHER: &str = "webhooks: { other: { url: 'https://o.example.com', actions: all } }\n";

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A run in a folder of the repository.
fn run_in(repository: &Repository, folder: &str, arguments: &[&str]) -> Run {
    let mut command = repository.command(arguments);
    Run::of(
        command
            .current_dir(repository.path(folder))
            .output()
            .unwrap(),
    )
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_declaration_outside_of_the_repository_is_refused() {
    let outside = Repository::with(OTHER);
    let repository = Repository::with(BILLING);
    symlink(
        outside.path("webhooks.d/all.yaml"),
        repository.path("webhooks.d/more.yaml"),
    )
    .unwrap();
    repository
        .run(&["validate"])
        .code(1)
        .complains("error[link-outside]")
        .complains("webhooks.d/more.yaml")
        .complains("--dir");
    fs::remove_file(repository.path("webhooks.d/more.yaml")).unwrap();
    // Within the repository a link may lead anywhere.
    repository.write("common/more.yaml", OTHER);
    symlink(
        "../common/more.yaml",
        repository.path("webhooks.d/more.yaml"),
    )
    .unwrap();
    repository.run(&["validate"]).code(0).shows("2 webhooks");
    repository.write("project/webhooks.d/a.yaml", BILLING);
    symlink(
        "../../common/more.yaml",
        repository.path("project/webhooks.d/b.yaml"),
    )
    .unwrap();
    run_in(&repository, "project", &["validate"])
        .code(1)
        .complains("link-outside");
    fs::create_dir(repository.path(".git")).unwrap();
    run_in(&repository, "project", &["validate"])
        .code(0)
        .shows("2 webhooks");

    // The folder itself, by a link of the repository and by a flag.
    let linked = Repository::new();
    symlink(outside.path("webhooks.d"), linked.path("webhooks.d")).unwrap();
    linked.run(&["validate"]).code(1).complains("link-outside");
    linked
        .run(&["--dir", "webhooks.d", "validate"])
        .code(0)
        .shows("1 webhook");
    linked.write("hookctl.yaml", "webhooks_dir: webhooks.d\n");
    linked.run(&["validate"]).code(1).complains("link-outside");
}

#[test]
fn volumes_of_kubernetes_and_work_trees_of_git_sync_keep_working() {
    let volume = Repository::new();
    volume.write("etc/..one/a.yaml", BILLING);
    volume.write("etc/..one/hookctl.yaml", "webhooks_dir: webhooks.d\n");
    symlink("..one", volume.path("etc/..data")).unwrap();
    symlink("..data/a.yaml", volume.path("etc/a.yaml")).unwrap();
    symlink("..data/hookctl.yaml", volume.path("etc/hookctl.yaml")).unwrap();
    let config = volume.path("etc/hookctl.yaml");
    let config = config.to_str().unwrap();
    let run = volume.run(&["--config", config, "--dir", "etc", "validate"]);
    run.code(1).complains("unknown");
    fs::remove_file(volume.path("etc/hookctl.yaml")).unwrap();
    volume
        .run(&["--dir", "etc", "validate"])
        .code(0)
        .shows("1 webhook");

    let synced = Repository::new();
    synced.write(".worktrees/one/hookctl.yaml", "webhooks_dir: hooks\n");
    synced.write(".worktrees/one/hooks/a.yaml", BILLING);
    symlink(".worktrees/one", synced.path("current")).unwrap();
    synced
        .run(&["--config", "current/hookctl.yaml", "validate"])
        .code(0)
        .shows("1 webhook");
    synced
        .run(&["--dir", "current/hooks", "validate"])
        .code(0)
        .shows("1 webhook");
}

#[test]
fn nothing_of_the_record_is_opened_through_a_link() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    for name in [
        "db",
        "db/db",
        "db/conf",
        "db/snap.0000000000000001",
        "db/blobs",
        "db/blobs/1",
        "db.making",
        "generation",
        "lock",
        ".gitignore",
        "sandbox",
    ] {
        let path = repository.path(&format!(".hookctl/{name}"));
        let kept = repository.path("kept");
        let was = fs::symlink_metadata(&path).is_ok();
        if was {
            fs::rename(&path, &kept).unwrap();
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        repository.write("victim/file", "theirs");
        // To what it was, to another file, nowhere, and to itself.
        for target in ["kept", "victim/file", "victim", "nowhere"] {
            symlink(repository.path(target), &path).unwrap();
            for arguments in [&["--dry-run"][..], &[]] {
                let run = repository.sync(&account, arguments);
                assert_eq!(run.status, 1, "{name} -> {target}: {}", run.stdout);
                let text = run.stderr;
                assert!(
                    text.contains("not a regular file") || text.contains("is a link"),
                    "{name} -> {target}: {text}"
                );
            }
            fs::remove_file(&path).unwrap();
        }
        assert!(!repository.path("nowhere").exists());
        symlink(path.file_name().unwrap(), &path).unwrap();
        repository.sync(&account, &[]).code(1);
        fs::remove_file(&path).unwrap();
        assert_eq!(
            fs::read_to_string(repository.path("victim/file")).unwrap(),
            "theirs"
        );
        assert_eq!(
            mode(&repository.path("victim/file")) & 0o077,
            0o044,
            "{name}"
        );
        if was {
            fs::rename(&kept, &path).unwrap();
        }
    }
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_hard_link_and_a_fifo_are_not_opened_either() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.write("victim", "theirs");
    for name in ["lock", "generation", "db/db", "db/conf", ".gitignore"] {
        let path = repository.path(&format!(".hookctl/{name}"));
        fs::rename(&path, repository.path("kept")).unwrap();
        fs::hard_link(repository.path("victim"), &path).unwrap();
        repository
            .sync(&account, &[])
            .code(1)
            .complains("hard link");
        fs::remove_file(&path).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let output = repository.command(&["sync", "--sandbox"]).output().unwrap();
        Run::of(output).code(1).complains("not a regular file");
        fs::remove_file(&path).unwrap();
        fs::rename(repository.path("kept"), &path).unwrap();
    }
    assert_eq!(
        fs::read_to_string(repository.path("victim")).unwrap(),
        "theirs"
    );
    repository.sync(&account, &[]).code(0);
}

#[test]
fn a_link_of_a_record_is_damage_that_a_repair_moves_aside() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    fs::rename(repository.path(".hookctl/db"), repository.path("elsewhere")).unwrap();
    symlink("../elsewhere", repository.path(".hookctl/db")).unwrap();
    let url = account.sandbox.base_url();
    repository
        .sync(&account, &[])
        .code(1)
        .complains("record repair");
    repository
        .run(&["--api-url", &url, "record", "repair"])
        .code(0);
    repository.sync(&account, &[]).code(0).shows("1 adopted");
    assert!(repository.path("elsewhere/db").is_file());
}

#[test]
fn the_folder_of_the_record_is_a_link_only_if_a_flag_named_it() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let elsewhere = Repository::new();
    symlink(elsewhere.path(""), repository.path(".hookctl")).unwrap();
    for arguments in [&["--dry-run"][..], &[]] {
        let run = repository.sync(&account, arguments).code(1);
        run.complains("it is a link").complains("--cache-dir");
    }
    repository.run(&["record", "show"]).code(1);
    repository.run(&["sync", "--sandbox"]).code(1);
    assert_eq!(fs::read_dir(elsewhere.path("")).unwrap().count(), 0);
    repository
        .sync(&account, &["--cache-dir", ".hookctl"])
        .code(0);
    assert!(elsewhere.path("db").is_dir());

    // A link on the way to it.
    fs::remove_file(repository.path(".hookctl")).unwrap();
    let other = Repository::new();
    symlink(other.path(""), repository.path("state")).unwrap();
    repository.write("hookctl.yaml", "cache_dir: state/record\n");
    repository
        .sync(&account, &[])
        .code(1)
        .complains("is a link that leads out");
    assert_eq!(fs::read_dir(other.path("")).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_neither_empty_nor_a_record_is_refused() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("src/main.rs", "fn main() {}");
    repository.write("rails/db/schema.rb", "");
    repository.write("rails/app.rb", "");
    fs::set_permissions(repository.path("src"), fs::Permissions::from_mode(0o755)).unwrap();
    for folder in ["src", "rails", ".", "webhooks.d"] {
        repository.write("hookctl.yaml", &format!("cache_dir: {folder}\n"));
        let before = repository.path(folder);
        let names = || fs::read_dir(&before).unwrap().count();
        let count = names();
        for arguments in [&["--dry-run"][..], &[], &["--sandbox"]] {
            let run = repository.sync(&account, arguments).code(1);
            run.complains("it contains other files");
        }
        repository.run(&["record", "repair"]).code(1);
        assert_eq!(names(), count, "{folder}");
    }
    assert_eq!(mode(&repository.path("src")), 0o755);

    // A volume of its own, whose rights are not ours to change.
    repository.write("hookctl.yaml", "cache_dir: volume\n");
    fs::create_dir_all(repository.path("volume/lost+found")).unwrap();
    fs::set_permissions(
        repository.path("volume"),
        fs::Permissions::from_mode(0o2775),
    )
    .unwrap();
    repository.sync(&account, &[]).code(0);
    assert_eq!(mode(&repository.path("volume")), 0o2775);
    assert_eq!(mode(&repository.path("volume/generation")), 0o600);
    assert_eq!(mode(&repository.path("volume/db")), 0o700);
    // Whatever is damaged, a record is one by its names, beside which there may be others.
    repository.write("volume/notes.txt", "mine");
    fs::set_permissions(
        repository.path("volume/notes.txt"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    repository.write("volume/db/db", "");
    let url = account.sandbox.base_url();
    repository
        .sync(&account, &[])
        .code(1)
        .complains("record repair");
    repository
        .run(&["--api-url", &url, "record", "repair"])
        .code(0);
    repository.sync(&account, &[]).code(0).shows("1 adopted");
    assert_eq!(mode(&repository.path("volume/notes.txt")), 0o644);
}

#[test]
fn a_record_that_git_tracks_is_refused() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    git(&repository.path(""), &["init", "-q"]);
    repository.sync(&account, &[]).code(0);
    git(&repository.path(""), &["add", "-f", ".hookctl/generation"]);
    for arguments in [&["--dry-run"][..], &[]] {
        let run = repository.sync(&account, arguments).code(1);
        run.complains("Git tracks files of the local record")
            .complains("git rm -r --cached");
    }
    // Without Git the index itself tells.
    let url = account.sandbox.base_url();
    let mut without = repository.command(&["--api-url", &url, "sync", "--dry-run"]);
    let output = without.env("PATH", "/nowhere").output().unwrap();
    Run::of(output).code(1).complains("Git tracks files");
    // By another name of the folder, and through a file that points to the Git directory.
    repository.write("hookctl.yaml", "cache_dir: ./.hookctl/.\n");
    fs::rename(repository.path(".git"), repository.path("moved")).unwrap();
    fs::write(repository.path(".git"), "gitdir: moved\n").unwrap();
    for path in [std::env::var_os("PATH").unwrap(), "/nowhere".into()] {
        let mut named = repository.command(&["--api-url", &url, "sync", "--dry-run"]);
        let output = named.env("PATH", path).output().unwrap();
        Run::of(output).code(1).complains("Git tracks files");
    }
    fs::remove_file(repository.path("hookctl.yaml")).unwrap();
    fs::remove_file(repository.path(".git")).unwrap();
    fs::rename(repository.path("moved"), repository.path(".git")).unwrap();
    git(&repository.path(""), &["rm", "-rq", "--cached", ".hookctl"]);
    repository.sync(&account, &[]).code(0);
}

#[test]
fn a_configuration_above_the_working_directory_counts_up_to_the_root() {
    let repository = Repository::new();
    repository.write("hookctl.yaml", "webhooks_dir: nowhere\n");
    repository.write("inner/webhooks.d/a.yaml", BILLING);
    let validate = || run_in(&repository, "inner", &["validate"]);
    validate().code(1).complains("missing-folder");
    let open = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(repository.path("hookctl.yaml"), mode).unwrap();
    };
    open(0o666);
    validate()
        .code(1)
        .complains("other users can write it")
        .complains("--config");
    let named = ["--config", "../hookctl.yaml", "validate"];
    run_in(&repository, "inner", &named)
        .code(1)
        .complains("missing-folder");
    repository
        .run(&["validate"])
        .code(1)
        .complains("missing-folder");
    fs::write(repository.path("inner/.git"), "gitdir: /nowhere\n").unwrap();
    validate().code(0).shows("1 webhook");
}

/// A Git directory whose settings run a program wherever Git lets them.
fn hostile(folder: &Path, marker: &Path) {
    let program = folder.join("run");
    let script = format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", marker.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.display();
    let settings = format!(
        "[core]\n repositoryformatversion = 0\n bare = false\n fsmonitor = {program}\n \
         hooksPath = {hooks}\n pager = {program}\n sshCommand = {program}\n askPass = {program}\n \
         attributesFile = {attributes}\n editor = {program}\n\
         [diff]\n external = {program}\n[diff \"evil\"]\n textconv = {program}\n command = {program}\n\
         [filter \"evil\"]\n clean = {program}\n smudge = {program}\n process = {program}\n required = true\n\
         [filter \"a=b.c\"]\n clean = {program}\n\
         [alias]\n ls-files = !{program}\n cat-file = !{program}\n rev-parse = !{program}\n\
         [gpg]\n program = {program}\n[log]\n showSignature = true\n\
         [remote \"origin\"]\n url = ssh://nowhere/x\n promisor = true\n uploadpack = {program}\n\
         [extensions]\n partialClone = origin\n[protocol]\n allow = always\n",
        hooks = folder.join("hooks").display(),
        attributes = folder.join("attributes").display(),
    );
    fs::write(folder.join("config"), settings).unwrap();
    let attributes = "* filter=evil diff=evil\n*.yaml filter=a=b.c\nall.yaml filter=evil\n";
    for file in ["attributes", "info/attributes"] {
        fs::create_dir_all(folder.join("info")).unwrap();
        fs::write(folder.join(file), attributes).unwrap();
    }
    fs::create_dir_all(folder.join("hooks")).unwrap();
    for hook in [
        "post-index-change",
        "post-checkout",
        "fsmonitor-watchman",
        "reference-transaction",
    ] {
        fs::copy(folder.join("run"), folder.join("hooks").join(hook)).unwrap();
    }
}

#[test]
fn no_setting_of_a_repository_runs_a_program() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let root = repository.path("");
    git(&root, &["init", "-q"]);
    git(&root, &["add", "webhooks.d"]);
    git(&root, &["commit", "-qm", "one"]);
    let marker = repository.path("ran");
    hostile(&repository.path(".git"), &marker);
    repository.write(
        "webhooks.d/.gitattributes",
        "*.yaml filter=evil diff=evil\n",
    );
    // The trap works: a Git that is called as people call it runs it.
    repository.declare(&format!("{BILLING}    timeout_seconds: 20\n"));
    let status = Command::new("git")
        .args(["status"])
        .current_dir(&root)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output();
    status.unwrap();
    assert!(marker.exists(), "no trap");
    fs::remove_file(&marker).unwrap();

    let url = account.sandbox.base_url();
    let history = ["--api-url", &url, "record", "history", "--output", "json"];
    repository.sync(&account, &[]).code(0);
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());
    let document = repository.run(&history).code(0).json();
    assert_eq!(document["entries"][0]["provenance"]["modified"], true);
    // An object that is missing is not fetched.
    repository.declare(&format!("{BILLING}    timeout_seconds: 21\n"));
    fs::remove_dir_all(repository.path(".git/objects")).unwrap();
    fs::create_dir_all(repository.path(".git/objects")).unwrap();
    repository.sync(&account, &[]).code(0);
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());

    // A file that points to a Git directory among the files of the checkout.
    fs::rename(repository.path(".git"), repository.path("embedded")).unwrap();
    hostile(&repository.path("embedded"), &marker);
    fs::write(repository.path(".git"), "gitdir: embedded\n").unwrap();
    repository.declare(&format!("{BILLING}    timeout_seconds: 22\n"));
    repository.sync(&account, &[]).code(0);
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());
}

#[test]
fn a_bare_repository_among_the_files_is_no_repository() {
    let (account, repository) = (Account::new(), Repository::new());
    let root = repository.path("");
    git(&root, &["init", "-q"]);
    fs::create_dir(repository.path("sub")).unwrap();
    git(&repository.path("sub"), &["init", "-q", "--bare"]);
    let marker = repository.path("ran");
    hostile(&repository.path("sub"), &marker);
    repository.write("sub/webhooks.d/all.yaml", BILLING);
    let url = account.sandbox.base_url();
    run_in(&repository, "sub", &["--api-url", &url, "sync"]).code(0);
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());
}

#[test]
fn git_is_never_taken_from_the_checkout() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    let root = repository.path("");
    git(&root, &["init", "-q"]);
    git(&root, &["add", "webhooks.d"]);
    git(&root, &["commit", "-qm", "one"]);
    for folder in ["", "bin/"] {
        let program = repository.path(&format!("{folder}git"));
        repository.write(
            &format!("{folder}git"),
            "#!/bin/sh\ntouch \"${0%/*}/ran\"\n",
        );
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
    let inside = repository.path("bin");
    let bad = format!(".:bin::{}:{path}", inside.to_str().unwrap());
    repository.set("PATH", &bad);
    repository.sync(&account, &[]).code(0);
    assert!(!repository.path("ran").exists() && !repository.path("bin/ran").exists());
    let url = account.sandbox.base_url();
    let history = ["--api-url", &url, "record", "history", "--output", "json"];
    let document = repository.run(&history).code(0).json();
    assert_eq!(document["entries"][0]["provenance"]["author"], "A");
}

/// As in a container: the files belong to another user than the one that runs.
#[test]
fn files_of_another_user_keep_working() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let root = repository.path("");
    git(&root, &["init", "-q"]);
    git(&root, &["add", "webhooks.d"]);
    git(&root, &["commit", "-qm", "one"]);
    let chown = Command::new("chown")
        .args(["-R", "12345"])
        .arg(&root)
        .status();
    if !chown.is_ok_and(|status| status.success()) {
        // Only root can give files away.
        return;
    }
    repository.sync(&account, &[]).code(0);
    let url = account.sandbox.base_url();
    let history = ["--api-url", &url, "record", "history", "--output", "json"];
    let document = repository.run(&history).code(0).json();
    assert_eq!(document["entries"][0]["provenance"]["modified"], false);
    fs::create_dir(repository.path("deep")).unwrap();
    repository.write("hookctl.yaml", "prune: false\n");
    let arguments = ["--api-url", &url, "sync", "--dry-run"];
    // From a folder of our own, their configuration must be named: any user may have made what is above.
    run_in(&repository, "deep", &arguments)
        .code(1)
        .complains("belongs to another user")
        .complains("--config");
    let named = [&["--config", "../hookctl.yaml"], &arguments[..]].concat();
    run_in(&repository, "deep", &named)
        .code(0)
        .shows("No changes.");
    for folder in [".hookctl", "deep"] {
        let chown = Command::new("chown")
            .args(["-R", "12345"])
            .arg(repository.path(folder))
            .status();
        assert!(chown.unwrap().success());
    }
    // From one of theirs, it is their repository.
    run_in(&repository, "deep", &arguments)
        .code(0)
        .shows("No changes.");
    repository.sync(&account, &[]).code(0);
}

#[test]
fn a_record_that_is_a_submodule_is_refused() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.write(".hookctl/.git", "gitdir: ../.git/modules/record\n");
    repository
        .sync(&account, &[])
        .code(1)
        .complains("which came with the files");
    assert!(account.requests().is_empty());
}
