//! Azure Pipelines, as far as the pipeline uses it.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::condition::{holds, interpolate};
use super::forge::{COMMIT, NUMBER};
use super::scene::{
    Ended, Event, ISSUER_OF_AZURE, Run, Scene, Variables, entries, federated_token, files_of,
    items, keep, read, subject_of_azure, text,
};

const PIPELINE: &str = "azure/azure-pipelines.yml";

/// A job on its machine.
struct Job<'a> {
    scene: &'a Scene,
    folder: PathBuf,
    /// What `$(NAME)` stands for, secrets too.
    macros: Variables,
    /// What every script finds in its environment.
    variables: Variables,
    path: String,
}

/// Runs a job, if it is to run.
pub async fn job(scene: &Scene, event: Event, run: &mut Run, name: &str) -> Option<Ended> {
    let pipeline = read(PIPELINE);
    let is_it = |job: &Value| job["job"] == name || job["deployment"] == name;
    let stages = items(&pipeline["stages"]).iter();
    let (stage, job) = stages
        .flat_map(|stage| items(&stage["jobs"]).iter().map(move |job| (stage, job)))
        .find(|(_, job)| is_it(job))
        .unwrap();
    let mut machine = Job::new(scene, event, &pipeline, run);
    // Of the jobs before this one.
    let succeeded = run.succeeded.values().all(|succeeded| *succeeded);
    for condition in [stage, job].map(|part| part["condition"].as_str()) {
        let condition = condition.unwrap_or("succeeded()");
        if !holds(condition, &|name| machine.what_is(name, run, succeeded)) {
            return None;
        }
    }
    for variable in items(&job["variables"]) {
        let (name, value) = (text(&variable["name"]), text(&variable["value"]));
        let expression = value.strip_prefix("$[").unwrap().strip_suffix(']').unwrap();
        let value =
            super::condition::value(expression, &|name| machine.what_is(name, run, succeeded));
        machine.variables.insert(name.clone(), value.clone());
        machine.macros.insert(name, value);
    }
    let steps = match &job["steps"] {
        Value::Null => &job["strategy"]["runOnce"]["deploy"]["steps"],
        steps => steps,
    };
    let mut ended = Ended {
        succeeded: true,
        ..Ended::default()
    };
    for step in items(steps) {
        machine.step(step, run, &mut ended).await;
    }
    for (name, value) in &machine.macros {
        if let Some(output) = name.strip_prefix("plan.") {
            run.outputs.insert(output.to_owned(), value.clone());
        }
    }
    run.succeeded.insert(name.to_owned(), ended.succeeded);
    Some(ended)
}

/// Replaces every `$(NAME)` that is set; others stay as they are.
fn expand(text: &str, macros: &Variables) -> String {
    let mut parts = text.split("$(");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        let named = part.split_once(')');
        let set = named.and_then(|(name, rest)| Some((macros.get(name)?, rest)));
        let (value, rest) = set.map_or(("$(", part), |(value, rest)| (value.as_str(), rest));
        result.push_str(value);
        result.push_str(rest);
    }
    result
}

/// What was typed for `parameters.maxRemovals`, which is called `max-removals` on GitHub.
fn parameter(pipeline: &Value, run: &Run, name: &str) -> String {
    let name = name.strip_prefix("parameters.").unwrap();
    let parameters = items(&pipeline["parameters"]).iter();
    let parameter = parameters.filter(|parameter| parameter["name"] == name);
    assert_eq!(parameter.count(), 1, "{name}");
    let mut on_github = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            on_github.push('-');
        }
        on_github.push(c.to_ascii_lowercase());
    }
    run.input(&on_github)
}

