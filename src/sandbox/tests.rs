use std::net::TcpListener;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::exchange::Response;
use super::keycloak::{Group, Person, Realm};
use super::*;
use crate::config::EntraLogin;
use crate::http::Http;

/// A client of the seeded sandbox.
struct Visitor {
    sandbox: Sandbox,
    client: reqwest::Client,
}

impl Visitor {
    async fn new() -> Self {
        Self::with(seed::world(), Options::default()).await
    }

    async fn with(world: World, options: Options) -> Self {
        let http = Http::new(&crate::http::Options {
            loopback: true,
            ..crate::http::Options::default()
        })
        .unwrap();
        Self {
            sandbox: Sandbox::start(world, options).await.unwrap(),
            client: http.client().clone(),
        }
    }

    async fn get(&self, target: &str) -> reqwest::Result<(u16, String)> {
        let url = format!("{}{target}", self.sandbox.keycloak_url());
        let answer = self.client.get(url).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    async fn token(&self) -> String {
        let Some(KeycloakCredentials::Client { id, secret }) = self.sandbox.keycloak_credentials()
        else {
            panic!("the seed has a client");
        };
        let secret = secret.expose_secret().to_owned();
        let url = format!(
            "{}/realms/acme/protocol/openid-connect/token",
            self.sandbox.keycloak_url()
        );
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", &secret),
        ];
        let answer = self.client.post(url).form(&form).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn admin(&self, token: &str, target: &str) -> (u16, Value) {
        let url = format!("{}/admin/realms/acme/{target}", self.sandbox.keycloak_url());
        let answer = self
            .client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn post_to_graph(&self) -> u16 {
        let url = format!("{}/v1.0/groups", self.sandbox.graph_url());
        let answer = self.client.post(url).body("{}").send().await.unwrap();
        answer.status().as_u16()
    }
}

#[tokio::test]
async fn the_company_can_be_read_over_http_and_requests_are_recorded() {
    let visitor = Visitor::new().await;
    let token = visitor.token().await;
    let (_, group) = visitor.admin(&token, "group-by-path/support").await;
    let members = format!("groups/{}/members?max=-1", group["id"].as_str().unwrap());
    let (status, rows) = visitor.admin(&token, &members).await;
    assert_eq!((status, rows.as_array().unwrap().len()), (200, 21));
    let (status, providers) = visitor.admin(&token, "components").await;
    assert_eq!((status, providers), (200, json!([])));

    let requests = visitor.sandbox.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[0].method, Method::POST);
    assert_eq!(requests[2].query, "max=-1");
    assert_eq!(requests[2].status, Some(200));
    visitor.sandbox.forget_requests();
    assert_eq!(visitor.sandbox.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn tokens_grow_old_with_the_clock_of_the_runtime() {
    let visitor = Visitor::new().await;
    let token = visitor.token().await;
    assert_eq!(visitor.admin(&token, "groups").await.0, 200);
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!(visitor.admin(&token, "groups").await.0, 401);
}

#[tokio::test]
async fn a_fault_happens_to_the_requests_it_fits_and_as_often_as_it_says() {
    let visitor = Visitor::new().await;
    let faults = visitor.sandbox.faults();
    let realm = When::to(Service::Keycloak).path("/realms/acme");
    faults.add(realm.from(2), 2, Fault::html(503));
    faults.add(When::to(Service::Graph), 1, Fault::status(500));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(visitor.get("/realms/acme").await.unwrap().0);
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
    assert_eq!(visitor.get("/realms/master").await.unwrap().0, 200);
    assert_eq!(visitor.sandbox.faults().pending(), 1);
    visitor.sandbox.faults().clear();
    assert_eq!(visitor.sandbox.faults().pending(), 0);
}

#[tokio::test]
async fn of_two_faults_for_one_request_the_second_waits_for_the_next() {
    let visitor = Visitor::new().await;
    visitor
        .sandbox
        .faults()
        .add(When::any(), 1, Fault::status(500))
        .add(When::any(), 1, Fault::status(502));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(visitor.get("/realms/acme").await.unwrap().0);
    }
    assert_eq!(statuses, [500, 502, 200]);
}

#[tokio::test]
async fn a_dropped_connection_loses_the_answer_before_or_after_the_effect() {
    let visitor = Visitor::new().await;
    let token = || {
        visitor
            .sandbox
            .with_world(|world| world.keycloak.sessions_begun)
    };
    let url = format!(
        "{}/realms/acme/protocol/openid-connect/token",
        visitor.sandbox.keycloak_url()
    );
    let form = "grant_type=password&client_id=admin-cli&username=azure-sync&password=sandbox-keycloak-password";
    let send = || visitor.client.post(&url).body(form).send();
    visitor
        .sandbox
        .faults()
        .add(When::any(), 1, Fault::DropBeforeEffect)
        .add(When::any(), 1, Fault::DropAfterEffect)
        .add(
            When::any(),
            1,
            Fault::AnswerAfterEffect(Response::empty(StatusCode::BAD_GATEWAY)),
        );
    assert!(send().await.is_err());
    assert_eq!(token(), 0);
    assert!(send().await.is_err());
    assert_eq!(token(), 1);
    assert_eq!(send().await.unwrap().status(), StatusCode::BAD_GATEWAY);
    assert_eq!(token(), 2);
    let statuses: Vec<_> = visitor
        .sandbox
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [None, None, Some(502)]);
}

#[tokio::test]
async fn a_truncated_answer_arrives_in_part_and_breaks() {
    let visitor = Visitor::new().await;
    let whole = visitor.get("/realms/acme").await.unwrap().1;
    visitor
        .sandbox
        .faults()
        .add(When::any(), 1, Fault::Truncate(10));
    let url = format!("{}/realms/acme", visitor.sandbox.keycloak_url());
    let mut answer = visitor.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.content_length(), Some(whole.len() as u64));
    let chunk = answer.chunk().await.unwrap().unwrap();
    assert_eq!(chunk, &whole.as_bytes()[..10]);
    assert!(answer.chunk().await.is_err());
}

