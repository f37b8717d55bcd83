//! The page with few and with many webhooks, in every state, with names and texts as long as the API permits.

use std::fmt::Write as _;

use serde_json::json;

use crate::harness::{Account, Repository};
use crate::{Browser, ESCAPE, Watch, accessible, browser, deliver, pictures, rows};

/// The words of keys, names, and paths.
const TEAMS: [&str; 6] = [
    "billing",
    "call-summaries",
    "escalations",
    "intake",
    "patient-records",
    "scheduling",
];

/// The longest key, and the longest name.
const LONGEST_KEY: &str = "a-key-of-63-characters-is-the-longest-that-a-file-can-declare-1";
const LONGEST_NAME: usize = 150;

/// Returns declarations, each with a path of its own.
fn declared(count: usize) -> String {
    let mut text = "webhooks:\n".to_owned();
    for number in 0..count {
        let team = TEAMS[number % TEAMS.len()];
        let (key, name) = match number {
            0 => (LONGEST_KEY.to_owned(), "N".repeat(LONGEST_NAME)),
            _ => (
                format!("{team}-{number:03}"),
                format!("Clinic {number}: {team}"),
            ),
        };
        let url = address(number, 1);
        writeln!(
            text,
            "  {key}: {{ name: '{name}', url: '{url}', actions: all }}"
        )
        .unwrap();
    }
    text
}

fn address(number: usize, version: u8) -> String {
    format!("https://hooks.clinic.example/{number}/v{version}")
}

/// Makes every state: verdicts, drift, an orphan, a missing and an unmanaged webhook, and one that the API refuses.
fn upset(account: &Account, repository: &Repository, count: usize) {
    let name = |number: usize| format!("Clinic {number}: {}", TEAMS[number % TEAMS.len()]);
    let mut text = declared(count);
    for (number, status) in [(1, 503), (2, 401), (3, 200)] {
        let to = address(number, 2);
        deliver(account, &name(number), &to, status);
        text = text.replace(&address(number, 1), &to);
    }
    account.edit(
        &name(4),
        &json!({ "timeout_seconds": 44, "max_retries": 9, "enabled": false }),
    );
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        &"unmanaged".repeat(16),
        "https://mine.example.com",
    );
    let orphan = text
        .lines()
        .position(|line| line.contains(&name(5)))
        .unwrap();
    let kept = text
        .lines()
        .enumerate()
        .filter(|(index, _)| *index != orphan);
    let kept: Vec<&str> = kept.map(|(_, line)| line).collect();
    repository.declare(&(kept.join("\n") + "\n"));
}

fn a_page_of(count: usize) {
    let (account, repository) = (Account::new(), Repository::with(&declared(count)));
    repository.settled(&account);
    let watch = Watch::start(&repository, &account, &["--verify", "5m"]);
    let browser: Browser = browser();
    browser.open(&watch.url);
    browser.until("document.body.innerText.includes('no changes yet')");
    upset(&account, &repository, count);
    browser.until("document.getElementById('facts').innerText.includes('1 rejected, 1 proven')");
    watch.pass();
    browser.until("document.body.innerText.includes('1 drifted')");
    assert_eq!(rows(&browser).as_array().unwrap().len(), count + 1);
    accessible(&browser);
    pictures(&browser, &format!("many-{count}"));

    // A filter of each key press is applied before the next frame.
    browser.press("/");
    let took = browser.run(
        "const words = document.getElementById('words');
        const started = performance.now();
        words.value = 'escalations'; words.dispatchEvent(new Event('input'));
        document.body.offsetHeight;
        return performance.now() - started;",
    );
    println!("{count} webhooks: a filter takes {took} ms");
    let shown = rows(&browser);
    assert_eq!(
        shown.as_array().unwrap().len(),
        if count > 100 { 50 } else { 2 }
    );
    pictures(&browser, &format!("many-{count}-filtered"));
    browser.press("/");
    browser.press(ESCAPE);
    let nothing = "const words = document.getElementById('words');
        words.value = 'no such words'; words.dispatchEvent(new Event('input'));";
    browser.run(nothing);
    assert_eq!(rows(&browser), json!([]));
    let said = browser.run("return document.getElementById('shown').textContent;");
    assert_eq!(said, format!("None of {} matches", count + 1));
    accessible(&browser);
    pictures(&browser, &format!("many-{count}-nothing"));
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
#[ignore = "needs a browser: .ci/browser"]
fn a_page_of_10_webhooks() {
    a_page_of(10);
}

#[test]
#[ignore = "needs a browser: .ci/browser"]
fn a_page_of_300_webhooks() {
    a_page_of(300);
}

#[test]
#[ignore = "needs a browser: .ci/browser"]
fn a_page_of_no_webhooks() {
    let (account, repository) = (Account::new(), Repository::with("webhooks: {}\n"));
    let watch = Watch::start(&repository, &account, &["--verify", "5m"]);
    let browser = browser();
    browser.open(&watch.url);
    browser.until("document.getElementById('live').textContent === 'Live'");
    browser.until("document.body.innerText.includes('No webhooks')");
    assert_eq!(
        browser.run("return document.getElementById('filter').hidden;"),
        json!(true)
    );
    accessible(&browser);
    pictures(&browser, "none");
}
