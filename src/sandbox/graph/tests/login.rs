use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

fn form(client: &str, secret: &str, scope: &str, grant: &str) -> String {
    format!("client_id={client}&client_secret={secret}&scope={scope}&grant_type={grant}")
}

const SCOPE: &str = "https%3A%2F%2Fgraph.microsoft.com%2F.default";

fn claims(token: &str) -> Option<Value> {
    let middle = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(middle).ok()?).ok()
}

#[test]
fn an_app_gets_a_token_that_names_its_roles() {
    let mut client = Client::company();
    let answer = client.log_in();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 3599);
    let claims = claims(&client.token).unwrap();
    assert_eq!(claims["roles"].as_array().unwrap().len(), APPLY.len());
    assert_eq!(claims["tid"], TENANT);
    assert!(!client.token.contains("s3cret"));
}

#[test]
fn a_verified_domain_names_the_tenant_as_well() {
    let mut client = Client::company();
    for tenant in [TENANT, "acme.onmicrosoft.com", "ACME.example"] {
        let answer =
            client.ask_for_token(tenant, &form(APP, "s3cret", SCOPE, "client_credentials"));
        assert_eq!(answer.status, 200, "{tenant}");
    }
}

#[test]
fn every_way_to_fail_a_login_has_its_own_answer() {
    let good = "client_credentials";
    let unknown = "99999999-2222-4333-8444-555555555555";
    let cases = [
        (
            TENANT,
            form(APP, "wrong", SCOPE, good),
            401,
            "invalid_client",
            7_000_215,
        ),
        (
            unknown,
            form(APP, "s3cret", SCOPE, good),
            400,
            "invalid_request",
            90_002,
        ),
        (
            TENANT,
            form(unknown, "s3cret", SCOPE, good),
            400,
            "unauthorized_client",
            700_016,
        ),
        (
            TENANT,
            form("nobody", "s3cret", SCOPE, good),
            400,
            "unauthorized_client",
            700_038,
        ),
        (
            TENANT,
            form(APP, "s3cret", "User.Read.All", good),
            400,
            "invalid_scope",
            70_011,
        ),
        (
            TENANT,
            form(APP, "s3cret", "api://x/.default", good),
            400,
            "invalid_resource",
            500_011,
        ),
        (
            TENANT,
            form(APP, "s3cret", SCOPE, "password"),
            400,
            "unsupported_grant_type",
            70_003,
        ),
        (
            TENANT,
            form(APP, "s3cret", "", good),
            400,
            "invalid_request",
            900_144,
        ),
        (
            TENANT,
            "grant_type=client_credentials".to_owned(),
            400,
            "invalid_request",
            900_144,
        ),
    ];
    for (tenant, form, status, error, number) in cases {
        let answer = Client::company().ask_for_token(tenant, &form);
        let got = (answer.status, answer.body["error"].as_str().unwrap());
        assert_eq!(got, (status, error), "{form}");
        assert_eq!(answer.body["error_codes"], json!([number]), "{form}");
        let description = answer.body["error_description"].as_str().unwrap();
        assert!(
            description.starts_with(&format!("AADSTS{number}: ")),
            "{description}"
        );
        let has_uri = !matches!(number, 700_038 | 70_003);
        assert_eq!(answer.body.get("error_uri").is_some(), has_uri, "{form}");
    }
}

#[test]
fn an_expired_secret_is_told_apart_from_a_wrong_one() {
    let mut world = company();
    world.apps[0].secret_expired = true;
    let mut graph = Client {
        graph: Graph::new(world),
        token: String::new(),
        now: Duration::ZERO,
    };
    let answer = graph.ask_for_token(TENANT, &form(APP, "s3cret", SCOPE, "client_credentials"));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body["error_codes"], json!([7_000_222]));
}

#[test]
fn an_app_without_permissions_still_gets_a_token_and_nothing_for_it() {
    let mut client = Client::with_roles(&[]);
    assert!(claims(&client.token).unwrap().get("roles").is_none());
    client.get("/users").is_refused(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges",
    );
}

#[test]
fn a_token_can_be_opaque_and_still_good() {
    let mut client = Client::company();
    client.behaviour().login.token = TokenForm::Opaque;
    client.log_in();
    assert!(claims(&client.token).is_none());
    assert_eq!(client.get("/users").status, 200);
    client.behaviour().login.token = TokenForm::WithoutRoles;
    client.log_in();
    assert!(claims(&client.token).unwrap().get("roles").is_none());
    assert_eq!(client.get("/users").status, 200);
}

#[test]
fn the_lifetime_can_come_as_a_text() {
    let mut client = Client::company();
    client.behaviour().login.expires_in_as_text = true;
    assert_eq!(client.log_in().body["expires_in"], "3599");
}

#[test]
fn a_token_ends_with_its_lifetime() {
    let mut client = Client::company();
    client.behaviour().login.lifetime = Duration::from_secs(5);
    client.log_in();
    client.now = Duration::from_secs(4);
    assert_eq!(client.get("/users").status, 200);
    client.now = Duration::from_secs(5);
    client
        .get("/users")
        .is_refused(401, "InvalidAuthenticationToken", "expired");
    client.log_in();
    assert_eq!(client.get("/users").status, 200);
}

#[test]
fn without_a_good_token_there_is_only_401() {
    let mut client = Client::company();
    client.token.clear();
    client
        .get("/users")
        .is_refused(401, "InvalidAuthenticationToken", "Access token is empty.");
    client.token = "made.up.token".to_owned();
    client
        .get("/users")
        .is_refused(401, "InvalidAuthenticationToken", "");
    client.log_in();
    client.graph.revoke_tokens();
    client
        .get("/users")
        .is_refused(401, "InvalidAuthenticationToken", "");
    client.log_in();
    client.graph.world_mut().apps[0].service_principal_missing = true;
    client.get("/users").is_refused(
        401,
        "Authorization_IdentityNotFound",
        "could not be established",
    );
}

#[test]
fn a_grant_counts_from_the_next_token_on() {
    let mut client = Client::with_roles(&["User.Read.All"]);
    client.graph.world_mut().apps[0]
        .roles
        .insert("Group.Read.All".to_owned());
    assert_eq!(client.get("/groups").status, 403);
    client.log_in();
    assert_eq!(client.get("/groups").status, 200);
}
