//! The limits and the problems that came, that differ and that went.

use crate::compare::{Comparison, Differing};
use crate::plan::Block;
use crate::render::comparison::BLOCK;
use crate::render::comparison::details::{block_details, problem_details};
use crate::render::html::markup::{Anchor, Html};
use crate::render::html::page::{Kind, Section};
use crate::render::html::plan;
use crate::render::words::{ProblemWords, sentence};

use super::{parts, then_and_now};

/// Returns the limits that one of the plans exceeds, or both and not in the same way.
pub(super) fn blocks(comparison: &Comparison) -> [Section; 3] {
    let Comparison {
        came, went, blocks, ..
    } = comparison;
    let differing = |block: &Differing<Block>| {
        let details = then_and_now(&block_details(block));
        Html::text(BLOCK).and(&details)
    };
    let differing = blocks.iter().map(differing).collect();
    // Nobody needs to know how to lift these.
    let gone = went.blocks.iter();
    let gone = gone.map(|block| Html::text(&sentence(&block.message)));
    [
        part_of(
            ("blocks-came", "Blocks that came"),
            Kind::Out,
            came.blocks.len(),
            plan::blocks(came),
        ),
        part_of(
            ("blocks-differ", "Blocks that differ"),
            Kind::Out,
            blocks.len(),
            Html::list("ul class=\"blocks\"", differing),
        ),
        part_of(
            ("blocks-went", "Blocks that went"),
            Kind::Plain,
            went.blocks.len(),
            Html::list("ul", gone.collect()),
        ),
    ]
}

/// Returns the problems that one of the plans has, or both and not the same.
pub(super) fn problems(comparison: &Comparison) -> [Section; 3] {
    let Comparison {
        came,
        went,
        problems,
        ..
    } = comparison;
    let differing = problems.iter().map(|problem| {
        let subject = ProblemWords::of(&problem.newer).subject;
        let details = then_and_now(&problem_details(problem));
        Html::element("strong", Html::name(&subject)).and(&details)
    });
    [
        part_of(
            ("problems-came", "Problems that came"),
            Kind::Warning,
            came.problems.len(),
            parts(plan::problems(came)),
        ),
        part_of(
            ("problems-differ", "Problems that differ"),
            Kind::Warning,
            problems.len(),
            Html::list("ul class=\"problems\"", differing.collect()),
        ),
        part_of(
            ("problems-went", "Problems that went"),
            Kind::Plain,
            went.problems.len(),
            parts(plan::problems(went)),
        ),
    ]
}

/// A section whose link says what its heading says.
fn part_of(
    (anchor, heading): (&'static str, &str),
    kind: Kind,
    count: usize,
    body: Html,
) -> Section {
    Section {
        anchor: Anchor::of(anchor),
        link: heading.to_owned(),
        kind,
        heading: heading.to_owned(),
        count: Some(count),
        body,
    }
}
