//! What all platforms have in common: two apps that trust jobs of one repository each, a configuration in it, and machines that run a
//! job's scripts with the tools that a platform's image has.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keycloak_to_azure::sandbox::graph::{App, FederatedCredential};
use serde_json::json;
use serde_yaml::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

use super::forge::Forge;
use crate::program::Stage;
use crate::wire::Authority;

pub const CONFIG: &str = "keycloak_to_azure.config.yaml";
pub const REDACT_KEY: &str = "a long text that nobody guesses";
pub const ISSUER_OF_GITHUB: &str = "https://token.actions.githubusercontent.com";
pub const ISSUER_OF_GITLAB: &str = "https://gitlab.com";
pub const ISSUER_OF_AZURE: &str = "https://vstoken.dev.azure.com/organisation";
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// The app that only reads.
const READER: &str = "0a11ce00-0000-4000-8000-000000000001";

/// What sets a pipeline off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    PullRequest,
    /// A pull request from somebody else's copy of the repository.
    Fork,
    /// On main.
    Push,
    Schedule,
    ByHand,
}

impl Event {
    pub fn is_pull_request(self) -> bool {
        matches!(self, Self::PullRequest | Self::Fork)
    }
}

/// A run of a pipeline: what its jobs leave to later ones.
#[derive(Debug)]
pub struct Run {
    pub id: String,
    pub attempt: u32,
    /// What somebody has typed who runs it by hand, by its name on GitHub.
    pub inputs: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    /// The folders with what was kept, by name.
    pub kept: BTreeMap<String, PathBuf>,
    /// Whether each job so far succeeded.
    pub succeeded: BTreeMap<String, bool>,
}

impl Default for Run {
    fn default() -> Self {
        static RUNS: AtomicUsize = AtomicUsize::new(12);
        Self {
            id: RUNS.fetch_add(1, Ordering::Relaxed).to_string(),
            attempt: 1,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            kept: BTreeMap::new(),
            succeeded: BTreeMap::new(),
        }
    }
}

impl Run {
    /// Somebody runs again what has failed.
    pub fn again(&mut self) {
        self.attempt += 1;
        self.succeeded.retain(|_, succeeded| *succeeded);
    }

    /// What was typed for an input.
    pub fn input(&self, name: &str) -> String {
        self.inputs.get(name).cloned().unwrap_or_default()
    }

    /// A file of what was kept last.
    pub fn file(&self, artifact: &str, name: &str) -> Option<String> {
        let mut kept = self.kept.iter().rev();
        let (_, folder) = kept.find(|(kept, _)| kept.starts_with(artifact))?;
        std::fs::read_to_string(folder.join(name)).ok()
    }
}

/// How a job went, what it printed, and what it showed beside that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    pub succeeded: bool,
    pub log: String,
    pub summary: String,
}

pub type Variables = BTreeMap<String, String>;

pub struct Scene {
    pub stage: Stage,
    pub forge: Forge,
    pub show_names: bool,
    pub redact_key: Option<&'static str>,
    /// The digest of the release as the pipeline has it.
    pub sha256: String,
    /// The certificates of a private authority that the repository holds, if it holds any.
    pub authority: Option<Authority>,
    folder: TempDir,
    writer: String,
    folders: Cell<usize>,
}

