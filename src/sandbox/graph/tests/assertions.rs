//! Logins without a secret: what an app signs, whom it trusts, and the identities of machines.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::*;

const NOW: i64 = 1_767_600_000;
const CERTIFICATE: &str = include_str!("../../../../fixtures/certificates/app-certificate.pem");
const KEY: &str = include_str!("../../../../fixtures/certificates/app-key.pem");

fn client() -> Client {
    let mut world = company();
    world.behaviour.login.assertion_time = Some(Timestamp::from_second(NOW).unwrap());
    let app = &mut world.apps[0];
    app.client_secret.clear();
    app.certificates = vec![CERTIFICATE.to_owned()];
    app.federated_credentials = vec![FederatedCredential {
        issuer: "https://issuer.example".to_owned(),
        subject: "job 1".to_owned(),
        audience: "api://x".to_owned(),
    }];
    let mut graph = Graph::new(world);
    graph.set_base_url(BASE.to_owned());
    Client {
        graph,
        token: String::new(),
        now: Duration::ZERO,
    }
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn thumbprint() -> String {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate))
}

fn signed(header: &Value, claims: &Value) -> String {
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let key = any_supported_type(&key).unwrap();
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signer = key
        .choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
        .unwrap();
    let signature = signer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn form(assertion: &str) -> String {
    format!(
        "client_id={APP}&scope={BASE}/.default&grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}"
    )
}

fn own_header() -> Value {
    json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint()})
}

fn own_claims() -> Value {
    json!({
        "aud": format!("{BASE}/{TENANT}/oauth2/v2.0/token"), "iss": APP, "sub": APP, "nbf": NOW, "exp": NOW + 600,
    })
}

fn with(mut value: Value, name: &str, field: impl Into<Value>) -> Value {
    value[name] = field.into();
    value
}

#[track_caller]
fn is_refused(answer: &Answer, number: u32) {
    assert_eq!(
        answer.body["error_codes"],
        json!([number]),
        "{}",
        answer.body
    );
    assert_eq!(answer.status, 401);
}

#[test]
fn an_assertion_of_the_app_is_held_against_its_certificates_and_against_what_it_is_for() {
    let good = signed(&own_header(), &own_claims());
    let answer = client().ask_for_token(TENANT, &form(&good));
    assert_eq!(answer.status, 200, "{}", answer.body);

    let since_ever = signed(&own_header(), &with(own_claims(), "nbf", i64::MIN));
    let answer = client().ask_for_token(TENANT, &form(&since_ever));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let of_another_kind = form(&good).replace("jwt-bearer", "saml2-bearer");
    is_refused(&client().ask_for_token(TENANT, &of_another_kind), 50_027);

    let tampered = {
        let parts: Vec<&str> = good.split('.').collect();
        let claims = encoded(&with(own_claims(), "jti", "another"));
        format!("{}.{claims}.{}", parts[0], parts[2])
    };
    for (assertion, number) in [
        (tampered, 700_027),
        (
            signed(&with(own_header(), "alg", "RS256"), &own_claims()),
            700_027,
        ),
        (
            signed(&with(own_header(), "x5t#S256", "other"), &own_claims()),
            700_027,
        ),
        (
            signed(&own_header(), &with(own_claims(), "sub", "another")),
            700_021,
        ),
        (
            signed(
                &own_header(),
                &with(own_claims(), "aud", "https://elsewhere.example"),
            ),
            700_023,
        ),
        (
            signed(&own_header(), &with(own_claims(), "exp", NOW - 600)),
            700_024,
        ),
        (
            signed(&own_header(), &with(own_claims(), "nbf", NOW + 600)),
            700_024,
        ),
        ("nonsense".to_owned(), 50_027),
        (good.replace('.', "!"), 50_027),
    ] {
        is_refused(&client().ask_for_token(TENANT, &form(&assertion)), number);
    }
    let mut without = client();
    without.graph.world_mut().apps[0].certificates.clear();
    is_refused(&without.ask_for_token(TENANT, &form(&good)), 700_027);
}

