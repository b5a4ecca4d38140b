//! Fits a document of lists into a number of characters, whole items at a time, and says what it left out.

use std::collections::BTreeSet;

use super::words::grouped;

/// A part of the document: a list of items with what surrounds it.
#[derive(Clone, Default)]
pub(super) struct Part {
    /// What is there in any case, items or not.
    pub heading: String,
    /// What comes before the items: a table's head, a fence.
    pub opening: String,
    /// The items, each with its newlines. None is ever cut.
    pub items: Vec<String>,
    /// What comes after the items: the end of a fence.
    pub closing: String,
    /// What the items are called, if some have to be left out: "additions".
    pub noun: &'static str,
    /// Where all of them stand.
    pub kept_in: KeptIn,
    /// The part that is kept longest has the smallest number.
    pub rank: usize,
    /// Left out as a whole where not all of it fits, without a word: it says nothing that other parts do not.
    pub repeats: bool,
}

/// Where everything stands of which a document shows a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum KeptIn {
    /// The file of the plan that is shown.
    #[default]
    Plan,
    /// The file of the plan that it is held against.
    OlderPlan,
    /// Neither of the two files by itself.
    BothPlans,
    /// The report file.
    Report,
}

impl KeptIn {
    /// Returns where to look for all of them.
    fn words(self) -> &'static str {
        match self {
            Self::Plan => "the plan file has all of them",
            Self::OlderPlan => "the file of the older plan has all of them",
            Self::BothPlans => "the files of both plans tell all of them",
            Self::Report => "the report file has all of them",
        }
    }
}

/// A document that fits.
pub(super) struct Fitted {
    /// The parts in their order.
    pub text: String,
    /// Whether it is all of them.
    pub complete: bool,
    /// What the items are called that some were left out of.
    pub shortened: BTreeSet<&'static str>,
}

/// Returns the parts in at most so many characters. The items of parts with small ranks go in first; each part shows a
/// beginning of its list, and says how many items it leaves out.
///
/// What surrounds the items is always there, so it has to be small.
pub(super) fn fit(parts: &[Part], limit: usize) -> Fitted {
    let all: Vec<usize> = parts.iter().map(|part| part.items.len()).collect();
    let complete = assemble(parts, &all);
    if length(&complete) <= limit {
        return Fitted {
            text: complete,
            complete: true,
            shortened: BTreeSet::new(),
        };
    }
    let mut shown = vec![0; parts.len()];
    let mut left = limit.saturating_sub(least(parts));
    let mut order: Vec<(&Part, &mut usize)> = parts.iter().zip(&mut shown).collect();
    order.sort_by_key(|(part, _)| part.rank);
    for (part, shown) in order {
        if part.repeats {
            if let Some(rest) = left.checked_sub(whole(std::slice::from_ref(part))) {
                left = rest;
                *shown = part.items.len();
            }
            continue;
        }
        for item in &part.items {
            let Some(rest) = left.checked_sub(length(item)) else {
                break;
            };
            left = rest;
            *shown += 1;
        }
    }
    let is_shortened =
        |(part, shown): &(&Part, &usize)| !part.repeats && **shown < part.items.len();
    let shortened = parts.iter().zip(&shown).filter(is_shortened);
    Fitted {
        text: assemble(parts, &shown),
        complete: false,
        shortened: shortened.map(|(part, _)| part.noun).collect(),
    }
}

/// Returns how many characters parts take with all of their items.
pub(super) fn whole(parts: &[Part]) -> usize {
    parts
        .iter()
        .map(|part| {
            let items = part.items.iter().map(|item| length(item)).sum::<usize>();
            let ends = length(&part.opening) + length(&part.closing);
            length(&part.heading) + if items > 0 { ends + items } else { 0 }
        })
        .sum()
}

/// Returns into how many characters parts can be fitted.
pub(super) fn least(parts: &[Part]) -> usize {
    parts.iter().map(surroundings).sum()
}

