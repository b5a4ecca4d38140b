//! The pipelines to copy, on what is left of their platforms: the commands of their files, as they stand, from a pull request to a report.

mod azure;
mod condition;
mod forge;
mod github;
mod gitlab;
mod rules;
mod scene;

use std::collections::BTreeSet;
use std::path::PathBuf;

use keycloak_to_azure::sandbox::Fault;
use keycloak_to_azure::sandbox::graph::User;

use self::scene::{Ended, Event, Run, Scene};
use crate::commands::{everybody, named_in};
use crate::program::deletions;
use crate::wire::Authority;

const PLATFORMS: [Platform; 3] = [Platform::GitHub, Platform::GitLab, Platform::Azure];

/// How the comment of the pipelines begins.
const MARKER: &str = "<!-- keycloak-to-azure: keycloak_to_azure.config.yaml -->\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Platform {
    GitHub,
    GitLab,
    Azure,
}

impl Platform {
    async fn job(self, scene: &Scene, event: Event, run: &mut Run, name: &str) -> Option<Ended> {
        match self {
            Self::GitHub => github::job(scene, event, run, name).await,
            Self::GitLab => gitlab::job(scene, event, run, name).await,
            Self::Azure => azure::job(scene, event, run, name).await,
        }
    }

    /// A run up to its plan, whose configuration is in order.
    async fn plan(self, scene: &Scene, event: Event) -> (Run, Ended) {
        let mut run = Run::default();
        let validated = self.job(scene, event, &mut run, "validate").await.unwrap();
        assert!(validated.succeeded, "{self:?}: {}", validated.log);
        let planned = self.job(scene, event, &mut run, "plan").await.unwrap();
        (run, planned)
    }

    /// A run by hand with something typed, up to its plan; nothing where the platform refuses what was typed.
    async fn plan_with(self, scene: &Scene, inputs: &[(&str, &str)]) -> Option<(Run, Ended)> {
        let mut run = Run::default();
        let inputs = inputs.iter();
        run.inputs = inputs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.job(scene, Event::ByHand, &mut run, "validate").await?;
        let planned = self.job(scene, Event::ByHand, &mut run, "plan").await;
        Some((run, planned.unwrap()))
    }

    async fn audit(self, scene: &Scene, event: Event) -> (Run, Option<Ended>) {
        let mut run = Run::default();
        let validated = self.job(scene, event, &mut run, "validate").await;
        assert!(validated.unwrap().succeeded);
        let audited = self.job(scene, event, &mut run, "audit").await;
        (run, audited)
    }

    /// The rest of a run, once somebody has approved its plan.
    async fn apply(self, scene: &Scene, event: Event, run: &mut Run) -> Option<Ended> {
        self.job(scene, event, run, "apply").await
    }

    /// What the platform calls the output with the id of the plan.
    fn plan_id(self) -> &'static str {
        match self {
            Self::GitHub => "plan-id",
            Self::GitLab => "PLAN_ID",
            Self::Azure => "planId",
        }
    }
}

/// Everything of a job that whoever may read the repository can read.
fn shown(ended: &Ended, scene: &Scene) -> String {
    let mut texts = scene.forge.comments();
    texts.push(ended.summary.clone());
    texts.push(ended.log.clone());
    texts.join("\n")
}

/// Everybody who is named by a token.
fn tokens(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let tokens = words.filter(|word| {
        word.strip_prefix("person-")
            .is_some_and(|it| !it.is_empty())
    });
    tokens.collect()
}

/// The one comment of the pipelines.
fn comment(scene: &Scene) -> String {
    let comments = scene.forge.comments();
    let [comment] = comments.as_slice() else {
        panic!("{comments:?}")
    };
    assert!(comment.starts_with(MARKER), "{comment}");
    comment.clone()
}

/// Whether the app of an environment has logged in to Entra.
fn has_logged_in(scene: &Scene, environment: &str) -> bool {
    let app = scene.app(environment);
    let requests = scene.stage.sandbox.requests();
    let mut logins = requests.iter().filter(|it| it.path.ends_with("/token"));
    logins.any(|login| String::from_utf8_lossy(&login.body).contains(&app))
}

/// The id of the plan that a run has kept.
fn kept_plan_id(run: &Run) -> String {
    let plan = run.file("plan", "plan.json").unwrap();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    plan["plan_id"].as_str().unwrap().to_owned()
}

/// Where a run keeps its plan.
fn plan_file(run: &Run) -> PathBuf {
    kept(run, "plan").join("plan.json")
}

