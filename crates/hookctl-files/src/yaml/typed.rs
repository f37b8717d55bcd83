//! Reads a value as an expected type, or reports why it has another one.
//!
//! Messages quote no values, since they may be secrets.

use std::ops::RangeInclusive;

use super::scalar::{Kind, Scalar, Style};
use super::tree::{Mapping, Node, Value};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

impl Node {
    /// Returns the text. `what` names the value in messages. Numbers and booleans are not text, since YAML readers
    /// differ in how they write them.
    ///
    /// Returns `None` for any other type, which is reported.
    pub fn text(&self, what: &str, diagnostics: &mut Diagnostics) -> Option<&str> {
        match (self.value(), self.kind()?) {
            (Value::Scalar(scalar), Kind::Text) => Some(scalar.text()),
            (_, kind) => {
                let help = match kind {
                    Kind::Null => "set a value, or remove the line".to_owned(),
                    Kind::List | Kind::Mapping => {
                        "use a single value; quote it if it begins with '[', '{', '-', or '?'"
                            .to_owned()
                    }
                    _ => "quote it".to_owned(),
                };
                diagnostics.push(self.wrong_type(what, "text", kind).help(help));
                None
            }
        }
    }

    /// Returns the boolean: `true` or `false`, and nothing else.
    ///
    /// Returns `None` for any other type, which is reported.
    pub fn boolean(&self, what: &str, diagnostics: &mut Diagnostics) -> Option<bool> {
        let kind = self.kind()?;
        let text = self.as_scalar().map_or("", Scalar::text);
        match (kind, text) {
            (Kind::Boolean, "true") => Some(true),
            (Kind::Boolean, "false") => Some(false),
            _ => {
                diagnostics.push(
                    self.wrong_type(what, "true or false", kind)
                        .help(self.boolean_help(kind, text)),
                );
                None
            }
        }
    }

    fn boolean_help(&self, kind: Kind, text: &str) -> &'static str {
        let quoted = self
            .as_scalar()
            .is_some_and(|scalar| scalar.style() == Style::Quoted);
        match (kind, text.to_ascii_lowercase().as_str()) {
            (Kind::Boolean, _) => "write it in lower case",
            (Kind::Text, "true" | "false") if quoted => "remove the quotes",
            (Kind::Text, "yes" | "on" | "y") => {
                "write true: some YAML readers take this for true, others for text"
            }
            (Kind::Text, "no" | "off" | "n") => {
                "write false: some YAML readers take this for false, others for text"
            }
            (Kind::Null, _) => "write true or false, or remove the line",
            _ => "write true or false",
        }
    }

    /// Returns the whole number: decimal digits with an optional minus sign, within the range.
    ///
    /// Returns `None` for any other type, which is reported.
    pub fn whole_number(
        &self,
        what: &str,
        range: &RangeInclusive<i64>,
        diagnostics: &mut Diagnostics,
    ) -> Option<i64> {
        let kind = self.kind()?;
        let text = self.as_scalar().map_or("", Scalar::text);
        let digits = text.strip_prefix('-').unwrap_or(text);
        let decimal = kind == Kind::Integer
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if !decimal {
            diagnostics.push(
                self.wrong_type(what, "a whole number", kind)
                    .help(self.number_help(kind, text)),
            );
            return None;
        }
        match text.parse::<i64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (low, high) = (range.start(), range.end());
                let allowed = if *high == i64::MAX {
                    format!("{low} or more")
                } else {
                    format!("from {low} to {high}")
                };
                diagnostics.push(
                    self.problem(
                        Code::OutOfRange,
                        format!("'{what}' is out of range"),
                        format!("must be {allowed}"),
                    )
                    .help(format!("use a whole number {allowed}")),
                );
                None
            }
        }
    }

    fn number_help(&self, kind: Kind, text: &str) -> &'static str {
        let plain = self
            .as_scalar()
            .is_some_and(|scalar| scalar.style() == Style::Plain);
        let is_number = |text: &str| text.parse::<i64>().is_ok();
        match kind {
            Kind::Integer if text.starts_with("0x") || text.starts_with("0o") => {
                "write it in decimal"
            }
            Kind::Integer if text.starts_with('+') => "remove the plus sign",
            Kind::Integer => "remove the leading zero, which some YAML readers take for octal",
            Kind::Float => "write it without a fraction or exponent",
            Kind::Text if !plain && is_number(text) => "remove the quotes",
            Kind::Text if text.contains('_') && is_number(&text.replace('_', "")) => {
                "remove the underscores"
            }
            Kind::Null => "set a number, or remove the line",
            _ => "use a whole number in decimal, such as 10",
        }
    }

    /// Returns the items of the list.
    ///
    /// Returns `None` for any other type, which is reported.
    pub fn sequence(&self, what: &str, diagnostics: &mut Diagnostics) -> Option<&[Self]> {
        if let Value::Sequence(items) = self.value() {
            return Some(items);
        }
        let kind = self.kind()?;
        let help = match kind {
            Kind::Null => "set a list, or remove the line",
            Kind::Mapping => "use a list: [a, b]",
            _ => "put it in brackets: [...]",
        };
        diagnostics.push(self.wrong_type(what, "a list", kind).help(help));
        None
    }

    /// Returns the mapping.
    ///
    /// Returns `None` for any other type, which is reported.
    pub fn mapping(&self, what: &str, diagnostics: &mut Diagnostics) -> Option<&Mapping> {
        if let Value::Mapping(mapping) = self.value() {
            return Some(mapping);
        }
        let kind = self.kind()?;
        let help = match kind {
            Kind::Null => "add keys and values, indented below it, or remove the line",
            Kind::Text => {
                "add keys and values, indented below it; a key needs a ':' and a space after it"
            }
            _ => "add keys and values, indented below it",
        };
        diagnostics.push(self.wrong_type(what, "a mapping", kind).help(help));
        None
    }

    fn wrong_type(&self, what: &str, wanted: &str, found: Kind) -> Diagnostic {
        self.problem(
            Code::WrongType,
            format!("'{what}' must be {wanted}"),
            format!("this is {}", label(found, self)),
        )
    }
}

