//! How the emulator is run, and how it speaks.

use std::path::PathBuf;
use std::time::Duration;

/// How the emulator is run.
pub struct SandboxOptions {
    /// The API key that it takes.
    pub api_key: String,
    /// Where it keeps its webhooks.
    pub storage: Storage,
    /// How it speaks where the contract leaves that open.
    pub dialect: Dialect,
    /// How long every answer takes.
    pub latency: Duration,
}

impl SandboxOptions {
    /// An emulator in memory that takes this key, without latency.
    pub fn in_memory(api_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            storage: Storage::Memory {
                seed: 0x5eb7_cf5a_86d9_755d,
            },
            dialect: Dialect::default(),
            latency: Duration::ZERO,
        }
    }
}

/// Where the emulator keeps its webhooks.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere.
    Memory {
        /// The same seed gives the same ids.
        seed: u64,
    },
    /// In this file.
    File(PathBuf),
}

/// How the emulator speaks where the contract leaves that open.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an open question of its own"
)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialect {
    /// The name of the list's array.
    pub list: ListName,
    /// Whether the list says no total.
    pub without_total: bool,
    /// The most webhooks per page, if it caps the size silently.
    pub page_cap: Option<usize>,
    /// Whether ids are called `_id`.
    pub document_ids: bool,
    /// Whether writes are confirmed with an empty body.
    pub silent_writes: bool,
    /// Whether names are trimmed, hosts lowered, and addresses given a path.
    pub normalizes: bool,
}

/// The name of the list's array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListName {
    /// `subscriptions`, the likeliest.
    #[default]
    Subscriptions,
    /// `webhooks`
    Webhooks,
    /// `workflow_webhooks`
    WorkflowWebhooks,
    /// A name that nobody expects.
    Other,
    /// No envelope at all.
    Bare,
}
