//! One well-behaved exchange over HTTP: deadlines, no redirects, retries by class of request, one clock for throttling.
//!
//! It knows nothing of Keycloak or Graph. Whatever answer comes last is handed back whole; only when there is none is it an
//! [`Error`].

mod pacing;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Request, StatusCode};

use self::pacing::{Clearance, Pacing};
use crate::clock::Clock;

/// What a repetition of a request would do, which decides when it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It changes nothing.
    Read,
    /// Doing it twice is doing it once.
    RepeatableWrite,
    /// A repetition would kill the earlier redeem link and may send a second mail, so it is repeated only if it certainly
    /// was not carried out: never sent, or refused with 429.
    Invitation,
    /// A repetition of a refused login may lock the account, so it is repeated only if the service failed.
    Login,
    /// A login at a service of the machine itself, which says 404 and 410 as well while it is not ready
    /// (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
    MachineLogin,
}

/// How long to wait for what.
#[derive(Debug, Clone)]
pub struct Timing {
    /// What it is measured by. The deadlines of an exchange go by the clock of the machine all the same.
    pub clock: Clock,
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the next byte of an answer.
    pub idle: Duration,
    /// For one whole answer.
    pub whole: Duration,
    /// How often a request is sent at most.
    pub tries: u32,
    /// The first wait between two tries; it doubles.
    pub first_wait: Duration,
    /// The longest wait between two tries that this program chooses itself.
    pub longest_wait: Duration,
    /// The longest wait that a service may ask for. Beyond it the request fails and says when to come back.
    pub longest_retry_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            clock: Clock::of_machine(),
            connect: Duration::from_secs(10),
            // A group of many thousand people takes Keycloak a while, and proxies usually allow 60 s.
            idle: Duration::from_secs(120),
            whole: Duration::from_secs(15 * 60),
            tries: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            // Graph's write window is 150 s; asking for more than twice that is not throttling as documented.
            longest_retry_after: Duration::from_secs(300),
        }
    }
}

/// The largest answer that is read. The members of a group of a million people are about 200 MB.
const LARGEST_BODY: usize = 1 << 30;

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    /// How often the request was sent.
    pub attempts: u32,
    /// Whether an earlier try may have been carried out: its answer was lost, or the service failed.
    pub after_unknown: bool,
    /// How long it took to come, the last time.
    pub took: Duration,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Strikes a secret out of the body, which may be quoted in a message: not every service, or proxy before it, keeps to itself what
    /// it was sent.
    pub fn strike_out(&mut self, secret: &str) {
        // Striking out a letter or two would only show where they stand.
        if secret.len() < 4 {
            return;
        }
        let text = String::from_utf8_lossy(&self.body);
        if text.contains(secret) {
            self.body = text.replace(secret, "(secret)").into_bytes();
        }
    }

    /// When the service says that it answered, or else the time now. What it says of other moments goes by its own clock,
    /// which need not agree with the one of this machine.
    pub fn sent_at(&self) -> jiff::Timestamp {
        self.header("date")
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map_or_else(jiff::Timestamp::now, |date| date.timestamp())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What happened.
    pub kind: ErrorKind,
    /// The host and path that were asked, without query.
    pub target: String,
    /// The reason in words, without the address.
    pub reason: String,
    /// How often the request was sent.
    pub attempts: u32,
    /// Whether an earlier try may have been carried out: its answer was lost, or the service failed.
    pub after_unknown: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request certainly did not arrive.
    NotSent,
    /// The request may have arrived and its answer is lost.
    AnswerLost,
    /// The service asks to come back later than this program waits.
    ComeBackLater(Duration),
    /// The answer is larger than any that this program reads.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            target,
            reason,
            attempts,
            after_unknown: _,
        } = self;
        match kind {
            ErrorKind::NotSent => write!(f, "{target} cannot be reached: {reason}")?,
            ErrorKind::AnswerLost => write!(f, "{target} gave no complete answer: {reason}")?,
            ErrorKind::ComeBackLater(wait) => {
                write!(
                    f,
                    "{target} is throttling and asks to come back in {} s",
                    wait.as_secs()
                )?;
            }
            ErrorKind::TooLarge => write!(
                f,
                "{target} gave an answer of more than {LARGEST_BODY} bytes"
            )?,
        }
        if *attempts > 1 {
            write!(f, " (tried {attempts} times)")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// How to reach one service.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Certificates of a private authority, PEM, trusted besides those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// The service is on this machine: no proxy, and no certificates needed.
    pub loopback: bool,
    /// How long to wait for what.
    pub timing: Timing,
}

