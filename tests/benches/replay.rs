//! The baseline of a plan: sends the requests that a plan sent, parses the answers, and does nothing with them.

use std::path::Path;

use futures_util::{StreamExt, stream};
use keycloak_to_azure::http::{Http, Options, Timing};
use keycloak_to_azure::sandbox::{RecordedRequest, Service};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// As many batches as the program has on their way.
const BATCHES_AT_ONCE: usize = 10;

/// Requests, as they are to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Script {
    keycloak: String,
    graph: String,
    keycloak_login: Sent,
    graph_login: Sent,
    /// One after the other, as their order means something.
    lists_of_people: Vec<Sent>,
    /// One after the other, as each page names the next.
    pages_of_accounts: Vec<Sent>,
    /// Several at a time.
    lists_of_members: Vec<Sent>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sent {
    method: String,
    path: String,
    body: String,
}

impl Script {
    pub fn of(requests: &[RecordedRequest], keycloak: &str, graph: &str) -> Self {
        let login = |service| {
            let mut logins = requests
                .iter()
                .filter(|request| request.service == service && request.path.ends_with("/token"));
            Sent::of(logins.next().expect("the program logged in"))
        };
        let those = |fits: &dyn Fn(&RecordedRequest) -> bool| {
            let fitting = requests.iter().filter(|request| fits(request));
            fitting.map(Sent::of).collect()
        };
        Self {
            keycloak: keycloak.to_owned(),
            graph: graph.to_owned(),
            keycloak_login: login(Service::Keycloak),
            graph_login: login(Service::Graph),
            lists_of_people: those(&|request| request.path.contains("/members")),
            pages_of_accounts: those(&|request| request.path == "/v1.0/users"),
            lists_of_members: those(&|request| {
                request.path == "/v1.0/$batch"
                    && String::from_utf8_lossy(&request.body).contains("/members?")
            }),
        }
    }
}

impl Sent {
    fn of(request: &RecordedRequest) -> Self {
        let question_mark = if request.query.is_empty() { "" } else { "?" };
        Self {
            method: request.method.to_string(),
            path: format!("{}{question_mark}{}", request.path, request.query),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        }
    }
}

/// Sends what a file says.
pub fn run(file: &Path) {
    let text = std::fs::read(file).expect("there is a script");
    let script: Script = serde_json::from_slice(&text).expect("it can be read");
    tokio::runtime::Runtime::new()
        .expect("there are threads")
        .block_on(send(script));
}

async fn send(script: Script) {
    // That of the program itself, so that the two differ in nothing but what becomes of the answers.
    let http = Http::new(&Options {
        ca_pem: None,
        loopback: true,
        timing: Timing::default(),
    });
    let client = http.expect("there is a client").client().clone();
    let (keycloak, graph) = (&script.keycloak, &script.graph);
    let (for_keycloak, for_graph) = tokio::join!(
        log_in(&client, keycloak, &script.keycloak_login),
        log_in(&client, graph, &script.graph_login)
    );
    let (client, for_graph) = (&client, &for_graph);
    let people = async {
        for sent in &script.lists_of_people {
            let rows: Vec<Person> = ask(client, keycloak, sent, &for_keycloak).await;
            std::hint::black_box(rows);
        }
    };
    let accounts = async {
        for sent in &script.pages_of_accounts {
            let page: Page<Account> = ask(client, graph, sent, for_graph).await;
            std::hint::black_box(page);
        }
    };
    let members = stream::iter(&script.lists_of_members)
        .map(|sent| ask::<Batch>(client, graph, sent, for_graph))
        .buffered(BATCHES_AT_ONCE)
        .for_each(async |batch| {
            std::hint::black_box(batch);
        });
    tokio::join!(people, accounts, members);
}

async fn log_in(client: &Client, base: &str, login: &Sent) -> String {
    let request = client
        .post(format!("{base}{}", login.path))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(login.body.clone());
    let answer = request.send().await.expect("there is an answer");
    let token: Token = serde_json::from_slice(&answer.bytes().await.expect("a whole one"))
        .expect("there is a token");
    format!("Bearer {}", token.access_token)
}

async fn ask<T: DeserializeOwned>(client: &Client, base: &str, sent: &Sent, token: &str) -> T {
    let method: Method = sent.method.parse().expect("a method");
    let mut request = client
        .request(method, format!("{base}{}", sent.path))
        .header(AUTHORIZATION, token);
    if !sent.body.is_empty() {
        request = request
            .header(CONTENT_TYPE, "application/json")
            .body(sent.body.clone());
    }
    let answer = request.send().await.expect("there is an answer");
    let body = answer.bytes().await.expect("a whole one");
    serde_json::from_slice(&body).expect("it is as expected")
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not used")]
struct Person {
    id: String,
    username: String,
    email: Option<String>,
    email_verified: Option<bool>,
    first_name: Option<String>,
    last_name: Option<String>,
    enabled: bool,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed and not used")]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next_link: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    clippy::struct_field_names,
    reason = "they are Graph's own, parsed and not used"
)]
struct Account {
    id: String,
    user_principal_name: String,
    mail: Option<String>,
    other_mails: Vec<String>,
    proxy_addresses: Vec<String>,
    display_name: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
    user_type: Option<String>,
    creation_type: Option<String>,
    external_user_state: Option<String>,
    account_enabled: Option<bool>,
    on_premises_sync_enabled: Option<bool>,
    created_date_time: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed and not used")]
struct Batch {
    responses: Vec<Part>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed and not used")]
struct Part {
    id: String,
    status: u16,
    body: Page<Member>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed and not used")]
struct Member {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    id: String,
}
