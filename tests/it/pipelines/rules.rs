//! When the jobs of each pipeline run, as whom, one beside the other or not, and what they may: as it is meant, line by line. Whoever changes
//! that changes it here too.

use std::collections::BTreeSet;

use serde_yaml::Value;

use super::scene::{Run, items, read, read_text, text};

const GITHUB: &str = r"
on:
  pull_request:
    paths: [keycloak_to_azure.config.yaml]
  push:
    branches: [main]
    paths: [keycloak_to_azure.config.yaml]
  schedule:
  - cron: '23 4 * * *'
  workflow_dispatch:
    inputs:
      group: {}
      max-removals: {}
      max-invitations: {}
      allow-empty: {}
      without-witness: {}
      undo: {}
      undo-run: {}
permissions: {}
jobs:
  validate:
    timeout-minutes: 10
    permissions:
      contents: read
  plan:
    needs: validate
    if: github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository
    timeout-minutes: 60
    environment: entra-plan
    concurrency:
      group: keycloak-to-azure-plan-${{ github.ref }}
      cancel-in-progress: ${{ github.event_name == 'pull_request' }}
    permissions:
      actions: read
      contents: read
      id-token: write
      pull-requests: write
  audit:
    needs: validate
    if: github.event_name == 'schedule'
    timeout-minutes: 60
    environment: entra-plan
    permissions:
      contents: read
      id-token: write
  apply:
    needs: plan
    if: >-
      github.ref == 'refs/heads/main' && (github.event_name == 'push' || github.event_name == 'workflow_dispatch')
      && needs.plan.outputs.status == '2' && needs.plan.outputs.artifact-id != ''
    timeout-minutes: 350
    environment: entra-apply
    concurrency:
      group: keycloak-to-azure-apply
      cancel-in-progress: false
    permissions:
      actions: read
      contents: read
      id-token: write
      pull-requests: write
";

const GITLAB: &str = r#"
workflow:
  rules:
  - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    changes: [keycloak_to_azure.config.yaml]
  - if: $CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
    changes: [keycloak_to_azure.config.yaml]
  - if: $CI_PIPELINE_SOURCE =~ /^(schedule|web)$/ && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
stages: [validate, plan, apply]
.keycloak-to-azure:
  timeout: 1 hour
.entra:
  extends: .keycloak-to-azure
  id_tokens:
    ENTRA_TOKEN:
      aud: api://AzureADTokenExchange
.report: {}
.earlier: {}
.comment: {}
validate:
  extends: .keycloak-to-azure
  stage: validate
plan:
  extends: .entra
  stage: plan
  rules:
  - if: $CI_PIPELINE_SOURCE != "merge_request_event" || $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID
  environment:
    name: entra-plan
    action: access
  artifacts:
    when: always
    access: developer
    expire_in: 30 days
audit:
  extends: .entra
  stage: plan
  rules:
  - if: $CI_PIPELINE_SOURCE == "schedule"
  environment:
    name: entra-plan
    action: access
  artifacts:
    when: always
    access: developer
    expire_in: 1 year
apply:
  extends: .entra
  stage: apply
  needs: [plan]
  rules:
  - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE =~ /^(push|web)$/
    when: manual
  environment:
    name: entra-apply
  resource_group: keycloak-to-azure
  interruptible: false
  timeout: 6 hours
  artifacts:
    when: always
    access: developer
    expire_in: 1 year
"#;

const AZURE: &str = r"
trigger:
  branches:
    include: [main]
  paths:
    include: [keycloak_to_azure.config.yaml]
pr:
  branches:
    include: [main]
  paths:
    include: [keycloak_to_azure.config.yaml]
schedules:
- cron: '23 4 * * *'
  branches:
    include: [main]
  always: 'true'
stages:
- stage: review
  jobs:
  - job: validate
    timeoutInMinutes: '10'
  - job: plan
    dependsOn: validate
    condition: and(succeeded(), ne(variables['System.PullRequest.IsFork'], 'True'))
    timeoutInMinutes: '60'
  - job: audit
    dependsOn: validate
    condition: and(succeeded(), eq(variables['Build.Reason'], 'Schedule'))
    timeoutInMinutes: '60'
- stage: apply
  dependsOn: review
  condition: >-
    and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'),
    in(variables['Build.Reason'], 'IndividualCI', 'BatchedCI', 'Manual'),
    eq(dependencies.review.outputs['plan.plan.status'], '2'),
    eq(dependencies.review.outputs['plan.plan.visibility'], 'private'))
  lockBehavior: runLatest
  jobs:
  - deployment: apply
    environment: entra-apply
    timeoutInMinutes: '120'
    strategy:
      runOnce:
        deploy: {}
";

/// What is left of a pipeline without these keys, wherever they are.
fn without(value: &Value, keys: &[&str]) -> Value {
    match value {
        Value::Mapping(mapping) => {
            let left = mapping.iter();
            let left = left.filter(|(key, _)| !keys.contains(&&*text(key)));
            let left = left.map(|(key, value)| (key.clone(), without(value, keys)));
            Value::Mapping(left.collect())
        }
        Value::Sequence(items) => items.iter().map(|item| without(item, keys)).collect(),
        other => other.clone(),
    }
}

