//! Every way to log in to Entra, with the binary: those that work, those that are refused, and that none of them shows a secret.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use keycloak_to_azure::report::Line;
use keycloak_to_azure::sandbox::graph::{
    App, FederatedCredential, HiddenMembership, ManagedIdentity, TokenForm,
};
use keycloak_to_azure::sandbox::{Fault, Service, When, WorldMut};
use serde_json::{Value, json};

use crate::crew::{Crew, as_it_is};
use crate::program::{Ended, Stage};
use crate::wire::{answering, run};

const PLAN: &str = "plan --out @plan.json";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str = "repo:acme/sync:ref:refs/heads/main";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const HEADER: &str = "header-hunter2";
const APP_CERTIFICATE: &str = include_str!("../../fixtures/certificates/app-certificate.pem");

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A token of somebody else; nobody checks who signed it.
fn federated_token(issuer: &str, subject: &str, audience: &str) -> String {
    let claims = json!({"iss": issuer, "sub": subject, "aud": audience, "exp": 4_102_444_800_u64});
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJub25lIn0.{claims}.hunter2hunter2aa")
}

/// A company whose app has a certificate and trusts GitHub, and no secret is set.
async fn company() -> Stage {
    let mut stage = Stage::company().await;
    stage
        .variables
        .retain(|(name, _)| name != "AZURE_CLIENT_SECRET");
    let log = format!("logfile: {}\n", stage.path("sync.log").display());
    let text = log + &stage.configuration();
    stage.configure(&text);
    stage.sandbox.with_world(|world| {
        let app = &mut world.entra.apps[0];
        app.certificates = vec![APP_CERTIFICATE.to_owned()];
        app.federated_credentials = vec![FederatedCredential {
            issuer: ISSUER.to_owned(),
            subject: SUBJECT.to_owned(),
            audience: AUDIENCE.to_owned(),
        }];
    });
    stage
}

/// Makes the company's app the identity of a machine, which has no secret or certificate.
fn become_machine(world: &mut WorldMut<'_>, user_assigned: bool) {
    let app = world.entra.apps.remove(0);
    world.entra.apps.push(App {
        client_id: app.client_id,
        roles: app.roles,
        managed_identity: Some(ManagedIdentity {
            header: HEADER.to_owned(),
            user_assigned,
        }),
        ..App::default()
    });
}

