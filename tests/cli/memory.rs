//! The memory of a waiting process contains no tokens.

use std::fs;

use crate::harness::{Account, Repository};
use crate::secrets::{guarded, token};

/// How often a text is found in the memory of a process, in whatever case.
#[cfg(target_os = "linux")]
fn found_in_memory(process: u32, text: &[u8]) -> usize {
    use std::os::unix::fs::FileExt as _;

    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let mut found = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        // What is not writable holds the program itself.
        if !words.next().unwrap().starts_with("rw") {
            continue;
        }
        let (start, end) = (address(start), address(end));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            let hits = bytes
                .windows(text.len())
                .filter(|part| part.eq_ignore_ascii_case(text));
            found += hits.count();
        }
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn a_watch_that_is_idle_holds_no_token() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    for source in [
        "{ file: ../token }",
        "{ command: [cat, ../token] }",
        "{ file: ../long }",
    ] {
        let account = Account::new();
        let repository = Repository::with(&guarded(source));
        let secret = "s3cr3t-4711";
        repository.write("token", secret);
        repository.write("long", &format!("{secret}{}", "x".repeat(900)));
        let url = account.sandbox.base_url();
        let mut watch = repository
            .command(&["--api-url", &url, "watch", "--interval", "1h"])
            .env("HOOKCTL_TRUST", "1")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        // The list after the create ends the pass.
        while account.sandbox.received() < 3 {
            assert!(Instant::now() < deadline, "{source}: no pass");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut found = usize::MAX;
        while found > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(300));
            found = found_in_memory(watch.id(), secret.as_bytes());
        }
        watch.kill().unwrap();
        watch.wait().unwrap();
        assert_eq!(found, 0, "{source}");
        assert!(token(&account).unwrap().starts_with(secret));
    }
}
