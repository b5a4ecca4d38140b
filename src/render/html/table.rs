//! Tables that a screen reader can walk through, and that become a list of lines where there is no room for columns.

use super::markup::Html;

/// A table in the making.
#[derive(Debug)]
pub(in crate::render) struct Table {
    opening: &'static str,
    caption: Html,
    headings: Vec<&'static str>,
    rows: Vec<Html>,
}

impl Table {
    /// A table without rows. Its opening tag is `table class="…"`, with the class by which the style sheet knows its columns, and its
    /// caption says what the rows have in common.
    pub fn new(opening: &'static str, caption: &str, headings: &[&'static str]) -> Self {
        Self {
            opening,
            caption: Html::text(caption),
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Its first cell is what the others are about.
    pub fn row(&mut self, cells: Vec<Html>) {
        self.row_of("tr", cells);
    }

    /// The same with the row's own opening tag: `tr class="out"`.
    pub fn row_of(&mut self, opening: &'static str, cells: Vec<Html>) {
        let mut cells = cells.into_iter();
        let subject = cells.next().unwrap_or_default();
        let row = Html::element("th scope=\"row\"", subject).and(&Html::each("td", cells));
        self.rows.push(Html::element(opening, row));
    }

    /// The table, or nothing if it has no rows.
    pub fn into_html(self) -> Html {
        if self.rows.is_empty() {
            return Html::default();
        }
        let headings = self.headings.into_iter().map(Html::text);
        let headings = Html::each("th scope=\"col\"", headings);
        let rows = self.rows.into_iter().collect();
        let table = Html::element("caption", self.caption)
            .and(&Html::element("thead", Html::element("tr", headings)))
            .and(&Html::element("tbody", rows));
        Html::element(self.opening, table)
    }
}
