//! A fault at every request of a plan and an apply, and at every part of every batch: the next runs come to what a run without any comes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use comfy_table::{Table, presets};
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::sandbox::exchange::Response;
use keycloak_to_azure::sandbox::graph::PlannedFault;
use keycloak_to_azure::sandbox::{Fault, RecordedRequest, Service, When, World};
use reqwest::{Method, StatusCode};

use crate::crew::{
    APPLY, Crew, Model, PLAN, as_it_is, brief, is_batch, is_invited_at_most, is_write, lagging,
    on_both_cores, parts, shown,
};
use crate::program::{Stage, quick};

/// How often an operator runs a command after the run that met a fault.
const FURTHER_RUNS: usize = 2;

/// For how long a connection may be silent in the runs that meet a service that never answers.
const IDLE: Duration = Duration::from_millis(300);

/// Something that goes wrong with a request.
struct Kind {
    name: &'static str,
    fault: fn() -> Fault,
    timing: fn() -> Timing,
    /// Whether it happens after the effect. At a request that has none it would be a kind that there is already.
    after_effect: bool,
    /// Whether it is tried for the length of a run as well. The others are then like one of these.
    lasts: bool,
}

fn kinds() -> Vec<Kind> {
    let kind = |name, fault| Kind {
        name,
        fault,
        timing: brief,
        after_effect: false,
        lasts: false,
    };
    let throttled = |name, fault| Kind {
        timing: quick,
        ..kind(name, fault)
    };
    let silent = |name, fault| Kind {
        timing: || Timing {
            idle: IDLE,
            ..brief()
        },
        ..kind(name, fault)
    };
    let lasting = |kind| Kind {
        lasts: true,
        ..kind
    };
    let after_effect = |kind| Kind {
        after_effect: true,
        ..kind
    };
    vec![
        lasting(kind("500", || Fault::status(500))),
        kind("503 with a page", || Fault::html(503)),
        after_effect(kind("504 after the effect", || {
            Fault::AnswerAfterEffect(Response::empty(StatusCode::GATEWAY_TIMEOUT))
        })),
        throttled("429, seconds", || Fault::throttled(Some("1"))),
        throttled("429, a fraction", || Fault::throttled(Some("0.02"))),
        throttled("429, a date", come_back_at_a_date),
        throttled("429, no Retry-After", || Fault::throttled(None)),
        throttled("429, in a day", || Fault::throttled(Some("86400"))),
        kind("reset before the effect", || Fault::DropBeforeEffect),
        lasting(after_effect(kind("reset after the effect", || {
            Fault::DropAfterEffect
        }))),
        kind("a body cut off", || Fault::Truncate(10)),
        kind("no body", || Fault::EmptyBody),
        silent("silence, nothing done", || Fault::Hang),
        after_effect(silent("silence after the effect", || {
            Fault::Latency(IDLE * 3)
        })),
        lasting(kind("401", || Fault::TokenExpired)),
    ]
}

/// Dates go by the clock of the service, which says the time itself.
fn come_back_at_a_date() -> Fault {
    Fault::Answer(
        Response::empty(StatusCode::TOO_MANY_REQUESTS)
            .with_header("date", "Mon, 05 Jan 2026 08:00:00 GMT")
            .with_header("retry-after", "Mon, 05 Jan 2026 08:00:01 GMT"),
    )
}

/// For how long something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lasting {
    /// Once. Trying again helps.
    Once,
    /// Until the run has ended.
    WholeRun,
}

impl Lasting {
    const BOTH: [Self; 2] = [Self::Once, Self::WholeRun];

    fn is_tried(self, kind: &Kind) -> bool {
        self == Self::Once || kind.lasts
    }

    fn times(self) -> usize {
        match self {
            Self::Once => 1,
            Self::WholeRun => 10_000,
        }
    }

    /// Where trying again does not help, few tries say as much as many.
    fn timing(self, timing: Timing) -> Timing {
        match self {
            Self::Once => timing,
            Self::WholeRun => Timing { tries: 2, ..timing },
        }
    }
}

/// Which command meets the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    Plan,
    Apply,
}

