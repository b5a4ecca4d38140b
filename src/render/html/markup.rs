//! Markup that text from elsewhere cannot change.

use std::fmt::{self, Display, Formatter, Write};

use crate::render::escape;

/// Elements after which a line of the file ends, so that a page can be read and compared without a browser.
const LINES: [&str; 23] = [
    "blockquote",
    "body",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "footer",
    "h1",
    "h2",
    "h3",
    "li",
    "main",
    "nav",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "tr",
    "ul",
];

/// Finished markup: every element in it is closed, and every text in it is escaped. Only what stands in this program's own source is
/// ever taken for markup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::render) struct Html(String);

impl Html {
    /// Text, whatever is in it.
    pub fn text(text: &str) -> Self {
        Self(escape::html(text))
    }

    /// A name among our words. It is read in its own direction, and what stands around it in ours.
    pub fn name(name: &str) -> Self {
        Self::element("bdi", Self::text(name))
    }

    /// What is to be typed or compared character by character.
    pub fn code(code: &str) -> Self {
        Self::element("code", Self::text(code))
    }

    /// An element; the tag may have attributes, as in `p class="answer"`.
    pub fn element(tag: &'static str, content: Self) -> Self {
        Self::written(tag, "", content)
    }

    /// An element with an id of its own, which links lead to.
    pub fn anchored(tag: &'static str, anchor: Anchor, content: Self) -> Self {
        Self::written(tag, &format!(" id=\"{anchor}\""), content)
    }

    /// A link within the page.
    pub fn link(anchor: Anchor, content: Self) -> Self {
        Self::written("a", &format!(" href=\"#{anchor}\""), content)
    }

    /// An element for each of the contents, one after the other.
    pub fn each(tag: &'static str, contents: impl IntoIterator<Item = Self>) -> Self {
        let elements = contents.into_iter();
        elements
            .map(|content| Self::element(tag, content))
            .collect()
    }

    /// A list, or nothing if nothing is in it.
    pub fn list(tag: &'static str, items: Vec<Self>) -> Self {
        if items.is_empty() {
            return Self::default();
        }
        Self::element(tag, Self::each("li", items))
    }

    /// The two one after the other.
    #[must_use]
    pub fn and(mut self, next: &Self) -> Self {
        self.0.push_str(&next.0);
        self
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The markup, to be written to a file.
    pub fn into_string(self) -> String {
        self.0
    }

    fn written(tag: &'static str, attribute: &str, content: Self) -> Self {
        let name = tag.split(' ').next().unwrap_or(tag);
        let end = if LINES.contains(&name) { "\n" } else { "" };
        let mut markup = content.0;
        markup.insert_str(0, &format!("<{tag}{attribute}>"));
        let _ = write!(markup, "</{name}>{end}");
        Self(markup)
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Self>>(parts: I) -> Self {
        parts
            .into_iter()
            .fold(Self::default(), |all, part| all.and(&part))
    }
}

/// The name of a place in a page. It is made of a word of ours and a number, never of what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) struct Anchor {
    what: &'static str,
    number: Option<usize>,
}

impl Anchor {
    /// A place that there is once.
    pub const fn of(what: &'static str) -> Self {
        Self { what, number: None }
    }

    /// One of several places, by its number.
    pub const fn numbered(what: &'static str, number: usize) -> Self {
        Self {
            what,
            number: Some(number),
        }
    }
}

impl Display for Anchor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        match self.number {
            Some(number) => write!(f, "-{number}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        for (text, written) in [
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("\" onclick='x'", "&quot; onclick=&#39;x&#39;"),
            ("&lt;&#60;&amp", "&amp;lt;&amp;#60;&amp;amp"),
            ("]]> --> <!--", "]]&gt; --&gt; &lt;!--"),
            ("a\0b\u{202e}c\nd", "a\\u{0}b\\u{202e}c\\u{a}d"),
        ] {
            assert_eq!(Html::text(text).into_string(), written);
        }
    }

    #[test]
    fn an_element_closes_what_it_opens() {
        let row = Html::element("li class=\"out\"", Html::name("Ann"));
        assert_eq!(row.into_string(), "<li class=\"out\"><bdi>Ann</bdi></li>\n");
        let place = Html::anchored("h3", Anchor::numbered("group", 2), Html::default());
        assert_eq!(place.into_string(), "<h3 id=\"group-2\"></h3>\n");
        assert!(Html::list("ul", Vec::new()).is_empty());
    }
}
