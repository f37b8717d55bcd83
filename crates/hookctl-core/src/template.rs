//! Interpolation: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign.
//!
//! Templates apply to parsed values, so a variable cannot inject YAML. A default is a template itself, so
//! `${NEW:-${OLD}}` falls back from one variable to another. Values of variables are not expanded again. Callers
//! provide the lookup.

use std::fmt;

/// The deepest nesting of defaults: `${A:-${B:-${C}}}` has depth 3. Small enough for recursion.
pub const MAX_TEMPLATE_DEPTH: usize = 8;

/// The most bytes that the values of variables may add to one text. No field accepts as many.
pub const MAX_EXPANDED_BYTES: usize = 64 * 1024;

/// The longest name of a variable, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// The most undefined variables that are reported for one text.
const MOST_UNDEFINED: usize = 20;

/// A parsed text with variables.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    Variable {
        name: String,
        default: Option<Template>,
    },
}

/// Why a text is not a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// A lone `$`.
    #[error("a '$' must begin '${{NAME}}', or be escaped as '$$'")]
    LoneDollar,
    /// `${` without `}`.
    #[error("'${{' is not closed by '}}'")]
    Unclosed,
    /// Something other than `[A-Za-z_][A-Za-z0-9_]*` in the braces.
    #[error(
        "'{name}' is not a valid variable name: letters, digits, and '_', not beginning with a digit"
    )]
    Name {
        /// The text in place of the name.
        name: String,
    },
    /// Defaults are nested deeper than [`MAX_TEMPLATE_DEPTH`].
    #[error("defaults are nested more than {MAX_TEMPLATE_DEPTH} deep")]
    TooDeep,
}

/// A required variable without a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} is {}", if *.empty { "empty" } else { "not set" })]
pub struct UndefinedVariable {
    /// The name of the variable.
    pub name: String,
    /// Whether it is set to an empty value.
    pub empty: bool,
}