impl<'a> Job<'a> {
    fn new(scene: &'a Scene, event: Event, pipeline: &Value, run: &Run) -> Self {
        let reason = match event {
            Event::PullRequest | Event::Fork => "PullRequest",
            Event::Push => "IndividualCI",
            Event::Schedule => "Schedule",
            Event::ByHand => "Manual",
        };
        let mut variables = Variables::new();
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
        set(
            "Agent.TempDirectory",
            &scene.new_folder().display().to_string(),
        );
        set("Build.BuildId", &run.id);
        set("Build.Reason", reason);
        set("Build.Repository.Id", "repository");
        set("Build.Repository.Provider", "TfsGit");
        set("Build.RequestedFor", "octocat");
        set("Build.SourceVersion", COMMIT);
        set(
            "Pipeline.Workspace",
            &scene.new_folder().display().to_string(),
        );
        set(
            "System.CollectionUri",
            &format!("{}/azure/", scene.forge.url),
        );
        set("System.DefinitionId", "3");
        set("System.JobAttempt", &run.attempt.to_string());
        set("System.TeamProjectId", "project");
        if event.is_pull_request() {
            let is_fork = if event == Event::Fork {
                "True"
            } else {
                "False"
            };
            set("System.PullRequest.PullRequestId", NUMBER);
            set("System.PullRequest.IsFork", is_fork);
            set("Build.SourceBranch", "refs/pull/7/merge");
        } else {
            set("Build.SourceBranch", "refs/heads/main");
        }
        for variable in items(&pipeline["variables"]) {
            match variable["group"].as_str() {
                Some("keycloak-to-azure") => variables.extend(scene.variables()),
                Some(other) => panic!("there is no group {other}"),
                None => {
                    let (name, in_file) = (text(&variable["name"]), text(&variable["value"]));
                    let value = interpolate(&in_file, &|name| parameter(pipeline, run, name));
                    variables.insert(name.clone(), scene.set_up(&name, &value));
                }
            }
        }
        // The connections say which.
        variables.remove("AZURE_TENANT_ID");
        let mut macros = variables.clone();
        macros.insert("System.AccessToken".to_owned(), "build-token".to_owned());
        if event != Event::Fork {
            macros.extend(scene.secrets());
        }
        // What a variable holds may name others.
        for value in variables.values_mut() {
            *value = expand(value, &macros);
        }
        Self {
            scene,
            folder: scene.new_folder(),
            macros,
            variables,
            path: String::new(),
        }
    }

    fn what_is(&self, name: &str, run: &Run, succeeded: bool) -> String {
        if name == "succeeded()" {
            return succeeded.to_string();
        }
        let of_review = name
            .strip_prefix("dependencies.review.outputs.plan.plan.")
            .or_else(|| name.strip_prefix("stageDependencies.review.plan.outputs.plan."));
        if let Some(output) = of_review {
            return run.outputs.get(output).cloned().unwrap_or_default();
        }
        let name = name
            .strip_prefix("variables.")
            .unwrap_or_else(|| panic!("{name} is not known here"));
        self.macros.get(name).cloned().unwrap_or_default()
    }

    fn expand(&self, text: &str) -> String {
        expand(text, &self.macros)
    }

    async fn step(&mut self, step: &Value, run: &mut Run, ended: &mut Ended) {
        let condition = step["condition"].as_str().unwrap_or("succeeded()");
        if !holds(condition, &|name| self.what_is(name, run, ended.succeeded)) {
            return;
        }
        let artifact = step["artifact"].as_str().map(|name| self.expand(name));
        if step["checkout"] == "self" {
            self.scene.check_out(&self.folder);
        } else if let Some(path) = step["publish"].as_str() {
            let files = files_of(PathBuf::from(self.expand(path)));
            let folder = self.scene.new_folder();
            keep(&files, &folder);
            let artifact = artifact.unwrap();
            self.scene.forge.keep(&run.id, &artifact, &folder);
            run.kept.insert(artifact, folder);
        } else if step["download"] == "current" {
            let into = PathBuf::from(&self.macros["Pipeline.Workspace"]);
            if let Some(artifact) = artifact {
                let into = into.join(&artifact);
                std::fs::create_dir_all(&into).unwrap();
                keep(&[run.kept[&artifact].join("plan.json")], &into);
            } else {
                assert_eq!(step["patterns"], "report-*/report.jsonl");
                self.reports(&run.id, &into);
            }
        } else if step["task"] == "DownloadPipelineArtifact@2" {
            let inputs = &step["inputs"];
            let input = |name: &str| self.expand(&text(&inputs[name]));
            let inputs = [
                ("buildType", "specific"),
                ("project", "project"),
                ("definition", "3"),
                ("buildVersionToDownload", "specific"),
                ("itemPattern", "report-*/report.jsonl"),
            ];
            for (name, value) in inputs {
                assert_eq!(input(name), value);
            }
            self.reports(&input("pipelineId"), Path::new(&input("targetPath")));
        } else {
            let succeeded = self.script(step, ended).await;
            ended.succeeded &= succeeded;
        }
    }