impl Scene {
    /// Who is in which group of Entra, by their ids.
    pub fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.stage.sandbox.with_world(|world| {
            let groups = world.entra.groups.values();
            groups
                .map(|group| (group.id.clone(), group.members.clone()))
                .collect()
        })
    }

    /// Nothing, and that is said, where the tools of the platforms' images are missing.
    pub async fn new() -> Option<Self> {
        let is_there = |tool: &str| {
            let path = std::env::var_os("PATH").unwrap();
            std::env::split_paths(&path).any(|folder| folder.join(tool).exists())
        };
        let tools = ["bash", "curl", "jq", "sha256sum", "tar", "sed"];
        if let Some(missing) = tools.into_iter().find(|tool| !is_there(tool)) {
            let words = format!("SKIPPED, no pipeline was run: {missing} is not installed");
            assert!(std::env::var_os("CI").is_none(), "{words}");
            // Not by `eprintln!`, which the test harness keeps to itself.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "{words}").unwrap();
            return None;
        }
        let stage = Stage::company().await;
        let writer = stage.variable("AZURE_CLIENT_ID").to_owned();
        stage.sandbox.with_world(|world| {
            let apps = &mut world.entra.apps;
            apps[0].federated_credentials = trusted("entra-apply", &["main"]);
            "nobody has it".clone_into(&mut apps[0].client_secret);
            apps.push(App {
                client_id: READER.to_owned(),
                client_secret: "nobody has it either".to_owned(),
                roles: ["User.Read.All", "GroupMember.Read.All"]
                    .map(str::to_owned)
                    .into(),
                federated_credentials: trusted("entra-plan", &["main", "more-people"]),
                ..App::default()
            });
        });
        let folder = TempDir::new().unwrap();
        let release = release(folder.path());
        let mut sha256 = String::new();
        for byte in Sha256::digest(&release) {
            write!(sha256, "{byte:02x}").unwrap();
        }
        let scene = Self {
            forge: Forge::open(release).await,
            stage,
            show_names: false,
            redact_key: Some(REDACT_KEY),
            sha256,
            authority: None,
            folder,
            writer,
            folders: Cell::new(0),
        };
        scene.tool("gh", GH);
        scene.tool("apt-get", "#!/usr/bin/env bash\n");
        Some(scene)
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.folder.path().join("tools").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// A folder that is empty.
    pub fn new_folder(&self) -> PathBuf {
        self.folders.set(self.folders.get() + 1);
        let path = self.folder.path().join(self.folders.get().to_string());
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Puts the repository into a folder.
    pub fn check_out(&self, folder: &Path) {
        std::fs::write(folder.join(CONFIG), self.stage.configuration()).unwrap();
        if let Some(authority) = &self.authority {
            authority.write_certificate(&folder.join("ca.pem"));
        }
    }

    /// What is set for the whole repository.
    pub fn variables(&self) -> Variables {
        let mut variables = Variables::new();
        for name in ["AZURE_TENANT_ID", "KEYCLOAK_CLIENT_ID"] {
            variables.insert(name.to_owned(), self.stage.variable(name).to_owned());
        }
        variables.insert("SHOW_NAMES".to_owned(), self.show_names.to_string());
        variables
    }

    /// The app that an environment, or a service connection, logs in as.
    pub fn app(&self, environment: &str) -> String {
        match environment {
            "entra-plan" => READER.to_owned(),
            "entra-apply" => self.writer.clone(),
            other => panic!("there is no environment {other}"),
        }
    }

    /// The secrets of each environment.
    pub fn secrets(&self) -> Variables {
        let mut secrets = Variables::new();
        let keycloak = self.stage.variable("KEYCLOAK_CLIENT_SECRET");
        secrets.insert("KEYCLOAK_CLIENT_SECRET".to_owned(), keycloak.to_owned());
        if let Some(key) = self.redact_key {
            secrets.insert("KEYCLOAK_TO_AZURE_REDACT_KEY".to_owned(), key.to_owned());
        }
        secrets
    }

    /// What a reader of the head comment sets in the file itself.
    pub fn set_up(&self, name: &str, in_file: &str) -> String {
        match name {
            "RELEASES" => format!("{}/releases", self.forge.url),
            "VERSION" => "1.2.3".to_owned(),
            "SHA256" => self.sha256.clone(),
            _ => in_file.to_owned(),
        }
    }

    /// Runs a script with these variables and nothing else; whether it succeeded, and what it printed.
    pub async fn bash(
        &self,
        flags: &[&str],
        script: &str,
        folder: &Path,
        variables: &Variables,
    ) -> (bool, String) {
        let file = self.new_folder().join("script.sh");
        std::fs::write(&file, script).unwrap();
        let tools = self.folder.path().join("tools");
        let before = variables
            .get("PATH")
            .map(String::as_str)
            .unwrap_or_default();
        let path = format!(
            "{before}:{}:{}",
            tools.display(),
            std::env::var("PATH").unwrap()
        );
        let output = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .args(flags)
            .arg(&file)
            .current_dir(folder)
            .env_clear()
            .envs(variables)
            .env("PATH", path.trim_start_matches(':'))
            .env("HOME", folder)
            .env("FORGE", &self.forge.url)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }
}

/// Whose tokens an app trusts.
fn trusted(environment: &str, branches: &[&str]) -> Vec<FederatedCredential> {
    let credential = |issuer: &str, subject: String| FederatedCredential {
        issuer: issuer.to_owned(),
        subject,
        audience: AUDIENCE.to_owned(),
    };
    let mut credentials = vec![
        credential(
            ISSUER_OF_GITHUB,
            format!("repo:acme/sync:environment:{environment}"),
        ),
        credential(ISSUER_OF_AZURE, subject_of_azure(environment)),
    ];
    for branch in branches {
        credentials.push(credential(ISSUER_OF_GITLAB, subject_of_gitlab(branch)));
    }
    credentials
}

pub fn subject_of_gitlab(branch: &str) -> String {
    format!("project_path:acme/sync:ref_type:branch:ref:{branch}")
}

pub fn subject_of_azure(connection: &str) -> String {
    format!("sc://organisation/project/{connection}")
}

/// A platform's word for a job; nobody checks who signed it.
pub fn federated_token(issuer: &str, subject: &str) -> String {
    let claims = json!({"iss": issuer, "sub": subject, "aud": AUDIENCE, "exp": 4_102_444_800_u64});
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJub25lIn0.{claims}.c2lnbmF0dXJl")
}

/// The program as a release has it, but for its size.
fn release(folder: &Path) -> Vec<u8> {
    const NAME: &str = "keycloak-to-azure-1.2.3-x86_64-unknown-linux-musl";
    let binary = assert_cmd::cargo::cargo_bin!("keycloak-to-azure");
    let program = folder.join(NAME).join("keycloak-to-azure");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(binary, program).unwrap();
    let archive = folder.join("release.tar.gz");
    let packed = std::process::Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(folder)
        .arg(NAME)
        .status();
    assert!(packed.unwrap().success());
    std::fs::read(archive).unwrap()
}

/// A pipeline as it is in the repository.
pub fn read(name: &str) -> Value {
    serde_yaml::from_str(&read_text(name)).unwrap()
}

pub fn read_text(name: &str) -> String {
    let path = format!("{}/fixtures/pipelines/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A value of a pipeline that has to be a text.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => {
            serde_yaml::to_string(value).unwrap().trim().to_owned()
        }
        other => panic!("{other:?} is no text"),
    }
}

