//! Services that lead elsewhere: redirects, links to further pages, and ids and names that would leave their place in a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keycloak_to_azure::sandbox::exchange::Response;
use keycloak_to_azure::sandbox::keycloak::{Group, Person, ProviderKind, Version};
use keycloak_to_azure::sandbox::{Fault, Service, When};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::house::{Cached, House, LDAP, plan, removals};
use crate::program::Stage;

/// A host that nobody may talk to. It counts who does.
struct Elsewhere {
    address: String,
    visits: Arc<AtomicUsize>,
}

impl Elsewhere {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let visits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&visits);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

// Redirects

fn redirect(status: u16, to: &str) -> Fault {
    let response = Response::empty(StatusCode::from_u16(status).unwrap());
    Fault::Answer(response.with_header("location", to))
}

#[tokio::test]
async fn no_redirect_is_followed_and_nothing_is_sent_where_it_leads() {
    let elsewhere = Elsewhere::listen().await;
    let stage = Stage::company().await;
    let address = &elsewhere.address;
    let targets = [
        format!("http://{address}/realms/acme/protocol/openid-connect/token"),
        format!("//{address}/v1.0/organization"),
    ];
    for status in [301, 302, 303, 307, 308] {
        for (service, path) in [
            (Service::Keycloak, "/realms/acme"),
            (Service::Keycloak, "/openid-connect/token"),
            (Service::Keycloak, "/group-by-path/"),
            (Service::Keycloak, "/members"),
            (Service::Keycloak, "/users?email="),
            (Service::Graph, "/oauth2/v2.0/token"),
            (Service::Graph, "/organization"),
            (Service::Graph, "/$batch"),
        ] {
            for target in &targets {
                let what = format!("{status} of {path}");
                stage.sandbox.faults().clear();
                stage.sandbox.faults().add(
                    When::to(service).path(path),
                    1_000,
                    redirect(status, target),
                );
                let ended = stage.run("plan --out @plan.json").await;
                assert_eq!(ended.status, 1, "{what}: {}", ended.out);
                for (_, secret) in stage
                    .variables
                    .iter()
                    .filter(|(name, _)| name.ends_with("SECRET"))
                {
                    assert!(
                        !ended.err.contains(secret.as_str()),
                        "{what}: {}",
                        ended.err
                    );
                }
                assert!(!stage.path("plan.json").exists(), "{what}");
            }
        }
    }
    assert_eq!(elsewhere.visits(), 0);
}

#[tokio::test]
async fn a_redirected_write_is_not_sent_again_and_is_not_done() {
    let elsewhere = Elsewhere::listen().await;
    for status in [301, 302, 303, 307, 308] {
        let stage = Stage::company().await;
        assert_eq!(stage.run("plan --out @plan.json").await.status, 0);
        let before = stage.sandbox.with_world(|world| world.entra.clone());
        for method in ["POST", "PATCH", "DELETE"] {
            let write = When::to(Service::Graph)
                .path("/$batch")
                .body(&format!("\"method\":\"{method}\""));
            let target = format!("http://{}/v1.0/$batch", elsewhere.address);
            stage
                .sandbox
                .faults()
                .add(write, 1_000, redirect(status, &target));
        }
        let applied = stage.run("apply @plan.json").await;
        assert_eq!(
            applied.status, 4,
            "{status}: {}{}",
            applied.out, applied.err
        );
        assert!(
            applied.out.starts_with("7 failed, 1 not attempted\n"),
            "{status}: {}",
            applied.out
        );
        assert_eq!(
            stage.sandbox.with_world(|world| world.entra.clone()),
            before,
            "{status}"
        );
    }
    assert_eq!(elsewhere.visits(), 0);
}

// Links to further pages

/// The same answer for every part of a batch.
fn parts(body: &Value) -> Response {
    let part = |id: usize| json!({ "id": id.to_string(), "status": 200, "body": body });
    Response::json(
        StatusCode::OK,
        &json!({ "responses": (0..20).map(part).collect::<Vec<_>>() }),
    )
}

#[tokio::test]
async fn no_link_to_a_next_page_leads_to_another_host() {
    let elsewhere = Elsewhere::listen().await;
    let stage = Stage::company().await;
    let (address, graph) = (&elsewhere.address, stage.sandbox.graph_url());
    let own = graph.strip_prefix("http://").unwrap();
    let (host, port) = own.split_once(':').unwrap();
    for link in [
        format!("http://{address}/v1.0/groups?$skiptoken=x"),
        format!("https://{own}/v1.0/groups?$skiptoken=x"),
        format!("http://{host}/v1.0/groups?$skiptoken=x"),
        format!("http://{own}@{address}/v1.0/groups?$skiptoken=x"),
        format!("http://graph.microsoft.com@{address}/v1.0/groups?$skiptoken=x"),
        format!("http://user:password@{own}/v1.0/groups?$skiptoken=x"),
        format!("http://{own}.evil.example/v1.0/groups?$skiptoken=x"),
        format!("//{address}/v1.0/groups?$skiptoken=x"),
        format!("{address}/v1.0/groups?$skiptoken=x"),
        "/v1.0/groups?$skiptoken=x".to_owned(),
        format!("HTTP://LOCALHOST:{port}/v1.0/groups?$skiptoken=x"),
        format!("http://{own}\\@{address}/v1.0/groups"),
        format!("http://{own}/v1.0/%2e%2e/beta/groups"),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let page = json!({ "value": [], "@odata.nextLink": link });
        for path in ["/$batch", "/users?"] {
            stage.sandbox.faults().clear();
            let answer = if path == "/users?" {
                Response::json(StatusCode::OK, &page)
            } else {
                parts(&page)
            };
            stage.sandbox.faults().add(
                When::to(Service::Graph).path(path),
                1,
                Fault::Answer(answer),
            );
            stage.sandbox.forget_requests();
            let ended = stage.run("plan --out @plan.json").await;
            assert_eq!(stage.sandbox.faults().pending(), 0);
            assert_eq!(ended.status, 1, "{link}");
            assert!(
                ended.err.contains("leads away from"),
                "{link}: {}",
                ended.err
            );
            let requests = stage.sandbox.requests();
            assert!(
                !requests.iter().any(|request| request.path.contains("beta")),
                "{link}"
            );
        }
    }
    assert_eq!(elsewhere.visits(), 0);
}

