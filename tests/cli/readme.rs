//! The README's five minutes produce the output that they show.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::Repository;
use crate::receiver::{Receiver, Reply};

const README: &str = include_str!("../../README.md");

/// A command of the README, and what it says that comes of it.
struct Shown {
    command: Vec<String>,
    output: Vec<String>,
}

/// The commands of one numbered step.
fn step(number: u32) -> Vec<Shown> {
    let section = README.split("## Five minutes").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let start = section.find(&format!("\n**{number}. ")).unwrap();
    let text = &section[start..];
    let end = text
        .find(&format!("\n**{}. ", number + 1))
        .unwrap_or(text.len());
    let mut shown: Vec<Shown> = Vec::new();
    for block in text[..end].split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => shown.push(Shown {
                    command: command.split_whitespace().map(str::to_owned).collect(),
                    output: Vec::new(),
                }),
                None => shown.last_mut().unwrap().output.push(line.to_owned()),
            }
        }
    }
    shown
}

/// What differs from run to run, made the same.
fn settled(line: &str) -> String {
    let mut settled = String::new();
    let mut hex = String::new();
    for character in line.chars().chain(['\n']) {
        if character.is_ascii_hexdigit() {
            hex.push(character);
            continue;
        }
        settled += if hex.len() == 24 { "ID" } else { &hex };
        hex.clear();
        settled.push(character);
    }
    let settled = settled.trim_end();
    // Such as "in 3 ms", "in 0.02 s.", and "in 2.64 s." on a busy machine.
    if let Some((before, time)) = settled.rsplit_once(" in ")
        && let Some((number, unit)) = time.split_once(' ')
        && number.parse::<f64>().is_ok()
        && matches!(unit, "ms" | "s.")
    {
        return format!("{before} in a moment");
    }
    settled.to_owned()
}

/// Runs the commands of a step, and finds what is shown, in its order, in what comes.
fn follow(repository: &Repository, number: u32) {
    follow_with(repository, number, &|argument| argument.to_owned());
}

/// Follows a step, with other arguments in place of some.
fn follow_with(repository: &Repository, number: u32, replaced: &dyn Fn(&str) -> String) {
    for shown in step(number) {
        assert_eq!(shown.command.first().map(String::as_str), Some("hookctl"));
        let arguments = shown.command.iter().skip(1).map(|one| replaced(one));
        let arguments: Vec<String> = arguments.collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = repository.run(&arguments);
        let text = format!("{}{}", run.stdout, run.stderr);
        let lines: Vec<String> = text.lines().map(settled).collect();
        let mut rest = lines.iter();
        for expected in &shown.output {
            if expected.trim() == "..." || expected.is_empty() {
                continue;
            }
            let expected = settled(expected);
            assert!(
                rest.any(|line| *line == expected),
                "step {number}, {:?}: no line '{expected}' in\n{}",
                shown.command,
                lines.join("\n")
            );
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// The receiver of the README, on a free port, or one of these tests where there is no Python.
struct PageReceiver {
    child: Option<Child>,
    stands_in: Option<Receiver>,
    origin: String,
}

impl PageReceiver {
    fn new(repository: &Repository) -> Self {
        let text = README.split("```python\n").nth(1).unwrap();
        let text = text.split("```").next().unwrap();
        assert!(text.contains("9000"));
        let text = text.replace("9000", "0").replace(
            "server.serve_forever()",
            "print(server.server_port, flush=True)\nserver.serve_forever()",
        );
        repository.write("receiver.py", &text);
        let mut python = Command::new("python3");
        let python = python.arg("receiver.py").current_dir(repository.path(""));
        let spawned = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = spawned else {
            let receiver = Receiver::new([Reply::status(204)]);
            return Self {
                child: None,
                origin: receiver.origin.clone(),
                stands_in: Some(receiver),
            };
        };
        let mut port = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut port).unwrap();
        Self {
            child: Some(child),
            stands_in: None,
            origin: format!("http://127.0.0.1:{}", port.trim()),
        }
    }
}

impl Drop for PageReceiver {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.stands_in.take());
    }
}

#[test]
fn the_five_minutes_are_as_the_page_shows_them() {
    let repository = Repository::new();
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("webhooks.d"),
        &repository.path("webhooks.d"),
    );
    let edit = |from: &str, to: &str| {
        let path = "webhooks.d/billing.yaml";
        let text = fs::read_to_string(repository.path(path)).unwrap();
        assert!(text.contains(from), "{from}");
        repository.write(path, &text.replace(from, to));
    };
    follow(&repository, 1);
    follow(&repository, 2);
    let receiver = PageReceiver::new(&repository);
    follow_with(&repository, 3, &|argument| {
        argument.replace("http://127.0.0.1:9000", &receiver.origin)
    });
    drop(receiver);
    edit("timeout_seconds: 20", "timeout_seconds: 30");
    follow(&repository, 4);
    let token = "    bearer_token: { command: [printf, \"%s\", demo-billing-token] }\n";
    edit(token, "");
    follow(&repository, 5);
    edit(
        "workflow_run_started, workflow_run_completed",
        "workflow_run_completd",
    );
    follow(&repository, 6);
}
