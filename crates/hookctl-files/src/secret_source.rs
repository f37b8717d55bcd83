//! Parses the source of a secret in a file.
//!
//! Handles the four forms and their problems, before anything is resolved. Messages quote no values: a token in the
//! wrong place is still a token.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, Span, nearest};
use crate::yaml::{Entry, Kind, Node};
use hookctl_core::path::normal;
use hookctl_core::secret::{KeyConflict, KeySources};
use hookctl_core::secret::{ProviderName, Secret, SecretReference, SecretSource};
use hookctl_core::template::{Template, is_variable_name};

/// The forms, for help texts.
const FORMS: &str =
    "use { env: NAME }, { file: path }, { command: [program, argument] }, or a quoted text";

/// How secrets in plain text are reported (`plaintext_secrets`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaintextSecrets {
    /// A warning.
    #[default]
    Warn,
    /// An error.
    Deny,
}

/// What a source is read against: the location of its file, and the registered providers.
#[derive(Clone, Copy, Debug)]
pub struct SourceContext<'a> {
    /// The absolute folder of the file: relative paths start there.
    pub folder: &'a Path,
    /// The absolute folder that relative paths may not leave.
    pub root: &'a Path,
    /// The names of the secret providers, each a form of its own. The command line has none.
    pub providers: &'a [ProviderName],
}

/// A part of a source that may contain variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePart {
    /// The path of a file.
    Path,
    /// A word of a command.
    Command,
    /// A reference to a secret of a provider.
    Reference,
}

/// Expands the variables of a text, where they are allowed. Returns `None` if the text is unknown, which has been
/// reported.
pub type Expand<'a> = dyn Fn(SourcePart, &Node, &str, &mut Diagnostics) -> Option<String> + 'a;

/// Reads the source of a secret. `what` names the value in messages. `expand` is called for paths, commands, and references, never
/// for a secret's own text.
///
/// Returns `None` if the source is unknown. A problem has been reported then, unless `expand` chose not to.
pub fn read_source(
    node: &Node,
    what: &str,
    context: SourceContext<'_>,
    expand: &Expand<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<SecretSource> {
    let mut form = Form {
        context,
        expand,
        diagnostics,
    };
    match node.kind()? {
        Kind::Mapping => form.reference(node, what),
        Kind::List => {
            form.diagnostics.push(
                node.problem(
                    Code::InvalidSecretSource,
                    format!("'{what}' does not name the source of a secret"),
                    "this is a list",
                )
                .help(FORMS),
            );
            None
        }
        _ => form.text(node, what),
    }
}

/// Checks that a token has another source than the keys. `what` names the value in messages.
pub fn check_keys(
    keys: &KeySources,
    token: &SecretSource,
    what: &str,
    span: Span,
    diagnostics: &mut Diagnostics,
) {
    let message = match keys.conflict(token) {
        Some(KeyConflict::Variable(name)) => {
            format!("'{what}' names the variable {name}, which is reserved for API keys")
        }
        Some(KeyConflict::File) => {
            format!("'{what}' names the file of a key of hookctl.yaml")
        }
        Some(_) => format!("'{what}' names the source of a key"),
        None => return,
    };
    diagnostics.push(
        Diagnostic::new(Code::KeyAsToken, message)
            .at(
                span,
                "a token is sent to the webhook's address, and a key must never be",
            )
            .help("give the token a variable, a file, or a program of its own"),
    );
}

impl PlaintextSecrets {
    /// Checks that no part of a secret is in a file in plain text: in the value, in a default, or in `vars`. `what`
    /// names the value in messages.
    pub fn check(
        self,
        source: &SecretSource,
        what: &str,
        span: Span,
        vars: &BTreeMap<String, String>,
        diagnostics: &mut Diagnostics,
    ) {
        let severity = match self {
            Self::Warn => Severity::Warning,
            Self::Deny => Severity::Error,
        };
        if source.holds_plain_text() {
            diagnostics.push(
                Diagnostic::new(
                    Code::PlaintextSecret,
                    format!("'{what}' or a part of it is in the file in plain text"),
                )
                .severity(severity)
                .at(span, "readable by everyone with access to the repository")
                .help(
                    "move it to a secret store, refer to it with { env: NAME }, { file: path }, or \
                     { command: [...] }, and rotate it: it stays in the history of the repository",
                ),
            );
        }
        if let Some(name) = source.defined_in(vars) {
            diagnostics.push(
                Diagnostic::new(
                    Code::PlaintextSecret,
                    format!("'{what}' uses the variable {name}, which 'vars' has in plain text"),
                )
                .severity(severity)
                .at(span, "a secret reads only the environment, not 'vars'")
                .help(format!(
                    "remove {name} from 'vars' of the target, and set it in the environment"
                )),
            );
        }
    }
}

struct Form<'a> {
    context: SourceContext<'a>,
    expand: &'a Expand<'a>,
    diagnostics: &'a mut Diagnostics,
}

