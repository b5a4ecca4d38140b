//! Makes text from elsewhere harmless: what a name or an address holds is shown, and nothing of it is obeyed.
//!
//! Names and addresses are typed by the people under review. Whatever a terminal, a log or a Markdown page would obey,
//! hide or reorder is shown as an escape (`\n`, `\u{202e}`), and a backslash as two, so that a reader can always tell
//! what the text really is. Escaped text never spans lines and never holds two spaces in a row, so that it
//! can forge neither a line nor a column.

use std::cmp::Ordering;
use std::fmt::Write;

use sha2::{Digest, Sha256};
use unicode_normalization::char::is_combining_mark;
use unicode_width::UnicodeWidthStr;

use crate::plan::hex;

/// Accents that may stand on one letter. More than a script needs is a tower that covers the lines above.
const MAX_ACCENTS: usize = 4;

/// Characters that some Markdown dialect obeys within a line.
const MARKDOWN: &str = "\\`*_{}[]()<>#+-.!|~&@:;$^=\"'/%?";

/// Returns text for a terminal or a log: one line, everything invisible made visible.
pub fn plain(text: &str) -> String {
    visible_parts(text).concat()
}

/// Returns JSON with everything that shows nothing or is obeyed written as an escape, which means the same to whoever parses it. The
/// layout of the JSON stays as it is.
pub fn json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // Below, only strings hold such characters, and they come escaped.
        if c >= '\u{7f}' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Returns text for a place between the tags of an HTML page. What is hidden is made visible here as well, for text that did not come
/// through [`plain`]. What [`shortened`] isolates is isolated in the page.
pub fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let is_isolated = holds_pairs_of_isolates(text);
    for c in text.chars() {
        match c {
            ISOLATE if is_isolated => html.push_str("<bdi>"),
            END_OF_ISOLATE if is_isolated => html.push_str("</bdi>"),
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ if is_hidden(c) => {
                let _ = write!(html, "\\u{{{:x}}}", u32::from(c));
            }
            _ => html.push(c),
        }
    }
    html
}

/// Returns the run of backticks that opens and closes a code block with this content: longer than any run in it.
pub fn fence_for<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let longest = lines.into_iter().map(longest_run_of_backticks).max();
    "`".repeat(longest.unwrap_or(0).max(2) + 1)
}

/// Returns escaped text of at most about so many columns. What is cut from the middle is counted, and a digest of the whole
/// stands in its place, so that two different texts never look the same.
pub fn shortened(text: &str, columns: usize) -> String {
    let parts = visible_parts(text);
    if parts.iter().map(|part| part.width()).sum::<usize>() <= columns {
        return isolated(parts.concat());
    }
    let digest = hex(&Sha256::digest(text));
    let head = prefix_within(parts.iter(), columns * 2 / 3);
    let tail = prefix_within(parts.iter().skip(head).rev(), columns / 3);
    let cut = parts.len() - head - tail;
    isolated(format!(
        "{}…[{cut} more, {}]…{}",
        parts.iter().take(head).cloned().collect::<String>(),
        digest.get(..12).unwrap_or_default(),
        parts.iter().skip(head + cut).cloned().collect::<String>()
    ))
}

/// U+2068 FIRST STRONG ISOLATE and U+2069 POP DIRECTIONAL ISOLATE.
const ISOLATE: char = '\u{2068}';
const END_OF_ISOLATE: char = '\u{2069}';

/// Returns text that is already visible so that what is written from right to left in it leaves the order of its surroundings alone: two
/// such names with nothing but an arrow or numbers beside them change places, and before would be read as after
/// (<https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates>). Nobody else can isolate anything, as these characters are escaped
/// wherever they come from.
fn isolated(visible: String) -> String {
    if visible.contains(is_written_from_right_to_left) {
        format!("{ISOLATE}{visible}{END_OF_ISOLATE}")
    } else {
        visible
    }
}

