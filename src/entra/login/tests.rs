//! Each way to log in: what is sent, and what is said when it is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::IdentityEndpoint;

const ISSUER: &str = "https://issuer.example";
const SUBJECT: &str = "repo:acme/sync:ref:refs/heads/main";

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Asked {
    /// Method, path and query.
    line: String,
    headers: BTreeMap<String, String>,
    form: BTreeMap<String, String>,
}

type Reply = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

/// A service on loopback that answers as a test says.
#[derive(Clone)]
struct Desk {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    reply: Arc<Reply>,
}

impl Desk {
    async fn open(reply: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            reply: Arc::new(reply),
        };
        let serving = desk.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.serve(stream).await;
            }
        });
        desk
    }

    /// One that gives every visitor a token.
    async fn generous() -> Self {
        let body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "granted"});
        Self::open(move |_| (200, body.to_string())).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn connection(&self) -> EntraConnection {
        EntraConnection {
            login_url: self.url.clone(),
            graph_url: "https://graph.microsoft.com".to_owned(),
        }
    }

    fn way(&self, login: EntraLogin) -> Way {
        let credentials = EntraCredentials {
            tenant: "acme.example".to_owned(),
            login,
        };
        Way::new(&self.connection(), credentials, &quick()).unwrap()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let mut chunk = [0; 8192];
            let read = stream.read(&mut chunk).await.unwrap();
            bytes.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let (line, headers) = head.split_once("\r\n").unwrap();
            let headers: BTreeMap<String, String> = headers
                .lines()
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.get("content-length").map_or("0", String::as_str);
            if body.len() < length.parse().unwrap() {
                continue;
            }
            let form = Url::parse(&format!("http://x/?{body}")).unwrap();
            let asked = Asked {
                line: line.trim_end_matches(" HTTP/1.1").to_owned(),
                headers,
                form: form.query_pairs().into_owned().collect(),
            };
            let (status, body) = (self.reply)(&asked);
            self.asked.lock().unwrap().push(asked);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
            return;
        }
    }
}

fn quick() -> Timing {
    Timing {
        first_wait: std::time::Duration::from_micros(100),
        longest_wait: std::time::Duration::from_millis(1),
        tries: 4,
        ..Timing::default()
    }
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", name]
        .iter()
        .collect()
}

