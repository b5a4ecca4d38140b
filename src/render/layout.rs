//! Lines and columns, measured as a terminal shows them. Takes text that is already harmless.

use unicode_width::UnicodeWidthStr;

use super::escape::isolated_by_line;

/// The widest that a column is made for the sake of alignment; a longer cell pushes the rest of its own line.
const MAX_COLUMN: usize = 48;

const GAP: &str = "   ";

/// Rows of cells in aligned columns.
pub(super) struct Columns {
    widths: Vec<usize>,
}

impl Columns {
    /// Measures the rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> Self {
        let mut widths: Vec<usize> = Vec::new();
        for row in rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(cell.width().min(MAX_COLUMN));
            }
        }
        Self { widths }
    }

    /// Returns the row as one line.
    pub fn line(&self, row: &[String]) -> String {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if at + 1 < row.len() {
                let wanted = self.widths.get(at).copied().unwrap_or(0);
                line.push_str(&" ".repeat(wanted.saturating_sub(cell.width())));
                line.push_str(GAP);
            }
        }
        line
    }
}

/// Returns the text in lines of at most so many columns, broken at spaces; a word that is longer stays whole.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    isolated_by_line(lines)
}

/// Returns the text wrapped, its first line after `first` and the others after as much space.
pub(crate) fn hanging(first: &str, text: &str, columns: usize) -> String {
    hanging_marked(first, &" ".repeat(first.width()), text, columns)
}

/// [`hanging`] for text with names in it: a bar marks each line that goes on, so that no name can be wrapped into a line of its own.
pub(super) fn hanging_named(first: &str, text: &str, columns: usize) -> String {
    let indent = first.width().max(2);
    hanging_marked(
        first,
        &format!("{}| ", " ".repeat(indent - 2)),
        text,
        columns,
    )
}

/// Returns the text with one beginning for its first line and another for the following ones.
pub(super) fn hanging_marked(first: &str, indent: &str, text: &str, columns: usize) -> String {
    let mut block = String::new();
    for (at, line) in wrap(
        text,
        columns.saturating_sub(first.width().max(indent.width())),
    )
    .iter()
    .enumerate()
    {
        block.push_str(if at == 0 { first } else { indent });
        block.push_str(line.trim_end());
        block.push('\n');
    }
    block
}

/// Returns a line of a text that others wrote, marked as in a mail, so that it passes for none of ours.
pub(super) fn quoted_line(indent: &str, line: &str, columns: usize) -> String {
    if line.is_empty() {
        format!("{indent}>\n")
    } else {
        let (first, further) = (format!("{indent}> "), format!("{indent}>   "));
        hanging_marked(&first, &further, line, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_as_they_are_shown() {
        let rows: Vec<Vec<String>> = [["山田", "a"], ["Ann L", "b"], ["e\u{301}", "c"]]
            .iter()
            .map(|row| row.iter().map(|&cell| cell.to_owned()).collect())
            .collect();
        let columns = Columns::of(rows.iter().map(Vec::as_slice));
        let starts: Vec<usize> = rows.iter().map(|row| columns.line(row).width()).collect();
        assert_eq!(starts, [9, 9, 9]);
    }

    #[test]
    fn one_long_cell_does_not_push_the_other_lines() {
        let rows = [
            vec!["x".repeat(200), "a".to_owned()],
            vec!["Ann".to_owned(), "b".to_owned()],
        ];
        let columns = Columns::of(rows.iter().map(Vec::as_slice));
        assert_eq!(columns.line(&rows[1]).width(), MAX_COLUMN + GAP.len() + 1);
    }

    #[test]
    fn lines_break_at_spaces_and_hang() {
        assert_eq!(
            hanging("  ! ", "one two three", 12),
            "  ! one two\n    three\n"
        );
        assert_eq!(
            hanging_named("  - ", "one two three", 12),
            "  - one two\n  | three\n"
        );
        assert_eq!(
            quoted_line("  ", "one two three", 14),
            "  > one two\n  >   three\n"
        );
        assert_eq!(quoted_line("", "", 12), ">\n");
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("abcdefghijkl", 5), ["abcdefghijkl"]);
    }
    #[test]
    fn what_is_isolated_is_isolated_on_every_line() {
        assert_eq!(
            hanging_named(
                "  - ",
                "of \u{2068}דנה אלון\u{2069} and \u{2068}b\u{2069}",
                10
            ),
            "  - of \u{2068}דנה\u{2069}\n  | \u{2068}אלון\u{2069}\n  | and \u{2068}b\u{2069}\n"
        );
        assert_eq!(
            wrap("\u{2068}a b c\u{2069} d", 1),
            [
                "\u{2068}a\u{2069}",
                "\u{2068}b\u{2069}",
                "\u{2068}c\u{2069}",
                "d"
            ]
        );
    }
}
