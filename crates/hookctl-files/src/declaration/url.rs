//! The field `url`: what is wrong with an address, and why.

use super::fields::FieldReader;
use super::lints::{self, Address};
use crate::diagnostic::Code;
use crate::yaml::{Node, Style};
use hookctl_core::address::InvalidAddress;
use hookctl_core::template::looks_interpolated;
use hookctl_core::webhook::{EndpointUrl, InvalidEndpointUrl};

impl FieldReader<'_> {
    pub(super) fn url(&mut self) -> Option<(EndpointUrl, Address)> {
        let (text, node) = self.text("url")?;
        match EndpointUrl::parse_whole(&text) {
            Ok((url, parts)) => {
                let address = lints::address(parts, node, self.diagnostics);
                Some((url, address))
            }
            Err(error) => {
                let (code, help) = address_advice(&error, node);
                self.diagnostics.push(
                    node.problem(
                        code,
                        format!("'url' {error}"),
                        "not an address that events can be sent to",
                    )
                    .help(help),
                );
                None
            }
        }
    }
}

/// The code of an address that is not valid, and what to do about it.
fn address_advice(error: &InvalidEndpointUrl, node: &Node) -> (Code, &'static str) {
    let help = match error {
        InvalidEndpointUrl::Length { .. } => "shorten it, or write one",
        InvalidEndpointUrl::Address(InvalidAddress::UserInfo) => {
            return (
                Code::PasswordInUrl,
                "remove what stands before the '@'; 'bearer_token' is for what proves who sends, and \
                 cannot be read back; a '@' in a path is written %40",
            );
        }
        InvalidEndpointUrl::Address(InvalidAddress::ControlCharacter) => match node.as_scalar() {
            Some(scalar) if scalar.style() == Style::Block => {
                "a block after '|' or '>' ends with a line break, and its lines are joined by white \
                 space; write the address on one line, behind 'url:'"
            }
            Some(scalar) if !looks_interpolated(scalar.text()) => {
                "percent-encode it (a space is %20); an address that goes on in the next line is joined \
                 by a space: write it on one line"
            }
            _ => "look at what its variables hold; white space is percent-encoded",
        },
        InvalidEndpointUrl::Address(InvalidAddress::Host) => {
            "check the host for braces, commas, and repeated dots"
        }
        InvalidEndpointUrl::Address(_) => {
            "write an absolute address, such as https://hooks.example.com/path"
        }
    };
    (Code::InvalidUrl, help)
}
