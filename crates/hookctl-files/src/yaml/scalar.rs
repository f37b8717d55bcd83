//! Types of scalars, by the core schema of YAML 1.2 and the text as written.

use std::fmt;

/// The notation of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes. Only a plain scalar can be anything but text.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A block after `|` or `>`.
    Block,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`, `~`, or absent.
    Null,
    /// `true` or `false`, in the three spellings of YAML 1.2.
    Boolean,
    /// A whole number, in decimal, octal (`0o17`), or hexadecimal (`0x1f`).
    Integer,
    /// A number with a fraction or exponent, an infinity, or NaN.
    Float,
    /// Any other text.
    Text,
    /// A list.
    List,
    /// Keys and values.
    Mapping,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "nothing (null)",
            Self::Boolean => "true or false",
            Self::Integer => "a number",
            Self::Float => "a number with a fraction",
            Self::Text => "text",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        })
    }
}

/// The text of a scalar, without quotes and escapes.
pub struct Scalar {
    text: String,
    style: Style,
}

/// Shows the notation and the type: the text may be a secret.
impl fmt::Debug for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scalar")
            .field("style", &self.style)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl Scalar {
    pub(super) fn new(text: String, style: Style) -> Self {
        Self { text, style }
    }

    /// Returns the text, whatever its type.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the notation.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Returns the type.
    pub fn kind(&self) -> Kind {
        if self.style != Style::Plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Boolean,
            text if is_integer(text) => Kind::Integer,
            text if is_float(text) => Kind::Float,
            _ => Kind::Text,
        }
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_integer(text: &str) -> bool {
    if let Some(octal) = text.strip_prefix("0o") {
        return !octal.is_empty() && octal.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return !hexadecimal.is_empty() && hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    is_digits(unsigned(text))
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let text = unsigned(text);
    if matches!(text, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa_is_number = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            (whole.is_empty() || is_digits(whole))
                && (fraction.is_empty() || is_digits(fraction))
                && !(whole.is_empty() && fraction.is_empty())
        }
        None => is_digits(mantissa),
    };
    mantissa_is_number && exponent.is_none_or(|exponent| is_digits(unsigned(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let kind = |text: &str| Scalar::new(text.to_owned(), Style::Plain).kind();
        for null in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(kind(null), Kind::Null, "{null}");
        }
        for boolean in ["true", "False", "TRUE"] {
            assert_eq!(kind(boolean), Kind::Boolean, "{boolean}");
        }
        for integer in [
            "0",
            "-5",
            "+5",
            "012",
            "0o17",
            "0x1F",
            "99999999999999999999",
        ] {
            assert_eq!(kind(integer), Kind::Integer, "{integer}");
        }
        for float in ["1.0", "1.", ".5", "1e3", "-1.5E-3", ".inf", "-.INF", ".nan"] {
            assert_eq!(kind(float), Kind::Float, "{float}");
        }
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "1_000",
            "0o8",
            "0x",
            "1e",
            ".",
            "e5",
            "-",
            "1.2.3",
            "nUll",
            "2026-01-01",
            "-.nan",
            "- 5",
        ] {
            assert_eq!(kind(text), Kind::Text, "{text}");
        }
    }

    #[test]
    fn quotes_and_blocks_make_text() {
        for style in [Style::Quoted, Style::Block] {
            assert_eq!(Scalar::new("5".to_owned(), style).kind(), Kind::Text);
            assert_eq!(Scalar::new(String::new(), style).kind(), Kind::Text);
        }
    }
}
