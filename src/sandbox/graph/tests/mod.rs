//! Tests of the simulated Graph, by what is asked of it. This module holds what they share: a tenant and a way to ask.

mod assertions;
mod batching;
mod contract;
mod inviting;
mod limits;
mod login;
mod reading;
mod writing;

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

pub(super) const BASE: &str = "http://127.0.0.1:8080";
pub(super) const TENANT: &str = "6f1c1a52-9d0e-4a57-b1c3-2f5e8d7a9b40";
pub(super) const APP: &str = "11111111-2222-4333-8444-555555555555";
pub(super) const EVENTUAL: &[(&str, &str)] = &[("consistencylevel", "eventual")];

/// All rights that an apply needs.
pub(super) const APPLY: &[&str] = &[
    "User.Read.All",
    "GroupMember.Read.All",
    "User.Invite.All",
    "User.ReadWrite.All",
    "GroupMember.ReadWrite.All",
];

/// The id of the n-th object of a test.
pub(super) fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

/// Ann and Bob work here, Gil is a guest; the group is empty.
pub(super) fn company() -> EntraWorld {
    let mut world = EntraWorld::default();
    world.apps.push(App {
        client_id: APP.to_owned(),
        client_secret: "s3cret".to_owned(),
        roles: APPLY.iter().map(|role| (*role).to_owned()).collect(),
        ..App::default()
    });
    world.insert_user(User::internal(&id(1), "ann@acme.example", "Ann Ash"));
    world.insert_user(User::internal(&id(2), "bob@acme.example", "Bob Braun"));
    world.insert_user(User::invited(
        &id(3),
        "gil@partner.example",
        "acme.onmicrosoft.com",
        "Gil Gray",
    ));
    world.insert_group(Group::security(&id(100), "acme-platform"));
    world
}

/// A company with so many more accounts, all of them members of the group.
pub(super) fn large_company(size: usize) -> EntraWorld {
    let mut world = company();
    for n in 1_000..1_000 + size {
        let name = format!("person{n}@acme.example");
        world.insert_user(User::internal(&id(n), &name, &name));
    }
    let members: Vec<String> = (1_000..1_000 + size).map(id).collect();
    let group = world.groups.get_mut(&id(100)).unwrap();
    group.members.extend(members);
    world
}

/// An answer, taken apart.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: HeaderMap,
}

impl Answer {
    fn of(response: &Response) -> Self {
        Self {
            status: response.status.as_u16(),
            body: serde_json::from_slice(&response.body).unwrap_or(Value::Null),
            headers: response.headers.clone(),
        }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("")
    }

    pub(super) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or("")
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let value = self.body["value"].as_array().unwrap();
        let ids = value
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    /// Checks status, code and a part of the message.
    #[track_caller]
    pub(super) fn is_refused(&self, status: u16, code: &str, message: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
        assert!(self.message().contains(message), "{}", self.body);
    }
}

/// A service with a client that is logged in.
pub(super) struct Client {
    pub(super) graph: Graph,
    pub(super) token: String,
    pub(super) now: Duration,
}

impl Client {
    pub(super) fn new(world: EntraWorld) -> Self {
        let mut graph = Graph::new(world);
        graph.set_base_url(BASE.to_owned());
        let mut client = Self {
            graph,
            token: String::new(),
            now: Duration::ZERO,
        };
        client.log_in();
        client
    }

    pub(super) fn company() -> Self {
        Self::new(company())
    }

    /// A client whose app has these roles only.
    pub(super) fn with_roles(roles: &[&str]) -> Self {
        let mut world = company();
        world.apps[0].roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Self::new(world)
    }

    pub(super) fn behaviour(&mut self) -> &mut Behaviour {
        &mut self.graph.world_mut().behaviour
    }

    pub(super) fn log_in(&mut self) -> Answer {
        let answer = self.ask_for_token(TENANT, &format!(
            "client_id={APP}&scope={BASE}/.default&client_secret=s3cret&grant_type=client_credentials"
        ));
        self.token = answer.body["access_token"].as_str().unwrap().to_owned();
        answer
    }

