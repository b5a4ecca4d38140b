//! What Graph and its login answer, whatever is in it: pages, batches, accounts, groups, refusals. The reader only ever sends GETs, below
//! the address it was told, and follows no link that leads elsewhere; what it takes for an answer is complete. The writer sends nothing but
//! the writes it was asked for, above all no DELETE of anything but a membership. No message holds the secret or the token.

#![no_main]

use std::cell::RefCell;
use std::collections::BTreeSet;

use keycloak_to_azure::config::{EntraConnection, EntraCredentials};
use keycloak_to_azure::entra::{Reader, Writer};
use keycloak_to_azure::execute::{AccountUpdate, Directory, Invitation, Membership, WriteError};
use keycloak_to_azure::matching::{ALL_ATTRIBUTES, addresses_of};
use keycloak_to_azure::model::{Address, ObjectId, UserType};
use keycloak_to_azure::plan::{ClearedNames, NewAccount};
use keycloak_to_azure::snapshot::{DeletedAccount, EntraSnapshot};
use keycloak_to_azure_fuzz::seeds;
use keycloak_to_azure_fuzz::service::{
    Answer, Asked, Script, Service, TIMING, assert_kept, holds_any,
};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use serde_json::Value;
use tokio::runtime::Runtime;

const SECRET: &str = "the-secret-value";
const TOKEN: &str = "e30.eyJyb2xlcyI6WyJVc2VyLlJlYWQuQWxsIl19.the-token-value";
const TENANT: &str = "00000000-0000-4000-8000-0000000000ff";
const GROUP: &str = "00000000-0000-4000-8000-0000000000a1";
const OTHER_GROUP: &str = "00000000-0000-4000-8000-0000000000a2";
const ANN: &str = "00000000-0000-4000-8000-000000000001";
const BOB: &str = "00000000-0000-4000-8000-000000000002";
const ADDRESS: &str = "o'neil@partner.example";

fuzz_target!(init: plant(), |bytes: &[u8]| {
    if !holds_any(bytes, &[SECRET, TOKEN]) {
        SETTING.with_borrow_mut(|setting| setting.get_or_insert_with(Setting::new).run(bytes));
    }
});

thread_local! {
    static SETTING: RefCell<Option<Setting>> = const { RefCell::new(None) };
}

struct Setting {
    runtime: Runtime,
    service: Service,
    /// What links lead to that nobody should follow.
    elsewhere: Service,
    /// A reader whose login no input has touched, for the inputs that are not about logging in.
    reader: Option<Reader>,
}

impl Setting {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let service = runtime.block_on(Service::start(respond));
        let elsewhere = runtime.block_on(Service::start(|_, _| Answer::ok("{}")));
        Self {
            runtime,
            service,
            elsewhere,
            reader: None,
        }
    }

    fn run(&mut self, bytes: &[u8]) {
        let Self {
            runtime,
            service,
            elsewhere,
            reader,
        } = self;
        let script = Script::parse(bytes, |what| {
            let quoted = match what {
                "token" => ("{secret}", SECRET),
                _ => ("{token}", TOKEN),
            };
            vec![
                ("{graph}", &service.url),
                ("{elsewhere}", &elsewhere.url),
                quoted,
            ]
        });
        // A token that the input made up itself is none to keep.
        let secrets = if script.has("token") {
            [SECRET].as_slice()
        } else {
            &[SECRET, TOKEN]
        };
        let is_about_login = script.has("token") || script.has("organization");
        if is_about_login {
            *reader = None;
        }
        service.answer_with(script);
        let connected = match reader.take() {
            Some(reader) => Ok(reader),
            None => runtime.block_on(connect(service)),
        };
        check_reads(service);
        match connected {
            Ok(connected) => {
                if let Err(error) = runtime.block_on(read_everything(&connected)) {
                    assert_kept(&error, secrets);
                }
                let logged_in = check_reads(service);
                runtime.block_on(write_everything(&Writer::new(&connected), secrets));
                // What an input did to the login is not to be found by the next one.
                if !check_requests(service) && !logged_in && !is_about_login {
                    *reader = Some(connected);
                }
            }
            Err(error) => assert_kept(&error, secrets),
        }
        assert!(
            elsewhere.asked().is_empty(),
            "a link that leads elsewhere was followed"
        );
    }
}

async fn connect(service: &Service) -> anyhow::Result<Reader> {
    let connection = EntraConnection {
        login_url: service.url.clone(),
        graph_url: service.url.clone(),
    };
    let credentials = EntraCredentials::with_secret(TENANT, "app", SecretString::from(SECRET));
    Reader::connect(&connection, credentials, TIMING).await
}