/// Returns the certificates in the text of a file, PEM. There has to be one.
pub fn certificates(pem: &[u8]) -> anyhow::Result<Vec<reqwest::Certificate>> {
    let certificates = reqwest::Certificate::from_pem_bundle(pem).context("it is not PEM")?;
    anyhow::ensure!(!certificates.is_empty(), "it holds no certificate");
    Ok(certificates)
}

/// A request that was throttled is sent so many times as often as one that failed: it comes back when it was told to, and it was
/// certainly not carried out.
const THROTTLED_TRIES_FACTOR: u32 = 4;

/// A client for one service. Clones share its connections and its pace: when one request is throttled, all of them wait.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    pacing: Arc<Mutex<Pacing>>,
    timing: Timing,
}

impl Http {
    /// Builds a client. Fails if the system has no certificates, or `ca_pem` holds none.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        // reqwest without a default provider panics unless one is installed; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.timing.connect)
            .read_timeout(options.timing.idle)
            .timeout(options.timing.whole);
        if options.loopback {
            builder = builder.no_proxy().tls_certs_only([]);
        }
        if let Some(pem) = &options.ca_pem {
            let certificates = certificates(pem).context("the CA file cannot be used")?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().context(
            "failed to set up TLS; without a certificate store of the system, set SSL_CERT_FILE to a file with root certificates",
        )?;
        Ok(Self {
            client,
            pacing: Arc::default(),
            timing: options.timing.clone(),
        })
    }

    /// The underlying client, to build requests with.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// How long this client waits for what.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Sends a request until it is answered for good, and returns the last answer.
    pub async fn send(&self, class: Class, request: Request) -> Result<Answer, Error> {
        let target = shown_target(&request);
        let mut attempts = 0;
        let mut throttled = 0;
        let mut after_unknown = false;
        loop {
            attempts += 1;
            if let Err(wait) = self.wait_for_clearance(class).await {
                return Err(Error {
                    kind: ErrorKind::ComeBackLater(wait),
                    target,
                    reason: String::new(),
                    attempts: attempts - 1,
                    after_unknown,
                });
            }
            let Some(copy) = request.try_clone() else {
                return Err(Error {
                    kind: ErrorKind::NotSent,
                    target,
                    reason: "its body cannot be sent again".to_owned(),
                    attempts,
                    after_unknown,
                });
            };
            let mut exchange = self.exchange(copy, attempts, &target).await;
            match &mut exchange {
                Ok(answer) => answer.after_unknown = after_unknown,
                Err(error) => error.after_unknown = after_unknown,
            }
            let is_throttled = matches!(
                &exchange,
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS
            );
            let wait = match &exchange {
                Ok(answer) if may_repeat_after_status(class, answer.status) => {
                    match retry_after(&answer.headers, answer.sent_at()) {
                        Some(wait) if wait > self.timing.longest_retry_after => {
                            self.pause(wait);
                            return Err(Error {
                                kind: ErrorKind::ComeBackLater(wait),
                                target,
                                reason: String::new(),
                                attempts,
                                after_unknown: after_unknown || !is_throttled,
                            });
                        }
                        Some(wait) => wait,
                        None => self.own_wait(attempts),
                    }
                }
                Err(error) if may_repeat_after_error(class, error.kind) => self.own_wait(attempts),
                Ok(_) | Err(_) => return exchange,
            };
            // What is throttled was not tried, and takes nothing from the tries of what fails.
            throttled += u32::from(is_throttled);
            if is_throttled {
                self.note_throttled(class, wait);
            }
            let tried = if is_throttled {
                throttled
            } else {
                attempts - throttled
            };
            if tried >= self.tries(is_throttled) {
                return exchange;
            }
            after_unknown |= match &exchange {
                Ok(_) => !is_throttled,
                Err(error) => error.kind != ErrorKind::NotSent,
            };
            if !is_throttled {
                self.timing.clock.sleep(wait).await;
            }
        }
    }

    /// How often a request is sent at most that was throttled, or failed.
    pub fn tries(&self, is_throttled: bool) -> u32 {
        let tries = self.timing.tries;
        if is_throttled {
            tries.saturating_mul(THROTTLED_TRIES_FACTOR)
        } else {
            tries
        }
    }

    /// Keeps every clone of this client from sending anything for so long, and from then on what counts against the same limit further
    /// apart: requests that are throttled count as well.
    pub fn note_throttled(&self, class: Class, wait: Duration) {
        let (now, unit) = (self.timing.clock.now(), self.timing.first_wait);
        self.pacing().note_throttled(class, now, wait, unit);
        self.pause(wait);
    }

    /// A request went through in such a time, and the service said how much of a limit is used, 1 being all of it, or did not.
    pub fn note_went_through(&self, class: Class, share: Option<f64>, took: Duration) {
        let unit = self.timing.first_wait;
        self.pacing().note_went_through(class, share, took, unit);
    }