/// The values of variables add more than [`MAX_EXPANDED_BYTES`] to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variables of one text exceed 64 KiB together")]
pub struct ExpansionTooLarge;

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// A variable has no value.
    #[error(transparent)]
    Undefined(#[from] UndefinedVariable),
    /// The expanded text is too large.
    #[error(transparent)]
    TooLarge(#[from] ExpansionTooLarge),
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// Returns [`InvalidTemplate`] for the first `$` that neither begins a variable nor is doubled.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut rest = text;
        Self::read(&mut rest, 0)
    }

    /// Reads to the end of the text, or inside a default to the closing `}`.
    fn read(rest: &mut &str, depth: usize) -> Result<Self, InvalidTemplate> {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let is_stop = |character: char| character == '$' || (depth > 0 && character == '}');
        while let Some(index) = rest.find(is_stop) {
            let (before, after) = rest.split_at(index);
            literal.push_str(before);
            *rest = after;
            if after.starts_with('}') {
                break;
            }
            if let Some(after) = after.strip_prefix("$$") {
                literal.push('$');
                *rest = after;
            } else if let Some(after) = after.strip_prefix("${") {
                *rest = after;
                if !literal.is_empty() {
                    segments.push(Segment::Literal(std::mem::take(&mut literal)));
                }
                segments.push(Self::variable(rest, depth + 1)?);
            } else {
                return Err(InvalidTemplate::LoneDollar);
            }
        }
        if !rest.starts_with('}') || depth == 0 {
            literal.push_str(rest);
            *rest = "";
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        Ok(Self { segments })
    }

    /// Reads a variable, from after `${` to after `}`.
    fn variable(rest: &mut &str, depth: usize) -> Result<Segment, InvalidTemplate> {
        if depth > MAX_TEMPLATE_DEPTH {
            return Err(InvalidTemplate::TooDeep);
        }
        let end = rest
            .find(['}', '$', ':'])
            .ok_or(InvalidTemplate::Unclosed)?;
        let (name, after) = rest.split_at(end);
        let name = if after.starts_with('}') || after.starts_with(":-") {
            name
        } else {
            // The name is quoted up to the end of the braces.
            rest.split('}').next().unwrap_or(name)
        };
        if !is_variable_name(name) {
            return Err(InvalidTemplate::Name {
                name: excerpt(name),
            });
        }
        let name = name.to_owned();
        let default = if let Some(after) = after.strip_prefix(":-") {
            *rest = after;
            Some(Self::read(rest, depth)?)
        } else {
            *rest = after;
            None
        };
        *rest = rest.strip_prefix('}').ok_or(InvalidTemplate::Unclosed)?;
        Ok(Segment::Variable { name, default })
    }

    /// Returns whether there are no variables, so that the file contains the text itself.
    pub fn is_literal(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// Returns whether the text is one variable, so that its value replaces the whole text.
    pub fn is_one_variable(&self) -> bool {
        matches!(self.segments.as_slice(), [Segment::Variable { .. }])
    }

    /// Returns whether the file contains any part of the expanded text: literal text, or a default with text, at any
    /// depth.
    pub fn holds_text(&self) -> bool {
        self.segments.iter().any(|segment| match segment {
            Segment::Literal(_) => true,
            Segment::Variable { default, .. } => default.as_ref().is_some_and(Self::holds_text),
        })
    }

    /// Returns the text with every variable replaced. An empty variable counts as unset.
    ///
    /// # Errors
    /// Returns [`UndefinedVariable`] for the first variable without a value and a default, or [`ExpansionTooLarge`].
    pub fn expand(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
        let mut undefined = Vec::new();
        let text = self.expand_all(lookup, &mut undefined)?;
        match undefined.into_iter().next() {
            None => Ok(text),
            Some(first) => Err(first.into()),
        }
    }

    /// Returns the text with every variable replaced. Adds variables without a value and a default to `undefined`, each
    /// once and at most 20; they are replaced by nothing.
    ///
    /// # Errors
    /// Returns [`ExpansionTooLarge`] before more than that is in memory.
    pub fn expand_all(
        &self,
        lookup: &dyn Fn(&str) -> Option<String>,
        undefined: &mut Vec<UndefinedVariable>,
    ) -> Result<String, ExpansionTooLarge> {
        let mut text = String::new();
        let mut left = MAX_EXPANDED_BYTES;
        self.expand_into(&mut text, &mut left, lookup, undefined)?;
        Ok(text)
    }

    fn expand_into(
        &self,
        text: &mut String,
        left: &mut usize,
        lookup: &dyn Fn(&str) -> Option<String>,
        undefined: &mut Vec<UndefinedVariable>,
    ) -> Result<(), ExpansionTooLarge> {
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Variable { name, default } => {
                    let value = lookup(name);
                    let empty = value.as_deref() == Some("");
                    match (value, default) {
                        (Some(value), _) if !empty => {
                            *left = left.checked_sub(value.len()).ok_or(ExpansionTooLarge)?;
                            text.push_str(&value);
                        }
                        (_, Some(default)) => {
                            default.expand_into(text, left, lookup, undefined)?;
                        }
                        _ if undefined.len() < MOST_UNDEFINED
                            && undefined.iter().all(|known| known.name != *name) =>
                        {
                            undefined.push(UndefinedVariable {
                                name: name.clone(),
                                empty,
                            });
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the approximate memory use in bytes, which may be many times the length of the text.
    pub fn size(&self) -> usize {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.len(),
            Segment::Variable { name, default } => {
                name.len() + default.as_ref().map_or(0, Self::size)
            }
        });
        size_of::<Segment>() * self.segments.len() + segments.sum::<usize>()
    }

    /// Returns the names of the variables in order of appearance, including those in defaults.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for segment in &self.segments {
            if let Segment::Variable { name, default } = segment {
                names.push(name.as_str());
                names.extend(default.iter().flat_map(Self::variables));
            }
        }
        names
    }
}

/// Returns the beginning of a text in place of a name.
fn excerpt(name: &str) -> String {
    match name.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// Returns whether a literal text looks as if it should be interpolated.
pub fn looks_interpolated(text: &str) -> bool {
    text.contains("${")
}

/// Shows only the variables, since literal parts and defaults may be secrets.
impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.variables()).finish()
    }
}

