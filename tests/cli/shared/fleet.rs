//! Runners: each run has a folder of its own, and the record is on an object store. Or, to compare, one workstation.

use std::process::{Child, Stdio};

use hookctl_testing::s3::S3Stub;

use crate::harness::{Account, BILLING, CANARY, Repository, Run};

/// A repository with a shared record that was not created.
pub(crate) fn repository_on_store(account: &Account, store: &S3Stub) -> Repository {
    let mut repository = Repository::with(BILLING);
    repository.write(
        "hookctl.yaml",
        &format!(
            "record: {{ url: s3://bucket/hooks, endpoint: '{}' }}\ntargets: {{ prod: {{ api_url: '{}' }} }}\n",
            store.url(),
            account.sandbox.base_url()
        ),
    );
    for (name, value) in store.variables() {
        repository.set(&name, &value);
    }
    repository
}

/// Where the runs of a team take place.
pub(super) enum Memory {
    /// In one folder, with the record in it.
    OneMachine(Box<Repository>),
    /// Each in a new folder, with the record on an object store.
    Runners(S3Stub),
    /// Likewise, on an emulator.
    Emulator(Emulator),
}

/// An emulator of an object store, which `.ci/engines` started.
pub(super) struct Emulator {
    /// The address of the record.
    url: String,
    endpoint: String,
}

impl Emulator {
    /// Returns the emulator that the environment names, with a prefix of its own for the record.
    fn of_environment() -> Option<Self> {
        let found = |name: &str| std::env::var(name).ok();
        let bucket = found("HOOKCTL_TEST_BUCKET")?;
        let process = std::process::id();
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        Some(Self {
            url: format!("{bucket}/{process}-{thread}"),
            endpoint: found("HOOKCTL_TEST_ENDPOINT")?,
        })
    }
}

/// An account, and the runs that sync it.
pub(super) struct Fleet {
    pub(super) account: Account,
    memory: Memory,
    declarations: String,
    /// The source of the target's `fingerprint_key`.
    pub(super) fingerprint_key: Option<&'static str>,
    variables: Vec<(String, String)>,
}