/// Runs the binary, and looks for secrets in everything that came of it.
async fn run_and_look(stage: &Stage, words: &str, variables: &[(&str, &str)]) -> Ended {
    // Of this run alone.
    let _ = std::fs::remove_file(stage.path("sync.log"));
    let ended = run(stage, words, variables).await;
    // The log begins once the credentials are complete.
    let has_log = !ended.err.contains("the credentials in the environment");
    assert_eq!(stage.path("sync.log").exists(), has_log, "{ended:?}");
    let read = |name: &str| std::fs::read_to_string(stage.path(name)).unwrap_or_default();
    let texts = [
        &ended.out,
        &ended.err,
        &read("sync.log"),
        &read("plan.json"),
        &read("plan.report.jsonl"),
    ];
    for text in texts {
        // `eyJ` begins every token and assertion, `MII` every key and certificate.
        for secret in ["hunter2", "eyJ", "MII", "sandbox-azure-secret"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    ended
}

/// The plan on disk without what is different in every sandbox and at every time.
fn planned(stage: &Stage) -> Value {
    let text = std::fs::read_to_string(stage.path("plan.json")).unwrap();
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    for name in ["plan_id", "created_at", "config_sha256", "source", "target"] {
        plan.as_object_mut().unwrap().remove(name);
    }
    plan
}

async fn plan_by_secret() -> Value {
    let stage = company().await;
    let secret = [("AZURE_CLIENT_SECRET", "sandbox-azure-secret")];
    let ended = run_and_look(&stage, PLAN, &secret).await;
    // Without it nothing would be looked for in the log.
    let log = std::fs::read_to_string(stage.path("sync.log")).unwrap();
    assert!(!log.is_empty(), "{ended:?}");
    assert_eq!(ended.status, 0, "{ended:?}");
    planned(&stage)
}

#[tokio::test]
async fn every_way_to_log_in_comes_to_the_same_plan() {
    let wanted = plan_by_secret().await;

    let stage = company().await;
    let app = fixture("certificates/app.pem");
    let pkcs1 = fixture("certificates/app-pkcs1.pem");
    let token = stage.path("token").to_string_lossy().into_owned();
    std::fs::write(&token, federated_token(ISSUER, SUBJECT, AUDIENCE)).unwrap();
    let value = federated_token(ISSUER, SUBJECT, AUDIENCE);
    let (github, asked) = answering(vec![(200, json!({"value": value}).to_string())]).await;
    let github = format!("{github}/idtoken?api-version=2.0");
    for variables in [
        vec![("AZURE_CLIENT_CERTIFICATE_PATH", app.as_str())],
        vec![
            ("AZURE_CLIENT_CERTIFICATE_PATH", pkcs1.as_str()),
            ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true"),
            ("AZURE_TOKEN_CREDENTIALS", "environmentcredential"),
        ],
        vec![("AZURE_FEDERATED_TOKEN_FILE", token.as_str())],
        vec![
            ("ACTIONS_ID_TOKEN_REQUEST_URL", github.as_str()),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-hunter2"),
        ],
    ] {
        let ended = run_and_look(&stage, PLAN, &variables).await;
        assert_eq!(ended.status, 0, "{variables:?}: {ended:?}");
        assert_eq!(planned(&stage), wanted, "{variables:?}");
        std::fs::remove_file(stage.path("plan.json")).unwrap();
    }
    let asked = asked.lock().unwrap().remove(0).to_lowercase();
    assert!(
        asked.contains("&audience=api%3a%2f%2fazureadtokenexchange"),
        "{asked}"
    );
    assert!(
        asked.contains("authorization: bearer github-hunter2"),
        "{asked}"
    );
}

/// A company whose app is the identity of a machine, and its client id, which the environment names only if a user assigned it.
async fn machine(user_assigned: bool) -> (Stage, String) {
    let mut stage = company().await;
    stage
        .sandbox
        .with_world(|world| become_machine(world, user_assigned));
    let id = stage.variable("AZURE_CLIENT_ID").to_owned();
    if !user_assigned {
        stage
            .variables
            .retain(|(name, _)| name != "AZURE_CLIENT_ID");
    }
    stage.set("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential");
    (stage, id)
}

#[tokio::test]
async fn a_machine_plans_with_its_identity_and_the_report_names_it() {
    let wanted = plan_by_secret().await;
    for user_assigned in [false, true] {
        let (mut stage, id) = machine(user_assigned).await;
        // Nobody is there, and no machine is asked for its identity by way of a proxy.
        stage.set("HTTP_PROXY", "http://127.0.0.1:9");
        let graph = stage.sandbox.graph_url();
        let endpoint = format!("{graph}/msi/token");
        for variables in [
            vec![
                ("IDENTITY_ENDPOINT", endpoint.as_str()),
                ("IDENTITY_HEADER", HEADER),
            ],
            vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", graph.as_str())],
        ] {
            let ended = run_and_look(&stage, PLAN, &variables).await;
            assert_eq!(ended.status, 0, "{variables:?}: {ended:?}");
            assert_eq!(planned(&stage), wanted, "{variables:?}");
        }
        let variables = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", graph.as_str())];
        let ended = run_and_look(&stage, "apply @plan.json --dry-run", &variables).await;
        assert_eq!(ended.status, 0, "{ended:?}");
        let report = std::fs::read_to_string(stage.path("plan.report.jsonl")).unwrap();
        let first: Line = serde_json::from_str(report.lines().next().unwrap()).unwrap();
        assert!(
            matches!(&first, Line::Start(start) if start.app_id == id),
            "{first:?}"
        );
    }
}

#[tokio::test]
async fn check_says_how_a_machine_gets_its_permissions() {
    let (stage, id) = machine(false).await;
    stage.sandbox.with_world(|world| {
        world.entra.apps[0].roles.remove("User.Invite.All");
        world.entra.apps[0].roles.remove("User.ReadWrite.All");
    });
    let graph = stage.sandbox.graph_url();
    let ended = run_and_look(
        &stage,
        "check",
        &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &graph)],
    )
    .await;
    assert_eq!(ended.status, 1, "{ended:?}");
    for words in [
        format!("as app {id}"),
        "'appRoleId':'09850681-111b-4a89-9bed-3f2cae46d706'".to_owned(),
        format!("ME=$(az ad sp show --id {id} --query id -o tsv)"),
    ] {
        assert!(ended.out.contains(&words), "{words}: {}", ended.out);
    }
    assert!(!ended.out.contains("az ad app permission"), "{}", ended.out);
}

