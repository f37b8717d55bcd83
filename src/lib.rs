//! Declarative sync for Interactly workflow webhooks.

pub mod webhook;
