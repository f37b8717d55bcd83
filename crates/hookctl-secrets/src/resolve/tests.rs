//! Each kind of source, and what is refused.

use super::*;
use crate::Program;
use hookctl_core::template::Template;

fn lookup(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("from-env".to_owned()),
        "EMPTY" => Some(String::new()),
        "MASKED" => Some("****".to_owned()),
        _ => None,
    }
}

/// Returns permits for the program of a source, found in the system's folders.
fn permits(source: &SecretSource) -> Permits {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let mut permits = Permits::searching(search.clone());
    if let SecretSource::Command { program, .. } = source {
        let found = std::env::split_paths(&search)
            .map(|folder| folder.join(program))
            .find(|path| path.exists());
        match found {
            Some(path) => permits.allow(
                source.clone(),
                Program {
                    real: path.canonicalize().unwrap(),
                    path,
                    contents: Vec::new(),
                },
            ),
            None => permits.missing(source.clone()),
        }
    }
    permits
}

async fn resolve(source: &SecretSource, permits: &Permits) -> Result<Secret, ResolveError> {
    let keys = KeyValues::none();
    Resolver::new(&lookup, permits, &keys).resolve(source).await
}

async fn value(source: SecretSource) -> Result<String, String> {
    match resolve(&source, &permits(&source)).await {
        Ok(secret) => Ok(secret.expose().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn env(name: &str) -> SecretSource {
    SecretSource::Env { name: name.into() }
}

fn command(program: &str, arguments: &[&str]) -> SecretSource {
    SecretSource::Command {
        program: program.into(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        directory: std::env::temp_dir(),
    }
}

/// Answers by the reference.
struct Vault;

impl crate::SecretProvider for Vault {
    fn resolve<'a>(&'a self, reference: &'a SecretReference) -> crate::ProviderFuture<'a> {
        Box::pin(async move {
            match reference.as_str() {
                "clinic/billing#token" => Ok(Secret::new("from-the-vault".to_owned())?),
                "mask" => Ok(Secret::new("****".to_owned())?),
                "slow" => std::future::pending().await,
                other => Err(format!("no entry {other};\nnot sk_live_51Habcdefghij0123").into()),
            }
        })
    }
}

fn provided(reference: &str) -> SecretSource {
    SecretSource::Provider {
        name: ProviderName::parse("vault").unwrap(),
        reference: SecretReference::parse(reference.to_owned()).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_and_its_error_is_masked() {
    let name = ProviderName::parse("vault").unwrap();
    let mut providers = Providers::none();
    providers.register(name.clone(), Vault).unwrap();
    assert!(providers.register(name.clone(), Vault).is_err());
    assert_eq!(providers.names(), [name]);
    let (permits, mut keys) = (Permits::none(), KeyValues::none());
    let no_keys = KeyValues::none();
    let resolver = Resolver::new(&lookup, &permits, &no_keys).providers(&providers);
    let token = provided("clinic/billing#token");
    let secret = resolver.resolve(&token).await.unwrap();
    assert_eq!(secret.expose(), "from-the-vault");
    for (reference, message) in [
        (
            "hunter2",
            "the secret provider 'vault' failed: no entry (reference); not (secret)",
        ),
        (
            "mask",
            "the secret provider 'vault' failed: it is a placeholder such as '****', not a secret",
        ),
        (
            "slow",
            "the secret provider 'vault' did not answer within 30 seconds",
        ),
    ] {
        let error = resolver.resolve(&provided(reference)).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    keys.add(&secret);
    let resolver = Resolver::new(&lookup, &permits, &keys);
    let error = resolver.providers(&providers).resolve(&token).await;
    assert!(matches!(error, Err(ResolveError::IsKey { .. })));
    let error = resolver.resolve(&token).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no secret provider 'vault' is registered"
    );
}

#[tokio::test]
async fn environment_and_text() {
    assert_eq!(value(env("TOKEN")).await.unwrap(), "from-env");
    assert_eq!(
        value(env("NONE")).await.unwrap_err(),
        "the environment variable NONE is not set"
    );
    assert_eq!(
        value(env("EMPTY")).await.unwrap_err(),
        "the environment variable EMPTY is empty"
    );
    assert_eq!(
        value(env("MASKED")).await.unwrap_err(),
        "the environment variable MASKED has an unusable value: it is a placeholder \
         such as '****', not a secret"
    );
    let template = Template::parse("a-${TOKEN}").unwrap();
    assert_eq!(
        value(SecretSource::Text { template }).await.unwrap(),
        "a-from-env"
    );
}

#[tokio::test]
async fn a_file_loses_one_line_break_and_may_not_escape() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "outside").unwrap();
    std::fs::write(folder.path().join("token"), "inside\r\n").unwrap();
    std::fs::write(folder.path().join("marked"), "\u{feff}inside\r\n").unwrap();
    std::fs::write(folder.path().join("twice"), "\u{feff}\u{feff}inside").unwrap();
    std::fs::write(folder.path().join("blank"), "inside \n").unwrap();
    std::fs::write(folder.path().join("two"), "inside\n\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let file = |name: &str| SecretSource::File {
        path: folder.path().join(name),
        written: name.to_owned(),
        confined_to: Some(folder.path().to_owned()),
    };
    assert_eq!(value(file("token")).await.unwrap(), "inside");
    assert_eq!(value(file("marked")).await.unwrap(), "inside");
    for (name, message) in [
        (
            "twice",
            "the file twice has an unusable value: it contains the invisible character U+FEFF",
        ),
        (
            "blank",
            "the file blank has an unusable value: it ends with a space (U+0020)",
        ),
    ] {
        assert_eq!(value(file(name)).await.unwrap_err(), message);
    }
    assert!(
        value(file("two"))
            .await
            .unwrap_err()
            .contains("control character")
    );
    assert!(
        value(file("link"))
            .await
            .unwrap_err()
            .contains("is outside")
    );
    assert!(
        value(file("none"))
            .await
            .unwrap_err()
            .contains("could not read the file")
    );
}

#[tokio::test]
async fn a_command_gives_its_output_and_its_failure_shows_none_of_it() {
    assert_eq!(value(command("echo", &["a b"])).await.unwrap(), "a b");
    let script = "echo hunter2; echo 'no hunter2 for sk_live_51Habcdefghij0123' >&2; exit 3";
    let failed = value(command("sh", &["-c", script])).await.unwrap_err();
    assert_eq!(
        failed,
        format!(
            "'sh' exited with exit status: 3 in {}; standard error: no (secret) for (secret)",
            std::env::temp_dir().to_string_lossy()
        )
    );
    assert!(
        value(command("no-such-program-here", &[]))
            .await
            .unwrap_err()
            .contains("could not find 'no-such-program-here'")
    );
    let endless = value(command("cat", &["/dev/zero"])).await.unwrap_err();
    assert_eq!(
        endless,
        "the command 'cat': the value exceeds 64 KiB, the limit of a token"
    );
}

#[tokio::test]
async fn nothing_runs_without_consent_or_other_than_what_there_was_consent_to() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("ran");
    let script = folder.path().join("script");
    std::fs::write(&script, format!("echo > {}", marker.to_string_lossy())).unwrap();
    let source = command("sh", &[script.to_str().unwrap()]);
    let error = resolve(&source, &Permits::none()).await;
    assert_eq!(error.unwrap_err().to_string(), "no consent to run 'sh'");

    let mut permits = permits(&source);
    let program = Program {
        contents: vec![(script.clone(), *blake3::hash(b"another").as_bytes())],
        ..permits.of(&source).unwrap().clone()
    };
    permits.allow(source.clone(), program);
    let error = resolve(&source, &permits).await.unwrap_err();
    assert!(matches!(error, ResolveError::Changed { path, .. } if path == script));
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_program_that_ended_has_answered_whatever_it_left_running() {
    let started = std::time::Instant::now();
    let script = "sleep 20 & printf tok";
    assert_eq!(value(command("sh", &["-c", script])).await.unwrap(), "tok");
    let large = "sleep 20 & head -c 60000 /dev/zero | tr '\\0' a";
    let error = value(command("sh", &["-c", large])).await.unwrap_err();
    assert!(error.contains("longer than"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// Runs a program with a long-running child until the child has started; then `after`. Returns its process id.
async fn began(folder: &Path, after: impl FnOnce()) -> rustix::process::Pid {
    let path = folder.join("pid");
    let script = format!(
        "sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 60'; true",
        path.to_string_lossy()
    );
    let source = command("sh", &["-c", &script]);
    let permits = permits(&source);
    let asked = resolve(&source, &permits);
    let began = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        after();
    };
    tokio::select! {
        _ = asked => panic!("it does not end by itself"),
        () = began => {}
    }
    pid(folder)
}

fn pid(folder: &Path) -> rustix::process::Pid {
    let text = std::fs::read_to_string(folder.join("pid")).unwrap();
    rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

fn ends(pid: rustix::process::Pid) -> bool {
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        // A finished process may wait for its new parent.
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while is_there() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    !is_there()
}

#[tokio::test]
async fn a_program_ends_with_its_children_when_its_caller_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ends(began(folder.path(), || {}).await));
}

#[test]
fn a_program_ends_with_its_children_when_we_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let panicking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(began(&path, || panic!("a simulated bug")))
    });
    assert!(panicking.join().is_err());
    assert!(ends(pid(folder.path())));
}

#[tokio::test]
async fn a_fifo_or_a_device_is_an_error_at_once() {
    for path in ["/dev/zero", "/dev/null"] {
        let source = SecretSource::File {
            path: path.into(),
            written: path.to_owned(),
            confined_to: None,
        };
        let error = resolve(&source, &Permits::none()).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "it is not a regular file");
    }
}
