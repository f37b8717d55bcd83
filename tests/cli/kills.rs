//! The process killed at random moments: no webhook is duplicated or lost.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hookctl_testing::simulation::Dice;

use crate::harness::{Account, Repository, Run};

const KEYS: u64 = 10;

/// Rounds in each of the two tests.
const ROUNDS: u64 = 100;

/// The desired state of a key; `None` if it must be absent.
type Wish = Option<(u64, Option<u64>)>;

fn wishes(random: &Dice) -> Vec<Wish> {
    (0..KEYS)
        .map(|_| {
            let token = (random.below(3) > 0).then(|| random.below(3));
            (random.below(4) > 0).then(|| (10 + random.below(3), token))
        })
        .collect()
}

fn declarations(wishes: &[Wish]) -> String {
    let mut text = "webhooks:\n".to_owned();
    for (number, wish) in wishes.iter().enumerate() {
        text += &match wish {
            None => format!("  hook-{number}: {{ state: absent }}\n"),
            Some((timeout, token)) => {
                let token = token.map_or_else(String::new, |token| {
                    format!(", bearer_token: {{ env: TOKEN_{token} }}")
                });
                format!(
                    "  hook-{number}: {{ url: 'https://hooks.example.com/{number}', actions: all, \
                     timeout_seconds: {timeout}{token} }}\n"
                )
            }
        };
    }
    text
}

fn killed(seed: u64) {
    let account = Account::with_latency(Duration::from_millis(3));
    let mut repository = Repository::new();
    for token in 0..3 {
        repository.set(&format!("TOKEN_{token}"), &format!("s3cr3t-{token}"));
    }
    let url = account.sandbox.base_url();
    let sync = [
        "--api-url",
        &url,
        "sync",
        "--yes",
        "--force",
        "--allow-empty",
    ];
    let random = Dice::new(seed);
    let mut whole = Duration::from_millis(200);
    let mut died = 0;
    for round in 0..ROUNDS {
        let wishes = wishes(&random);
        repository.declare(&declarations(&wishes));
        let mut child = repository
            .command(&sync)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = random.below(u64::try_from(whole.as_micros()).unwrap());
        std::thread::sleep(Duration::from_micros(moment));
        child.kill().unwrap();
        died += u64::from(child.wait().unwrap().code().is_none());

        let started = Instant::now();
        let run = Run::of(repository.command(&sync).output().unwrap()).code(0);
        whole = started
            .elapsed()
            .clamp(Duration::from_millis(30), Duration::from_secs(1));
        let is: BTreeMap<String, (u64, Option<String>)> = account
            .sandbox
            .webhooks()
            .into_iter()
            .map(|webhook| {
                let token = account.sandbox.token(&webhook.id);
                let timeout = u64::try_from(webhook.timeout_seconds).unwrap();
                (webhook.name, (timeout, token))
            })
            .collect();
        assert_eq!(is.len(), account.names().len(), "round {round}: doubled");
        let wanted: BTreeMap<String, (u64, Option<String>)> = wishes
            .iter()
            .enumerate()
            .filter_map(|(number, wish)| {
                let (timeout, token) = (*wish)?;
                let token = token.map(|token| format!("s3cr3t-{token}"));
                Some((format!("hook-{number}"), (timeout, token)))
            })
            .collect();
        assert_eq!(is, wanted, "round {round}:\n{}", run.stdout);
        if round % 10 == 0 {
            repository
                .sync(&account, &["--dry-run", "--detailed-exitcode"])
                .code(0);
        }
    }
    assert!(
        died > ROUNDS / 3,
        "only {died} of {ROUNDS} died in the middle"
    );
}

#[test]
fn a_hundred_rounds_of_sigkill() {
    killed(0x9e37_79b9_7f4a_7c15);
}

#[test]
fn another_hundred_rounds_of_sigkill() {
    killed(0xd1b5_4a32_d192_ed03);
}