#[test]
fn a_token_of_somebody_else_is_held_against_the_federated_credentials_letter_by_letter() {
    let claims = json!({"iss": "https://issuer.example", "sub": "job 1", "aud": ["api://x"], "exp": NOW + 1});
    let token = |claims: &Value| {
        format!(
            "{}.{}.c2ln",
            encoded(&json!({"alg": "RS256"})),
            encoded(claims)
        )
    };
    let answer = client().ask_for_token(TENANT, &form(&token(&claims)));
    assert_eq!(answer.status, 200, "{}", answer.body);
    for (field, value, number) in [
        ("iss", json!("https://issuer.example/"), 700_211),
        ("sub", json!("job 2"), 700_213),
        ("sub", json!("Job 1"), 7_002_138),
        ("aud", json!("api://y"), 700_212),
        ("exp", json!(NOW - 600), 700_024),
    ] {
        let token = token(&with(claims.clone(), field, value));
        is_refused(&client().ask_for_token(TENANT, &form(&token)), number);
    }
}

#[test]
fn an_app_without_a_secret_has_none_that_is_right() {
    let form = |secret: &str| {
        format!(
            "client_id={APP}&scope={BASE}/.default&grant_type=client_credentials&client_secret={secret}"
        )
    };
    for secret in ["", "s3cret"] {
        is_refused(&client().ask_for_token(TENANT, &form(secret)), 7_000_215);
    }
}

fn ask_machine(client: &mut Client, target: &str, headers: &[(&str, &str)]) -> Answer {
    let (path, query) = target.split_once('?').unwrap();
    let mut asked = request(Method::GET, path, headers, Vec::new());
    asked.query = query.to_owned();
    Answer::of(&client.graph.answer(&asked, client.now))
}

#[test]
fn a_machine_gets_tokens_for_its_own_identity_and_for_those_that_it_names() {
    let mut client = client();
    let identity = |header: &str, user_assigned| {
        Some(ManagedIdentity {
            header: header.to_owned(),
            user_assigned,
        })
    };
    let apps = &mut client.graph.world_mut().apps;
    apps[0].managed_identity = identity("h", false);
    apps.push(App {
        client_id: id(7),
        managed_identity: identity("h", true),
        ..App::default()
    });
    let resource = "resource=https%3A%2F%2Fgraph.microsoft.com";
    let app_service = format!("/msi/token?api-version=2019-08-01&{resource}");
    let imds = format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{resource}");
    let (knows, asks) = ([("x-identity-header", "h")], [("metadata", "true")]);
    for (target, headers, expected) in [
        (app_service.clone(), &knows, APP.to_owned()),
        (imds.clone(), &asks, APP.to_owned()),
        (format!("{app_service}&client_id={}", id(7)), &knows, id(7)),
    ] {
        let answer = ask_machine(&mut client, &target, headers);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["client_id"], expected);
        assert_eq!(answer.body["expires_on"], (NOW + 3599).to_string());
        client.token = answer.body["access_token"].as_str().unwrap().to_owned();
        assert_ne!(client.get("/users").status, 401);
    }
    for (target, headers, status) in [
        (app_service.clone(), &[("x-identity-header", "other")], 401),
        (app_service.clone(), &asks, 401),
        (imds.clone(), &knows, 400),
        (format!("{imds}&client_id={}", id(8)), &asks, 400),
        (imds.replace("2018", "2019"), &asks, 400),
        (imds.replace("graph", "other"), &asks, 400),
    ] {
        assert_eq!(
            ask_machine(&mut client, &target, headers).status,
            status,
            "{target}"
        );
    }
}

#[test]
fn an_app_of_an_older_state_file_is_still_read() {
    let older = json!({"client_id": APP, "client_secret": "s3cret", "secret_expired": false, "roles": ["User.Read.All"]});
    let app: App = serde_json::from_value(older).unwrap();
    assert_eq!(app.client_secret, "s3cret");
    assert!(app.certificates.is_empty() && app.managed_identity.is_none());
    let older = json!({"login": {"token": "Readable", "lifetime": {"secs": 5, "nanos": 0}, "expires_in_as_text": false}});
    let behaviour: Behaviour = serde_json::from_value(older).unwrap();
    assert_eq!(behaviour.login.lifetime, Duration::from_secs(5));
    assert_eq!(behaviour.login.assertion_time, None);
}
