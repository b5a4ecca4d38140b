//! Every request to Graph is made here: single GETs, and batches of up to 20 parts of which each has its own fate.
//!
//! [`Reads`] sends GETs and nothing else. [`Writes`] sends what [`Write`] can say, and no part that would delete an object.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::{StreamExt, stream};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::batch_answer::{BatchAnswer, Body, PartAnswer};
use super::failure::Failure;
use super::meaning::{Meaning, Operation, meaning};
use super::refusal::Refusal;
use super::token::{Login, Token};
use super::write_request::Write;
use crate::config::{EntraConnection, EntraCredentials};
use crate::execute::PARTS_PER_BATCH;
use crate::http::{self, Answer, Class, ErrorKind, Http, Timing};

/// How many parts a batch may have, of reads as of writes.
pub(super) const BATCH_SIZE: usize = PARTS_PER_BATCH;

/// How many requests are on their way at once: as many as Microsoft's own group synchronisation has workers.
const IN_FLIGHT: usize = 10;

/// The header in which Graph says how much of a limit is used, once that is 0.8 and up to 1.8.
const THROTTLE_SHARE: &str = "x-ms-throttle-limit-percentage";

/// Something to read: a path below `/v1.0` with its query, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Get {
    /// `/users?$top=999`.
    pub(super) path: String,
    /// Whether `ConsistencyLevel: eventual` goes with it. The links to further pages do not carry it.
    pub(super) eventual: bool,
}

impl Get {
    /// A plain GET.
    pub(super) fn new(path: String) -> Self {
        Self {
            path,
            eventual: false,
        }
    }

    fn part(&self) -> Part {
        Part {
            method: Method::GET,
            path: self.path.clone(),
            eventual: self.eventual,
            body: None,
            operation: Operation::Read,
        }
    }
}

/// One request inside a batch.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) eventual: bool,
    pub(super) body: Option<Value>,
    pub(super) operation: Operation,
}

impl Part {
    /// `DELETE` of anything but a reference deletes the object itself: a person's account instead of a membership
    /// (warning in Microsoft's page on removing members).
    fn would_delete_an_object(&self) -> bool {
        self.method == Method::DELETE && !self.path.ends_with("/$ref")
    }

    fn to_json(&self, id: usize) -> Value {
        let mut headers = Map::new();
        if self.eventual {
            headers.insert("ConsistencyLevel".to_owned(), "eventual".into());
        }
        if self.body.is_some() {
            headers.insert("Content-Type".to_owned(), "application/json".into());
        }
        let mut part =
            json!({"id": id.to_string(), "method": self.method.as_str(), "url": self.path});
        if !headers.is_empty() {
            part["headers"] = headers.into();
        }
        if let Some(body) = &self.body {
            part["body"] = body.clone();
        }
        part
    }
}

/// What became of a part.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The body of the answer, if the part succeeded.
    pub(super) result: Result<Body, Failure>,
    /// Graph's id of the request.
    pub(super) request_id: Option<String>,
    /// How often the part was sent.
    pub(super) attempts: u32,
    /// Whether an earlier try may have been carried out.
    pub(super) after_unknown: bool,
}

/// Reads from Graph. There is no way to make it send anything but GETs.
#[derive(Clone)]
pub(super) struct Reads {
    graph: Arc<Graph>,
}

