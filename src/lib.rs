//! Declarative sync for Interactly workflow webhooks.
//!
//! A team's webhooks are declared in YAML files; hookctl makes the account be as they say. The command
//! line is a thin shell around this library, so whatever it does a program can do.
//!
//! # A tour
//!
//! [`declaration::load`] reads a folder and collects every mistake in it; what it gives becomes a
//! [`state::DesiredState`]. [`remote::observe`] reads what the account has, over [`remote::http`] or
//! whatever else implements [`remote::WebhookApi`]. [`cache::Cache`] remembers what was applied last.
//! [`plan::plan`] is a pure function over the three; [`apply::apply`] carries a plan out, and
//! [`reconcile::reconcile`] does all of it in one pass. [`render`] turns plans and reports into text.
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
//! | what | where |
//! | --- | --- |
//! | the nouns: keys, ids, addresses, actions, limits | [`webhook`] |
//! | files to desired state, with every mistake at its place | [`declaration`], [`config`], [`yaml`], [`template`], [`diagnostic`] |
//! | declarations for what is there already | [`import`] |
//! | secrets: where they come from, and the trace that is kept | [`secret`] |
//! | consent: what the files may ask for, and what needs a person's word | [`trust`] |
//! | desired, observed, last applied | [`state`] |
//! | the pure core | [`plan`], and its limits in [`plan::safety`] |
//! | the API by meaning, and over HTTP | [`remote`], [`remote::http`] |
//! | a plan that is reviewed now and applied later | [`saved`] |
//! | effects, and what became of them | [`apply`], [`record`], [`reconcile`] |
//! | the local record on sled, for one pass or for many | [`cache`], [`store`] |
//! | passes for months, whenever a file is saved and now and then | [`watch`] |
//! | text for people and machines | [`render`] |
//! | an emulator of the API | [`sandbox`] |
//!
//! # Features
//!
//! A program that embeds the library leaves `cli` out with `default-features = false`, and with it the argument parser,
//! the progress bars, the metrics, and the log's subscriber.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | (none) | declarations, plans, passes over any [`remote::WebhookApi`] and [`record::Records`], [`render`], [`saved`] |
//! | `http` | [`remote::http`] |
//! | `sled` | [`cache`], [`store`] |
//! | `watch` | [`watch`]; with it `sled` |
//! | `sandbox` | [`sandbox`] |
//! | `cli` (by default) | all of them, and the program `hookctl` |
//!
//! # What the library never does
//!
//! It prints nothing, reads no environment variable by itself (it is given a lookup), and ends no
//! process. `RUST_LOG` and the like are the program's business: events go to [`tracing`].

pub use hookctl_api as remote;
pub use hookctl_core::{address, outside, plan, saved, state, template, webhook};
pub use hookctl_engine::{apply, reconcile, report};
pub use hookctl_files::{config, declaration, diagnostic, import, yaml};
pub use hookctl_secrets::trust;
pub use hookctl_system::input;

#[cfg(feature = "watch")]
pub use hookctl_engine::watch;
#[cfg(feature = "sandbox")]
pub use hookctl_sandbox as sandbox;

#[cfg(all(any(fuzzing, test), feature = "cli"))]
pub mod fuzzing;
pub mod render;

/// Moments, and the clocks of this machine.
pub mod clock {
    pub use hookctl_core::clock::{Clock, Stamp, Writer};
    pub use hookctl_system::clock::SystemClock;
}

/// What happened, as data, and the port through which it is kept.
pub mod record {
    pub use hookctl_core::record::*;
    pub use hookctl_record::*;
}

/// Secrets: where they come from, what they are, and the trace that is kept of them.
pub mod secret {
    pub use hookctl_core::secret::*;
    pub use hookctl_files::secret_source::*;
    pub use hookctl_secrets::{
        KeyConflict, KeySources, KeyValues, MAX_SECRET_BYTES, Permits, ResolveError, resolve,
        resolve_token,
    };
}
