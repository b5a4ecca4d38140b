//! What goes wrong, and when: faults that tests script into a run, and changes of the directories at a chosen request.
//!
//! It decides which fault a request meets; carrying it out on the connection is the server's part.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::sync::Notify;

use super::exchange::{Request, Response};
use super::{Service, WorldMut};

/// Which requests something happens to. Everything given has to fit.
#[derive(Debug, Clone, Default)]
pub struct When {
    service: Option<Service>,
    method: Option<Method>,
    path: Option<String>,
    body: Option<String>,
    skipped: usize,
}

impl When {
    /// Any request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Any request to one of the services.
    pub fn to(service: Service) -> Self {
        Self {
            service: Some(service),
            ..Self::default()
        }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only requests whose path and query, as sent, hold this text.
    #[must_use]
    pub fn path(mut self, text: &str) -> Self {
        self.path = Some(text.to_owned());
        self
    }

    /// Only requests whose body holds this text: the way to choose a batch by one of its parts.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        self.body = Some(text.to_owned());
        self
    }

    /// Only from the `number`-th fitting request on, counted from 1 and from the moment this is scripted.
    #[must_use]
    pub fn from(mut self, number: usize) -> Self {
        self.skipped = number.saturating_sub(1);
        self
    }

    fn fits(&self, service: Service, request: &Request) -> bool {
        let Self {
            service: wanted,
            method,
            path,
            body,
            skipped: _,
        } = self;
        let target = format!("{}?{}", request.path, request.query);
        wanted.is_none_or(|wanted| wanted == service)
            && method
                .as_ref()
                .is_none_or(|method| *method == request.method)
            && path
                .as_ref()
                .is_none_or(|text| target.contains(text.as_str()))
            && body
                .as_ref()
                .is_none_or(|text| String::from_utf8_lossy(&request.body).contains(text.as_str()))
    }
}

/// Something that goes wrong with one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The answer takes this long.
    Latency(Duration),
    /// This answer comes instead of the service's; nothing is carried out.
    Answer(Response),
    /// The request is carried out, and this answer comes instead of the service's.
    AnswerAfterEffect(Response),
    /// The connection is dropped, and nothing is carried out.
    DropBeforeEffect,
    /// The request is carried out, and the connection is dropped instead of an answer.
    DropAfterEffect,
    /// Of the service's answer only so many bytes arrive, although its `Content-Length` promises all of them.
    Truncate(usize),
    /// The service's answer arrives with its status and without its body.
    EmptyBody,
    /// The connection stays open and nothing is ever answered; nothing is carried out.
    Hang,
    /// Of a batch only so many parts are carried out, in their order, and nothing is ever answered: what a service has done of it when
    /// the program that asked dies. Any other request is carried out if the number is not zero.
    HangAfterParts(usize),
    /// The request is carried out, and its answer comes once this is notified.
    AnswerHeld(Arc<Notify>),
    /// The token has expired, in the words of the service; nothing is carried out.
    TokenExpired,
}

impl Fault {
    /// An answer with a status and no body.
    pub fn status(status: u16) -> Self {
        Self::Answer(Response::empty(code(status)))
    }

    /// An answer with a status and the kind of page that a proxy or load balancer shows.
    pub fn html(status: u16) -> Self {
        let code = code(status);
        let page =
            format!("<html><head><title>{code}</title></head><body><h1>{code}</h1></body></html>");
        Self::Answer(
            Response {
                body: page.into_bytes(),
                ..Response::empty(code)
            }
            .with_header("content-type", "text/html"),
        )
    }

    /// Throttling, with any `Retry-After` or none.
    pub fn throttled(retry_after: Option<&str>) -> Self {
        let body = serde_json::json!({ "error": { "code": "TooManyRequests", "message": "Too many requests" } });
        let response = Response::json(StatusCode::TOO_MANY_REQUESTS, &body);
        Self::Answer(match retry_after {
            Some(text) => response.with_header("retry-after", text),
            None => response,
        })
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

type Change = Box<dyn FnOnce(&mut WorldMut<'_>) + Send>;

/// Everything that is scripted and has not happened yet.
#[derive(Default)]
pub(super) struct Script {
    faults: Vec<ScriptedFault>,
    changes: Vec<ScriptedChange>,
}

struct ScriptedFault {
    when: When,
    times: usize,
    fault: Fault,
}

struct ScriptedChange {
    when: When,
    change: Change,
}

impl Script {
    pub(super) fn add_fault(&mut self, when: When, times: usize, fault: Fault) {
        self.faults.push(ScriptedFault { when, times, fault });
    }

    pub(super) fn add_change(&mut self, when: When, change: Change) {
        self.changes.push(ScriptedChange { when, change });
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many faults and changes are still to come; those that repeat count as one.
    pub(super) fn pending(&self) -> usize {
        self.faults.len() + self.changes.len()
    }

    /// Takes the changes that are due before a request is answered.
    pub(super) fn due_changes(&mut self, service: Service, request: &Request) -> Vec<Change> {
        let (due, later) = std::mem::take(&mut self.changes)
            .into_iter()
            .map(|mut scripted| {
                let is_due = counts_down(&mut scripted.when, service, request);
                (is_due, scripted)
            })
            .partition::<Vec<_>, _>(|(is_due, _)| *is_due);
        self.changes = later.into_iter().map(|(_, scripted)| scripted).collect();
        due.into_iter()
            .map(|(_, scripted)| scripted.change)
            .collect()
    }

    /// Takes the fault that a request meets: the first that is due. Those behind it wait for the next request.
    pub(super) fn due_fault(&mut self, service: Service, request: &Request) -> Option<Fault> {
        let mut met = None;
        for scripted in &mut self.faults {
            let was_passed_over = met.is_some() && scripted.when.skipped == 0;
            if !was_passed_over
                && counts_down(&mut scripted.when, service, request)
                && met.is_none()
            {
                scripted.times = scripted.times.saturating_sub(1);
                met = Some(scripted.fault.clone());
            }
        }
        self.faults.retain(|scripted| scripted.times > 0);
        met
    }
}

/// Counts a fitting request, and says whether its turn has come.
fn counts_down(when: &mut When, service: Service, request: &Request) -> bool {
    if !when.fits(service, request) {
        return false;
    }
    let is_due = when.skipped == 0;
    when.skipped = when.skipped.saturating_sub(1);
    is_due
}
