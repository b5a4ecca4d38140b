//! Clouds, private authorities and proxies: which host is asked for what, and by way of whom.

use keycloak_to_azure::sandbox::Service;

use crate::program::{Ended, Stage};
use crate::wire::{Authority, Proxy, run};

/// Every cloud with its login and Graph (<https://learn.microsoft.com/graph/deployments>), and how a configuration names it.
const CLOUDS: [(&str, &str, &str); 5] = [
    ("", "login.microsoftonline.com", "graph.microsoft.com"),
    ("public", "login.microsoftonline.com", "graph.microsoft.com"),
    (
        "us_government",
        "login.microsoftonline.us",
        "graph.microsoft.us",
    ),
    (
        "us_government_dod",
        "login.microsoftonline.us",
        "dod-graph.microsoft.us",
    ),
    (
        "china",
        "login.partner.microsoftonline.cn",
        "microsoftgraph.chinacloudapi.cn",
    ),
];

/// A host name of an internal network.
const INSIDE: &str = "keycloak.corp.example";

fn assert_planned(planned: &Ended, stage: &Stage) {
    assert_eq!(planned.status, 0, "{planned:?}");
    std::fs::remove_file(stage.path("plan.json")).unwrap();
}

/// The scopes that tokens were asked for.
fn scopes(stage: &Stage) -> Vec<String> {
    let requests = stage.sandbox.requests();
    let logins = requests
        .iter()
        .filter(|request| request.service == Service::Graph && request.path.ends_with("/token"));
    logins
        .map(|login| {
            let form = String::from_utf8(login.body.clone()).unwrap();
            let mut fields = form.split('&');
            let scope = fields
                .find_map(|field| field.strip_prefix("scope="))
                .unwrap();
            scope.replace("%3A", ":").replace("%2F", "/")
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_cloud_has_its_login_its_graph_and_its_scope_behind_a_proxy_and_an_authority_of_its_own()
 {
    let mut stage = Stage::company().await;
    stage.sandbox.with_world(|world| {
        world.entra.apps[0].certificates =
            vec![include_str!("../../fixtures/certificates/app-certificate.pem").to_owned()];
    });
    // An assertion names the login that it is for.
    stage
        .variables
        .retain(|(name, _)| name != "AZURE_CLIENT_SECRET");
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/certificates/app.pem");
    stage.set("AZURE_CLIENT_CERTIFICATE_PATH", certificate);
    let authority = Authority::new();
    let file = stage.path("ca.pem");
    authority.write_certificate(&file);
    let names: Vec<&str> = CLOUDS
        .iter()
        .flat_map(|(_, login, graph)| [*login, *graph])
        .collect();
    let front = authority.serve(&names, &stage.sandbox.graph_url()).await;
    let hosts: Vec<String> = names.iter().map(|name| format!("{name}:443")).collect();
    let known: Vec<_> = hosts.iter().map(|host| (host.as_str(), front)).collect();
    let here = stage.configuration();
    for (cloud, login, graph) in CLOUDS {
        let proxy = Proxy::to(&known).await;
        stage.sandbox.forget_requests();
        let without_hosts = here.lines().filter(|line| !line.starts_with("azure_"));
        let mut text = without_hosts.collect::<Vec<_>>().join("\n") + "\n";
        if !cloud.is_empty() {
            text.extend(["azure_cloud: ", cloud, "\n"]);
        }
        stage.configure(&text);
        let environment = [
            ("HTTPS_PROXY", proxy.url.as_str()),
            ("SSL_CERT_FILE", file.to_str().unwrap()),
        ];
        let planned = run(&stage, "plan --out @plan.json", &environment).await;
        assert_planned(&planned, &stage);
        let mut asked = [format!("{login}:443"), format!("{graph}:443")];
        asked.sort();
        assert_eq!(proxy.asked(), asked, "{cloud}");
        assert_eq!(
            scopes(&stage),
            [format!("https://{graph}/.default")],
            "{cloud}"
        );
    }
}

/// Lets Keycloak be reached at another address.
fn move_keycloak(stage: &Stage, url: &str, more: &str) {
    let lines = stage.configuration();
    let others = lines.lines().filter(|line| {
        !line.starts_with("keycloak_url:") && !line.starts_with("keycloak_ca_file:")
    });
    let others = others.collect::<Vec<_>>().join("\n");
    stage.configure(&format!("keycloak_url: {url}\n{more}{others}\n"));
}

#[tokio::test]
async fn a_keycloak_with_a_private_authority_is_trusted_where_the_configuration_names_it() {
    let stage = Stage::company().await;
    let authority = Authority::new();
    let front = authority
        .serve(&["localhost"], &stage.sandbox.keycloak_url())
        .await;
    let url = format!("https://localhost:{}", front.port());
    let file = stage.path("ca.pem");
    authority.write_certificate(&file);

    move_keycloak(
        &stage,
        &url,
        &format!("keycloak_ca_file: {}\n", file.display()),
    );
    let planned = run(&stage, "plan --out @plan.json", &[]).await;
    assert_planned(&planned, &stage);

    move_keycloak(&stage, &url, "");
    let refused = run(&stage, "plan --out @plan.json", &[]).await;
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(
        refused.err.contains("keycloak_ca_file names"),
        "{}",
        refused.err
    );

    // Kept beside the configuration, wherever the program runs.
    move_keycloak(&stage, &url, "keycloak_ca_file: ca.pem\n");
    let planned = stage.run("plan --out @plan.json").await;
    assert_planned(&planned, &stage);
    let validated = stage.run("validate").await;
    assert_eq!(validated.status, 0, "{validated:?}");
    move_keycloak(&stage, &url, "keycloak_ca_file: other.pem\n");
    let refused = stage.run("validate").await;
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(
        refused
            .err
            .contains("line 2, column 19: `keycloak_ca_file: other.pem` cannot be used"),
        "{}",
        refused.err
    );

    // Another authority is none.
    Authority::new().write_certificate(&file);
    move_keycloak(
        &stage,
        &url,
        &format!("keycloak_ca_file: {}\n", file.display()),
    );
    let refused = run(&stage, "plan --out @plan.json", &[]).await;
    assert_eq!(refused.status, 1, "{refused:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_certificate_store_of_the_environment_counts_for_every_service() {
    let stage = Stage::company().await;
    let authority = Authority::new();
    let front = authority
        .serve(&["localhost"], &stage.sandbox.keycloak_url())
        .await;
    move_keycloak(&stage, &format!("https://localhost:{}", front.port()), "");
    let file = stage.path("ca.pem");
    authority.write_certificate(&file);
    let environment = [("SSL_CERT_FILE", file.to_str().unwrap())];
    let planned = run(&stage, "plan --out @plan.json", &environment).await;
    assert_planned(&planned, &stage);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used_and_what_it_is_not_for_is_asked_directly() {
    let stage = Stage::company().await;
    let authority = Authority::new();
    let front = authority
        .serve(&[INSIDE, "localhost"], &stage.sandbox.keycloak_url())
        .await;
    let file = stage.path("ca.pem");
    authority.write_certificate(&file);
    let ca_file = format!("keycloak_ca_file: {}\n", file.display());
    let inside = format!("{INSIDE}:8443");
    move_keycloak(&stage, &format!("https://{inside}"), &ca_file);

    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Proxy::to(&[(inside.as_str(), front)]).await;
        let planned = run(&stage, "plan --out @plan.json", &[(name, &proxy.url)]).await;
        assert_planned(&planned, &stage);
        // Plain http is for loopback alone, and nothing on loopback is asked by way of a proxy.
        assert_eq!(proxy.asked(), [inside.as_str()], "{name}");
    }

    // One that does not let anybody through.
    let closed = Proxy::to(&[]).await;
    let refused = run(
        &stage,
        "plan --out @plan.json",
        &[("HTTPS_PROXY", &closed.url)],
    )
    .await;
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.err.contains("HTTPS_PROXY"), "{}", refused.err);

    let direct = format!("https://localhost:{}", front.port());
    move_keycloak(&stage, &direct, &ca_file);
    let environment = [
        ("HTTPS_PROXY", closed.url.as_str()),
        ("NO_PROXY", "example.org,localhost"),
    ];
    let planned = run(&stage, "plan --out @plan.json", &environment).await;
    assert_planned(&planned, &stage);
    assert_eq!(closed.asked(), [inside.as_str()]);
}

#[tokio::test]
async fn loopback_is_never_asked_by_way_of_a_proxy() {
    let stage = Stage::company().await;
    let closed = Proxy::to(&[]).await;
    let environment = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"]
        .map(|name| (name, closed.url.as_str()));
    let planned = run(&stage, "plan --out @plan.json", &environment).await;
    assert_planned(&planned, &stage);
    assert_eq!(closed.asked(), Vec::<String>::new());
}