/// Returns the lines that a text was broken into so that what is isolated in the text is isolated on each of them: an isolate ends with
/// its line, closed or not (<https://www.unicode.org/reports/tr9/#X8>), and the next line would begin without one. The
/// room around a line stays outside.
pub(super) fn isolated_by_line(lines: Vec<String>) -> Vec<String> {
    let mut is_open = false;
    let isolate = |line: String| {
        let was_open = is_open;
        if let Some(last) = line
            .chars()
            .rfind(|c| [ISOLATE, END_OF_ISOLATE].contains(c))
        {
            is_open = last == ISOLATE;
        }
        if !was_open && !is_open {
            return line;
        }
        let text = line.trim_start_matches(' ');
        let (before, text) = line.split_at(line.len() - text.len());
        let (text, after) = text.split_at(text.trim_end_matches(' ').len());
        let opening = if was_open { "\u{2068}" } else { "" };
        let closing = if is_open { "\u{2069}" } else { "" };
        [before, opening, text, closing, after].concat()
    };
    lines.into_iter().map(isolate).collect()
}

/// Whether a character is in a block of scripts that are written from right to left (Unicode, `DerivedBidiClass`: R, AL and AN by block).
fn is_written_from_right_to_left(c: char) -> bool {
    matches!(u32::from(c), 0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
}

/// Whether every isolate in a text ends, and none is in another.
fn holds_pairs_of_isolates(text: &str) -> bool {
    let mut is_open = false;
    for c in text
        .chars()
        .filter(|c| [ISOLATE, END_OF_ISOLATE].contains(c))
    {
        if is_open == (c == ISOLATE) {
            return false;
        }
        is_open = !is_open;
    }
    !is_open
}

/// Returns text that is already visible as a code span.
pub(super) fn code_span(visible: &str) -> String {
    let holds_delimiters = visible.contains(['`', '|']);
    if visible.is_empty() {
        "<code></code>".to_owned()
    } else if holds_delimiters {
        // A pipe ends a table's cell even within a code span, and `\|` shows its backslash outside of tables.
        // Character references are never markup.
        let mut html = String::from("<code>");
        for c in visible.chars() {
            if MARKDOWN.contains(c) || c == ',' {
                let _ = write!(html, "&#{};", u32::from(c));
            } else {
                html.push(c);
            }
        }
        html + "</code>"
    } else {
        format!("`{visible}`")
    }
}

/// Returns a sentence that is already visible as Markdown: its ordinary words as they are, everything with a meaning (addresses,
/// paths, flags, mentions, links) in code spans.
pub(super) fn sentence(visible: &str) -> String {
    let mut text = String::new();
    let mut run: Vec<&str> = Vec::new();
    for (at, word) in visible.split(' ').enumerate() {
        if is_ordinary(word, at == 0) {
            flush(&mut run, &mut text);
            push_word(&mut text, word);
        } else {
            run.push(word);
        }
    }
    flush(&mut run, &mut text);
    text
}

fn flush(run: &mut Vec<&str>, text: &mut String) {
    if run.is_empty() {
        return;
    }
    let joined = run.join(" ");
    run.clear();
    let core = without_punctuation(&joined);
    // Nothing but punctuation, or something that may end in it: all of it stays together.
    let core = if core.is_empty() || core.contains('`') {
        &joined
    } else {
        core
    };
    let (before, after) = joined.split_once(core).unwrap_or_default();
    push_word(text, &[before, &code_span(core), after].concat());
}

/// Returns what stands between the punctuation of a sentence. A parenthesis belongs to the sentence unless its partner is within.
fn without_punctuation(run: &str) -> &str {
    const PUNCTUATION: [char; 5] = [',', '.', ';', ':', '?'];
    let core = run.trim_end_matches(PUNCTUATION);
    let count = |c: char| core.matches(c).count();
    let inner = match count('(').cmp(&count(')')) {
        Ordering::Greater => core.strip_prefix('('),
        Ordering::Less => core.strip_suffix(')'),
        Ordering::Equal => core
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .filter(|inner| !inner.contains(['(', ')'])),
    };
    inner.map_or(core, |inner| inner.trim_end_matches(PUNCTUATION))
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

fn is_ordinary(word: &str, is_first: bool) -> bool {
    let core = word
        .trim_start_matches('(')
        .trim_end_matches([',', '.', ';', '?', '!', ')']);
    let core = core.strip_suffix(':').unwrap_or(core);
    // `1.` opens a list, `GH-1` is a reference to an issue, and `:name:` an emoji (so a colon must end the word).
    if core.is_empty() || is_first && core.chars().all(|c| c.is_ascii_digit()) {
        return matches!(word, "·" | "–" | "—" | "→");
    }
    if core.starts_with('-') || names_something_elsewhere(core) {
        return false;
    }
    if is_time_of_day(core) {
        return true;
    }
    // Before a word, `%` is a reference to a milestone.
    let core = core.strip_suffix('%').unwrap_or(core);
    core.chars().all(|c| {
        c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '-' | '\'' | '’' | '…' | ',')
    }) || matches!(word, "·" | "–" | "—" | "→")
}

/// Whether a word is a time of day as our sentences have it: `14:02` or `14:02:59`.
fn is_time_of_day(word: &str) -> bool {
    let is_number = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=2).contains(&word.matches(':').count()) && word.split(':').all(is_number)
}

