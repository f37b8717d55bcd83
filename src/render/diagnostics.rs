//! Diagnostics of files, for people: the line, the exact value underlined, and what to do.
//!
//! A range that is marked as secret is shown as `(secret)`, whatever points at it.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::human::plural;
use super::sanitize::sanitize;
use super::style::Styles;
use crate::diagnostic::{
    Diagnostic, Diagnostics, Label, Severity, SourceFile, SourceId, SourceMap,
};

/// How many lines of a file one diagnostic shows at most.
const LINES: usize = 400;

/// What stands in place of a secret.
const MASK: &str = "(secret)";

/// All diagnostics, each followed by an empty line.
pub fn diagnostics(
    diagnostics: &Diagnostics,
    sources: &SourceMap,
    styles: &Styles,
    width: usize,
) -> String {
    let renderer = if styles.colored {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    diagnostics
        .iter()
        .map(|diagnostic| one(diagnostic, sources, &renderer) + "\n\n")
        .collect()
}

/// How many errors and warnings there are, in how many files; nothing if there are none.
pub fn count_line(diagnostics: &Diagnostics, files: usize) -> Option<String> {
    let counts: Vec<_> = [Severity::Error, Severity::Warning]
        .into_iter()
        .map(|severity| (diagnostics.count(severity), severity.as_str()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| plural(count, word))
        .collect();
    (!counts.is_empty()).then(|| format!("{} in {}", counts.join(", "), plural(files, "file")))
}

fn one(diagnostic: &Diagnostic, sources: &SourceMap, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(sanitize(&diagnostic.message).into_owned())
        .id(diagnostic.code.as_str());
    let mut elements: Vec<Element<'_>> = Vec::new();
    for (source, labels) in by_source(diagnostic) {
        if let Some(file) = sources.file(source) {
            elements.push(snippet(file, &labels).into());
        }
    }
    if elements.is_empty()
        && let Some(path) = &diagnostic.path
    {
        elements.push(Origin::path(Outside::path(path).to_string()).into());
    }
    if let Some(help) = &diagnostic.help {
        elements.push(Level::HELP.message(sanitize(help).into_owned()).into());
    }
    let group: Group<'_> = title.elements(elements);
    renderer.render(&[group])
}

/// The labels by file, the primary one's file first.
fn by_source(diagnostic: &Diagnostic) -> Vec<(SourceId, Vec<(&Label, AnnotationKind)>)> {
    let primary = diagnostic
        .primary
        .iter()
        .map(|label| (label, AnnotationKind::Primary));
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|label| (label, AnnotationKind::Context));
    let mut order = Vec::new();
    let mut groups: BTreeMap<SourceId, Vec<_>> = BTreeMap::new();
    for (label, kind) in primary.chain(secondary) {
        let source = label.span.source;
        if !order.contains(&source) {
            order.push(source);
        }
        groups.entry(source).or_default().push((label, kind));
    }
    order
        .into_iter()
        .filter_map(|source| groups.remove(&source).map(|labels| (source, labels)))
        .collect()
}

fn snippet<'a>(
    file: &SourceFile,
    labels: &[(&Label, AnnotationKind)],
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = file.text();
    let first = labels
        .iter()
        .map(|(label, _)| label.span.start)
        .min()
        .unwrap_or(0);
    let last = labels
        .iter()
        .map(|(label, _)| label.span.end)
        .max()
        .unwrap_or(0);
    let start = line_start(text, first);
    let end = line_end(text, last, start);
    let shown = Masked::new(file, start..end);
    let annotations = labels
        .iter()
        .filter(|(label, _)| label.span.start < end.max(start + 1))
        .map(|(label, kind)| {
            let span = shown.map(label.span.start)..shown.map(label.span.end.min(end));
            let span = span.start..span.end.max(span.start);
            let text = (!label.text.is_empty()).then(|| sanitize(&label.text).into_owned());
            kind.span(span).label(text)
        })
        .collect::<Vec<_>>();
    Snippet::source(shown.text)
        .line_start(file.location(start).line)
        .path(file.path().display().to_string())
        .annotations(annotations)
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |index| index + 1)
}

/// The end of the line that `offset` is on, at most so many lines after `start`.
fn line_end(text: &str, offset: usize, start: usize) -> usize {
    let end = text
        .get(offset..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |index| offset + index);
    let limit = text
        .get(start..)
        .and_then(|after| after.match_indices('\n').nth(LINES))
        .map_or(text.len(), |(index, _)| start + index);
    end.min(limit)
}

/// A part of a file with its secrets replaced, and where each byte of it went.
struct Masked {
    text: String,
    /// Ranges of the file and the ranges of the text that they became, in order.
    moved: Vec<(Range<usize>, Range<usize>)>,
}

impl Masked {
    fn new(file: &SourceFile, part: Range<usize>) -> Self {
        let mut masked = Self {
            text: String::new(),
            moved: Vec::new(),
        };
        let mut secrets: Vec<_> = file
            .secrets()
            .iter()
            .map(|secret| secret.start.max(part.start)..secret.end.min(part.end))
            .filter(|secret| secret.start < secret.end)
            .collect();
        secrets.sort_by_key(|secret| (secret.start, secret.end));
        let mut at = part.start;
        for secret in secrets {
            if secret.end <= at {
                continue;
            }
            masked.copy(file, at..secret.start.max(at));
            let start = masked.text.len();
            masked.text += MASK;
            // Lines must keep their numbers.
            let hidden = file.text().get(secret.clone()).unwrap_or_default();
            masked
                .text
                .extend(hidden.chars().filter(|character| *character == '\n'));
            masked
                .moved
                .push((secret.clone(), start..masked.text.len()));
            at = secret.end;
        }
        masked.copy(file, at..part.end);
        masked
    }

    fn copy(&mut self, file: &SourceFile, range: Range<usize>) {
        if range.start >= range.end {
            return;
        }
        let start = self.text.len();
        self.text += file.text().get(range.clone()).unwrap_or_default();
        self.moved.push((range, start..self.text.len()));
    }

    /// Where an offset of the file is in the text. Inside a secret it is the mask's end.
    fn map(&self, offset: usize) -> usize {
        for (from, to) in &self.moved {
            if offset < from.start {
                return to.start;
            }
            if offset < from.end || (offset == from.end && from.len() == to.len()) {
                let inside = offset - from.start;
                return if from.len() == to.len() {
                    to.start + inside
                } else if inside == 0 {
                    to.start
                } else {
                    to.end
                };
            }
        }
        self.text.len()
    }
}
