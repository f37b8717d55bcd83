//! What installs and runs hookctl elsewhere: the installer, the action with a stub of `gh`, and the jobs that `init` writes.

mod installer;
mod workflows;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hookctl::sandbox::Fault;
use serde_json::Value;

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
             for argument; do case $argument in\n\
             body=@*) cat \"${argument#body=@}\" >\"$RUNNER/body\" ;;\n\
             sarif=@*) base64 -d \"${argument#sarif=@}\" | gunzip >\"$RUNNER/sarif\" ;;\n\
             esac; done\n",
        );
        job
    }

    fn at(&self, name: &str) -> PathBuf {
        self.runner.path().join(name)
    }

    /// Writes a program into the PATH of the runner, in the place of another one.
    fn program(&self, name: &str, text: &str) {
        let path = self.at("bin").join(name);
        // The binary is a link, and must not be written through.
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Runs the last step of the action.
    fn step(&self, variables: &[(&str, &str)]) -> Output {
        self.step_in("", variables)
    }

    /// Runs the last step in a folder of the repository.
    fn step_in(&self, folder: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = self.script("dist/action/run.sh", variables);
        command.current_dir(self.repository.path(folder));
        command.output().unwrap()
    }

    /// A script of the action, with the variables of a runner.
    fn script(&self, script: &str, variables: &[(&str, &str)]) -> Command {
        for name in ["calls", "body", "summary", "output", "path", "sarif"] {
            fs::write(self.at(name), "").unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", self.at("bin").display());
        let mut command = Command::new("bash");
        command
            .arg(Path::new(ROOT).join(script))
            .current_dir(self.repository.path(""))
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.runner.path())
            .env("RUNNER", self.runner.path())
            .env("RUNNER_TEMP", self.runner.path())
            .env("GITHUB_STEP_SUMMARY", self.at("summary"))
            .env("GITHUB_OUTPUT", self.at("output"))
            .env("GITHUB_PATH", self.at("path"))
            .env("GITHUB_REPOSITORY", "team/webhooks")
            .env("GITHUB_REF", "refs/heads/main")
            .env("GITHUB_SHA", "0123")
            .env("GITHUB_WORKSPACE", self.repository.path(""))
            .env("HEAD_REPOSITORY", "team/webhooks")
            .env("HOOKCTL_API_URL", self.account.sandbox.base_url())
            .env("INTERACTLY_API_KEY", API_KEY)
            .envs(variables.iter().copied());
        command
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
        body.starts_with("<!-- hookctl default . hookctl.yaml -->\n**Plan: 1 to create"),
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

/// One webhook is refused.
fn refusal() -> Fault {
    Fault::Answer {
        status: 400,
        headers: Vec::new(),
        body: r#"{"message":"no"}"#.to_owned(),
    }
}

#[test]
fn a_partly_failed_apply_says_what_to_run_again() {
    let job = Job::new();
    job.account.fault("POST", 1, refusal());
    let apply = [("INPUT_COMMAND", "apply")];
    let run = job.step(&apply);
    assert_eq!(code(&run), 4, "{run:?}");
    let shown = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(shown.contains("Run the job again"), "{shown}");
    assert_eq!(code(&job.step(&apply)), 0);

    // A saved plan no longer holds after a part of it was applied, so the advice is another one.
    let job = Job::new();
    job.account.fault("POST", 1, refusal());
    let plan = [("INPUT_COMMAND", "plan"), ("INPUT_PLAN_FILE", "plan.json")];
    assert_eq!(code(&job.step(&plan)), 0);
    let apply = [("INPUT_COMMAND", "apply"), ("INPUT_PLAN_FILE", "plan.json")];
    let run = job.step(&apply);
    assert_eq!(code(&run), 4, "{run:?}");
    let shown = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(shown.contains("Run all jobs again"), "{shown}");
}

#[test]
fn an_unchanged_plan_is_saved_too_since_its_apply_may_see_other_tokens() {
    let job = Job::new();
    assert_eq!(code(&job.step(&[("INPUT_COMMAND", "apply")])), 0);
    let plan = [("INPUT_COMMAND", "plan"), ("INPUT_PLAN_FILE", "plan.json")];
    assert_eq!(code(&job.step(&plan)), 0);
    let output = job.written("output");
    assert!(
        output.contains("changes=false\n") && output.contains("/plan.json\n"),
        "{output}"
    );
    job.account.requests();
    let apply = [("INPUT_COMMAND", "apply"), ("INPUT_PLAN_FILE", "plan.json")];
    assert_eq!(code(&job.step(&apply)), 0);
    let writes = job.account.requests();
    assert!(
        writes.iter().all(|line| line.starts_with("GET ")),
        "{writes:?}"
    );
}

#[test]
fn inputs_are_data() {
    let job = Job::new();
    let target = "--> $(touch pwned)";
    let run = job.step(&[
        ("INPUT_COMMAND", "plan"),
        ("INPUT_TARGET", target),
        ("PULL_REQUEST", "7"),
    ]);
    assert_ne!(code(&run), 0);
    let body = job.written("body");
    let marker = "<!-- hookctl %2D%2D%3E%20%24%28touch%20pwned%29 . hookctl.yaml -->\n";
    assert!(body.starts_with(marker), "{body}");
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
fn two_folders_and_two_configurations_have_comments_of_their_own() {
    let job = Job::new();
    let marker = |folder: &str, variables: &[(&str, &str)]| {
        let mut all = vec![("INPUT_COMMAND", "plan"), ("PULL_REQUEST", "7")];
        all.extend(variables);
        job.step_in(folder, &all);
        let body = job.written("body");
        body.lines().next().unwrap().to_owned()
    };
    for folder in ["one", "two é"] {
        job.repository
            .write(&format!("{folder}/webhooks.d/billing.yaml"), BILLING);
    }
    assert_eq!(
        [
            marker("", &[]),
            marker("one", &[]),
            marker("two é", &[]),
            marker("", &[("HOOKCTL_CONFIG", "prod.yaml")]),
        ],
        [
            "<!-- hookctl default . hookctl.yaml -->",
            "<!-- hookctl default one hookctl.yaml -->",
            "<!-- hookctl default two%20%C3%A9 hookctl.yaml -->",
            "<!-- hookctl default . prod.yaml -->",
        ]
    );
    // The list is filtered by the whole marker.
    let calls = job.written("calls");
    assert!(calls.contains("startswith(env.MARKER)"), "{calls}");
}

#[test]
fn findings_are_uploaded_with_the_commit_that_was_checked_out() {
    let job = Job::new();
    job.repository
        .write("webhooks.d/billing.yaml", "webhooks: { a: 1, b: 1 }\n");
    let scan = |variables: &[(&str, &str)]| {
        let mut all = vec![("INPUT_COMMAND", "validate"), ("INPUT_SARIF", "true")];
        all.extend(variables);
        assert_eq!(code(&job.step(&all)), 1);
        job.written("calls")
    };
    let calls = scan(&[]);
    let uploaded = "POST repos/team/webhooks/code-scanning/sarifs --silent -f commit_sha=0123 -f ref=refs/heads/main ";
    assert!(calls.contains(uploaded), "{calls}");
    let log: Value = serde_json::from_str(&job.written("sarif")).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 1, "{log}");
    for result in results {
        let name = result["partialFingerprints"]["primaryLocationLineHash"].as_str();
        let (hash, number) = name.unwrap().split_once(':').unwrap();
        assert!(
            hash.len() == 32 && number.parse::<u32>().is_ok(),
            "{name:?}"
        );
    }

    // A pull request: the merge that a checkout has by default, or the head.
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .current_dir(job.repository.path(""))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "a"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let merge = [
        ("PULL_REQUEST", "7"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_SHA", commit.as_str()),
        ("HEAD_SHA", "4567"),
    ];
    let calls = scan(&merge);
    assert!(
        calls.contains(&format!("commit_sha={commit} -f ref=refs/pull/7/merge ")),
        "{calls}"
    );
    let head = [
        ("PULL_REQUEST", "7"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("HEAD_SHA", commit.as_str()),
    ];
    let calls = scan(&head);
    assert!(
        calls.contains(&format!("commit_sha={commit} -f ref=refs/pull/7/head ")),
        "{calls}"
    );
    // The token of a fork's job cannot upload.
    let fork = [
        ("PULL_REQUEST", "7"),
        ("HEAD_REPOSITORY", "stranger/webhooks"),
    ];
    assert_eq!(scan(&fork), "");
}

#[test]
fn a_cancelled_step_passes_the_signal_on_and_waits_for_what_hookctl_settles() {
    let job = Job::new();
    job.program(
        "hookctl",
        "#!/bin/bash\n\
         sleep 60 >/dev/null 2>&1 & sleeper=$!\n\
         trap 'kill $sleeper; echo settled; exit 130' TERM\n\
         echo started >&2\n\
         wait $sleeper\n",
    );
    let mut command = job.script("dist/action/run.sh", &[("INPUT_COMMAND", "drift")]);
    let mut step = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut errors = BufReader::new(step.stderr.take().unwrap());
    errors.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    let process = rustix::process::Pid::from_child(&step);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(step.wait().unwrap().code(), Some(130));
    assert_eq!(job.written("summary"), "settled\n");
    assert!(job.written("output").contains("exit-code=130\n"));
    // The script is the first process of the step, which is the only one that is signalled.
    let action = fs::read_to_string(Path::new(ROOT).join("action.yml")).unwrap();
    assert!(action.contains("run: exec bash \"$GITHUB_ACTION_PATH/dist/action/run.sh\"\n"));
}
