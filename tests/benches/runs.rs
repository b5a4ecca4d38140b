//! Whole runs of the program against two simulated services, each beside its baseline.
//!
//! The baseline of a plan fetches and parses the same answers with the same concurrency and does nothing with them. That of an apply is the
//! time that the fewest requests take that can do it, if as many of them as allowed are always on their way.
//!
//! A plan of the largest company that takes more than 1.5 times its baseline or 400 MB ends this with an error, and so does a start that
//! takes 20 ms.
//!
//! `cargo bench --bench runs -- PART…` runs only some parts: `plans`, `files`, `applies`, `budgets`, `start`.

#![allow(missing_docs, reason = "a benchmark has no callers")]
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it prints figures, which need not be exact to the last place"
)]

#[path = "../crowd/budget.rs"]
mod budget;
#[path = "../crowd/mod.rs"]
mod crowd;
mod measure;
mod replay;
mod site;

use std::time::Duration;

use keycloak_to_azure::sandbox::{RecordedRequest, Service};

use budget::Budget;
use crowd::Crowd;
use measure::{Run, exponent, median};
use site::Site;

/// Plans of companies that agree with their directories, from small to large. The largest has half a million memberships.
const SETTLED: [Crowd; 3] = [
    crowd(1_000, 10, 5),
    crowd(10_000, 100, 5),
    crowd(100_000, 1_000, 5),
];

/// First syncs.
const NEWCOMERS: [Crowd; 2] = [crowd(1_000, 10, 3), crowd(10_000, 100, 3)];

/// What an answer takes where that is of interest.
const LATENCY: Duration = Duration::from_millis(50);

/// As many batches of invitations, and of other writes, as are on their way at once.
const INVITING: usize = 4;
const WRITING: usize = 5;

const fn crowd(people: usize, groups: usize, memberships: usize) -> Crowd {
    Crowd {
        people,
        groups,
        memberships,
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, file] = &arguments[..]
        && flag == "--replay"
    {
        replay::run(file.as_ref());
        return;
    }
    let chosen: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let parts: [(&str, fn()); 5] = [
        ("start", start),
        ("plans", || {
            plans(Duration::ZERO, &SETTLED);
            plans(LATENCY, &SETTLED[..2]);
        }),
        ("files", files),
        ("applies", applies),
        ("budgets", budgets),
    ];
    for (name, run) in parts {
        if chosen.is_empty() || chosen.iter().any(|part| *part == name) {
            run();
        }
    }
}

/// How much longer than its baseline a plan of the largest company may take.
const MOST_TIMES: f64 = 1.5;

/// The most memory that a plan may hold at once, in bytes: that of the largest company.
const MOST_MEMORY: u64 = 400_000_000;

/// The longest that it may take to show a small plan.
const LONGEST_START: Duration = Duration::from_millis(20);

/// How long it takes to show a small plan.
fn start() {
    let site = Site::new(crowd(20, 2, 1), crowd(20, 2, 1).newcomers(), Duration::ZERO);
    assert_eq!(site.run("plan --out plan.json").status, 0);
    let shown: Vec<Run> = (0..21).map(|_| site.run("show plan.json")).collect();
    let took = median(shown).took;
    println!(
        "\nshow, a plan of 40 changes: {:.1} ms",
        took.as_secs_f64() * 1e3
    );
    assert!(took < LONGEST_START, "{took:?}");
}

/// Plans without a change, beside fetching and parsing alone. How long the services were busy answering says whether they are what is
/// waited for: of one processor, while the baseline ran.
fn plans(latency: Duration, crowds: &[Crowd]) {
    println!("\nplan, nothing to change, {latency:?} for each answer");
    println!("  people  groups  requests    plan s  baseline s  ratio  peak MB  services busy");
    let mut runs: Vec<(usize, Run, Run)> = Vec::new();
    for &crowd in crowds {
        let site = Site::new(crowd, crowd.settled(), latency);
        let plan = || {
            let run = site.run("plan --out plan.json --detailed-exitcode");
            assert_eq!(run.status, 0, "there is nothing to change");
            run
        };
        let first = plan();
        let requests = site.requests();
        let script = site.write_replay(&requests);
        let (mut planned, mut replayed) = (vec![first], vec![site.replay(&script)]);
        for _ in 0..2 {
            planned.push(plan());
            replayed.push(site.replay(&script));
        }
        let (plan, baseline) = (median(planned), median(replayed));
        println!(
            "{:8} {:7} {:9} {:9.3} {:11.3} {:6.2} {:8.0} {:5.2} s, {:2.0} %",
            crowd.people,
            crowd.groups,
            requests.len(),
            plan.took.as_secs_f64(),
            baseline.took.as_secs_f64(),
            plan.took.as_secs_f64() / baseline.took.as_secs_f64(),
            plan.peak as f64 / 1e6,
            baseline.served_for.as_secs_f64(),
            100.0 * baseline.served_for.as_secs_f64() / baseline.took.as_secs_f64(),
        );
        runs.push((crowd.people, plan, baseline));
    }
    if let Some((_, plan, baseline)) = runs.last() {
        let times = plan.took.as_secs_f64() / baseline.took.as_secs_f64();
        assert!(times <= MOST_TIMES, "{times:.2} times its baseline");
        assert!(plan.peak < MOST_MEMORY, "{} bytes", plan.peak);
    }
    if let [
        (fewer, small, small_baseline),
        ..,
        (more, large, large_baseline),
    ] = runs.as_slice()
    {
        let time = |run: &Run| run.took.as_secs_f64();
        println!(
            "  from {fewer} to {more} people time grows with the power {:.2} (baseline {:.2}), memory with {:.2}",
            exponent(*fewer, time(small), *more, time(large)),
            exponent(*fewer, time(small_baseline), *more, time(large_baseline)),
            exponent(*fewer, small.peak as f64, *more, large.peak as f64),
        );
    }
}

