//! Declarative sync for Interactly workflow webhooks.

pub mod apply;
pub mod cache;
pub mod config;
pub mod declaration;
pub mod diagnostic;
pub mod plan;
pub mod reconcile;
pub mod record;
pub mod remote;
pub mod render;
pub mod sandbox;
pub mod secret;
pub mod state;
pub mod template;
pub mod webhook;
pub mod yaml;
