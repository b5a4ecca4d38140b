//! What Microsoft published: every request fits its API description, every recorded refusal and token is understood.
//!
//! These run where `KEYCLOAK_TO_AZURE_CONTRACT` names the folder with both, and compare nothing where it does not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Writer;
use super::fixture::{Asked, Fixture, Reply, TENANT, ok, otherwise, refuse};
use super::meaning::{Meaning, Operation, meaning};
use super::refusal::Refusal;
use crate::execute::{AccountUpdate, Directory, Invitation, Membership};
use crate::model::{Address, ObjectId, UserType};
use crate::plan::{ClearedNames, NewAccount};
use crate::settings::MatchAttribute;

fn contract() -> Option<PathBuf> {
    std::env::var_os("KEYCLOAK_TO_AZURE_CONTRACT").map(PathBuf::from)
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_recorded_refusal_is_understood() {
    let Some(folder) = contract() else { return };
    let mut seen = 0;
    for kind in ["github-threads", "azure-cli-vcr", "docs"] {
        for path in json_files(&folder.join("real-responses").join(kind)) {
            let recorded = read_json(&path);
            let mut answers = vec![(&recorded["status"], &recorded["body"])];
            if let Some(parts) = recorded["body"]["responses"].as_array() {
                answers.extend(parts.iter().map(|part| (&part["status"], &part["body"])));
            }
            for (status, body) in answers {
                if body["error"]["message"].is_null() {
                    continue;
                }
                seen += 1;
                let status = status
                    .as_u64()
                    .map_or(404, |status| u16::try_from(status).unwrap());
                let refusal = Refusal::from_json(status, body, None);
                assert_eq!(
                    Some(refusal.message.as_str()),
                    body["error"]["message"].as_str(),
                    "{path:?}"
                );
            }
        }
    }
    assert!(seen >= 12, "{seen}");
    let threads = folder.join("real-responses/github-threads");
    let expected = [
        ("forbidden_403", Operation::Add, Meaning::PermissionMissing),
        ("invitation_500", Operation::Invite, Meaning::AddressRefused),
        (
            "not_found_404",
            Operation::Update,
            Meaning::NotThere(vec![
                "5b31c38c-2584-42f0-aa47-657fb3a84230".parse().unwrap(),
            ]),
        ),
        (
            "patch_after_invite_not_replicated",
            Operation::Update,
            Meaning::NotThereYet,
        ),
        (
            "ref_post_already_exists_400",
            Operation::Add,
            Meaning::AlreadyMember,
        ),
        ("throttled_429", Operation::Read, Meaning::Throttled),
        (
            "throttled_directory_429",
            Operation::Read,
            Meaning::Throttled,
        ),
        ("token_missing_401", Operation::Read, Meaning::TokenRefused),
        ("missing_dollar_ref_400", Operation::Remove, Meaning::Other),
        ("bind_on_ref_400", Operation::Add, Meaning::Other),
        (
            "duplicate_in_one_request_400",
            Operation::Add,
            Meaning::Other,
        ),
    ];
    for (name, operation, expected) in expected {
        let recorded = read_json(&threads.join(format!("{name}.json")));
        let status = recorded["status"].as_u64().unwrap_or(404);
        let refusal = Refusal::from_json(u16::try_from(status).unwrap(), &recorded["body"], None);
        assert_eq!(meaning(operation, &refusal), expected, "{name}");
    }
}

#[tokio::test]
async fn every_recorded_login_is_understood() {
    let Some(folder) = contract() else { return };
    let recorded = folder.join("real-responses");
    let mut refusals: Vec<(u16, Value)> = json_files(&recorded.join("entra-token"))
        .iter()
        .filter(|path| path.to_string_lossy().contains("token-error"))
        .map(|path| read_json(path)["response"].clone())
        .collect::<Vec<_>>()
        .into_iter()
        .chain(
            ["token_expired_secret_401", "token_unknown_tenant_400"].map(|name| {
                read_json(&recorded.join("github-threads").join(format!("{name}.json")))
            }),
        )
        .map(|answer| {
            (
                u16::try_from(answer["status"].as_u64().unwrap()).unwrap(),
                answer["body"].clone(),
            )
        })
        .collect();
    assert_eq!(refusals.len(), 6);
    let fixture = Fixture::start(|_| otherwise()).await;
    for (status, body) in refusals.drain(..) {
        fixture.set_token_reply(Reply::Json(status, body.clone()));
        let error = format!("{:#}", fixture.connect().await.err().unwrap());
        let code = body["error_description"]
            .as_str()
            .unwrap()
            .split(':')
            .next()
            .unwrap();
        assert!(
            error.contains(code) && !error.contains("Trace ID"),
            "{error}"
        );
    }
    let token = read_json(&recorded.join("entra-token/token-client-credentials.json"));
    let mut body = token["response"]["body"].clone();
    for life in [json!(3599), json!("3599")] {
        body["expires_in"] = life;
        fixture.set_token_reply(ok(body.clone()));
        let reader = fixture.connect().await.unwrap();
        assert_eq!(reader.roles(), None);
    }
}

#[tokio::test]
async fn every_request_fits_microsofts_description() {
    let Some(folder) = contract() else { return };
    let description = read_json(&folder.join("graph-v1.0.strict.openapi.json"));
    let mut seen = BTreeSet::new();
    for count in ["1", "900000"] {
        for asked in everything_asked(count).await {
            let problems = misfits(&description, &asked);
            assert!(
                problems.is_empty(),
                "{} {}: {problems:?}",
                asked.method,
                asked.path
            );
            seen.insert(format!(
                "{} {}",
                asked.method,
                asked.path.split(['?', '0']).next().unwrap_or_default()
            ));
        }
    }
    let expected = [
        "DELETE /groups/",
        "GET /groups",
        "GET /groups/",
        "GET /organization",
        "GET /users",
        "GET /users/",
        "GET /users/$count",
        "PATCH /groups/",
        "PATCH /users/",
        "POST /$batch",
        "POST /groups/",
        "POST /invitations",
    ];
    assert_eq!(seen, expected.map(str::to_owned).into());
}

/// Makes the reader and the writer send every kind of request that they have.
async fn everything_asked(count: &'static str) -> Vec<Asked> {
    let group = json!({"id": TENANT, "displayName": "O'Brien's & co"});
    let fixture = Fixture::start(move |asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match (asked.method.as_str(), path) {
            ("POST", "/$batch") => otherwise(),
            ("GET", "/users/$count") => Reply::Raw(200, count),
            ("GET", path) if path.ends_with("/members") => {
                ok(json!({"value": [{"@odata.type": "#microsoft.graph.user", "id": TENANT}]}))
            }
            ("GET", path) if path.starts_with("/users/") => {
                ok(json!({"id": TENANT, "userPrincipalName": "x@y"}))
            }
            ("GET", path) if path.starts_with("/groups/") => ok(group.clone()),
            ("GET", "/groups") => ok(json!({"value": [group]})),
            ("PATCH", path) if path.starts_with("/groups/") => {
                refuse(400, "Request_BadRequest", "No.")
            }
            ("GET", _) => ok(json!({"value": []})),
            ("POST", "/invitations") => Reply::Json(201, json!({"invitedUser": {"id": TENANT}})),
            _ => Reply::Json(204, Value::Null),
        }
    })
    .await;
    let id: ObjectId = TENANT.parse().unwrap();
    let reader = fixture.connect().await.unwrap();
    let long = "x".repeat(200);
    let names = ["O'Brien's & co", TENANT].map(str::to_owned).into();
    let resolution = reader.resolve(&names).await.unwrap();
    reader
        .resolve(&[long.clone(), "zzz".to_owned()].into())
        .await
        .unwrap();
    let wanted: BTreeSet<Address> = ["o'neil@a.example".to_owned(), format!("{long}@a.example")]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    let all = [
        MatchAttribute::Mail,
        MatchAttribute::UserPrincipalName,
        MatchAttribute::OtherMails,
        MatchAttribute::ProxyAddresses,
    ];
    reader.read(&resolution, &wanted, &all).await.unwrap();
    reader.account(&id).await.unwrap();
    reader
        .find_by_address(wanted.first().unwrap())
        .await
        .unwrap();
    let set = NewAccount {
        user_type: Some(UserType::Member),
        display_name: Some("Ann".to_owned()),
        given_name: Some("Ann".to_owned()),
        surname: Some("Ash".to_owned()),
    };
    let writer = Writer::new(&reader);
    let email = "ann@a.example".parse().unwrap();
    let invitation = Invitation {
        email,
        set: set.clone(),
        redirect_url: "https://x.example".to_owned(),
        send_email: true,
    };
    assert!(writer.invite(&[invitation]).await[0].is_ok());
    let update = AccountUpdate {
        account: id.clone(),
        set,
        cleared: ClearedNames::default(),
        is_new: false,
    };
    assert!(writer.update(&[update]).await[0].is_ok());
    let members: Vec<Membership> = (0..20)
        .map(|number| {
            format!("00000000-0000-4000-8000-{number:012}")
                .parse()
                .unwrap()
        })
        .map(|account| Membership {
            group: id.clone(),
            account,
            is_new: false,
        })
        .collect();
    assert!(writer.add(&members).await.iter().all(Result::is_ok));
    assert!(writer.remove(&members).await.iter().all(Result::is_ok));
    fixture
        .take_log()
        .into_iter()
        .filter(|asked| asked.method != "TOKEN")
        .collect()
}

