//! A plan as a comment on a pull request, for GitHub and for what shows the same Markdown.
//!
//! Whatever comes from elsewhere stands in code, in spans or in fences, and never spans lines. So it can be no markup, mention nobody
//! and end no table. Removals are never collapsed and are the last to be left out.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::plan::{Plan, PlanKind, hex, is_plan_id};
use sha2::{Digest, Sha256};

use super::before_after::{DiffLine, group_diffs};
use super::escape::{code_span, fence_for, sentence};
use super::fit::{Part, fit};
use super::flags::{override_flags, shell_flag, shell_word};
use super::layout::{Columns, quoted_line};
use super::words::{
    ABOUT_TEXT, Changes, GroupLabels, PROBLEM_HEADINGS, People, ProblemHeading, ProblemWords,
    Reception, UndoWords, addition_reason, address, addresses_of_removed, again, already_so,
    blocks_with_questions, changed_first, configuration, counted, federation, field_changes,
    grouped, invited_as, invited_name, losses, name, nothing_to_do, other_members, place,
    sentence as words, time, totals, undo_words,
};

/// What a comment may hold: GitHub takes 65,536 characters and answers 422 above, and some of them belong to whoever posts it.
pub const MAX_CHARACTERS: usize = 60_000;

/// How wide a text is in a fence, where lines are not wrapped.
const FENCE: usize = 100;

/// Lists up to this long are shown open.
const OPEN: usize = 10;

/// Rows of the table of groups that are kept even where removals alone fill the comment, so that it still shows where they are.
const FIRST_GROUPS: usize = 20;

/// What removals are called where some are left out.
const REMOVALS: &str = "removals";

/// What is said at the top of a redacted page.
pub(super) const REDACTED: &str = "> [!NOTE]\n> **Redacted.** Each `person-…` stands for one person, here and wherever the same key \
     is used. With names, for whoever may read the plan file: `keycloak-to-azure show PLAN`\n\n";

/// What is said at the top of a page that leaves something out.
pub(super) const SHORTENED: &str = "> [!IMPORTANT]\n> **This comment is shortened.** Each list says what it leaves out. The plan \
     file has everything: `keycloak-to-azure show PLAN`\n\n";

/// Returns a plan as Markdown, at most [`MAX_CHARACTERS`] long. What does not fit is left out in whole lines, and the text says so.
pub fn markdown(plan: &Plan) -> String {
    page(plan, People::Named)
}

pub(super) fn page(plan: &Plan, people: People) -> String {
    within(plan, people, MAX_CHARACTERS)
}

fn within(plan: &Plan, people: People, limit: usize) -> String {
    if let Some(answer) = nothing_to_do(plan) {
        return format!("{}\n{answer}\n", marker(plan, true));
    }
    let fitted = |extent| fit(&parts(plan, people, extent), limit);
    let complete = fitted(Extent::Complete);
    if complete.complete {
        return complete.text;
    }
    // What is said of fewer removals is longer, so they do not all fit beside that either.
    let shortened = fitted(Extent::Shortened);
    if shortened.shortened.contains(REMOVALS) {
        fitted(Extent::RemovalsToo).text
    } else {
        shortened.text
    }
}

/// How much of a plan a comment shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All of it.
    Complete,
    /// Every removal, and not all of the rest.
    Shortened,
    /// Not even every removal.
    RemovalsToo,
}

fn parts(plan: &Plan, people: People, extent: Extent) -> Vec<Part> {
    let mut parts = vec![head(plan, people, extent)];
    parts.extend(overrides(plan));
    parts.extend(scope(plan));
    parts.extend(blocks(plan));
    parts.extend(problems(plan));
    parts.extend(groups(plan));
    parts.extend(removals(plan, people));
    parts.extend(invitations(plan, people));
    parts.extend(mail_text(plan, people));
    parts.extend(updates(plan, people));
    parts.extend(additions(plan, people));
    parts.extend(before_and_after(plan, people));
    if people == People::Named {
        parts.extend(who_to_tell(plan));
    }
    parts.push(foot(plan));
    parts
}

