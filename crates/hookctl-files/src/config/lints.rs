//! `lints`: the level of each warning.

use super::reader::Reader;
use crate::diagnostic::{Code, Diagnostic, Level, Lints, Severity, excerpt, nearest};
use crate::yaml::{Name, Node};

impl Reader<'_> {
    pub(super) fn lints(&mut self, node: &Node) -> Lints {
        let mut lints = Lints::default();
        let Some(mapping) = node.mapping("lints", self.diagnostics) else {
            return lints;
        };
        for entry in mapping.iter() {
            let code = self.lint(&entry.key);
            let levels = Level::ALL.map(|(name, _)| name);
            let Some(word) = self.word("lints", &entry.value, &levels) else {
                continue;
            };
            let level = Level::ALL.into_iter().find(|(name, _)| *name == word);
            if let (Some(code), Some((_, level))) = (code, level) {
                lints.set(code, level);
            }
        }
        lints
    }

    /// Reads the code of a warning.
    fn lint(&mut self, key: &Name) -> Option<Code> {
        let written = key.value.as_str();
        let code = Code::ALL.iter().find(|code| code.as_str() == written);
        let warnings = || {
            let all = Code::ALL.iter();
            all.filter(|code| code.severity() == Severity::Warning)
                .map(|code| code.as_str())
        };
        let (message, label, help) = match code {
            Some(code) if code.severity() == Severity::Warning => return Some(*code),
            Some(_) => (
                format!("'{written}' is an error, and has no level"),
                "not a warning",
                format!(
                    "the warnings are {}",
                    warnings().collect::<Vec<_>>().join(", ")
                ),
            ),
            None => (
                format!("unknown code '{}'", excerpt(written)),
                "not a code of a warning",
                match nearest(written, warnings()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => "'hookctl explain' lists the codes".to_owned(),
                },
            ),
        };
        self.diagnostics.push(
            Diagnostic::new(Code::UnknownValue, message)
                .at(key.span, label)
                .help(help),
        );
        None
    }
}
