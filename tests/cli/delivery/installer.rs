//! The installer, from a release in a folder, and the first steps of the action.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::{Job, ROOT, code};

const PLATFORM: &str = "x86_64-unknown-linux-musl";
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// A release with one archive, and a folder to install into.
struct Release {
    job: Job,
}

impl Release {
    fn new() -> Self {
        let release = Self { job: Job::new() };
        fs::create_dir_all(release.archived("")).unwrap();
        release.release(&format!("#!/bin/sh\necho hookctl {}\n", &VERSION[1..]));
        release
    }

    /// A file in the folder that the archive contains.
    fn archived(&self, name: &str) -> PathBuf {
        self.job
            .at("release")
            .join(format!("hookctl-{PLATFORM}"))
            .join(name)
    }

    fn archive(&self) -> PathBuf {
        self.job
            .at("release")
            .join(format!("hookctl-{PLATFORM}.tar.gz"))
    }

    /// Makes the archive and the checksums.
    fn pack(&self) {
        let script = format!(
            "tar -czf hookctl-{PLATFORM}.tar.gz hookctl-{PLATFORM} && sha256sum *.tar.gz >SHA256SUMS"
        );
        let done = Command::new("sh")
            .args(["-ec", &script])
            .current_dir(self.job.at("release"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// Releases another program as the binary.
    fn release(&self, program: &str) {
        let path = self.archived("hookctl");
        fs::write(&path, program).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        self.pack();
    }

    fn installed(&self) -> PathBuf {
        self.job.at("installed/hookctl")
    }

    fn install(&self, variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.job.at("bin").display());
        let url = format!("file://{}", self.job.at("release").display());
        let mut command = Command::new("sh");
        command
            .arg(format!("{ROOT}/dist/install.sh"))
            .env_clear()
            .env("PATH", path)
            .env("RUNNER", self.job.at(""))
            .env("HOOKCTL_REPOSITORY", "owner/name")
            .env("HOOKCTL_VERSION", VERSION)
            .env("HOOKCTL_PLATFORM", PLATFORM)
            .env("HOOKCTL_INSTALL_DIR", self.job.at("installed"))
            .env("HOOKCTL_ARCHIVES", self.job.at("archives"))
            .env("HOOKCTL_DOWNLOAD_URL", url)
            // A target of hookctl.yaml. It is not the installer's.
            .env("HOOKCTL_TARGET", "prod")
            .envs(variables.iter().copied());
        command.output().unwrap()
    }

    /// Asserts that an installation fails with a message, and that it leaves everything as it was.
    fn refuses(&self, variables: &[(&str, &str)], message: &str) {
        let before = fs::read(self.installed()).ok();
        let run = self.install(variables);
        let errors = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(1), "{errors}");
        assert!(errors.contains(message), "{errors}");
        assert_eq!(fs::read(self.installed()).ok(), before);
        // Nothing half installed remains beside it.
        let folder = fs::read_dir(self.job.at("installed"));
        let files = folder.map_or(0, Iterator::count);
        assert_eq!(files, usize::from(before.is_some()), "{errors}");
    }
}

fn succeeds(run: &Output) {
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn the_installer_refuses_a_wrong_checksum_and_keeps_the_archive() {
    let release = Release::new();
    fs::copy(env!("CARGO_BIN_EXE_hookctl"), release.archived("hookctl")).unwrap();
    release.pack();
    succeeds(&release.install(&[]));
    let binary = fs::read(env!("CARGO_BIN_EXE_hookctl")).unwrap();
    assert!(fs::read(release.installed()).unwrap() == binary);
    let kept = release
        .job
        .at("archives")
        .join(release.archive().file_name().unwrap());
    assert!(kept.exists());

    // The archive that was kept is enough. A damaged one is fetched again.
    let archive = fs::read(release.archive()).unwrap();
    fs::remove_file(release.archive()).unwrap();
    succeeds(&release.install(&[]));
    fs::write(release.archive(), &archive).unwrap();
    fs::write(&kept, "damaged").unwrap();
    succeeds(&release.install(&[]));

    // A wrong one at the source is refused.
    fs::write(release.archive(), "another").unwrap();
    fs::write(&kept, "damaged").unwrap();
    release.refuses(&[], "does not match SHA256SUMS");
    assert!(!kept.exists());
    fs::write(release.job.at("release/SHA256SUMS"), "").unwrap();
    release.refuses(
        &[],
        "does not list hookctl-x86_64-unknown-linux-musl.tar.gz",
    );
}

#[test]
fn a_binary_that_does_not_run_or_is_another_version_replaces_nothing() {
    let release = Release::new();
    succeeds(&release.install(&[]));
    release.release("#!/bin/sh\nexit 1\n");
    release.refuses(&[], "does not run on this machine");
    release.release("#!/bin/sh\necho hookctl 9.9.9\n");
    release.refuses(&[], "contains hookctl 9.9.9, not hookctl");
    let text = format!("#!/bin/sh\n# rebuilt\necho hookctl {}\n", &VERSION[1..]);
    release.release(&text);
    succeeds(&release.install(&[]));
    assert_eq!(fs::read_to_string(release.installed()).unwrap(), text);
}

#[test]
fn an_attestation_that_was_asked_for_is_verified_or_nothing_is_installed() {
    let release = Release::new();
    let verify = [("HOOKCTL_VERIFY_ATTESTATION", "true")];
    succeeds(&release.install(&verify));
    let calls = release.job.written("calls");
    let archive = release
        .job
        .at("archives")
        .join(release.archive().file_name().unwrap());
    assert_eq!(
        calls,
        format!(
            "attestation verify {} --repo owner/name \
             --signer-workflow owner/name/.github/workflows/release.yml \
             --source-ref refs/tags/{VERSION} --deny-self-hosted-runners\n",
            archive.display()
        )
    );
    release.job.program("gh", "#!/bin/sh\nexit 1\n");
    release.refuses(&verify, "is not valid");
    // A mistake does not skip the check.
    for value in ["yes", "True", "1", " true"] {
        release.refuses(
            &[("HOOKCTL_VERIFY_ATTESTATION", value)],
            "must be true or false",
        );
    }
    fs::remove_file(release.job.at("bin/gh")).unwrap();
    if !["/usr/bin/gh", "/bin/gh"]
        .map(PathBuf::from)
        .iter()
        .any(|gh| gh.exists())
    {
        release.refuses(&verify, "needs gh");
    }
    succeeds(&release.install(&[("HOOKCTL_VERIFY_ATTESTATION", "false")]));
}

#[test]
fn a_name_that_is_no_repository_or_release_is_refused() {
    let release = Release::new();
    // A script of a checkout names none.
    release.refuses(&[("HOOKCTL_REPOSITORY", "")], "set HOOKCTL_REPOSITORY");
    release.refuses(&[("HOOKCTL_VERSION", "")], "set HOOKCTL_VERSION");
    for name in [
        "name", "owner/", "/name", "a/b/c", "a/b c", "a/b;c", "a/$(b)",
    ] {
        release.refuses(
            &[("HOOKCTL_REPOSITORY", name)],
            "not of the form OWNER/NAME",
        );
    }
    for version in ["main", "v1/../..", "v1 2", "0.1.0"] {
        release.refuses(&[("HOOKCTL_VERSION", version)], "is not a release");
    }
}

#[test]
fn the_action_installs_its_own_version_unless_another_is_named() {
    let job = Job::new();
    let resolve = |variables: &[(&str, &str)]| {
        let mut all = vec![
            ("HOOKCTL_REPOSITORY", "owner/name"),
            ("HOOKCTL_VERSION", ""),
        ];
        all.extend(variables);
        let run = job.script("dist/action/resolve.sh", &all).output().unwrap();
        (code(&run), job.written("output"))
    };
    // `uses: owner/name@v1`, a branch, and a commit name no release.
    let (status, output) = resolve(&[]);
    assert_eq!(status, 0);
    assert!(
        output.starts_with(&format!("version={VERSION}\nrepository=owner/name\n")),
        "{output}"
    );
    assert!(
        output.contains(&format!("cache-key=hookctl-archive-owner-name-{VERSION}-")),
        "{output}"
    );
    for (given, version) in [("v0.2.0", "v0.2.0"), ("0.2.0-rc.1", "v0.2.0-rc.1")] {
        let (status, output) = resolve(&[("HOOKCTL_VERSION", given)]);
        assert_eq!(status, 0);
        assert!(output.contains(&format!("version={version}\n")), "{output}");
    }
    for given in ["v1", "main", "v0.1.0;id", "v0.1.0\nversion=v9.9.9"] {
        assert_eq!(
            resolve(&[("HOOKCTL_VERSION", given)]),
            (1, String::new()),
            "{given}"
        );
    }
    for name in ["", "owner", "a/b/c", "a/b\nskip=true"] {
        assert_eq!(
            resolve(&[("HOOKCTL_REPOSITORY", name)]),
            (1, String::new()),
            "{name}"
        );
    }
    // A fork gets no variables, and must not fail for that.
    let fork = [
        ("HOOKCTL_REPOSITORY", ""),
        ("HEAD_REPOSITORY", "stranger/webhooks"),
    ];
    assert_eq!(resolve(&fork), (0, "skip=true\n".to_owned()));
}

#[test]
fn the_action_puts_hookctl_on_the_path_and_verifies_no_attestation_of_an_installed_one() {
    let release = Release::new();
    let url = format!("file://{}", release.job.at("release").display());
    let install = |variables: &[(&str, &str)]| {
        let mut all = vec![
            ("HOOKCTL_REPOSITORY", "owner/name"),
            ("HOOKCTL_VERSION", VERSION),
            ("HOOKCTL_PLATFORM", PLATFORM),
            ("HOOKCTL_DOWNLOAD_URL", url.as_str()),
        ];
        all.extend(variables);
        release
            .job
            .script("dist/action/install.sh", &all)
            .output()
            .unwrap()
    };
    succeeds(&install(&[]));
    let folder = release.job.at("hookctl-bin");
    assert_eq!(
        release.job.written("path"),
        format!("{}\n", folder.display())
    );
    assert!(folder.join("hookctl").exists());
    assert_eq!(
        release.job.written("output"),
        format!("version={}\n", &VERSION[1..])
    );
    // What the action keeps between runs is what the installer reads.
    assert!(
        release
            .job
            .at("hookctl-archives")
            .join(release.archive().file_name().unwrap())
            .exists()
    );

    succeeds(&install(&[("HOOKCTL_VERSION", "path")]));
    assert_eq!(release.job.written("path"), "");
    let unverified = [
        ("HOOKCTL_VERSION", "path"),
        ("HOOKCTL_VERIFY_ATTESTATION", "true"),
    ];
    assert_eq!(code(&install(&unverified)), 1);
    release.job.program("gh", "#!/bin/sh\nexit 1\n");
    assert_eq!(code(&install(&[("HOOKCTL_VERIFY_ATTESTATION", "true")])), 1);
}
