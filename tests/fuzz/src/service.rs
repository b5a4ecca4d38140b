//! A service on a loopback port, in the thread of the target, that answers what an input says.
//!
//! The bodies go to the program the way they would come from a directory, through its one HTTP client, so that nothing of the
//! program has to be opened for the targets, and what they check is what the rest of the program sees.
//!
//! An input is text. Each answer begins with a line `# WHAT STATUS NAME=VALUE…`; up to the next such line everything is its body.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use keycloak_to_azure::clock::Clock;
use keycloak_to_azure::http::Timing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Nobody waits for anything here, and what is asked to be repeated is repeated once.
pub const TIMING: Timing = Timing {
    clock: Clock::of_machine(),
    connect: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    whole: Duration::from_secs(5),
    tries: 2,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
    longest_retry_after: Duration::ZERO,
};

/// What a request is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A success with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// The answers of an input, by what they are answers to.
#[derive(Debug, Default)]
pub struct Script {
    answers: BTreeMap<String, Vec<Answer>>,
}

impl Script {
    /// Reads an input; every input is one. `stand_ins` says, by what is asked for, what is replaced in the body of an answer:
    /// what is not known before the target runs, like its own address, and what a service knows that was sent it.
    pub fn parse<'a>(
        input: &[u8],
        stand_ins: impl Fn(&str) -> Vec<(&'static str, &'a str)>,
    ) -> Self {
        let mut script = Self::default();
        let mut current: Option<(String, Answer)> = None;
        for line in input.split_inclusive(|byte| *byte == b'\n') {
            if let Some(head) = line.strip_prefix(b"# ") {
                script.push(current.take());
                current = Some(head_of(head));
            } else if let Some((_, answer)) = &mut current {
                answer.body.extend_from_slice(line);
            }
        }
        script.push(current);
        for (what, answers) in &mut script.answers {
            for answer in &mut *answers {
                for (name, value) in stand_ins(what) {
                    answer.body = replaced(&answer.body, name, value);
                }
            }
            // The first one is taken from the end.
            answers.reverse();
        }
        script
    }

    fn push(&mut self, answer: Option<(String, Answer)>) {
        if let Some((what, answer)) = answer {
            self.answers.entry(what).or_default().push(answer);
        }
    }

    /// Whether there is an answer to this.
    pub fn has(&self, what: &str) -> bool {
        self.answers.contains_key(what)
    }

    /// The next answer to this; the last one stays.
    pub fn next(&mut self, what: &str) -> Option<Answer> {
        let answers = self.answers.get_mut(what)?;
        if answers.len() > 1 {
            answers.pop()
        } else {
            answers.last().cloned()
        }
    }
}

/// Reads `WHAT STATUS NAME=VALUE…`. What would end the exchange and not the answer is left out: a service that breaks HTTP is
/// the HTTP library's to deal with.
fn head_of(line: &[u8]) -> (String, Answer) {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let what = words.next().unwrap_or_default().to_owned();
    let status = words.next().and_then(|word| word.parse().ok());
    let headers = words
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, value)| {
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let is_framing = matches!(
                name.as_str(),
                "" | "content-length" | "transfer-encoding" | "connection" | "upgrade"
            );
            is_name && !is_framing && value.bytes().all(|byte| byte.is_ascii_graphic())
        })
        .collect();
    let answer = Answer {
        status: status
            .filter(|status| (200..600).contains(status))
            .unwrap_or(200),
        headers,
        body: Vec::new(),
    };
    (what, answer)
}

fn replaced(body: &[u8], name: &str, value: &str) -> Vec<u8> {
    let name = name.as_bytes();
    let mut replaced = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, others)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(name) {
            replaced.extend_from_slice(value.as_bytes());
            rest = after;
        } else {
            replaced.push(*first);
            rest = others;
        }
    }
    replaced
}

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// The path with its query, as sent.
    pub target: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// The path, as sent.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }
}

/// The answer to a request, taken from the input.
pub type Respond = fn(&mut Script, &Asked) -> Answer;

/// A service.
#[derive(Clone)]
pub struct Service {
    pub url: String,
    state: Arc<Mutex<State>>,
    respond: Respond,
}

#[derive(Default)]
struct State {
    script: Script,
    asked: Vec<Asked>,
}

impl Service {
    /// Starts a service on a port of its own; it runs whenever the runtime does.
    pub async fn start(respond: Respond) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
            respond,
        };
        let own = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        service
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers by this from now on.
    pub fn answer_with(&self, script: Script) {
        self.state().script = script;
    }

    /// What has been asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    async fn serve(self, mut stream: TcpStream) -> Option<()> {
        let mut received = Vec::new();
        loop {
            let asked = read_request(&mut stream, &mut received).await?;
            let answer = {
                let mut state = self.state();
                state.asked.push(asked.clone());
                (self.respond)(&mut state.script, &asked)
            };
            stream.write_all(&as_bytes(&answer)).await.ok()?;
        }
    }
}

/// Reads a request; what was received behind it stays in the buffer.
async fn read_request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Asked> {
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, received).await?;
    };
    let head = String::from_utf8(received.drain(..head_end).collect()).unwrap();
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    while received.len() < length {
        read_more(stream, received).await?;
    }
    Some(Asked {
        method,
        target,
        body: received.drain(..length).collect(),
    })
}

async fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(received).await.ok()? > 0).then_some(())
}

fn as_bytes(answer: &Answer) -> Vec<u8> {
    let has_body = !matches!(answer.status, 204 | 304);
    let mut bytes = format!("HTTP/1.1 {} -\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    if has_body {
        bytes.extend(format!("content-length: {}\r\n\r\n", answer.body.len()).bytes());
        bytes.extend_from_slice(&answer.body);
    } else {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Whether an input holds a secret by itself, and not through a stand-in. The fuzzer sees what the program compares, and so comes to know
/// more than a service does that was not told yet.
pub fn holds_any(input: &[u8], secrets: &[&str]) -> bool {
    let holds = |secret: &&str| {
        input
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
    };
    secrets.iter().any(holds)
}

/// A message that comes of an answer holds nothing that is as good as a password, even where the answer does, and is short enough to
/// be read.
pub fn assert_kept(error: &anyhow::Error, secrets: &[&str]) {
    let message = format!("{error:#}");
    for secret in secrets {
        assert!(!message.contains(secret), "{message}");
    }
    assert!(message.len() < 4000, "{message}");
}