/// A token of somebody else; nobody here checks who signed it.
fn federated_token(number: u32) -> String {
    let claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange", "jti": number,
    });
    format!(
        "e30.{}.hunter2hunter2",
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

fn entra_refuses(code: u64, words: &str) -> String {
    json!({
        "error": "invalid_client",
        "error_description": format!("AADSTS{code}: {words} Trace ID: t Correlation ID: c Timestamp: now"),
        "error_codes": [code],
    })
    .to_string()
}

async fn refusal(way: &Way) -> String {
    match way.ask().await {
        Ok(_) => panic!("a token was given"),
        Err(failure) => failure.to_string(),
    }
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} in {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

fn with_secret() -> EntraLogin {
    EntraLogin::Secret {
        client_id: "the-app".to_owned(),
        secret: SecretString::from("hunter2 & ~more"),
    }
}

fn with_certificate() -> EntraLogin {
    EntraLogin::Certificate {
        client_id: "the-app".to_owned(),
        file: fixture("certificates/app.pem"),
        sends_chain: false,
    }
}

fn with_file(file: PathBuf) -> EntraLogin {
    EntraLogin::FederatedFile {
        client_id: "the-app".to_owned(),
        file,
    }
}

#[tokio::test]
async fn a_secret_is_sent_in_a_form() {
    let desk = Desk::generous().await;
    let granted = desk.way(with_secret()).ask().await.unwrap();
    assert_eq!(granted.token.expose_secret(), "granted");
    let asked = desk.asked().remove(0);
    assert_eq!(asked.line, "POST /acme.example/oauth2/v2.0/token");
    let form = BTreeMap::from([
        ("client_id", "the-app"),
        ("client_secret", "hunter2 & ~more"),
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
    ]);
    let sent = asked.form.iter();
    let sent: BTreeMap<&str, &str> = sent
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(sent, form);
}

#[tokio::test]
async fn a_certificate_signs_a_new_assertion_for_every_login_and_its_key_is_not_sent() {
    let desk = Desk::generous().await;
    let way = desk.way(with_certificate());
    way.ask().await.unwrap();
    way.ask().await.unwrap();
    let asked = desk.asked();
    let assertions: Vec<&String> = asked
        .iter()
        .map(|asked| &asked.form["client_assertion"])
        .collect();
    assert_ne!(assertions[0], assertions[1]);
    for asked in &asked {
        assert_eq!(
            asked.form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        assert_eq!(asked.form.len(), 5, "{:?}", asked.form.keys());
    }
}

#[tokio::test]
async fn a_federated_token_is_read_from_its_file_at_every_login() {
    let desk = Desk::generous().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    let way = desk.way(with_file(file.clone()));
    for number in [1, 2] {
        // Kubernetes writes none, others end the file with a newline.
        std::fs::write(&file, format!("{}\n", federated_token(number))).unwrap();
        way.ask().await.unwrap();
        let asked = desk.asked().pop().unwrap();
        assert_eq!(asked.form["client_assertion"], federated_token(number));
        assert!(!asked.form.contains_key("client_secret"));
    }
}

#[tokio::test]
async fn a_federated_token_file_that_is_none_is_named_and_its_content_is_not_shown() {
    let desk = Desk::generous().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    let way = desk.way(with_file(file.clone()));
    let named = file.display().to_string();
    assert_says(
        &refusal(&way).await,
        &["cannot be read", &named, "AZURE_FEDERATED_TOKEN_FILE"],
    );
    // A pipe is none either, and to open one that nobody writes to would take for ever.
    #[cfg(unix)]
    assert_says(
        &refusal(&desk.way(with_file("/dev/null".into()))).await,
        &["it is not a regular file", "/dev/null"],
    );
    for (content, reason) in [
        (Vec::new(), "does not hold a token"),
        (b"hunter2".to_vec(), "does not hold a token"),
        (b"hunter2.hunter2.hunter2".to_vec(), "does not hold a token"),
        (
            format!("{} hunter2", federated_token(1)).into_bytes(),
            "does not hold a token",
        ),
        (b"hunter2\xff".to_vec(), "not text"),
        (vec![b'a'; 70_000], "larger than 64 KiB"),
    ] {
        std::fs::write(&file, content).unwrap();
        assert_says(&refusal(&way).await, &[reason, &named]);
    }
    assert_eq!(desk.asked().len(), 0);
}

#[tokio::test]
async fn github_is_asked_for_a_token_at_every_login() {
    let entra = Desk::generous().await;
    let number = Mutex::new(0);
    let github = Desk::open(move |_| {
        let mut number = number.lock().unwrap();
        *number += 1;
        (
            200,
            json!({"count": 1, "value": federated_token(*number)}).to_string(),
        )
    })
    .await;
    let way = entra.way(with_github(&github));
    for number in [1, 2] {
        way.ask().await.unwrap();
        let asked = entra.asked().pop().unwrap();
        assert_eq!(asked.form["client_assertion"], federated_token(number));
        let asked = github.asked().pop().unwrap();
        assert_eq!(
            asked.line,
            "GET /idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"
        );
        assert_eq!(asked.headers["authorization"], "Bearer github-hunter2");
    }
}

/// Entra may fail for longer than an assertion is good for.
#[tokio::test]
async fn an_assertion_that_has_run_out_is_replaced_once_before_the_clock_is_blamed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    for (login, is_own) in [(with_certificate(), true), (with_file(file.clone()), false)] {
        std::fs::write(&file, federated_token(1)).unwrap();
        let (next, fresh) = (file.clone(), federated_token(2));
        let first = Mutex::new(true);
        let desk = Desk::open(move |_| {
            if std::mem::take(&mut *first.lock().unwrap()) {
                std::fs::write(&next, &fresh).unwrap();
                (401, entra_refuses(700_024, "Out of date."))
            } else {
                (200, r#"{"access_token":"granted"}"#.to_owned())
            }
        })
        .await;
        let granted = desk.way(login).ask().await.unwrap();
        assert_eq!(granted.token.expose_secret(), "granted");
        let asked = desk.asked();
        let [first, second] = [0, 1].map(|at| &asked[at].form["client_assertion"]);
        assert_ne!(first, second);
        assert!(is_own || *second == federated_token(2));
        assert_eq!(asked.len(), 2);
    }
    for (login, code, times) in [
        (with_certificate(), 700_024, 2),
        (with_certificate(), 700_027, 1),
        (with_secret(), 7_000_222, 1),
    ] {
        let desk = Desk::open(move |_| (401, entra_refuses(code, "No."))).await;
        refusal(&desk.way(login)).await;
        assert_eq!(desk.asked().len(), times, "{code}");
    }
}

fn with_github(github: &Desk) -> EntraLogin {
    EntraLogin::GitHubActions {
        client_id: "the-app".to_owned(),
        url: Url::parse(&format!("{}/idtoken?api-version=2.0", github.url)).unwrap(),
        token: SecretString::from("github-hunter2"),
    }
}

#[tokio::test]
async fn github_may_refuse_and_answer_nonsense() {
    let entra = Desk::generous().await;
    for (status, body, word) in [
        (
            401,
            "Bearer github-hunter2",
            "good only while its own job runs",
        ),
        (404, "hunter2", "404"),
        (200, "hunter2", "answered without a token"),
        (200, r#"{"value":"hunter2"}"#, "answered without a token"),
        (200, r#"{"value":5}"#, "answered without a token"),
        (502, "hunter2", "502"),
    ] {
        let github = Desk::open(move |_| (status, body.to_owned())).await;
        let message = refusal(&entra.way(with_github(&github))).await;
        assert_says(&message, &["GitHub", word]);
    }
    assert_eq!(entra.asked().len(), 0);
}

#[tokio::test]
async fn what_entra_says_is_shown_without_what_was_sent_with_what_to_do_about_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, federated_token(1)).unwrap();
    let presented = [
        "issuer `https://issuer.example`, the subject `repo:acme/sync:ref:refs/heads/main` and the audience \
         `api://AzureADTokenExchange`",
    ];
    let no_hints: [&str; 0] = [];
    for (login, code, hints) in [
        (
            with_secret(),
            7_000_215,
            &["must hold the secret's value"][..],
        ),
        (with_secret(), 7_000_222, &["has expired: make a new one"]),
        (with_secret(), 700_016, &["AZURE_CLIENT_ID is wrong"]),
        (with_certificate(), 700_027, &["upload it without its key"]),
        (with_certificate(), 700_024, &["set the clock"]),
        (with_certificate(), 90_002, &["AZURE_TENANT_ID is wrong"]),
        (with_certificate(), 7_000_215, &no_hints),
        (with_file(file.clone()), 70_021, &presented),
        (with_file(file.clone()), 700_211, &presented),
        (with_file(file.clone()), 700_212, &presented),
        (with_file(file.clone()), 700_213, &presented),
        (with_file(file.clone()), 7_002_138, &presented),
        (with_file(file.clone()), 700_024, &["has expired"]),
        (
            with_file(file.clone()),
            7_000_272,
            &["its issuer publishes"],
        ),
        (with_file(file.clone()), 53_003, &["conditional access"]),
        (with_file(file.clone()), 1, &no_hints),
    ] {
        let desk = Desk::open(move |asked| {
            let sent = ["client_secret", "client_assertion"];
            let sent = sent.iter().find_map(|name| asked.form.get(*name)).unwrap();
            let form: String = Url::parse_with_params("http://x", [("sent", sent)])
                .unwrap()
                .into();
            // Whatever stands in front of Entra may quote what it was sent, and be long about it.
            (
                401,
                entra_refuses(code, &format!("No to {sent} and {form}, because.")),
            )
        })
        .await;
        let message = refusal(&desk.way(login)).await;
        let first = format!("AADSTS{code}: No to …");
        assert_says(
            &message,
            &[
                "the app the-app in the tenant acme.example",
                &first,
                "because.",
            ],
        );
        assert_says(&message, hints);
        assert!(!message.contains("eyJ"), "{message}");
        assert!(!message.contains("Trace ID"), "{message}");
        if hints.is_empty() {
            assert!(message.ends_with("because."), "{message}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_entras_is_not_shown() {
    for (status, body, word) in [
        (
            200,
            r#"{"access_token":5,"x":"hunter2"}"#,
            "without a token",
        ),
        (200, "<html>hunter2</html>", "without a token"),
        (403, "<html>hunter2</html>", "azure_login_url"),
    ] {
        let desk = Desk::open(move |_| (status, body.to_owned())).await;
        for login in [with_secret(), with_certificate()] {
            assert_says(&refusal(&desk.way(login)).await, &[word]);
        }
    }
}

fn app_service(desk: &Desk, client_id: Option<&str>) -> EntraLogin {
    EntraLogin::ManagedIdentity {
        client_id: client_id.map(str::to_owned),
        endpoint: IdentityEndpoint::AppService {
            url: Url::parse(&format!("{}/msi/token", desk.url)).unwrap(),
            header: SecretString::from("header-hunter2"),
        },
    }
}

fn imds(desk: &Desk, client_id: Option<&str>) -> EntraLogin {
    EntraLogin::ManagedIdentity {
        client_id: client_id.map(str::to_owned),
        endpoint: IdentityEndpoint::Imds {
            url: Url::parse(&format!("{}/metadata/identity/oauth2/token", desk.url)).unwrap(),
        },
    }
}

#[tokio::test]
async fn a_machine_is_asked_for_its_own_identity_or_for_the_one_that_is_named() {
    let desk = Desk::generous().await;
    let resource = "resource=https%3A%2F%2Fgraph.microsoft.com";
    for (login, line) in [
        (
            app_service(&desk, None),
            format!("GET /msi/token?api-version=2019-08-01&{resource}"),
        ),
        (
            app_service(&desk, Some("the-app")),
            format!("GET /msi/token?api-version=2019-08-01&{resource}&client_id=the-app"),
        ),
        (
            imds(&desk, None),
            format!("GET /metadata/identity/oauth2/token?api-version=2018-02-01&{resource}"),
        ),
        (
            imds(&desk, Some("the-app")),
            format!(
                "GET /metadata/identity/oauth2/token?api-version=2018-02-01&{resource}&client_id=the-app"
            ),
        ),
    ] {
        desk.way(login).ask().await.unwrap();
        let asked = desk.asked().pop().unwrap();
        assert_eq!(asked.line, line);
        if line.contains("/msi/") {
            assert_eq!(asked.headers["x-identity-header"], "header-hunter2");
            assert!(!asked.headers.contains_key("metadata"));
        } else {
            assert_eq!(asked.headers["metadata"], "true");
        }
    }
}

#[tokio::test]
async fn a_machine_that_is_not_ready_is_asked_again() {
    for busy in [404, 410, 429, 500, 503] {
        let first = Mutex::new(true);
        let desk = Desk::open(move |_| {
            if std::mem::take(&mut *first.lock().unwrap()) {
                (busy, String::new())
            } else {
                (
                    200,
                    r#"{"access_token":"granted","expires_on":"4102444800"}"#.to_owned(),
                )
            }
        })
        .await;
        let granted = desk.way(imds(&desk, None)).ask().await.unwrap();
        assert!(granted.life.unwrap() > std::time::Duration::from_secs(86_400));
        assert_eq!(desk.asked().len(), 2, "{busy}");
    }
}

#[tokio::test]
async fn a_machine_without_the_identity_says_so_at_once() {
    for (body, reason) in [
        (
            r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
            "Identity not found",
        ),
        (
            r#"{"statusCode":400,"message":"No identity for header-hunter2."}"#,
            "No identity for …",
        ),
        (
            r#"{"statusCode":400,"message":"No Managed Identity found for specified ClientId/ResourceId."}"#,
            "No Managed Identity found",
        ),
    ] {
        let desk = Desk::open(move |_| (400, body.to_owned())).await;
        let own = refusal(&desk.way(app_service(&desk, None))).await;
        assert_says(
            &own,
            &["refused with 400", reason, "an identity of its own"],
        );
        let named = refusal(&desk.way(app_service(&desk, Some("the-app")))).await;
        assert_says(
            &named,
            &[reason, "Assign the identity the-app to this machine"],
        );
        assert_eq!(desk.asked().len(), 2);
    }
    for (body, reason, hint) in [
        ("hunter2", "no reason that can be read", None),
        (
            r#"{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named x was not found."}"#,
            "AADSTS500011",
            Some("look at `azure_cloud` and `azure_graph_url`"),
        ),
        (
            r#"{"error":"invalid_request","error_description":"Required metadata header not specified"}"#,
            "Required metadata header",
            None,
        ),
    ] {
        let desk = Desk::open(move |_| (400, body.to_owned())).await;
        let message = refusal(&desk.way(imds(&desk, None))).await;
        assert_says(&message, &["refused with 400", reason]);
        assert_says(&message, hint.as_slice());
        assert!(!message.contains("System assigned"), "{message}");
        assert_eq!(message.contains("azure_cloud"), hint.is_some(), "{message}");
    }
    let desk = Desk::open(|_| (200, r#"{"access_token":5,"x":"hunter2"}"#.to_owned())).await;
    assert_says(
        &refusal(&desk.way(imds(&desk, None))).await,
        &["without a token"],
    );
}

#[tokio::test]
async fn a_machine_outside_of_azure_has_nobody_to_ask() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let desk = Desk {
        url,
        ..Desk::generous().await
    };
    let message = refusal(&desk.way(imds(&desk, None))).await;
    assert_says(&message, &["cannot be reached", "only machines of Azure"]);
}

#[cfg(unix)]
mod azure_cli {
    use std::time::Duration;

    use super::*;

    fn cli(name: &str) -> Way {
        let program = fixture("azure_cli").join(name).join("az");
        Way::AzureCli(AzureCli::with_program(program, Duration::from_secs(60)))
    }

    #[tokio::test]
    async fn its_token_and_the_end_of_it_are_read_whatever_its_version() {
        // The last takes no tenant, and says when the token ends in a text.
        for name in ["logged_in", "logged_in_old", "one_tenant"] {
            let granted = cli(name).ask().await.unwrap();
            assert_eq!(granted.token.expose_secret(), "the-token-of-the-cli");
            let life = granted.life.unwrap();
            assert!(life > Duration::from_secs(86_400), "{name}: {life:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_not_logged_in_is_told_how_to() {
        let message = refusal(&cli("logged_out")).await;
        assert_says(
            &message,
            &["Please run 'az login'", "`az login --tenant acme.example"],
        );
    }

    #[tokio::test]
    async fn it_is_asked_for_a_token_of_the_tenant_and_what_looks_like_one_is_not_shown() {
        let message = refusal(&cli("fails")).await;
        assert_says(
            &message,
            &[
                "failed: unrecognized arguments: account get-access-token --output json --scope \
                 https://graph.microsoft.com/.default --tenant acme.example …",
            ],
        );
        assert!(!message.contains("eyJ"), "{message}");
        let message = refusal(&cli("garbled")).await;
        assert_says(&message, &["answered without a token"]);
        assert!(!message.contains("eyJ"), "{message}");
    }

    #[tokio::test]
    async fn it_may_not_be_there() {
        let message = refusal(&cli("nowhere")).await;
        assert_says(&message, &["not installed", "AZURE_TOKEN_CREDENTIALS"]);
    }

    #[tokio::test]
    async fn it_is_not_waited_for_without_end() {
        let program = fixture("azure_cli/hangs/az");
        let hanging = AzureCli::with_program(program, Duration::from_millis(20));
        let message = refusal(&Way::AzureCli(hanging)).await;
        assert_says(&message, &["no answer in"]);
    }
}