#[tokio::test]
async fn an_answer_can_lose_its_body_or_be_about_an_expired_token() {
    let visitor = Visitor::new().await;
    visitor
        .sandbox
        .faults()
        .add(When::any(), 1, Fault::EmptyBody)
        .add(When::any(), 1, Fault::TokenExpired)
        .add(When::any(), 1, Fault::throttled(Some("1.5")));
    assert_eq!(
        visitor.get("/realms/acme").await.unwrap(),
        (200, String::new())
    );
    let (status, body) = visitor.get("/realms/acme").await.unwrap();
    assert_eq!(
        (status, body.as_str()),
        (401, r#"{"error":"HTTP 401 Unauthorized"}"#)
    );
    let url = format!("{}/realms/acme", visitor.sandbox.keycloak_url());
    let answer = visitor.client.get(url).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "1.5");
}

#[tokio::test(start_paused = true)]
async fn latency_takes_its_time_and_a_hanging_request_never_ends() {
    let visitor = Visitor::new().await;
    visitor
        .sandbox
        .faults()
        .add(When::any(), 1, Fault::Latency(Duration::from_secs(7)))
        .add(When::any(), 1, Fault::Hang);
    let before = tokio::time::Instant::now();
    assert_eq!(visitor.get("/realms/acme").await.unwrap().0, 200);
    assert!(before.elapsed() >= Duration::from_secs(7));
    let hanging = tokio::time::timeout(Duration::from_secs(60), visitor.get("/realms/acme"));
    assert!(hanging.await.is_err());
}

#[tokio::test]
async fn a_hanging_request_does_not_keep_the_sandbox_from_ending() {
    let visitor = Visitor::new().await;
    visitor.sandbox.faults().add(When::any(), 1, Fault::Hang);
    let url = format!("{}/realms/acme", visitor.sandbox.keycloak_url());
    let hanging = tokio::spawn(visitor.client.get(url).send());
    while visitor.sandbox.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    visitor.sandbox.shut_down().await.unwrap();
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn the_directories_can_change_at_a_chosen_request() {
    let visitor = Visitor::new().await;
    visitor.sandbox.faults().change_world(
        When::to(Service::Keycloak).path("/realms/acme").from(2),
        |world| world.keycloak.realms.clear(),
    );
    assert_eq!(visitor.get("/realms/acme").await.unwrap().0, 200);
    assert_eq!(visitor.get("/realms/acme").await.unwrap().0, 404);
    assert_eq!(visitor.sandbox.faults().pending(), 0);
}

#[tokio::test]
async fn a_sandbox_goes_on_where_it_ended_at_the_same_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        state: Some(folder.path().join("sandbox.json")),
        ..Options::default()
    };
    let first = Sandbox::start(seed::world(), options.clone())
        .await
        .unwrap();
    let urls = (first.keycloak_url(), first.graph_url());
    let port: u16 = urls.0.rsplit(':').next().unwrap().parse().unwrap();
    assert!((20_000..32_000).contains(&port), "{port}");
    first.with_world(|world| world.keycloak.realms.push(Realm::new("later")));
    let world = first.with_world(|world| World {
        keycloak: world.keycloak.clone(),
        entra: world.entra.clone(),
    });
    first.shut_down().await.unwrap();

    let second = Sandbox::start(World::default(), options).await.unwrap();
    assert_eq!((second.keycloak_url(), second.graph_url()), urls);
    second.with_world(|now| {
        assert_eq!(*now.keycloak, world.keycloak);
        assert_eq!(*now.entra, world.entra);
    });
}

#[tokio::test(start_paused = true)]
async fn the_clock_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::new(folder.path().join("sandbox.json"));
    let options = Options {
        state: Some(file.path().to_owned()),
        ..Options::default()
    };
    for day in 1..=2 {
        let sandbox = Sandbox::start(World::default(), options.clone())
            .await
            .unwrap();
        tokio::time::advance(Duration::from_secs(86_400)).await;
        sandbox.shut_down().await.unwrap();
        assert!(file.load().unwrap().unwrap().clock >= Duration::from_secs(86_400 * day));
    }
}

