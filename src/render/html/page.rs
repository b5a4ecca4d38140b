//! The frame of every page: what a browser has to know, the answer, the way around, and the sections.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::render::words::grouped;

use super::markup::{Anchor, Html};

/// The style sheet, with the ends of lines that a browser makes of all others before it compares its digest.
static STYLE: LazyLock<String> = LazyLock::new(|| include_str!("style.css").replace('\r', ""));

/// Where the first link of a page leads: past the answer and the links, to the sections.
const CONTENT: Anchor = Anchor::of("content");

/// Changes, or whatever else a page lists, up to which nothing is folded away.
pub(super) const OPEN: usize = 100;

/// A page.
#[derive(Debug)]
pub(in crate::render) struct Page {
    /// What it is called in a tab or a list of files; nothing in it is from elsewhere.
    pub title: String,
    /// What it is and what it says, in short: its heading, the answer, and what to know before anything else.
    pub head: Html,
    /// The rest.
    pub sections: Vec<Section>,
    /// What stands at its end.
    pub foot: Html,
}

/// A section of a page. Without a body it is left out.
#[derive(Debug)]
pub(in crate::render) struct Section {
    /// Where links to it lead.
    pub anchor: Anchor,
    /// What the link to it says.
    pub link: String,
    /// What it is about.
    pub kind: Kind,
    /// Its heading.
    pub heading: String,
    /// How many entries its list has, if it is one.
    pub count: Option<usize>,
    /// What is in it.
    pub body: Html,
}

/// What a section is about, which is said by its heading and stressed by a colour and a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Kind {
    /// What goes, and what failed.
    Out,
    /// What comes.
    In,
    /// What changes.
    Change,
    /// What somebody should look at.
    Warning,
    /// Anything else.
    Plain,
}

impl Page {
    /// Returns the page, ready to be written to a file.
    pub fn into_string(self) -> String {
        let skip = Html::element(
            "p class=\"skip\"",
            Html::link(CONTENT, Html::text("Skip the links and go to the content")),
        );
        let sections: Vec<Section> = self
            .sections
            .into_iter()
            .filter(|section| !section.body.is_empty())
            .collect();
        let links = contents(&sections);
        let sections: Html = sections.into_iter().map(Section::into_html).collect();
        let content = Html::anchored("div tabindex=\"-1\"", CONTENT, sections);
        let content = self.head.and(&links).and(&content);
        let foot = Some(self.foot).filter(|foot| !foot.is_empty());
        let body = skip
            .and(&Html::element("main", content))
            .and(&Html::each("footer", foot));
        let title = Html::element("title", Html::text(&self.title)).into_string();
        let body = Html::element("body", body).into_string();
        format!(
            "<!DOCTYPE html>\n\
             <html lang=\"en\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             {title}\n\
             <style>{}</style>\n\
             </head>\n\
             {body}</html>\n",
            policy(),
            *STYLE
        )
    }
}

/// Nothing may be fetched or run, and the only style is the one in the page.
fn policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
}

/// The links to the sections, which tell how much there is of what.
fn contents(sections: &[Section]) -> Html {
    let entries = sections.iter().map(|section| {
        let count = section.count.map_or_else(Html::default, |count| {
            Html::text(" ").and(&Html::element("b", Html::text(&grouped(count))))
        });
        let label = Html::text(&section.link).and(&count);
        Html::element(section.kind.item(), Html::link(section.anchor, label))
    });
    let entries: Html = entries.collect();
    if sections.len() < 2 {
        return Html::default();
    }
    Html::element(
        "nav aria-label=\"On this page\"",
        Html::element("ul", entries),
    )
}

impl Section {
    /// The section as a part of another one: its heading is one lower, and no link leads to it.
    pub fn into_part(self) -> Html {
        if self.body.is_empty() {
            return self.body;
        }
        let heading = Html::element("h3", Html::text(&self.counted_heading()));
        Html::element("section", heading.and(&self.body))
    }

    fn into_html(self) -> Html {
        let heading = Html::text(&self.counted_heading());
        let heading = Html::anchored("h2", self.anchor, heading);
        Html::element(self.kind.section(), heading.and(&self.body))
    }

    fn counted_heading(&self) -> String {
        match self.count {
            Some(count) => format!("{} ({})", self.heading, grouped(count)),
            None => self.heading.clone(),
        }
    }
}

impl Kind {
    fn section(self) -> &'static str {
        match self {
            Self::Out => "section class=\"out\"",
            Self::In => "section class=\"in\"",
            Self::Change => "section class=\"change\"",
            Self::Warning => "section class=\"warning\"",
            Self::Plain => "section",
        }
    }

    /// The tag of an entry of a list.
    pub fn item(self) -> &'static str {
        match self {
            Self::Out => "li class=\"out\"",
            Self::In => "li class=\"in\"",
            Self::Change => "li class=\"change\"",
            Self::Warning => "li class=\"warning\"",
            Self::Plain => "li",
        }
    }

    /// The tag of a row of a table.
    pub fn row(self) -> &'static str {
        match self {
            Self::Out => "tr class=\"out\"",
            Self::In => "tr class=\"in\"",
            Self::Change => "tr class=\"change\"",
            Self::Warning => "tr class=\"warning\"",
            Self::Plain => "tr",
        }
    }

    /// The tag of a paragraph that is not to be overlooked.
    pub fn notice(self) -> &'static str {
        match self {
            Self::Out => "p class=\"notice out\"",
            Self::In => "p class=\"notice in\"",
            Self::Change => "p class=\"notice change\"",
            Self::Warning => "p class=\"notice warning\"",
            Self::Plain => "p class=\"notice\"",
        }
    }
}

/// Facts, each with what it is called.
pub(in crate::render) fn facts(rows: Vec<(&'static str, Html)>) -> Html {
    let rows = rows.into_iter().map(|(name, fact)| {
        let name = Html::element("dt", Html::text(name));
        Html::element("div", name.and(&Html::element("dd", fact)))
    });
    Html::element("dl", rows.collect())
}

/// What can be folded away: only what says again what stands open elsewhere, for not every program that prints unfolds it.
pub(in crate::render) fn folded(summary: Html, content: &Html) -> Html {
    Html::element("details", Html::element("summary", summary).and(content))
}