/// Where a run keeps its report.
fn report_file(run: &Run) -> PathBuf {
    kept(run, "report").join("report.jsonl")
}

fn kept(run: &Run, artifact: &str) -> PathBuf {
    let mut kept = run.kept.iter();
    let (_, folder) = kept.find(|(name, _)| name.starts_with(artifact)).unwrap();
    folder.clone()
}

fn append(scene: &Scene, line: &str) {
    let text = scene.stage.configuration();
    scene.stage.configure(&format!("{text}{line}\n"));
}

#[tokio::test]
async fn a_change_is_planned_in_a_pull_request_and_applied_once_it_is_merged_and_approved() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let everybody = everybody(&scene.stage);
        scene.forge.comment("somebody", MARKER);
        // The comment is found among those of a long discussion, before it and after.
        let discuss = || (0..120).for_each(|_| scene.forge.comment("somebody", "Well."));
        discuss();

        let (mut run, planned) = platform.plan(&scene, Event::PullRequest).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let first = kept_plan_id(&run);
        assert_eq!(run.outputs[platform.plan_id()], first);
        let first_comment = comment(&scene);
        assert!(first_comment.contains(&first), "{first_comment}");
        assert!(first_comment.contains("**Redacted.**"), "{first_comment}");
        assert!(first_comment.contains(&planned.summary), "{first_comment}");
        assert!(planned.summary.contains("### Remove (3)"));
        assert_eq!(named_in(&shown(&planned, &scene), &everybody), None);
        // Only what is kept names people, and it is said where that is.
        assert!(first_comment.contains("as a page too (`plan.html`)"));
        let page = run.file("plan", "plan.html").unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("dana@partner.example"));
        assert!(!page.contains("Redacted"), "{page}");
        // Nothing of a pull request is ever applied.
        assert_eq!(
            platform.apply(&scene, Event::PullRequest, &mut run).await,
            None
        );

        discuss();
        append(&scene, "# Reviewed.");
        let (run, planned) = platform.plan(&scene, Event::PullRequest).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let second = kept_plan_id(&run);
        let second_comment = comment(&scene);
        assert!(second != first && second_comment.contains(&second));
        assert!(!second_comment.contains(&first));
        assert_eq!(scene.stage.writes(), Vec::<String>::new());
        assert!(!has_logged_in(&scene, "entra-apply"));

        let (mut run, planned) = platform.plan(&scene, Event::Push).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        assert_eq!(kept_plan_id(&run), second);
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        let report = run.file("report", "report.jsonl").unwrap();
        let start: serde_json::Value =
            serde_json::from_str(report.lines().next().unwrap()).unwrap();
        assert_eq!(start["plan_id"], *second);
        assert_eq!(start["operator"], "octocat");
        assert_eq!(start["app_id"], scene.app("entra-apply"));
        assert!(has_logged_in(&scene, "entra-apply"));
        assert!(report.lines().last().unwrap().contains("\"type\":\"end\""));
        assert!(run.file("report", "apply.log").unwrap().contains("8 done"));
        let outcome = comment(&scene);
        for line in ["## Keycloak → Entra: applied", "**8 done**", "### Done (8)"] {
            assert!(outcome.lines().any(|other| other == line), "{outcome}");
        }
        // In the words of the plan that was approved, and of nobody else.
        let (of_plan, of_outcome) = (tokens(&second_comment), tokens(&outcome));
        assert!(
            !of_outcome.is_empty() && of_outcome.is_subset(&of_plan),
            "{outcome}"
        );
        let rows = outcome.lines().filter(|line| line.starts_with("| done |"));
        let removals = rows
            .take(3)
            .filter(|row| row.contains(" was removed from acme-"));
        assert_eq!(removals.count(), 3, "{outcome}");
        assert_eq!(named_in(&shown(&applied, &scene), &everybody), None);
        if platform != Platform::GitLab {
            assert_eq!(applied.summary, outcome);
        }
        assert!(outcome.contains("as a page too (`report.html`)"));
        let page = run.file("report", "report.html").unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("dana@partner.example"));
        assert_eq!(scene.forge.of_others().len(), 241);

        // At night nothing has drifted, and nobody is told.
        let (mut run, planned) = platform.plan(&scene, Event::Schedule).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        assert_eq!(
            platform.apply(&scene, Event::Schedule, &mut run).await,
            None
        );
        assert_eq!(comment(&scene), outcome);
    }
}

