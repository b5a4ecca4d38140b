//! The shape of the program: the core is pure, and what may write is made in one place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The core, by the paths of its modules.
const CORE: [&str; 18] = [
    "audit",
    "compare",
    "diff",
    "explain",
    "group_names",
    "guard",
    "mapping",
    "matching",
    "model",
    "plan",
    "removal",
    "render",
    "report",
    "settings",
    "snapshot",
    "undo",
    "verify",
    "wording",
];

/// Crates and modules that only the shell uses.
const EFFECTS: [&str; 15] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::io::std",
    "std::time::",
    "std::process",
    "std::thread",
    "console::Term",
    "Timestamp::now",
    "ZonedDateTime::now",
    "tokio",
    "reqwest",
    "async ",
    "uuid::",
    "println!",
];

fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path.clone(), std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

fn all_sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .map(|(path, text)| {
            let path = path.strip_prefix(&root).unwrap().with_extension("");
            let parts: Vec<_> = path
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            (parts.join("/"), text)
        })
        .filter(|(path, _)| !path.contains("tests"))
        .collect()
}

fn module_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// The code of a file: without its tests and comments. A file ends with its module of tests; one that is only declared in it is in a
/// file of its own, and what follows the declaration is code.
fn code(text: &str) -> String {
    const TESTS: &str = "#[cfg(test)]\nmod ";
    let mut rest = text;
    let mut code = String::new();
    while let Some((before, declaration)) = rest.split_once(TESTS) {
        code.push_str(before);
        let (line, after) = declaration.split_once('\n').unwrap_or((declaration, ""));
        rest = if line.ends_with(';') { after } else { "" };
    }
    code.push_str(rest);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn only_tests_are_cut_off() {
    let declared = "mod a;\n#[cfg(test)]\nmod tests;\nfn code() {} // said\n// not said\n";
    assert_eq!(code(declared), "mod a;\nfn code() {} // said");
    let written = "fn code() {}\n#[cfg(test)]\nmod tests {\n    fn test() {}\n}\n";
    assert_eq!(code(written), "fn code() {}");
}

#[test]
fn the_core_uses_nothing_of_the_shell() {
    for (path, text) in all_sources()
        .iter()
        .filter(|(path, _)| CORE.contains(&module_of(path)))
    {
        let code = code(text);
        assert!(
            !code.contains("crate::{"),
            "src/{path}.rs: one `use crate::` for each module, so that this test can read them"
        );
        for used in code.split("crate::").skip(1) {
            let module: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let is_core = CORE.contains(&module.as_str());
            assert!(
                is_core,
                "src/{path}.rs is of the core and uses crate::{module}"
            );
        }
    }
}

#[test]
fn the_core_has_no_effects() {
    for (path, text) in all_sources()
        .iter()
        .filter(|(path, _)| CORE.contains(&module_of(path)))
    {
        let code = code(text);
        for effect in EFFECTS {
            assert!(
                !code.contains(effect),
                "src/{path}.rs is of the core and has `{effect}`"
            );
        }
    }
}

#[test]
fn only_apply_makes_what_can_write() {
    for (path, text) in all_sources() {
        let code = code(&text);
        // Not a `BufWriter`.
        let makes_it = code
            .match_indices("Writer::new(")
            .any(|(at, _)| !code[..at].ends_with(char::is_alphanumeric));
        assert_eq!(makes_it, path == "commands/apply", "src/{path}.rs");
    }
}

#[test]
fn the_program_does_not_know_the_sandbox() {
    for (path, text) in all_sources() {
        let may = matches!(module_of(&path), "sandbox" | "commands" | "cli" | "lib");
        assert!(
            may || !code(&text).contains("sandbox::"),
            "src/{path}.rs uses the sandbox"
        );
    }
}