impl Command {
    const BOTH: [Self; 2] = [Self::Plan, Self::Apply];

    fn line(self) -> &'static str {
        match self {
            Self::Plan => PLAN,
            Self::Apply => APPLY,
        }
    }

    fn requests(self, model: &Model) -> &[RecordedRequest] {
        match self {
            Self::Plan => &model.of_plan,
            Self::Apply => &model.of_apply,
        }
    }
}

/// One fault of one command.
struct Case<'a> {
    command: Command,
    kind: &'static str,
    lasting: Lasting,
    timing: Timing,
    what: What<'a>,
    /// How often one address may be invited.
    most_invitations: usize,
}

/// What goes wrong.
enum What<'a> {
    Request { at: usize, fault: &'a Kind },
    Part { shown: String, fault: PlannedFault },
}

/// How a case ended.
struct Played {
    command: Command,
    kind: &'static str,
    lasting: Lasting,
    further_runs: usize,
}

impl Case<'_> {
    fn shown(&self, model: &Model) -> String {
        let what = match &self.what {
            What::Request { at, .. } => shown(&self.command.requests(model)[*at]),
            What::Part { shown, .. } => shown.clone(),
        };
        let Self {
            command,
            kind,
            lasting,
            ..
        } = self;
        format!("{command:?}, {kind} ({lasting:?}) at {what}")
    }

    /// Runs the command until it is done, as an operator would. A plan that is the one of the model, to the byte, leads where that
    /// leads, so it is not applied each time.
    async fn play(&self, crew: &Crew, model: &Model) -> anyhow::Result<Played> {
        let Self { command, .. } = *self;
        let stage = &crew.stage;
        crew.begin_anew(command == Command::Apply);
        let met = self.arm(model, stage);
        let mut ended = stage.run_with(command.line(), self.timing.clone()).await;
        ensure!(met(stage), "the fault was not met");
        stage.sandbox.faults().clear();
        stage.sandbox.with_world(|world| world.entra.faults.clear());
        if let What::Request { .. } = self.what {
            // A lost answer is followed by a look-up, and never by a second invitation at once.
            is_invited_at_most(stage, 1)?;
        }
        let mut further_runs = 0;
        while ended.status != 0 {
            let is_as_it_should_be = match command {
                Command::Plan => ended.status == 1 && !stage.path("plan.json").exists(),
                Command::Apply => matches!(ended.status, 1 | 4),
            };
            ensure!(
                is_as_it_should_be && further_runs < FURTHER_RUNS,
                "run {} ended with {}: {}{}",
                further_runs + 1,
                ended.status,
                ended.out,
                ended.err
            );
            model.nothing_else_was_done(stage)?;
            ended = stage.run_with(command.line(), brief()).await;
            further_runs += 1;
        }
        match command {
            Command::Plan => {
                model.is_planned(stage)?;
                ensure!(stage.writes().is_empty(), "a plan wrote something");
            }
            Command::Apply => model.holds(stage, self.most_invitations)?,
        }
        Ok(Played {
            command,
            kind: self.kind,
            lasting: self.lasting,
            further_runs,
        })
    }

    /// Scripts the fault into a sandbox, and returns how to know whether it was met.
    fn arm(&self, model: &Model, stage: &Stage) -> Box<dyn Fn(&Stage) -> bool> {
        match &self.what {
            What::Request { at, fault } => {
                let when = || -> When { model.when(self.command.requests(model), *at, stage) };
                let met = Arc::new(AtomicBool::new(false));
                let meet = Arc::clone(&met);
                stage
                    .sandbox
                    .faults()
                    .change_world(when(), move |_| meet.store(true, Ordering::SeqCst))
                    .add(when(), self.lasting.times(), (fault.fault)());
                Box::new(move |_| met.load(Ordering::SeqCst))
            }
            What::Part { fault, .. } => {
                let times = fault.times;
                stage
                    .sandbox
                    .with_world(|world| world.entra.faults.push(fault.clone()));
                Box::new(move |stage| {
                    stage
                        .sandbox
                        .with_world(|world| world.entra.faults[0].times < times)
                })
            }
        }
    }
}

