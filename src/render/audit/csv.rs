//! An audit as CSV, one line for each thing that was found, for spreadsheets.

use crate::audit::Audit;

use super::{Document, List};

/// What a spreadsheet takes a cell for a formula by that begins with it, the full-width forms included, which some take for the same
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
const FORMULA: [char; 10] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r'];

const HEAD: [&str; 8] = [
    "list",
    "group",
    "look into",
    "name",
    "address",
    "account",
    "what",
    "account id",
];

/// Returns an audit as CSV (RFC 4180).
pub fn audit_csv(audit: &Audit) -> String {
    let document = Document::of(audit);
    let mut lines = vec![line(&HEAD)];
    let whole = |list: &str, group: &str, to_look_into: bool, what: &str| {
        line(&[list, group, yes(to_look_into), "", "", "", what, ""])
    };
    lines.push(whole("Answer", "", !document.in_order, &document.answer));
    for problem in &document.problems {
        let hint = problem.hint.as_deref().unwrap_or_default();
        let what = format!("{} {}. {hint}", problem.subject, problem.message);
        lines.push(whole("Problems", "", true, what.trim_end()));
    }
    for group in &document.groups {
        lines.push(whole("Group", &group.name, false, &group.facts));
        for list in &group.lists {
            lines.extend(of_list(list, &group.name));
        }
    }
    for list in &document.lists {
        lines.extend(of_list(list, ""));
    }
    for (label, fact) in &document.evidence {
        lines.push(line(&["What was read", "", "", label, "", "", fact, ""]));
    }
    lines.concat()
}

fn of_list(list: &List, group: &str) -> impl Iterator<Item = String> {
    list.rows.iter().map(move |row| {
        let [name, email, account, words] = row.cells();
        let to_look_into = yes(row.to_look_into);
        line(&[
            &list.heading,
            group,
            to_look_into,
            name,
            email,
            account,
            words,
            &row.id,
        ])
    })
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "" }
}

/// A line of the file: every field quoted, and none that a spreadsheet would take for a formula, not even one that parts fields at
/// semicolons.
fn line(fields: &[&str; 8]) -> String {
    let quoted = fields.map(|field| {
        let mut parts = field.split(';');
        let is_formula = parts.any(|part| part.trim_start().starts_with(FORMULA));
        let harmless = if is_formula { "'" } else { "" };
        let field = field
            .replace('"', "\"\"")
            .replace(';', if is_formula { ",'" } else { ";" });
        format!("\"{harmless}{field}\"")
    });
    quoted.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_signs_begin_a_formula_as_well() {
        let fields = ["＝1+1", "－1", "＠sum", "a;＝b", "＋1", "a＝b", " ＝1", ""];
        assert_eq!(
            line(&fields),
            "\"'＝1+1\",\"'－1\",\"'＠sum\",\"'a,'＝b\",\"'＋1\",\"a＝b\",\"' ＝1\",\"\"\r\n"
        );
    }

    #[test]
    fn no_field_is_a_formula_or_leaves_its_place() {
        let fields = [
            "=1+1",
            "-1",
            "@sum",
            "a \"quoted\", b",
            "",
            "+1",
            "a=b",
            "a; b;=c",
        ];
        assert_eq!(
            line(&fields),
            "\"'=1+1\",\"'-1\",\"'@sum\",\"a \"\"quoted\"\", b\",\"\",\"'+1\",\"a=b\",\"'a,' b,'=c\"\r\n"
        );
    }
}
