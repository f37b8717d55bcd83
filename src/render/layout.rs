//! Text laid out by the columns of a terminal. Knows nothing of what the text says.
//!
//! A column is what a terminal shows for one Latin letter. An ideograph has two, and a combining mark none.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How much further than its first line a wrapped line is indented.
const HANG: usize = 2;

/// Returns the number of columns of a line. Codes of colors have none.
pub fn columns(line: &str) -> usize {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().width();
    parts.fold(first, |sum, part| {
        sum + part.split_once('m').map_or("", |(_, text)| text).width()
    })
}

/// Wraps each line that is wider than `width`, at its words. Further lines are indented a little more than the first.
/// A word wider than a line stays whole, so that an address can still be copied.
pub fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        if columns(line) <= width {
            wrapped += line;
        } else {
            wrap_line(line, width, &mut wrapped);
        }
        wrapped += end;
    }
    wrapped
}

fn wrap_line(line: &str, width: usize, wrapped: &mut String) {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let hang = (indent + HANG).min(width / 2);
    let mut at = 0;
    let mut spaces = "";
    // Nothing but indentation is in the current line.
    let mut is_empty = true;
    for piece in pieces(line) {
        if piece.starts_with(' ') {
            spaces = piece;
            continue;
        }
        let wide = columns(piece);
        // A word that fits nowhere is broken by the terminal in any case. It stays beside a short label.
        let moves = hang + wide <= width || at > width / 2;
        if !is_empty && moves && at + spaces.len() + wide > width {
            wrapped.push('\n');
            *wrapped += &" ".repeat(hang);
            at = hang;
        } else {
            *wrapped += spaces;
            at += spaces.len();
        }
        spaces = "";
        *wrapped += piece;
        at += wide;
        is_empty &= wide == 0;
    }
    *wrapped += spaces;
}

/// Splits a line into spaces and words. Between ideographs, a line may be broken without a space.
fn pieces(line: &str) -> Vec<&str> {
    let is_wide = |letter: char| letter.width() == Some(2);
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut last: Option<char> = None;
    for (at, letter) in line.char_indices() {
        let ends = last.is_some_and(|last| {
            (last == ' ') != (letter == ' ') || (is_wide(last) && is_wide(letter))
        });
        if ends {
            pieces.extend(line.get(start..at));
            start = at;
        }
        last = Some(letter);
    }
    pieces.extend(line.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

/// Shortens a text without colors to a number of columns, with an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut at = 1;
    for letter in text.chars() {
        at += letter.width().unwrap_or(0);
        if at > width {
            break;
        }
        shown.push(letter);
    }
    shown.push('…');
    shown
}

/// Appends spaces up to a number of columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(spaces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_words_and_hang() {
        let text = "  hint: set INTERACTLY_API_KEY in the environment\nshort\n";
        assert_eq!(
            wrap(text, 30),
            "  hint: set INTERACTLY_API_KEY\n    in the environment\nshort\n"
        );
        // What fits is not changed, trailing spaces included.
        assert_eq!(wrap("Apply? [y/N] ", 40), "Apply? [y/N] ");
        assert_eq!(wrap("", 40), "");
    }

    #[test]
    fn an_address_stays_whole() {
        let address = "https://a.example.com/hooks";
        assert_eq!(
            wrap(&format!("      address: {address}\n"), 40),
            format!("      address:\n        {address}\n")
        );
        let address = "https://receiver.example.com/a/very/long/path/to/the/receiver";
        assert_eq!(
            wrap(&format!("      url: {address}\n"), 40),
            format!("      url: {address}\n")
        );
        assert_eq!(
            wrap(
                &format!("    url: https://a.example.com -> {address}\n"),
                40
            ),
            format!("    url: https://a.example.com ->\n      {address}\n")
        );
    }

    #[test]
    fn ideographs_have_two_columns_and_are_broken_between() {
        assert_eq!(columns("会議"), 4);
        assert_eq!(columns("\u{1b}[1m会\u{1b}[0m"), 2);
        for line in wrap("  name: 会議の記録を送る受信者の名前", 20).lines() {
            assert!(columns(line) <= 20, "{line}");
        }
        assert_eq!(cut("会議の記録", 6), "会議…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(pad("会", 4), "会  ");
    }

    #[test]
    fn colors_take_no_room() {
        let text = "\u{1b}[33mone two\u{1b}[0m three";
        assert_eq!(wrap(text, 13), text);
        assert_eq!(wrap(text, 8), "\u{1b}[33mone two\u{1b}[0m\n  three");
    }
}