#[tokio::test]
async fn what_graph_writes_is_kept_even_if_the_sandbox_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    let options = Options {
        state: Some(path.clone()),
        ..Options::default()
    };
    let visitor = Visitor::with(seed::world(), options).await;
    let id = visitor.sandbox.with_world(|world| {
        let group = world.entra.groups.values_mut().next().unwrap();
        group.display_name = "renamed".to_owned();
        group.id.clone()
    });
    visitor.post_to_graph().await;
    let saved = StateFile::new(path).load().unwrap().unwrap();
    assert_eq!(saved.world.entra.groups[&id].display_name, "renamed");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        state: Some(folder.path().join("sandbox.json")),
        ..Options::default()
    };
    let first = Sandbox::start(World::default(), options.clone())
        .await
        .unwrap();
    let address = first.keycloak_url().replace("http://", "");
    first.shut_down().await.unwrap();
    let _taken = TcpListener::bind(&address).unwrap();
    let error = Sandbox::start(World::default(), options)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains(&address), "{error}");
    assert!(error.contains("sandbox.json"), "{error}");
}

#[tokio::test]
async fn a_damaged_state_file_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    for text in ["", "{", r#"{"format": 1}"#] {
        std::fs::write(&path, text).unwrap();
        let options = Options {
            state: Some(path.clone()),
            ..Options::default()
        };
        let error = Sandbox::start(seed::world(), options)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("sandbox.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let options = Options {
        keycloak: Some("0.0.0.0:0".parse().unwrap()),
        ..Options::default()
    };
    let error = Sandbox::start(World::default(), options)
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[cfg(unix)]
#[tokio::test]
async fn the_state_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    let options = Options {
        state: Some(path.clone()),
        ..Options::default()
    };
    let _sandbox = Sandbox::start(seed::world(), options).await.unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The properties of `UserRepresentation` and `GroupRepresentation` as Keycloak 26.8.1 describes them.
#[tokio::test]
async fn answers_hold_no_property_that_keycloak_does_not_describe() {
    const USER: &str = "id username firstName lastName email emailVerified attributes userProfileMetadata enabled self origin \
        createdTimestamp totp federationLink serviceAccountClientId credentials disableableCredentialTypes requiredActions \
        federatedIdentities realmRoles clientRoles clientConsents notBefore verifiableCredentials issuedVerifiableCredentials \
        applicationRoles socialLinks groups access";
    const GROUP: &str = "id name description path parentId subGroupCount subGroups attributes realmRoles clientRoles access";
    let mut world = seed::world();
    let realm = world.keycloak.realm_mut("acme").unwrap();
    let group = Group::new("g", "g").with(Group::new("h", "h"));
    realm.groups.push(group);
    realm.people.push(
        Person::new("p", "p", "P", "P")
            .from_provider("ldap")
            .in_group("h"),
    );
    let kind = keycloak::ProviderKind::ReadOnly;
    realm
        .providers
        .push(keycloak::Provider::new("ldap", "ldap", kind));
    let visitor = Visitor::with(world, Options::default()).await;
    let token = visitor.token().await;
    for (target, schema) in [
        ("users/p", USER),
        ("users?username=p", USER),
        ("groups/h/members", USER),
        ("groups/h/members?briefRepresentation=true", USER),
        ("groups", GROUP),
        ("groups?search=h", GROUP),
        ("groups/h", GROUP),
        ("groups/g/children", GROUP),
        ("group-by-path/g/h", GROUP),
        ("users/p/groups", GROUP),
    ] {
        let (status, body) = visitor.admin(&token, target).await;
        assert_eq!(status, 200, "{target}");
        let one = body.get(0).unwrap_or(&body);
        let known: Vec<&str> = schema.split_whitespace().collect();
        for name in one.as_object().unwrap().keys() {
            assert!(known.contains(&name.as_str()), "{target}: {name}");
        }
    }
}

#[tokio::test]
async fn the_tenant_can_be_read_over_http_with_the_login_that_the_sandbox_names() {
    let visitor = Visitor::new().await;
    let login = visitor.sandbox.entra_credentials().unwrap();
    let EntraLogin::Secret { client_id, secret } = &login.login else {
        panic!("{login:?}");
    };
    let secret = secret.expose_secret().to_owned();
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        visitor.sandbox.login_url(),
        login.tenant
    );
    let graph = visitor.sandbox.graph_url();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", &format!("{graph}/.default")),
    ];
    let answer = visitor.client.post(url).form(&form).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    let token = body["access_token"].as_str().unwrap().to_owned();
    let url = format!("{graph}/v1.0/groups?$filter=displayName eq 'acme-support'");
    let answer = visitor
        .client
        .get(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body["value"][0]["displayName"],
        json!("acme-support"),
        "{body}"
    );
    let id = body["value"][0]["id"].as_str().unwrap();
    let url = format!(
        "{graph}/v1.0/groups/{id}/members/microsoft.graph.user?$select=id,mail,userType&$top=999"
    );
    let answer = visitor
        .client
        .get(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["value"].as_array().unwrap().len(), 19);
}