/// Whether GitHub or GitLab may make a link of a word: an issue of a tracker (`GH-1`, `ACME-12`), or a commit by its digits.
fn names_something_elsewhere(word: &str) -> bool {
    let is_issue = word.split_once('-').is_some_and(|(project, number)| {
        project.starts_with(|c: char| c.is_ascii_uppercase())
            && project
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit())
    });
    let is_issue = is_issue || word.to_ascii_lowercase().starts_with("gh-");
    let is_commit = (7..=64).contains(&word.len())
        && word.contains(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_hexdigit());
    is_issue || is_commit
}

fn prefix_within<'a>(parts: impl Iterator<Item = &'a String>, columns: usize) -> usize {
    let mut used = 0;
    parts
        .take_while(|part| {
            used += part.width();
            used <= columns
        })
        .count()
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Each character as it is shown.
fn visible_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::with_capacity(text.len());
    let mut accents = MAX_ACCENTS;
    let mut after_space = true;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if is_combining_mark(c) && !is_hidden(c) {
            accents += 1;
        } else {
            accents = 0;
        }
        let is_lone_space =
            c == ' ' && !after_space && characters.peek().is_some_and(|next| *next != ' ');
        let shown = match c {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\\' => "\\\\".to_owned(),
            ' ' if is_lone_space => " ".to_owned(),
            _ if c == ' ' || is_hidden(c) || accents > MAX_ACCENTS => {
                format!("\\u{{{:x}}}", u32::from(c))
            }
            _ => c.to_string(),
        };
        // What follows an escape or a space has no letter to stand on.
        if shown.len() > c.len_utf8() || c == ' ' {
            accents = MAX_ACCENTS;
        }
        after_space = c == ' ';
        parts.push(shown);
    }
    parts
}

