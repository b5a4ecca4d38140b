//! A plan for a terminal: the answer first, then what keeps it from being applied, what it leaves out, and every change.
//! Lists are complete, however long.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, Table, presets,
};
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::plan::{Plan, PlanKind, movements};

use super::Style;
use super::before_after::{DiffLine, group_diffs};
use super::escape::{isolated_by_line, plain};
use super::flags::{lifting_command, override_flags, shell_flag, shell_word};
use super::layout::{Columns, hanging, hanging_marked, hanging_named, quoted_line};
use super::words::{
    ABOUT_TEXT, Changes, GroupLabels, PROBLEM_HEADINGS, People, ProblemWords, Reception, UndoWords,
    addition_reason, again, blocks_with_questions, counted, federation, field_changes, grouped,
    invited_as, invited_name, listed, name, nothing_to_do, place, sentence, totals, undo_words,
};

/// What a redacted plan says of itself, before the command that shows the names.
pub(super) const REDACTED: &str =
    "each person-… stands for one person. With names, for whoever may read the plan file:";

/// Returns a plan as text for a terminal.
pub fn text(plan: &Plan, style: &Style) -> String {
    page(plan, People::Named, *style)
}

pub(super) fn page(plan: &Plan, people: People, style: Style) -> String {
    if let Some(answer) = nothing_to_do(plan) {
        return answer + "\n";
    }
    let parts = [
        head(plan, people, style),
        blocks(plan, style),
        problems(plan, style),
        directories(plan, style),
        group_table(plan, style),
        removals(plan, people, style),
        invitations(plan, people, style),
        updates(plan, people, style),
        additions(plan, people, style),
        before_and_after(plan, people, style),
    ];
    let written: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    written.join("\n")
}

/// Returns what to do with a plan that was written to a file: have it reviewed, carry it out. `flags` are those that lead apply to
/// the same directories, `review` those that show the plan in the same way.
pub fn next_steps(plan_path: &str, plan: &Plan, flags: &[&str], review: &[&str]) -> String {
    let (path, id) = (shell_word(plan_path), shell_word(&plan.plan_id));
    let joined = |flags: &[&str]| -> String {
        flags
            .iter()
            .flat_map(|flag| [" ".to_owned(), shell_word(flag)])
            .collect()
    };
    let (flags, as_here) = (joined(flags), joined(review));
    let mut steps = format!(
        "Written to {}, {}\n",
        plain(plan_path),
        plain(&plan.plan_id)
    );
    let review = format!("keycloak-to-azure show {path} --format markdown{as_here}\n");
    if plan.is_blocked() {
        let command = lifting_command(plan);
        let _ = writeln!(
            steps,
            "It cannot be applied. To have it read:   {}",
            review.trim_end()
        );
        let _ = writeln!(
            steps,
            "To lift what blocks it:                  {command}{as_here}{flags}"
        );
    } else if !plan.changes.is_empty() {
        steps.push_str("To have it reviewed:   ");
        steps.push_str(&review);
        let _ = writeln!(
            steps,
            "To carry it out:       keycloak-to-azure apply {path} --plan-id {id}{flags}"
        );
    }
    steps
}

/// Returns why a blocked plan is not applied: the limits that it exceeds.
pub fn refusal_of_blocked(plan: &Plan, style: &Style) -> String {
    let verdict = style.red("refused: the plan is blocked by a safety limit, and nothing was done");
    format!("{verdict}\n{}", blocks(plan, *style))
}

