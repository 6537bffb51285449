//! Untrusted text as terminals and logs may show it.
//!
//! Names in an image, answers of a server, documents that nobody has verified: whoever wrote them
//! must not move the cursor, clear the screen, add lines to a log or turn text around. [`printable`]
//! replaces what could, by the one rule of [`printable_char`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;

/// The text with each character as [`printable_char`] has it.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(printable_char).collect()
}

/// A space for a tab; U+FFFD for every other control character, line and paragraph separator, and
/// control of the direction of text; any other character as it is.
///
/// One character stands for one, so that a mark under a column of the text stays in its place.
#[must_use]
pub fn printable_char(character: char) -> char {
    match character {
        '\t' => ' ',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        // Separators of lines and paragraphs; marks, embeddings, overrides and isolates of the
        // bidirectional algorithm (Unicode Standard Annex 9, section 2).
        '\u{2028}'
        | '\u{2029}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_stays() {
        let text = "MRENCLAVE é 漢字 🦪 \u{fffd}";
        assert_eq!(printable(text), text);
    }

    #[test]
    fn controls_are_replaced_one_by_one() {
        assert_eq!(
            printable("a\tb\r\nc\u{1b}[2J\u{7f}\u{9b}"),
            "a b\u{fffd}\u{fffd}c\u{fffd}[2J\u{fffd}\u{fffd}"
        );
        assert_eq!(
            printable("\u{202e}gpj.exe\u{2028}\u{2066}"),
            "\u{fffd}gpj.exe\u{fffd}\u{fffd}"
        );
    }
}
