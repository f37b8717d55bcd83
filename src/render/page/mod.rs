//! The page that `watch --http` serves, and that `report --html` writes: the status of an account as HTML.
//!
//! Pure: the time, the nonce, and every value are arguments. The page needs nothing from elsewhere. Its script only filters
//! rows and, in a watch, fetches the page again after each pass.

mod body;
mod html;
mod sparkline;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use self::html::Html;
use super::status::StatusDocument;
use crate::record::HistoryEntry;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// The name of the target.
    pub target: String,
    /// The time at which the values were read.
    pub at: Timestamp,
    /// The status of each webhook. `None` before the first pass with a plan.
    pub status: Option<StatusDocument>,
    /// Why the last pass did not apply an action, by key: text from outside.
    pub problems: BTreeMap<String, String>,
    /// Why the deliveries are unknown. `None` if they are known, or were not requested.
    pub unknown_deliveries: Option<String>,
    /// The declarations.
    pub files: FilesState,
    /// The passes. `None` for a report.
    pub passes: Option<Passes>,
    /// Applied changes, the newest first.
    pub history: Vec<HistoryEntry>,
}

/// The state of the declarations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilesState {
    /// Not read yet.
    #[default]
    Unread,
    /// Valid.
    Valid {
        /// The number of warnings.
        warnings: usize,
    },
    /// Invalid. The last valid files stay in effect.
    Invalid {
        /// The number of errors.
        errors: usize,
        /// The number of warnings.
        warnings: usize,
    },
}

/// The passes of a watch.
#[derive(Clone, Debug, Default)]
pub struct Passes {
    /// The last one. `None` before the first.
    pub last: Option<LastPass>,
    /// When the next one is due.
    pub next: Option<Timestamp>,
    /// Why the watch makes no passes; `None` if it does. Text from outside.
    pub standby: Option<String>,
}

/// The last pass of a watch.
#[derive(Clone, Debug)]
pub struct LastPass {
    /// When it ended.
    pub at: Timestamp,
    /// Why it ran, as one word.
    pub reason: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Whether the account matches the files.
    pub is_complete: bool,
    /// Why it has no result: text from outside.
    pub error: Option<String>,
}

/// The form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageForm<'a> {
    /// A file, which stays as it is.
    File,
    /// Served by a watch, and live. The version identifies its state.
    Live {
        /// A text that differs after each change.
        version: &'a str,
    },
}

impl Page {
    /// Renders the page as one HTML document. The nonce permits its own script and style, and nothing else.
    pub fn to_html(&self, form: PageForm<'_>, nonce: &str) -> String {
        let mut html = Html::default();
        html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        if form == PageForm::File {
            html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"");
            html.text(&policy(nonce, "'none'")).raw("\">\n");
        }
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
        // Otherwise a browser asks for an icon.
        html.raw("<link rel=\"icon\" href=\"data:,\">\n<title>");
        html.text(&self.target)
            .raw(" · hookctl</title>\n<style nonce=\"");
        html.text(nonce).raw("\">\n").raw(STYLE);
        html.raw("</style>\n</head>\n<body");
        if let PageForm::Live { version } = form {
            html.raw(" data-version=\"").text(version).raw("\"");
        }
        html.raw(">\n");
        body::body(&mut html, self, form);
        html.raw("<script nonce=\"").text(nonce).raw("\">\n");
        html.raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
        html.finish()
    }
}

/// Returns the Content-Security-Policy of the served page: its own script and style, connections to its own server, and
/// nothing else.
pub fn page_policy(nonce: &str) -> String {
    policy(nonce, "'self'") + "; frame-ancestors 'none'"
}

fn policy(nonce: &str, connect: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
}
