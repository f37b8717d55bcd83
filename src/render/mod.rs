//! Rendering of values as text and as documents. Pure: width, color, and format are arguments, and nothing is printed.
//!
//! Human-readable text makes sense without color. Machine-readable output is an interface, described in `schemas/`.

mod after_pass;
mod annotations;
mod change_verdict;
mod compact;
pub mod deliveries;
mod delivery_counts;
mod diagnostics;
mod diff;
mod doctor;
mod explanations;
mod file_diff;
mod human;
mod json;
mod layout;
mod markdown;
mod message;
mod outcome;
mod page;
mod pull;
mod record;
mod sanitize;
mod saved;
mod settings;
mod status;
mod style;
mod table;
mod verification;

pub use after_pass::EndedPass;
pub use annotations::{github, sarif};
pub use change_verdict::ChangeVerdict;
pub use compact::{Detail, plan, report};
pub use delivery_counts::{Deliveries, DeliveryCounts, Hour};
pub use diagnostics::{SHOWN, count_line, diagnostics};
pub use diff::diff;
pub use doctor::{Check, DoctorDocument, Health};
pub use explanations::{explanation, explanations, meaning};
pub use human::{beside, brief, line};
pub use json::{PlanDocument, ValidateDocument};
pub use layout::{columns, cut, wrap};
pub use markdown::{LONGEST, markdown};
pub use message::Message;
pub use page::{FilesState, LastPass, Page, PageForm, Passes, page_policy};
pub use pull::PullDocument;
pub use record::{
    HistoryDocument, HolderEntry, RecordDocument, RecordStatusDocument, SharedHead, history, record,
};
pub use sanitize::sanitize;
pub use saved::styled_plan;
pub use settings::{LooseSetting, LooseSettings, SettingChange};
pub use status::{Held, StatusDocument, StatusRow};
pub use style::{Screen, Styles};
pub use verification::{RollbackRow, VerdictRow, VerificationReport};

use std::time::Duration;

/// The context of a plan.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The name of the target.
    pub target: &'a str,
    /// Whether the API is the built-in emulator.
    pub sandbox: bool,
    /// Whether the run is a dry run.
    pub dry_run: bool,
    /// The settings that make the plan less careful.
    pub settings: &'a LooseSettings,
}

/// The statistics of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunStats {
    /// The number of requests, including retries.
    pub requests: u64,
    /// The duration from start to end.
    pub duration: Duration,
}