#[tokio::test]
async fn a_list_that_never_ends_is_an_error_and_no_plan() {
    for same in [true, false] {
        let stage = Stage::company().await;
        let graph = stage.sandbox.graph_url();
        for number in 0..100 {
            let number = if same { 0 } else { number };
            let link = format!("{graph}/v1.0/groups?$skiptoken={number}");
            let page = json!({ "value": [], "@odata.nextLink": link });
            let lists = When::to(Service::Graph).path("/$batch").body("/groups");
            stage
                .sandbox
                .faults()
                .add(lists, 1, Fault::Answer(parts(&page)));
        }
        let ended = stage.run("plan --out @plan.json").await;
        assert_eq!(ended.status, 1, "{same}");
        let reason = if same {
            "go round in a circle"
        } else {
            "brought nothing new"
        };
        assert!(ended.err.contains(reason), "{}", ended.err);
        assert!(!stage.path("plan.json").exists());
        // The links are not Graph's own.
        stage.contract.take_misfits();
    }
}

// Names and ids in requests

#[tokio::test]
async fn quotes_slashes_and_percent_signs_in_names_find_their_group_and_no_other() {
    for name in [
        "O'Brien & Söhne (50%)",
        "x') or (displayName ne '",
        "a+b c&d=e#f?g",
        "%27%2F%2e%2e%00",
        "back\\slash; \"double\"",
        "日本 🦀",
        "a..b",
    ] {
        let mut house = House::new(Version::V26_7_4, ProviderKind::ReadOnly);
        house.realm().groups.push(Group::new("g1", name));
        house.mapping(name, name);
        // What a name that left its filter or its path would find instead.
        house.realm().groups.push(Group::new("g2", "other"));
        house.mapping("other", "other");
        house.both("ada", false, &["g1"], &[name]);
        house.person("bea", false, &["g1"]);
        house.account("bea", &[]);
        house.both("cyd", false, &["g2"], &["other"]);
        let stage = house.stage().await;
        let ended = stage.run("plan --out @plan.json").await;
        assert_eq!(ended.status, 0, "{name}: {}", ended.err);
        let plan = plan(&stage).unwrap();
        assert_eq!(
            (plan.summary.add, plan.summary.changes()),
            (1, 1),
            "{name}: {:?}",
            plan.changes
        );
        assert_eq!(stage.run("apply @plan.json").await.status, 0, "{name}");
        let members = stage.sandbox.with_world(|world| {
            let mut groups = world.entra.groups.values();
            groups
                .find(|group| group.display_name == name)
                .unwrap()
                .members
                .len()
        });
        assert_eq!(members, 2, "{name}");
    }
}

#[tokio::test]
async fn ids_with_slashes_dots_and_percent_signs_stay_in_their_place_of_a_path() {
    for external in [
        "a/b%2e..",
        "../../../realms/master",
        "..",
        "%2F",
        "a?b#c;d",
        "o'neil+x y",
        "ü/🦀",
    ] {
        let mut house = House::new(Version::V26_7_4, ProviderKind::NoImport);
        let group = format!("g/{external}");
        house.realm().groups.push(Group::new(&group, "staff"));
        house.mapping("staff", "acme-staff");
        house.both("wit", true, &[&group], &["acme-staff"]);
        house.both("moe", true, &[], &["acme-staff"]);
        house.cache(Cached::Cold);
        let id = format!("f:{LDAP}:{external}");
        let moe: &mut Person = house.realm().person_mut("moe").unwrap();
        moe.id.clone_from(&id);
        let stage = house.stage().await;
        let ended = stage.run("plan --out @plan.json").await;
        assert!(matches!(ended.status, 0 | 3), "{external}: {}", ended.err);
        // That somebody has left is known only to whom asks about the right person and the right group.
        let removed: Vec<String> = removals(&stage)
            .into_iter()
            .map(|(_, email, _)| email)
            .collect();
        assert_eq!(
            removed,
            ["moe@partner.example"],
            "{external}: {}",
            ended.out
        );
        for request in stage.sandbox.requests() {
            let is_here = ["/realms/acme", "/admin/realms/acme/"]
                .iter()
                .any(|start| request.path.starts_with(start));
            assert!(
                is_here || request.service == Service::Graph,
                "{external}: {}",
                request.path
            );
            assert!(
                !request
                    .path
                    .split('/')
                    .any(|segment| matches!(segment, "." | "..")),
                "{external}: {}",
                request.path
            );
        }
    }
}
