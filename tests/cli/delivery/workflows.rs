//! The workflows of this repository, and those that `init` writes: who may do what, and when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ROOT;
use crate::harness::{Account, Repository};

const WORKFLOW: &str = "examples/ci/workflows/hookctl.yml";
const GITLAB: &str = "examples/ci/gitlab/hookctl.yml";
const RELEASE: &str = ".github/workflows/release.yml";
const CI: &str = ".github/workflows/ci.yml";

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

fn parse(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// The jobs of a workflow by name.
fn jobs(workflow: &Value) -> BTreeMap<String, Value> {
    serde_json::from_value(workflow["jobs"].clone()).unwrap()
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().unwrap()
}

/// The scripts of a job as one text.
fn scripts(job: &Value) -> String {
    let scripts = steps(job).iter().filter_map(|step| step["run"].as_str());
    scripts.collect::<Vec<_>>().join("\n")
}

/// The actions that a job uses.
fn uses(steps: &[Value]) -> impl Iterator<Item = &str> {
    steps.iter().filter_map(|step| step["uses"].as_str())
}

fn is_pinned(action: &str) -> bool {
    let commit = action.split_once('@').map_or("", |(_, commit)| commit);
    commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn every_action_is_pinned_and_no_script_contains_an_expression() {
    let action = parse(&text("action.yml"));
    let mut all = action["runs"]["steps"].as_array().unwrap().clone();
    for path in [WORKFLOW, RELEASE, CI] {
        let workflow = parse(&text(path));
        assert_eq!(workflow["permissions"], json!({}), "{path}");
        for (name, job) in jobs(&workflow) {
            assert!(job["permissions"].is_object(), "{path}: {name}");
            all.extend(steps(&job).iter().cloned());
        }
    }
    for action in uses(&all) {
        assert!(
            action == "./.github/actions/hookctl" || is_pinned(action),
            "{action}"
        );
    }
    for step in &all {
        if let Some(script) = step["run"].as_str() {
            assert!(!script.contains("${{"), "{script}");
        }
        if step["uses"]
            .as_str()
            .is_some_and(|name| name.starts_with("actions/checkout@"))
        {
            assert_eq!(step["with"]["persist-credentials"], json!(false), "{step}");
        }
    }
}

/// What compiles, runs, or downloads code of others.
const FOREIGN: [&str; 8] = [
    "cargo install",
    "cargo build",
    "cargo cyclonedx",
    ".ci/run",
    "apt-get",
    "docker",
    "dist/package.sh",
    "dist/install.sh",
];

#[test]
fn a_release_runs_code_of_others_beside_no_credential_and_after_the_gate() {
    let jobs = jobs(&parse(&text(RELEASE)));
    let needs = |job: &Value| -> Vec<String> {
        match &job["needs"] {
            Value::Null => Vec::new(),
            Value::String(one) => vec![one.clone()],
            several => serde_json::from_value(several.clone()).unwrap(),
        }
    };
    let mut credentialed = Vec::new();
    for (name, job) in &jobs {
        let script = scripts(job);
        let is_reader = job["permissions"] == json!({ "contents": "read" });
        if is_reader && !job.to_string().contains("secrets.") {
            assert_eq!(job["environment"], Value::Null, "{name}");
        } else {
            credentialed.push(name.as_str());
            assert_eq!(job["environment"], "release", "{name}");
            for foreign in FOREIGN {
                // A transport of skopeo, not the program.
                let script = script.replace("docker://", "");
                assert!(!script.contains(foreign), "{name} runs {foreign}");
            }
            for action in uses(steps(job)) {
                assert!(action.starts_with("actions/"), "{name} uses {action}");
            }
        }
        // Each job that calls Cargo installs the toolchain of Cargo.toml first.
        if let Some(cargo) = script
            .find("cargo ")
            .or_else(|| script.find("dist/package.sh --t"))
        {
            let toolchain = script.find("dist/toolchain.sh");
            assert!(
                toolchain.is_some_and(|toolchain| toolchain < cargo),
                "{name}"
            );
        }
        let mut earlier = vec![name.clone()];
        let mut at = 0;
        while let Some(name) = earlier.get(at) {
            let more = needs(&jobs[name]);
            earlier.extend(more);
            at += 1;
        }
        assert!(
            earlier.contains(&"test".to_owned()),
            "{name} does not wait for the gate"
        );
    }
    assert_eq!(credentialed, ["attest", "crates", "image", "release"]);
    assert!(
        scripts(&jobs["test"]).contains("dist/toolchain.sh --component clippy,rustfmt\n.ci/run")
    );
    // The crates are compiled without the token, and published with it.
    assert!(scripts(&jobs["package"]).contains("cargo publish --dry-run --locked --workspace"));
    let publish = scripts(&jobs["crates"]);
    assert!(publish.contains("cargo publish --locked --workspace --allow-dirty --no-verify"));
    assert!(needs(&jobs["crates"]).contains(&"package".to_owned()));
}

#[test]
fn attestations_cover_every_file_of_a_release() {
    let jobs = jobs(&parse(&text(RELEASE)));
    let subjects: Vec<_> = steps(&jobs["attest"])
        .iter()
        .filter_map(|step| step["with"]["subject-path"].as_str())
        .collect();
    let [build, sbom] = subjects.try_into().unwrap();
    assert_eq!(build, "out/*");
    // cargo-deb separates the name and the version with an underscore.
    let sbom: Vec<_> = sbom.lines().collect();
    assert_eq!(sbom, ["out/hookctl-*", "out/hookctl_*.deb"]);
    // What the installer demands is what signs.
    let installer = text("dist/install.sh");
    assert!(installer.contains("--signer-workflow \"$repository/.github/workflows/release.yml\""));
    assert!(jobs["attest"]["permissions"]["attestations"] == "write");
}

#[test]
fn only_the_main_branch_applies_and_only_what_was_planned() {
    let workflow = parse(&text(WORKFLOW));
    let jobs = jobs(&workflow);
    let (plan, apply) = (&jobs["plan"], &jobs["apply"]);
    // A dispatch may come from any branch.
    for job in [plan, apply] {
        let condition = job["if"].as_str().unwrap();
        assert!(
            condition.starts_with("github.ref == 'refs/heads/main'"),
            "{condition}"
        );
        assert!(!condition.contains("|| github.ref"), "{condition}");
        // A later run of an old commit plans the newest files.
        assert_eq!(steps(job)[0]["with"]["ref"], "main");
    }
    assert_eq!(apply["environment"], "webhooks");
    assert_eq!(apply["needs"], "plan");

    // Every run of the apply has the plan of the job before, and no other input.
    let fetched = steps(apply)
        .iter()
        .find(|step| step["name"] == "Fetch the plan");
    let fetched = fetched.unwrap();
    assert_eq!(fetched["if"], Value::Null);
    assert_eq!(
        fetched["with"]["name"],
        "${{ needs.plan.outputs.artifact }}"
    );
    let kept = steps(plan)
        .iter()
        .find(|step| step["name"] == "Keep the plan")
        .unwrap();
    assert_eq!(kept["with"]["name"], plan["outputs"]["artifact"]);
    assert_eq!(kept["with"]["if-no-files-found"], "error");
    let applied = steps(apply)
        .iter()
        .find(|step| step["name"] == "Apply")
        .unwrap();
    assert_eq!(applied["with"]["plan-file"], "hookctl-plan.json");

    // Only the apply may see tokens, and no job but the comment's can write anything.
    for (name, job) in &jobs {
        let permissions = match name.as_str() {
            "plan-pull-request" => json!({ "contents": "read", "pull-requests": "write" }),
            _ => json!({ "contents": "read" }),
        };
        assert_eq!(job["permissions"], permissions, "{name}");
        for step in steps(job) {
            let secrets = step["env"].as_object().into_iter().flatten();
            for (variable, _) in secrets {
                assert_eq!(variable, "INTERACTLY_API_KEY", "{name}");
            }
        }
    }
}

#[test]
fn a_check_for_drift_or_another_branch_cannot_cancel_an_apply_that_waits() {
    let workflow = parse(&text(WORKFLOW));
    let group = workflow["concurrency"]["group"].as_str().unwrap();
    let event = "${{ github.event_name == 'workflow_dispatch' && 'push' || github.event_name }}";
    assert_eq!(group, format!("webhooks-{event}-${{{{ github.ref }}}}"));
    assert_eq!(
        workflow["concurrency"]["cancel-in-progress"],
        "${{ github.event_name == 'pull_request' }}"
    );
    // The groups of the events, as that expression makes them.
    let group = |event: &str, reference: &str| {
        let event = if event == "workflow_dispatch" {
            "push"
        } else {
            event
        };
        format!("webhooks-{event}-{reference}")
    };
    let apply = group("push", "refs/heads/main");
    assert_eq!(group("workflow_dispatch", "refs/heads/main"), apply);
    assert_ne!(group("workflow_dispatch", "refs/heads/topic"), apply);
    assert_ne!(group("schedule", "refs/heads/main"), apply);
    assert_ne!(group("pull_request", "refs/pull/7/merge"), apply);
}

#[test]
fn a_change_of_the_workflow_or_of_the_copied_action_starts_a_run() {
    let account = Account::new();
    let repository = Repository::new();
    let url = account.sandbox.base_url();
    let init = ["--api-url", &url, "init", "--no-import", "--ci", "github"];
    repository.run(&init).code(0);
    let workflow = fs::read_to_string(repository.path(".github/workflows/hookctl.yml")).unwrap();
    let workflow = parse(&workflow);
    let written = [
        ".github/workflows/hookctl.yml",
        ".github/actions/hookctl/action.yml",
        ".github/actions/hookctl/dist/install.sh",
        ".github/actions/hookctl/dist/action/run.sh",
        "hookctl.yaml",
    ];
    for event in ["pull_request", "push"] {
        let paths = workflow["on"][event]["paths"].as_array().unwrap();
        for file in written {
            assert!(repository.path(file).exists(), "{file}");
            let starts = paths.iter().any(|path| {
                let path = path.as_str().unwrap();
                path == file
                    || path
                        .strip_suffix("**")
                        .is_some_and(|folder| file.starts_with(folder))
            });
            assert!(starts, "{event}: {file}");
        }
    }
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    assert_eq!(workflow["env"]["HOOKCTL_VERSION"], version);
    assert_eq!(workflow["env"]["HOOKCTL_ALLOWED_HOSTS"], "127.0.0.1");
    let target = workflow["env"]["HOOKCTL_API_URL"].as_str().unwrap();
    assert_eq!(target.trim_end_matches('/'), url.trim_end_matches('/'));

    // The copy is whole: every script that the action runs is there, byte for byte.
    let folder = repository.path(".github/actions/hookctl");
    let action = fs::read_to_string(folder.join("action.yml")).unwrap();
    let mut scripts: Vec<PathBuf> = action
        .split("$GITHUB_ACTION_PATH/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().into())
        .collect();
    assert_eq!(scripts.len(), 3);
    scripts.extend(["action.yml", "dist/install.sh"].map(PathBuf::from));
    for script in scripts {
        let copy = fs::read(folder.join(&script)).unwrap();
        assert!(
            copy == fs::read(Path::new(ROOT).join(&script)).unwrap(),
            "{script:?}"
        );
    }
}

#[test]
fn jobs_for_gitlab_use_the_installer_and_a_record_that_merge_requests_cannot_write() {
    let account = Account::new();
    let url = account.sandbox.base_url();
    let init = [
        "--api-url",
        url.as_str(),
        "init",
        "--no-import",
        "--ci",
        "gitlab",
    ];
    let repository = Repository::new();
    repository.run(&init).code(0);
    let jobs = fs::read_to_string(repository.path(".gitlab/ci/hookctl.yml")).unwrap();
    let jobs = parse(&jobs);
    assert_eq!(
        jobs["variables"],
        json!({
            "HOOKCTL_API_URL": jobs["variables"]["HOOKCTL_API_URL"],
            "HOOKCTL_ALLOWED_HOSTS": "127.0.0.1",
            "HOOKCTL_VERSION": concat!("v", env!("CARGO_PKG_VERSION")),
        })
    );
    assert_eq!(
        jobs[".hookctl"]["before_script"],
        json!([
            "HOOKCTL_INSTALL_DIR=/tmp/hookctl sh .gitlab/ci/hookctl-install.sh",
            "export PATH=/tmp/hookctl:$PATH",
        ])
    );
    let installer = fs::read_to_string(repository.path(".gitlab/ci/hookctl-install.sh")).unwrap();
    assert_eq!(installer, text("dist/install.sh"));

    let jobs = jobs.as_object().unwrap();
    let mut merge_requests = 0;
    for (name, job) in jobs.iter().filter(|(name, _)| name.starts_with("hookctl-")) {
        let rules = job["rules"].to_string();
        let base = job["extends"].as_str().unwrap();
        // A job's own cache replaces that of its base.
        let cache = job.get("cache").unwrap_or(&jobs[base]["cache"]);
        if rules.contains("merge_request_event") {
            merge_requests += 1;
            assert_eq!(cache, &json!([]), "{name}");
        } else {
            assert!(
                rules.contains("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"),
                "{name}"
            );
            assert_eq!(cache["unprotect"], json!(false), "{name}");
            let policy = if name == "hookctl-apply" {
                "pull-push"
            } else {
                "pull"
            };
            assert_eq!(cache["policy"], policy, "{name}");
        }
    }
    assert_eq!(merge_requests, 2);
    let apply = &jobs["hookctl-apply"];
    assert_eq!(
        apply["script"],
        json!(["hookctl apply --unseen-tokens apply hookctl-plan.json"])
    );
    assert_eq!(apply["environment"], "webhooks");

    let included = "include: [{ local: .gitlab/ci/hookctl.yml }]\n";
    let pipeline = fs::read_to_string(repository.path(".gitlab-ci.yml")).unwrap();
    assert_eq!(pipeline, included);
    let existing = Repository::new();
    existing.write(".gitlab-ci.yml", "stages: [test]\n");
    existing
        .run(&init)
        .code(0)
        .complains("Add to .gitlab-ci.yml: include: [{ local");
    let kept = fs::read_to_string(existing.path(".gitlab-ci.yml")).unwrap();
    assert_eq!(kept, "stages: [test]\n");
}

#[test]
fn both_templates_name_what_init_replaces() {
    for path in [WORKFLOW, GITLAB] {
        let text = text(path);
        for (placeholder, least) in [
            ("HOOKCTL_VERSION: v0.1.0\n", 1),
            ("https://api-prod.interactly.ai", 1),
            ("ALLOWED_HOSTS: api-prod.interactly.ai", 1),
            ("INTERACTLY_API_KEY", 1),
        ] {
            assert!(
                text.matches(placeholder).count() >= least,
                "{path}: {placeholder}"
            );
        }
    }
    // The record's folder is named once for each restore and save.
    assert_eq!(text(WORKFLOW).matches("path: .hookctl\n").count(), 5);
    assert_eq!(text(GITLAB).matches("paths: [.hookctl/]\n").count(), 2);
    assert_eq!(text(WORKFLOW).matches("webhooks.d/**").count(), 2);
}

/// The files that reach other systems: scripts, workflows, manifests, and pages.
fn shipped() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = [".github", "dist", "docs", "examples", ".config"]
        .map(|name| Path::new(ROOT).join(name))
        .into();
    let mut files: Vec<PathBuf> = ["action.yml", "README.md", "Cargo.toml", "deny.toml"]
        .map(|name| Path::new(ROOT).join(name))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_built = path.ends_with("dist/out") || path.ends_with("dist/stage");
            if path.is_dir() && !is_built {
                folders.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn no_file_names_the_host_of_a_registry() {
    let hosts = ["ghcr", "gcr", "docker", "quay", "crates", "lib"]
        .map(|name| format!("{name}.{}", if name == "lib" { "rs/crates" } else { "io" }));
    let mut checked = 0;
    for path in shipped() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        checked += 1;
        for host in &hosts {
            assert!(!text.contains(host.as_str()), "{}: {host}", path.display());
        }
    }
    assert!(checked > 50, "{checked} files");
}

#[test]
fn a_checkout_converts_no_file() {
    let text = text(".gitattributes");
    let rules: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rules, ["* -text"]);
}