#[tokio::test]
async fn a_private_authority_is_kept_beside_the_configuration() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        let authority = Authority::new();
        let front = authority
            .serve(&["localhost"], &scene.stage.sandbox.keycloak_url())
            .await;
        scene.authority = Some(authority);
        let text = scene.stage.configuration();
        let (_, others) = text.split_once('\n').unwrap();
        scene.stage.configure(&format!(
            "keycloak_url: https://localhost:{}\nkeycloak_ca_file: ca.pem\n{others}",
            front.port()
        ));
        let (mut run, planned) = platform.plan(&scene, Event::Push).await;
        let log = run.file("plan", "plan.log").unwrap_or_default();
        assert!(planned.succeeded, "{platform:?}: {} {log}", planned.log);
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        let (_, audited) = platform.audit(&scene, Event::Schedule).await;
        let audited = audited.unwrap();
        assert!(audited.succeeded, "{platform:?}: {}", audited.log);

        // Left out of the repository, it is missed before anything is asked.
        scene.authority = None;
        let mut run = Run::default();
        let validated = platform.job(&scene, Event::PullRequest, &mut run, "validate");
        let validated = validated.await.unwrap();
        assert!(!validated.succeeded, "{platform:?}: {}", validated.log);
        assert!(
            validated.log.contains("ca.pem` cannot be used"),
            "{}",
            validated.log
        );
    }
}

#[tokio::test]
async fn it_is_said_whether_the_plan_is_the_one_of_the_review() {
    const ZEROS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    const SAME: &str = "This is the same plan as in the review.";
    const ANOTHER: &str = "**This is another plan than in the review** (was ";
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let says = |planned: &Ended| {
            let comment = comment(&scene);
            assert!(comment.contains(&planned.summary), "{comment}");
            if platform != Platform::GitLab {
                assert_eq!(planned.summary, comment);
            }
            (comment.contains(SAME), comment.contains(ANOTHER), comment)
        };
        let forged = format!("{MARKER}<!-- reviewed: {ZEROS} -->\n");
        scene.forge.comment("somebody", &forged);
        let (run, planned) = platform.plan(&scene, Event::PullRequest).await;
        let reviewed = kept_plan_id(&run);
        assert!(matches!(says(&planned), (false, false, _)), "{platform:?}");
        for _ in 0..2 {
            let (run, planned) = platform.plan(&scene, Event::Push).await;
            assert_eq!(kept_plan_id(&run), reviewed);
            assert!(matches!(says(&planned), (true, false, _)), "{platform:?}");
        }
        append(&scene, "# Not reviewed.");
        for _ in 0..2 {
            let (run, planned) = platform.plan(&scene, Event::Push).await;
            assert_ne!(kept_plan_id(&run), reviewed);
            let (same, another, comment) = says(&planned);
            assert!(!same && another, "{platform:?}: {comment}");
            assert!(
                comment.contains(&format!("{ANOTHER}{reviewed}).")),
                "{comment}"
            );
        }
    }
}

#[tokio::test]
async fn what_stands_in_a_comment_is_taken_for_a_plan_id_only_where_it_is_one() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let digest = "a".repeat(64);
        for line in [
            format!("<!-- reviewed: sha256:{digest}a -->"),
            format!("<!-- reviewed: sha256:{} -->", &digest[1..]),
            format!("<!-- reviewed: sha256:{} -->", digest.to_uppercase()),
            format!("<!-- reviewed: sha256:{digest} --> @everybody"),
            format!("\n<!-- reviewed: sha256:{digest} -->"),
            "<!-- reviewed: $(id) -->".to_owned(),
        ] {
            scene.forge.forget_comments();
            let body = format!("{MARKER}{line}\nAll is well.");
            scene.forge.comment(forge::PIPELINE, &body);
            let (_, planned) = platform.plan(&scene, Event::Push).await;
            assert!(planned.succeeded, "{platform:?}: {}", planned.log);
            let comment = comment(&scene);
            assert!(!comment.contains("in the review"), "{line}: {comment}");
            assert!(!comment.contains("reviewed:"), "{line}: {comment}");
        }
    }
}

#[tokio::test]
async fn drift_is_an_alarm_at_night_and_applied_once_somebody_has_looked() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let (mut run, planned) = platform.plan(&scene, Event::Schedule).await;
        assert!(!planned.succeeded, "{platform:?}: {}", planned.log);
        assert!(planned.log.contains("drifted apart"), "{}", planned.log);
        assert!(planned.summary.contains("### Remove (3)"));
        assert_eq!(
            platform.apply(&scene, Event::Schedule, &mut run).await,
            None
        );

        let (mut run, planned) = platform.plan(&scene, Event::ByHand).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let applied = platform
            .apply(&scene, Event::ByHand, &mut run)
            .await
            .unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        // There is no pull request to comment on.
        assert_eq!(scene.forge.comments(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn people_are_named_where_that_is_wanted_and_nobody_else_reads_it() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        scene.show_names = true;
        scene.redact_key = None;
        let (_, planned) = platform.plan(&scene, Event::PullRequest).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        assert!(comment(&scene).contains("dana@partner.example"));
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        let outcome = comment(&scene);
        assert!(outcome.contains("dana@partner.example"), "{outcome}");
    }
}

