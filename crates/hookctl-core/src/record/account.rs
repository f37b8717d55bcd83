//! The account that a record belongs to.

use std::fmt;

/// The stored address of the built-in emulator, whose real address differs in each run.
const SANDBOX: &str = "sandbox";

/// The account that a record belongs to. A target with another base URL is another account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    target: String,
    api: String,
}

impl Account {
    /// Returns the account of a target's name and base URL.
    pub fn new(target: &str, api: &str) -> Self {
        // NUL separates the two in stored keys.
        let clean = |text: &str| text.replace('\0', " ");
        Self {
            target: clean(target),
            api: clean(api),
        }
    }

    /// Returns the account of the built-in emulator, which replaces a target's API.
    pub fn sandbox(target: &str) -> Self {
        Self::new(target, SANDBOX)
    }

    /// Returns whether this is the account of the built-in emulator.
    pub fn is_sandbox(&self) -> bool {
        self.api == SANDBOX
    }

    /// Returns the target's name.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the API's base URL, or `sandbox` for the emulator.
    pub fn api(&self) -> &str {
        &self.api
    }
}

/// Shows `target at api`.
impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.target, self.api)
    }
}
