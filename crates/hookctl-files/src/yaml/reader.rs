//! Reads documents from bytes or text: limits, parser errors, and recovery.

use std::ops::Range;
use std::path::PathBuf;

use granit_parser::{ErrorKind, Event, Parser, ScanError, StrInput};

use super::builder::{Builder, GiveUp};
use super::conceal::Concealed;
use super::decode::{Undecodable, decode};
use super::limits::MAX_DEPTH;
use super::tree::Document;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, SourceId, SourceMap, Span};

/// The largest file, in bytes. Ten thousand webhooks of four hundred bytes each.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The most documents of a file.
pub const MAX_DOCUMENTS: usize = 10_000;

/// Reads the documents of a file from its bytes. Adds the file to `sources` under its path, with secrets marked, and
/// its problems to `diagnostics`. Documents with a syntax error are left out; those after it are read.
pub fn read_bytes(
    path: PathBuf,
    bytes: Vec<u8>,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<Document> {
    if !adds_a_source(&bytes) {
        diagnostics.push(
            Diagnostic::new(
                Code::FileTooLarge,
                format!("the file is larger than {MAX_FILE_BYTES} bytes"),
            )
            .path(path)
            .help("split it into several files"),
        );
        return Vec::new();
    }
    let (text, problem) = decode(bytes);
    let Some(problem) = problem else {
        return read_documents(path, text, sources, diagnostics);
    };
    let mut concealed = Concealed::new(&text);
    concealed.unparsed(0..text.len());
    concealed.addresses();
    let ranges = concealed.into_ranges();
    let source = sources.add(path, text);
    mark(sources, source, ranges);
    diagnostics.push(undecodable(source, &problem));
    Vec::new()
}

/// Returns whether [`read_bytes`] adds the file to the sources. Files that are too large are not kept.
pub(crate) const fn adds_a_source(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_FILE_BYTES
}

/// Reads the documents of a file from its text, like [`read_bytes`].
pub fn read_text(
    path: PathBuf,
    text: String,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<Document> {
    read_bytes(path, text.into_bytes(), sources, diagnostics)
}

fn undecodable(source: SourceId, problem: &Undecodable) -> Diagnostic {
    let at = |offset: &usize| Span {
        source,
        start: *offset,
        end: *offset,
    };
    match problem {
        Undecodable::Utf8 {
            offset,
            looks_like_utf16,
        } => Diagnostic::new(
            Code::NotUtf8,
            format!("the text is not UTF-8 from byte {offset} on"),
        )
        .at(at(offset), "the first invalid byte")
        .help(if *looks_like_utf16 {
            "this looks like UTF-16; save the file as UTF-8"
        } else {
            "save the file as UTF-8"
        }),
        Undecodable::ControlCharacter { offset, character } => Diagnostic::new(
            Code::ControlCharacter,
            format!(
                "the control character U+{:04X} is not allowed in YAML",
                u32::from(*character)
            ),
        )
        .at(at(offset), "here")
        .help("remove it, or write it as an escape in double quotes"),
    }
}

fn read_documents(
    path: PathBuf,
    text: String,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<Document> {
    let source = sources.add(path, text);
    let text = sources.file(source).map_or("", SourceFile::text);
    let mut concealed = Concealed::new(text);
    concealed.addresses();
    let mut reader = Reader {
        source,
        text,
        parser: parser(text),
        nodes: 0,
        concealed,
        documents: Vec::new(),
        started: 0,
        boundary: 0,
    };
    reader.run(diagnostics);
    let documents = reader.documents;
    reader.concealed.comments();
    let ranges = reader.concealed.into_ranges();
    mark(sources, source, ranges);
    documents
}

fn mark(sources: &mut SourceMap, source: SourceId, ranges: Vec<Range<usize>>) {
    for range in ranges {
        sources.mark_secret(Span {
            source,
            start: range.start,
            end: range.end,
        });
    }
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

struct Reader<'text> {
    source: SourceId,
    text: &'text str,
    parser: Parser<'text, StrInput<'text>>,
    nodes: usize,
    concealed: Concealed<'text>,
    documents: Vec<Document>,
    /// The number of documents so far.
    started: usize,
    /// The end of the last complete document.
    boundary: usize,
}

/// The result of reading a document.
enum Outcome {
    Read,
    GaveUp(GiveUp),
    EndOfFile,
}

impl Reader<'_> {
    fn run(&mut self, diagnostics: &mut Diagnostics) {
        loop {
            match self.document(diagnostics) {
                Outcome::Read => {}
                Outcome::EndOfFile => return,
                Outcome::GaveUp(GiveUp::File(problem)) => {
                    diagnostics.push(*problem);
                    self.concealed.unparsed(self.boundary..self.text.len());
                    return;
                }
                Outcome::GaveUp(GiveUp::Document(problem)) => {
                    diagnostics.push(*problem);
                    let goes_on = matches!(self.parser.proceed_next_document(), Ok(true));
                    let next = match self.parser.peek() {
                        Some(Ok((_, span))) if goes_on => span.start.byte_offset(),
                        _ => None,
                    };
                    let end = next.unwrap_or(self.text.len());
                    self.concealed.unparsed(self.boundary..end);
                    self.boundary = end;
                    if !goes_on {
                        return;
                    }
                }
            }
        }
    }

    /// Reads the next document.
    fn document(&mut self, diagnostics: &mut Diagnostics) -> Outcome {
        let mut builder = Builder::new(
            self.source,
            self.text,
            &mut self.nodes,
            &mut self.concealed,
            diagnostics,
        );
        while let Some(next) = self.parser.next_event() {
            let (event, at) = match next {
                Ok(next) => next,
                Err(error) => {
                    let problem = syntax_error(self.source, self.text, &error);
                    return Outcome::GaveUp(GiveUp::Document(Box::new(problem)));
                }
            };
            match event {
                Event::DocumentStart(..) => {
                    self.started += 1;
                    if self.started > MAX_DOCUMENTS {
                        return Outcome::GaveUp(GiveUp::File(Box::new(
                            Diagnostic::new(
                                Code::TooManyDocuments,
                                format!("the file has more than {MAX_DOCUMENTS} documents"),
                            )
                            .at(span_at(self.source, self.text, at.start.byte_offset()), "")
                            .help("split it into several files"),
                        )));
                    }
                }
                Event::DocumentEnd => {
                    self.boundary = at.end.byte_offset().unwrap_or(self.boundary);
                    if let Some(root) = builder.finish() {
                        self.documents.push(Document { root });
                    }
                    return Outcome::Read;
                }
                event => {
                    if let Err(give_up) = builder.take(event, at) {
                        return Outcome::GaveUp(give_up);
                    }
                }
            }
        }
        Outcome::EndOfFile
    }
}

/// Returns the range of the character at an offset. It is empty at the end of a line.
fn span_at(source: SourceId, text: &str, offset: Option<usize>) -> Span {
    let start = offset.unwrap_or(0).min(text.len());
    let width = text
        .get(start..)
        .and_then(|rest| rest.chars().next())
        .filter(|character| !matches!(character, '\n' | '\r'))
        .map_or(0, char::len_utf8);
    Span {
        source,
        start,
        end: start + width,
    }
}

fn syntax_error(source: SourceId, text: &str, error: &ScanError) -> Diagnostic {
    let at = span_at(source, text, error.marker().byte_offset());
    let code = match error.kind() {
        ErrorKind::RecursionLimitExceeded => Code::TooDeep,
        _ => Code::Syntax,
    };
    let message = match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            format!("lists and mappings are nested more than {MAX_DEPTH} deep")
        }
        // The parser would quote the character, which may be part of a secret.
        ErrorKind::UnexpectedCharacter { .. } => {
            "a value cannot begin with this character".to_owned()
        }
        ErrorKind::MappingValueNotAllowed => "a ':' that is not allowed here".to_owned(),
        kind => kind.to_string(),
    };
    Diagnostic::new(code, message)
        .at(at, "the parser stopped here")
        .help(syntax_help(error.kind()))
}

fn syntax_help(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RecursionLimitExceeded => {
            "check the indentation and brackets: no setting needs more than a few levels"
        }
        ErrorKind::MappingValueNotAllowed => {
            "quote a value that contains ': ', or check the indentation"
        }
        ErrorKind::UnexpectedCharacter { .. } => "quote the value",
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => "indent with spaces",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "close the quote"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping => "check the brackets, braces, and commas",
        ErrorKind::UnknownQuotedScalarEscape => {
            "write '\\\\' for a backslash, or use single quotes"
        }
        ErrorKind::SimpleKeyExpected
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidSimpleKey => {
            "a key needs a ':' and a space after it, at the same indentation as its neighbours"
        }
        _ => "check the indentation and the quotes, here and in the line before",
    }
}