#[tokio::test]
async fn check_names_a_machine_that_may_not_do_anything_yet() {
    let (stage, id) = machine(false).await;
    stage
        .sandbox
        .with_world(|world| world.entra.apps[0].roles.clear());
    let graph = stage.sandbox.graph_url();
    let host = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", graph.as_str())];
    let ended = run_and_look(&stage, "check", &host).await;
    assert_eq!(ended.status, 1, "{ended:?}");
    for words in [
        format!("as app {id}"),
        "'appRoleId':'df021288-bdef-4463-88db-98f22de89214'".to_owned(),
        format!("ME=$(az ad sp show --id {id} --query id -o tsv)"),
        "keeps the tokens of managed identities for hours".to_owned(),
    ] {
        assert!(ended.out.contains(&words), "{words}: {}", ended.out);
    }
}

/// What pipelines have been seen to do: the secret goes where its path, or something else, belongs.
#[tokio::test]
async fn a_secret_in_the_wrong_variable_is_neither_shown_nor_sent() {
    let stage = company().await;
    let pem = std::fs::read_to_string(fixture("certificates/app.pem")).unwrap();
    let token = federated_token(ISSUER, SUBJECT, AUDIENCE);
    let secret = "Ab18Q~hunter2.hunter2-hunter2_hunter2abc";
    let id = stage.variable("AZURE_CLIENT_ID");
    for (variables, words) in [
        (
            vec![("AZURE_CLIENT_CERTIFICATE_PATH", pem.as_str())],
            "AZURE_CLIENT_CERTIFICATE_PATH holds the content of a file",
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", token.as_str())],
            "AZURE_FEDERATED_TOKEN_FILE holds the content of a file",
        ),
        (
            vec![("AZURE_CLIENT_ID", secret), ("AZURE_CLIENT_SECRET", id)],
            "AZURE_CLIENT_ID must hold",
        ),
        (
            vec![
                ("AZURE_TENANT_ID", secret),
                ("AZURE_CLIENT_SECRET", "hunter2"),
            ],
            "AZURE_TENANT_ID is neither",
        ),
        (
            vec![("AZURE_TOKEN_CREDENTIALS", secret)],
            "AZURE_TOKEN_CREDENTIALS is (not shown",
        ),
    ] {
        for command in [PLAN, "check"] {
            let ended = run_and_look(&stage, command, &variables).await;
            assert_eq!(ended.status, 1, "{ended:?}");
            assert!(ended.err.contains(words), "{words}: {}", ended.err);
        }
    }
    assert!(stage.sandbox.requests().is_empty());
}

