//! The account that a record belongs to.

use std::fmt;

/// The name that stands for the address of the built-in emulator, which has another one in each run.
const SANDBOX: &str = "sandbox";

/// The account that a record belongs to. Another base URL under the same target name is another account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    target: String,
    api: String,
}

impl Account {
    /// Returns the account of a target's name and its API's base URL.
    pub fn new(target: &str, api: &str) -> Self {
        // NUL separates the two in stored keys.
        let clean = |text: &str| text.replace('\0', " ");
        Self {
            target: clean(target),
            api: clean(api),
        }
    }

    /// Returns the account of the built-in emulator that takes the place of a target's API.
    pub fn sandbox(target: &str) -> Self {
        Self::new(target, SANDBOX)
    }

    /// Whether this is the account of the built-in emulator.
    pub fn is_sandbox(&self) -> bool {
        self.api == SANDBOX
    }

    /// The target's name.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The API's base URL, or the word that stands for the emulator.
    pub fn api(&self) -> &str {
        &self.api
    }
}

/// `target at api`.
impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.target, self.api)
    }
}
