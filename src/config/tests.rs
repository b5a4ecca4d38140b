//! The configuration file as a whole. What single modules promise is tested beside them.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::*;
use crate::model::UserType;
use crate::settings::{
    DisabledPolicy, FederationSetting, Limit, MatchAttribute, RemovalPolicy, UnverifiedPolicy,
    UpdatePolicy,
};

const FILE: &str = "keycloak_to_azure.config.yaml";

fn no_variables(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text.as_bytes(), FILE, no_variables)
}

pub(super) fn from_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn valid(name: &str) -> Config {
    let text = std::fs::read_to_string(from_root("fixtures/config/valid").join(name)).unwrap();
    parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(super) fn example() -> String {
    std::fs::read_to_string(from_root("keycloak_to_azure.config.yaml.example")).unwrap()
}

/// Takes the `#` from the keys that are commented out; explanations have exactly one space behind theirs.
pub(super) fn uncommented(example: &str) -> String {
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') || key.starts_with("  ") => key,
        _ => line,
    });
    let uncommented = lines.collect::<Vec<_>>().join("\n");
    // What a mail is like can only be said where one is sent.
    uncommented.replace("send_email: false", "send_email: true")
}

pub(super) fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(from_root(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_mistakes_of_every_invalid_file_are_said_so_that_it_can_be_mended() {
    let files = files("fixtures/config/invalid");
    assert!(files.len() > 20, "{files:?}");
    insta::with_settings!({
        snapshot_path => "../../fixtures/config/invalid",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let errors = Config::parse(&std::fs::read(&file).unwrap(), FILE, no_variables)
                .map(|config| format!("{name} is valid: {config:?}"))
                .unwrap_err()
                .to_string();
            assert!(!errors.contains("hunter2"), "{errors}");
            insta::assert_snapshot!(name, errors);
        }
    });
}

#[test]
fn every_valid_file_is_read() {
    for file in files("fixtures/config/valid") {
        let bytes = std::fs::read(&file).unwrap();
        if let Err(errors) = Config::parse(&bytes, FILE, no_variables) {
            panic!("{}: {errors}", file.display());
        }
    }
}

#[test]
fn the_four_keys_of_the_original_script_are_enough() {
    let config = valid("original.yaml");
    assert_eq!(config.logfile, Some(PathBuf::from("keycloak_to_azure.log")));
    assert_eq!(
        config.keycloak,
        KeycloakConnection {
            url: "https://keycloak.example.com/auth".to_owned(),
            realm: "example".to_owned(),
            auth_realm: "example".to_owned(),
            ca_file: None,
        }
    );
    assert_eq!(
        config.entra,
        EntraConnection {
            login_url: "https://login.microsoftonline.com".to_owned(),
            graph_url: "https://graph.microsoft.com".to_owned(),
        }
    );
    let settings = config.settings;
    let [first, second] = settings.mappings.as_slice() else {
        panic!("{settings:?}");
    };
    assert_eq!(first.keycloak.as_str(), "/group1");
    assert_eq!(first.azure, "acme-group-1");
    assert!(!first.subgroups);
    assert!(!first.allow_empty);
    assert_eq!(first.removals, RemovalPolicy::All);
    assert_eq!((first.keycloak_line, first.azure_line), (6, 7));
    assert_eq!(second.azure, "acme-group-2");
    assert_eq!((second.keycloak_line, second.azure_line), (8, 9));
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = valid("original.yaml").settings;
    assert_eq!(settings.federation, FederationSetting::Auto);
    assert_eq!(settings.users.user_type, Some(UserType::Member));
    assert_eq!(settings.users.update, UpdatePolicy::Invited);
    assert_eq!(
        Ok(settings.users.display_name),
        crate::settings::DisplayNameTemplate::parse("{first_name} {last_name}")
    );
    assert_eq!(
        settings.users.match_by,
        [
            MatchAttribute::Mail,
            MatchAttribute::UserPrincipalName,
            MatchAttribute::OtherMails,
            MatchAttribute::ProxyAddresses,
        ]
    );
    assert!(settings.users.email_domains.is_empty());
    assert_eq!(settings.users.disabled, DisabledPolicy::Remove);
    assert_eq!(settings.users.unverified_email, UnverifiedPolicy::Allow);
    assert_eq!(
        settings.invitations.redirect_url,
        "https://portal.azure.com/{tenant_id}"
    );
    assert!(!settings.invitations.send_email);
    assert_eq!(settings.invitations.message, None);
    assert_eq!(settings.invitations.language, None);
    assert_eq!(settings.invitations.cc, None);
    assert!(settings.invitations.allowed_domains.is_empty());
    assert_eq!(settings.limits.removals, Limit::AtMost(5));
    assert_eq!(settings.limits.removals_percent, Limit::AtMost(20));
    assert_eq!(settings.limits.invitations, Limit::AtMost(100));
    assert!(settings.protected.is_empty());
}

#[test]
fn a_message_is_as_long_as_reviewers_can_be_asked_to_read() {
    let with_message = |message: &str| {
        parse(&format!(
            "keycloak_url: https://keycloak.example.com\nkeycloak_realm: example\ngroups: [{{ keycloak: a, azure: b }}]\n\
             invitations: {{ send_email: true, message: {message} }}\n"
        ))
    };
    let longest = "ö".repeat(2_000);
    let config = with_message(&longest).unwrap();
    assert_eq!(config.settings.invitations.message, Some(longest.clone()));
    let errors = with_message(&(longest + "x")).unwrap_err().to_string();
    assert!(
        errors.contains("line 4, column 43: `message` has 2001 characters; write at most 2000"),
        "{errors}"
    );
    let of_windows = with_message("\r\n    Welcome\r\n\r\n    to Acme\r\n  ").unwrap();
    assert_eq!(
        of_windows.settings.invitations.message.as_deref(),
        Some("Welcome\nto Acme")
    );
    // Two languages that are not written without characters that show nothing.
    for text in ["می\u{200c}خواهم", "Bienvenue\u{a0}!"] {
        assert!(with_message(text).is_ok(), "{text}");
    }
}

#[test]
fn every_key_is_heeded() {
    let config = valid("every_key.yaml");
    assert_eq!(config.keycloak.url, "https://auth.example.com:8443");
    assert_eq!(config.keycloak.auth_realm, "master");
    assert_eq!(config.keycloak.ca_file, Some(PathBuf::from("ca.pem")));
    assert_eq!(config.entra.login_url, "https://login.example.com");
    assert_eq!(config.entra.graph_url, "https://graph.example.com");
    let settings = config.settings;
    let mapping = settings.mappings.first().unwrap();
    assert_eq!(mapping.keycloak.as_str(), "/teams/platform");
    assert!(mapping.subgroups);
    assert!(mapping.allow_empty);
    assert_eq!(mapping.removals, RemovalPolicy::Known);
    assert_eq!(settings.federation, FederationSetting::Expected);
    assert_eq!(settings.users.user_type, None);
    assert_eq!(settings.users.update, UpdatePolicy::None);
    assert_eq!(
        settings.users.match_by,
        [MatchAttribute::OtherMails, MatchAttribute::Mail]
    );
    assert_eq!(
        settings
            .users
            .email_domains
            .get("keycloak.example")
            .unwrap(),
        "azure.example"
    );
    assert_eq!(settings.users.disabled, DisabledPolicy::Keep);
    assert_eq!(settings.users.unverified_email, UnverifiedPolicy::Skip);
    assert_eq!(
        settings.invitations.redirect_url,
        "https://myapps.example.com/{tenant_id}/start?x=1#top"
    );
    assert!(settings.invitations.send_email);
    assert_eq!(
        settings.invitations.message.as_deref(),
        Some("Welcome to Acme, ❤️!\n\nQuestions? Ask people@acme.example.")
    );
    let language = settings.invitations.language.unwrap();
    assert_eq!(language.as_str(), "fr-CA");
    let copy = settings.invitations.cc.unwrap();
    assert_eq!(copy.as_str(), "people+entra@acme.example");
    assert_eq!(
        settings.invitations.allowed_domains,
        ["partner.example", "bücher.example"]
    );
    assert_eq!(settings.limits.removals, Limit::Off);
    assert_eq!(settings.limits.removals_percent, Limit::AtMost(0));
    assert_eq!(settings.limits.invitations, Limit::AtMost(u32::MAX));
    assert_eq!(
        settings.protected,
        [
            "break-glass@acme.onmicrosoft.com",
            "3f2a0c1e-0000-4000-8000-0000000000ab",
            "pat_fabrikam.example#ext#@acme.onmicrosoft.com",
            "o'brien+work@bücher.example",
        ]
    );
}

#[test]
fn a_name_that_looks_like_a_number_is_the_name_that_is_written() {
    let config = valid("names_that_look_like_numbers.yaml");
    assert_eq!(config.keycloak.realm, "007");
    let pairs: Vec<(&str, &str)> = config
        .settings
        .mappings
        .iter()
        .map(|mapping| (mapping.keycloak.as_str(), mapping.azure.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("/2024", "1e3 people"),
            ("/2025", "null"),
            ("/2024-01-01", "no")
        ]
    );
}

#[test]
fn mappings_know_their_lines_in_flow_style_too() {
    let settings = valid("flow_style.yaml").settings;
    let lines: Vec<(usize, usize)> = settings
        .mappings
        .iter()
        .map(|mapping| (mapping.keycloak_line, mapping.azure_line))
        .collect();
    assert_eq!(lines, [(2, 2), (3, 4)]);
}

#[test]
fn the_example_begins_with_the_original_one() {
    let original =
        std::fs::read_to_string(from_root("fixtures/config/valid/original.yaml")).unwrap();
    let example = example();
    let mut rest = example.as_str();
    while rest.starts_with('#') {
        (_, rest) = rest.split_once('\n').unwrap();
    }
    assert!(rest.starts_with(&original));
    parse(&example).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn the_defaults_that_the_example_shows_are_the_defaults() {
    let as_it_is = parse(&example()).unwrap();
    let mut all_keys = parse(&uncommented(&example())).unwrap_or_else(|errors| panic!("{errors}"));
    // What a mail is like has no default.
    let invitations = &mut all_keys.settings.invitations;
    assert!(invitations.message.take().is_some());
    assert!(invitations.language.take().is_some());
    assert!(invitations.cc.take().is_some());
    invitations.send_email = false;
    assert_eq!(all_keys.settings, as_it_is.settings);
    assert_eq!(all_keys.entra, as_it_is.entra);
    // Without a default: the example shows a name.
    assert_eq!(all_keys.keycloak.ca_file, Some(PathBuf::from("ca.pem")));
    assert_eq!(
        KeycloakConnection {
            ca_file: None,
            ..all_keys.keycloak
        },
        as_it_is.keycloak
    );
}

#[test]
fn the_example_shows_every_key() {
    let known: Vec<String> = schema::declared().into_keys().collect();
    assert_eq!(known.len(), 35, "{known:?}");

    let text = uncommented(&example());
    let shown: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    for key in known {
        let mut value = Some(&shown);
        for step in key.split('.') {
            value = value.and_then(|value| match value {
                // Only the last entry of groups shows all its keys.
                serde_yaml::Value::Sequence(entries) => entries.last()?.get(step),
                other => other.get(step),
            });
        }
        assert!(value.is_some(), "the example does not show {key}");
    }
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_change_nothing() {
    let text = std::fs::read_to_string(from_root("fixtures/config/valid/original.yaml")).unwrap();
    let as_it_is = parse(&text).unwrap();
    let from_windows = parse(&format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    assert_eq!(from_windows.settings, as_it_is.settings);
    assert_eq!(from_windows.keycloak, as_it_is.keycloak);
    assert_ne!(from_windows.sha256, as_it_is.sha256);
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_stand() {
    let errors = Config::parse(b"logfile: \xC3\xA4\n  \xFF", FILE, no_variables).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "keycloak_to_azure.config.yaml has 1 mistake\n  line 2, column 3: the file is not UTF-8 from here on"
    );
    let errors = Config::parse(b"\xFF\xFEl\0", FILE, no_variables).unwrap_err();
    assert!(errors.to_string().contains("UTF-16"), "{errors}");
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    let bytes = std::fs::read(from_root("fixtures/config/valid/original.yaml")).unwrap();
    let config = Config::load(&from_root("fixtures/config/valid/original.yaml"), |_| None).unwrap();
    assert_eq!(config.sha256, hex(&Sha256::digest(&bytes)));
    assert_eq!(config.sha256.len(), 64);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_what_to_do() {
    let missing = Config::load(Path::new("does/not/exist.yaml"), |_| None).unwrap_err();
    let shown = format!("{missing:#}");
    assert!(shown.contains("does/not/exist.yaml"), "{shown}");
    assert!(shown.contains("--config"), "{shown}");
    assert!(shown.contains("os error 2"), "{shown}");

    let folder = Config::load(&from_root("fixtures"), |_| None).unwrap_err();
    assert!(
        format!("{folder:#}").contains("cannot be read"),
        "{folder:#}"
    );
}

#[test]
#[cfg(unix)]
fn a_file_without_end_is_refused() {
    let endless = Config::load(Path::new("/dev/zero"), |_| None).unwrap_err();
    assert!(
        format!("{endless:#}").contains("larger than"),
        "{endless:#}"
    );
}

#[test]
fn a_file_may_be_as_large_as_the_limit_and_not_larger() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text = example();
    let missing = usize::try_from(MOST_BYTES).unwrap() - text.len();
    text.push_str(&"#".repeat(missing));
    std::fs::write(file.path(), &text).unwrap();
    Config::load(file.path(), |_| None).unwrap();
    text.push('#');
    std::fs::write(file.path(), &text).unwrap();
    assert!(Config::load(file.path(), |_| None).is_err());
}

#[test]
fn the_file_of_a_private_authority_is_beside_the_configuration_and_has_to_be_one() {
    const CERTIFICATE: &str = include_str!("../../fixtures/certificates/app-certificate.pem");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let load = |ca_file: &str| {
        let text = std::fs::read_to_string(from_root("fixtures/config/valid/original.yaml"));
        let line = format!("keycloak_ca_file: {ca_file}\n");
        std::fs::write(&file, text.unwrap() + &line).unwrap();
        Config::load(&file, |_| None).map(|config| config.keycloak.ca_file.unwrap())
    };
    let in_folder = folder.path().join("certificates");
    std::fs::create_dir(&in_folder).unwrap();
    std::fs::write(in_folder.join("ca.pem"), CERTIFICATE).unwrap();
    std::fs::write(in_folder.join("key.pem"), "hunter2").unwrap();
    std::fs::write(
        in_folder.join("cut.pem"),
        "-----BEGIN CERTIFICATE-----\nhunter2\n",
    )
    .unwrap();
    let expected = in_folder.join("ca.pem");
    assert_eq!(load("certificates/ca.pem").unwrap(), expected);
    let absolute = expected.display().to_string();
    assert_eq!(load(&absolute).unwrap(), expected);

    for (ca_file, word) in [
        ("ca.pem", "No such file"),
        ("certificates", "it is not a regular file"),
        ("certificates/key.pem", "it holds no certificate"),
        ("certificates/cut.pem", "it is not PEM"),
    ] {
        let errors = load(ca_file).unwrap_err().to_string();
        let found = folder.path().join(ca_file).display().to_string();
        for word in [
            "line 10, column 19",
            &format!("`keycloak_ca_file: {ca_file}` cannot be used: {found}: "),
            word,
            "begins in the folder of the configuration",
        ] {
            assert!(errors.contains(word), "{errors}");
        }
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    // Beside every other mistake of the file.
    let errors = load("ca.pem\nlogfiel: a").unwrap_err().to_string();
    assert!(errors.contains("has 2 mistakes"), "{errors}");
}

#[test]
fn what_looks_like_a_comment_is_none_of_the_configuration() {
    let with_comment = |comment: &str| {
        parse(&format!(
            "keycloak_url: https://keycloak.example.com\nkeycloak_realm: a\ngroups: [{{ keycloak: a, azure: b }}]\n{comment}\n"
        ))
    };
    for (hidden, named) in [
        ('\u{85}', "U+0085 stands here: YAML ends the line at it"),
        ('\u{2028}', "U+2028 stands here: YAML ends the line at it"),
        ('\u{2029}', "U+2029 stands here: YAML ends the line at it"),
        (
            '\r',
            "a carriage return stands alone here: YAML ends the line",
        ),
        (
            '\u{202e}',
            "U+202E stands here: it shows nothing or changes",
        ),
        (
            '\u{200b}',
            "U+200B stands here: it shows nothing or changes",
        ),
        (
            '\u{feff}',
            "U+FEFF stands here: it shows nothing or changes",
        ),
        ('\u{e0041}', "in double quotes as `\\U000e0041`"),
    ] {
        let errors = with_comment(&format!(
            "# the usual limits apply{hidden}limits: {{ removals: off }}"
        ));
        let shown = errors.unwrap_err().to_string();
        assert!(
            shown.contains("has 1 mistake\n  line 4, column 25: "),
            "{shown}"
        );
        assert!(shown.contains(named), "{shown}");
    }
    with_comment("# limits:\t{ removals: off }").unwrap();
}

#[test]
fn every_hidden_character_is_refused_where_it_stands() {
    let text = format!("# a\u{2028}b\r\n# ü\rc\n{}", "\u{200b}".repeat(60));
    let shown = parse(&text).unwrap_err().to_string();
    assert!(
        shown.contains("has 62 mistakes\n  line 1, column 4: U+2028")
            && shown.contains("\n  line 2, column 4: a carriage return")
            && shown.contains("\n  line 3, column 48: U+200B")
            && shown.ends_with("\n  and 12 more"),
        "{shown}"
    );
}

#[test]
fn a_name_may_hold_a_hidden_character_only_where_it_shows() {
    let with_group = |azure: &str| {
        parse(&with_groups(
            [format!("  - {{ keycloak: a, azure: {azure} }}")].into_iter(),
        ))
    };
    let errors = with_group("acme\u{a0}admins").unwrap_err().to_string();
    assert!(
        errors.contains("line 4, column 27: `azure: acme\\u{a0}admins` holds U+00A0")
            && errors.contains("write it in double quotes as `\\u00a0`"),
        "{errors}"
    );
    let config = with_group("\"acme\\u00a0admins\"").unwrap();
    assert_eq!(config.settings.mappings.len(), 1);
}

#[test]
fn what_would_keep_the_parser_for_minutes_is_refused_at_once() {
    let tags: Vec<String> = (0..60_000)
        .map(|number| format!("%TAG !a{number}! b"))
        .collect();
    let shown = parse(&format!("# more\n{}", tags.join("\n")))
        .unwrap_err()
        .to_string();
    assert!(
        shown.contains("line 2, column 1: nothing here has a tag"),
        "{shown}"
    );
    for bracket in ["[", "{", "- [", "{a: ["] {
        let text = format!("# more\nlogfile:\n  {}", bracket.repeat(200_000));
        let shown = parse(&text).unwrap_err().to_string();
        assert!(shown.contains("line 3, column "), "{shown}");
        assert!(
            shown.contains("more than the 20000 that a file may hold"),
            "{shown}"
        );
    }
}

fn with_groups(groups: impl Iterator<Item = String>) -> String {
    let groups: Vec<String> = groups.collect();
    format!(
        "keycloak_url: https://keycloak.example.com\nkeycloak_realm: a\ngroups:\n{}",
        groups.join("\n")
    )
}

#[test]
fn a_file_full_of_mistakes_is_refused_with_the_first_of_them() {
    let text = with_groups(
        (0..300).map(|number| format!("  - {{ keycloak: g, azure: a{number}, removals: x }}")),
    );
    let shown = parse(&text).unwrap_err().to_string();
    assert!(
        shown.contains("has 300 mistakes\n  line 4, column "),
        "{shown}"
    );
    assert!(shown.ends_with("\n  and 250 more"), "{shown}");
}

#[test]
fn thousands_of_mappings_know_their_lines() {
    let text = with_groups(
        (0..5_000).map(|number| format!("  - keycloak: g{number}\n    azure: a{number}")),
    );
    let settings = parse(&text).unwrap().settings;
    let last = settings.mappings.last().unwrap();
    assert_eq!((last.keycloak_line, last.azure_line), (10_002, 10_003));
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(at in 0_usize..4_000, length in 0_usize..40, piece in "[\\-:{}\\[\\]&*!|>'\"#,?%@ \t\na-c0-9\u{85}é~<]{0,12}") {
        let example = uncommented(&example());
        let mut characters: Vec<char> = example.chars().collect();
        let start = at.min(characters.len());
        let end = (start + length).min(characters.len());
        characters.splice(start..end, piece.chars());
        let text: String = characters.into_iter().collect();
        if let Err(errors) = parse(&text) {
            let lines = text.split('\n').count();
            for mistake in errors.mistakes {
                let position = mistake.position.unwrap();
                proptest::prop_assert!((1..=lines).contains(&position.line), "{:?}", position);
                proptest::prop_assert!(!mistake.message.contains('\n'));
            }
        }
    }
}

#[test]
fn the_login_host_comes_from_the_file_then_the_environment_then_the_cloud() {
    let original =
        std::fs::read_to_string(from_root("fixtures/config/valid/original.yaml")).unwrap();
    let login = |extra: &str, authority_host: &str| {
        let lookup =
            |name: &str| (name == "AZURE_AUTHORITY_HOST").then(|| authority_host.to_owned());
        Config::parse(format!("{original}{extra}").as_bytes(), FILE, lookup)
            .map(|config| config.entra.login_url)
            .map_err(|errors| errors.to_string())
    };
    for (extra, authority_host, expected) in [
        ("", "", "https://login.microsoftonline.com"),
        ("", "login.example.com", "https://login.example.com"),
        (
            "",
            "https://login.example.com/",
            "https://login.example.com",
        ),
        ("", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (
            "azure_login_url: https://a.example",
            "login.example.com",
            "https://a.example",
        ),
        (
            "azure_cloud: us_government",
            "",
            "https://login.microsoftonline.us",
        ),
        (
            "azure_cloud: china",
            "",
            "https://login.partner.microsoftonline.cn",
        ),
        (
            "azure_cloud: china",
            "login.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
        ),
    ] {
        assert_eq!(
            login(extra, authority_host).as_deref(),
            Ok(expected),
            "{extra} {authority_host}"
        );
    }
    for (extra, authority_host, expected) in [
        (
            "",
            "http://login.example.com",
            "AZURE_AUTHORITY_HOST must begin with https://",
        ),
        (
            "",
            "https://login.example.com/tenant",
            "AZURE_AUTHORITY_HOST must end after the host",
        ),
        (
            "",
            "login.microsoftonline.us",
            "write `azure_cloud: us_government` or `azure_cloud: us_government_dod`",
        ),
        (
            "azure_cloud: china",
            "login.microsoftonline.com",
            "write `azure_cloud: public`",
        ),
    ] {
        let errors = login(extra, authority_host).unwrap_err();
        assert!(
            errors.contains("\n  environment: AZURE_AUTHORITY_HOST"),
            "{errors}"
        );
        assert!(errors.contains(expected), "{errors}");
    }
}

#[test]
fn every_cloud_has_its_graph() {
    let original =
        std::fs::read_to_string(from_root("fixtures/config/valid/original.yaml")).unwrap();
    for (cloud, graph) in [
        ("public", "https://graph.microsoft.com"),
        ("us_government", "https://graph.microsoft.us"),
        ("us_government_dod", "https://dod-graph.microsoft.us"),
        ("china", "https://microsoftgraph.chinacloudapi.cn"),
    ] {
        let config = parse(&format!("{original}azure_cloud: {cloud}\n")).unwrap();
        assert_eq!(config.entra.graph_url, graph);
    }
}

#[test]
fn only_loopback_addresses_are_spoken_to_without_encryption() {
    let with_url = |url: &str| {
        parse(&format!(
            "keycloak_url: \"{url}\"\nkeycloak_realm: a\ngroups: [{{ keycloak: a, azure: b }}]\n"
        ))
        .map(|config| config.keycloak.url)
    };
    for (url, expected) in [
        ("http://localhost:8080/auth/", "http://localhost:8080/auth"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://127.255.0.9:1//", "http://127.255.0.9:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        (
            "HTTPS://Keycloak.example.com:443/auth",
            "https://keycloak.example.com/auth",
        ),
    ] {
        assert_eq!(with_url(url).as_deref(), Ok(expected));
    }
    for url in [
        "http://keycloak.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://128.0.0.1",
        "http://[::2]",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://user@localhost",
        "http:/localhost",
        "https:keycloak.example.com",
        "https://",
        "ftp://localhost",
        "//localhost",
        "https://a.example/?",
        "https://a.example/#",
        "https://a.example\\\\b",
        "https://a.example/a b",
        "https://a.example/auth/realms/acme",
    ] {
        assert!(with_url(url).is_err(), "{url}");
    }
}

fn environment<'v>(variables: &'v [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'v {
    |name| {
        variables
            .iter()
            .find(|(variable, _)| *variable == name)
            .map(|(_, value)| (*value).to_owned())
    }
}

const ENTRA: [(&str, &str); 3] = [
    ("AZURE_TENANT_ID", "acme.onmicrosoft.com"),
    ("AZURE_CLIENT_ID", "6d1f0000-0000-4000-8000-000000000001"),
    ("AZURE_CLIENT_SECRET", "azure-hunter2"),
];

#[test]
fn every_missing_variable_is_named_at_once() {
    let errors = Credentials::from_env(no_variables).unwrap_err();
    insta::assert_snapshot!(errors, @r"
    the credentials in the environment are not complete
      KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET (a client with a service account), or KEYCLOAK_USER and KEYCLOAK_PASSWORD (a user): the login to Keycloak
      AZURE_TENANT_ID: the id (a GUID) or a verified domain of the Entra tenant
      AZURE_CLIENT_ID: the application (client) id of the app registration in Entra
      AZURE_CLIENT_SECRET: a client secret of that app registration; or AZURE_CLIENT_CERTIFICATE_PATH: a file with a certificate of it and the key (PEM); or AZURE_FEDERATED_TOKEN_FILE: a file with a token that it trusts (workload identity); or AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential (the identity of this machine in Azure) or AZURE_TOKEN_CREDENTIALS=AzureCliCredential (whoever is logged in to the Azure CLI)
    ");
    let empty = |_: &str| Some("  ".to_owned());
    assert_eq!(Credentials::from_env(empty).unwrap_err(), errors);
}

#[test]
fn a_user_with_a_password_logs_in() {
    let variables = [("KEYCLOAK_USER", "sync "), ("KEYCLOAK_PASSWORD", " pass\n")];
    let credentials = KeycloakCredentials::from_env(environment(&variables)).unwrap();
    let KeycloakCredentials::Password { user, password } = credentials else {
        panic!("{credentials:?}");
    };
    assert_eq!(user, "sync");
    assert_eq!(password.expose_secret(), " pass");
}

#[test]
fn a_client_wins_over_a_user_and_that_is_said() {
    let mut variables = vec![
        ("KEYCLOAK_USER", "sync"),
        ("KEYCLOAK_PASSWORD", "pass"),
        ("KEYCLOAK_CLIENT_ID", "sync-client"),
        ("KEYCLOAK_CLIENT_SECRET", "secret"),
    ];
    variables.extend(ENTRA);
    let credentials = Credentials::from_env(environment(&variables)).unwrap();
    assert!(
        matches!(&credentials.keycloak, KeycloakCredentials::Client { id, .. } if id == "sync-client")
    );
    let notices = credentials.notices;
    assert!(
        matches!(notices.as_slice(), [notice] if notice.contains("with KEYCLOAK_CLIENT_ID")),
        "{notices:?}"
    );

    let only_client: Vec<_> = variables.into_iter().skip(2).collect();
    let credentials = Credentials::from_env(environment(&only_client)).unwrap();
    assert_eq!(credentials.notices, Vec::<String>::new());
}

#[test]
fn half_a_pair_is_an_error_that_names_the_other_half() {
    for (variables, missing) in [
        (vec![("KEYCLOAK_USER", "a")], vec!["KEYCLOAK_PASSWORD"]),
        (
            vec![("KEYCLOAK_CLIENT_SECRET", "a")],
            vec!["KEYCLOAK_CLIENT_ID"],
        ),
        (
            vec![("KEYCLOAK_CLIENT_ID", "a"), ("KEYCLOAK_PASSWORD", "a")],
            vec!["KEYCLOAK_CLIENT_SECRET", "KEYCLOAK_USER"],
        ),
        (
            vec![
                ("KEYCLOAK_USER", "a"),
                ("KEYCLOAK_PASSWORD", "b"),
                ("KEYCLOAK_CLIENT_ID", "c"),
            ],
            vec!["KEYCLOAK_CLIENT_SECRET"],
        ),
    ] {
        let errors = KeycloakCredentials::from_env(environment(&variables))
            .unwrap_err()
            .to_string();
        for name in &missing {
            assert!(
                errors.contains(&format!("\n  {name} is missing")),
                "{errors}"
            );
        }
        assert_eq!(errors.lines().count(), 1 + missing.len(), "{errors}");
    }
}

#[test]
fn a_tenant_is_an_id_or_a_domain() {
    for (tenant, accepted) in [
        ("3f2a0c1e-0000-4000-8000-0000000000ab", true),
        ("acme.onmicrosoft.com", true),
        ("common", false),
        ("organizations", false),
        ("../acme.example", false),
        ("acme.example/oauth2", false),
        ("acme..example", false),
    ] {
        let mut variables = ENTRA;
        variables[0].1 = tenant;
        let credentials = EntraCredentials::from_env(environment(&variables));
        assert_eq!(credentials.is_ok(), accepted, "{tenant}");
    }
}

#[test]
fn credentials_do_not_print_their_secrets() {
    let mut variables = vec![
        ("KEYCLOAK_USER", "sync"),
        ("KEYCLOAK_PASSWORD", "keycloak-hunter2"),
    ];
    variables.extend(ENTRA);
    let by_password = Credentials::from_env(environment(&variables)).unwrap();
    variables.extend([
        ("KEYCLOAK_CLIENT_ID", "sync-client"),
        ("KEYCLOAK_CLIENT_SECRET", "client-hunter2"),
    ]);
    let by_client = Credentials::from_env(environment(&variables)).unwrap();
    for credentials in [by_password, by_client] {
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(shown.contains("sync"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    // Neither do the errors.
    variables[1].0 = "KEYCLOAK_PASSWORT";
    let errors = Credentials::from_env(environment(&variables)).unwrap_err();
    assert!(
        !format!("{errors} {errors:?}").contains("hunter2"),
        "{errors}"
    );
}
