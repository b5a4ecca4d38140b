//! A comparison as a comment on a pull request, in the same Markdown as plans.

use std::fmt::Write;

use crate::compare::Comparison;
use crate::plan::{Change, Plan};

use super::super::escape::{code_span, sentence};
use super::super::fit::{KeptIn, Part, fit};
use super::super::markdown::{
    MAX_CHARACTERS, REDACTED, additions, blocks, invitations, problems, removals, updates,
};
use super::super::words::{People, ProblemWords, grouped, place, sentence as words, time};
use super::details::{
    Labels, ThenAndNow, block_details, change_details, group_words, problem_details, removals_first,
};
use super::settings::{Otherwise, settings};
use super::{
    BLOCK, CAME, DIFFERS, GROUPS, HEADING, OTHERWISE, WENT, answer, same_plan, verdict, warnings,
};

/// What went is left out before anything that came or differs is.
const AFTER_ALL_ELSE: usize = 20;

/// What is said at the top of a comparison that leaves something out. No file has all of it.
const SHORTENED: &str = "> [!IMPORTANT]\n> **This comment is shortened.** Each list says what it leaves out. As text, nothing is left \
     out: `keycloak-to-azure show PLAN --against OLDER`\n\n";

pub fn page(comparison: &Comparison, people: People) -> String {
    within(comparison, people, MAX_CHARACTERS)
}

fn within(comparison: &Comparison, people: People, limit: usize) -> String {
    if let Some(answer) = same_plan(comparison) {
        return sentence(&answer) + "\n";
    }
    let fitted = fit(&parts(comparison, people, true), limit);
    if fitted.complete {
        fitted.text
    } else {
        fit(&parts(comparison, people, false), limit).text
    }
}

fn parts(comparison: &Comparison, people: People, complete: bool) -> Vec<Part> {
    let labels = Labels::of(comparison);
    let mut parts = vec![head(comparison, people, complete)];
    parts.extend(otherwise(comparison));
    let came: Vec<Part> = blocks(&comparison.came)
        .into_iter()
        .chain(of_plan(&comparison.came, people))
        .collect();
    parts.extend(side(&format!("Came: {CAME}"), came));
    let went: Vec<Part> = blocks_that_went(&comparison.went)
        .into_iter()
        .chain(of_plan(&comparison.went, people))
        .map(|part| Part {
            rank: part.rank + AFTER_ALL_ELSE,
            kept_in: KeptIn::OlderPlan,
            ..part
        })
        .collect();
    parts.extend(side(&format!("Went: {WENT}"), went));
    parts.extend(differing(comparison, &labels, people));
    parts.extend(groups(comparison, &labels));
    parts
}

fn head(comparison: &Comparison, people: People, complete: bool) -> Part {
    let verdict = verdict(comparison).map_or(String::new(), |words| format!("**{words}** · "));
    let mut text = format!("## {HEADING}: {verdict}{}\n\n", answer(comparison));
    for warning in warnings(comparison) {
        let _ = write!(text, "> [!CAUTION]\n> {}\n\n", sentence(&warning));
    }
    if people == People::Redacted {
        text.push_str(REDACTED);
    }
    if !complete {
        text.push_str(SHORTENED);
    }
    for (label, plan) in [
        ("This plan", &comparison.came),
        ("The older one", &comparison.went),
    ] {
        let _ = writeln!(
            text,
            "- {label}: {}, made on {}",
            code_span(&place(&plan.plan_id)),
            time(plan.created_at)
        );
    }
    Part {
        heading: text,
        ..Part::default()
    }
}

fn otherwise(comparison: &Comparison) -> Option<Part> {
    list(
        &format!("\n### {OTHERWISE}\n"),
        settings(comparison)
            .iter()
            .map(|setting| format!("- {}\n", sentence(&Otherwise::words(setting))))
            .collect(),
        "settings",
        0,
    )
}

