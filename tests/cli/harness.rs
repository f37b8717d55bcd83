//! A repository in an empty folder, an account at the emulator, and the binary between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hookctl::sandbox::{Dialect, Fault, Sandbox, SandboxOptions, When};
use serde_json::Value;

/// Every secret of these tests contains this, so that a leak of any is found by looking for one text.
pub(crate) const CANARY: &str = "s3cr3t";

/// The API key of the tests.
pub(crate) const API_KEY: &str = "s3cr3t-api-key-5f1w";

/// One webhook without a token.
pub(crate) const BILLING: &str = "webhooks:
  billing:
    name: Billing
    url: https://hooks.example.com/billing
    actions: [workflow_run_completed]
";

/// An account: the emulator on a port of its own.
pub(crate) struct Account {
    pub(crate) sandbox: Sandbox,
    // Last, so that it ends after what runs on it.
    _runtime: tokio::runtime::Runtime,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self::speaking(Dialect::default())
    }

    pub(crate) fn speaking(dialect: Dialect) -> Self {
        Self::start(dialect, Duration::ZERO)
    }

    pub(crate) fn with_latency(latency: Duration) -> Self {
        Self::start(Dialect::default(), latency)
    }

    fn start(dialect: Dialect, latency: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let options = SandboxOptions {
            dialect,
            latency,
            ..SandboxOptions::in_memory(API_KEY)
        };
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let sandbox = runtime.block_on(Sandbox::start(options, address)).unwrap();
        Self {
            sandbox,
            _runtime: runtime,
        }
    }

    /// The requests since the last time, each as one line.
    pub(crate) fn requests(&self) -> Vec<String> {
        let lines = self
            .sandbox
            .requests()
            .iter()
            .map(hookctl::sandbox::RecordedRequest::line)
            .collect();
        self.sandbox.clear_requests();
        lines
    }

    /// Expects that nothing was requested since the last time but the list, which may be requested while the files are read.
    #[track_caller]
    pub(crate) fn got_only_lists(&self) {
        let requests = self.requests();
        let is_list = |line: &String| line == "GET workflow-webhooks";
        assert!(requests.iter().all(is_list), "{requests:?}");
    }

    /// The id of the only webhook of a name.
    pub(crate) fn id(&self, name: &str) -> String {
        let webhooks = self.sandbox.webhooks();
        let mut named = webhooks.iter().filter(|webhook| webhook.name == name);
        let found = named.next().unwrap_or_else(|| panic!("no '{name}'"));
        assert!(named.next().is_none(), "several '{name}'");
        found.id.clone()
    }

    /// The names, in their order: webhooks are made side by side.
    pub(crate) fn names(&self) -> Vec<String> {
        let webhooks = self.sandbox.webhooks();
        let mut names: Vec<_> = webhooks.into_iter().map(|webhook| webhook.name).collect();
        names.sort_unstable();
        names
    }

    /// Edits a webhook outside hookctl.
    pub(crate) fn edit(&self, name: &str, fields: &Value) {
        assert!(self.sandbox.edit(name, fields).unwrap());
    }

    /// Makes a webhook outside hookctl.
    pub(crate) fn put(&self, id: &str, name: &str, url: &str) {
        self.sandbox
            .put(hookctl::sandbox::Webhook {
                id: id.to_owned(),
                name: name.to_owned(),
                url: url.to_owned(),
                actions: vec!["workflow_run_completed".to_owned()],
                enabled: true,
                has_bearer_token: false,
                timeout_seconds: 10,
                max_retries: 3,
                retry_backoff_seconds: 10,
            })
            .unwrap();
    }

    /// Lets the nth request of a method go wrong, counted from the start of the account.
    pub(crate) fn fault(&self, method: &'static str, number: usize, fault: Fault) {
        self.sandbox.fault(When::Nth { method, number }, fault);
    }
}