impl Fleet {
    /// Runs on one workstation.
    pub(super) fn workstation() -> Self {
        Self::with(
            Account::new(),
            Memory::OneMachine(Box::new(Repository::new())),
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

    /// Runs on new runners, without a record.
    pub(super) fn without_record() -> Self {
        Self::with(Account::new(), Memory::Runners(S3Stub::start()))
    }

    /// Like [`Fleet::on`], on the emulator that the environment names, if it names one.
    pub(super) fn anywhere(account: Account) -> Self {
        match Emulator::of_environment() {
            Some(emulator) => {
                let fleet = Self::with(account, Memory::Emulator(emulator));
                fleet.run(&["record", "init"]).code(0);
                fleet
            }
            None => Self::on(account),
        }
    }

    /// Returns the host and port of the object store.
    pub(super) fn store_address(&self) -> String {
        let address = self.endpoint();
        let address = address.trim_start_matches("http://");
        address.split('/').next().unwrap_or(address).to_owned()
    }

    fn endpoint(&self) -> String {
        match &self.memory {
            Memory::Runners(store) => store.url(),
            Memory::Emulator(emulator) => emulator.endpoint.clone(),
            Memory::OneMachine(_) => panic!("a workstation has no object store"),
        }
    }

    fn with(account: Account, memory: Memory) -> Self {
        Self {
            account,
            memory,
            declarations: String::new(),
            fingerprint_key: None,
            variables: vec![if short_times() {
                ("HOOKCTL_REQUEST_TIMEOUT".to_owned(), "500ms".to_owned())
            } else {
                ("HOOKCTL_SETTLE_HORIZON".to_owned(), "45s".to_owned())
            }],
        }
    }

    pub(super) fn store(&self) -> &S3Stub {
        match &self.memory {
            Memory::Runners(store) => store,
            Memory::OneMachine(_) | Memory::Emulator(_) => panic!("not a stub"),
        }
    }

    pub(super) fn declare(&mut self, declarations: &str) {
        declarations.clone_into(&mut self.declarations);
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Returns a folder with the files.
    pub(super) fn checkout(&self) -> Repository {
        self.runner(&self.endpoint())
    }

    /// Returns a runner: a new folder with the files. It reaches the object store at this endpoint.
    fn runner(&self, endpoint: &str) -> Repository {
        let mut runner = Repository::with(&self.declarations);
        let url = self.account.sandbox.base_url();
        let (record, variables) = match &self.memory {
            Memory::Runners(store) => ("s3://bucket/hooks".to_owned(), store.variables()),
            Memory::Emulator(emulator) => {
                let variables = std::env::vars();
                let is_its = |name: &str| name.starts_with("AWS_") || name.starts_with("AZURE_");
                let variables = variables.filter(|(name, _)| is_its(name));
                (emulator.url.clone(), variables.collect())
            }
            Memory::OneMachine(_) => panic!("a workstation has no object store"),
        };
        let lease = if short_times() { ", lease: 1s" } else { "" };
        let fingerprint_key = self
            .fingerprint_key
            .map(|source| format!(", fingerprint_key: {source}"))
            .unwrap_or_default();
        runner.write(
            "hookctl.yaml",
            &format!(
                "record: {{ url: '{record}', endpoint: '{endpoint}'{lease} }}\n\
                 targets: {{ prod: {{ api_url: '{url}'{fingerprint_key} }} }}\n"
            ),
        );
        // The endpoint is in the file, where it needs no consent because it is on this machine.
        let variables = variables.iter();
        let variables = variables.filter(|(name, _)| !name.contains("ENDPOINT"));
        for (name, value) in variables.chain(&self.variables) {
            runner.set(name, value);
        }
        runner
    }

    /// Runs a command.
    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        match &self.memory {
            Memory::Runners(_) | Memory::Emulator(_) => {
                let runner = self.runner(&self.endpoint());
                let run = runner.run(arguments);
                assert!(!runner.path(".hookctl").exists(), "a local record");
                self.holds_no_secret();
                run
            }
            Memory::OneMachine(home) => {
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

    fn holds_no_secret(&self) {
        let Memory::Runners(store) = &self.memory else {
            return;
        };
        for (name, content) in store.objects() {
            let text = String::from_utf8_lossy(&content);
            assert!(!text.contains(CANARY), "a secret in {name}");
        }
    }

    /// Starts a command on a runner of its own. Its folder lasts as long as the returned repository.
    pub(super) fn start(&self, arguments: &[&str]) -> (Repository, Child) {
        self.spawn(&self.endpoint(), arguments)
    }

    /// Like [`Fleet::start`], with a connection to the object store at another host and port.
    pub(super) fn start_over(&self, address: &str, arguments: &[&str]) -> (Repository, Child) {
        let endpoint = self.endpoint().replace(&self.store_address(), address);
        self.spawn(&endpoint, arguments)
    }

    fn spawn(&self, endpoint: &str, arguments: &[&str]) -> (Repository, Child) {
        let runner = self.runner(endpoint);
        let mut command = runner.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
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
        self.succeeds(&["sync", "--dry-run", "--detailed-exitcode"]);
        if !matches!(self.memory, Memory::OneMachine(_)) {
            self.succeeds(&["record", "verify"]);
        }
    }

    /// Repeats a command while the object store does not respond within the short time limits of these runs.
    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) {
        let is_late = |run: &Run| run.status == 1 && run.stderr.contains("the object store failed");
        let late = (0..10).find_map(|_| {
            let run = self.run(arguments);
            (!is_late(&run)).then_some(run)
        });
        late.unwrap().code(0);
    }
}

/// Returns whether the lease of a dead run ends soon. `HOOKCTL_TEST_TIMES=default` runs with the times of a user.
pub(super) fn short_times() -> bool {
    std::env::var("HOOKCTL_TEST_TIMES").is_err()
}

/// Replaces the ids of a request's line, which differ from account to account.
fn without_ids(line: &str) -> String {
    let is_id = |word: &str| word.len() == 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    line.split(' ')
        .map(|word| if is_id(word) { "ID" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}
