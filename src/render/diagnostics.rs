//! Diagnostics of files as text: the line, the value underlined, and the help.
//!
//! Ranges marked as secret are replaced by `(hidden)`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use anstream::adapter::strip_str;

use super::human::plural;
use super::sanitize::sanitize;
use super::style::Styles;
use crate::diagnostic::{
    Diagnostic, Diagnostics, Label, Severity, SourceFile, SourceId, SourceMap,
};
use crate::outside::{Outside, is_harmful, is_marker};

/// The most lines of a file that one diagnostic shows.
const LINES: usize = 20;

/// If the lines exceed this length together, in bytes, only a window around each label is shown.
const LONGEST: usize = 2_000;

/// How much of a line is shown before and after a label in a window, in characters.
const AROUND: usize = 60;

/// How much of the labelled text is shown in a window, in characters.
const LABELLED: usize = 80;

/// How many diagnostics are shown by default.
pub const SHOWN: usize = 100;

/// The replacement for secrets.
const MASK: &str = "(hidden)";

/// Renders the first `most` diagnostics, each followed by an empty line, and the number of those left out. Errors take
/// precedence over warnings.
pub fn diagnostics(
    diagnostics: &Diagnostics,
    sources: &SourceMap,
    styles: &Styles,
    width: usize,
    most: usize,
) -> String {
    let renderer = if styles.colored {
        // The same colors as everywhere, which a theme adapts to light and dark.
        Renderer::styled()
            .error(styles.destroy.bold())
            .warning(styles.warning)
            .note(styles.change)
            .context(styles.hint)
            .help(styles.hint)
            .line_num(styles.aside)
    } else {
        Renderer::plain()
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    let secrets = SecretRanges::default();
    let mut errors = diagnostics.count(Severity::Error).min(most);
    let mut others = most - errors;
    let shown = diagnostics.iter().filter(|diagnostic| {
        let left = match diagnostic.severity {
            Severity::Error => &mut errors,
            Severity::Warning => &mut others,
        };
        let fits = *left > 0;
        *left = left.saturating_sub(1);
        fits
    });
    let mut text: String = shown
        .map(|diagnostic| one(diagnostic, sources, &secrets, &renderer) + "\n\n")
        .collect();
    let more = diagnostics.iter().count().saturating_sub(most);
    if more > 0 {
        text += &format!("… and {more} more; --all shows them\n\n");
    }
    text
}

/// The secret ranges of each file, sorted once.
#[derive(Default)]
struct SecretRanges(RefCell<BTreeMap<SourceId, Rc<[Range<usize>]>>>);

impl SecretRanges {
    fn of(&self, source: SourceId, file: &SourceFile) -> Rc<[Range<usize>]> {
        let mut known = self.0.borrow_mut();
        let ranges = known.entry(source).or_insert_with(|| {
            let mut ranges = file.secrets().to_vec();
            ranges.sort_by_key(|range| (range.start, range.end));
            // The ranges do not overlap, so their ends are sorted as well.
            let mut merged: Vec<Range<usize>> = Vec::new();
            for range in ranges {
                match merged.last_mut() {
                    Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                    _ => merged.push(range),
                }
            }
            merged.into()
        });
        Rc::clone(ranges)
    }
}

/// Returns the numbers of errors and warnings and of files, or `None` without diagnostics.
pub fn count_line(diagnostics: &Diagnostics, files: usize) -> Option<String> {
    let counts: Vec<_> = [Severity::Error, Severity::Warning]
        .into_iter()
        .map(|severity| (diagnostics.count(severity), severity.as_str()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| plural(count, word))
        .collect();
    (!counts.is_empty()).then(|| format!("{} in {}", counts.join(", "), plural(files, "file")))
}

fn one(
    diagnostic: &Diagnostic,
    sources: &SourceMap,
    secrets: &SecretRanges,
    renderer: &Renderer,
) -> String {
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
            snippets(file, &secrets.of(source, file), &labels, &mut elements);
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
    let text = renderer.render(&[group]);
    if !text.contains(":::") {
        return text;
    }
    // The window already names the location.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| strip_str(line).to_string().trim() != ":::")
        .collect();
    lines.join("\n")
}

/// Groups the labels by file, the primary label's file first.
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

/// Returns the lines with labels of one file. If they are too long, returns a window around each label.
fn snippets(
    file: &SourceFile,
    secrets: &[Range<usize>],
    labels: &[(&Label, AnnotationKind)],
    elements: &mut Vec<Element<'_>>,
) {
    let first = labels.iter().map(|(label, _)| label.span.start).min();
    let last = labels.iter().map(|(label, _)| label.span.end).max();
    let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
    let start = file.line(first).start;
    let end = line_end(file, last, start);
    if end.saturating_sub(start) <= LONGEST {
        let path = Some(Outside::path(file.path()).to_string());
        elements.push(lines(file, secrets, labels, start..end, ["", ""], path).into());
        return;
    }
    for label in labels {
        let span = label.0.span;
        let line = file.line(span.start);
        let place = file.location(span.start);
        let path = Outside::path(file.path()).to_string();
        let origin = Origin::path(path)
            .line(place.line)
            .char_column(place.column);
        elements.push(origin.into());
        let before = file.text().get(line.start..span.start).unwrap_or_default();
        let start = back(before, AROUND).map_or(line.start, |index| line.start + index);
        let meant = file
            .text()
            .get(span.start..span.end.min(line.end).max(span.start));
        let meant = meant.unwrap_or_default();
        let shown = forth(meant, LABELLED).unwrap_or(meant.len());
        let after = file
            .text()
            .get(span.start + shown..line.end)
            .unwrap_or_default();
        let end = span.start + shown + forth(after, AROUND).unwrap_or(after.len());
        let cut = [
            if start > line.start { "… " } else { "" },
            if end < line.end { " …" } else { "" },
        ];
        elements.push(lines(file, secrets, &[*label], start..end, cut, None).into());
    }
}

/// Returns where the last `characters` characters begin, or `None` if there are no more.
fn back(text: &str, characters: usize) -> Option<usize> {
    text.char_indices()
        .rev()
        .nth(characters)
        .map(|(index, character)| index + character.len_utf8())
}

/// Returns where the first `characters` characters end, or `None` if there are no more.
fn forth(text: &str, characters: usize) -> Option<usize> {
    text.char_indices().nth(characters).map(|(index, _)| index)
}

/// Renders a part of a file with its labels. `cut` is added on both sides.
fn lines<'a>(
    file: &SourceFile,
    secrets: &[Range<usize>],
    labels: &[(&Label, AnnotationKind)],
    part: Range<usize>,
    cut: [&str; 2],
    path: Option<String>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let [before, after] = cut;
    let (start, end) = (part.start, part.end);
    let line = file.location(start).line;
    let mut shown = Masked::new(file, secrets, part, before);
    let annotations: Vec<_> = labels
        .iter()
        .filter(|(label, _)| label.span.start < end.max(start + 1))
        .map(|(label, kind)| {
            let span = shown.map(label.span.start)..shown.map(label.span.end.min(end));
            let span = span.start..span.end.max(span.start);
            let text = (!label.text.is_empty()).then(|| sanitize(&label.text).into_owned());
            kind.span(span).label(text)
        })
        .collect();
    shown.text += after;
    let snippet = Snippet::source(shown.text)
        .line_start(line)
        .annotations(annotations);
    match path {
        Some(path) => snippet.path(path),
        None => snippet,
    }
}

/// Returns the end of the line that contains `offset`, at most [`LINES`] lines after `start`.
fn line_end(file: &SourceFile, offset: usize, start: usize) -> usize {
    let end = file.line(offset).end;
    let text = file.text().get(start..end).unwrap_or_default();
    text.match_indices('\n')
        .nth(LINES)
        .map_or(end, |(index, _)| start + index)
}

/// A part of a file with secrets replaced, and a map of its offsets.
struct Masked {
    text: String,
    /// Ranges of the file, and the corresponding ranges of the text, in order.
    moved: Vec<(Range<usize>, Range<usize>)>,
}

impl Masked {
    fn new(file: &SourceFile, secrets: &[Range<usize>], part: Range<usize>, before: &str) -> Self {
        let mut masked = Self {
            text: before.to_owned(),
            moved: Vec::new(),
        };
        let first = secrets.partition_point(|secret| secret.end <= part.start);
        let inside = secrets
            .iter()
            .skip(first)
            .take_while(|secret| secret.start < part.end)
            .map(|secret| secret.start.max(part.start)..secret.end.min(part.end));
        let mut at = part.start;
        for secret in inside {
            masked.copy(file, at..secret.start.max(at));
            let start = masked.text.len();
            masked.text += MASK;
            // Line numbers must not change.
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

    /// Copies a part, with control characters escaped.
    fn copy(&mut self, file: &SourceFile, range: Range<usize>) {
        let part = file.text().get(range.clone()).unwrap_or_default();
        let mut rest = part.char_indices().peekable();
        let mut from = 0;
        while let Some((index, character)) = rest.next() {
            let breaks = character == '\r' && matches!(rest.peek(), Some((_, '\n')));
            let marks = is_marker(part.get(index..).unwrap_or_default());
            if breaks || matches!(character, '\n' | '\t') || !(marks || is_harmful(character)) {
                continue;
            }
            self.plain(part, range.start, from..index);
            from = index + character.len_utf8();
            let start = self.text.len();
            self.text.extend(character.escape_unicode());
            self.moved.push((
                range.start + index..range.start + from,
                start..self.text.len(),
            ));
        }
        self.plain(part, range.start, from..part.len());
    }

    fn plain(&mut self, part: &str, offset: usize, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text += part.get(range.clone()).unwrap_or_default();
        self.moved.push((
            offset + range.start..offset + range.end,
            start..self.text.len(),
        ));
    }

    /// Maps an offset of the file to the text. Offsets inside a secret map to the end of its replacement.
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
