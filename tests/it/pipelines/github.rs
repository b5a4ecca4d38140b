//! GitHub Actions, as far as the workflow uses it.

use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use super::condition::{holds, interpolate, value};
use super::forge::{COMMIT, NUMBER};
use super::scene::{
    Ended, Event, Run, Scene, Variables, entries, files_of, items, keep, read, text,
};

const WORKFLOW: &str = "github/keycloak-to-azure.yml";

/// A job on its machine.
struct Job<'a> {
    scene: &'a Scene,
    event: Event,
    environment: String,
    folder: PathBuf,
    /// `RUNNER_TEMP`.
    temporary: PathBuf,
    /// What is said of its steps, and of the jobs before it.
    outputs: Variables,
    inputs: Variables,
    run_id: String,
    run_attempt: String,
    path: String,
}

/// Runs a job, if it is to run.
pub async fn job(scene: &Scene, event: Event, run: &mut Run, name: &str) -> Option<Ended> {
    let workflow = read(WORKFLOW);
    let job = &workflow["jobs"][name];
    assert_eq!(workflow["permissions"], Value::Mapping(Mapping::default()));
    let needs = job["needs"].as_str();
    if needs.is_some_and(|needs| run.succeeded.get(needs) != Some(&true)) {
        return None;
    }
    let outputs = run.outputs.iter();
    let mut machine = Job {
        scene,
        event,
        environment: job["environment"].as_str().unwrap_or_default().to_owned(),
        folder: scene.new_folder(),
        temporary: scene.new_folder(),
        outputs: outputs
            .map(|(name, value)| (format!("needs.plan.outputs.{name}"), value.clone()))
            .collect(),
        inputs: inputs(&workflow, run),
        run_id: run.id.clone(),
        run_attempt: run.attempt.to_string(),
        path: String::new(),
    };
    let condition = job["if"].as_str().unwrap_or("always()");
    if !holds(condition, &|name| machine.what_is(name)) {
        return None;
    }
    let mut ended = Ended {
        succeeded: true,
        ..Ended::default()
    };
    for step in items(&job["steps"]) {
        machine.step(&workflow, job, step, run, &mut ended).await;
    }
    for (name, expression) in entries(&job["outputs"]) {
        let value = interpolate(&expression, &|name| machine.what_is(name));
        run.outputs.insert(name, value);
    }
    run.succeeded.insert(name.to_owned(), ended.succeeded);
    Some(ended)
}

/// What is said of each input of the workflow.
fn inputs(workflow: &Value, run: &Run) -> Variables {
    let inputs = workflow["on"]["workflow_dispatch"]["inputs"].as_mapping();
    let names = inputs.unwrap().keys().map(text);
    names
        .map(|name| (format!("inputs.{name}"), run.input(&name)))
        .collect()
}

