//! The API's URL, and the sources of a target's keys.

use super::ApiBaseUrl;
use super::literal::literal;
use super::reader::Reader;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::secret_source::{SourceContext, read_source};
use crate::yaml::Mapping;
use hookctl_core::path::normal;
use hookctl_core::secret::SecretSource;

impl Reader<'_> {
    pub(super) fn api_url(&mut self, mapping: &Mapping) -> Option<ApiBaseUrl> {
        self.base_url(mapping, "api_url", "https://api.example.com")
    }

    /// Reads the base URL of a server.
    pub(super) fn base_url(
        &mut self,
        mapping: &Mapping,
        key: &str,
        example: &str,
    ) -> Option<ApiBaseUrl> {
        let (text, node) = self.text(mapping, key)?;
        match ApiBaseUrl::parse(text) {
            Ok(url) => Some(url),
            Err(error) => {
                self.diagnostics.push(
                    node.problem(
                        Code::InvalidUrl,
                        format!("'{key}' {error}"),
                        "not a base URL of an API",
                    )
                    .help(format!("use the base URL only, such as {example}")),
                );
                None
            }
        }
    }

    pub(super) fn secret(&mut self, mapping: &Mapping, key: &str) -> Option<(SecretSource, Span)> {
        let node = mapping.get(key)?;
        let source = read_source(
            node,
            key,
            SourceContext {
                folder: self.folder,
                root: self.repository,
                providers: &[],
            },
            &|_, node, text, diagnostics| literal(key, node, text, diagnostics).map(str::to_owned),
            self.diagnostics,
        )?;
        Some((source, node.span()))
    }

    /// Checks that the fingerprint key is outside the repository: a holder of the record most likely has the repository
    /// too, and could find short tokens from their fingerprints.
    pub(super) fn is_outside(&mut self, source: &SecretSource, span: Span) -> bool {
        let inside = match source {
            SecretSource::Env { .. }
            | SecretSource::Command { .. }
            | SecretSource::Provider { .. } => None,
            SecretSource::Text { .. } => source.holds_plain_text().then_some("a text of this file"),
            SecretSource::File {
                path, confined_to, ..
            } => (confined_to.is_some() || normal(path).starts_with(normal(self.repository)))
                .then_some("a file of the repository"),
        };
        let Some(label) = inside else {
            return true;
        };
        self.diagnostics.push(
            Diagnostic::new(
                Code::InvalidSecretSource,
                "'fingerprint_key' is in the repository, where a holder of the record may find it",
            )
            .at(span, label)
            .help(
                "use { env: NAME }, { command: [program, argument] }, or the absolute path of a \
                file outside the repository",
            ),
        );
        false
    }
}