/// Variables, and what is said of them.
type Refused = (Vec<(&'static str, String)>, &'static [&'static str]);

/// What is refused before anybody is asked, or by whoever is asked, and what is said then.
#[tokio::test]
async fn what_is_wrong_with_a_way_to_log_in_is_said_with_what_to_do() {
    let stage = company().await;
    let token = |name: &str, issuer: &str, subject: &str, audience: &str| {
        let file = stage.path(name).to_string_lossy().into_owned();
        std::fs::write(&file, federated_token(issuer, subject, audience)).unwrap();
        file
    };
    let of_branch = token(
        "branch",
        ISSUER,
        "repo:acme/sync:ref:refs/heads/next",
        AUDIENCE,
    );
    let of_other_case = token("case", ISSUER, &SUBJECT.to_uppercase(), AUDIENCE);
    let of_stranger = token("stranger", "https://stranger.example", SUBJECT, AUDIENCE);
    let for_stranger = token("audience", ISSUER, SUBJECT, "api://stranger");
    let (closed, _) = answering(vec![(403, "hunter2".to_owned())]).await;
    let closed = format!("{closed}/idtoken");
    let certificate = |name: &str| fixture(&format!("certificates/{name}"));
    let cases: Vec<Refused> = vec![
        (
            vec![("AZURE_CLIENT_CERTIFICATE_PATH", certificate("nowhere.pem"))],
            &[
                "nowhere.pem",
                "AZURE_CLIENT_CERTIFICATE_PATH",
                "No such file",
            ],
        ),
        (
            vec![(
                "AZURE_CLIENT_CERTIFICATE_PATH",
                fixture("azure_cli/fails/az"),
            )],
            &["not a PEM file"],
        ),
        (
            vec![("AZURE_CLIENT_CERTIFICATE_PATH", certificate("elliptic.pem"))],
            &["not an RSA key"],
        ),
        (
            vec![(
                "AZURE_CLIENT_CERTIFICATE_PATH",
                certificate("encrypted.pem"),
            )],
            &["has a password", "openssl pkey"],
        ),
        (
            vec![
                ("AZURE_CLIENT_CERTIFICATE_PATH", certificate("app.pfx")),
                ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "hunter2".to_owned()),
            ],
            &["AZURE_CLIENT_CERTIFICATE_PASSWORD", "openssl pkcs12"],
        ),
        (
            vec![("AZURE_CLIENT_CERTIFICATE_PATH", certificate("chain.pem"))],
            &[
                "AADSTS700027",
                "not registered",
                "upload it without its key",
            ],
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token".to_owned())],
            &[
                "/nowhere/token",
                "AZURE_FEDERATED_TOKEN_FILE",
                "cannot be read",
            ],
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", of_branch)],
            &[
                "AADSTS700213",
                "the subject `repo:acme/sync:ref:refs/heads/next`",
                "federated credential",
            ],
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", of_other_case)],
            &["AADSTS7002138", "letter case included"],
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", of_stranger)],
            &["AADSTS700211", "the issuer `https://stranger.example`"],
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", for_stranger)],
            &["AADSTS700212", "the audience `api://stranger`"],
        ),
        (
            vec![
                ("ACTIONS_ID_TOKEN_REQUEST_URL", closed),
                (
                    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
                    "github-hunter2".to_owned(),
                ),
            ],
            &["GitHub refused a token for this job with 403"],
        ),
        (
            vec![("GITHUB_ACTIONS", "true".to_owned())],
            &["AZURE_CLIENT_SECRET", "`permissions: id-token: write`"],
        ),
        (
            vec![("AZURE_TOKEN_CREDENTIALS", "prod".to_owned())],
            &[
                "AZURE_TOKEN_CREDENTIALS is `prod`",
                "ManagedIdentityCredential",
            ],
        ),
        (
            vec![
                (
                    "AZURE_TOKEN_CREDENTIALS",
                    "ManagedIdentityCredential".to_owned(),
                ),
                (
                    "IDENTITY_ENDPOINT",
                    format!("{}/msi/token", stage.sandbox.graph_url()),
                ),
                ("IDENTITY_HEADER", HEADER.to_owned()),
            ],
            &["the managed identity was refused with 401"],
        ),
        (
            vec![
                (
                    "AZURE_TOKEN_CREDENTIALS",
                    "ManagedIdentityCredential".to_owned(),
                ),
                (
                    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                    stage.sandbox.graph_url(),
                ),
            ],
            &["Identity not found", "Assign the identity"],
        ),
    ];
    for (variables, words) in cases {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let ended = run_and_look(&stage, PLAN, &variables).await;
        assert_eq!(ended.status, 1, "{variables:?}: {ended:?}");
        assert!(!stage.path("plan.json").exists(), "{variables:?}");
        for word in words {
            assert!(ended.err.contains(word), "{word:?} in {}", ended.err);
        }
    }
}

#[tokio::test]
async fn an_assertion_of_a_clock_that_is_wrong_is_refused() {
    let stage = company().await;
    stage.sandbox.with_world(|world| {
        world.entra.behaviour.login.assertion_time = Some(Timestamp::UNIX_EPOCH);
    });
    let certificate = fixture("certificates/app.pem");
    let ended = run_and_look(
        &stage,
        PLAN,
        &[("AZURE_CLIENT_CERTIFICATE_PATH", &certificate)],
    )
    .await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.err.contains("AADSTS700024"), "{}", ended.err);
    assert!(ended.err.contains("set the clock"), "{}", ended.err);
}

#[tokio::test]
async fn of_several_ways_the_first_is_used_and_the_others_are_named() {
    let mut stage = company().await;
    stage.set("AZURE_CLIENT_SECRET", "sandbox-azure-secret");
    let ended = run_and_look(
        &stage,
        PLAN,
        &[("AZURE_CLIENT_CERTIFICATE_PATH", "/nowhere")],
    )
    .await;
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(
        ended
            .err
            .contains("AZURE_CLIENT_CERTIFICATE_PATH is set too and not used"),
        "{}",
        ended.err
    );
}

/// Replaces the trust of the app and what is in the file, at the moment at which Graph says that the token has expired.
#[tokio::test]
async fn a_token_that_has_to_be_renewed_is_renewed_with_what_is_in_the_file_by_then() {
    let mut stage = company().await;
    let file = stage.path("token");
    std::fs::write(&file, federated_token(ISSUER, SUBJECT, AUDIENCE)).unwrap();
    stage.set("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap());
    let first_read = || When::to(Service::Graph).path("/v1.0/");
    stage
        .sandbox
        .faults()
        .change_world(first_read(), move |world| {
            world.entra.apps[0].federated_credentials[0].subject = "the next one".to_owned();
            std::fs::write(&file, federated_token(ISSUER, "the next one", AUDIENCE)).unwrap();
        });
    stage
        .sandbox
        .faults()
        .add(first_read(), 1, Fault::TokenExpired);
    let ended = stage.run(PLAN).await;
    assert_eq!(ended.status, 0, "{ended:?}");
    assert_eq!(stage.sandbox.faults().pending(), 0);
}

#[tokio::test]
async fn github_is_asked_again_when_the_token_has_to_be_renewed() {
    let mut stage = company().await;
    let answer = |subject| {
        let value = federated_token(ISSUER, subject, AUDIENCE);
        (200, json!({"count": 1, "value": value}).to_string())
    };
    let (github, asked) = answering(vec![answer(SUBJECT), answer("the next one")]).await;
    stage.set(
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        &format!("{github}/idtoken?x=y"),
    );
    stage.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-hunter2");
    let first_read = || When::to(Service::Graph).path("/v1.0/");
    stage.sandbox.faults().change_world(first_read(), |world| {
        world.entra.apps[0].federated_credentials[0].subject = "the next one".to_owned();
    });
    stage
        .sandbox
        .faults()
        .add(first_read(), 1, Fault::TokenExpired);
    let ended = stage.run(PLAN).await;
    assert_eq!(ended.status, 0, "{ended:?}");
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[cfg(unix)]
mod azure_cli {
    use keycloak_to_azure::http;

    use super::*;

    /// A token of the simulated Entra, as the Azure CLI would have got it.
    async fn token_of(stage: &Stage) -> String {
        let http = http::Http::new(&http::Options {
            loopback: true,
            ..http::Options::default()
        });
        let graph = stage.sandbox.graph_url();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", stage.variable("AZURE_CLIENT_ID")),
            ("client_secret", "sandbox-azure-secret"),
            ("scope", &format!("{graph}/.default")),
        ];
        let url = format!(
            "{graph}/{}/oauth2/v2.0/token",
            stage.variable("AZURE_TENANT_ID")
        );
        let answer = http.unwrap().client().post(url).form(&form).send().await;
        let body: Value = answer.unwrap().json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// The folder of a fake Azure CLI, as the path to find programs on.
    fn path(name: &str) -> String {
        format!("{}:/usr/bin:/bin", fixture(&format!("azure_cli/{name}")))
    }

    #[tokio::test]
    async fn whoever_is_logged_in_to_it_plans_and_that_is_said() {
        let wanted = plan_by_secret().await;
        let mut stage = company().await;
        stage.sandbox.with_world(|world| {
            world.entra.behaviour.login.token = TokenForm::OfPerson;
        });
        let token = token_of(&stage).await;
        let id = stage.variable("AZURE_CLIENT_ID").to_owned();
        stage
            .variables
            .retain(|(name, _)| name != "AZURE_CLIENT_ID");
        stage.set("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential");
        let environment = [("PATH", path("logged_in")), ("FAKE_AZ_TOKEN", token)];
        let environment = [0, 1].map(|at| (environment[at].0, environment[at].1.as_str()));
        let ended = run_and_look(&stage, PLAN, &environment).await;
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(
            ended
                .err
                .contains("as whoever is logged in to the Azure CLI"),
            "{}",
            ended.err
        );
        assert_eq!(planned(&stage), wanted);
        // What a person may do does not stand in a token.
        let ended = run_and_look(&stage, "check", &environment).await;
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(ended.out.contains(&format!("as app {id}")), "{}", ended.out);
        assert!(ended.out.contains("no token shows them"), "{}", ended.out);
    }

    /// A company in which a person plans, with a path to their Azure CLI and their token.
    async fn with_person(change: impl FnOnce(&mut WorldMut<'_>)) -> (Stage, [(String, String); 2]) {
        let mut stage = company().await;
        stage.sandbox.with_world(|world| {
            world.entra.behaviour.login.token = TokenForm::OfPerson;
            change(world);
        });
        let token = token_of(&stage).await;
        stage.set("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential");
        let environment = [("PATH", path("logged_in")), ("FAKE_AZ_TOKEN", token)];
        (
            stage,
            environment.map(|(name, value)| (name.to_owned(), value)),
        )
    }

    async fn refused_plan(stage: &Stage, environment: &[(String, String)]) -> String {
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let ended = run_and_look(stage, PLAN, &environment).await;
        assert_eq!(ended.status, 1, "{ended:?}");
        assert!(!stage.path("plan.json").exists());
        ended.err
    }

    #[tokio::test]
    async fn a_person_without_the_rights_is_told_of_their_own_and_not_of_the_apps() {
        let (stage, environment) = with_person(|world| world.entra.apps[0].roles.clear()).await;
        let said = refused_plan(&stage, &environment).await;
        for words in [
            "whoever is logged in to the Azure CLI may not read the tenant",
            "a directory role to read accounts",
            "the delegated permission User.Read.All",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains("application permission"), "{said}");
    }

    #[tokio::test]
    async fn hidden_members_that_a_person_is_not_shown_are_not_added_anew() {
        let (stage, environment) = with_person(|world| {
            world.entra.behaviour.reading.hidden_membership = HiddenMembership::Empty;
            for group in world.entra.groups.values_mut() {
                group.visibility = Some("HiddenMembership".to_owned());
            }
        })
        .await;
        let said = refused_plan(&stage, &environment).await;
        assert!(said.contains("hides its members"), "{said}");
        assert!(said.contains("Member.Read.Hidden"), "{said}");
    }

    #[tokio::test]
    async fn it_is_handed_no_secret_of_this_program() {
        let mut stage = company().await;
        stage.set("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential");
        let folder = path("environment");
        let ended = run_and_look(
            &stage,
            PLAN,
            &[
                ("PATH", &folder),
                ("AZURE_CLIENT_SECRET", "hunter2"),
                ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "hunter2"),
                ("KEYCLOAK_USER", "sync"),
                ("KEYCLOAK_PASSWORD", "hunter2"),
                ("KEYCLOAK_TO_AZURE_REDACT_KEY", "hunter2"),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2"),
                // The only one that it is to have.
                ("OF_SOMEBODY_ELSE", "hunter2"),
            ],
        )
        .await;
        assert_eq!(ended.status, 1, "{ended:?}");
        let words = "secrets handed over: 1";
        assert!(ended.err.contains(words), "{}", ended.err);
    }

    #[tokio::test]
    async fn where_it_gives_no_token_the_reason_is_said() {
        let mut stage = company().await;
        stage.set("AZURE_TOKEN_CREDENTIALS", "azureclicredential");
        for (folder, words) in [
            (
                path("logged_out"),
                &["Please run 'az login'", "`az login --tenant"][..],
            ),
            (path("fails"), &["failed: unrecognized arguments"]),
            (path("garbled"), &["answered without a token"]),
            (
                "/nowhere".to_owned(),
                &["not installed", "AZURE_TOKEN_CREDENTIALS"],
            ),
        ] {
            let ended = run_and_look(&stage, PLAN, &[("PATH", &folder)]).await;
            assert_eq!(ended.status, 1, "{folder}: {ended:?}");
            for word in words {
                assert!(ended.err.contains(word), "{word:?} in {}", ended.err);
            }
        }
    }
}

/// The session of a login by password lasts for hours in Keycloak, unless it is ended.
#[tokio::test]
async fn no_run_leaves_a_session_in_keycloak_whatever_becomes_of_it() {
    const COMMANDS: [&str; 5] = [
        "plan --out @another.json",
        "apply @plan.json",
        "explain ida@partner.example",
        "audit",
        "check",
    ];
    let all_right: fn(&mut Stage) = |_| {};
    let refuse_entra: fn(&mut Stage) = |stage| stage.set("AZURE_CLIENT_SECRET", "wrong");
    let fail_graph: fn(&mut Stage) = |stage| {
        let reads = When::to(Service::Graph).path("/$batch");
        stage.sandbox.faults().add(reads, 1_000, Fault::status(403));
    };
    let fail_keycloak: fn(&mut Stage) = |stage| {
        let reads = When::to(Service::Keycloak).path("/admin/");
        stage.sandbox.faults().add(reads, 1_000, Fault::status(400));
    };
    let spoil_report: fn(&mut Stage) = |stage| {
        std::fs::write(stage.path("plan.report.jsonl"), "no report\n").unwrap();
    };
    let of_each = |trouble: fn(&mut Stage)| COMMANDS.map(|line| (line, trouble));
    let failing = [refuse_entra, fail_graph, fail_keycloak].map(of_each);
    let mut cases = failing.concat();
    cases.push(("apply @plan.json", spoil_report));
    cases.extend(of_each(all_right));
    for (at, (line, trouble)) in cases.into_iter().enumerate() {
        let Crew { mut stage, .. } = Crew::new(as_it_is).await;
        let sessions = |stage: &Stage| {
            let sandbox = &stage.sandbox;
            sandbox.with_world(|world| {
                let keycloak = &world.keycloak;
                (keycloak.sessions_begun, keycloak.sessions.len())
            })
        };
        let (before, _) = sessions(&stage);
        trouble(&mut stage);
        let ended = stage.run(line).await;
        assert_eq!(ended.status == 1, at < 16, "{at} {line}: {ended:?}");
        let (begun, left) = sessions(&stage);
        assert!(begun > before, "{at} {line}: {ended:?}");
        assert_eq!(left, 0, "{at} {line}: {ended:?}");
    }
}
