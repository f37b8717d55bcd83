//! Declarative sync for Interactly workflow webhooks.

pub mod diagnostic;
pub mod plan;
pub mod record;
pub mod remote;
pub mod secret;
pub mod state;
pub mod template;
pub mod webhook;
