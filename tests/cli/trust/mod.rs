//! Without consent, files of a repository run no program, and nothing is sent.

#![cfg(unix)]

mod consent;
mod keys;
mod programs;

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{API_KEY, Account, BILLING, Repository, Run, codes};
use crate::terminal::Terminal;

/// A script that leaves a mark, and prints a token.
const SCRIPT: &str = "#!/bin/sh\necho >> \"$MARKER\"\nprintf s3cr''3t-program\n";

/// A repository, an account, and a user's own folder outside of both.
struct Fixture {
    account: Account,
    repository: Repository,
    own: tempfile::TempDir,
}

impl Fixture {
    /// The webhook's token comes from there.
    fn with_token(source: &str) -> Self {
        Self::declaring(&format!("{BILLING}    bearer_token: {source}\n"))
    }

    fn declaring(declarations: &str) -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut repository = Repository::with(declarations);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        repository.set("XDG_STATE_HOME", &text(&own.path().join("state")));
        repository.set("MARKER", &text(&own.path().join("ran")));
        let fixture = Self {
            account: Account::new(),
            repository,
            own,
        };
        fixture.script("webhooks.d/token.sh", SCRIPT);
        fixture
    }

    /// The one target's keys, in hookctl.yaml.
    fn target(&self, keys: &str) {
        self.repository.write(
            "hookctl.yaml",
            &format!("targets: {{ qa: {{ {keys} }} }}\n"),
        );
    }

    fn script(&self, path: &str, text: &str) {
        self.repository.write(path, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.repository.path(path), mode).unwrap();
    }

    fn url(&self) -> String {
        self.account.sandbox.base_url()
    }

    /// How often a program ran.
    fn runs(&self) -> usize {
        let marks = fs::read_to_string(self.own.path().join("ran"));
        marks.map_or(0, |marks| marks.lines().count())
    }

    fn stored(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.own.path().join("state/hookctl/trust"));
        let entries = folder.into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn sync(&self) -> Run {
        self.repository.sync(&self.account, &["--output", "json"])
    }

    /// Expects that nothing ran and nothing was sent but the list, for want of consent to the program of a token.
    #[track_caller]
    fn refuses(&self, run: &Run) {
        self.ran_nothing(run);
        self.account.got_only_lists();
    }

    #[track_caller]
    fn ran_nothing(&self, run: &Run) {
        let document = run.json();
        let code = document.pointer("/error/code");
        let code = code.or_else(|| document.pointer("/diagnostics/0/code"));
        let code = code.and_then(Value::as_str);
        assert_eq!((run.status, code), (1, Some("untrusted")), "{}", run.stdout);
        assert_eq!(self.runs(), 0);
    }

    /// Expects that `hookctl sync` of the files runs nothing and sends nothing.
    #[track_caller]
    fn is_refused(&self) -> String {
        let run = self.repository.run(&["sync", "--output", "json"]);
        self.ran_nothing(&run);
        assert_eq!(self.account.requests(), [""; 0]);
        run.stdout
    }

    fn consents(&self) {
        self.repository.run(&["trust", "--yes"]).code(0);
    }

    fn forgets_the_runs(&self) {
        let _ = fs::remove_file(self.own.path().join("ran"));
    }
}