/// Plays all cases, prints what became of them, and fails with those that went wrong.
#[expect(clippy::print_stdout, reason = "the matrix is what is looked at")]
fn play_all(title: &str, cases: &[Case<'_>], model: &Model, change: fn(&mut World)) {
    let played = on_both_cores(cases, change, async |crew, case| {
        let played = case.play(crew, model).await;
        played.with_context(|| case.shown(model))
    });
    let mut failed = Vec::new();
    let mut rows: BTreeMap<(Lasting, &str), [usize; 2 + 1 + FURTHER_RUNS]> = BTreeMap::new();
    let mut total = [0; 2 + 1 + FURTHER_RUNS];
    for played in played {
        match played {
            Err(error) => failed.push(format!("{error:#}")),
            Ok(Played {
                command,
                kind,
                lasting,
                further_runs,
            }) => {
                let command = match command {
                    Command::Plan => 0,
                    Command::Apply => 1,
                };
                for row in [rows.entry((lasting, kind)).or_default(), &mut total] {
                    row[command] += 1;
                    row[2 + further_runs] += 1;
                }
            }
        }
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "fault", "lasting", "of plan", "of apply", "1st run", "2nd run", "3rd run", "runs",
    ]);
    let numbers = |row: &[usize]| -> Vec<String> {
        let runs: usize = row[2..].iter().zip(1..).map(|(n, runs)| n * runs).sum();
        row.iter().chain([&runs]).map(ToString::to_string).collect()
    };
    for ((lasting, kind), row) in &rows {
        let names = [(*kind).to_owned(), format!("{lasting:?}")];
        table.add_row(names.into_iter().chain(numbers(row)));
    }
    let names = ["all".to_owned(), String::new()];
    table.add_row(names.into_iter().chain(numbers(&total)));
    println!("{title}\n{table}\n");
    assert!(
        failed.is_empty(),
        "{} of {} cases went wrong, the first of them: {}",
        failed.len(),
        cases.len(),
        failed[..failed.len().min(5)].join("\n\n")
    );
    assert_eq!(total[0] + total[1], cases.len());
}

/// Every fault at every request that is chosen.
fn at_requests<'a>(
    model: &Model,
    kinds: &'a [Kind],
    is_chosen: impl Fn(&RecordedRequest) -> bool,
    most_invitations: impl Fn(&Kind) -> usize,
) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for lasting in Lasting::BOTH {
        for fault in kinds.iter().filter(|kind| lasting.is_tried(kind)) {
            for command in Command::BOTH {
                let requests = command.requests(model);
                let is_tried = |at: &usize| {
                    let request = &requests[*at];
                    is_chosen(request) && (!fault.after_effect || is_write(request))
                };
                for at in (0..requests.len()).filter(is_tried) {
                    cases.push(Case {
                        command,
                        kind: fault.name,
                        lasting,
                        timing: lasting.timing((fault.timing)()),
                        what: What::Request { at, fault },
                        most_invitations: most_invitations(fault),
                    });
                }
            }
        }
    }
    cases
}

#[test]
fn the_crew_needs_every_kind_of_request() {
    let model = Model::of(as_it_is);
    let of_apply: Vec<String> = model.of_apply.iter().map(shown).collect();
    for needed in [
        "GET /realms/acme ",
        "/protocol/openid-connect/token",
        "/protocol/openid-connect/logout",
        "/components",
        "/group-by-path/",
        "/children",
        "/members",
        "GET /admin/realms/acme/users ",
        "/groups ",
        "/oauth2/v2.0/token",
        "/organization",
        "$batch GET /groups",
        "/users/$count",
        "/users ",
        "POST /invitations, POST /invitations",
        "GET /users/",
        "PATCH /users/",
        "PATCH /groups/",
        "POST /groups/",
        "DELETE /groups/",
    ] {
        assert!(
            of_apply.iter().any(|request| request.contains(needed)),
            "{needed}: {of_apply:#?}"
        );
    }
}

#[test]
fn a_fault_at_any_request_is_made_up_for_by_running_again() {
    let model = Model::of(as_it_is);
    let kinds = kinds();
    let cases = at_requests(&model, &kinds, |_| true, |_| 1);
    let title = format!(
        "Requests: {} of plan, {} of apply",
        model.of_plan.len(),
        model.of_apply.len()
    );
    play_all(&title, &cases, &model, as_it_is);
}

