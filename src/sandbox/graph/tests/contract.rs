//! The simulated answers beside recorded answers of the real service, which lie outside this project, in the folder that
//! `KEYCLOAK_TO_AZURE_CONTRACT` names; without it these tests say on stderr that they did nothing. Microsoft's description is for the
//! end-to-end tests.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use super::*;

/// A recorded exchange, or nothing where there is no contract.
fn recorded(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("KEYCLOAK_TO_AZURE_CONTRACT") else {
        // Not by `eprintln!`, which the test harness keeps to itself.
        let words = "SKIPPED, nothing was compared: KEYCLOAK_TO_AZURE_CONTRACT does not name the contract folder";
        writeln!(std::io::stderr(), "{words}").unwrap();
        return None;
    };
    let path = PathBuf::from(folder).join(format!("real-responses/{name}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).unwrap())
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn errors_read_as_recorded() {
    let mut client = Client::company();
    client.add(&id(100), &id(3));
    let target = format!("/groups/{}", id(100));
    let missing = client.get(&format!("/groups/{}", id(9)));
    let twice = client.bind(&id(100), &[id(1), id(1)]);
    let already = client.add(&id(100), &id(3));
    let on_ref = client.patch(&format!("{target}/members/$ref"), &binding(&[id(1)]));
    let no_ref = client.delete(&format!("{target}/members"));
    client.token.clear();
    let no_token = client.get("/users");
    for (name, answer) in [
        ("not_found_404", missing),
        ("ref_post_already_exists_400", already),
        ("duplicate_in_one_request_400", twice),
        ("bind_on_ref_400", on_ref),
        ("missing_dollar_ref_400", no_ref),
        ("token_missing_401", no_token),
        ("forbidden_403", Client::with_roles(&[]).get("/users")),
    ] {
        let Some(real) = recorded(&format!("github-threads/{name}")) else {
            return;
        };
        let error = &real["body"]["error"];
        assert_eq!(json!(answer.status), real["status"], "{name}");
        assert_eq!(json!(answer.code()), error["code"], "{name}");
        // What stands in quotes are ids and names; the words around them may not differ.
        let words = |text: &str| -> Vec<String> {
            text.split('\'').step_by(2).map(str::to_owned).collect()
        };
        let real_words = words(error["message"].as_str().unwrap());
        assert_eq!(words(answer.message()), real_words, "{name}");
        let inner: BTreeSet<String> = keys(&error["innerError"]);
        assert!(
            keys(&answer.body["error"]["innerError"]).is_superset(&inner),
            "{name}"
        );
    }
}

#[test]
fn lists_and_objects_have_the_properties_that_were_recorded() {
    let mut client = Client::company();
    client
        .graph
        .world_mut()
        .insert_group(Group::security(&id(101), "nested"));
    client.add(&id(100), &id(101));
    let user = client.get(&format!("/users/{}", id(1)));
    let groups = client.get("/groups?$filter=displayName+eq+'nested'");
    let members = client.get(&format!("/groups/{}/members", id(100)));
    for (name, simulated, of_list) in [
        ("users_get_by_upn", &user.body, false),
        ("groups_filter_displayName", &groups.body, true),
        ("groups_members_list_nested_group", &members.body, true),
    ] {
        let Some(real) = recorded(&format!("azure-cli-vcr/{name}")) else {
            return;
        };
        assert_eq!(keys(simulated), keys(&real["body"]), "{name}");
        if of_list {
            assert_eq!(
                keys(&simulated["value"][0]),
                keys(&real["body"]["value"][0]),
                "{name}"
            );
        }
    }
    let Some(real) = recorded("docs/POST_invitations_0b610a") else {
        return;
    };
    let invitation = client.invite("dana@partner.example");
    assert_eq!(keys(&invitation.body), keys(&real["body"]));
}

#[test]
fn the_login_service_answers_as_recorded() {
    let good = Client::company().log_in();
    let form = |secret: &str, scope: &str, grant: &str| {
        format!("client_id={APP}&client_secret={secret}&scope={scope}&grant_type={grant}")
    };
    let ask = |form: &str| Client::company().ask_for_token(TENANT, form);
    let graph = "https://graph.microsoft.com/.default";
    for (name, answer) in [
        ("token-client-credentials", good),
        (
            "token-error-invalid-client",
            ask(&form("x", graph, "client_credentials")),
        ),
        (
            "token-error-invalid-scope",
            ask(&form(
                "s3cret",
                "api://not-a-registered-resource/.default",
                "client_credentials",
            )),
        ),
        (
            "token-error-unsupported-grant-type",
            ask(&form("s3cret", graph, "no_such_grant")),
        ),
    ] {
        let Some(real) = recorded(&format!("entra-token/{name}")) else {
            return;
        };
        let real = &real["response"];
        assert_eq!(json!(answer.status), real["status"], "{name}");
        assert_eq!(keys(&answer.body), keys(&real["body"]), "{name}");
        assert_eq!(
            answer.body["error_codes"], real["body"]["error_codes"],
            "{name}"
        );
        if let Some(words) = real["body"]["error_description"].as_str() {
            let start = words.split(['\'', '{']).next().unwrap();
            let simulated = answer.body["error_description"].as_str().unwrap();
            assert!(simulated.starts_with(start), "{simulated} / {start}");
        }
    }
}