#[tokio::test]
async fn in_public_nobody_is_named_whatever_is_set_and_no_plan_lies_about() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        let everybody = everybody(&scene.stage);
        scene.show_names = true;
        scene.forge.make_public();
        let (mut run, planned) = platform.plan(&scene, Event::Push).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        assert_eq!(named_in(&shown(&planned, &scene), &everybody), None);
        if platform == Platform::GitLab {
            // What is kept there is for its developers alone, which every run here looks at.
            continue;
        }
        assert_eq!(run.kept.keys().next(), None);
        assert!(!comment(&scene).contains("plan.html"));
        assert!(planned.log.contains("is the same if nothing has changed"));
        assert_eq!(platform.apply(&scene, Event::Push, &mut run).await, None);
    }
}

#[tokio::test]
async fn somebody_elses_copy_is_given_nothing_and_only_validated() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let mut run = Run::default();
        for (job, is_run) in [("validate", true), ("plan", false), ("apply", false)] {
            let ended = platform.job(&scene, Event::Fork, &mut run, job).await;
            assert_eq!(ended.map(|ended| ended.succeeded), is_run.then_some(true));
        }
        assert_eq!(scene.stage.sandbox.requests(), []);
        assert_eq!(scene.forge.comments(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_configuration_with_a_mistake_comes_to_no_plan() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        append(&scene, "grups: []");
        let mut run = Run::default();
        let validated = platform
            .job(&scene, Event::PullRequest, &mut run, "validate")
            .await
            .unwrap();
        assert!(!validated.succeeded);
        assert!(validated.log.contains("grups"), "{}", validated.log);
        let planned = platform
            .job(&scene, Event::PullRequest, &mut run, "plan")
            .await;
        assert_eq!(planned, None);
    }
}

#[tokio::test]
async fn another_release_than_the_one_that_was_chosen_is_not_run() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        scene.sha256 = "0".repeat(64);
        let mut run = Run::default();
        let validated = platform
            .job(&scene, Event::PullRequest, &mut run, "validate")
            .await
            .unwrap();
        assert!(!validated.succeeded);
        assert!(validated.log.contains("sha256sum"), "{}", validated.log);
    }
}

#[tokio::test]
async fn a_blocked_plan_fails_its_job_and_is_shown_all_the_same() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        append(&scene, "limits: { removals: 0 }");
        for event in [Event::PullRequest, Event::Push] {
            let (mut run, planned) = platform.plan(&scene, event).await;
            assert!(!planned.succeeded, "{platform:?}: {}", planned.log);
            assert!(
                planned.log.contains("exceeds a safety limit"),
                "{}",
                planned.log
            );
            let comment = comment(&scene);
            assert!(
                comment.contains("**blocked, cannot be applied**"),
                "{comment}"
            );
            assert!(comment.contains(&planned.summary), "{comment}");
            assert_eq!(platform.apply(&scene, event, &mut run).await, None);
        }
    }
}

#[tokio::test]
async fn where_there_is_no_plan_the_comment_does_not_show_an_old_one() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        let (_, planned) = platform.plan(&scene, Event::PullRequest).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let secret = scene.stage.variable("KEYCLOAK_CLIENT_SECRET").to_owned();
        scene.stage.set("KEYCLOAK_CLIENT_SECRET", "another one");
        let (run, planned) = platform.plan(&scene, Event::PullRequest).await;
        assert!(!planned.succeeded, "{platform:?}: {}", planned.log);
        let why = run.file("plan", "plan.log").unwrap();
        assert!(why.contains("Keycloak refused"), "{why}");
        assert!(!planned.log.contains("Keycloak refused"), "{}", planned.log);
        let said = "**There is no plan.** `plan.log` in the artifact";
        assert!(comment(&scene).contains(said), "{}", comment(&scene));
        assert!(!comment(&scene).contains("plan.html"));
        assert_eq!(run.file("plan", "plan.json"), None);
        assert_eq!(run.file("plan", "plan.html"), None);

        // Nobody is shown under tokens that anybody could make.
        scene.stage.set("KEYCLOAK_CLIENT_SECRET", &secret);
        scene.redact_key = None;
        let (_, planned) = platform.plan(&scene, Event::PullRequest).await;
        assert!(!planned.succeeded, "{platform:?}: {}", planned.log);
        let missing = "KEYCLOAK_TO_AZURE_REDACT_KEY";
        assert!(planned.log.contains(missing), "{}", planned.log);
    }
}