fn head(plan: &Plan, people: People, style: Style) -> String {
    let answer = totals(plan);
    let mut head = if plan.is_blocked() {
        format!(
            "{}{}\n",
            style.bold(&format!("{answer} · ")),
            style.red("blocked: cannot be applied")
        )
    } else {
        style.bold(&answer) + "\n"
    };
    head.push_str(&redaction(people, style));
    if let Some(UndoWords { run, warning }) = undo_words(plan) {
        let lines = hanging_named("Undo: ", &format!("{run}."), style.width);
        head.push_str(&style.lines(&lines, Style::yellow));
        head.push_str(&style.lines(&hanging("      ", warning, style.width), Style::yellow));
    }
    for (flag, meaning) in override_flags(&plan.overrides) {
        let line = format!("{} ({meaning})", shell_flag(&flag));
        let lines = hanging_named("Set for this plan: ", &line, style.width);
        head.push_str(&style.lines(&lines, Style::yellow));
    }
    if let Some(scope) = &plan.scope {
        let mappings: Vec<String> = scope
            .iter()
            .map(|mapping| {
                format!(
                    "{} → {}",
                    place(mapping.keycloak.as_str()),
                    place(&mapping.azure.name)
                )
            })
            .collect();
        let line = format!(
            "{}. The changes of all other groups are left out.",
            listed(&mappings, "and")
        );
        let lines = hanging_named("Only for some groups: ", &line, style.width);
        head.push_str(&style.lines(&lines, Style::yellow));
    }
    head
}

/// Returns what is said at the top of a redacted page.
pub(super) fn redaction(people: People, style: Style) -> String {
    match people {
        People::Named => String::new(),
        People::Redacted => redaction_note(REDACTED, "keycloak-to-azure show PLAN", style),
    }
}

/// Says that people are tokens, and which command says who they are.
pub(super) fn redaction_note(words: &str, command: &str, style: Style) -> String {
    let lines = hanging("Redacted: ", words, style.width);
    format!(
        "{}          {command}\n",
        style.lines(&lines, Style::yellow)
    )
}

/// Returns the limits that a plan exceeds, with how to go on.
pub(super) fn blocks(plan: &Plan, style: Style) -> String {
    let mut text = String::new();
    for (block, question) in blocks_with_questions(plan) {
        let message = hanging_named("x ", &sentence(&block.message), style.width);
        text.push_str(&style.lines(&message, Style::red));
        // A command that is to be copied stays on one line.
        let _ = writeln!(
            text,
            "  If that is right:  {} with {}",
            again(plan.kind),
            shell_flag(&block.flag)
        );
        if let Some(question) = question {
            text.push_str(&hanging("  If it is not:      ", question, style.width));
        }
    }
    text
}

pub(super) fn problems(plan: &Plan, style: Style) -> String {
    let mut text = String::new();
    for (heading, belongs) in PROBLEM_HEADINGS {
        let mut problems = plan
            .problems
            .iter()
            .filter(|problem| belongs(problem.code))
            .peekable();
        if problems.peek().is_some() {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            let _ = writeln!(text, "{}", style.bold(heading));
        }
        for problem in problems {
            let ProblemWords {
                subject,
                message,
                hint,
            } = ProblemWords::of(problem);
            // Marked, so that a long name cannot be wrapped into something that looks like a hint.
            let line = format!("{subject} {message}");
            let block = hanging_marked("  ! ", "    | ", &line, style.width);
            text.push_str(&style.lines(&block, Style::yellow));
            if let Some(hint) = hint {
                text.push_str(&hanging_named("    ", &hint, style.width));
            }
        }
    }
    text
}

/// Which directories these are, and what is known of where people come from.
fn directories(plan: &Plan, style: Style) -> String {
    let from = format!(
        "{} realm {}. {}",
        place(&plan.source.url),
        place(&plan.source.realm),
        match plan.kind {
            PlanKind::Sync => federation(plan),
            PlanKind::Undo => "It is not asked for this plan.".to_owned(),
        }
    );
    let to = format!(
        "{} (tenant {})",
        place(&plan.target.tenant_name),
        plan.target.tenant_id
    );
    hanging_named("Keycloak  ", &from, style.width) + &hanging_named("Entra     ", &to, style.width)
}

