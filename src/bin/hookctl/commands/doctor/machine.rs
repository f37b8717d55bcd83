//! The checks of this machine: file events, the terminal, and this program.

use std::io::IsTerminal as _;

use hookctl::outside::Outside;
use hookctl::render::{Check, Health};
use hookctl::watch::FsEvents;

use crate::error::chain;
use crate::hints;
use crate::settings::Settings;
use crate::ui::Ui;
use crate::version;

/// Checks that the system reports changes of the declarations, as a watch needs them.
pub(super) fn events(settings: &Settings) -> Check {
    let name = "file events";
    let folder = &settings.webhooks_dir;
    if !folder.is_dir() {
        return Check::skipped(name, "the folder of declarations");
    }
    match FsEvents::default().watch(folder, &[]) {
        Ok(()) => Check::ok(
            name,
            format!("the system reports changes in {}", Outside::path(folder)),
        ),
        Err(error) => {
            let check = Check::new(name, Health::Warning, chain(&error));
            hints::of(&error).into_iter().fold(check, Check::hint)
        }
    }
}

/// Describes the terminal and the program, for a report of a problem.
pub(super) fn checks(ui: &Ui) -> [Check; 2] {
    let output = if std::io::stdout().is_terminal() {
        format!("{} columns", ui.width())
    } else {
        "standard output is no terminal".to_owned()
    };
    let color = if ui.color_out() { "on" } else { "off" };
    let asks = if ui.can_ask() {
        "questions are asked"
    } else {
        "no question is asked"
    };
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    [
        Check::ok("terminal", format!("{output}; color is {color}; {asks}")),
        Check::ok(
            "hookctl",
            format!("{} on {system} {processor}", version::long()),
        ),
    ]
}