/// What of a request the description does not allow.
fn misfits(description: &Value, asked: &Asked) -> Vec<String> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let paths = description["paths"].as_object().unwrap();
    // `/users/$count` fits `/users/{user-id}` too, so what is spelled out comes first.
    let operation = paths
        .iter()
        .filter(|(template, operations)| {
            fits_template(template, path) && !operations[asked.method.to_lowercase()].is_null()
        })
        .min_by_key(|(template, _)| template.matches('{').count())
        .map(|(_, operations)| &operations[asked.method.to_lowercase()]);
    let Some(operation) = operation else {
        return vec!["no such operation".to_owned()];
    };
    let mut problems = Vec::new();
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| resolved(description, parameter))
        .collect();
    let parameter = |place: &str, name: &str| {
        parameters
            .iter()
            .find(|parameter| parameter["in"] == place && parameter["name"].as_str() == Some(name))
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(parameter) = parameter("query", name) else {
            problems.push(format!("no parameter {name}"));
            continue;
        };
        if let Some(allowed) = parameter["schema"]["items"]["enum"].as_array() {
            let strange = value
                .split(',')
                .filter(|field| !allowed.contains(&Value::from(*field)));
            problems.extend(strange.map(|field| format!("{name} of {field}")));
        }
    }
    if asked.header("ConsistencyLevel").is_some()
        && parameter("header", "ConsistencyLevel").is_none()
    {
        problems.push("ConsistencyLevel is not known here".to_owned());
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    match (schema.is_null(), asked.body.is_null()) {
        (false, _) => misfits_of_value(description, schema, &asked.body, "body", &mut problems),
        (true, false) => problems.push("a body where there is none".to_owned()),
        (true, true) => {}
    }
    problems
}