impl Form<'_> {
    fn text(&mut self, node: &Node, what: &str) -> Option<SecretSource> {
        let text = node.text(what, self.diagnostics)?;
        let Ok(template) = Template::parse(text) else {
            // The error would quote a part of the text.
            self.diagnostics.push(
                node.problem(
                    Code::InvalidTemplate,
                    format!("'{what}' has a '$' that does not begin a variable"),
                    "a '$' must begin '${NAME}', or be escaped as '$$'",
                )
                .help("write '$$' for a dollar sign in the secret"),
            );
            return None;
        };
        if template.is_literal()
            && let Ok(value) = template.expand(&|_| None)
            && let Err(reason) = Secret::new(value)
        {
            self.diagnostics.push(
                node.problem(
                    Code::UnusableSecret,
                    format!("'{what}' cannot be used: {reason}"),
                    "this would clear or break the secret",
                )
                .help(FORMS),
            );
            return None;
        }
        Some(SecretSource::Text { template })
    }

    fn reference(&mut self, node: &Node, what: &str) -> Option<SecretSource> {
        let mut forms = Vec::new();
        let mut all_known = true;
        for entry in node.mapping(what, self.diagnostics)?.iter() {
            if matches!(entry.key.value.as_str(), "env" | "file" | "command")
                || self.provider(&entry.key.value).is_some()
            {
                forms.push(entry);
            } else {
                all_known = false;
                self.unknown_form(entry, what);
            }
        }
        // Each form is read, so that one problem does not hide another.
        let sources: Vec<_> = forms.iter().map(|entry| self.form(entry)).collect();
        match sources.as_slice() {
            [source] if all_known => source.clone(),
            [] | [_] if !all_known => None,
            found => {
                let problem = if found.is_empty() {
                    "names no source"
                } else {
                    "names several sources"
                };
                self.diagnostics.push(
                    node.problem(
                        Code::InvalidSecretSource,
                        format!("'{what}' must name exactly one source of a secret"),
                        format!("this {problem}"),
                    )
                    .help(FORMS),
                );
                None
            }
        }
    }

    fn form(&mut self, entry: &Entry) -> Option<SecretSource> {
        match entry.key.value.as_str() {
            "env" => self.env(&entry.value),
            "file" => self.file(&entry.value),
            form => match self.provider(form).cloned() {
                Some(name) => self.secret_of(name, &entry.value),
                None => self.command(&entry.value),
            },
        }
    }

    fn provider(&self, form: &str) -> Option<&ProviderName> {
        let mut providers = self.context.providers.iter();
        providers.find(|name| name.as_str() == form)
    }

    fn secret_of(&mut self, name: ProviderName, node: &Node) -> Option<SecretSource> {
        let text = node.text(name.as_str(), self.diagnostics)?;
        let text = (self.expand)(SourcePart::Reference, node, text, self.diagnostics)?;
        match SecretReference::parse(text) {
            Ok(reference) => Some(SecretSource::Provider { name, reference }),
            Err(reason) => {
                self.diagnostics.push(
                    node.problem(
                        Code::InvalidSecretSource,
                        format!("'{name}' is not a reference to a secret: {reason}"),
                        "not a reference",
                    )
                    .help("use the text by which the provider names the secret"),
                );
                None
            }
        }
    }

    fn unknown_form(&mut self, entry: &Entry, what: &str) {
        let providers = self.context.providers.iter().map(ProviderName::as_str);
        let known = ["env", "file", "command"]
            .into_iter()
            .chain(providers.clone());
        let help = match nearest(&entry.key.value, known) {
            Some(known) => format!("did you mean '{known}'?"),
            None => providers.fold(FORMS.to_owned(), |forms, name| {
                format!("{forms}, or {{ {name}: reference }}")
            }),
        };
        self.diagnostics.push(
            Diagnostic::new(
                Code::UnknownField,
                format!("'{what}' has a field other than env, file, and command"),
            )
            .at(entry.key.span, "unknown field")
            .help(help),
        );
    }

    fn env(&mut self, node: &Node) -> Option<SecretSource> {
        let name = node.text("env", self.diagnostics)?;
        if !is_variable_name(name) {
            self.diagnostics.push(
                node.problem(
                    Code::InvalidSecretSource,
                    "'env' is not the name of an environment variable",
                    "not a valid name",
                )
                .help("use the name only, without '$' or braces: { env: NAME }"),
            );
            return None;
        }
        Some(SecretSource::Env {
            name: name.to_owned(),
        })
    }

    fn file(&mut self, node: &Node) -> Option<SecretSource> {
        let text = node.text("file", self.diagnostics)?;
        let written = (self.expand)(SourcePart::Path, node, text, self.diagnostics)?;
        let mut refuse = |code, message: &str, label: &str, help: &str| {
            self.diagnostics
                .push(node.problem(code, message, label).help(help));
            None
        };
        if written.is_empty() || written.contains('\0') || written.ends_with('/') {
            return refuse(
                Code::InvalidSecretSource,
                "'file' is not the path of a file",
                "not a path",
                "use a path relative to this file, or an absolute one",
            );
        }
        if written.starts_with('~') {
            return refuse(
                Code::InvalidSecretSource,
                "'~' does not mean the home folder here",
                "begins with '~'",
                "use an absolute path, or one relative to this file",
            );
        }
        if Path::new(&written).is_absolute() {
            return Some(SecretSource::File {
                path: PathBuf::from(&written),
                written,
                confined_to: None,
            });
        }
        let path = normal(&self.context.folder.join(&written));
        let root = normal(self.context.root);
        let is_inside = path
            .strip_prefix(&root)
            .is_ok_and(|rest| !rest.starts_with(".."));
        if !is_inside {
            return refuse(
                Code::SecretOutsideRepository,
                "'file' leads out of the repository",
                "leaves the repository",
                "use an absolute path to read a file outside the repository",
            );
        }
        Some(SecretSource::File {
            path,
            written,
            confined_to: Some(root),
        })
    }

    fn command(&mut self, node: &Node) -> Option<SecretSource> {
        if node.kind()? == Kind::Text {
            self.diagnostics.push(
                node.problem(
                    Code::InvalidSecretSource,
                    "'command' must be a list, since it runs without a shell",
                    "this is text",
                )
                .help("list the program and each argument separately: [program, argument]"),
            );
            return None;
        }
        let items = node.sequence("command", self.diagnostics)?;
        let words: Vec<Option<String>> = items
            .iter()
            .map(|item| {
                let text = item.text("command", self.diagnostics)?;
                (self.expand)(SourcePart::Command, item, text, self.diagnostics)
            })
            .collect();
        let mut words = words.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
        let Some(program) = words.next().filter(|program| !program.is_empty()) else {
            self.diagnostics.push(
                node.problem(
                    Code::InvalidSecretSource,
                    "'command' names no program",
                    "empty",
                )
                .help("put the program first: [program, argument]"),
            );
            return None;
        };
        let folder = self.context.folder;
        Some(SecretSource::Command {
            program: if program.contains('/') && !Path::new(&program).is_absolute() {
                normal(&folder.join(&program))
                    .to_string_lossy()
                    .into_owned()
            } else {
                program
            },
            arguments: words.collect(),
            directory: folder.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceMap;
    use crate::yaml::read_text;

    fn read(text: &str) -> Result<SecretSource, Vec<String>> {
        let mut sources = SourceMap::default();
        let mut diagnostics = Diagnostics::default();
        let documents = read_text(
            "a.yaml".into(),
            text.to_owned(),
            &mut sources,
            &mut diagnostics,
        );
        let source = read_source(
            &documents[0].root,
            "bearer_token",
            SourceContext {
                folder: Path::new("/repo/webhooks.d/team"),
                root: Path::new("/repo"),
                providers: &[ProviderName::parse("vault").unwrap()],
            },
            &|_, _, text, _| Some(text.replace("${ENV}", "qa")),
            &mut diagnostics,
        );
        for diagnostic in diagnostics.iter() {
            assert!(!format!("{diagnostic:?}").contains("hunter2"), "{text}");
        }
        source.ok_or_else(|| {
            diagnostics
                .iter()
                .map(|diagnostic| {
                    let at = sources.location(diagnostic.primary.as_ref().unwrap().span);
                    format!("{}:{} {}", at.line, at.column, diagnostic.code)
                })
                .collect()
        })
    }

    fn file(path: &str, written: &str, confined_to: Option<&str>) -> SecretSource {
        SecretSource::File {
            path: path.into(),
            written: written.into(),
            confined_to: confined_to.map(PathBuf::from),
        }
    }

    #[test]
    fn the_four_forms() {
        assert_eq!(
            read("{ env: A_TOKEN }").unwrap(),
            SecretSource::Env {
                name: "A_TOKEN".into()
            }
        );
        assert_eq!(
            read("file: ../${ENV}/./token").unwrap(),
            file("/repo/webhooks.d/qa/token", "../qa/./token", Some("/repo"))
        );
        assert_eq!(
            read("{ file: /run/secrets/x }").unwrap(),
            file("/run/secrets/x", "/run/secrets/x", None)
        );
        let command = |program: &str, arguments: &[&str]| SecretSource::Command {
            program: program.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            directory: "/repo/webhooks.d/team".into(),
        };
        assert_eq!(
            read("command: [pass, show, '${ENV}/x']").unwrap(),
            command("pass", &["show", "qa/x"])
        );
        assert_eq!(
            read("command: [../bin/token]").unwrap(),
            command("/repo/webhooks.d/bin/token", &[])
        );
        let source = read("{ vault: 'clinic/${ENV}#token' }").unwrap();
        assert_eq!(
            source,
            SecretSource::Provider {
                name: ProviderName::parse("vault").unwrap(),
                reference: SecretReference::parse("clinic/qa#token".to_owned()).unwrap(),
            }
        );
        assert_eq!(source.to_string(), "the secret provider 'vault'");
        assert!(!format!("{source:?}").contains("clinic") && !source.holds_plain_text());
        for plain in [
            "hunter2",
            "'a${TOKEN}'",
            "'${A:-hunter2}'",
            "'${A:-${B:-hunter2}}'",
        ] {
            assert!(read(plain).unwrap().holds_plain_text(), "{plain}");
        }
        for other in ["'${A}${B}'", "'${A:-}'", "'${A:-${B}}'", "{ env: hunter }"] {
            assert!(!read(other).unwrap().holds_plain_text(), "{other}");
        }
        assert_eq!(
            read("'${A}'").unwrap(),
            SecretSource::Text {
                template: Template::parse("${A}").unwrap()
            }
        );
    }

    #[test]
    fn what_is_none_of_them() {
        for (text, expected) in [
            ("12345", vec!["1:1 wrong-type"]),
            ("true", vec!["1:1 wrong-type"]),
            ("[hunter2]", vec!["1:1 invalid-secret-source"]),
            ("{}", vec!["1:1 invalid-secret-source"]),
            ("{ env: A, file: b }", vec!["1:1 invalid-secret-source"]),
            ("{ enf: A }", vec!["1:3 unknown-field"]),
            ("{ vaultt: hunter2 }", vec!["1:3 unknown-field"]),
            ("{ vault: '' }", vec!["1:10 invalid-secret-source"]),
            (
                "{ vault: \"hunter2\\n\" }",
                vec!["1:10 invalid-secret-source"],
            ),
            ("{ vault: [hunter2] }", vec!["1:10 wrong-type"]),
            ("{ vault: a, env: A }", vec!["1:1 invalid-secret-source"]),
            ("{ hunter2: A }", vec!["1:3 unknown-field"]),
            ("{ env: A, hunter2: b }", vec!["1:11 unknown-field"]),
            ("{ env: $A }", vec!["1:8 invalid-secret-source"]),
            ("{ env: '${hunter2}' }", vec!["1:8 invalid-secret-source"]),
            ("{ env: 5 }", vec!["1:8 wrong-type"]),
            ("{ env: hunter2-x }", vec!["1:8 invalid-secret-source"]),
            ("{ file: '' }", vec!["1:9 invalid-secret-source"]),
            ("{ file: ~/hunter2 }", vec!["1:9 invalid-secret-source"]),
            ("{ file: a/ }", vec!["1:9 invalid-secret-source"]),
            ("{ file: }", vec!["1:3 wrong-type"]),
            (
                "{ file: ../../../hunter2 }",
                vec!["1:9 secret-outside-repository"],
            ),
            (
                "{ command: pass hunter2 }",
                vec!["1:12 invalid-secret-source"],
            ),
            ("{ command: [] }", vec!["1:12 invalid-secret-source"]),
            ("{ command: [''] }", vec!["1:12 invalid-secret-source"]),
            (
                "{ command: [a, 5, [b]] }",
                vec!["1:16 wrong-type", "1:19 wrong-type"],
            ),
            ("''", vec!["1:1 unusable-secret"]),
            ("'****'", vec!["1:1 unusable-secret"]),
            ("\"hunter2\\n\"", vec!["1:1 unusable-secret"]),
            ("'hunter2$x'", vec!["1:1 invalid-template"]),
            ("'${hunter2 x}'", vec!["1:1 invalid-template"]),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
    }
}