/// The most that a part takes besides its items.
fn surroundings(part: &Part) -> usize {
    if part.repeats {
        return 0;
    }
    let statement = if part.items.is_empty() {
        0
    } else {
        // Of all that can be said about this many items, this is the longest.
        length(&left_out(part, part.items.len().saturating_sub(1).max(1)))
            .max(length(&left_out(part, 0)))
    };
    length(&part.heading) + length(&part.opening) + length(&part.closing) + statement
}

fn assemble(parts: &[Part], shown: &[usize]) -> String {
    let mut text = String::new();
    for (part, &shown) in parts.iter().zip(shown) {
        if part.repeats && shown == 0 {
            continue;
        }
        text.push_str(&part.heading);
        if shown > 0 {
            text.push_str(&part.opening);
            text.extend(part.items.iter().take(shown).map(String::as_str));
            text.push_str(&part.closing);
        }
        if shown < part.items.len() {
            text.push_str(&left_out(part, shown));
        }
    }
    text
}

fn left_out(part: &Part, shown: usize) -> String {
    let total = grouped(part.items.len());
    let noun = part.noun;
    let why = format!("to keep this comment short; {}", part.kept_in.words());
    if shown == 0 {
        format!("\n**None of the {noun} ({total}) is shown here, {why}.**\n")
    } else {
        let shown = grouped(shown);
        format!("\n**Only {shown} of the {total} {noun} are shown here, {why}.**\n")
    }
}

/// Characters, not bytes: that is what the limits of the services that show comments count.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> [Part; 2] {
        let list = |heading: &str, noun, rank, number| Part {
            heading: format!("# {heading}\n"),
            items: (0..number)
                .map(|at| format!("- 😀 {heading} {at}\n"))
                .collect(),
            noun,
            rank,
            ..Part::default()
        };
        [
            list("Remove", "removals", 0, 30),
            list("Add", "additions", 1, 30),
        ]
    }

    #[test]
    fn a_document_of_exactly_the_limit_is_complete() {
        let whole = length(&fit(&parts(), usize::MAX).text);
        assert!(fit(&parts(), whole + 1).complete);
        assert!(fit(&parts(), whole).complete);
        let cut = fit(&parts(), whole - 1);
        assert!(!cut.complete);
        assert!(length(&cut.text) < whole);
    }

    #[test]
    fn no_limit_is_ever_exceeded_and_no_item_is_ever_cut() {
        let parts = parts();
        let whole = length(&fit(&parts, usize::MAX).text);
        for limit in least(&parts)..=whole {
            let fitted = fit(&parts, limit);
            assert!(length(&fitted.text) <= limit, "{limit}");
            for line in fitted.text.lines().filter(|line| line.starts_with('-')) {
                let item = format!("{line}\n");
                assert!(
                    parts.iter().any(|part| part.items.contains(&item)),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn what_parts_take_is_known_before_they_are_fitted() {
        let parts = parts();
        let complete = fit(&parts, usize::MAX).text;
        assert_eq!(whole(&parts), length(&complete));
        assert!(length(&fit(&parts, 0).text) <= least(&parts));
    }

    #[test]
    fn what_is_left_out_stands_where_it_says() {
        for (kept_in, words) in [
            (KeptIn::Plan, "the plan file has all of them.**"),
            (
                KeptIn::OlderPlan,
                "the file of the older plan has all of them.**",
            ),
            (
                KeptIn::BothPlans,
                "the files of both plans tell all of them.**",
            ),
            (KeptIn::Report, "the report file has all of them.**"),
        ] {
            let parts = parts().map(|part| Part { kept_in, ..part });
            let cut = fit(&parts, least(&parts) + 100).text;
            assert_eq!(cut.matches(words).count(), 2, "{cut}");
        }
    }

    #[test]
    fn what_ranks_last_goes_first_and_is_counted() {
        let parts = parts();
        let whole = length(&fit(&parts, usize::MAX).text);
        let fitted = fit(&parts, whole - 1);
        assert!(fitted.text.contains("Remove 29\n"), "{}", fitted.text);
        let shown = fitted.text.matches("😀 Add").count();
        assert!(fitted.text.contains(&format!(
            "**Only {shown} of the 30 additions are shown here"
        )));
        let nothing = fit(&parts, 0);
        assert!(
            nothing
                .text
                .contains("**None of the removals (30) is shown here")
        );
    }
}
