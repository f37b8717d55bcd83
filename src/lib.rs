//! Declarative sync for Interactly workflow webhooks.
//!
//! A team declares its webhooks in YAML files, and hookctl makes the account match them. The command line is a thin layer
//! over this library: a program can do everything that it does.
//!
//! # A tour
//!
//! [`declaration::load`] reads a folder and reports every mistake in it; the result becomes a [`state::DesiredState`].
//! [`remote::observe`] reads the webhooks of the account, over [`remote::http`] or any other [`remote::WebhookApi`]. A
//! [`record::Record`] keeps what was applied last. [`plan::plan`] is a pure function over the three; [`apply::apply`]
//! carries out a plan, and [`reconcile::reconcile`] does all of it in one pass. [`render`] turns plans and reports into
//! text.
//!
//! ```
//! use std::collections::BTreeMap;
//! use hookctl::declaration::{self, LoadOptions};
//! use hookctl::plan::{Policy, plan};
//! use hookctl::state::{LastApplied, ObservedState};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! std::fs::write(
//!     folder.path().join("billing.yaml"),
//!     "webhooks: { billing: { url: 'https://hooks.example.com', actions: all } }",
//! )?;
//! let loaded = declaration::load(
//!     folder.path(),
//!     &LoadOptions::below(folder.path()),
//! );
//! let desired = loaded.declarations.ok_or("mistakes")?.into_desired(&BTreeMap::new());
//! let plan = plan(
//!     &desired,
//!     &ObservedState::default(),
//!     &LastApplied::new(),
//!     &Policy::default(),
//! )?;
//! assert_eq!(plan.summary().create, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # The modules
//!
//! | task | module |
//! | --- | --- |
//! | keys, ids, addresses, actions, limits | [`webhook`] |
//! | files to desired state, each mistake with its location | [`declaration`], [`config`], [`yaml`], [`template`], [`diagnostic`] |
//! | declarations for existing webhooks, and values of the API written into declarations | [`import`], [`pull`] |
//! | secrets, their sources and fingerprints | [`secret`] |
//! | consent to what the files ask for | [`trust`] |
//! | desired, observed, and last-applied state | [`state`] |
//! | the pure plan and its safety limits | [`plan`], [`plan::safety`] |
//! | the API by meaning, and over HTTP | [`remote`], [`remote::http`] |
//! | plans that are reviewed now and applied later | [`saved`] |
//! | applying a plan, and what came of it | [`apply`], [`reconcile`], [`report`] |
//! | the record, in memory or on sled | [`record`] |
//! | a pass whenever a file is saved, and at intervals | [`watch`] |
//! | text for people and machines | [`render`] |
//! | an emulator of the API | [`sandbox`] |
//!
//! # Features
//!
//! A program that embeds the library leaves `cli` out with `default-features = false`. It then compiles no argument parser,
//! no progress bars, no metrics, and no subscriber of log events.
//!
//! | feature | adds |
//! | --- | --- |
//! | (none) | declarations, plans, passes over any [`remote::WebhookApi`] and [`record::Backend`], [`render`], [`saved`] |
//! | `http` | [`remote::http`] |
//! | `sled` | [`record::sled`] |
//! | `shared` | [`record::shared`], and [`record::objects`]: S3, Azure Blob Storage, Google Cloud Storage |
//! | `watch` | [`watch`] |
//! | `sandbox` | [`sandbox`] |
//! | `cli` (default) | all of them, and the program `hookctl` |
//!
//! # What the library never does
//!
//! It prints nothing, reads no environment variable by itself (it takes a lookup function), and does not end the process.
//! Its log events go to [`tracing`]; the program decides where they end up.

pub use hookctl_api as remote;
pub use hookctl_core::{address, outside, plan, saved, state, template, webhook};
pub use hookctl_engine::{apply, reconcile, report, verify};
pub use hookctl_files::{config, declaration, diagnostic, import, pull, yaml};
pub use hookctl_secrets::trust;
pub use hookctl_system::input;

#[cfg(feature = "watch")]
pub use hookctl_engine::watch;
#[cfg(feature = "sandbox")]
pub use hookctl_sandbox as sandbox;

#[cfg(all(any(fuzzing, test), feature = "cli"))]
pub mod fuzzing;
pub mod render;

/// The clock's trait, and the clock of this machine.
pub mod clock {
    pub use hookctl_core::clock::{Clock, Stamp, Writer};
    pub use hookctl_system::clock::SystemClock;
}

/// The record: commits and their fold, the port of a back end, and the back ends.
pub mod record {
    pub use hookctl_core::record::*;
    #[cfg(feature = "shared")]
    pub use hookctl_objects as objects;
    pub use hookctl_record::*;
}

/// Secrets, their sources, and their fingerprints.
pub mod secret {
    pub use hookctl_core::secret::*;
    pub use hookctl_files::secret_source::*;
    pub use hookctl_secrets::{
        DuplicateProvider, KeyValues, MAX_SECRET_BYTES, Permits, ProviderError, ProviderFuture,
        Providers, ResolveError, Resolver, SecretProvider,
    };
}