fn fits_template(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(expected, own)| expected.starts_with('{') || *expected == own)
}

fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => description
            .pointer(reference.trim_start_matches('#'))
            .unwrap(),
        None => value,
    }
}

fn misfits_of_value(
    description: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    problems: &mut Vec<String>,
) {
    let schema = resolved(description, schema);
    let fits_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        _ => true,
    };
    if !fits_type {
        problems.push(format!("{at} is no {}", schema["type"]));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value[name.as_str().unwrap()].is_null() {
            problems.push(format!("{at} lacks {name}"));
        }
    }
    for (name, own) in value.as_object().into_iter().flatten() {
        let property = &schema["properties"][name];
        if !property.is_null() {
            misfits_of_value(
                description,
                property,
                own,
                &format!("{at}.{name}"),
                problems,
            );
        } else if schema["additionalProperties"] == json!(false) {
            problems.push(format!("{at} has {name}"));
        }
    }
    let items = value.as_array().map_or(0, Vec::len) as u64;
    if items > schema["maxItems"].as_u64().unwrap_or(u64::MAX)
        || (value.is_array() && items < schema["minItems"].as_u64().unwrap_or(0))
    {
        problems.push(format!("{at} has {items} items"));
    }
    for own in value.as_array().into_iter().flatten() {
        misfits_of_value(
            description,
            &schema["items"],
            own,
            &format!("{at}[]"),
            problems,
        );
    }
}
