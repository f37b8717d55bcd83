//! Fields that are numbers or booleans, as written or as the value of a variable.

use std::ops::RangeInclusive;

use super::fields::FieldReader;
use super::interpolate::Provided;
use crate::diagnostic::{Code, Diagnostics};
use crate::yaml::{Kind, Node, Scalar};
use hookctl_core::template::looks_interpolated;

/// A value with the type of its field.
enum Typed<'a> {
    Written(&'a Node),
    /// The value of a variable.
    Variable {
        node: Node,
        from: Provided,
    },
}

impl<'a> FieldReader<'a> {
    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        let typed = self.typed(name)?;
        self.read(name, "true or false", &typed, |node, diagnostics| {
            node.boolean(name, diagnostics)
        })
    }

    pub(super) fn number(&mut self, name: &str, range: &RangeInclusive<i64>) -> Option<i64> {
        let typed = self.typed(name)?;
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(name, &wanted, &typed, |node, diagnostics| {
            node.whole_number(name, range, diagnostics)
        })
    }

    /// Returns the value of a field that is not text, with its variable replaced.
    fn typed(&mut self, name: &str) -> Option<Typed<'a>> {
        let node = &self.field(name)?.value;
        let text = node.as_scalar().map_or("", Scalar::text);
        if node.kind() != Some(Kind::Text) || !looks_interpolated(text) {
            return Some(Typed::Written(node));
        }
        let expanded = self
            .interpolation
            .expand_one(name, node, text, self.diagnostics)?;
        let from = self.interpolation.provided(text);
        Some(Typed::Variable {
            node: node.with_text(expanded),
            from,
        })
    }

    /// Reads a value. The problem of a variable is reported as that of the variable, which is corrected elsewhere.
    fn read<T>(
        &mut self,
        name: &str,
        wanted: &str,
        typed: &Typed<'_>,
        read: impl Fn(&Node, &mut Diagnostics) -> Option<T>,
    ) -> Option<T> {
        let (node, from) = match typed {
            Typed::Written(node) => return read(node, self.diagnostics),
            Typed::Variable { node, from } => (node, from),
        };
        let mut problems = Diagnostics::default();
        let value = read(node, &mut problems);
        if let Some(problem) = problems.iter().next() {
            let is = match node.kind() {
                Some(Kind::Boolean) => "is a boolean".to_owned(),
                Some(kind) if problem.code == Code::WrongType => format!("is {kind}"),
                _ => "is out of range".to_owned(),
            };
            self.diagnostics.push(
                node.problem(
                    problem.code,
                    format!("'{name}' must be {wanted}, and {} {is}", from.what()),
                    from.place(),
                )
                .help(format!("set it to {wanted}")),
            );
        }
        value
    }
}
