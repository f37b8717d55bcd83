//! Builds HTML. Markup is in the source of the program; every other text is escaped.

use crate::outside::escape;

/// A document under construction. Only literals can be markup, so no text from outside can.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Appends markup.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0 += markup;
        self
    }

    /// Appends a text or the value of a quoted attribute. Characters that cannot be seen, or that change the direction of
    /// the text, are shown as their codes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in escape(text).chars() {
            match character {
                '&' => self.0 += "&amp;",
                '<' => self.0 += "&lt;",
                '>' => self.0 += "&gt;",
                '"' => self.0 += "&quot;",
                '\'' => self.0 += "&#39;",
                other => self.0.push(other),
            }
        }
        self
    }

    /// Appends a number.
    pub(super) fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        self.0 += &number.into().to_string();
        self
    }

    /// Returns the document.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_neither_an_element_nor_an_attribute() {
        let mut html = Html::default();
        html.raw("<p title=\"").text("\"'><script>&amp;\u{202e}\n");
        assert_eq!(
            html.finish(),
            "<p title=\"&quot;&#39;&gt;&lt;script&gt;&amp;amp;\\u{202e}\\u{a}"
        );
    }
}