async fn read_everything(reader: &Reader) -> anyhow::Result<()> {
    assert_eq!(reader.tenant().id.as_str(), TENANT);
    let names = BTreeSet::from(["acme'team".to_owned(), OTHER_GROUP.to_owned()]);
    let resolution = reader.resolve(&names).await?;
    assert_eq!(
        resolution.resolved.len() + resolution.unresolved.len(),
        names.len()
    );

    let wanted = BTreeSet::from([ADDRESS.parse()?, "bob@partner.example".parse()?]);
    let snapshot = reader
        .read(&resolution, std::future::ready(wanted), &ALL_ATTRIBUTES)
        .await;
    if let Ok(snapshot) = &snapshot {
        assert!(resolution.unresolved.is_empty());
        assert_eq!(snapshot.resolved, resolution.resolved);
        check_snapshot(snapshot);
    }
    let found = reader.find_by_address(&ADDRESS.parse()?).await;
    let account = reader.account(&id(ANN)).await;
    let wanted = BTreeSet::from([ADDRESS.parse()?]);
    let deleted = reader.deleted_accounts(&wanted).await;
    snapshot?;
    found?;
    account?;
    for DeletedAccount { account, .. } in deleted?.into_iter().flatten() {
        assert!(addresses_of(&account).is_superset(&wanted), "{account:?}");
    }
    Ok(())
}

/// Each account once, and every member among them.
fn check_snapshot(snapshot: &EntraSnapshot) {
    let accounts: BTreeSet<&ObjectId> = snapshot
        .accounts
        .iter()
        .map(|account| &account.id)
        .collect();
    assert_eq!(accounts.len(), snapshot.accounts.len());
    for account in &snapshot.accounts {
        assert!(!account.user_principal_name.trim().is_empty());
    }
    for group in &snapshot.groups {
        assert!(
            group.members.iter().all(|member| accounts.contains(member)),
            "{group:?}"
        );
    }
    let groups: BTreeSet<&ObjectId> = snapshot.groups.iter().map(|group| &group.id).collect();
    assert!(
        snapshot
            .resolved
            .values()
            .all(|group| groups.contains(group))
    );
}

async fn write_everything(writer: &Writer, secrets: &[&str]) {
    let set = NewAccount {
        user_type: Some(UserType::Member),
        display_name: Some("Ann".to_owned()),
        given_name: None,
        surname: None,
    };
    let invited = writer
        .invite(&[Invitation {
            email: ADDRESS.parse::<Address>().unwrap(),
            set: set.clone(),
            redirect_url: "https://portal.azure.com".to_owned(),
            send_email: false,
            message: None,
            language: None,
            cc: None,
        }])
        .await;
    assert_eq!(invited.len(), 1);
    let asked = [ANN, BOB].map(|account| (id(account), ADDRESS.parse::<Address>().unwrap()));
    for (account, _) in writer.look(&asked).await {
        assert!(asked.iter().any(|(own, _)| *own == account));
    }
    let update = AccountUpdate {
        account: id(ANN),
        set,
        cleared: ClearedNames::default(),
        is_new: true,
    };
    let mut written = writer.update(&[update]).await;
    assert_eq!(written.len(), 1);
    let memberships = asked.map(|(account, _)| Membership {
        group: id(GROUP),
        account,
        is_new: true,
    });
    let added = writer.add(&memberships).await;
    assert_eq!(added.len(), memberships.len());
    let removed = writer.remove(&memberships).await;
    assert_eq!(removed.len(), memberships.len());
    written.extend(added.into_iter().chain(removed));
    let failures = written
        .into_iter()
        .map(Result::err)
        .chain(invited.into_iter().map(Result::err));
    for WriteError { message, .. } in failures.flatten() {
        assert_kept(&anyhow::Error::msg(message), secrets);
    }
}

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

/// Method and path of a request, or of each part of a batch.
fn parts_of(asked: &Asked) -> Vec<(String, String)> {
    let Some(requests) = batch_of(asked) else {
        return vec![(asked.method.clone(), asked.target.clone())];
    };
    requests
        .iter()
        .map(|part| {
            let text = |name: &str| part[name].as_str().unwrap().to_owned();
            (text("method"), format!("/v1.0{}", text("url")))
        })
        .collect()
}

fn batch_of(asked: &Asked) -> Option<Vec<Value>> {
    if asked.target != "/v1.0/$batch" {
        return None;
    }
    assert_eq!(asked.method, "POST");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let requests = body["requests"].as_array().unwrap().clone();
    assert!((1..=20).contains(&requests.len()));
    Some(requests)
}

/// Reads below `/v1.0` and logins, and nothing else so far. Returns whether there was a login.
fn check_reads(service: &Service) -> bool {
    check(service, |_, _| false)
}

/// Reads, logins and the writes that were asked for, and nothing else.
fn check_requests(service: &Service) -> bool {
    check(service, |method, segments| {
        matches!(
            (method, segments),
            (
                "POST",
                ["v1.0", "invitations"] | ["v1.0", "groups", GROUP, "members", "$ref"],
            ) | ("PATCH", ["v1.0", "users", ANN] | ["v1.0", "groups", GROUP])
                | (
                    "DELETE",
                    ["v1.0", "groups", GROUP, "members", ANN | BOB, "$ref"]
                )
        )
    })
}

