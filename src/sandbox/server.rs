//! The two services on real connections: turns HTTP into an exchange and back, and carries out faults on the wire.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::serve::ListenerExt;
use futures_util::stream::{self, StreamExt as _};
use reqwest::header::{CONTENT_LENGTH, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::exchange::{Request, Response};
use super::faults::Fault;
use super::stage::Stage;
use super::{RecordedRequest, Service};

/// The largest request that is read. Graph refuses far smaller ones.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// One of the services at work.
pub(super) struct Server {
    task: JoinHandle<io::Result<()>>,
    end: watch::Sender<bool>,
}

#[derive(Clone)]
struct Desk {
    service: Service,
    stage: Arc<Mutex<Stage>>,
    ended: watch::Receiver<bool>,
}

/// How an answer goes out.
enum Delivery {
    Whole(Response),
    /// Only so many bytes of the body, and then the connection is dropped.
    Cut(Response, usize),
    Dropped,
    Never,
    /// Once this is notified.
    Held(Response, Arc<Notify>),
}

impl Server {
    pub(super) fn start(service: Service, listener: TcpListener, stage: Arc<Mutex<Stage>>) -> Self {
        let (end, ended) = watch::channel(false);
        let desk = Desk {
            service,
            stage,
            ended: ended.clone(),
        };
        let router = Router::new().fallback(serve_one).with_state(desk);
        let listener = listener.tap_io(|stream| {
            // Without it, small answers wait for the other side's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        let serving = axum::serve(listener, router).with_graceful_shutdown(end_of(ended));
        Self {
            task: tokio::spawn(async { serving.await }),
            end,
        }
    }

    /// Lets requests that are being answered finish, and ends.
    pub(super) async fn shut_down(mut self) -> io::Result<()> {
        self.end.send_replace(true);
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn end_of(mut ended: watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}

pub(super) fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve_one(
    State(desk): State<Desk>,
    request: axum::extract::Request,
) -> Result<axum::response::Response, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return Ok(whole(Response::empty(StatusCode::PAYLOAD_TOO_LARGE)));
    };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_vec(),
    };
    let (delivery, took) = exchange(&desk, request);
    let clock = lock(&desk.stage).clock.clone();
    if !took.is_zero() {
        tokio::select! {
            () = clock.delay(took) => {}
            () = end_of(desk.ended.clone()) => {}
        }
    }
    Ok(match delivery {
        Delivery::Whole(response) => whole(response),
        Delivery::Cut(response, kept) => cut(response, kept),
        Delivery::Dropped => dropped(),
        Delivery::Never => {
            end_of(desk.ended).await;
            dropped()
        }
        Delivery::Held(response, release) => {
            tokio::select! {
                () = release.notified() => {}
                () = end_of(desk.ended) => {}
            }
            whole(response)
        }
    })
}

/// Lets a request meet its fault, or the service.
fn exchange(desk: &Desk, request: Request) -> (Delivery, Duration) {
    let stage = &mut *lock(&desk.stage);
    let service = desk.service;
    let at = stage.now();
    let fault = stage.prepare(service, &request);
    let (delivery, took) = match fault {
        None => {
            let (response, took) = carry_out(stage, service, &request);
            (Delivery::Whole(response), took)
        }
        Some(Fault::Latency(latency)) => {
            let (response, took) = carry_out(stage, service, &request);
            (Delivery::Whole(response), took + latency)
        }
        Some(Fault::Answer(response)) => at_once(Delivery::Whole(response)),
        Some(Fault::AnswerAfterEffect(response)) => {
            let _ = carry_out(stage, service, &request);
            at_once(Delivery::Whole(response))
        }
        Some(Fault::DropBeforeEffect) => at_once(Delivery::Dropped),
        Some(Fault::DropAfterEffect) => {
            let _ = carry_out(stage, service, &request);
            at_once(Delivery::Dropped)
        }
        Some(Fault::Truncate(kept)) => {
            let (response, took) = carry_out(stage, service, &request);
            (Delivery::Cut(response, kept), took)
        }
        Some(Fault::EmptyBody) => {
            let (mut response, took) = carry_out(stage, service, &request);
            response.body.clear();
            (Delivery::Whole(response), took)
        }
        Some(Fault::Hang) => at_once(Delivery::Never),
        Some(Fault::HangAfterParts(parts)) => {
            if let Some(begun) = first_parts(&request, parts) {
                let _ = carry_out(stage, service, &begun);
            }
            at_once(Delivery::Never)
        }
        Some(Fault::AnswerHeld(release)) => {
            let (response, took) = carry_out(stage, service, &request);
            (Delivery::Held(response, release), took)
        }
        Some(Fault::TokenExpired) => at_once(Delivery::Whole(expired_token(service))),
    };
    let status = match &delivery {
        Delivery::Whole(response) | Delivery::Cut(response, _) | Delivery::Held(response, _) => {
            Some(response.status)
        }
        Delivery::Dropped | Delivery::Never => None,
    };
    let Request {
        method,
        path,
        query,
        headers: _,
        body,
    } = request;
    stage.record(RecordedRequest {
        service,
        method,
        path,
        query,
        body,
        status: status.map(|status| status.as_u16()),
        at,
    });
    (delivery, took)
}

/// Lets the service carry a request out, and keeps what that changed.
fn carry_out(stage: &mut Stage, service: Service, request: &Request) -> (Response, Duration) {
    let answer = stage.answer(service, request);
    if request.method != Method::GET
        && let Err(error) = stage.save_if_changed()
    {
        let response = Response {
            body: error.to_string().into_bytes(),
            ..Response::empty(StatusCode::INTERNAL_SERVER_ERROR)
        };
        return (response, Duration::ZERO);
    }
    answer
}

/// The same request with only so many parts, or `None` if there is nothing left of it.
fn first_parts(request: &Request, parts: usize) -> Option<Request> {
    if parts == 0 {
        return None;
    }
    let mut request = request.clone();
    if let Ok(mut batch) = serde_json::from_slice::<Value>(&request.body)
        && let Some(Value::Array(all)) = batch.get_mut("requests")
    {
        all.truncate(parts);
        request.body = batch.to_string().into_bytes();
    }
    Some(request)
}

/// What a service says to a token whose time is over.
fn expired_token(service: Service) -> Response {
    let body = match service {
        Service::Keycloak => json!({ "error": "HTTP 401 Unauthorized" }),
        Service::Graph => json!({ "error": {
            "code": "InvalidAuthenticationToken",
            "message": "Lifetime validation failed, the token is expired.",
        } }),
    };
    Response::json(StatusCode::UNAUTHORIZED, &body)
}

fn at_once(delivery: Delivery) -> (Delivery, Duration) {
    (delivery, Duration::ZERO)
}

fn whole(response: Response) -> axum::response::Response {
    let Response {
        status,
        headers,
        body,
    } = response;
    with_body(status, headers, Body::from(body))
}

/// A response whose body ends before its length is reached.
fn cut(mut response: Response, kept: usize) -> axum::response::Response {
    let promised = response.body.len().max(kept + 1);
    response
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(promised));
    response.body.truncate(kept);
    let kept = response.body;
    // The first part is sent once the stream has nothing more to give yet, so there is a pause before the connection breaks.
    let parts = stream::once(async move { Ok(kept) }).chain(stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    }));
    with_body(response.status, response.headers, Body::from_stream(parts))
}

/// A response that breaks before its first byte is sent: the server drops the connection instead.
fn dropped() -> axum::response::Response {
    let nothing = stream::iter([Err::<Vec<u8>, _>(io::Error::from(
        io::ErrorKind::ConnectionReset,
    ))]);
    axum::response::Response::new(Body::from_stream(nothing))
}

fn with_body(
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: Body,
) -> axum::response::Response {
    let mut response = axum::response::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
