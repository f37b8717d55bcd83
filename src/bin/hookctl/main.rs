//! The command line: the only module that prints, reads the environment, and chooses exit codes.

mod aftermath;
mod args;
mod bound;
mod certificates;
mod cli;
mod commands;
mod completers;
mod confirm;
mod early;
mod emulator;
mod environment;
mod error;
mod exit_status;
mod files;
mod git;
mod guards;
mod hints;
mod lease;
mod log;
mod mask;
mod nonce;
mod older_files;
mod opened;
mod output_file;
mod place;
mod plan_file;
mod presenter;
mod problems;
mod progress;
mod provenance;
mod recent;
mod record_ahead;
mod rollback;
mod run;
mod secrets;
mod session;
mod settings;
mod shared_record;
mod signals;
mod trust;
mod ui;
mod unseen;
mod verification;
mod version;

use std::process::ExitCode;

fn main() -> ExitCode {
    report_panics();
    cli::run(&std::env::args_os().collect::<Vec<_>>()).into()
}

/// Reports panics, except on threads whose panic is handled: sled panics on damaged files and on failing
/// disks.
fn report_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        if thread.name() != Some(hookctl::record::sled::GUARDED_THREAD) {
            report(panic);
        }
    }));
}
