//! From YAML files to the desired state, with every mistake at its place.
//!
//! Declarations and hookctl.yaml are read, checked, and judged here. No secret is resolved, and no environment is
//! read: variables come from a lookup that the caller gives.

pub mod config;
pub mod declaration;
pub mod diagnostic;
pub mod import;
pub mod pull;
mod secret_schema;
pub mod secret_source;
pub mod yaml;