    /// Downloads the reports that a run has kept, each into a folder of its own.
    fn reports(&self, run: &str, into: &Path) {
        for (name, folder) in self.scene.forge.kept(run) {
            if name.starts_with("report-") {
                let into = into.join(&name);
                std::fs::create_dir_all(&into).unwrap();
                keep(&[folder.join("report.jsonl")], &into);
            }
        }
    }

    async fn script(&mut self, step: &Value, ended: &mut Ended) -> bool {
        let mut variables = Variables::new();
        for (name, value) in &self.variables {
            let name = name.to_uppercase().replace('.', "_");
            variables.insert(name, value.clone());
        }
        let status = if ended.succeeded {
            "Succeeded"
        } else {
            "Failed"
        };
        variables.insert("AGENT_JOBSTATUS".to_owned(), status.to_owned());
        variables.insert("PATH".to_owned(), self.path.clone());
        for (name, value) in entries(&step["env"]) {
            variables.insert(name, self.expand(&value));
        }
        let script = match step["task"].as_str() {
            Some("AzureCLI@2") => {
                let inputs = &step["inputs"];
                assert_eq!(inputs["addSpnToEnvironment"], Value::Bool(true));
                let connection = text(&inputs["azureSubscription"]);
                let token = federated_token(ISSUER_OF_AZURE, &subject_of_azure(&connection));
                variables.insert("idToken".to_owned(), token);
                variables.insert("servicePrincipalId".to_owned(), self.scene.app(&connection));
                let tenant = self.scene.stage.variable("AZURE_TENANT_ID").to_owned();
                variables.insert("tenantId".to_owned(), tenant);
                text(&inputs["inlineScript"])
            }
            Some(other) => panic!("{other} is not known here"),
            None => text(&step["bash"]),
        };
        let script = self.expand(&script);
        let (succeeded, log) = self
            .scene
            .bash(&[], &script, &self.folder, &variables)
            .await;
        for line in log.lines() {
            let Some((_, command)) = line.split_once("##vso[") else {
                continue;
            };
            let (command, value) = command.split_once(']').unwrap();
            self.obey(command, value, step["name"].as_str(), ended);
        }
        ended.log.push_str(&log);
        succeeded
    }

    fn obey(&mut self, command: &str, value: &str, step: Option<&str>, ended: &mut Ended) {
        match command.split_once(' ').unwrap_or((command, "")) {
            ("task.prependpath", _) => self.path = format!("{value}:{}", self.path),
            ("task.uploadsummary", _) => {
                ended
                    .summary
                    .push_str(&std::fs::read_to_string(value).unwrap());
            }
            ("task.logissue", "type=error") => {}
            ("task.setvariable", properties) => {
                let name = properties
                    .strip_prefix("variable=")
                    .and_then(|rest| rest.strip_suffix(";isOutput=true"))
                    .unwrap();
                let name = format!("{}.{name}", step.unwrap());
                self.macros.insert(name, value.to_owned());
            }
            other => panic!("{other:?} is not known here"),
        }
    }
}
