//! A Graph and its login for tests: on a loopback port, answering what a test's function says, one connection a request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::read::Reader;
use crate::config::{EntraConnection, EntraCredentials};
use crate::http::Timing;

pub(super) const TENANT: &str = "00000000-0000-4000-8000-0000000000ff";
pub(super) const SECRET: &str = "the-secret-value";
pub(super) const ALL_ROLES: [&str; 5] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "User.Invite.All",
    "User.ReadWrite.All",
    "GroupMember.ReadWrite.All",
];

/// A request, or a part of a batch.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Below `/v1.0`, as sent.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The path with its query decoded.
    pub(super) fn decoded(&self) -> String {
        percent_encoding::percent_decode_str(&self.path)
            .decode_utf8_lossy()
            .into_owned()
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(u16, Value),
    With(u16, Vec<(&'static str, String)>, Value),
    Raw(u16, &'static str),
    /// Close the connection instead.
    Hang,
    /// Leave this part out of its batch.
    Omit,
}

pub(super) fn ok(body: Value) -> Reply {
    Reply::Json(200, body)
}

pub(super) fn done() -> Reply {
    Reply::Json(204, Value::Null)
}

pub(super) fn refuse(status: u16, code: &str, message: &str) -> Reply {
    Reply::Json(
        status,
        json!({"error": {"code": code, "message": message, "innerError": {"request-id": "req-1"}}}),
    )
}

pub(super) fn not_there(id: &str) -> Reply {
    refuse(
        404,
        "Request_ResourceNotFound",
        &format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        ),
    )
}

/// Replies in their order; the last one stays.
pub(super) struct Script(Mutex<VecDeque<Reply>>);

impl Script {
    pub(super) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(Mutex::new(replies.into_iter().collect()))
    }

    pub(super) fn next(&self) -> Reply {
        let mut replies = self.0.lock().unwrap();
        if replies.len() > 1 {
            replies.pop_front().unwrap()
        } else {
            replies.front().unwrap().clone()
        }
    }
}

type Answer = dyn Fn(&Asked) -> Reply + Send + Sync;

#[derive(Clone)]
pub(super) struct Fixture {
    pub(super) url: String,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answer>,
    roles: Arc<Vec<String>>,
    token_life: Value,
    token_reply: Arc<Mutex<Option<Reply>>>,
}

impl Fixture {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(&ALL_ROLES, json!(3599), answer).await
    }

    pub(super) async fn start_with(
        roles: &[&str],
        token_life: Value,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fixture = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            log: Arc::default(),
            answer: Arc::new(answer),
            roles: Arc::new(roles.iter().map(ToString::to_string).collect()),
            token_life,
            token_reply: Arc::default(),
        };
        let serving = fixture.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        fixture
    }

    /// Makes the login answer this instead of a token.
    pub(super) fn set_token_reply(&self, reply: Reply) {
        *self.token_reply.lock().unwrap() = Some(reply);
    }

    pub(super) async fn connect(&self) -> anyhow::Result<Reader> {
        self.connect_to(TENANT).await
    }

    pub(super) async fn connect_to(&self, tenant: &str) -> anyhow::Result<Reader> {
        let connection = EntraConnection {
            login_url: self.url.clone(),
            graph_url: self.url.clone(),
        };
        let credentials =
            EntraCredentials::with_secret(tenant, "the-app", SecretString::from(SECRET));
        let timing = Timing {
            first_wait: Duration::from_micros(500),
            longest_wait: Duration::from_millis(2),
            longest_retry_after: Duration::from_millis(200),
            tries: 3,
            ..Timing::default()
        };
        Reader::connect(&connection, credentials, timing).await
    }

    /// Everything that was asked of Graph since the last call, parts of batches singly.
    pub(super) fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    /// The same without the envelopes of batches and the tenant facts.
    pub(super) fn take_requests(&self) -> Vec<Asked> {
        self.take_log()
            .into_iter()
            .filter(|asked| !asked.is("POST", "/$batch") && !asked.is("GET", "/organization"))
            .collect()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(asked) = read_request(&mut stream).await else {
            return;
        };
        let reply = if asked.path.ends_with("/oauth2/v2.0/token") {
            self.token()
        } else {
            self.graph(&Asked {
                path: asked
                    .path
                    .strip_prefix("/v1.0")
                    .unwrap_or("off the path")
                    .to_owned(),
                ..asked
            })
        };
        let (status, headers, body) = match reply {
            Reply::Json(status, Value::Null) => (status, Vec::new(), String::new()),
            Reply::Json(status, body) => (status, Vec::new(), body.to_string()),
            Reply::With(status, headers, body) => (status, headers, body.to_string()),
            Reply::Raw(status, body) => (status, Vec::new(), body.to_owned()),
            Reply::Hang | Reply::Omit => return,
        };
        let mut text = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        );
        for (name, value) in headers {
            text.extend([name, ": ", value.as_str(), "\r\n"]);
        }
        let _ = stream
            .write_all(format!("{text}\r\n{body}").as_bytes())
            .await;
        let _ = stream.shutdown().await;
    }

    fn token(&self) -> Reply {
        if let Some(reply) = self.token_reply.lock().unwrap().clone() {
            return reply;
        }
        self.log.lock().unwrap().push(Asked {
            method: "TOKEN".to_owned(),
            path: "token".to_owned(),
            headers: Vec::new(),
            body: Value::Null,
        });
        let claims = URL_SAFE_NO_PAD.encode(json!({"roles": *self.roles}).to_string());
        ok(json!({
            "token_type": "Bearer",
            "expires_in": self.token_life,
            "access_token": format!("e30.{claims}.{}", uuid::Uuid::new_v4()),
        }))
    }

    fn graph(&self, asked: &Asked) -> Reply {
        self.log.lock().unwrap().push(asked.clone());
        if asked.is("GET", "/organization") {
            return ok(json!({"value": [{
                "id": TENANT,
                "displayName": "Acme",
                "verifiedDomains": [{"name": "Acme.example", "isDefault": true}, {"name": "acme.onmicrosoft.com", "isInitial": true}],
            }]}));
        }
        if !asked.is("POST", "/$batch") {
            return (self.answer)(asked);
        }
        // The envelope itself can be answered by the test.
        let envelope = (self.answer)(asked);
        if !matches!(&envelope, Reply::Json(404, Value::Null)) {
            return envelope;
        }
        let requests = asked.body["requests"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut responses = Vec::new();
        for request in requests {
            let part = Asked {
                method: request["method"].as_str().unwrap().to_owned(),
                path: request["url"].as_str().unwrap().to_owned(),
                headers: request["headers"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                    .collect(),
                body: request["body"].clone(),
            };
            self.log.lock().unwrap().push(part.clone());
            let (status, headers, body) = match (self.answer)(&part) {
                Reply::Json(status, body) => (status, json!({}), body),
                Reply::With(status, headers, body) => (
                    status,
                    headers
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), Value::String(value)))
                        .collect(),
                    body,
                ),
                Reply::Raw(status, text) => (status, json!({}), Value::String(text.to_owned())),
                Reply::Hang => return Reply::Hang,
                Reply::Omit => continue,
            };
            responses.push(
                json!({"id": request["id"], "status": status, "headers": headers, "body": body}),
            );
        }
        responses.reverse();
        ok(json!({ "responses": responses }))
    }
}

/// What a test's function says to everything that it does not know, the envelopes of batches among it.
pub(super) fn otherwise() -> Reply {
    Reply::Json(404, Value::Null)
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let length: usize = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().unwrap());
        if body.len() >= length {
            return Some(Asked {
                method: first.next()?.to_owned(),
                path: first.next()?.to_owned(),
                body: serde_json::from_str(body).unwrap_or(Value::Null),
                headers,
            });
        }
    }
}
