//! What a watch holds while its files are edited again and again.

use std::fs;
use std::path::Path;

use crate::process::Sandbox;
use crate::{declare_file, repository};

const WEBHOOKS: usize = 1_000;
const IN_EACH: usize = 100;

/// Prints a table of the memory and the threads after so many passes, each of which applies an edit. The tokens come from a
/// variable, and from a file for each webhook.
pub(crate) fn table(passes: usize) {
    println!("| tokens | passes with an edit | resident memory | threads |");
    println!("| --- | ---: | ---: | ---: |");
    for (tokens, source) in [
        ("a variable", "{ env: TOKEN }"),
        ("files", "{ file: ../tokens/NUMBER }"),
    ] {
        let folder = repository();
        let folder = folder.path();
        fs::create_dir(folder.join("tokens")).unwrap();
        for number in 0..WEBHOOKS {
            let token = format!("the token of {number}");
            fs::write(folder.join(format!("tokens/{number}")), token).unwrap();
        }
        let declare = |file, first| declare(folder, file, source, first);
        (0..WEBHOOKS / IN_EACH).for_each(|file| declare(file, 10));
        let sandbox = Sandbox::start(folder, 0);
        sandbox.sync(folder, &sandbox.url);
        let mut watch = sandbox.watch(folder);
        watch.pass(0);
        for pass in 0..=passes {
            if pass > 0 {
                declare(pass % (WEBHOOKS / IN_EACH), 11 + pass % 49);
                watch.pass(1);
            }
            if pass == 0 || pass == 10 || pass == 100 || pass == passes {
                let (memory, threads) = watch.size();
                println!("| {tokens} | {pass} | {memory:.1} MB | {threads} |");
            }
        }
    }
}

/// Writes a file, in which the first webhook has this time limit.
fn declare(folder: &Path, file: usize, source: &str, first: usize) {
    let begin = file * IN_EACH;
    declare_file(folder, file, begin..begin + IN_EACH, |number| {
        let timeout = if number == begin { first } else { 10 };
        (source.replace("NUMBER", &number.to_string()), timeout)
    });
}
