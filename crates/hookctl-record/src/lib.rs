//! The record on sled, for one pass or for many.
//!
//! It implements the port of `hookctl_core::record`, and knows neither the API nor a plan.

pub mod cache;
pub mod store;