impl Reads {
    /// Prepares to read; nothing is sent.
    pub(super) fn new(
        connection: &EntraConnection,
        credentials: EntraCredentials,
        timing: &Timing,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            graph: Arc::new(Graph::new(connection, credentials, timing)?),
        })
    }

    /// The app's login.
    pub(super) fn login(&self) -> &Login {
        &self.graph.login
    }

    /// How long to wait for what.
    pub(super) fn timing(&self) -> &Timing {
        self.graph.http.timing()
    }

    /// How much longer nothing is sent because Graph asked for it.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        self.graph.http.paused_for()
    }

    /// Reads one thing by a request of its own.
    pub(super) async fn get(&self, get: &Get) -> Result<Answer, Failure> {
        self.graph.get(get).await
    }

    /// Reads many things in batches. The results come in the order of what was asked.
    pub(super) async fn get_all(&self, gets: &[Get]) -> Vec<Result<Body, Failure>> {
        let batches: Vec<Vec<Part>> = gets
            .chunks(BATCH_SIZE)
            .map(|chunk| chunk.iter().map(Get::part).collect())
            .collect();
        let answered: Vec<Vec<Outcome>> = stream::iter(batches)
            .map(|parts| async move { self.graph.send_parts(Class::Read, &parts).await })
            .buffered(IN_FLIGHT)
            .collect()
            .await;
        answered
            .into_iter()
            .flatten()
            .map(|outcome| outcome.result)
            .collect()
    }

    /// Turns the link to a next page into something to read, if it leads to the configured Graph.
    pub(super) fn next_page(&self, link: &str, of: &Get) -> Result<Get, Failure> {
        self.graph.next_page(link, of)
    }
}

/// Writes to Graph. Only [`super::Writer`] makes one.
pub(super) struct Writes {
    graph: Arc<Graph>,
}

impl Writes {
    /// Writes to the Graph that is read from.
    pub(super) fn beside(reads: &Reads) -> Self {
        Self {
            graph: Arc::clone(&reads.graph),
        }
    }

    /// Sends writes of one class, so many in a batch. The results come in the order of what was asked.
    pub(super) async fn send(
        &self,
        class: Class,
        writes: &[Write<'_>],
        batch_size: usize,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for chunk in writes.chunks(batch_size.clamp(1, BATCH_SIZE)) {
            let parts: Vec<Part> = chunk
                .iter()
                .map(|write| write.part(&self.graph.base))
                .collect();
            outcomes.extend(self.graph.send_parts(class, &parts).await);
        }
        outcomes
    }
}

/// The connection to Graph.
struct Graph {
    http: Http,
    login: Login,
    /// `https://graph.microsoft.com/v1.0`.
    base: String,
    base_url: Url,
    slots: Semaphore,
}

impl Graph {
    fn new(
        connection: &EntraConnection,
        credentials: EntraCredentials,
        timing: &Timing,
    ) -> anyhow::Result<Self> {
        let base = format!("{}/v1.0", connection.graph_url);
        let base_url = Url::parse(&base).with_context(|| format!("{base} is not an address"))?;
        Ok(Self {
            http: Http::new(&http::Options {
                ca_pem: None,
                loopback: http::is_loopback(&base_url),
                timing: timing.clone(),
            })?,
            login: Login::new(connection, credentials, timing)?,
            base_url,
            base,
            slots: Semaphore::new(IN_FLIGHT),
        })
    }