fn group_table(plan: &Plan, style: Style) -> String {
    if plan.groups.is_empty() {
        return String::new();
    }
    let labels = GroupLabels::of(plan);
    let mut table = Table::new();
    table
        .load_style(
            presets::NOTHING
                .header_lines(ContentLineStyle::none().junction(BETWEEN_CELLS))
                .content_lines(ContentLineStyle::none().junction(BETWEEN_CELLS)),
        )
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(style.width).unwrap_or(u16::MAX))
        .set_header(["Azure group", "Keycloak group", "now", "after", "+", "-"]);
    let movements = movements(&plan.changes);
    for group in &plan.groups {
        let (added, removed) = movements.get(&group.azure.id).copied().unwrap_or_default();
        table.add_row([
            labels.of_group(&group.azure),
            labels.keycloak_of(&group.azure.id).join(", "),
            grouped(group.members_before),
            grouped(group.members_after),
            grouped(added),
            grouped(removed),
        ]);
    }
    for column in table.column_iter_mut().take(5) {
        column.set_padding((1, 0));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    let mut text = String::new();
    let lines = lines_of(&table);
    let width = |line: &str| UnicodeWidthStr::width(line.trim_end());
    let full = lines.iter().map(|line| width(line)).max();
    for (at, line) in lines.iter().enumerate() {
        let goes_on = Some(width(line)) < full;
        let line = line.trim_end();
        let _ = match line.strip_prefix(' ') {
            _ if at == 0 => writeln!(text, "{}", style.bold(line)),
            // Without a number at its end: a name that was wrapped, and no group of its own.
            Some(rest) if goes_on => writeln!(text, "|{rest}"),
            _ => writeln!(text, "{line}"),
        };
    }
    for group in plan.groups.iter().filter(|group| group.other_members > 0) {
        let line = format!(
            "{} also has {} never touched",
            labels.of_group(&group.azure),
            counted(
                group.other_members,
                "member that is not a user and is",
                "members that are not users and are"
            )
        );
        text.push_str(&hanging_named("  ", &line, style.width));
    }
    text
}

/// Stands between the cells of a table while they are laid out, and is a space in the end. Nothing that is escaped holds it.
const BETWEEN_CELLS: char = '\u{1f}';

/// Returns the lines of a table, whose cells may have been wrapped.
fn lines_of(table: &Table) -> Vec<String> {
    let mut columns: Vec<Vec<String>> = Vec::new();
    for line in table.lines() {
        for (at, cell) in line.split(BETWEEN_CELLS).enumerate() {
            if at == columns.len() {
                columns.push(Vec::new());
            }
            columns[at].push(cell.to_owned());
        }
    }
    let mut lines = vec![String::new(); columns.first().map_or(0, Vec::len)];
    for (at, column) in columns.into_iter().enumerate() {
        for (line, cell) in lines.iter_mut().zip(isolated_by_line(column)) {
            if at > 0 {
                line.push(' ');
            }
            line.push_str(&cell);
        }
    }
    lines
}

pub(super) fn removals(plan: &Plan, people: People, style: Style) -> String {
    let labels = GroupLabels::of(plan);
    let rows = Changes::of(plan)
        .remove
        .iter()
        .map(|remove| {
            let name = name(remove.account.display_name.as_deref());
            let mut row = people.who(name, &remove.account.email);
            row.push(format!("from {}", labels.of_group(&remove.group)));
            row.push(labels.removal_reason(remove, str::to_owned));
            row
        })
        .collect();
    section("Remove", "- ", rows, people, style, Style::red)
}

