//! Runners: each run has a folder of its own, and the record is on an object store. Or, to compare, one workstation.

use std::process::Child;

use hookctl_testing::s3::S3Stub;

use crate::harness::{Account, Repository, Run};

/// Where the runs of a team take place.
pub(super) enum Memory {
    /// In one folder, with the record in it.
    Workstation(Box<Repository>),
    /// Each in a new folder, with the record on an object store.
    Runners(S3Stub),
}

/// An account, and the runs that sync it.
pub(super) struct Fleet {
    pub(super) account: Account,
    memory: Memory,
    declarations: String,
    variables: Vec<(String, String)>,
}

impl Fleet {
    /// Runs on one workstation.
    pub(super) fn workstation() -> Self {
        Self::with(
            Account::new(),
            Memory::Workstation(Box::new(Repository::new())),
        )
    }

    /// Runs on new runners, on a record that exists.
    pub(super) fn runners() -> Self {
        Self::on(Account::new())
    }

    /// Like [`Fleet::runners`], for this account.
    pub(super) fn on(account: Account) -> Self {
        let fleet = Self::with(account, Memory::Runners(S3Stub::start()));
        fleet.run(&["record", "init"]).code(0);
        fleet.store().forget_requests();
        fleet
    }

    fn with(account: Account, memory: Memory) -> Self {
        Self {
            account,
            memory,
            declarations: String::new(),
            // The lease of a dead run ends soon.
            variables: vec![("HOOKCTL_REQUEST_TIMEOUT".to_owned(), "500ms".to_owned())],
        }
    }

    pub(super) fn store(&self) -> &S3Stub {
        match &self.memory {
            Memory::Runners(store) => store,
            Memory::Workstation(_) => panic!("a workstation has no object store"),
        }
    }

    pub(super) fn declare(&mut self, declarations: &str) {
        declarations.clone_into(&mut self.declarations);
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Returns a runner: a new folder with the files.
    pub(super) fn runner(&self, store: &S3Stub) -> Repository {
        let mut runner = Repository::with(&self.declarations);
        let url = self.account.sandbox.base_url();
        runner.write(
            "hookctl.yaml",
            &format!(
                "record: {{ url: s3://bucket/hooks, endpoint: '{}', region: eu-central-1, lease: 1s }}\n\
                 targets: {{ prod: {{ api_url: '{url}' }} }}\n",
                store.url()
            ),
        );
        let mut variables = store.variables();
        // The endpoint is in the file, where it needs no consent because it is on this machine.
        variables.retain(|(name, _)| !name.contains("ENDPOINT"));
        for (name, value) in variables.iter().chain(&self.variables) {
            runner.set(name, value);
        }
        runner
    }

    /// Runs a command.
    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        match &self.memory {
            Memory::Runners(store) => {
                let runner = self.runner(store);
                let run = runner.run(arguments);
                assert!(!runner.path(".hookctl").exists(), "a local record");
                for (name, content) in store.objects() {
                    let text = String::from_utf8_lossy(&content);
                    assert!(!text.contains(crate::harness::CANARY), "a secret in {name}");
                }
                run
            }
            Memory::Workstation(home) => {
                home.declare(&self.declarations);
                let url = self.account.sandbox.base_url();
                home.write(
                    "hookctl.yaml",
                    &format!("targets: {{ prod: {{ api_url: '{url}' }} }}\n"),
                );
                let mut command = home.command(arguments);
                command.envs(self.variables.iter().cloned());
                Run::of(command.output().unwrap())
            }
        }
    }

    /// Starts a command on a runner of its own. Its folder lasts as long as the returned repository.
    pub(super) fn start(&self, arguments: &[&str]) -> (Repository, Child) {
        let runner = match &self.memory {
            Memory::Runners(store) => self.runner(store),
            Memory::Workstation(_) => panic!("a workstation runs one command at a time"),
        };
        let mut command = runner.command(arguments);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        (runner, child)
    }

    /// Runs a command. Returns its exit code, and its requests to the API in order, with ids masked.
    pub(super) fn step(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        self.account.requests();
        let run = self.run(arguments);
        let mut requests: Vec<String> = self
            .account
            .requests()
            .iter()
            .map(|line| without_ids(line))
            .collect();
        requests.sort();
        (run.status, requests)
    }

    /// Expects that each key has one webhook, and that nothing is left to do.
    #[track_caller]
    pub(super) fn is_settled(&self, webhooks: usize) {
        let names = self.account.names();
        let mut distinct = names.clone();
        distinct.dedup();
        assert_eq!(names, distinct, "doubled");
        assert_eq!(names.len(), webhooks, "lost");
        self.run(&["sync", "--dry-run", "--detailed-exitcode"])
            .code(0);
        if matches!(self.memory, Memory::Runners(_)) {
            self.run(&["record", "verify"]).code(0);
        }
    }
}

/// Replaces the ids of a request's line, which differ from account to account.
fn without_ids(line: &str) -> String {
    let is_id = |word: &str| word.len() == 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    line.split(' ')
        .map(|word| if is_id(word) { "ID" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}
