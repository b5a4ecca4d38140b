//! What real tenants were seen to answer, and what Microsoft's documentation shows, read by the types of the program.
//!
//! These run where `KEYCLOAK_TO_AZURE_CONTRACT` names the folder with the recorded exchanges, and compare nothing where it does not.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::accounts::WireAccount;
use super::advice::{About, By, write_error};
use super::batch::Outcome;
use super::batch_answer::BatchAnswer;
use super::failure::Failure;
use super::fixture::{Fixture, Reply, ok, otherwise};
use super::meaning::{Meaning, Operation, meaning};
use super::pages::Page;
use super::parse_bytes;
use super::read::{OrganizationList, WireMember};
use super::refusal::Refusal;
use super::resolve::GroupFacts;
use super::token::Who;
use super::write::account_in;
use crate::http::Answer;
use crate::snapshot::Account;

/// An exchange that took place, or that the documentation shows.
struct Recorded {
    name: String,
    method: String,
    /// The path below `/v1.0`, without its query.
    path: String,
    status: u16,
    body: Value,
}

impl Recorded {
    fn read(folder: &Path, kind: &str, path: &Path) -> Self {
        let recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let url = text(&recorded["request"]["url"]);
        let url = url.split('?').next().unwrap_or_default();
        let relative = path.strip_prefix(folder.join(kind)).unwrap();
        // Bodies that were no JSON on the page are kept as texts.
        let body = match &recorded["body"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            body => body.clone(),
        };
        Self {
            name: format!("{kind}/{}", relative.with_extension("").display()),
            method: text(&recorded["request"]["method"]),
            path: url
                .strip_prefix("https://graph.microsoft.com/v1.0")
                .unwrap_or(url)
                .to_owned(),
            // One thread does not tell the status.
            status: recorded["status"]
                .as_u64()
                .map_or(404, |status| u16::try_from(status).unwrap()),
            body,
        }
    }

    /// What was asked for. Where a thread tells the answer alone, its subject tells the rest.
    fn operation(&self) -> Operation {
        let is_about = |word: &str| self.name.contains(word) || self.path.contains(word);
        match self.method.as_str() {
            "POST" if is_about("/invitations") => Operation::Invite,
            "POST" | "PATCH" if is_about("/$ref") => Operation::Add,
            "PATCH" => Operation::Update,
            "DELETE" => Operation::Remove,
            "" if is_about("forbidden") || is_about("duplicate") => Operation::Add,
            "" if is_about("after_invite") || is_about("not_found") => Operation::Update,
            "" if is_about("missing_dollar_ref") => Operation::Remove,
            _ => Operation::Read,
        }
    }

    fn understood(&self) -> String {
        if self.status >= 300 {
            let refusal = Refusal::from_json(self.status, &self.body, None);
            return refused(self.operation(), refusal);
        }
        let read = match self.segments().as_slice() {
            _ if self.body.is_null() => Ok("done".to_owned()),
            // What an update answers with, beside that it is done, is not read.
            _ if self.method == "PATCH" => Ok("done".to_owned()),
            ["$batch"] => Ok(parts_of_batch(&self.body)),
            ["invitations"] => account_in(&self.body)
                .map(|id| format!("invited account {id}"))
                .ok_or(Failure::Missing),
            ["organization", ..] => self
                .parsed::<OrganizationList>()
                .map(|list| format!("tenant {}", list.value[0].id)),
            [.., "$count"] => self.parsed::<usize>().map(|count| count.to_string()),
            ["users"] if self.method == "GET" => self.list(account),
            ["users"] | ["users", _] => self.parsed().and_then(account),
            ["groups"] if self.method == "GET" => self.list(|group| Ok(group_in(&group))),
            ["groups"] | ["groups", _] => self.parsed().map(|group| group_in(&group)),
            // Ids alone.
            [.., "checkMemberGroups" | "getMemberGroups"] => {
                self.list(|id: String| Ok(format!("id {id}")))
            }
            ["directoryObjects", id] if *id != "delta" && *id != "getByIds" => {
                self.parsed().map(|member| member_in(&member))
            }
            _ => self.list(|member| Ok(member_in(&member))),
        };
        read.unwrap_or_else(|failure| failure.to_string())
    }

    fn segments(&self) -> Vec<&str> {
        self.path.split('/').skip(1).collect()
    }

    fn parsed<T: serde::de::DeserializeOwned>(&self) -> Result<T, Failure> {
        parse_bytes(self.body.to_string().as_bytes())
    }