pub(super) fn invitations(plan: &Plan, people: People, style: Style) -> String {
    let invitations = Changes::of(plan).invite;
    let shared = Reception::shared(&invitations, people);
    let rows = invitations
        .iter()
        .map(|invite| {
            let mut row = people.who(invited_name(invite), invite.email.as_str());
            row.push(invited_as(invite));
            if shared.is_none() {
                row.push(Reception::of(invite, people).in_one_line());
            }
            row
        })
        .collect();
    let mut text = section("Invite", "+ ", rows, people, style, Style::green);
    if let Some(Reception {
        sentence,
        text: mail,
    }) = shared
    {
        let lines = hanging_named("    ", &sentence, style.width);
        text.push_str(&style.lines(&lines, Style::dim));
        text.push_str(&mail_text(&mail, style));
    }
    text
}

/// The text that is given to mails.
fn mail_text(lines: &[String], style: Style) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = style.lines(&hanging("    ", ABOUT_TEXT, style.width), Style::dim);
    let quoted = |line: &String| quoted_line("    ", line, style.width);
    text.extend(lines.iter().map(quoted));
    text
}

pub(super) fn updates(plan: &Plan, people: People, style: Style) -> String {
    let rows = Changes::of(plan)
        .update
        .iter()
        .map(|update| {
            let name = name(update.account.display_name.as_deref());
            let mut row = people.who(name, &update.account.email);
            row.push(field_changes(&update.fields, people).join(", "));
            row
        })
        .collect();
    section("Update", "~ ", rows, people, style, Style::yellow)
}

pub(super) fn additions(plan: &Plan, people: People, style: Style) -> String {
    let labels = GroupLabels::of(plan);
    let rows = Changes::of(plan)
        .add
        .iter()
        .map(|add| {
            let name = name(add.account.display_name.as_deref());
            let mut row = people.who(name, add.account.email.as_str());
            row.push(format!("to {}", labels.of_group(&add.group)));
            row.push(addition_reason(add));
            row
        })
        .collect();
    section("Add", "+ ", rows, people, style, Style::green)
}

fn section(
    heading: &str,
    symbol: &str,
    rows: Vec<Vec<String>>,
    people: People,
    style: Style,
    paint: fn(Style, &str) -> String,
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let columns = Columns::of(rows.iter().map(Vec::as_slice));
    let widest = rows
        .iter()
        .map(|row| UnicodeWidthStr::width(columns.line(row).as_str()))
        .max();
    let stacked = 4 + widest.unwrap_or(0) > style.width;
    let mut text = style.bold(heading) + "\n";
    for row in rows {
        let line = columns.line(&row);
        if !stacked {
            let _ = writeln!(text, "  {}", paint(style, &format!("{symbol}{line}")));
            continue;
        }
        let (who, what) = row.split_at(row.len().min(people.cells()));
        let who = columns.line(who);
        let who = hanging_named(&format!("  {symbol}"), &who, style.width);
        text.push_str(&style.lines(&who, paint));
        text.push_str(&hanging_named("      ", &what.join(", "), style.width));
    }
    text
}

fn before_and_after(plan: &Plan, people: People, style: Style) -> String {
    let labels = GroupLabels::of(plan);
    let mut shown = String::new();
    for diff in group_diffs(plan) {
        if shown.is_empty() {
            shown.push_str(&style.bold("Groups that people join and leave, before and after"));
            shown.push('\n');
        }
        let heading = format!("{} @@", diff.heading(&labels));
        shown.push_str(&hanging_named("  @@ ", &heading, style.width));
        if let Some(staying) = diff.staying() {
            let _ = writeln!(shown, "    {staying}");
        }
        let rows: Vec<Vec<String>> = diff.lines.iter().map(|line| line.who(people)).collect();
        let columns = Columns::of(rows.iter().map(Vec::as_slice));
        for (line, row) in diff.lines.iter().zip(&rows) {
            let (symbol, paint): (_, fn(Style, &str) -> String) = match line {
                DiffLine::Gone(_) => ("  - ", Style::red),
                DiffLine::New(_) => ("  + ", Style::green),
            };
            let line = hanging_named(symbol, &columns.line(row), style.width);
            shown.push_str(&style.lines(&line, paint));
        }
    }
    shown
}
