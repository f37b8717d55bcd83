//! Interpolation: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar.
//!
//! Works on a value after parsing, so that a variable can never inject YAML. It is given a lookup and
//! knows nothing of where variables come from.

use std::fmt;

/// A text with variables in it, parsed once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    Variable {
        name: String,
        default: Option<String>,
    },
}

/// Why a text is not a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A lone `$`.
    #[error("a '$' must begin '${{NAME}}' or be written '$$'")]
    LoneDollar,
    /// `${` without `}`.
    #[error("'${{' is never closed by '}}'")]
    Unclosed,
    /// Something else than `[A-Za-z_][A-Za-z0-9_]*` in the braces.
    #[error(
        "'{name}' is not a variable name: letters, digits, and '_', not beginning with a digit"
    )]
    Name {
        /// What stands where the name should.
        name: String,
    },
}

/// A variable that is needed and has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} is {}", if *.empty { "empty" } else { "not set" })]
pub struct UndefinedVariable {
    /// The variable's name.
    pub name: String,
    /// Whether it is set, but to nothing.
    pub empty: bool,
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// [`InvalidTemplate`] for the first `$` that is neither a variable nor doubled.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
            } else if let Some(after) = after.strip_prefix('{') {
                let (inside, after) = after.split_once('}').ok_or(InvalidTemplate::Unclosed)?;
                let (name, default) = match inside.split_once(":-") {
                    Some((name, default)) => (name, Some(default.to_owned())),
                    None => (inside, None),
                };
                if !is_variable_name(name) {
                    return Err(InvalidTemplate::Name {
                        name: name.to_owned(),
                    });
                }
                if !literal.is_empty() {
                    segments.push(Segment::Literal(std::mem::take(&mut literal)));
                }
                segments.push(Segment::Variable {
                    name: name.to_owned(),
                    default,
                });
                rest = after;
            } else {
                return Err(InvalidTemplate::LoneDollar);
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        Ok(Self { segments })
    }

    /// Whether there is no variable in it, so that the text stands in the file as it is.
    pub fn is_literal(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// The text with every variable replaced. A variable that is empty counts as not set.
    ///
    /// # Errors
    /// [`UndefinedVariable`] for the first variable that has neither a value nor a default.
    pub fn expand(
        &self,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, UndefinedVariable> {
        let mut text = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Variable { name, default } => {
                    let value = lookup(name);
                    let empty = value.as_deref() == Some("");
                    match (value, default) {
                        (Some(value), _) if !empty => text.push_str(&value),
                        (_, Some(default)) => text.push_str(default),
                        _ => {
                            return Err(UndefinedVariable {
                                name: name.clone(),
                                empty,
                            });
                        }
                    }
                }
            }
        }
        Ok(text)
    }

    /// The names of the variables, in order of appearance.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable { name, .. } => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }
}

/// Shows the variables only: the literal parts, and a default, may be a secret in plain text.
impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.variables()).finish()
    }
}

fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, UndefinedVariable> {
        Template::parse(text).unwrap().expand(&|name| match name {
            "HOST" => Some("a.example".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${HOST}: [x]".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn replaces_variables_once() {
        assert_eq!(expand("https://${HOST}/x").unwrap(), "https://a.example/x");
        assert_eq!(
            expand("${NONE:-b}${EMPTY:-c}${HOST:-d}").unwrap(),
            "bca.example"
        );
        assert_eq!(expand("${NONE:-}").unwrap(), "");
        assert_eq!(expand("$$5 and $${HOST}").unwrap(), "$5 and ${HOST}");
        assert_eq!(expand("${TRICKY}").unwrap(), "${HOST}: [x]");
    }

    #[test]
    fn undefined_and_empty_are_told_apart() {
        let error = |text: &str| expand(text).unwrap_err().to_string();
        assert_eq!(error("${NONE}"), "the variable NONE is not set");
        assert_eq!(error("${EMPTY}"), "the variable EMPTY is empty");
    }

    #[test]
    fn what_is_not_a_variable_is_an_error() {
        let error = |text: &str| Template::parse(text).unwrap_err();
        assert_eq!(error("a$b"), InvalidTemplate::LoneDollar);
        assert_eq!(error("a$"), InvalidTemplate::LoneDollar);
        assert_eq!(error("${A"), InvalidTemplate::Unclosed);
        assert_eq!(error("${1A}"), InvalidTemplate::Name { name: "1A".into() });
        assert_eq!(
            error("${}"),
            InvalidTemplate::Name {
                name: String::new()
            }
        );
        assert_eq!(
            error("${A B}"),
            InvalidTemplate::Name { name: "A B".into() }
        );
    }

    #[test]
    fn debug_shows_no_literal() {
        let template = Template::parse("hunter2-${A:-hunter3}").unwrap();
        assert_eq!(format!("{template:?}"), r#"["A"]"#);
    }
}