#[test]
fn a_lost_invitation_that_no_list_shows_is_sent_again_and_makes_no_second_account() {
    let model = Model::of(lagging);
    let kinds = kinds();
    let is_invitation = |request: &RecordedRequest| shown(request).contains("/invitations");
    let may_be_lost = |kind: &Kind| {
        let is_answer_lost = matches!(kind.name, "a body cut off" | "no body");
        1 + usize::from(kind.after_effect || is_answer_lost)
    };
    let cases = at_requests(&model, &kinds, is_invitation, may_be_lost);
    play_all(
        "Invitations that lists do not show",
        &cases,
        &model,
        lagging,
    );
}

#[test]
fn a_fault_at_any_part_of_a_batch_is_made_up_for_by_running_again() {
    let model = Model::of(as_it_is);
    let mut cases = Vec::new();
    for lasting in Lasting::BOTH {
        for (kind, after_effect, status, code) in [
            ("429", false, 429, "TooManyRequests"),
            ("500", false, 500, "InternalServerError"),
            ("503", false, 503, "ServiceUnavailable"),
            ("401", false, 401, "InvalidAuthenticationToken"),
            ("429 after the effect", true, 429, "TooManyRequests"),
            ("500 after the effect", true, 500, "InternalServerError"),
            ("503 after the effect", true, 503, "ServiceUnavailable"),
            (
                "401 after the effect",
                true,
                401,
                "InvalidAuthenticationToken",
            ),
        ] {
            for command in Command::BOTH {
                for (method, path, skip) in parts_of(command.requests(&model)) {
                    if after_effect && method == Method::GET {
                        continue;
                    }
                    // Graph refuses these two before it does anything. Should it not, the second invitation goes to the account
                    // of the first.
                    let is_invited_again =
                        after_effect && matches!(status, 401 | 429) && path == "/invitations";
                    let most_invitations = match (is_invited_again, lasting) {
                        (false, _) => 1,
                        (true, Lasting::Once) => 2,
                        (true, Lasting::WholeRun) => usize::MAX,
                    };
                    cases.push(Case {
                        command,
                        kind,
                        lasting,
                        timing: lasting.timing(brief()),
                        what: What::Part {
                            shown: format!("{method} {path}, after {skip} such parts"),
                            fault: PlannedFault {
                                method: Some(method.to_string()),
                                path_contains: path,
                                skip,
                                times: u32::try_from(lasting.times()).unwrap(),
                                status,
                                code: code.to_owned(),
                                message: "Something is wrong.".to_owned(),
                                retry_after: (status == 429).then(|| "0.01".to_owned()),
                                after_effect,
                            },
                        },
                        most_invitations,
                    });
                }
            }
        }
    }
    let title = format!(
        "Parts of batches: {} of plan, {} of apply",
        parts_of(&model.of_plan).len(),
        parts_of(&model.of_apply).len()
    );
    play_all(&title, &cases, &model, as_it_is);
}

/// Every part of every batch, with how many calls that a fault for it would fit come before it, alone or in a batch.
fn parts_of(requests: &[RecordedRequest]) -> Vec<(Method, String, u32)> {
    let mut calls: Vec<(Method, String)> = Vec::new();
    let mut found = Vec::new();
    for request in requests {
        if request.service != Service::Graph {
            continue;
        }
        if !is_batch(request) {
            let path = request.path.strip_prefix("/v1.0");
            calls.extend(path.map(|path| (request.method.clone(), path.to_owned())));
        }
        for part in parts(request) {
            let method: Method = part["method"].as_str().unwrap().parse().unwrap();
            let path = part["url"].as_str().unwrap().split('?').next().unwrap();
            let fits =
                |(other, called): &&(Method, String)| *other == method && called.contains(path);
            let skip = u32::try_from(calls.iter().filter(fits).count()).unwrap();
            calls.push((method.clone(), path.to_owned()));
            found.push((method, path.to_owned(), skip));
        }
    }
    found
}
