//! Inputs to begin with: put where the fuzzer looks for inputs before it looks.

use std::fs;
use std::path::{Path, PathBuf};

/// Puts inputs into the corpus of a target. A fuzzer that begins with nothing spends its time on finding braces.
pub fn plant(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let folder = here().join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
    }
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The inputs that were written for a target.
pub fn written(target: &str) -> Vec<Vec<u8>> {
    let files = files_in(&here().join("seeds").join(target), "txt");
    files
        .into_iter()
        .map(|file| fs::read(file).unwrap())
        .collect()
}

/// The configuration files of the tests.
pub fn configurations() -> Vec<Vec<u8>> {
    let root = here().join("../..");
    let mut files = vec![root.join("keycloak_to_azure.config.yaml.example")];
    for folder in ["valid", "invalid"] {
        files.extend(files_in(&root.join("fixtures/config").join(folder), "yaml"));
    }
    files
        .into_iter()
        .map(|file| fs::read(file).unwrap())
        .collect()
}

/// Status and body of the answers that were recorded from the real services; none where the contract is not there.
pub fn recorded_answers() -> Vec<(u16, String)> {
    let contract = std::env::var_os("KEYCLOAK_TO_AZURE_CONTRACT")
        .map_or_else(|| here().join("../../../shared/contract"), PathBuf::from);
    let recorded = contract.join("real-responses");
    let mut answers = Vec::new();
    for folder in ["azure-cli-vcr", "docs", "github-threads", "entra-token"] {
        for file in files_in(&recorded.join(folder), "json") {
            let exchange: serde_json::Value =
                serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
            let answer = exchange.get("response").unwrap_or(&exchange);
            let status = answer["status"]
                .as_u64()
                .and_then(|status| status.try_into().ok());
            if let Some(status) = status {
                answers.push((status, answer["body"].to_string()));
            }
        }
    }
    answers
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|own| own == extension))
        .collect();
    files.sort();
    files
}
