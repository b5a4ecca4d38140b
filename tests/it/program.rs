//! The whole program against two simulated services in the same process.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use keycloak_to_azure::cli::Cli;
use keycloak_to_azure::clock::Clock;
use keycloak_to_azure::commands::{self, Context, ExitStatus};
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::sandbox::{Options, RecordedRequest, Sandbox, Service, When, World, seed};
use keycloak_to_azure::ui::Ui;
use tempfile::TempDir;

use crate::contract::Recorder;

/// A folder with a configuration, and the two services that it names.
pub struct Stage {
    pub sandbox: Sandbox,
    pub contract: Recorder,
    pub folder: TempDir,
    /// Where the program keeps what is not of one folder.
    pub state: TempDir,
    pub variables: Vec<(String, String)>,
    /// What the program and both services go by.
    pub clock: Clock,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
#[must_use = "look at the status at least"]
pub struct Ended {
    pub status: u8,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// What a process that exited left behind.
    pub fn of(output: Output) -> Self {
        Self {
            status: u8::try_from(output.status.code().unwrap()).unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The requests that remove somebody from a group.
pub fn deletions() -> When {
    When::to(Service::Graph)
        .path("/$batch")
        .body("\"method\":\"DELETE\"")
}

impl Stage {
    /// The small company of the sandbox.
    pub async fn company() -> Self {
        Self::with(seed::world()).await
    }

    /// Any world that has the company's groups.
    pub async fn with(world: World) -> Self {
        Self::with_options(world, Options::default()).await
    }

    /// The same with a clock of its own, and more.
    pub async fn with_options(mut world: World, options: Options) -> Self {
        // What a run makes is newer than its plan, whose time is that of this machine.
        world.entra.behaviour.clock_start = jiff::Timestamp::now();
        let clock = options.clock.clone();
        let sandbox = Sandbox::start(world, options).await.unwrap();
        let folder = TempDir::new().unwrap();
        let (graph, keycloak) = (sandbox.graph_url(), sandbox.keycloak_url());
        let variables = sandbox.variables().unwrap();
        let state = TempDir::new().unwrap();
        let mut stage = Self {
            contract: Recorder::of(&sandbox),
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            sandbox,
            folder,
            state,
            clock,
        };
        let state = stage.state.path().to_str().unwrap().to_owned();
        stage.set("XDG_STATE_HOME", &state);
        stage.configure(&seed::config_yaml(&keycloak, &graph, &graph));
        stage
    }

    /// Writes another configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.path("config.yaml"), text).unwrap();
    }

    /// The configuration as it is.
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.path("config.yaml")).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> &str {
        let mut variables = self.variables.iter();
        let (_, value) = variables.find(|(other, _)| other == name).unwrap();
        value
    }

    /// Runs the program. A word `@name` is the file of that name in the folder.
    pub async fn run(&self, line: &str) -> Ended {
        self.run_with(line, quick()).await
    }

    pub async fn run_with(&self, line: &str, timing: Timing) -> Ended {
        self.run_in(self.variables.clone(), line, timing).await
    }

    /// Runs the program as on another machine, whose locks are its own.
    pub async fn run_elsewhere(&self, line: &str, timing: Timing) -> Ended {
        let elsewhere = TempDir::new().unwrap();
        let mut variables = self.variables.clone();
        for (name, value) in &mut variables {
            if name == "XDG_STATE_HOME" {
                elsewhere.path().to_str().unwrap().clone_into(value);
            }
        }
        self.run_in(variables, line, timing).await
    }

    async fn run_in(&self, variables: Vec<(String, String)>, line: &str, timing: Timing) -> Ended {
        let words = ["keycloak-to-azure".into()].into_iter();
        let cli = Cli::try_parse_from(words.chain(self.arguments(line))).unwrap();
        let (out, err) = (Captured::default(), Captured::default());
        let mut context = Context {
            ui: Ui::plain(Box::new(out.clone()), Box::new(err.clone())),
            variable: Box::new(move |name| {
                variables
                    .iter()
                    .find(|(other, _)| other == name)
                    .map(|(_, value)| value.clone())
            }),
            timing,
        };
        let status = match commands::run(cli, &mut context).await {
            Ok(status) => code(status),
            Err(error) => {
                context.ui.error(&error);
                1
            }
        };
        Ended {
            status,
            out: out.text(),
            err: err.text(),
        }
    }

    /// The binary in the folder, with the environment of the stage and nothing else, ready to be started.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("keycloak-to-azure"));
        command
            .args(self.arguments(line))
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// The words of a command line, with the configuration before them and the files of the folder in place of `@name`.
    fn arguments(&self, line: &str) -> impl Iterator<Item = OsString> {
        ["--config", "@config.yaml"]
            .into_iter()
            .chain(line.split_whitespace())
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.path(name).into_os_string(),
                None => word.into(),
            })
    }

    /// Runs the program with the waits that it has in earnest, on the clock of the services.
    pub async fn run_patiently(&self, line: &str) -> Ended {
        let timing = Timing {
            clock: self.clock.clone(),
            ..Timing::default()
        };
        // In real time this is seconds; a clock that stands still would wait for ever.
        let run = self.run_with(line, timing);
        tokio::time::timeout(Duration::from_secs(300), run)
            .await
            .expect("the run ends")
    }

    /// Everything of either service that is not a read: method and path, parts of batches one by one. Logins are reads.
    pub fn writes(&self) -> Vec<String> {
        self.sandbox.requests().iter().flat_map(writes_of).collect()
    }
}

fn code(status: ExitStatus) -> u8 {
    let codes = [0, 1, 2, 3, 4];
    let wanted = format!("{:?}", ExitCode::from(status));
    codes
        .into_iter()
        .find(|code| format!("{:?}", ExitCode::from(*code)) == wanted)
        .unwrap()
}

fn writes_of(request: &RecordedRequest) -> Vec<String> {
    let is_login = request.path.ends_with("/token") || request.path.ends_with("/logout");
    if request.method == reqwest::Method::GET || is_login {
        return Vec::new();
    }
    if request.service == Service::Graph && request.path.ends_with("/$batch") {
        let batch: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        return batch["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| {
                (
                    part["method"].as_str().unwrap(),
                    part["url"].as_str().unwrap(),
                )
            })
            .filter(|(method, _)| *method != "GET")
            .map(|(method, url)| format!("{method} {url}"))
            .collect();
    }
    vec![format!("{} {}", request.method, request.path)]
}

/// Waits that do not make a test slow.
pub fn quick() -> Timing {
    Timing {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        idle: Duration::from_secs(20),
        longest_retry_after: Duration::from_secs(2),
        ..Timing::default()
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
