//! Everything that the program asks the sandbox, and everything that the sandbox answers, held against what Microsoft and Keycloak
//! have published.
//!
//! Each [`Stage`](crate::program::Stage) has a [`Recorder`]; a test in which anything does not fit fails when its stage is taken down. What a
//! scripted fault answers in a service's place is not looked at, and neither is what the binary does with a sandbox of its own.
//! Without `KEYCLOAK_TO_AZURE_CONTRACT`, which names the folder with the descriptions, nothing is looked at.

mod description;
mod graph;
mod keycloak;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keycloak_to_azure::sandbox::exchange::{Request, Response};
use keycloak_to_azure::sandbox::{Observer, Sandbox, Service};
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use description::{Asked, Operation};

/// What passed one sandbox, and what of it does not fit.
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    graph: graph::Graph,
    misfits: Misfits,
}

/// What does not fit, and what was looked at to find that.
#[derive(Debug, Default)]
pub struct Misfits {
    found: BTreeSet<String>,
    operations: BTreeSet<String>,
    requests: usize,
    answers: usize,
}

impl Recorder {
    /// Looks at everything that passes a sandbox from now on.
    pub fn of(sandbox: &Sandbox) -> Self {
        let recorded = Arc::default();
        if contract().is_some() {
            sandbox.observe(Eyes(Arc::clone(&recorded)));
        }
        Self(recorded)
    }

    /// What does not fit so far; it is not held against the test any more.
    pub fn take_misfits(&self) -> BTreeSet<String> {
        std::mem::take(&mut lock(&self.0).misfits.found)
    }

    /// The operations that were asked for so far.
    pub fn operations(&self) -> BTreeSet<String> {
        lock(&self.0).misfits.operations.clone()
    }
}

impl Drop for Recorder {
    #[expect(
        clippy::print_stdout,
        reason = "`cargo test --test it -- --show-output` tells how much was looked at"
    )]
    fn drop(&mut self) {
        let Misfits {
            found,
            requests,
            answers,
            ..
        } = std::mem::take(&mut lock(&self.0).misfits);
        println!("contract: {requests} requests, {answers} answers");
        assert!(
            found.is_empty() || std::thread::panicking(),
            "not as the services' descriptions have it:\n{}",
            found.into_iter().collect::<Vec<_>>().join("\n")
        );
    }
}

/// A recorder's part in the sandbox.
struct Eyes(Arc<Mutex<Recorded>>);

impl Observer for Eyes {
    fn request(&mut self, service: Service, request: &Request) {
        let Recorded { graph, misfits } = &mut *lock(&self.0);
        match service {
            Service::Graph => graph.request(request, misfits),
            Service::Keycloak => keycloak::request(request, misfits),
        }
    }

    fn answer(&mut self, service: Service, request: &Request, answer: &Response) {
        let Recorded { graph, misfits } = &mut *lock(&self.0);
        match service {
            Service::Graph => graph.answer(request, answer, misfits),
            Service::Keycloak => keycloak::answer(request, answer, misfits),
        }
    }
}

impl Misfits {
    fn add(&mut self, path: &str, misfit: &str) {
        self.found.insert(format!("{path}: {misfit}"));
    }

    fn of_request(&mut self, path: &str, operation: &Operation, asked: &Asked<'_>, given: &[&str]) {
        self.requests += 1;
        self.operations.insert(operation.name().to_owned());
        for misfit in operation.misfits_of_request(asked, given) {
            self.add(path, &format!("{}: {misfit}", asked.method));
        }
    }

    fn of_answer(
        &mut self,
        path: &str,
        operation: &Operation,
        status: u16,
        media_type: Option<&str>,
        body: Option<&Value>,
    ) {
        self.answers += 1;
        for misfit in operation.misfits_of_answer(status, media_type, body) {
            self.add(path, &format!("{status}: {misfit}"));
        }
    }
}

fn lock(recorded: &Mutex<Recorded>) -> MutexGuard<'_, Recorded> {
    recorded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder with the descriptions.
fn contract() -> Option<PathBuf> {
    std::env::var_os("KEYCLOAK_TO_AZURE_CONTRACT").map(PathBuf::from)
}

/// Whether there is a contract; a test that needs one says that it does nothing without.
fn has_contract() -> bool {
    let is_there = contract().is_some();
    if !is_there {
        // Not by `eprintln!`, which the test harness keeps to itself.
        let words = "SKIPPED, nothing was compared: KEYCLOAK_TO_AZURE_CONTRACT does not name the contract folder";
        let mut stderr = std::io::stderr();
        writeln!(stderr, "{words}").unwrap();
    }
    is_there
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn headers_of(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        })
        .collect()
}

/// What is no JSON is a text that no description allows.
fn json_body(body: &[u8]) -> Option<Value> {
    let as_text = || Value::from(String::from_utf8_lossy(body).into_owned());
    (!body.is_empty()).then(|| serde_json::from_slice(body).unwrap_or_else(|_| as_text()))
}

fn form_body(body: &[u8]) -> Value {
    let form = Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(body))).unwrap();
    form.query_pairs()
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect::<Map<_, _>>()
        .into()
}