/// A list of what both plans have to be read for.
fn list(heading: &str, items: Vec<String>, noun: &'static str, rank: usize) -> Option<Part> {
    (!items.is_empty()).then(|| Part {
        heading: heading.to_owned(),
        opening: "\n".to_owned(),
        items,
        noun,
        kept_in: KeptIn::BothPlans,
        rank,
        ..Part::default()
    })
}

/// The changes and problems of a plan, as its page shows them.
fn of_plan(plan: &Plan, people: People) -> Vec<Part> {
    let mut parts = Vec::new();
    parts.extend(removals(plan, people));
    parts.extend(invitations(plan, people));
    parts.extend(updates(plan, people));
    parts.extend(additions(plan, people));
    parts.extend(problems(plan));
    parts
}

/// Parts below a heading of their own.
fn side(heading: &str, parts: Vec<Part>) -> Vec<Part> {
    if parts.is_empty() {
        return parts;
    }
    let above = Part {
        heading: format!("\n### {heading}\n"),
        ..Part::default()
    };
    let below = parts.into_iter().map(|part| Part {
        heading: part.heading.replacen("\n### ", "\n#### ", 1),
        ..part
    });
    std::iter::once(above).chain(below).collect()
}

/// Nobody needs to know how to lift these.
fn blocks_that_went(plan: &Plan) -> Option<Part> {
    list(
        "\n### Blocked\n",
        plan.blocks
            .iter()
            .map(|block| format!("- **✗** {}\n", sentence(&words(&block.message))))
            .collect(),
        "blocks",
        1,
    )
}

fn differing(comparison: &Comparison, labels: &Labels<'_>, people: People) -> Vec<Part> {
    let blocks = comparison.blocks.iter().map(|block| {
        let details = details(&block_details(block));
        format!("- **✗** {BLOCK}\n{details}")
    });
    let changes = removals_first(comparison).into_iter().map(|differing| {
        let symbol = match differing.newer {
            Change::Remove(_) => "−",
            Change::Update(_) => "~",
            Change::Invite(_) | Change::Add(_) => "+",
        };
        let cells = labels.subject(&differing.newer, people);
        let cells: Vec<String> = cells.iter().map(|cell| code_span(cell)).collect();
        let details = details(&change_details(differing, labels, people));
        format!("- {} {}\n{details}", code_span(symbol), cells.join(" "))
    });
    let problems = comparison.problems.iter().map(|problem| {
        let subject = ProblemWords::of(&problem.newer).subject;
        let details = details(&problem_details(problem));
        format!("- **!** {}\n{details}", code_span(&subject))
    });
    let (blocks, changes, problems): (Vec<_>, Vec<_>, Vec<_>) =
        (blocks.collect(), changes.collect(), problems.collect());
    let title =
        |what: &str, items: &[String]| format!("\n#### {what} ({})\n", grouped(items.len()));
    let parts = [
        list(&title("Blocks", &blocks), blocks, "blocks that differ", 1),
        list(
            &title("Changes", &changes),
            changes,
            "changes that differ",
            12,
        ),
        list(
            &title("Problems", &problems),
            problems,
            "problems that differ",
            13,
        ),
    ];
    side(
        &format!("Differs: {DIFFERS}"),
        parts.into_iter().flatten().collect(),
    )
}

fn details(details: &[ThenAndNow]) -> String {
    let mut text = String::new();
    for (when, words) in details.iter().flat_map(ThenAndNow::lines) {
        let _ = writeln!(text, "  - {when}: {}", sentence(words));
    }
    text
}

fn groups(comparison: &Comparison, labels: &Labels<'_>) -> Option<Part> {
    list(
        &format!("\n### Groups {GROUPS}\n"),
        comparison
            .groups()
            .iter()
            .map(|difference| {
                let (group, words) = group_words(difference, labels);
                format!("- {}: {}\n", code_span(&group), sentence(&words))
            })
            .collect(),
        "groups that differ",
        14,
    )
}
