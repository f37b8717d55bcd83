//! The command line: the only place that prints, reads the environment, and picks exit codes.

mod args;
mod cli;
mod commands;
mod completers;
mod environment;
mod error;
mod exit_status;
mod files;
mod git;
mod guards;
mod log;
mod mask;
mod output_file;
mod place;
mod plan_file;
mod presenter;
mod problems;
mod progress;
mod provenance;
mod run;
mod secrets;
mod session;
mod settings;
mod signals;
mod trust;
mod ui;
mod unseen;

use std::process::ExitCode;

fn main() -> ExitCode {
    report_panics();
    cli::run(&std::env::args_os().collect::<Vec<_>>()).into()
}

/// Reports panics, but for those of threads whose panic is an answer: opening a damaged record, closing one
/// on a failing disk.
fn report_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        if thread.name() != Some(hookctl::cache::GUARDED_THREAD) {
            report(panic);
        }
    }));
}