/// Returns whether a text is a valid variable name: `[A-Za-z_][A-Za-z0-9_]*`, and not too long.
pub fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= MAX_NAME_BYTES
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, ExpandError> {
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
        assert_eq!(expand("a}b").unwrap(), "a}b");
    }

    #[test]
    fn a_default_is_a_template() {
        assert_eq!(expand("${NONE:-${HOST}}").unwrap(), "a.example");
        assert_eq!(expand("${HOST:-${NONE}}").unwrap(), "a.example");
        assert_eq!(expand("${NONE:-${EMPTY:-x$$y}}z").unwrap(), "x$yz");
        assert_eq!(
            expand("${NONE:-p-${HOST}-s}/${NONE:-:-}").unwrap(),
            "p-a.example-s/:-"
        );
        assert_eq!(
            expand("${NONE:-${OTHER}}").unwrap_err().to_string(),
            "the variable OTHER is not set"
        );
        let nested = |depth: usize| "${N:-".repeat(depth) + "x" + &"}".repeat(depth);
        assert_eq!(expand(&nested(MAX_TEMPLATE_DEPTH)).unwrap(), "x");
        assert_eq!(
            Template::parse(&nested(MAX_TEMPLATE_DEPTH + 1)),
            Err(InvalidTemplate::TooDeep)
        );
        assert_eq!(
            Template::parse(&"${N:-".repeat(1_000_000)),
            Err(InvalidTemplate::TooDeep)
        );
    }

    #[test]
    fn nothing_that_looks_like_a_variable_goes_out_as_it_is() {
        for text in [
            "${A:-${B}",
            "${A:-${B",
            "${A:-$B}",
            "${A:-${}}",
            "${A:-${B C}}",
            "${A:-$",
            "${A:?x}",
            "${A-x}",
            "${A${B}}",
            "${${A}}",
            "${ A }",
            "$A",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_in_the_file_is_distinguished_from_text_of_variables() {
        let holds_text = |text: &str| Template::parse(text).unwrap().holds_text();
        for text in ["a", "${A}b", "${A:-b}", "${A:-${B:-c}}", "$$", "${A:- }"] {
            assert!(holds_text(text), "{text}");
        }
        for text in [
            "",
            "${A}",
            "${A}${B}",
            "${A:-}",
            "${A:-${B}}",
            "${A:-${B:-}}",
        ] {
            assert!(!holds_text(text), "{text}");
        }
        let is_one = |text: &str| Template::parse(text).unwrap().is_one_variable();
        assert!(is_one("${A}") && is_one("${A:-${B:-5}}"));
        assert!(!is_one("") && !is_one("5") && !is_one("${A}0") && !is_one("${A}${B}"));
        let template = Template::parse("${A:-x${B}}${C:-${D:-${A}}}").unwrap();
        assert_eq!(template.variables(), ["A", "B", "C", "D", "A"]);
    }

    #[test]
    fn undefined_and_empty_are_distinguished() {
        let error = |text: &str| expand(text).unwrap_err().to_string();
        assert_eq!(error("${NONE}"), "the variable NONE is not set");
        assert_eq!(error("${EMPTY}"), "the variable EMPTY is empty");
        let mut undefined = Vec::new();
        Template::parse("${A}/${B:-${C}}/${D:-x}")
            .unwrap()
            .expand_all(&|_| None, &mut undefined)
            .unwrap();
        let names: Vec<_> = undefined.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["A", "C"]);
    }

    #[test]
    fn what_variables_add_to_a_text_is_bounded() {
        let expand = |text: &str, bytes: usize| {
            let template = Template::parse(text).unwrap();
            template.expand(&|name| (name == "A").then(|| "x".repeat(bytes)))
        };
        let most = MAX_EXPANDED_BYTES;
        assert_eq!(expand("a${A}", most).unwrap().len(), most + 1);
        for (text, bytes) in [
            ("${A}".to_owned(), most + 1),
            ("${A}".repeat(1_000_000), 1_000),
            ("${B:-${C:-${A}${A}}}".to_owned(), most / 2 + 1),
        ] {
            assert_eq!(expand(&text, bytes), Err(ExpansionTooLarge.into()));
        }
        // The text in the file has a limit of its own.
        assert!(expand(&"x".repeat(2 * most), 1).is_ok());
        let mut undefined = Vec::new();
        let many = (0..1_000).map(|number| format!("${{A{number}}}"));
        let many = many.collect::<Vec<_>>().concat();
        for text in ["${A}".repeat(1_000), many] {
            let template = Template::parse(&text).unwrap();
            template.expand_all(&|_| None, &mut undefined).unwrap();
        }
        assert_eq!(undefined.len(), MOST_UNDEFINED);
    }

    #[test]
    fn what_is_not_a_variable_is_an_error() {
        let error = |text: &str| Template::parse(text).unwrap_err();
        assert_eq!(error("a$b"), InvalidTemplate::LoneDollar);
        assert_eq!(error("a$"), InvalidTemplate::LoneDollar);
        assert_eq!(error("${A"), InvalidTemplate::Unclosed);
        assert_eq!(error("${A:-b"), InvalidTemplate::Unclosed);
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
        let named = |length| Template::parse(&format!("${{{}}}", "A".repeat(length)));
        assert!(named(MAX_NAME_BYTES).is_ok());
        let name = "A".repeat(60) + "…";
        assert_eq!(named(256), Err(InvalidTemplate::Name { name }));
    }

    #[test]
    fn debug_shows_no_literal() {
        let template = Template::parse("hunter2-${A:-hunter3}").unwrap();
        assert_eq!(format!("{template:?}"), r#"["A"]"#);
    }
}