/// A hidden line by which a machine finds the comment again. Nothing in it is text from elsewhere.
fn marker(plan: &Plan, complete: bool) -> String {
    let plan_id = if is_plan_id(&plan.plan_id) {
        &plan.plan_id
    } else {
        "unknown"
    };
    let scope = plan.scope.as_ref().map_or("null".to_owned(), |mappings| {
        let groups: BTreeSet<&str> = mappings
            .iter()
            .map(|mapping| mapping.azure.id.as_str())
            .collect();
        let joined = groups.into_iter().collect::<Vec<_>>().join(" ");
        let digest = hex(&Sha256::digest(joined));
        format!("\"{}\"", digest.get(..16).unwrap_or_default())
    });
    format!(
        "<!-- keycloak-to-azure {{\"v\":1,\"plan\":\"{plan_id}\",\"tenant\":\"{}\",\"scope\":{scope},\"truncated\":{}}} -->",
        plan.target.tenant_id, !complete
    )
}

fn head(plan: &Plan, people: People, extent: Extent) -> Part {
    let changes = Changes::of(plan);
    let complete = extent == Extent::Complete;
    let mut text = marker(plan, complete) + "\n";
    let verdict = if plan.is_blocked() {
        "**blocked, cannot be applied** · "
    } else {
        ""
    };
    let _ = write!(
        text,
        "## Keycloak → Entra {}: {verdict}{}\n\n",
        match plan.kind {
            PlanKind::Sync => "plan",
            PlanKind::Undo => "undo",
        },
        totals(plan)
    );
    if plan.is_blocked() {
        let _ = write!(
            text,
            "> [!CAUTION]\n> The plan exceeds {}. It can be read, not applied.\n\n",
            counted(plan.blocks.len(), "safety limit", "safety limits")
        );
    }
    if let Some(UndoWords { run, warning }) = undo_words(plan) {
        let _ = write!(text, "> [!IMPORTANT]\n> {}. {warning}\n\n", sentence(&run));
    }
    if let Some(losses) = losses(&changes.remove) {
        let listed = match extent {
            Extent::Complete | Extent::Shortened => "Each is listed below with its reason.",
            Extent::RemovalsToo => {
                "Not all of them are listed below: the plan file has each with its reason."
            }
        };
        let _ = write!(text, "> [!WARNING]\n> {losses}. {listed}\n\n");
    }
    if people == People::Redacted {
        text.push_str(REDACTED);
    }
    if !complete {
        text.push_str(SHORTENED);
    }
    let _ = write!(
        text,
        "From Keycloak {} realm {} to Entra {} ({})\n\n{}\n",
        code_span(&place(&plan.source.url)),
        code_span(&place(&plan.source.realm)),
        code_span(&place(&plan.target.tenant_name)),
        code_span(plan.target.tenant_id.as_str()),
        match plan.kind {
            PlanKind::Sync => sentence(&federation(plan)),
            PlanKind::Undo => "Keycloak is not asked for this plan.".to_owned(),
        }
    );
    Part {
        heading: text,
        ..Part::default()
    }
}

fn overrides(plan: &Plan) -> Option<Part> {
    let items: Vec<String> = override_flags(&plan.overrides)
        .iter()
        .map(|(flag, meaning)| format!("- {}: {meaning}\n", code_span(&shell_flag(flag))))
        .collect();
    (!items.is_empty()).then(|| Part {
        heading: "\n### Set for this plan\n".to_owned(),
        opening: "\n".to_owned(),
        items,
        noun: "overrides",
        rank: 0,
        ..Part::default()
    })
}

fn scope(plan: &Plan) -> Option<Part> {
    let mappings = plan.scope.as_ref()?;
    Some(Part {
        heading: "\n### Only for some groups\n\nThe changes of all other groups are left out.\n"
            .to_owned(),
        opening: "\n".to_owned(),
        items: mappings
            .iter()
            .map(|mapping| {
                format!(
                    "- {} → {}\n",
                    code_span(&place(mapping.keycloak.as_str())),
                    code_span(&place(&mapping.azure.name))
                )
            })
            .collect(),
        noun: "chosen mappings",
        rank: 3,
        ..Part::default()
    })
}

pub(super) fn blocks(plan: &Plan) -> Option<Part> {
    let items: Vec<String> = blocks_with_questions(plan)
        .map(|(block, question)| {
            let question =
                question.map(|question| format!("  - If it is not: {}\n", sentence(question)));
            format!(
                "- **✗** {}\n  - If that is right: {} with {}\n{}",
                sentence(&words(&block.message)),
                again(plan.kind),
                code_span(&shell_flag(&block.flag)),
                question.unwrap_or_default()
            )
        })
        .collect();
    (!items.is_empty()).then(|| Part {
        heading: "\n### Blocked\n".to_owned(),
        opening: "\n".to_owned(),
        items,
        noun: "blocks",
        rank: 1,
        ..Part::default()
    })
}