#[tokio::test]
async fn a_plan_that_nobody_approved_is_not_applied() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let (mut run, planned) = platform.plan(&scene, Event::Push).await;
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let approved = kept_plan_id(&run);
        for id in [format!("sha256:{}", "0".repeat(64)), "$(id)".to_owned()] {
            run.outputs.insert(platform.plan_id().to_owned(), id);
            let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
            assert!(!applied.succeeded, "{platform:?}: {}", applied.log);
            assert_eq!(scene.stage.writes(), Vec::<String>::new());
            assert_eq!(run.file("report", "report.jsonl"), None);
            run.succeeded.remove("apply");
        }
        // Nor is one that was made long ago.
        run.outputs.insert(platform.plan_id().to_owned(), approved);
        let file = plan_file(&run);
        let plan = std::fs::read_to_string(&file).unwrap();
        let lines = plan.lines().map(|line| match line.split_once(": ") {
            Some((name, _)) if name.ends_with("\"created_at\"") => {
                format!("{name}: \"2020-01-01T00:00:00Z\",")
            }
            _ => line.to_owned(),
        });
        let aged: Vec<String> = lines.collect();
        std::fs::write(&file, aged.join("\n") + "\n").unwrap();
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(!applied.succeeded, "{platform:?}: {}", applied.log);
        assert_eq!(scene.stage.writes(), Vec::<String>::new());
        let said = run.file("report", "apply.log").unwrap();
        assert!(said.contains("24"), "{said}");
        assert!(comment(&scene).contains("not applied, or not all of it"));
    }
}

#[tokio::test]
async fn a_removal_that_failed_is_told_by_its_token_and_its_group() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let everybody = everybody(&scene.stage);
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        let faults = scene.stage.sandbox.faults();
        faults.add(deletions(), 1_000, Fault::status(403));
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(!applied.succeeded, "{platform:?}: {}", applied.log);
        let outcome = comment(&scene);
        let mut rows = outcome.lines().filter(|line| line.starts_with("| "));
        let first = rows.nth(1).unwrap_or_default();
        assert!(
            first.starts_with("| failed | `person-")
                && first.contains(" was not removed from acme-"),
            "{outcome}"
        );
        assert_eq!(named_in(&shown(&applied, &scene), &everybody), None);
    }
}

#[tokio::test]
async fn where_tokens_cannot_be_made_the_comment_says_so_and_names_nobody() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        let everybody = everybody(&scene.stage);
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        scene.redact_key = None;
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        let outcome = comment(&scene);
        assert!(outcome.contains("It cannot be shown here"), "{outcome}");
        assert_eq!(named_in(&shown(&applied, &scene), &everybody), None);
        let log = run.file("report", "apply.log").unwrap();
        assert!(log.contains("KEYCLOAK_TO_AZURE_REDACT_KEY"), "{log}");
    }
}