    pub(super) fn ask_for_token(&mut self, tenant: &str, form: &str) -> Answer {
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let request = request(Method::POST, &path, &[], form.as_bytes().to_vec());
        Answer::of(&self.graph.answer(&request, self.now))
    }

    pub(super) fn ask(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let mut headers = headers.to_vec();
        headers.push(("authorization", &authorization));
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(|body| body.to_string().into_bytes());
        let request = request(
            method,
            &format!("/v1.0{target}"),
            &headers,
            body.unwrap_or_default(),
        );
        Answer::of(&self.graph.answer(&request, self.now))
    }

    pub(super) fn get(&mut self, target: &str) -> Answer {
        self.ask(Method::GET, target, &[], None)
    }

    pub(super) fn post(&mut self, target: &str, body: &Value) -> Answer {
        self.ask(Method::POST, target, &[], Some(body))
    }

    pub(super) fn patch(&mut self, target: &str, body: &Value) -> Answer {
        self.ask(Method::PATCH, target, &[], Some(body))
    }

    pub(super) fn delete(&mut self, target: &str) -> Answer {
        self.ask(Method::DELETE, target, &[], None)
    }

    pub(super) fn invite(&mut self, address: &str) -> Answer {
        self.post(
            "/invitations",
            &json!({
                "invitedUserEmailAddress": address,
                "inviteRedirectUrl": "https://portal.azure.com/",
            }),
        )
    }

    pub(super) fn add(&mut self, group: &str, member: &str) -> Answer {
        self.post(&format!("/groups/{group}/members/$ref"), &link(member))
    }

    pub(super) fn bind(&mut self, group: &str, members: &[String]) -> Answer {
        self.patch(&format!("/groups/{group}"), &binding(members))
    }

    /// Follows the links of a list to its end, and returns the ids on each page.
    pub(super) fn pages(&mut self, target: &str, headers: &[(&str, &str)]) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut target = target.to_owned();
        loop {
            let answer = self.ask(Method::GET, &target, headers, None);
            assert_eq!(answer.status, 200, "{}", answer.body);
            pages.push(answer.ids());
            let Some(next) = answer.body["@odata.nextLink"].as_str() else {
                return pages;
            };
            target = next
                .strip_prefix(&format!("{BASE}/v1.0"))
                .unwrap()
                .to_owned();
        }
    }

    pub(super) fn members(&self) -> Vec<String> {
        let group = &self.graph.world().groups[&id(100)];
        group.members.iter().cloned().collect()
    }
}

pub(super) fn link(member: &str) -> Value {
    json!({"@odata.id": format!("{BASE}/v1.0/directoryObjects/{member}")})
}

pub(super) fn binding(members: &[String]) -> Value {
    let links: Vec<String> = members
        .iter()
        .map(|member| format!("{BASE}/v1.0/directoryObjects/{member}"))
        .collect();
    json!({"members@odata.bind": links})
}

pub(super) fn request(
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: map,
        body,
    }
}

pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

#[test]
fn a_world_survives_being_saved() {
    let mut client = Client::company();
    client.invite("dana@partner.example");
    let world = client.graph.world().clone();
    let saved = serde_json::to_string(&world).unwrap();
    assert_eq!(serde_json::from_str::<EntraWorld>(&saved).unwrap(), world);
    assert_eq!(
        serde_json::from_str::<EntraWorld>("{}").unwrap(),
        EntraWorld::default()
    );
}

#[test]
fn the_same_requests_get_the_same_answers() {
    let run = || {
        let mut client = Client::company();
        let mut answers = vec![client.invite("dana@partner.example")];
        answers.push(client.get("/users?$top=2"));
        answers.push(client.get("/nothing"));
        format!("{answers:?}")
    };
    assert_eq!(run(), run());
}