/// A repository in an empty folder, and the variables that runs in it see.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Repository {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: BTreeMap::new(),
        }
    }

    /// A repository with one file of declarations.
    pub(crate) fn with(declarations: &str) -> Self {
        let repository = Self::new();
        repository.declare(declarations);
        repository
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces the one file of declarations.
    pub(crate) fn declare(&self, declarations: &str) {
        self.write("webhooks.d/all.yaml", declarations);
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Removes the local record.
    pub(crate) fn lose_record(&self) {
        fs::remove_dir_all(self.path(".hookctl")).unwrap();
    }

    /// A command that sees nothing of this machine but what it is given.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookctl"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("INTERACTLY_API_KEY", API_KEY)
            .env("HOOKCTL_SETTLE_HORIZON", "150ms")
            .envs(&self.variables)
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary, and looks for secrets in everything that it leaves.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::of(self.command(arguments).output().unwrap());
        run.holds_no_secret();
        self.record_holds_no_secret();
        run
    }

    /// Runs `hookctl sync` with further arguments against an account.
    pub(crate) fn sync(&self, account: &Account, arguments: &[&str]) -> Run {
        let url = account.sandbox.base_url();
        let mut all = vec!["--api-url", &url, "sync"];
        all.extend(arguments);
        self.run(&all)
    }

    /// Syncs, expects success, and forgets the requests.
    pub(crate) fn settled(&self, account: &Account) {
        self.sync(account, &["--yes"]).code(0);
        account.requests();
    }

    /// The plan as JSON, with the exit code that says what is in it.
    pub(crate) fn plan(&self, account: &Account, arguments: &[&str]) -> (i32, Value) {
        let mut all = vec!["--dry-run", "--detailed-exitcode", "--output", "json"];
        all.extend(arguments);
        let run = self.sync(account, &all);
        (run.status, run.json())
    }

    /// Every file under the folder of the record, with its content.
    pub(crate) fn record(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        read_all(&self.path(".hookctl"), &mut files);
        files
    }

    fn record_holds_no_secret(&self) {
        for (path, content) in self.record() {
            let found = content
                .windows(CANARY.len())
                .any(|window| window == CANARY.as_bytes());
            assert!(!found, "a secret in {}", path.display());
        }
    }
}

fn read_all(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, files);
        } else if let Ok(content) = fs::read(&path) {
            // A file may be gone again while another process is at work.
            files.insert(path, content);
        }
    }
}

/// What a run left.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn holds_no_secret(&self) {
        assert!(!self.stdout.contains(CANARY), "stdout: {}", self.stdout);
        assert!(!self.stderr.contains(CANARY), "stderr: {}", self.stderr);
    }

    /// Expects an exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(
            self.status, expected,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Expects a text on standard error.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr:\n{}", self.stderr);
        self
    }

    /// Expects a text on standard output.
    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout:\n{}", self.stdout);
        self
    }

    /// Standard output, which is one JSON document and a line break.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.stdout.ends_with('\n'), "stdout:\n{}", self.stdout);
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in stdout:\n{}", self.stdout))
    }
}

/// The causes of the changes of a plan, as `field: cause`.
pub(crate) fn causes(plan: &Value) -> Vec<String> {
    let actions = plan["actions"].as_array().unwrap();
    let changes = actions
        .iter()
        .flat_map(|action| action["changes"].as_array().unwrap());
    changes
        .map(|change| {
            format!(
                "{}: {}",
                change["field"].as_str().unwrap(),
                change["cause"].as_str().unwrap()
            )
        })
        .collect()
}

/// The codes of the diagnostics of a document.
pub(crate) fn codes(document: &Value) -> Vec<&str> {
    let diagnostics = document["diagnostics"].as_array().unwrap();
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic["code"].as_str().unwrap())
        .collect()
}

/// Declarations of so many webhooks.
pub(crate) fn hooks(count: usize) -> String {
    let mut text = "webhooks:\n".to_owned();
    for number in 0..count {
        text += &format!(
            "  hook-{number:02}: {{ url: 'https://hooks.example.com/{number}', actions: all }}\n"
        );
    }
    text
}