/// The entries of a mapping, or none.
pub fn entries(value: &Value) -> Vec<(String, String)> {
    let Some(mapping) = value.as_mapping() else {
        return Vec::new();
    };
    let entries = mapping.iter();
    entries
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// The items of a list, or none.
pub fn items(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

/// A file, or those of a folder.
pub fn files_of(path: PathBuf) -> Vec<PathBuf> {
    if path.is_dir() {
        let entries = path.read_dir().unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![path]
    }
}

/// Copies files into a folder that keeps them, those that are there, by the last part of their path.
pub fn keep(files: &[PathBuf], folder: &Path) {
    for file in files.iter().filter(|file| file.exists()) {
        std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
}

/// `gh api` and `gh run download`, as far as the pipelines use them.
const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
if [[ $1 == run ]]; then
    [[ "$2 $4 $5 $6 $8" == 'download --repo acme/sync --pattern --dir' ]]
    found=no
    while IFS=$'\t' read -r name folder; do
        if [[ $name == $7 ]]; then mkdir -p "$9" && cp -r "$folder" "$9/$name" && found=yes; fi
    done < <("$0" api "repos/acme/sync/actions/runs/$3/artifacts" | jq -r '.artifacts[] | [.name, .folder] | @tsv')
    [[ $found == yes ]]
    exit
fi
[[ $1 == api ]]
shift
method=GET body='' pages='' path=''
while (($#)); do
    case $1 in
        --silent) ;;
        --paginate) pages=all ;;
        --method) method=$2 && shift ;;
        -F) body=${2#body=@} && shift ;;
        *) path=$1 ;;
    esac
    shift
done
call() { curl -fsS -H "Authorization: Bearer $GH_TOKEN" "$@"; }
if [[ $body ]]; then
    jq -Rs '{body: .}' "$body" | call -X "$method" "$FORGE/github/$path" --data @- >/dev/null
elif [[ $pages ]]; then
    number=1
    while answer=$(call "$FORGE/github/$path&page=$number") && [[ $answer != '[]' ]]; do
        printf '%s' "$answer"
        number=$((number + 1))
    done
else
    call "$FORGE/github/$path"
fi
"#;
