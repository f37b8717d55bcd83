//! Names the commit that `hookctl --version` shows, where it is known. Never fails: without a commit, the version alone is
//! shown.

#![expect(
    clippy::disallowed_methods,
    reason = "how a build script reads from Cargo and answers it"
)]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HOOKCTL_COMMIT");
    // A builder without the history names the commit itself. A debug build has none: it would be compiled again after
    // each commit.
    if std::env::var_os("HOOKCTL_COMMIT").is_some()
        || std::env::var("PROFILE").as_deref() != Ok("release")
    {
        return;
    }
    if let Some(commit) = of_package().or_else(of_checkout) {
        println!("cargo::rustc-env=HOOKCTL_COMMIT={commit}");
    }
}

/// The commit that Cargo noted in the package, for `cargo install hookctl`.
fn of_package() -> Option<String> {
    let noted = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = noted.split_once("\"sha1\"")?;
    short(rest.split('"').nth(1)?)
}

/// The commit of the checkout, unless this is a folder in the repository of another project.
fn of_checkout() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let head = git(&["rev-parse", "HEAD"])?;
    // Moved by a commit, and by a switch to another one.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    short(&head)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The first digits of a commit.
fn short(commit: &str) -> Option<String> {
    let digits = commit.get(..12)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| digits.to_owned())
}
