//! Configuration files, whatever is in them: each mistake is said on a line of its own, with a place that is in the file, and nothing
//! in the message is obeyed by a terminal. Whatever is accepted holds only addresses that a secret may be sent to.

#![no_main]

use keycloak_to_azure::config::{Config, ConfigErrors};
use keycloak_to_azure_fuzz::{plans, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant("config", seeds::configurations()), |bytes: &[u8]| {
    match Config::parse(bytes, "FILE", |_| None) {
        Ok(config) => check_config(&config),
        Err(errors) => check_errors(bytes, &errors),
    }
});

fn check_config(config: &Config) {
    let urls = [
        &config.keycloak.url,
        &config.entra.login_url,
        &config.entra.graph_url,
    ];
    for url in urls {
        let is_private = url.starts_with("https://")
            || ["127.", "localhost", "[::1]"]
                .iter()
                .any(|host| url.starts_with(&format!("http://{host}")));
        assert!(is_private, "{url}");
        assert!(
            !url.ends_with('/') && !url.contains(char::is_control),
            "{url:?}"
        );
    }
    assert!(!config.settings.mappings.is_empty());
    assert!(!config.settings.users.match_by.is_empty());
}

fn check_errors(bytes: &[u8], errors: &ConfigErrors) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    let message = errors.to_string();
    plans::assert_harmless(&message);
    let mut shown = message.lines();
    let heading = shown.next().unwrap_or_default();
    let count: usize = heading
        .strip_prefix("FILE has ")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{heading}"));
    let mut said = 0;
    for line in shown {
        if let Some(further) = line.strip_prefix("  and ") {
            let (further, _) = further.split_once(' ').unwrap_or_default();
            said += further
                .parse::<usize>()
                .unwrap_or_else(|_| panic!("{line}"));
            continue;
        }
        said += 1;
        let place = line
            .strip_prefix("  line ")
            .and_then(|rest| rest.split_once(", column "))
            .and_then(|(at, rest)| {
                let (column, _) = rest.split_once(": ")?;
                Some((at.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
            });
        let Some((at, column)) = place else {
            panic!("without a place: {line}");
        };
        let Some(text) = at.checked_sub(1).and_then(|at| lines.get(at)) else {
            panic!("no line of the file: {line}");
        };
        assert!(
            (1..=text.chars().count() + 1).contains(&column),
            "no column of {text:?}: {line}"
        );
    }
    assert_eq!(said, count, "{message}");
}
