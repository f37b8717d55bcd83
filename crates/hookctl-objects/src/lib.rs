//! Object stores for the shared record: S3 and stores with its interface, Azure Blob Storage, and Google Cloud Storage.
//!
//! [`ObjectBlobs`] implements the port [`Blobs`] of the shared record. Each call is one attempt of one request, which has
//! ended or been given up after [`ObjectOptions::request_timeout`].
//!
//! # The environment
//! Credentials and regions come from [`ObjectOptions`] alone. Only the address of a proxy is read from the process
//! environment, and only if [`ObjectOptions::proxy`] is set.
//!
//! # Tests
//! Requests are tested against a strict stub, and against emulators of S3 and Azure Blob Storage. Google Cloud Storage has
//! no emulator that accepts these requests, so the stub alone stands for it.
//!
//! [`Blobs`]: hookctl_record::shared::Blobs

mod blobs;
mod failure;
mod folder;
mod http_client;
mod options;
mod program;
mod stores;

pub use blobs::ObjectBlobs;
pub use folder::folder;
pub use options::{Credentials, ObjectError, ObjectOptions};