/// Describes a value in a label. A quoted number is "text in quotes", which explains why it is not a number.
fn label(kind: Kind, node: &Node) -> String {
    match node.as_scalar().map(Scalar::style) {
        Some(Style::Quoted) => "text in quotes".to_owned(),
        _ => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_text;
    use super::*;
    use crate::diagnostic::SourceMap;

    /// Returns the code and the help for a value of an unexpected type.
    fn refusal(text: &str, kind: Kind) -> (&'static str, String) {
        let documents = read_text(
            "a.yaml".into(),
            format!("a: {text}"),
            &mut SourceMap::default(),
            &mut Diagnostics::default(),
        );
        let node = documents[0].root.as_mapping().unwrap().get("a").unwrap();
        let mut found = Diagnostics::default();
        match kind {
            Kind::Boolean => node.boolean("a", &mut found).map(drop),
            Kind::Integer => node.whole_number("a", &(1..=60), &mut found).map(drop),
            Kind::List => node.sequence("a", &mut found).map(drop),
            Kind::Mapping => node.mapping("a", &mut found).map(drop),
            _ => node.text("a", &mut found).map(drop),
        };
        let diagnostic = found.iter().next().unwrap();
        (diagnostic.code.as_str(), diagnostic.help.clone().unwrap())
    }

    #[test]
    fn only_true_and_false_are_switches() {
        for (text, help) in [
            (
                "yes",
                "write true: some YAML readers take this for true, others for text",
            ),
            (
                "Off",
                "write false: some YAML readers take this for false, others for text",
            ),
            ("True", "write it in lower case"),
            ("'true'", "remove the quotes"),
            ("1", "write true or false"),
            ("", "write true or false, or remove the line"),
        ] {
            assert_eq!(
                refusal(text, Kind::Boolean),
                ("wrong-type", help.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn only_decimal_digits_are_numbers() {
        for (text, help) in [
            (
                "012",
                "remove the leading zero, which some YAML readers take for octal",
            ),
            ("0x10", "write it in decimal"),
            ("1_000", "remove the underscores"),
            ("1.0", "write it without a fraction or exponent"),
            ("'5'", "remove the quotes"),
            ("+5", "remove the plus sign"),
            ("five", "use a whole number in decimal, such as 10"),
            ("~", "set a number, or remove the line"),
        ] {
            assert_eq!(
                refusal(text, Kind::Integer),
                ("wrong-type", help.to_owned()),
                "{text}"
            );
        }
        for text in ["0", "61", "-1", "99999999999999999999"] {
            assert_eq!(
                refusal(text, Kind::Integer),
                ("out-of-range", "use a whole number from 1 to 60".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_are_not_text_and_text_is_no_collection() {
        for (text, kind, help) in [
            ("5", Kind::Text, "quote it"),
            ("true", Kind::Text, "quote it"),
            ("", Kind::Text, "set a value, or remove the line"),
            (
                "[b]",
                Kind::Text,
                "use a single value; quote it if it begins with '[', '{', '-', or '?'",
            ),
            ("b", Kind::List, "put it in brackets: [...]"),
            ("{}", Kind::List, "use a list: [a, b]"),
            (
                "b",
                Kind::Mapping,
                "add keys and values, indented below it; a key needs a ':' and a space after it",
            ),
        ] {
            assert_eq!(
                refusal(text, kind),
                ("wrong-type", help.to_owned()),
                "{text}"
            );
        }
    }
}