/// A plan file of a hundred thousand changes, written and read.
fn files() {
    let crowd = crowd(25_000, 100, 3);
    let site = Site::new(crowd, crowd.newcomers(), Duration::ZERO);
    let plan = site.run("plan --out plan.json");
    assert_eq!(plan.status, 0);
    let show = site.run("show plan.json --format json");
    println!(
        "\na plan of 100000 changes, {:.0} MB: planned in {:.2} s with {:.0} MB at most, read and written again in {:.2} s with {:.0} MB",
        site.size_of("plan.json") as f64 / 1e6,
        plan.took.as_secs_f64(),
        plan.peak as f64 / 1e6,
        show.took.as_secs_f64(),
        show.peak as f64 / 1e6,
    );
}

/// First syncs without quotas, beside the time that their requests take by themselves.
fn applies() {
    println!("\napply of a first sync, {LATENCY:?} for each answer, no quotas");
    println!("  people  groups  requests   apply s  baseline s  ratio  peak MB");
    for crowd in NEWCOMERS {
        let site = Site::new(crowd, crowd.newcomers(), LATENCY);
        assert_eq!(site.run("plan --out plan.json").status, 0);
        let reading = site.run("apply plan.json --dry-run");
        site.requests();
        let run = site.run("apply plan.json");
        assert_eq!(run.status, 0, "everything is done");
        let requests = site.requests();
        let (inviting, writing) = fewest_batches(crowd);
        let rounds = inviting.div_ceil(INVITING).max(writing.div_ceil(WRITING));
        // The baseline of what is read before the first write is what a dry run takes.
        let baseline = reading.took + LATENCY * u32::try_from(rounds).unwrap_or(u32::MAX);
        println!(
            "{:8} {:7} {:9} {:9.3} {:11.3} {:6.2} {:8.0}",
            crowd.people,
            crowd.groups,
            requests.len(),
            run.took.as_secs_f64(),
            baseline.as_secs_f64(),
            run.took.as_secs_f64() / baseline.as_secs_f64(),
            run.peak as f64 / 1e6,
        );
    }
}

/// The fewest batches that invite everybody, and that then write what an invitation leaves open of each account and add everybody to
/// their groups: twenty parts in a batch, twenty members in one write, and five such writes in a batch.
fn fewest_batches(crowd: Crowd) -> (usize, usize) {
    let members = crowd.people * crowd.memberships / crowd.groups;
    let sets = crowd.groups * members.div_ceil(20);
    let each = crowd.people.div_ceil(20);
    (each, each + sets.div_ceil(5))
}

/// How many requests companies of every size take, beside what the best strategy takes. None may take a twentieth more.
fn budgets() {
    println!("\nrequests to Graph, and the budget");
    println!("  people  groups        plan       first sync");
    for budget in Budget::ALL {
        let crowd = budget.crowd();
        let settled = Site::new(crowd, crowd.settled(), Duration::ZERO);
        assert_eq!(settled.run("plan --out plan.json").status, 0);
        let plan = to_graph(&settled.requests());
        drop(settled);
        let site = Site::new(crowd, crowd.newcomers(), Duration::ZERO);
        assert_eq!(site.run("plan --out plan.json").status, 0);
        let reading = to_graph(&site.requests());
        assert_eq!(site.run("apply plan.json").status, 0);
        let first_sync = to_graph(&site.requests()) - reading;
        println!(
            "{:8} {:7} {:5} of {:3} {:7} of {:5}",
            budget.people, budget.groups, plan, budget.plan, first_sync, budget.first_sync
        );
        for (actual, allowed) in [(plan, budget.plan), (first_sync, budget.first_sync)] {
            assert!(actual * 20 <= allowed * 21, "{actual} of {allowed}");
        }
    }
}

fn to_graph(requests: &[RecordedRequest]) -> usize {
    let to_graph = |request: &&RecordedRequest| request.service == Service::Graph;
    requests.iter().filter(to_graph).count()
}