    async fn get(&self, get: &Get) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.base, get.path);
        let (_, answer) = self
            .exchange(Class::Read, || {
                let request = self.http.client().get(&url);
                if get.eventual {
                    request.header("ConsistencyLevel", "eventual")
                } else {
                    request
                }
            })
            .await?;
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            let share = share_in(answer.header(THROTTLE_SHARE));
            self.http.note_went_through(Class::Read, share, answer.took);
        }
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(Failure::Refused(refusal_of(&answer)))
        }
    }

    /// Sends a request with a token, and once more with a new one if that was not accepted. Returns the token as well.
    async fn exchange(
        &self,
        class: Class,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<(Token, Answer), Unanswered> {
        let mut renewed = false;
        let mut attempts = 0;
        let mut after_unknown = false;
        // Before the token is looked at, which may not be good any more once it is this request's turn.
        let _slot = self.slots.acquire().await;
        loop {
            let unanswered = |failure: Failure| Unanswered {
                failure,
                attempts,
                after_unknown,
            };
            let token = self
                .login
                .token()
                .await
                .map_err(|failure| unanswered(failure.into()))?;
            let request = request()
                .header(
                    AUTHORIZATION,
                    token
                        .header()
                        .map_err(|failure| unanswered(failure.into()))?,
                )
                .header("client-request-id", uuid::Uuid::new_v4().to_string())
                .build()
                .map_err(|error| unanswered(Failure::Garbled(error.without_url().to_string())))?;
            let mut answer = match self.http.send(class, request).await {
                Ok(answer) => answer,
                Err(error) => {
                    return Err(Unanswered {
                        attempts: attempts + error.attempts,
                        after_unknown: after_unknown || error.after_unknown,
                        failure: error.into(),
                    });
                }
            };
            answer.strike_out(token.value());
            answer.attempts += attempts;
            answer.after_unknown |= after_unknown;
            if answer.status == StatusCode::UNAUTHORIZED && !renewed {
                renewed = true;
                (attempts, after_unknown) = (answer.attempts, answer.after_unknown);
                self.login.forget(&token).await;
                continue;
            }
            return Ok((token, answer));
        }
    }

    /// Sends a batch until each of its parts is answered for good. Only parts that were refused for a while are sent again.
    async fn send_parts(&self, class: Class, parts: &[Part]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; parts.len()];
        let mut attempts = vec![0; parts.len()];
        let mut renewed = vec![false; parts.len()];
        let mut throttled = vec![0; parts.len()];
        let mut after_unknown = vec![false; parts.len()];
        let mut pending: Vec<usize> = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if part.would_delete_an_object() {
                outcomes[at] = Some(Outcome {
                    result: Err(Failure::Withheld),
                    request_id: None,
                    attempts: 0,
                    after_unknown: false,
                });
            } else {
                pending.push(at);
            }
        }
        while !pending.is_empty() {
            let mut batch = self.exchange_batch(class, parts, &pending).await;
            let mut again = Vec::new();
            let mut longest_wait = Duration::ZERO;
            let mut is_throttled = false;
            for at in std::mem::take(&mut pending) {
                attempts[at] += batch.attempts;
                after_unknown[at] |= batch.after_unknown;
                let PartAnswer {
                    result,
                    request_id,
                    retry_after,
                } = match &mut batch.answered {
                    Ok(answers) => answers.take(at),
                    Err(failure) => PartAnswer::of_whole(failure),
                };
                if let Err(Failure::Refused(refusal)) = &result
                    && batch.answered.is_ok()
                {
                    let meaning = meaning(parts[at].operation, refusal);
                    // What is throttled was not tried, and takes nothing from the tries of what fails.
                    let is_throttled_part = meaning == Meaning::Throttled;
                    throttled[at] += u32::from(is_throttled_part);
                    let tried = if is_throttled_part {
                        throttled[at]
                    } else {
                        attempts[at].saturating_sub(throttled[at])
                    };
                    let repeat =
                        self.when_to_repeat(class, &meaning, tried, renewed[at], retry_after);
                    match repeat {
                        Repeat::WithNewToken => {
                            renewed[at] = true;
                            if let Some(token) = &batch.token {
                                self.login.forget(token).await;
                            }
                            again.push(at);
                            continue;
                        }
                        Repeat::After(wait) if wait > self.http.timing().longest_retry_after => {
                            self.http.pause(wait);
                            after_unknown[at] |= meaning == Meaning::Unavailable;
                            outcomes[at] = Some(Outcome {
                                result: Err(Failure::NoAnswer(http::Error {
                                    kind: ErrorKind::ComeBackLater(wait),
                                    target: format!("{}/$batch", self.base),
                                    reason: String::new(),
                                    attempts: attempts[at],
                                    after_unknown: after_unknown[at],
                                })),
                                request_id,
                                attempts: attempts[at],
                                after_unknown: after_unknown[at],
                            });
                            continue;
                        }
                        Repeat::After(wait) => {
                            after_unknown[at] |= meaning == Meaning::Unavailable;
                            is_throttled |= is_throttled_part;
                            longest_wait = longest_wait.max(wait);
                            again.push(at);
                            continue;
                        }
                        Repeat::No => {}
                    }
                }
                outcomes[at] = Some(Outcome {
                    result,
                    request_id,
                    attempts: attempts[at],
                    after_unknown: after_unknown[at],
                });
            }
            if is_throttled {
                self.http.note_throttled(class, longest_wait);
            } else if !again.is_empty() {
                self.http.timing().clock.sleep(longest_wait).await;
            }
            pending = again;
        }
        outcomes
            .into_iter()
            .map(|outcome| {
                outcome.unwrap_or(Outcome {
                    result: Err(Failure::Missing),
                    request_id: None,
                    attempts: 0,
                    after_unknown: false,
                })
            })
            .collect()
    }

    fn when_to_repeat(
        &self,
        class: Class,
        meaning: &Meaning,
        attempts: u32,
        renewed: bool,
        retry_after: Option<Duration>,
    ) -> Repeat {
        let tries = self.http.tries(*meaning == Meaning::Throttled);
        let is_due = match meaning {
            Meaning::TokenRefused => {
                return if renewed {
                    Repeat::No
                } else {
                    Repeat::WithNewToken
                };
            }
            // Refused before anything was done.
            Meaning::Throttled | Meaning::Concurrent | Meaning::NotTried => attempts < tries,
            // It may have been done all the same.
            Meaning::Unavailable => class != Class::Invitation && attempts < tries,
            _ => false,
        };
        if is_due {
            Repeat::After(retry_after.unwrap_or_else(|| self.http.own_wait(attempts)))
        } else {
            Repeat::No
        }
    }

    async fn exchange_batch(&self, class: Class, parts: &[Part], pending: &[usize]) -> Batch {
        let requests: Vec<Value> = pending
            .iter()
            .filter_map(|&at| Some(parts.get(at)?.to_json(at)))
            .collect();
        let url = format!("{}/$batch", self.base);
        let body = json!({ "requests": requests });
        let exchanged = self
            .exchange(class, || self.http.client().post(&url).json(&body))
            .await;
        let (token, answer) = match exchanged {
            Ok(exchanged) => exchanged,
            Err(unanswered) => {
                return Batch {
                    answered: Err(unanswered.failure),
                    token: None,
                    attempts: unanswered.attempts,
                    after_unknown: unanswered.after_unknown,
                };
            }
        };
        // The outer status of a batch with throttled parts has been 424 (Microsoft's page on throttling of 2021).
        let answered =
            if answer.status.is_success() || answer.status == StatusCode::FAILED_DEPENDENCY {
                BatchAnswer::parse(&answer)
            } else {
                Err(Failure::Refused(refusal_of(&answer)))
            };
        if let Ok(answers) = &answered {
            let shares = answers.headers(THROTTLE_SHARE);
            let shares = shares.iter().filter_map(|share| share_in(Some(share)));
            let largest = share_in(answer.header(THROTTLE_SHARE))
                .into_iter()
                .chain(shares)
                .reduce(f64::max);
            if answers.any_went_through() {
                self.http.note_went_through(class, largest, answer.took);
            }
        }
        Batch {
            answered,
            token: Some(token),
            attempts: answer.attempts,
            after_unknown: answer.after_unknown,
        }
    }

    fn next_page(&self, link: &str, of: &Get) -> Result<Get, Failure> {
        let stray = || {
            Failure::Garbled(format!(
                "the link to the next page of {} leads away from {}",
                of.path.split('?').next().unwrap_or_default(),
                self.base
            ))
        };
        let url = Url::parse(link).map_err(|_| stray())?;
        let is_here = url.origin() == self.base_url.origin()
            && url.username().is_empty()
            && url.password().is_none();
        let path = url
            .path()
            .strip_prefix(self.base_url.path())
            .filter(|path| is_here && path.starts_with('/'))
            .ok_or_else(stray)?;
        let query = url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        Ok(Get {
            path: format!("{path}{query}"),
            eventual: of.eventual,
        })
    }
}

