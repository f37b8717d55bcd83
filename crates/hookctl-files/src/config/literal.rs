//! Texts that are taken as they are written.

use crate::diagnostic::{Code, Diagnostics};
use crate::yaml::Node;
use hookctl_core::template::looks_interpolated;

/// A text that is taken as it is. One that looks as if it held variables is an error: they have no
/// meaning in the configuration.
pub(super) fn literal<'n>(
    what: &str,
    node: &Node,
    text: &'n str,
    diagnostics: &mut Diagnostics,
) -> Option<&'n str> {
    if !looks_interpolated(text) {
        return Some(text);
    }
    diagnostics.push(
        node.problem(
            Code::InvalidTemplate,
            format!("'{what}' holds '${{', and values of the configuration are literal"),
            "variables have no meaning here",
        )
        .help(
            "write the value itself; declarations take variables, and a flag or a HOOKCTL_ variable \
             takes the place of a setting",
        ),
    );
    None
}
