//! Values to text, for people and for machines. Pure: width, colour, and form are arguments, and nothing
//! is printed here.
//!
//! Texts for people make sense without colour. Texts for machines are interfaces: their forms are in
//! `schemas/`.

mod annotations;
pub mod deliveries;
mod diagnostics;
mod diff;
mod human;
mod json;
mod markdown;
mod message;
mod outcome;
mod record;
mod sanitize;
mod settings;
mod status;
mod style;
mod table;

pub use annotations::{github, sarif};
pub use diagnostics::{SHOWN, count_line, diagnostics};
pub use diff::diff;
pub use human::{beside, line, plan, report};
pub use json::{PlanDocument, ValidateDocument};
pub use markdown::{LONGEST, markdown};
pub use message::Message;
pub use record::{HistoryDocument, RecordDocument, history, record};
pub use sanitize::sanitize;
pub use settings::{LooseSetting, LooseSettings, SettingChange};
pub use status::{Deliveries, StatusDocument, StatusRow};
pub use style::Styles;

use std::time::Duration;

/// What a plan is for.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The target's name.
    pub target: &'a str,
    /// Whether the API is the built-in emulator.
    pub sandbox: bool,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// The settings that make the plan less careful.
    pub settings: &'a LooseSettings,
}

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub struct RunStats {
    /// Requests, retries included.
    pub requests: u64,
    /// From start to end.
    pub duration: Duration,
}