fn assert_is(pipeline: &Value, details: &[&str], meant: &str) {
    let meant: Value = serde_yaml::from_str(meant).unwrap();
    let is = without(pipeline, details);
    let show = |value: &Value| serde_yaml::to_string(value).unwrap();
    assert!(is == meant, "{}\nis not\n{}", show(&is), show(&meant));
}

/// Everything in a value that follows a word, up to the end of a name.
fn named(value: &Value, word: &str) -> BTreeSet<String> {
    let text = serde_yaml::to_string(value).unwrap();
    let parts = text.split(word).skip(1);
    let is_of_name = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
    parts
        .map(|part| part.chars().take_while(is_of_name).collect())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The commits that a job checks out, where it does; none is what its run is about.
fn refs(steps: &[Value], is_checkout: impl Fn(&Value) -> bool) -> Vec<Option<&str>> {
    let checkouts = steps.iter().filter(|step| is_checkout(step));
    checkouts.map(|step| step["with"]["ref"].as_str()).collect()
}

const KEYCLOAK: &str = "KEYCLOAK_CLIENT_SECRET";
const KEY: &str = "KEYCLOAK_TO_AZURE_REDACT_KEY";

#[test]
fn the_jobs_on_github_may_what_they_are_meant_to() {
    let workflow = read("github/keycloak-to-azure.yml");
    let details = [
        "name",
        "env",
        "defaults",
        "steps",
        "outputs",
        "description",
        "runs-on",
    ];
    assert_is(&workflow, &details, GITHUB);
    for (name, secrets, commit) in [
        ("validate", &[][..], None),
        ("plan", &[KEYCLOAK, KEY], None),
        ("audit", &[KEYCLOAK], None),
        ("apply", &[KEYCLOAK, KEY], Some("main")),
    ] {
        let job = &workflow["jobs"][name];
        assert_eq!(named(job, "secrets."), set(secrets), "{name}");
        let is_checkout = |step: &Value| {
            let action = step["uses"].as_str().unwrap_or_default();
            action.starts_with("actions/checkout@")
        };
        assert_eq!(refs(items(&job["steps"]), is_checkout), [commit], "{name}");
    }
    assert_eq!(named(&workflow["env"], "secrets."), set(&[]));
}

#[test]
fn the_jobs_on_gitlab_may_what_they_are_meant_to() {
    let pipeline = super::gitlab::read(&Run::default()).unwrap();
    let details = [
        "variables",
        "script",
        "before_script",
        "paths",
        "reports",
        "expose_as",
        "image",
    ];
    assert_is(&pipeline, &details, GITLAB);
}

#[test]
fn the_jobs_on_azure_may_what_they_are_meant_to() {
    let pipeline = read("azure/azure-pipelines.yml");
    let details = ["parameters", "variables", "steps", "pool", "displayName"];
    assert_is(&pipeline, &details, AZURE);
    let jobs = &pipeline["stages"][0]["jobs"];
    let apply = &pipeline["stages"][1]["jobs"][0]["strategy"]["runOnce"]["deploy"]["steps"];
    for (steps, connections, secrets) in [
        (&jobs[0]["steps"], &[][..], &[][..]),
        (&jobs[1]["steps"], &["entra-plan"], &[KEYCLOAK, KEY]),
        (&jobs[2]["steps"], &["entra-plan"], &[KEYCLOAK]),
        (apply, &["entra-apply"], &[KEYCLOAK, KEY]),
    ] {
        assert_eq!(named(steps, "azureSubscription: "), set(connections));
        assert_eq!(named(steps, "$(KEYCLOAK_"), {
            let secrets = secrets.iter();
            let rest = secrets.map(|name| name.trim_start_matches("KEYCLOAK_").to_owned());
            rest.collect()
        });
        let steps = items(steps);
        // What the run is about, which is main for whatever is applied.
        assert_eq!(refs(steps, |step| step["checkout"] == "self"), [None]);
        assert_eq!(refs(steps, |step| !step["checkout"].is_null()), [None]);
    }
}

#[test]
fn actions_are_those_that_this_repository_uses_itself() {
    let folder = format!("{}/.github/workflows", env!("CARGO_MANIFEST_DIR"));
    let ours = std::fs::read_dir(folder).unwrap();
    let ours = ours.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let ours = actions(&ours.collect::<String>());
    let theirs = actions(&read_text("github/keycloak-to-azure.yml"));
    assert_eq!(theirs.len(), 3);
    for (name, version) in &theirs {
        let mut same = ours.iter().filter(|(other, _)| other == name).peekable();
        assert!(same.peek().is_some(), "{name}");
        for (_, other) in same {
            assert_eq!(version, other, "{name}");
        }
    }
}

/// The actions of workflows, each with its commit and the version that is said of it.
fn actions(workflows: &str) -> BTreeSet<(String, String)> {
    let lines = workflows.lines().map(str::trim_start);
    let uses = lines.filter_map(|line| line.trim_start_matches("- ").strip_prefix("uses: "));
    let actions = uses.map(|action| {
        let (name, version) = action.split_once('@').unwrap();
        let (commit, version_said) = version.split_once(" # v").unwrap();
        assert!(
            commit.len() == 40 && version_said.matches('.').count() == 2,
            "{action}"
        );
        (name.to_owned(), version.to_owned())
    });
    actions.collect()
}