pub(super) fn problems(plan: &Plan) -> Vec<Part> {
    let part = |(heading, belongs): ProblemHeading| {
        let items: Vec<String> = plan
            .problems
            .iter()
            .filter(|problem| belongs(problem.code))
            .map(|problem| {
                let problem = ProblemWords::of(problem);
                let hint = problem
                    .hint
                    .map(|hint| format!("  - What to do: {}\n", sentence(&hint)));
                format!(
                    "- {} {}\n{}",
                    code_span(&problem.subject),
                    sentence(&problem.message),
                    hint.unwrap_or_default()
                )
            })
            .collect();
        (!items.is_empty()).then(|| Part {
            heading: format!("\n### {heading}\n"),
            opening: "\n".to_owned(),
            items,
            noun: "problems",
            rank: 5,
            ..Part::default()
        })
    };
    PROBLEM_HEADINGS.into_iter().filter_map(part).collect()
}

/// The table of groups in two parts, the second of which may be left out before the removals are. Groups that change come first.
fn groups(plan: &Plan) -> Vec<Part> {
    let labels = GroupLabels::of(plan);
    let mut rows: Vec<String> = changed_first(plan)
        .iter()
        .map(|(group, (added, removed))| {
            let keycloak: Vec<String> = labels
                .keycloak_of(&group.azure.id)
                .iter()
                .map(|path| code_span(path))
                .collect();
            let others = other_members(group).map(|others| format!(" (with {others})"));
            format!(
                "| {}{} | {} | {} | {} | {} | {} |\n",
                code_span(&labels.of_group(&group.azure)),
                others.unwrap_or_default(),
                keycloak.join(", "),
                grouped(group.members_before),
                grouped(group.members_after),
                grouped(*added),
                grouped(*removed)
            )
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let rest = rows.split_off(rows.len().min(FIRST_GROUPS));
    vec![
        Part {
            heading: "\n### Groups\n\n| Azure group | Keycloak group | now | after | + | − |\n|---|---|--:|--:|--:|--:|\n"
                .to_owned(),
            items: rows,
            noun: "groups that come first",
            rank: 2,
            ..Part::default()
        },
        Part {
            items: rest,
            noun: "other groups",
            rank: 6,
            ..Part::default()
        },
    ]
}

pub(super) fn removals(plan: &Plan, people: People) -> Option<Part> {
    let labels = GroupLabels::of(plan);
    let items: Vec<String> = Changes::of(plan)
        .remove
        .iter()
        .map(|remove| {
            let name = name(remove.account.display_name.as_deref());
            let who: Vec<String> = people
                .who(name, &remove.account.email)
                .iter()
                .map(|cell| code_span(cell))
                .collect();
            format!(
                "| − | {} | {} | {} |\n",
                who.join(" | "),
                code_span(&labels.of_group(&remove.group)),
                labels.removal_reason(remove, code_span)
            )
        })
        .collect();
    (!items.is_empty()).then(|| Part {
        heading: format!("\n### Remove ({})\n", grouped(items.len())),
        opening: match people {
            People::Named => "\n| | who | address | from | why |\n|---|---|---|---|---|\n",
            People::Redacted => "\n| | who | from | why |\n|---|---|---|---|\n",
        }
        .to_owned(),
        items,
        noun: REMOVALS,
        rank: 4,
        ..Part::default()
    })
}

pub(super) fn invitations(plan: &Plan, people: People) -> Option<Part> {
    let invitations = Changes::of(plan).invite;
    let shared = Reception::shared(&invitations, people);
    let rows: Vec<Vec<String>> = invitations
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
    let about_all =
        shared.map(|shared| format!("For all of them: {}.", sentence(&shared.sentence)));
    fenced_list("Invite", "invitations", "+", &rows, about_all, 8)
}

/// The text that is given to all mails, never folded away: it speaks in the reviewers' name.
fn mail_text(plan: &Plan, people: People) -> Option<Part> {
    let shared = Reception::shared(&Changes::of(plan).invite, people)?;
    let lines = shared.text.iter();
    let items: Vec<String> = lines.map(|line| quoted_line("", line, FENCE)).collect();
    let fence = fence_for(items.iter().map(String::as_str));
    (!items.is_empty()).then(|| Part {
        heading: format!("\n{ABOUT_TEXT}\n"),
        opening: format!("\n{fence}text\n"),
        items,
        closing: format!("{fence}\n"),
        noun: "lines of the text",
        rank: 7,
        ..Part::default()
    })
}

pub(super) fn updates(plan: &Plan, people: People) -> Option<Part> {
    let rows: Vec<Vec<String>> = Changes::of(plan)
        .update
        .iter()
        .map(|update| {
            let name = name(update.account.display_name.as_deref());
            let mut row = people.who(name, &update.account.email);
            row.push(field_changes(&update.fields, people).join(", "));
            row
        })
        .collect();
    fenced_list("Update", "updates", "!", &rows, None, 9)
}

pub(super) fn additions(plan: &Plan, people: People) -> Option<Part> {
    let labels = GroupLabels::of(plan);
    let rows: Vec<Vec<String>> = Changes::of(plan)
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
    fenced_list("Add", "additions", "+", &rows, None, 10)
}

/// A list in a `diff` fence, where the symbol at the beginning of a line gives it its colour.
fn fenced_list(
    heading: &str,
    noun: &'static str,
    symbol: &str,
    rows: &[Vec<String>],
    about_all: Option<String>,
    rank: usize,
) -> Option<Part> {
    if rows.is_empty() {
        return None;
    }
    let columns = Columns::of(rows.iter().map(Vec::as_slice));
    let items: Vec<String> = rows
        .iter()
        .map(|row| format!("{symbol} {}\n", columns.line(row)))
        .collect();
    Some(details(
        &format!("{heading} ({})", grouped(items.len())),
        items.len() <= OPEN,
        "diff",
        Part {
            opening: about_all.map_or_else(String::new, |text| text + "\n\n"),
            items,
            noun,
            rank,
            ..Part::default()
        },
    ))
}

/// A list in a fence that can be folded away; the part's own opening comes before the fence.
fn details(summary: &str, open: bool, language: &str, part: Part) -> Part {
    let fence = fence_for(part.items.iter().map(String::as_str));
    let open = if open { " open" } else { "" };
    Part {
        opening: format!(
            "\n<details{open}><summary><b>{summary}</b></summary>\n\n{}{fence}{language}\n",
            part.opening
        ),
        closing: format!("{fence}\n\n</details>\n"),
        ..part
    }
}

fn before_and_after(plan: &Plan, people: People) -> Option<Part> {
    let labels = GroupLabels::of(plan);
    let mut items = Vec::new();
    for diff in group_diffs(plan) {
        let rows: Vec<Vec<String>> = diff.lines.iter().map(|line| line.who(people)).collect();
        let columns = Columns::of(rows.iter().map(Vec::as_slice));
        items.push(format!("@@ {} @@\n", diff.heading(&labels)));
        items.extend(diff.staying().map(|staying| format!("  {staying}\n")));
        items.extend(diff.lines.iter().zip(&rows).map(|(line, row)| {
            let symbol = match line {
                DiffLine::Gone(_) => '-',
                DiffLine::New(_) => '+',
            };
            format!("{symbol} {}\n", columns.line(row))
        }));
    }
    let part = Part {
        items,
        rank: 11,
        repeats: true,
        ..Part::default()
    };
    (!part.items.is_empty()).then(|| {
        details(
            "Groups that people join and leave, before and after",
            false,
            "diff",
            part,
        )
    })
}

fn who_to_tell(plan: &Plan) -> Option<Part> {
    let addresses = addresses_of_removed(&Changes::of(plan).remove);
    let part = Part {
        items: addresses
            .iter()
            .map(|email| address(email) + "\n")
            .collect(),
        noun: "addresses of the people removed",
        rank: 7,
        ..Part::default()
    };
    (!part.items.is_empty()).then(|| {
        details(
            &format!(
                "Who to tell: the addresses of the people removed ({})",
                grouped(addresses.len())
            ),
            false,
            "text",
            part,
        )
    })
}

fn foot(plan: &Plan) -> Part {
    let mut text = format!(
        "\n---\n\nPlan {} · made on {} by keycloak-to-azure {} · configuration {} · {}\n",
        code_span(&place(&plan.plan_id)),
        time(plan.created_at),
        code_span(&place(&plan.tool_version)),
        code_span(&configuration(plan)),
        already_so(plan)
    );
    if !plan.is_blocked() && !plan.changes.is_empty() {
        let command = format!(
            "keycloak-to-azure apply PLAN --plan-id {}",
            shell_word(&plan.plan_id)
        );
        let _ = write!(
            text,
            "\nTo carry out this plan and no other: {}\n",
            code_span(&command)
        );
    }
    Part {
        heading: text,
        ..Part::default()
    }
}
