//! Shows a line of a text with a caret under a position in it.

use attestation_policy::Position;
use printable_text::printable_char;

/// Characters of a line that are shown; a longer line is cut around the place.
const WIDTH: usize = 100;

/// The line of `position` and a line with a caret under its column, both indented.
pub fn excerpt(text: &str, position: Position) -> String {
    let column = (position.column as usize).saturating_sub(1);
    let line = text.lines().nth((position.line as usize).saturating_sub(1));
    let line: Vec<char> = line.unwrap_or_default().chars().map(printable_char).collect();
    let (start, end) = if line.len() <= WIDTH {
        (0, line.len())
    } else {
        let start = column.saturating_sub(WIDTH / 2).min(line.len() - WIDTH);
        (start, start + WIDTH)
    };
    let shown: String = line[start..end].iter().collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if end < line.len() { "…" } else { "" };
    let caret_at = before.chars().count() + column.saturating_sub(start);
    format!("    {before}{shown}{after}\n    {}^", " ".repeat(caret_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_under_the_column() {
        let at = |line, column| Position { line, column };
        let text = "first\n\tsécond \u{1b}[0m\r\nthird";
        assert_eq!(excerpt(text, at(1, 1)), "    first\n    ^");
        assert_eq!(excerpt(text, at(2, 4)), "     sécond \u{fffd}[0m\n       ^");
        assert_eq!(excerpt(text, at(3, 6)), "    third\n         ^");
        assert_eq!(excerpt(text, at(4, 1)), "    \n    ^");
    }

    #[test]
    fn long_lines_are_cut() {
        let long: String = ('a'..='z').cycle().take(1000).collect();
        for column in [1, 60, 500, 999, 1001] {
            let shown = excerpt(&long, Position { line: 1, column });
            let (line, caret) = shown.split_once('\n').unwrap();
            assert!(line.chars().count() <= 4 + WIDTH + 2, "{line}");
            let under = line.chars().nth(caret.chars().count() - 1);
            assert_eq!(under, long.chars().nth(column as usize - 1), "{shown}");
        }
    }
}