    fn list<T: serde::de::DeserializeOwned>(
        &self,
        mut shown: impl FnMut(T) -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        let Page { value, .. } = self.parsed::<Page<T>>()?;
        let count = value.len();
        let first = match value.into_iter().next() {
            Some(entry) => format!(", the first: {}", shown(entry)?),
            None => String::new(),
        };
        Ok(format!("{count} in the list{first}"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn account(wire: WireAccount) -> Result<String, Failure> {
    let account = Account::try_from(wire)?;
    Ok(format!(
        "account {} ({}), {:?}",
        account.id, account.user_principal_name, account.user_type
    ))
}

fn group_in(group: &GroupFacts) -> String {
    let kinds = [
        (group.is_dynamic(), "dynamic"),
        (group.is_on_premises(), "on premises"),
        (group.is_mail_enabled(), "mail-enabled"),
        (group.is_role_assignable(), "role-assignable"),
        (group.hides_members(), "hidden members"),
    ];
    let mut shown = format!("group {} ({:?})", group.id, group.display_name);
    for (_, kind) in kinds.iter().filter(|(is_so, _)| *is_so) {
        let _ = write!(shown, ", {kind}");
    }
    shown
}

fn member_in(member: &WireMember) -> String {
    let kind = if member.is_user() { "user" } else { "no user" };
    format!("{kind} {}", member.id)
}

fn parts_of_batch(body: &Value) -> String {
    let answer = Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: body.to_string().into_bytes(),
        attempts: 1,
        after_unknown: false,
        took: std::time::Duration::ZERO,
    };
    let mut answer = BatchAnswer::parse(&answer).unwrap();
    (1..=body["responses"].as_array().unwrap().len())
        .map(|at| match answer.take(at).result {
            Ok(_) => format!("\n  part {at}: values"),
            Err(Failure::Refused(refusal)) => {
                format!("\n  part {at}: {}", refused(Operation::Read, refusal))
            }
            Err(failure) => format!("\n  part {at}: {failure}"),
        })
        .collect()
}

/// What the program makes of a refusal: what it does next, and what it says to people.
fn refused(operation: Operation, refusal: Refusal) -> String {
    let class = match meaning(operation, &refusal) {
        Meaning::Throttled | Meaning::Unavailable | Meaning::Concurrent | Meaning::NotTried => {
            "tried again"
        }
        Meaning::TokenRefused => "tried again with a new token",
        Meaning::AlreadyMember | Meaning::NotMember => "done already",
        Meaning::NotThereYet | Meaning::NotThere(_) => "not there yet if it is new, else gone",
        Meaning::PermissionMissing | Meaning::AppUnknown | Meaning::InvitationsForbidden => {
            "not allowed"
        }
        _ => "for good",
    };
    let failure = Failure::Refused(refusal);
    let said = if operation == Operation::Read {
        failure.to_string()
    } else {
        let about = About {
            operation,
            account: None,
            group: None,
            is_new: false,
        };
        let by = By {
            who: Who::App("APP"),
            has_permission: None,
        };
        let outcome = Outcome {
            result: Err(failure.clone()),
            request_id: None,
            attempts: 1,
            after_unknown: false,
        };
        write_error(about, by, &outcome, &failure).message
    };
    format!("{class}: {said}")
}

fn contract() -> Option<PathBuf> {
    let folder = std::env::var_os("KEYCLOAK_TO_AZURE_CONTRACT");
    if folder.is_none() {
        // Not by `eprintln!`, which the test harness keeps to itself.
        let words = "SKIPPED, no recorded answer was read: KEYCLOAK_TO_AZURE_CONTRACT does not name the contract folder";
        let mut stderr = std::io::stderr();
        writeln!(stderr, "{words}").unwrap();
    }
    Some(PathBuf::from(folder?).join("real-responses"))
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
}

/// What is to be done about each refusal that people have reported.
const CLASSES: [(&str, &str); 11] = [
    ("/bind_on_ref_400", "for good: "),
    ("/duplicate_in_one_request_400", "for good: "),
    ("/forbidden_403", "not allowed: "),
    ("/invitation_500", "for good: "),
    ("/missing_dollar_ref_400", "for good: "),
    ("/not_found_404", "not there yet if it is new, else gone: "),
    (
        "/patch_after_invite_not_replicated",
        "not there yet if it is new, else gone: ",
    ),
    ("/ref_post_already_exists_400", "done already: "),
    ("/throttled_429", "tried again: "),
    ("/throttled_directory_429", "tried again: "),
    ("/token_missing_401", "tried again with a new token: "),
];

#[tokio::test]
async fn every_recorded_answer_is_understood() {
    let Some(folder) = contract() else { return };
    let mut understood = String::new();
    let mut classified = 0;
    for kind in ["azure-cli-vcr", "docs", "github-threads"] {
        for path in json_files(&folder.join(kind)) {
            let recorded = Recorded::read(&folder, kind, &path);
            let what = if is_of_login(&recorded.body) {
                login(recorded.status, &recorded.body).await
            } else {
                recorded.understood()
            };
            // Examples of the documentation leave out what the program would have selected; what took place is read whole.
            let is_read = recorded.status >= 300 || !what.contains("cannot be understood");
            assert!(is_read || kind == "docs", "{}: {what}", recorded.name);
            let expected = CLASSES
                .iter()
                .find(|(name, _)| recorded.name.ends_with(name));
            if let Some((name, class)) = expected {
                assert!(what.starts_with(class), "{name}: {what}");
                classified += 1;
            }
            let _ = writeln!(understood, "{} {}: {what}", recorded.name, recorded.status);
        }
    }
    for path in json_files(&folder.join("entra-token")) {
        let recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let answer = &recorded["response"];
        let Some(status) = answer["status"].as_u64() else {
            continue;
        };
        let name = path.file_stem().unwrap().to_string_lossy();
        let what = login(u16::try_from(status).unwrap(), &answer["body"]).await;
        let _ = writeln!(understood, "entra-token/{name} {status}: {what}");
    }
    assert_eq!(
        classified,
        CLASSES.len(),
        "each of them is among the recorded ones"
    );
    insta::assert_snapshot!(understood);
}

/// Errors of the login are a text; those of Graph an object.
fn is_of_login(body: &Value) -> bool {
    body["error"].is_string()
}

/// What the program makes of an answer of the login.
async fn login(status: u16, body: &Value) -> String {
    let fixture = Fixture::start(|_| otherwise()).await;
    let mut body = body.clone();
    if status == 200 {
        // Recorded as `{seconds}`.
        body["expires_in"] = json!(3599);
        fixture.set_token_reply(ok(body));
    } else {
        fixture.set_token_reply(Reply::Json(status, body));
    }
    match fixture.connect().await {
        Ok(reader) => format!("a token, roles {:?}", reader.roles()),
        Err(error) => format!("{error:#}").replace(&fixture.url, "LOGIN"),
    }
}
