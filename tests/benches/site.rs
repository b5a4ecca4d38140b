//! Two simulated services, a configuration that names them, and the program beside them in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use keycloak_to_azure::sandbox::{Options, RecordedRequest, Sandbox, World};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::crowd::Crowd;
use crate::measure::{self, Run};
use crate::replay::Script;

/// The variable with a command to run the program under: a profiler.
const UNDER: &str = "BENCH_UNDER";

pub struct Site {
    sandbox: Sandbox,
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
    /// Serves while the program runs.
    _runtime: Runtime,
}

impl Site {
    /// Services without quotas: what is measured is this program, and not what Graph allows.
    pub fn new(crowd: Crowd, mut world: World, latency: Duration) -> Self {
        world.entra.behaviour.quotas.enabled = false;
        let runtime = Runtime::new().expect("there are threads");
        let options = Options {
            latency,
            ..Options::default()
        };
        let sandbox = runtime
            .block_on(Sandbox::start(world, options))
            .expect("there are ports");
        let folder = TempDir::new().expect("there is room for files");
        let configuration = crowd.configuration(&sandbox.keycloak_url(), &sandbox.graph_url());
        std::fs::write(folder.path().join("config.yaml"), configuration)
            .expect("it can be written");
        Self {
            variables: sandbox
                .variables()
                .expect("there are accounts to log in with"),
            sandbox,
            folder,
            _runtime: runtime,
        }
    }

    /// Runs the program.
    pub fn run(&self, line: &str) -> Run {
        let mut words = std::env::var(UNDER).unwrap_or_default();
        words.push(' ');
        words.push_str(env!("CARGO_BIN_EXE_keycloak-to-azure"));
        let mut words = words.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
            .args(["--config", "config.yaml"])
            .args(line.split_whitespace())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.measure(command)
    }

    /// The requests since this was last asked.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        let requests = self.sandbox.requests();
        self.sandbox.forget_requests();
        requests
    }

    /// How many bytes a file has.
    pub fn size_of(&self, name: &str) -> u64 {
        let file = std::fs::metadata(self.folder.path().join(name));
        file.expect("the file was written").len()
    }

    /// Writes down how to send the same requests once more.
    pub fn write_replay(&self, requests: &[RecordedRequest]) -> PathBuf {
        let file = self.folder.path().join("replay.json");
        let script = Script::of(
            requests,
            &self.sandbox.keycloak_url(),
            &self.sandbox.graph_url(),
        );
        let text = serde_json::to_vec(&script).expect("a script is JSON");
        std::fs::write(&file, text).expect("it can be written");
        file
    }

    /// Sends requests that were written down.
    pub fn replay(&self, script: &Path) -> Run {
        let this = std::env::current_exe().expect("this program is a file");
        let mut command = Command::new(this);
        command.arg("--replay").arg(script);
        let run = self.measure(command);
        assert_eq!(run.status, 0, "the baseline failed");
        run
    }

    fn measure(&self, mut command: Command) -> Run {
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        measure::run(&mut command)
    }
}