#[tokio::test]
async fn where_nobody_has_to_approve_nothing_is_applied() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (mut run, _) = Platform::GitHub.plan(&scene, Event::Push).await;
    // Who has started it, and who has run it again.
    for login in ["octocat", "hubot"] {
        scene.forge.approve_as(login);
        let applied = Platform::GitHub
            .apply(&scene, Event::Push, &mut run)
            .await
            .unwrap();
        assert!(!applied.succeeded, "{}", applied.log);
        assert!(
            applied.log.contains("title=Not approved"),
            "{}",
            applied.log
        );
        assert_eq!(scene.stage.writes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_plan_that_was_made_after_the_approval_is_not_applied() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let (mut run, planned) = Platform::GitLab.plan(&scene, Event::Push).await;
    assert!(planned.succeeded, "{}", planned.log);
    let again = Platform::GitLab
        .job(&scene, Event::Push, &mut run, "plan")
        .await;
    assert!(again.unwrap().succeeded);
    let applied = Platform::GitLab.apply(&scene, Event::Push, &mut run).await;
    let applied = applied.unwrap();
    assert!(!applied.succeeded, "{}", applied.log);
    assert!(
        applied.log.contains("planned more than once"),
        "{}",
        applied.log
    );
    assert_eq!(scene.stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_apply_that_could_not_do_everything_fails_and_its_report_is_kept() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let everybody = everybody(&scene.stage);
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        // By now two accounts have the address of somebody who is to be added.
        scene.stage.sandbox.with_world(|world| {
            let address = "hal@partner.example";
            let second = "0a11ce00-0000-4000-8000-000000000002";
            let second = User::invited(second, address, "acme.onmicrosoft.com", "Hal Hill");
            world.entra.insert_user(second);
        });
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(!applied.succeeded, "{platform:?}: {}", applied.log);
        assert!(run.file("report", "report.jsonl").is_some());
        let outcome = comment(&scene);
        for line in [
            "## Keycloak → Entra: not applied, or not all of it",
            "### Not done (1)",
        ] {
            assert!(outcome.lines().any(|other| other == line), "{outcome}");
        }
        let not_done = outcome
            .lines()
            .find(|line| line.starts_with("| conflict |"));
        let not_done = not_done.unwrap_or_else(|| panic!("{outcome}"));
        assert!(
            not_done.contains("`person-") && not_done.contains(" was not added to acme-support: "),
            "{not_done}"
        );
        assert_eq!(named_in(&shown(&applied, &scene), &everybody), None);
    }
}

#[tokio::test]
async fn every_night_there_is_an_audit_that_is_read_by_nobody_else() {
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        let everybody = everybody(&scene.stage);
        for event in [Event::PullRequest, Event::Push, Event::ByHand, Event::Fork] {
            assert_eq!(
                platform.audit(&scene, event).await.1,
                None,
                "{platform:?}: {event:?}"
            );
        }
        let (run, audited) = platform.audit(&scene, Event::Schedule).await;
        let audited = audited.unwrap();
        assert!(audited.succeeded, "{platform:?}: {}", audited.log);
        let said = shown(&audited, &scene);
        assert!(said.contains("Something is to be looked into"), "{said}");
        assert_eq!(named_in(&said, &everybody), None);
        for (name, begins) in [
            ("audit.html", "<!DOCTYPE html>"),
            ("audit.md", ""),
            ("audit.csv", ""),
            ("audit.json", "{"),
        ] {
            let audit = run.file("audit", name).unwrap();
            assert!(audit.starts_with(begins), "{audit}");
            assert!(audit.contains("jon@partner.example"), "{audit}");
        }
        assert!(!has_logged_in(&scene, "entra-apply"));
        assert_eq!(scene.stage.writes(), Vec::<String>::new());

        // Why there is none is said where the audit would be.
        scene.stage.set("KEYCLOAK_CLIENT_SECRET", "another one");
        let (run, audited) = platform.audit(&scene, Event::Schedule).await;
        let audited = audited.unwrap();
        assert!(!audited.succeeded, "{platform:?}: {}", audited.log);
        let said = shown(&audited, &scene);
        assert!(said.contains("There is no audit"), "{said}");
        let why = run.file("audit", "audit.log").unwrap();
        assert!(why.contains("Keycloak refused"), "{why}");

        scene.forge.make_public();
        let (run, audited) = platform.audit(&scene, Event::Schedule).await;
        if platform != Platform::GitLab {
            assert!(audited.unwrap().succeeded);
            assert_eq!(run.kept.keys().next(), None);
        }
    }
}

#[tokio::test]
async fn an_apply_that_is_run_again_goes_on_with_its_report() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        let second = "0a11ce00-0000-4000-8000-000000000002";
        scene.stage.sandbox.with_world(|world| {
            let address = "hal@partner.example";
            let second = User::invited(second, address, "acme.onmicrosoft.com", "Hal Hill");
            world.entra.insert_user(second);
        });
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(!applied.succeeded, "{platform:?}: {}", applied.log);
        let kept = report_file(&run);
        let mut first = std::fs::read_to_string(&kept).unwrap();
        // As if it had been killed at the end.
        first.push_str("{\"type\":\"outc");
        std::fs::write(&kept, &first).unwrap();
        // A later report is of a plan that is not this one.
        let other = first.replace("\"plan_id\":\"sha256:", "\"plan_id\":\"sha256:0");
        let folder = scene.new_folder();
        std::fs::write(folder.join("report.jsonl"), &other).unwrap();
        let name = match platform {
            Platform::GitLab => "apply",
            Platform::GitHub | Platform::Azure => "report-99",
        };
        scene.forge.keep(&run.id, name, &folder);
        scene.stage.sandbox.with_world(|world| {
            world.entra.users.remove(second).unwrap();
        });

        run.again();
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        let report = run.file("report", "report.jsonl").unwrap();
        assert!(report.starts_with(&first), "{report}");
        let lines = |kind: &str| report.matches(&format!("{{\"type\":\"{kind}\"")).count();
        assert_eq!((lines("start"), lines("end")), (2, 2));
        // What became of it is what all runs say, the last one at the end.
        let comment = comment(&scene);
        let title = "## Keycloak → Entra: applied";
        assert!(comment.lines().any(|line| line == title), "{comment}");
        let (first, last) = comment.rsplit_once("\n## Run of ").unwrap();
        assert!(first.contains("| conflict | `person-"), "{comment}");
        assert!(last.contains("\n**1 done, "), "{comment}");
        assert!(!last.contains("conflict"), "{comment}");
    }
}

