//! What installs and runs hookctl elsewhere: the installer, the action with a stub of `gh`, and the jobs that `init` writes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{API_KEY, Account, BILLING, Repository};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A job: a repository, and the programs, files, and variables of a runner.
struct Job {
    account: Account,
    repository: Repository,
    runner: tempfile::TempDir,
}

impl Job {
    fn new() -> Self {
        let (account, repository) = (Account::new(), Repository::new());
        repository.write("webhooks.d/billing.yaml", BILLING);
        let job = Self {
            account,
            repository,
            runner: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(job.at("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hookctl"), job.at("bin/hookctl")).unwrap();
        // Answers the list of comments with the content of a file, and writes down every call and body.
        job.program(
            "gh",
            "#!/bin/sh\n\
             printf '%s\\n' \"$*\" >>\"$RUNNER/calls\"\n\
             case $* in *--paginate*) cat \"$RUNNER/comments\" 2>/dev/null || true; exit 0 ;; esac\n\
             for argument; do case $argument in body=@*) cat \"${argument#body=@}\" >\"$RUNNER/body\" ;; esac; done\n",
        );
        job
    }

    fn at(&self, name: &str) -> PathBuf {
        self.runner.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.at("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Runs the last step of the action.
    fn step(&self, variables: &[(&str, &str)]) -> Output {
        for name in ["calls", "body", "summary", "output"] {
            fs::write(self.at(name), "").unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", self.at("bin").display());
        let mut command = Command::new("bash");
        command
            .arg(Path::new(ROOT).join("dist/action/run.sh"))
            .current_dir(self.repository.path(""))
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.runner.path())
            .env("RUNNER", self.runner.path())
            .env("GITHUB_STEP_SUMMARY", self.at("summary"))
            .env("GITHUB_OUTPUT", self.at("output"))
            .env("GITHUB_REPOSITORY", "team/webhooks")
            .env("GITHUB_REF", "refs/heads/main")
            .env("GITHUB_SHA", "0123")
            .env("HEAD_REPOSITORY", "team/webhooks")
            .env("HOOKCTL_API_URL", self.account.sandbox.base_url())
            .env("INTERACTLY_API_KEY", API_KEY)
            .envs(variables.iter().copied());
        command.output().unwrap()
    }
}

fn code(output: &Output) -> i32 {
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    output
        .status
        .code()
        .unwrap_or_else(|| panic!("{shown}{failed}"))
}

#[test]
fn a_pull_request_keeps_one_comment_and_a_fork_is_only_validated() {
    let job = Job::new();
    let plan = [("INPUT_COMMAND", "plan"), ("PULL_REQUEST", "7")];
    let run = job.step(&plan);
    assert_eq!(code(&run), 0, "{run:?}");
    let (calls, body) = (job.written("calls"), job.written("body"));
    assert!(
        calls.contains("POST repos/team/webhooks/issues/7/comments"),
        "{calls}"
    );
    assert!(
        body.starts_with("<!-- hookctl default -->\n**Plan: 1 to create"),
        "{body}"
    );
    assert!(job.written("output").contains("changes=true"));
    assert!(job.written("summary").contains("Plan: 1 to create"));

    // Many matches: the first is updated, although the list does not end there.
    fs::write(job.at("comments"), "41\n42\n".repeat(50_000)).unwrap();
    job.step(&plan);
    let calls = job.written("calls");
    assert!(
        calls.contains("PATCH repos/team/webhooks/issues/comments/41 "),
        "{calls}"
    );

    // Errors replace the plan of an earlier push.
    job.repository
        .write("webhooks.d/billing.yaml", "webhooks: { a: 1 }\n");
    let run = job.step(&plan);
    assert_eq!(code(&run), 1, "{run:?}");
    assert!(job.written("body").contains("the files have errors"));
    assert!(String::from_utf8_lossy(&run.stdout).contains("::error file=webhooks.d/billing.yaml"));

    job.repository.write("webhooks.d/billing.yaml", BILLING);
    job.account.requests();
    let fork = [
        ("INPUT_COMMAND", "plan"),
        ("PULL_REQUEST", "7"),
        ("HEAD_REPOSITORY", "stranger/webhooks"),
        ("INTERACTLY_API_KEY", ""),
    ];
    assert_eq!(code(&job.step(&fork)), 0);
    assert_eq!(job.written("calls"), "");
    assert_eq!(job.account.requests(), [""; 0]);
}

#[test]
fn a_saved_plan_is_applied_by_another_step_and_drift_fails() {
    let job = Job::new();
    let plan = [("INPUT_COMMAND", "plan"), ("INPUT_PLAN_FILE", "plan.json")];
    assert_eq!(code(&job.step(&plan)), 0);
    assert!(job.written("output").contains("/plan.json\n"));
    let apply = [
        ("INPUT_COMMAND", "apply"),
        ("INPUT_PLAN_FILE", "plan.json"),
        ("INPUT_UNSEEN_TOKENS", "apply"),
    ];
    let run = job.step(&apply);
    assert_eq!(code(&run), 0, "{run:?}");
    assert!(job.written("summary").contains("Applied: 1 created"));
    // The plan was applied once.
    assert_eq!(code(&job.step(&apply)), 5);
    let drift = [("INPUT_COMMAND", "drift")];
    assert_eq!(code(&job.step(&drift)), 0);
    let edited = BILLING.replace("completed]", "completed, workflow_run_started]");
    job.repository.write("webhooks.d/billing.yaml", &edited);
    assert_eq!(code(&job.step(&drift)), 2);
}

#[test]
fn inputs_are_data() {
    let job = Job::new();
    let target = "$(touch pwned)";
    let run = job.step(&[("INPUT_COMMAND", "plan"), ("INPUT_TARGET", target)]);
    assert_eq!(code(&run), 64);
    let run = job.step(&[("INPUT_COMMAND", "plan; touch pwned")]);
    assert_eq!(code(&run), 64);
    let hostile = [
        ("INPUT_COMMAND", "apply"),
        ("INPUT_PLAN_FILE", "--force $(touch pwned)"),
        ("INPUT_UNSEEN_TOKENS", "apply --force"),
    ];
    assert_ne!(code(&job.step(&hostile)), 0);
    assert!(!job.repository.path("pwned").exists());
}

#[test]
fn the_installer_refuses_a_wrong_checksum_and_keeps_the_archive() {
    let job = Job::new();
    let (release, bin) = (job.at("release"), job.at("installed"));
    let target = "x86_64-unknown-linux-musl";
    let folder = release.join(format!("hookctl-{target}"));
    fs::create_dir_all(&folder).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_hookctl"), folder.join("hookctl")).unwrap();
    let archive = format!("hookctl-{target}.tar.gz");
    let shell = |script: &str| {
        let output = Command::new("sh")
            .arg("-ec")
            .arg(script)
            .current_dir(&release)
            .output();
        output.unwrap()
    };
    let made = shell(&format!(
        "tar -czf {archive} hookctl-{target} && sha256sum {archive} >SHA256SUMS"
    ));
    assert!(made.status.success(), "{made:?}");
    let install = |variables: &[(&str, &str)]| {
        let mut command = Command::new("sh");
        command
            .arg(Path::new(ROOT).join("dist/install.sh"))
            .env("HOOKCTL_REPOSITORY", "owner/name")
            .env("HOOKCTL_VERSION", "v0.1.0")
            .env("HOOKCTL_TARGET", target)
            .env("HOOKCTL_INSTALL_DIR", &bin)
            .env("HOOKCTL_ARCHIVES", job.at("archives"))
            .env(
                "HOOKCTL_DOWNLOAD_URL",
                format!("file://{}", release.display()),
            )
            .envs(variables.iter().copied());
        command.output().unwrap()
    };
    let done = install(&[]);
    assert!(done.status.success(), "{done:?}");
    assert!(bin.join("hookctl").exists());
    // A damaged archive that was kept is fetched again; a wrong one at the source is refused.
    fs::write(job.at("archives").join(&archive), "damaged").unwrap();
    assert!(install(&[]).status.success());
    fs::remove_file(bin.join("hookctl")).unwrap();
    fs::write(release.join(&archive), "another").unwrap();
    fs::write(job.at("archives").join(&archive), "damaged").unwrap();
    let refused = install(&[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not match SHA256SUMS"));
    assert!(!bin.join("hookctl").exists());
    // A script of a checkout names no repository.
    let unknown = install(&[("HOOKCTL_REPOSITORY", "")]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("set HOOKCTL_REPOSITORY"));
}

#[test]
fn init_writes_the_whole_action_and_jobs_for_gitlab() {
    let (account, url) = {
        let account = Account::new();
        let url = account.sandbox.base_url();
        (account, url)
    };
    let github = Repository::new();
    let init = |ci| ["--api-url", url.as_str(), "init", "--no-import", "--ci", ci];
    github.run(&init("github")).code(0);
    let workflow = fs::read_to_string(github.path(".github/workflows/hookctl.yml")).unwrap();
    let version = format!("HOOKCTL_VERSION: v{}\n", env!("CARGO_PKG_VERSION"));
    assert!(workflow.contains(&version), "{workflow}");
    // Every file that the action runs is there.
    let action = fs::read_to_string(github.path(".github/actions/hookctl/action.yml")).unwrap();
    let mut scripts = 0;
    for script in action.split("$GITHUB_ACTION_PATH/").skip(1) {
        let script = script.split('"').next().unwrap();
        assert!(
            github.path(".github/actions/hookctl").join(script).exists(),
            "{script}"
        );
        scripts += 1;
    }
    assert_eq!(scripts, 3);
    assert!(
        github
            .path(".github/actions/hookctl/dist/install.sh")
            .exists()
    );

    let gitlab = Repository::new();
    gitlab.run(&init("gitlab")).code(0);
    let jobs = fs::read_to_string(gitlab.path(".gitlab/ci/hookctl.yml")).unwrap();
    assert!(
        jobs.contains(&version) && jobs.contains(&format!("HOOKCTL_API_URL: \"{url}")),
        "{jobs}"
    );
    let included = "include: [{ local: .gitlab/ci/hookctl.yml }]\n";
    assert_eq!(
        fs::read_to_string(gitlab.path(".gitlab-ci.yml")).unwrap(),
        included
    );

    let existing = Repository::new();
    existing.write(".gitlab-ci.yml", "stages: [test]\n");
    let run = existing.run(&init("gitlab"));
    run.code(0)
        .complains("Add to .gitlab-ci.yml: include: [{ local");
    let kept = fs::read_to_string(existing.path(".gitlab-ci.yml")).unwrap();
    assert_eq!(kept, "stages: [test]\n");
    drop(account);
}
