//! GitLab CI, as far as the pipeline uses it.

use std::path::PathBuf;

use serde_json::json;
use serde_yaml::Value;

use super::condition::holds;
use super::forge::{COMMIT, NUMBER};
use super::scene::{
    Ended, Event, ISSUER_OF_GITLAB, Run, Scene, Variables, entries, federated_token, items, keep,
    read_text, subject_of_gitlab, text,
};

const PIPELINE: &str = "gitlab/.gitlab-ci.yml";

/// The pipeline with what was typed for its inputs, unless that is refused.
pub fn read(run: &Run) -> Option<Value> {
    let file = read_text(PIPELINE);
    let (head, pipeline) = file.split_once("\n---\n").unwrap();
    let (head, mut pipeline): (Value, _) =
        (serde_yaml::from_str(head).unwrap(), pipeline.to_owned());
    for (name, input) in head["spec"]["inputs"].as_mapping().unwrap() {
        let name = text(name);
        let typed = run.input(&name);
        assert_eq!(input["default"], "");
        let pattern = json!({"type": "string", "pattern": text(&input["regex"])});
        if !jsonschema::is_valid(&pattern, &json!(typed)) {
            return None;
        }
        pipeline = pipeline.replace(&format!("$[[ inputs.{name} ]]"), &typed);
    }
    assert!(!pipeline.contains("$[["));
    Some(serde_yaml::from_str(&pipeline).unwrap())
}

/// Runs a job, if it is to run.
pub async fn job(scene: &Scene, event: Event, run: &mut Run, name: &str) -> Option<Ended> {
    let pipeline = read(run)?;
    let job = &pipeline[name];
    let environment = job["environment"]["name"].as_str();
    let mut variables = variables(scene, event, environment);
    for (name, in_file) in entries(&pipeline["variables"]) {
        variables.insert(name.clone(), scene.set_up(&name, &in_file));
    }
    assert!(applies(&pipeline["workflow"]["rules"], &variables));
    let earlier_succeeded = run.succeeded.values().all(|succeeded| *succeeded);
    if !earlier_succeeded || !applies(&job["rules"], &variables) {
        return None;
    }
    let branch = if event == Event::PullRequest {
        "more-people"
    } else {
        "main"
    };
    for (name, claims) in inherited(&pipeline, job, "id_tokens")
        .as_mapping()
        .into_iter()
        .flatten()
    {
        assert_eq!(claims["aud"], "api://AzureADTokenExchange");
        let token = federated_token(ISSUER_OF_GITLAB, &subject_of_gitlab(branch));
        variables.insert(text(name), token);
    }
    for (name, value) in entries(&job["variables"]) {
        variables.insert(name, value);
    }
    variables.insert("CI_PIPELINE_ID".to_owned(), run.id.clone());
    variables.extend(run.outputs.clone());

    let folder = scene.new_folder();
    scene.check_out(&folder);
    for needed in items(&job["needs"]) {
        let kept = &run.kept[needed.as_str().unwrap()];
        std::fs::create_dir_all(folder.join("review")).unwrap();
        keep(
            &[kept.join("plan.md"), kept.join("plan.json")],
            &folder.join("review"),
        );
    }
    let mut script = lines(&pipeline, inherited(&pipeline, job, "before_script"));
    script.extend(lines(&pipeline, &job["script"]));
    let flags = ["-e", "-o", "pipefail"];
    let (succeeded, log) = scene
        .bash(&flags, &script.join("\n"), &folder, &variables)
        .await;

    let artifacts = &job["artifacts"];
    let mut summary = String::new();
    if !artifacts.is_null() {
        assert_eq!(
            (&artifacts["when"], &artifacts["access"]),
            (&"always".into(), &"developer".into())
        );
        let paths = items(&artifacts["paths"]).iter();
        let files: Vec<PathBuf> = paths.map(|path| folder.join(text(path))).collect();
        let into = scene.new_folder();
        keep(&files, &into);
        summary = std::fs::read_to_string(into.join("plan.md")).unwrap_or_default();
        scene.forge.keep(&run.id, name, &into);
        let artifact = if name == "apply" { "report" } else { name };
        run.kept.insert(artifact.to_owned(), into);
        if let Some(file) = artifacts["reports"]["dotenv"].as_str() {
            let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            for line in text.lines() {
                let (name, value) = line.split_once('=').unwrap();
                run.outputs.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    run.succeeded.insert(name.to_owned(), succeeded);
    Some(Ended {
        succeeded,
        log,
        summary,
    })
}

fn variables(scene: &Scene, event: Event, environment: Option<&str>) -> Variables {
    let source = match event {
        Event::PullRequest | Event::Fork => "merge_request_event",
        Event::Push => "push",
        Event::Schedule => "schedule",
        Event::ByHand => "web",
    };
    let visibility = if scene.forge.is_public() {
        "public"
    } else {
        "private"
    };
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("CI", "true");
    set("CI_API_V4_URL", &format!("{}/gitlab", scene.forge.url));
    set("CI_COMMIT_SHA", COMMIT);
    set("CI_DEFAULT_BRANCH", "main");
    set("CI_JOB_TOKEN", "job-token");
    set("CI_JOB_URL", "https://gitlab.com/acme/sync/-/jobs/12");
    set("CI_PIPELINE_SOURCE", source);
    set("CI_PROJECT_VISIBILITY", visibility);
    set("CI_PROJECT_ID", "5");
    set("GITLAB_USER_LOGIN", "octocat");
    if event.is_pull_request() {
        let from = if event == Event::Fork { "9" } else { "5" };
        // The pipeline of a fork runs in the fork.
        set("CI_PROJECT_ID", from);
        set("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", from);
        set("CI_MERGE_REQUEST_PROJECT_ID", "5");
        set("CI_MERGE_REQUEST_IID", NUMBER);
    } else {
        set("CI_COMMIT_BRANCH", "main");
    }
    if event == Event::Fork {
        return variables;
    }
    if let Some(environment) = environment {
        set("AZURE_CLIENT_ID", &scene.app(environment));
        set("COMMENT_TOKEN", "comment-token");
        variables.extend(scene.secrets());
    }
    variables.extend(scene.variables());
    variables
}

/// Whether the first rule that fits lets a job, or the pipeline, run; without rules it does.
fn applies(rules: &Value, variables: &Variables) -> bool {
    let what_is = |name: &str| variables.get(name).cloned().unwrap_or_default();
    let fits = |rule: &Value| holds(&text(&rule["if"]), &what_is);
    rules.is_null() || items(rules).iter().any(fits)
}

fn inherited<'a>(pipeline: &'a Value, job: &'a Value, key: &str) -> &'a Value {
    match job["extends"].as_str() {
        Some(base) if job[key].is_null() => inherited(pipeline, &pipeline[base], key),
        _ => &job[key],
    }
}

/// The parts of a script, with those that it refers to.
fn lines(pipeline: &Value, script: &Value) -> Vec<String> {
    let parts = items(script).iter();
    parts
        .flat_map(|part| match part {
            Value::Tagged(reference) => {
                assert_eq!(reference.tag, "reference");
                let [job, key] = items(&reference.value) else {
                    panic!("{reference:?}")
                };
                lines(pipeline, &pipeline[text(job).as_str()][text(key).as_str()])
            }
            part => vec![text(part)],
        })
        .collect()
}