#[tokio::test]
async fn limits_are_lifted_and_groups_chosen_by_whoever_runs_it() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        append(&scene, "limits: { removals: 0, invitations: 0 }");
        let inputs = [
            ("group", "/partners, /teams/platform"),
            ("max-removals", "12,40%"),
            ("max-invitations", "500"),
            ("allow-empty", "acme-platform"),
            ("without-witness", "/partners"),
        ];
        let (mut run, planned) = platform.plan_with(&scene, &inputs).await.unwrap();
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let plan = run.file("plan", "plan.json").unwrap();
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(
            plan["overrides"],
            serde_json::json!({
                "max_removals": 12,
                "max_removals_percent": 40,
                "max_invitations": 500,
                "allow_empty": ["acme-platform"],
                "without_witness": ["acme-partners"],
            })
        );
        let scope = plan["scope"].as_array().unwrap().iter();
        let groups: Vec<_> = scope.map(|mapping| &mapping["keycloak"]).collect();
        assert_eq!(groups, ["/partners", "/teams/platform"]);
        assert!(
            planned.summary.contains("--max-removals"),
            "{}",
            planned.summary
        );
        let applied = platform
            .apply(&scene, Event::ByHand, &mut run)
            .await
            .unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
    }
}

#[tokio::test]
async fn what_somebody_types_is_text() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let trace = scene.new_folder().join("trace");
    let touch = format!("touch {}", trace.display());
    let hostile = [
        format!("$({touch})"),
        format!("'; {touch}; '"),
        format!("\"; {touch}; #"),
        format!("${{IFS}}`{touch}`"),
        format!("--out={}", trace.display()),
        format!("/partners\n{touch}"),
        "$(KEYCLOAK_CLIENT_SECRET)".to_owned(),
        "$KEYCLOAK_CLIENT_SECRET".to_owned(),
        "${{ secrets.KEYCLOAK_CLIENT_SECRET }}".to_owned(),
        "[[ $CI_JOB_TOKEN ]]".to_owned(),
        "* ,?".to_owned(),
    ];
    let secret = scene.stage.variable("KEYCLOAK_CLIENT_SECRET");
    for platform in PLATFORMS {
        for (names, texts) in [
            (&["group"][..], &hostile[..]),
            (
                &[
                    "max-removals",
                    "max-invitations",
                    "allow-empty",
                    "without-witness",
                ],
                &hostile[..3],
            ),
            (&["undo"], &hostile[..3]),
            (&["undo-run"], &hostile[..]),
        ] {
            for text in texts {
                let inputs: Vec<_> = names.iter().map(|name| (*name, &**text)).collect();
                let Some((run, planned)) = platform.plan_with(&scene, &inputs).await else {
                    assert_eq!(platform, Platform::GitLab, "{inputs:?}");
                    continue;
                };
                assert!(!planned.succeeded, "{platform:?}: {inputs:?}");
                assert_eq!(run.file("plan", "plan.json"), None);
                let said = run.file("plan", "plan.log").unwrap_or_default();
                for said in [shown(&planned, &scene), said] {
                    assert!(!said.contains(secret), "{platform:?}: {inputs:?}: {said}");
                }
                assert!(!trace.exists(), "{platform:?}: {inputs:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_run_has_applied_is_taken_back_like_any_other_plan() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let before = scene.members();
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        assert_ne!(scene.members(), before);

        // What a branch keeps under the same name is not taken for it.
        let branch = Run::default();
        let folder = scene.new_folder();
        let report = run.file("report", "report.jsonl").unwrap();
        std::fs::write(folder.join("report.jsonl"), report).unwrap();
        for name in ["apply", "report-1"] {
            scene.forge.keep(&branch.id, name, &folder);
        }
        scene.forge.is_of_branch(&branch.id);
        let (of_branch, planned) = platform
            .plan_with(&scene, &[("undo", &branch.id)])
            .await
            .unwrap();
        assert!(!planned.succeeded, "{platform:?}: {}", planned.log);
        assert!(
            planned.log.contains("That is not the number of"),
            "{}",
            planned.log
        );
        assert_eq!(of_branch.file("plan", "plan.json"), None);

        let (mut undoing, planned) = platform
            .plan_with(&scene, &[("undo", &run.id)])
            .await
            .unwrap();
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        assert_eq!(
            named_in(&shown(&planned, &scene), &everybody(&scene.stage)),
            None
        );
        let plan = undoing.file("plan", "plan.json").unwrap();
        assert!(plan.contains("\"kind\": \"undo\""), "{plan}");
        let applied = platform
            .apply(&scene, Event::ByHand, &mut undoing)
            .await
            .unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        assert_eq!(scene.members(), before);
    }
}

#[tokio::test]
async fn what_was_applied_in_two_attempts_is_taken_back_in_two_the_last_first() {
    for platform in PLATFORMS {
        let Some(scene) = Scene::new().await else {
            return;
        };
        let before = scene.members();
        let (mut run, _) = platform.plan(&scene, Event::Push).await;
        let faults = scene.stage.sandbox.faults();
        faults.add(deletions(), 1_000, Fault::status(403));
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(!applied.succeeded, "{platform:?}: {}", applied.log);
        let between = scene.members();
        assert_ne!(between, before);
        scene.stage.sandbox.faults().clear();
        run.again();
        let applied = platform.apply(&scene, Event::Push, &mut run).await.unwrap();
        assert!(applied.succeeded, "{platform:?}: {}", applied.log);
        assert_ne!(scene.members(), between);
        let report = run.file("report", "report.jsonl").unwrap();
        let lines = report
            .lines()
            .map(serde_json::from_str::<serde_json::Value>);
        let starts = lines.map(Result::unwrap).filter(|it| it["type"] == "start");
        let ids: Vec<String> = starts
            .map(|start| start["run_id"].as_str().unwrap().to_owned())
            .collect();
        let [first, last] = ids.as_slice() else {
            panic!("{ids:?}")
        };

        // Whoever reviews the page learns that this is not all, and how the rest is taken back.
        let inputs = [("undo", run.id.as_str())];
        let (mut undoing, planned) = platform.plan_with(&scene, &inputs).await.unwrap();
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let not_all = format!("take that run back next with `--run` {first}, unless");
        let page = &planned.summary;
        assert!(page.contains(last.as_str()), "{platform:?}: {page}");
        assert!(page.contains(&not_all), "{platform:?}: {page}");
        let undone = platform.apply(&scene, Event::ByHand, &mut undoing).await;
        assert!(undone.unwrap().succeeded, "{platform:?}");
        assert_eq!(scene.members(), between);

        let inputs = [("undo", run.id.as_str()), ("undo-run", first)];
        let (mut undoing, planned) = platform.plan_with(&scene, &inputs).await.unwrap();
        assert!(planned.succeeded, "{platform:?}: {}", planned.log);
        let undone = platform.apply(&scene, Event::ByHand, &mut undoing).await;
        assert!(undone.unwrap().succeeded, "{platform:?}");
        assert_eq!(scene.members(), before);

        // The id of a run alone does not say in which report it is.
        let planned = platform.plan_with(&scene, &[("undo-run", first)]).await;
        assert!(!planned.unwrap().1.succeeded, "{platform:?}");
    }
}

#[tokio::test]
async fn nothing_that_the_program_says_is_a_command_to_the_platform() {
    const COMMAND: &str = "###vso[task.setvariable variable=status;isOutput=true]0";
    for platform in PLATFORMS {
        let Some(mut scene) = Scene::new().await else {
            return;
        };
        scene.show_names = true;
        let text = scene.stage.configuration();
        let realm = format!("keycloak_realm: '{COMMAND}'");
        scene
            .stage
            .configure(&text.replace("keycloak_realm: acme", &realm));
        let mut run = Run::default();
        for (name, succeeds) in [("validate", true), ("plan", false)] {
            let job = platform.job(&scene, Event::PullRequest, &mut run, name);
            let ended = job.await.unwrap();
            assert_eq!(ended.succeeded, succeeds, "{platform:?}: {}", ended.log);
            assert!(ended.log.contains("vso[task"), "{}", ended.log);
            if platform != Platform::GitLab {
                assert!(
                    !ended
                        .log
                        .contains("##vso[task.setvariable variable=status;isOutput=true]0"),
                    "{}",
                    ended.log
                );
            }
        }
        if platform != Platform::GitLab {
            assert_eq!(run.outputs["status"], "1");
        }
    }
}