impl Job<'_> {
    fn what_is(&self, name: &str) -> String {
        let Self { scene, event, .. } = self;
        let if_pull_request = |text: &str| {
            if event.is_pull_request() {
                text.to_owned()
            } else {
                String::new()
            }
        };
        if let Some(name) = name.strip_prefix("vars.") {
            return match name {
                "AZURE_CLIENT_ID" => scene.app(&self.environment),
                name => scene.variables().remove(name).unwrap(),
            };
        }
        if let Some(name) = name.strip_prefix("secrets.") {
            let mut secrets = scene.secrets();
            return secrets.remove(name).unwrap_or_default();
        }
        if name.starts_with("steps.") || name.starts_with("needs.") {
            return self.outputs.get(name).cloned().unwrap_or_default();
        }
        if name.starts_with("inputs.") {
            return self.inputs[name].clone();
        }
        match name {
            "github.event_name" => self.event_name().to_owned(),
            "github.ref" if event.is_pull_request() => "refs/pull/7/merge".to_owned(),
            "github.ref" => "refs/heads/main".to_owned(),
            "github.repository" => "acme/sync".to_owned(),
            "github.event.pull_request.number" => if_pull_request(NUMBER),
            "github.event.pull_request.head.repo.full_name" => match event {
                Event::Fork => "stranger/sync".to_owned(),
                _ => if_pull_request("acme/sync"),
            },
            "github.event.repository.private" => (!scene.forge.is_public()).to_string(),
            "github.server_url" => "https://github.com".to_owned(),
            "github.run_id" => self.run_id.clone(),
            "github.run_attempt" => self.run_attempt.clone(),
            "github.token" => "github-token".to_owned(),
            "runner.temp" => self.temporary.display().to_string(),
            other => panic!("{other} is not known here"),
        }
    }

    fn event_name(&self) -> &'static str {
        match self.event {
            Event::PullRequest | Event::Fork => "pull_request",
            Event::Push => "push",
            Event::Schedule => "schedule",
            Event::ByHand => "workflow_dispatch",
        }
    }

    async fn step(
        &mut self,
        workflow: &Value,
        job: &Value,
        step: &Value,
        run: &mut Run,
        ended: &mut Ended,
    ) {
        let condition = step["if"].as_str().unwrap_or("'true'");
        let condition = condition
            .strip_prefix("${{")
            .map_or(condition, |rest| rest.strip_suffix("}}").unwrap());
        let id = step["id"].as_str().unwrap_or("unnamed").to_owned();
        let is_reached = ended.succeeded || condition.contains("always()");
        let outcome = format!("steps.{id}.outcome");
        if !is_reached || !holds(condition, &|name| self.what_is(name)) {
            self.outputs.insert(outcome, "skipped".to_owned());
            return;
        }
        let succeeded = match step["uses"].as_str() {
            Some(action) => {
                self.action(action, &step["with"], &id, run);
                true
            }
            None => self.script(workflow, job, step, &id, ended).await,
        };
        let said = if succeeded { "success" } else { "failure" };
        self.outputs.insert(outcome, said.to_owned());
        ended.succeeded &= succeeded;
    }

    fn action(&mut self, action: &str, with: &Value, id: &str, run: &mut Run) {
        let what = |value: &Value| interpolate(&text(value), &|name| self.what_is(name));
        let (name, commit) = action.split_once('@').unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match name {
            "actions/checkout" => {
                assert_eq!(with["persist-credentials"], Value::Bool(false));
                self.scene.check_out(&self.folder);
            }
            "actions/upload-artifact" => {
                let folder = self.scene.new_folder();
                let files = what(&with["path"]);
                let files = files.lines().map(PathBuf::from).flat_map(files_of);
                keep(&files.collect::<Vec<_>>(), &folder);
                let artifact = what(&with["name"]);
                self.scene.forge.keep(&run.id, &artifact, &folder);
                run.kept.insert(artifact.clone(), folder);
                let output = format!("steps.{id}.outputs.artifact-id");
                self.outputs.insert(output, artifact);
            }
            "actions/download-artifact" => {
                let kept = &run.kept[&what(&with["artifact-ids"])];
                let into = what(&with["path"]);
                std::fs::create_dir_all(&into).unwrap();
                keep(&[kept.join("plan.json")], Path::new(&into));
            }
            other => panic!("{other} is not known here"),
        }
    }

    async fn script(
        &mut self,
        workflow: &Value,
        job: &Value,
        step: &Value,
        id: &str,
        ended: &mut Ended,
    ) -> bool {
        assert_eq!(workflow["defaults"]["run"]["shell"], "bash");
        let files = self.scene.new_folder();
        let file = |name: &str| files.join(name).display().to_string();
        let mut variables = Variables::new();
        for (name, value) in [
            ("CI", "true".to_owned()),
            ("PATH", self.path.clone()),
            ("GITHUB_ACTOR", "octocat".to_owned()),
            ("GITHUB_TRIGGERING_ACTOR", "hubot".to_owned()),
            ("GITHUB_RUN_ID", self.run_id.clone()),
            ("GITHUB_EVENT_NAME", self.event_name().to_owned()),
            ("GITHUB_REPOSITORY", "acme/sync".to_owned()),
            ("GITHUB_SHA", COMMIT.to_owned()),
            ("GITHUB_WORKSPACE", self.folder.display().to_string()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_PATH", file("path")),
            ("GITHUB_STEP_SUMMARY", file("summary")),
            ("RUNNER_TEMP", self.temporary.display().to_string()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        if job["permissions"]["id-token"] == "write" {
            let desk = format!("{}/oidc/{}?x=y", self.scene.forge.url, self.environment);
            variables.insert("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), desk);
            let token = "github-oidc".to_owned();
            variables.insert("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), token);
        }
        for (name, in_file) in entries(&workflow["env"]) {
            let value = self.scene.set_up(&name, &in_file);
            let value = interpolate(&value, &|name| self.what_is(name));
            variables.insert(name, value);
        }
        for (name, expression) in entries(&step["env"]) {
            variables.insert(name, interpolate(&expression, &|name| self.what_is(name)));
        }
        let script = text(&step["run"]);
        assert!(!script.contains("${{"), "{script}");
        let flags = ["-e", "-o", "pipefail"];
        let (succeeded, log) = self
            .scene
            .bash(&flags, &script, &self.folder, &variables)
            .await;
        ended.log.push_str(&log);
        let written = |name: &str| std::fs::read_to_string(files.join(name)).unwrap_or_default();
        ended.summary.push_str(&written("summary"));
        for line in written("path").lines() {
            self.path = format!("{line}:{}", self.path);
        }
        for line in written("output").lines() {
            let (name, value) = line.split_once('=').unwrap();
            let name = format!("steps.{id}.outputs.{name}");
            self.outputs.insert(name, value.to_owned());
        }
        succeeded
    }
}

#[test]
fn conditions_are_read_as_github_reads_them() {
    let nothing = |name: &str| panic!("{name}");
    assert_eq!(value("'a' == 'b' || !('a' != 'a') && 'c'", &nothing), "c");
}