    /// Keeps every clone of this client from sending anything for so long. If that is longer than this program waits, their requests
    /// fail meanwhile.
    pub fn pause(&self, wait: Duration) {
        let longest = self.timing.longest_retry_after;
        self.pacing().pause(self.timing.clock.now(), wait, longest);
    }

    /// How much longer nothing is sent because the service asked for it.
    pub fn paused_for(&self) -> Option<Duration> {
        self.pacing().paused_for(self.timing.clock.now())
    }

    fn pacing(&self) -> MutexGuard<'_, Pacing> {
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wait that this program chooses after so many tries: doubling, with jitter so that workers do not march in step.
    pub fn own_wait(&self, attempts: u32) -> Duration {
        let doubled = self
            .timing
            .first_wait
            .saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let jitter = f64::from(uuid::Uuid::new_v4().as_fields().1) / f64::from(u16::MAX);
        doubled
            .min(self.timing.longest_wait)
            .mul_f64(0.75 + 0.5 * jitter)
    }

    /// Waits until a request may be sent. An error says how much longer the service wants to be left alone.
    async fn wait_for_clearance(&self, class: Class) -> Result<(), Duration> {
        let clock = &self.timing.clock;
        loop {
            let clearance = self.pacing().clear(class, clock.now());
            match clearance {
                Clearance::Now => return Ok(()),
                Clearance::NotBefore(moment) => clock.sleep_until(moment).await,
                Clearance::ComeBackLater(wait) => return Err(wait),
            }
        }
    }

    async fn exchange(
        &self,
        request: Request,
        attempts: u32,
        target: &str,
    ) -> Result<Answer, Error> {
        let error = |kind, reason| Error {
            kind,
            target: target.to_owned(),
            reason,
            attempts,
            after_unknown: false,
        };
        let clock = &self.timing.clock;
        let (_busy, begun) = (clock.busy(), clock.now());
        let mut response = self.client.execute(request).await.map_err(|source| {
            let kind = if source.is_connect() {
                ErrorKind::NotSent
            } else {
                ErrorKind::AnswerLost
            };
            error(kind, root_cause(source))
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let lost = |source| error(ErrorKind::AnswerLost, root_cause(source));
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(error(ErrorKind::TooLarge, String::new()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body,
            attempts,
            after_unknown: false,
            took: clock.now() - begun,
        })
    }
}

/// Whether an address is one of this machine, whatever a name server says.
pub fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn may_repeat_after_status(class: Class, status: StatusCode) -> bool {
    match class {
        Class::Read | Class::RepeatableWrite | Class::Login => {
            matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
        }
        Class::MachineLogin => {
            matches!(status.as_u16(), 404 | 410 | 429 | 500 | 502 | 503 | 504)
        }
        Class::Invitation => status == StatusCode::TOO_MANY_REQUESTS,
    }
}

fn may_repeat_after_error(class: Class, kind: ErrorKind) -> bool {
    match (class, kind) {
        (_, ErrorKind::NotSent)
        | (
            Class::Read | Class::RepeatableWrite | Class::Login | Class::MachineLogin,
            ErrorKind::AnswerLost,
        ) => true,
        (Class::Invitation, ErrorKind::AnswerLost)
        | (_, ErrorKind::ComeBackLater(_) | ErrorKind::TooLarge) => false,
    }
}

/// Returns how long `Retry-After` asks to wait: whole seconds, a fraction of seconds (seen from Graph) or a date. `None` if
/// it is absent, unreadable or in the past.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    retry_after_text(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// [`retry_after`] for the text of the header, for the parts of a batch.
pub fn retry_after_text(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}

fn shown_target(request: &Request) -> String {
    let url = request.url();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

/// The innermost reason, which is the one that says something; reqwest's own words repeat the address.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_retry_after_is_read_and_nothing_else() {
        let now: jiff::Timestamp = "2026-01-05T08:00:00Z".parse().unwrap();
        for (text, wait) in [
            ("7", Some(Duration::from_secs(7))),
            (" 0.5 ", Some(Duration::from_millis(500))),
            ("0", Some(Duration::ZERO)),
            ("9999", Some(Duration::from_secs(9_999))),
            (
                "Mon, 05 Jan 2026 08:00:07 GMT",
                Some(Duration::from_secs(7)),
            ),
            // In the past, below zero, without end, beyond every clock, and no time at all: this program waits as long as it
            // would without any.
            ("Mon, 05 Jan 2026 07:59:59 GMT", None),
            ("-1", None),
            ("inf", None),
            ("NaN", None),
            ("1e300", None),
            ("", None),
            ("soon", None),
            ("7\u{202e}", None),
        ] {
            assert_eq!(retry_after_text(text, now), wait, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
