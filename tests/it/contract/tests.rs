//! That what does not fit is seen, and that what the program can ask for is asked for.

use std::collections::BTreeSet;

use keycloak_to_azure::sandbox::keycloak::{Group, Version};
use keycloak_to_azure::sandbox::seed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::has_contract;
use crate::crew::{APPLY, Crew, lagging};
use crate::program::Stage;

/// Sends a request as it stands.
async fn send(base: &str, request: &str) {
    let address = base.strip_prefix("http://").unwrap();
    let address = address.split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let head = head.replace('\n', "\r\n");
    let length = body.len();
    let text = format!(
        "{head}\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer x\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 "));
}

#[tokio::test]
async fn what_is_not_described_is_seen() {
    if !has_contract() {
        return;
    }
    let stage = Stage::company().await;
    let graph = stage.sandbox.graph_url();
    let keycloak = stage.sandbox.keycloak_url();
    let json = "Content-Type: application/json";
    for (base, request, misfit) in [
        (&graph, "GET /v1.0/people HTTP/1.1".to_owned(), "GET is not described"),
        (&graph, "GET /beta/users HTTP/1.1".to_owned(), "is not below /v1.0"),
        (&graph, "GET /v1.0/users?$select=id,emails HTTP/1.1".to_owned(), "$select of emails"),
        (&graph, "GET /v1.0/users?$top=many HTTP/1.1".to_owned(), "$top is `many` and no number"),
        (&graph, "GET /v1.0/users?$count=yes HTTP/1.1".to_owned(), "$count is `yes` and no boolean"),
        (&graph, "GET /v1.0/users?$top=1&$top=2 HTTP/1.1".to_owned(), "$top stands twice"),
        (&graph, "GET /v1.0/users/$count HTTP/1.1".to_owned(), "counting takes ConsistencyLevel: eventual"),
        (&graph, "GET /v1.0/users?$skiptoken=x HTTP/1.1".to_owned(), "$skiptoken is no option"),
        (&graph, "GET /v1.0/users/x HTTP/1.1\nConsistencyLevel: eventual".to_owned(), "consistencylevel is no header"),
        (&graph, format!("PATCH /v1.0/users/x HTTP/1.1\n{json}\n\n{{\"usertype\":\"Member\"}}"), "'usertype'"),
        (&graph, "PATCH /v1.0/users/x HTTP/1.1\n\n{\"userType\":\"Member\"}".to_owned(), "the body is None"),
        (&graph, format!("POST /v1.0/invitations HTTP/1.1\n{json}\n\n{{}}"), "\"invitedUserEmailAddress\" is a required property"),
        (&graph, "DELETE /v1.0/groups/x/members/y HTTP/1.1".to_owned(), "DELETE is not described"),
        (
            &graph,
            format!("POST /v1.0/$batch HTTP/1.1\n{json}\n\n{{\"requests\":[{{\"id\":\"1\",\"method\":\"GET\",\"url\":\"/users?$select=emails\"}}]}}"),
            "/users: GET: $select of emails",
        ),
        (&graph, "POST /t/oauth2/v2.0/token HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nclient_id=x".to_owned(), "\"grant_type\" is a required property"),
        (&keycloak, "GET /nowhere HTTP/1.1".to_owned(), "is neither below /realms nor below /admin"),
        (&keycloak, "GET /admin/realms/acme/users?mail=x HTTP/1.1".to_owned(), "mail is no option"),
        (&keycloak, "DELETE /admin/realms/acme/users/x/groups/y HTTP/1.1".to_owned(), "DELETE is not described"),
    ] {
        send(base, &request).await;
        let misfits = stage.contract.take_misfits();
        assert!(
            misfits.iter().any(|found| found.contains(misfit)),
            "{request}: {misfits:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_not_described_is_seen() {
    if !has_contract() {
        return;
    }
    let stage = Stage::company().await;
    stage.sandbox.with_world(|world| {
        for group in world.entra.groups.values_mut() {
            group.created = Some("yesterday".to_owned());
        }
    });
    let planned = stage.run("plan --out @plan.json").await;
    assert_eq!(planned.status, 0, "{}", planned.err);
    let misfits = stage.contract.take_misfits();
    assert!(
        misfits.iter().any(|misfit| misfit.contains("yesterday")),
        "{misfits:?}"
    );
}

#[test]
fn what_does_not_fit_fails_the_test() {
    if !has_contract() {
        return;
    }
    let test = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let stage = Stage::company().await;
            send(&stage.sandbox.graph_url(), "GET /v1.0/people HTTP/1.1").await;
        });
    });
    let reason = test.join().unwrap_err();
    let reason = reason.downcast_ref::<String>().unwrap();
    assert!(
        reason.starts_with(
            "not as the services' descriptions have it:\n/people: GET is not described"
        ),
        "{reason}"
    );
}

#[tokio::test]
async fn every_kind_of_request_is_looked_at() {
    if !has_contract() {
        return;
    }
    // Of accounts that no list shows yet, each is looked at by itself.
    let Crew { stage, .. } = Crew::new(lagging).await;
    let applied = stage.run(APPLY).await;
    assert_eq!(applied.status, 0, "{}", applied.err);
    let explained = stage.run("explain ann@partner.example").await;
    assert_eq!(explained.status, 0, "{}", explained.err);

    // A group by its id on the one side, and one that this version of Keycloak does not find by its path on the other.
    let mut world = seed::world();
    world.keycloak.version = Version::V24_0_5;
    let realm = world.keycloak.realm_mut("acme").unwrap();
    realm.groups.push(Group::new("odd", "50% off"));
    let company = Stage::with(world).await;
    let id = company
        .sandbox
        .with_world(|world| world.entra.groups.keys().next().cloned())
        .unwrap();
    let mapping = format!("groups:\n  - {{ keycloak: '/50% off', azure: {id} }}\n");
    let configuration = company.configuration();
    company.configure(&configuration.replacen("groups:\n", &mapping, 1));
    let checked = company.run("check").await;
    assert_eq!(checked.status, 0, "{}{}", checked.out, checked.err);

    let operations: BTreeSet<String> = stage
        .contract
        .operations()
        .union(&company.contract.operations())
        .cloned()
        .collect();
    insta::assert_snapshot!(operations.into_iter().collect::<Vec<_>>().join("\n"));
}
