//! Texts that are taken literally.

use crate::diagnostic::{Code, Diagnostics};
use crate::yaml::Node;
use hookctl_core::template::looks_interpolated;

/// Returns a text literally. A text that looks as if it contained variables is an error.
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
            format!("'{what}' contains '${{', and configuration values are literal"),
            "variables have no meaning here",
        )
        .help(
            "write the value itself; variables work in declarations, and a flag or a HOOKCTL_ variable \
             overrides a setting",
        ),
    );
    None
}