/// A request that was not answered for good.
struct Unanswered {
    failure: Failure,
    attempts: u32,
    /// Whether an earlier try may have been carried out.
    after_unknown: bool,
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.failure
    }
}

enum Repeat {
    No,
    WithNewToken,
    After(Duration),
}

struct Batch {
    answered: Result<BatchAnswer, Failure>,
    token: Option<Token>,
    attempts: u32,
    /// Whether an earlier try of it may have been carried out.
    after_unknown: bool,
}

/// How much of a limit is used. What cannot be read says nothing.
fn share_in(header: Option<&str>) -> Option<f64> {
    header?
        .trim()
        .parse()
        .ok()
        .filter(|share: &f64| share.is_finite())
}

fn refusal_of(answer: &Answer) -> Refusal {
    Refusal::from_bytes(
        answer.status.as_u16(),
        &answer.body,
        request_id_in(&answer.headers),
    )
}

fn request_id_in(headers: &HeaderMap) -> Option<&str> {
    headers.get("request-id")?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn graph() -> Graph {
        graph_at("http://127.0.0.1:2")
    }

    fn graph_at(graph_url: &str) -> Graph {
        Graph::new(
            &EntraConnection {
                login_url: "http://127.0.0.1:1".to_owned(),
                graph_url: graph_url.to_owned(),
            },
            EntraCredentials::with_secret("t", "c", SecretString::from("s")),
            &Timing::default(),
        )
        .unwrap()
    }

    #[test]
    fn a_next_page_is_followed_only_on_the_configured_graph() {
        let graph = graph();
        let first = Get {
            path: "/users?$top=999".to_owned(),
            eventual: true,
        };
        let next = graph.next_page(
            "http://127.0.0.1:2/v1.0/users?$top=999&$skiptoken=a%2Fb",
            &first,
        );
        assert_eq!(
            next,
            Ok(Get {
                path: "/users?$top=999&$skiptoken=a%2Fb".to_owned(),
                eventual: true,
            })
        );
        for elsewhere in [
            "http://127.0.0.1:3/v1.0/users",
            "https://127.0.0.1:2/v1.0/users",
            "http://evil.example/v1.0/users",
            "http://127.0.0.1:2@evil.example/v1.0/users",
            "http://user@127.0.0.1:2/v1.0/users",
            "http://127.0.0.1:2/beta/users",
            "http://127.0.0.1:2/v1.0x/users",
            "http://127.0.0.1:2/v1.0/../beta/users",
            "/v1.0/users",
            "",
        ] {
            assert!(graph.next_page(elsewhere, &first).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn a_next_page_may_spell_the_host_in_other_letters_and_name_no_other() {
        let graph = graph_at("https://graph.microsoft.com");
        let first = Get::new("/users".to_owned());
        for here in [
            "https://graph.microsoft.com/v1.0/users?$skiptoken=x",
            "HTTPS://GRAPH.Microsoft.COM/v1.0/users?$skiptoken=x",
            "https://graph.microsoft.com:443/v1.0/users?$skiptoken=x",
        ] {
            let next = graph.next_page(here, &first);
            assert_eq!(
                next,
                Ok(Get::new("/users?$skiptoken=x".to_owned())),
                "{here}"
            );
        }
        for elsewhere in [
            "http://graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com:444/v1.0/users",
            "https://graph.microsoft.com@evil.example/v1.0/users",
            "https://graph.microsoft.com:443@evil.example/v1.0/users",
            "https://evil.example#@graph.microsoft.com/v1.0/users",
            "https://evil.example\\@graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com.evil.example/v1.0/users",
            "https://graph.microsoft.com./v1.0/users",
            "https://graph.microsoft.com%2eevil.example/v1.0/users",
            "https://graph.microsoft.com/V1.0/users",
            "https://graph.microsoft.com/v1.0/%2e%2e/beta/users",
            "//graph.microsoft.com/v1.0/users",
            "graph.microsoft.com/v1.0/users",
            "javascript:https://graph.microsoft.com/v1.0/users",
        ] {
            assert!(graph.next_page(elsewhere, &first).is_err(), "{elsewhere}");
        }
    }

    #[tokio::test]
    async fn a_delete_of_anything_but_a_reference_is_never_sent() {
        let graph = graph();
        for path in [
            "/groups/1/members/2",
            "/groups/1/members/2/$ref/",
            "/groups/1/members/2/$ref?x=1",
            "/users/2",
        ] {
            let part = Part {
                method: Method::DELETE,
                path: path.to_owned(),
                eventual: false,
                body: None,
                operation: Operation::Remove,
            };
            let outcomes = graph.send_parts(Class::RepeatableWrite, &[part]).await;
            assert_eq!(outcomes[0].result, Err(Failure::Withheld), "{path}");
        }
    }
}