fn check(service: &Service, may_write: fn(&str, &[&str]) -> bool) -> bool {
    let mut logged_in = false;
    for (method, target) in service.asked().iter().flat_map(parts_of) {
        let path = target.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let is_login = (method.as_str(), segments.as_slice())
            == ("POST", &[TENANT, "oauth2", "v2.0", "token"]);
        let is_read =
            method == "GET" && segments.first() == Some(&"v1.0") && !segments.contains(&"..");
        let is_write = target == path && may_write(&method, &segments);
        assert!(is_login || is_read || is_write, "{method} {target}");
        logged_in |= is_login;
    }
    logged_in
}

/// What a request asks for, by the word that inputs call it.
fn what_of(method: &str, target: &str) -> &'static str {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_filtered = query.contains("filter=");
    match (
        method,
        path.split('/').skip(1).collect::<Vec<_>>().as_slice(),
    ) {
        ("POST", [_, "oauth2", ..]) => "token",
        (_, [_, "organization"]) => "organization",
        (_, [_, "directory", ..]) => "deleted",
        (_, [_, "users", "$count"]) => "count",
        (_, [_, "users"]) if is_filtered => "found",
        (_, [_, "users"]) => "users",
        ("PATCH", [_, "users", _]) => "update",
        (_, [_, "users", _]) => "user",
        (_, [_, "groups"]) if is_filtered => "named",
        (_, [_, "groups"]) => "groups",
        ("PATCH", [_, "groups", _]) => "bind",
        (_, [_, "groups", _]) => "group",
        ("POST", [_, "groups", ..]) => "add",
        ("DELETE", _) => "remove",
        (_, [_, "groups", ..]) => "members",
        (_, [_, "invitations"]) => "invite",
        _ => "else",
    }
}

fn respond(script: &mut Script, asked: &Asked) -> Answer {
    let Some(requests) = batch_of(asked) else {
        return answer_to(script, &asked.method, &asked.target);
    };
    if let Some(whole) = script.next("batch") {
        return whole;
    }
    let mut body = b"{\"responses\":[".to_vec();
    for (at, (part, (method, target))) in requests.iter().zip(parts_of(asked)).enumerate() {
        let Answer {
            status,
            headers,
            body: own,
        } = answer_to(script, &method, &target);
        let headers: serde_json::Map<String, Value> = headers
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        let comma = if at == 0 { "" } else { "," };
        let head = format!(
            "{comma}{{\"id\":{},\"status\":{status},\"headers\":{},\"body\":",
            part["id"],
            Value::Object(headers)
        );
        body.extend(head.bytes());
        // As it is, so that an input can also break the batch around it.
        body.extend(if own.is_empty() {
            b"null".to_vec()
        } else {
            own
        });
        body.push(b'}');
    }
    body.extend(b"]}");
    Answer::ok(body)
}

fn answer_to(script: &mut Script, method: &str, target: &str) -> Answer {
    let what = what_of(method, target);
    script
        .next(what)
        .unwrap_or_else(|| answer_in_order(what, target))
}

/// What a Graph says with which nothing is wrong.
fn answer_in_order(what: &str, target: &str) -> Answer {
    let last = target
        .split('?')
        .next()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let account = |id: &str| {
        format!(
            r#"{{"id":"{id}","userPrincipalName":"o'neil_partner.example#EXT#@acme.example","mail":"{ADDRESS}","userType":"Guest","creationType":"Invitation"}}"#
        )
    };
    let body = match what {
        "token" => {
            format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{TOKEN}"}}"#)
        }
        "organization" => format!(
            r#"{{"value":[{{"id":"{TENANT}","displayName":"Acme","verifiedDomains":[{{"name":"acme.example"}}]}}]}}"#
        ),
        "count" => "3".to_owned(),
        "user" => account(last),
        "users" | "found" => format!(r#"{{"value":[{}]}}"#, account(ANN)),
        "group" => format!(r#"{{"id":"{last}","displayName":"other"}}"#),
        "named" => format!(r#"{{"value":[{{"id":"{GROUP}","displayName":"acme'team"}}]}}"#),
        "members" => format!(
            r##"{{"value":[{{"@odata.type":"#microsoft.graph.user","id":"{ANN}"}},{{"@odata.type":"#microsoft.graph.group","id":"{OTHER_GROUP}"}}]}}"##
        ),
        "invite" => format!(r#"{{"invitedUser":{{"id":"{ANN}"}},"status":"PendingAcceptance"}}"#),
        "update" | "bind" | "add" | "remove" => String::new(),
        _ => r#"{"value":[]}"#.to_owned(),
    };
    Answer::ok(body)
}

/// Besides its own inputs, what was recorded from the real services, in each place where it fits.
fn plant() {
    let recorded = seeds::recorded_answers()
        .into_iter()
        .flat_map(|(status, body)| {
            let places = if status < 300 {
                ["token", "users", "user", "named", "members", "batch"].as_slice()
            } else {
                &["token", "users", "add", "invite", "remove"]
            };
            places
                .iter()
                .map(|what| format!("# {what} {status}\n{body}\n").into_bytes())
                .collect::<Vec<_>>()
        });
    // A longer one would be cut.
    let recorded = recorded.filter(|seed| seed.len() < 4000);
    seeds::plant("graph", seeds::written("graph").into_iter().chain(recorded));
}
