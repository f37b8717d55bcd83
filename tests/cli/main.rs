//! The binary against an HTTP server that implements the contract: commands, requests, and output.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod confirm;
#[cfg(unix)]
mod delivery;
mod dialects;
mod doctor;
mod documents;
mod durability;
mod early;
mod echoes;
mod explain;
mod faults;
mod harness;
mod hostile;
mod identity;
mod import;
mod interruption;
mod kills;
mod late;
mod memory;
#[cfg(unix)]
mod metrics;
mod mistakes;
mod options;
#[cfg(unix)]
mod page;
#[cfg(unix)]
mod page_deliveries;
mod parts;
mod places;
mod places_written;
mod provenance;
mod pull;
mod pull_files;
mod readme;
mod receiver;
mod record;
mod repository;
mod rollback;
mod safety;
mod saved;
mod schema;
mod screen;
mod secrets;
#[cfg(unix)]
mod services;
mod shared;
mod show;
mod status;
mod tables;
mod targets;
mod terminal;
#[cfg(target_os = "linux")]
mod tls;
mod trigger;
mod trouble;
mod trust;
mod verify;
mod voices;
mod watch;
mod weakened;
