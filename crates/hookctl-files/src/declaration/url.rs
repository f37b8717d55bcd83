//! The field `url`: problems of an address, and their help.

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
                        "not a valid delivery address",
                    )
                    .help(help),
                );
                None
            }
        }
    }
}

/// Returns the code of an invalid address, and its help.
fn address_advice(error: &InvalidEndpointUrl, node: &Node) -> (Code, &'static str) {
    let help = match error {
        InvalidEndpointUrl::Length { .. } => "shorten it, or write one",
        InvalidEndpointUrl::Address(InvalidAddress::UserInfo) => {
            return (
                Code::PasswordInUrl,
                "remove the part before the '@': use 'bearer_token' for credentials, and write '@' in a path as %40",
            );
        }
        InvalidEndpointUrl::Address(InvalidAddress::ControlCharacter) => match node.as_scalar() {
            Some(scalar) if scalar.style() == Style::Block => {
                "write the address on one line, behind 'url:': a block after '|' or '>' ends with a line break"
            }
            Some(scalar) if !looks_interpolated(scalar.text()) => {
                "percent-encode it (a space is %20), and write the address on one line"
            }
            _ => "check the values of its variables, and percent-encode white space",
        },
        InvalidEndpointUrl::Address(InvalidAddress::Host) => {
            "check the host for braces, commas, and repeated dots"
        }
        _ => "use an absolute address, such as https://hooks.example.com/path",
    };
    (Code::InvalidUrl, help)
}
