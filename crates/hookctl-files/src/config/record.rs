//! `record:`: where the record is kept.

use std::time::Duration;

use super::ApiBaseUrl;
use super::ranges::LEASE;
use super::reader::Reader;
use crate::diagnostic::{Code, Span};
use crate::yaml::{Kind, Mapping, Node};
use hookctl_core::record::RecordUrl;
use hookctl_core::secret::SecretSource;

/// The word for the record in `cache_dir`.
const LOCAL: &str = "local";

/// The longest name of a region, in bytes.
const LONGEST_REGION: usize = 30;

const RECORD_KEYS: [&str; 6] = [
    "url",
    "region",
    "endpoint",
    "kms_key",
    "lease",
    "credentials",
];

/// Where the record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordPlace {
    /// In `cache_dir`, on this machine.
    Local,
    /// On an object store.
    Shared(Box<SharedPlace>),
}

/// A record on an object store, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedPlace {
    /// The address of the record.
    pub url: RecordUrl,
    /// The region of the bucket. `None` leaves it to the environment.
    pub region: Option<String>,
    /// The address of another store with the interface of S3, or of an emulator.
    pub endpoint: Option<ApiBaseUrl>,
    /// The key with which the store encrypts the objects. `None` leaves it to the bucket.
    pub kms_key: Option<String>,
    /// How long the lease lasts after a heartbeat, 1 s to 10 minutes.
    pub lease: Option<Duration>,
    /// A program that prints credentials. `None` leaves them to the environment.
    pub credentials: Option<SecretSource>,
    /// Where the record is declared.
    pub span: Option<Span>,
}

impl SharedPlace {
    /// Returns a record that is reached with the defaults.
    pub const fn at(url: RecordUrl) -> Self {
        Self {
            url,
            region: None,
            endpoint: None,
            kms_key: None,
            lease: None,
            credentials: None,
            span: None,
        }
    }
}

impl Reader<'_> {
    pub(super) fn record(&mut self, mapping: &Mapping) -> Option<RecordPlace> {
        let node = mapping.get("record")?;
        if node.kind() == Some(Kind::Text) {
            let (text, node) = self.text(mapping, "record")?;
            if text == LOCAL {
                return Some(RecordPlace::Local);
            }
            let url = self.record_url("record", text, node)?;
            return Some(RecordPlace::Shared(Box::new(SharedPlace {
                span: Some(node.span()),
                ..SharedPlace::at(url)
            })));
        }
        let below = node.mapping("record", self.diagnostics)?;
        self.known_keys(below, &RECORD_KEYS);
        let owned = |found: Option<(&str, &Node)>| found.map(|(text, _)| text.to_owned());
        let region = owned(self.region(below));
        let kms_key = owned(self.text(below, "kms_key"));
        let endpoint = self.base_url(below, "endpoint", "https://s3.example.com");
        let lease = self.time(below, "lease", &LEASE);
        let credentials = self.credentials(below);
        if below.get("url").is_none() {
            self.diagnostics.push(
                node.problem(
                    Code::MissingField,
                    "'record' needs a 'url'",
                    "without 'url'",
                )
                .help("add one, such as url: s3://BUCKET/hookctl"),
            );
        }
        let (text, url_node) = self.text(below, "url")?;
        let url = self.record_url("url", text, url_node)?;
        Some(RecordPlace::Shared(Box::new(SharedPlace {
            url,
            region,
            endpoint,
            kms_key,
            lease,
            credentials,
            span: Some(node.span()),
        })))
    }

    /// Reads a region, which becomes a part of the host that receives the credentials.
    fn region<'n>(&mut self, mapping: &'n Mapping) -> Option<(&'n str, &'n Node)> {
        let (text, node) = self.text(mapping, "region")?;
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() <= LONGEST_REGION && text.bytes().all(is_plain) {
            return Some((text, node));
        }
        self.diagnostics.push(
            node.problem(
                Code::InvalidUrl,
                "'region' must have only the characters a-z, 0-9, and '-'",
                "not a region",
            )
            .help("use the name of a region, such as eu-central-1"),
        );
        None
    }

    fn record_url(&mut self, key: &str, text: &str, node: &Node) -> Option<RecordUrl> {
        match RecordUrl::parse(text) {
            Ok(url) => Some(url),
            Err(error) => {
                self.diagnostics.push(
                    node.problem(
                        Code::InvalidUrl,
                        format!("'{key}' {error}"),
                        "not the address of a record",
                    )
                    .help("use s3://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX, gs://BUCKET/PREFIX, or local"),
                );
                None
            }
        }
    }

    fn credentials(&mut self, mapping: &Mapping) -> Option<SecretSource> {
        let (source, span) = self.secret(mapping, "credentials")?;
        if matches!(source, SecretSource::Command { .. }) {
            return Some(source);
        }
        if let Some(node) = mapping.get("credentials") {
            self.diagnostics.push(
                node.problem(
                    Code::InvalidSecretSource,
                    "'credentials' must be a command",
                    "not a command",
                )
                .at(span, "not a command")
                .help(
                    "use { command: [program, argument] }, or leave it out to take the credentials of the environment",
                ),
            );
        }
        None
    }
}