/// Whether a character shows nothing, shows a gap, or changes how its neighbours are shown.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c),
            // Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties): soft hyphen, joiners, fillers, bidirectional
            // marks, overrides and isolates, variation selectors, byte order mark, tags.
            0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFF8
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
            // Interlinear annotations, and characters with an empty picture: Mongolian vowel separator is above, Braille
            // blank, musical null notehead.
            | 0xFFF9..=0xFFFB | 0x2800 | 0x1D159
            // Private use (a font decides what it shows) and noncharacters.
            | 0xE000..=0xF8FF | 0xF0000..=0x0010_FFFF | 0xFDD0..=0xFDEF)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads escaped text back, as a reader would.
    fn unescape(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match rest.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('\\') => text.push('\\'),
                Some('u') => {
                    let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                other => panic!("{other:?} is no escape"),
            }
        }
        text
    }

    #[test]
    fn what_a_terminal_obeys_is_shown_instead() {
        for (text, shown) in [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
            (
                "a\u{200b}b\u{200d}\u{feff}",
                "a\\u{200b}b\\u{200d}\\u{feff}",
            ),
            ("a\u{2028}b\u{2029}\u{85}", "a\\u{2028}b\\u{2029}\\u{85}"),
            (
                "\u{e0041}\u{fe0f}\u{ad}\u{3164}",
                "\\u{e0041}\\u{fe0f}\\u{ad}\\u{3164}",
            ),
            ("a\u{a0}b\u{3000}", "a\\u{a0}b\\u{3000}"),
            ("\\u{1b}", "\\\\u{1b}"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_in_json() {
        let name = "a\u{1b}[2K\n\u{9b}31m\u{7f}\u{202e}\u{e0041}ö😀\\";
        let shown = json(&serde_json::to_string(name).unwrap());
        assert_eq!(
            shown,
            r#""a\u001b[2K\n\u009b31m\u007f\u202e\udb40\udc41ö😀\\""#
        );
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), name);
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "Ann Low",
            "Zoë Ö. Müller-Lüdenscheidt",
            "e\u{301}\u{323}",
            "山田太郎",
            "שלום",
            "Ann 😀 👍🏽",
            "O'Hara (Ops)",
        ] {
            assert_eq!(plain(name), name);
        }
    }

    #[test]
    fn what_is_written_from_right_to_left_does_not_reorder_what_stands_beside_it() {
        let (hebrew, arabic) = (shortened("דנה אלון", 40), shortened("دانا", 40));
        assert_eq!(hebrew, "\u{2068}דנה אלון\u{2069}");
        assert_eq!(hebrew.width(), 8);
        assert_eq!(
            html(&format!("{hebrew} → {arabic}")),
            "<bdi>דנה אלון</bdi> → <bdi>دانا</bdi>"
        );
        assert!(shortened(&"דנה".repeat(40), 40).ends_with('\u{2069}'));
        assert_eq!(shortened("Dana Diaz", 40), "Dana Diaz");
    }

    #[test]
    fn nobody_else_isolates_anything() {
        assert_eq!(
            shortened("\u{2069}דנה\u{2068}", 40),
            "\u{2068}\\u{2069}דנה\\u{2068}\u{2069}"
        );
        for text in [
            "\u{2068}a",
            "\u{2069}a\u{2068}",
            "\u{2068}\u{2068}a\u{2069}\u{2069}",
        ] {
            assert!(!html(text).contains('<'), "{text:?}");
        }
    }

    #[test]
    fn spaces_cannot_forge_a_column() {
        assert_eq!(plain("a   b"), "a\\u{20}\\u{20}\\u{20}b");
        assert_eq!(plain(" a "), "\\u{20}a\\u{20}");
    }

    #[test]
    fn accents_neither_pile_up_nor_stand_on_our_own_text() {
        assert_eq!(plain("\u{301}a"), "\\u{301}a");
        let tower = format!("a{}", "\u{301}".repeat(20));
        assert_eq!(plain(&tower).matches('\u{301}').count(), MAX_ACCENTS);
    }

    #[test]
    fn different_long_texts_never_look_the_same() {
        let first = format!("{}a{}@corp.example", "x".repeat(300), "y".repeat(300));
        let second = format!("{}b{}@corp.example", "x".repeat(300), "y".repeat(300));
        let (one, other) = (shortened(&first, 60), shortened(&second, 60));
        assert_ne!(one, other);
        assert!(
            one.starts_with("xxx") && one.ends_with("@corp.example"),
            "{one}"
        );
        assert!(one.contains("…[554 more, "), "{one}");
        assert!(one.width() < 60 + 30, "{one}");
    }

    #[test]
    fn shortening_never_cuts_an_escape() {
        let text = "\u{202e}".repeat(100);
        let shown = shortened(&text, 60);
        assert_eq!(
            shown.matches("\\u{").count(),
            shown.matches("\\u{202e}").count()
        );
    }

    #[test]
    fn a_fence_is_longer_than_any_run_of_backticks() {
        assert_eq!(fence_for(["a", "b"]), "```");
        assert_eq!(fence_for(["a ``` b", "`````"]), "``````");
    }

    fn of_plain(text: &str) -> String {
        code_span(&plain(text))
    }

    #[test]
    fn code_spans_hold_no_delimiter_of_spans_or_tables() {
        assert_eq!(of_plain("ann@corp.example"), "`ann@corp.example`");
        assert_eq!(of_plain("a|b"), "<code>a&#124;b</code>");
        assert_eq!(
            of_plain("`<b>` | @all"),
            "<code>&#96;&#60;b&#62;&#96; &#124; &#64;all</code>"
        );
    }

    #[test]
    fn sentences_keep_their_words_and_fence_in_the_rest() {
        for (text, markdown) in [
            (
                "fits two accounts: 3f2a (Gil Gray), 9c1b (G. Gray)",
                "fits two accounts: 3f2a (Gil Gray), 9c1b (G. Gray)",
            ),
            ("ann@corp.example, or @all", "`ann@corp.example`, or `@all`"),
            ("say --max-removals 30", "say `--max-removals` 30"),
            (
                "1. www.evil.example #12 GH-12",
                "`1. www.evil.example #12 GH-12`",
            ),
            ("**bold** <b> :smile:", "`**bold** <b> :smile`:"),
            ("in /teams/a /b.", "in `/teams/a /b`."),
            (
                "by 20 % or 20%, not %Sprint",
                "by 20 % or 20%, not `%Sprint`",
            ),
            (
                "on 2026-11-25 see ACME-12 in a1b2c3d",
                "on 2026-11-25 see `ACME-12` in `a1b2c3d`",
            ),
            ("Ann-Marie is person-3f2a9c", "Ann-Marie is person-3f2a9c"),
            ("- a", "`-` a"),
            (
                "at most 5 (limits.removals is 5) may go",
                "at most 5 (`limits.removals` is 5) may go",
            ),
            (
                "is 5 (see limits.removals), or (a.b). And (c(d.e)) f(x) (g.h.).",
                "is 5 (see `limits.removals`), or (`a.b`). And `(c(d.e)) f(x) (g.h.)`.",
            ),
            ("so: ( and (.", "so: `(` and `(.`"),
            (
                "on 27 November 2026, 13:55 UTC, (13:55:07), 1:55 :13:55: 13:5x",
                "on 27 November 2026, 13:55 UTC, (13:55:07), `1:55 :13:55: 13:5x`",
            ),
        ] {
            assert_eq!(sentence(text), markdown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn escaping_loses_nothing(text in any::<String>()) {
            prop_assert_eq!(unescape(&plain(&text)), text);
        }

        #[test]
        fn escaped_text_is_one_line_without_anything_hidden(text in any::<String>()) {
            let shown = plain(&text);
            prop_assert!(!shown.chars().any(is_hidden), "{shown:?}");
            prop_assert!(!shown.contains("  "));
        }

        #[test]
        fn json_says_the_same_and_hides_nothing(text in any::<String>()) {
            let shown = json(&serde_json::to_string_pretty(&[&text]).unwrap());
            prop_assert!(!shown.chars().any(|c| c != '\n' && is_hidden(c)), "{shown:?}");
            prop_assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [text]);
        }

        #[test]
        fn code_spans_read_back_as_the_text(text in "[a-z`|@#<>&\\\\ *_]{0,30}") {
            let span = of_plain(&text);
            prop_assert!(!span.contains('|'));
            let inner = span.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            let read = inner.map_or_else(
                || {
                    let inner = span.strip_prefix("<code>").unwrap().strip_suffix("</code>").unwrap();
                    let mut parts = inner.split("&#");
                    let first = parts.next().unwrap_or_default().to_owned();
                    parts.fold(first, |mut read, part| {
                        let (number, rest) = part.split_once(';').unwrap();
                        read.push(char::from_u32(number.parse().unwrap()).unwrap());
                        read + rest
                    })
                },
                str::to_owned,
            );
            prop_assert_eq!(read, plain(&text));
        }
    }
}
