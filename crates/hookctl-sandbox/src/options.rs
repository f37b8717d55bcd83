//! Options of the emulator.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::delivery::DeliveryOptions;

/// Options of the emulator.
#[derive(Clone)]
pub struct SandboxOptions {
    /// The API key that the emulator accepts. [`Emulator::accept_key`](crate::Emulator::accept_key) adds others.
    pub api_key: String,
    /// Where the emulator stores its webhooks.
    pub storage: Storage,
    /// The behavior that the contract leaves open.
    pub dialect: Dialect,
    /// The latency of every response.
    pub latency: Duration,
    /// How events are delivered to receivers. `None` delivers nothing, and offers no events to trigger.
    pub delivery: Option<DeliveryOptions>,
}

impl fmt::Debug for SandboxOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SandboxOptions")
            .field("api_key", &"***")
            .field("storage", &self.storage)
            .field("dialect", &self.dialect)
            .field("latency", &self.latency)
            .field("delivery", &self.delivery)
            .finish()
    }
}

impl SandboxOptions {
    /// Returns options of an emulator in memory that accepts this key, without latency.
    pub fn in_memory(api_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            storage: Storage::Memory {
                seed: 0x5eb7_cf5a_86d9_755d,
            },
            dialect: Dialect::default(),
            latency: Duration::ZERO,
            delivery: None,
        }
    }
}

/// Where the emulator stores its webhooks.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In memory.
    Memory {
        /// The seed of ids. The same seed produces the same ids.
        seed: u64,
    },
    /// In this file, which never contains tokens.
    File(PathBuf),
}

/// The behavior of the emulator that the contract leaves open.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an open question of its own"
)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialect {
    /// The name of the list's array.
    pub list: ListName,
    /// Whether the list omits the total.
    pub without_total: bool,
    /// The maximum number of webhooks per page, if the emulator silently limits it.
    pub page_cap: Option<usize>,
    /// Whether ids are named `_id`.
    pub document_ids: bool,
    /// Whether responses to writes are empty.
    pub silent_writes: bool,
    /// Whether names are trimmed and URLs normalized.
    pub normalizes: bool,
}

/// The name of the list's array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListName {
    /// `subscriptions`, the most likely name.
    #[default]
    Subscriptions,
    /// `webhooks`
    Webhooks,
    /// `workflow_webhooks`
    WorkflowWebhooks,
    /// An unexpected name.
    Other,
    /// No envelope.
    Bare,
}
