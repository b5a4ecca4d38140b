use super::{EntraCredentials, EntraLogin, IdentityEndpoint};

type Variables<'v> = &'v [(&'v str, &'v str)];

const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "acme.onmicrosoft.com");
const CLIENT: (&str, &str) = ("AZURE_CLIENT_ID", "6d1f0000-0000-4000-8000-000000000001");
const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "secret-hunter2");
const CERTIFICATE: (&str, &str) = ("AZURE_CLIENT_CERTIFICATE_PATH", "/run/app.pem");
const FEDERATED: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/run/token");
const GITHUB_URL: (&str, &str) = (
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "https://pipelines.actions.githubusercontent.com/x/idtoken?api-version=2.0",
);
const GITHUB_TOKEN: (&str, &str) = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-hunter2");
const MACHINE: (&str, &str) = ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential");
const CLI: (&str, &str) = ("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential");
const ENDPOINT: (&str, &str) = ("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token");
const HEADER: (&str, &str) = ("IDENTITY_HEADER", "header-hunter2");

fn lookup(variables: Variables<'_>) -> impl Fn(&str) -> Option<String> + '_ {
    |name| {
        let mut found = variables.iter().filter(|(own, _)| *own == name);
        found.next().map(|(_, value)| (*value).to_owned())
    }
}

fn read(variables: Variables<'_>) -> EntraCredentials {
    EntraCredentials::from_env(lookup(variables)).unwrap()
}

fn refused(variables: Variables<'_>) -> String {
    EntraCredentials::from_env(lookup(variables))
        .unwrap_err()
        .to_string()
}

fn notice(variables: Variables<'_>) -> Option<String> {
    read(variables).notice(lookup(variables))
}

/// What a way is called here.
fn way(login: &EntraLogin) -> &'static str {
    match login {
        EntraLogin::Secret { .. } => "secret",
        EntraLogin::Certificate { .. } => "certificate",
        EntraLogin::FederatedFile { .. } => "file",
        EntraLogin::GitHubActions { .. } => "github",
        EntraLogin::ManagedIdentity {
            endpoint: IdentityEndpoint::AppService { .. },
            ..
        } => "app service",
        EntraLogin::ManagedIdentity { .. } => "imds",
        EntraLogin::AzureCli => "cli",
    }
}

#[test]
fn the_variables_of_the_azure_sdks_say_how_to_log_in_and_the_first_way_that_is_set_is_gone() {
    let all = [
        TENANT,
        CLIENT,
        SECRET,
        CERTIFICATE,
        FEDERATED,
        GITHUB_URL,
        GITHUB_TOKEN,
    ];
    let without = |count: usize| [&all[..2], &all[2 + count..]].concat();
    for (variables, expected) in [
        (without(0), "secret"),
        (without(1), "certificate"),
        (without(2), "file"),
        (without(3), "github"),
        (vec![TENANT, CLIENT, SECRET, MACHINE], "imds"),
        (
            vec![TENANT, CLIENT, SECRET, MACHINE, ENDPOINT, HEADER],
            "app service",
        ),
        (vec![TENANT, MACHINE], "imds"),
        (vec![TENANT, SECRET, CLI], "cli"),
    ] {
        let login = read(&variables).login;
        assert_eq!(way(&login), expected, "{variables:?}");
        let names_client = variables.contains(&CLIENT) && expected != "cli";
        assert_eq!(
            login.client_id(),
            names_client.then_some("6d1f0000-0000-4000-8000-000000000001")
        );
    }
}

#[test]
fn what_is_set_and_not_used_is_said() {
    assert_eq!(
        notice(&[TENANT, CLIENT, SECRET, CERTIFICATE, FEDERATED]).as_deref(),
        Some(
            "logging in to Entra with AZURE_CLIENT_SECRET; AZURE_CLIENT_CERTIFICATE_PATH and AZURE_FEDERATED_TOKEN_FILE are set too \
             and not used"
        )
    );
    assert_eq!(
        notice(&[TENANT, CLIENT, CERTIFICATE, FEDERATED]).as_deref(),
        Some(
            "logging in to Entra with AZURE_CLIENT_CERTIFICATE_PATH; AZURE_FEDERATED_TOKEN_FILE is set too and not used"
        )
    );
    for quiet in [
        vec![TENANT, CLIENT, SECRET],
        // GitHub sets these for whatever else the job may want.
        vec![TENANT, CLIENT, SECRET, GITHUB_URL, GITHUB_TOKEN],
        vec![TENANT, CLIENT, MACHINE],
    ] {
        assert_eq!(notice(&quiet), None, "{quiet:?}");
    }
    assert!(notice(&[TENANT, CLI]).unwrap().ends_with("than the app"));
}

#[test]
fn what_is_set_and_not_used_is_said_of_a_way_that_is_named_as_well() {
    let federated = ("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential");
    for (variables, used) in [
        (
            vec![TENANT, CLIENT, FEDERATED, SECRET, federated],
            "with AZURE_FEDERATED_TOKEN_FILE",
        ),
        (
            vec![TENANT, CLIENT, GITHUB_URL, GITHUB_TOKEN, SECRET, federated],
            "with a token of GitHub Actions",
        ),
        (
            vec![TENANT, CLIENT, SECRET, MACHINE],
            "with the identity of this machine",
        ),
        (vec![TENANT, SECRET, CLI], "Azure CLI"),
    ] {
        let notice = notice(&variables).unwrap();
        assert!(notice.contains(used), "{notice}");
        assert!(
            notice.ends_with("; AZURE_CLIENT_SECRET is set too and not used"),
            "{notice}"
        );
    }
}

#[test]
fn a_way_is_named_in_any_letter_case_and_only_its_own_variables_count() {
    let everything = |choice| {
        [
            TENANT,
            CLIENT,
            SECRET,
            CERTIFICATE,
            FEDERATED,
            GITHUB_URL,
            GITHUB_TOKEN,
        ]
        .into_iter()
        .chain([("AZURE_TOKEN_CREDENTIALS", choice)])
        .collect::<Vec<_>>()
    };
    for (choice, expected) in [
        ("environmentcredential", "secret"),
        (" WORKLOADIDENTITYCREDENTIAL ", "file"),
        ("managedidentitycredential", "imds"),
        ("azureCliCredential", "cli"),
    ] {
        assert_eq!(way(&read(&everything(choice)).login), expected, "{choice}");
    }
    let certificate = [
        TENANT,
        CLIENT,
        CERTIFICATE,
        ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"),
    ];
    assert_eq!(way(&read(&certificate).login), "certificate");

    let federated_only = [
        TENANT,
        CLIENT,
        FEDERATED,
        ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"),
    ];
    let message = refused(&federated_only);
    assert!(message.contains("AZURE_CLIENT_SECRET"), "{message}");
    assert!(!message.contains("AZURE_FEDERATED_TOKEN_FILE"), "{message}");
    let secret_only = [
        TENANT,
        CLIENT,
        SECRET,
        ("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential"),
    ];
    let message = refused(&secret_only);
    assert!(message.contains("AZURE_FEDERATED_TOKEN_FILE"), "{message}");
    assert!(!message.contains("AZURE_CLIENT_SECRET"), "{message}");
}

#[test]
fn a_choice_that_is_not_understood_is_refused_with_those_that_are() {
    for choice in ["prod", "dev", "VisualStudioCodeCredential"] {
        let message = refused(&[TENANT, CLIENT, SECRET, ("AZURE_TOKEN_CREDENTIALS", choice)]);
        for word in [
            choice,
            "EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential, AzureCliCredential",
        ] {
            assert!(message.contains(word), "{message}");
        }
    }
}

/// What a pipeline puts into a variable when the wrong one is named is as good as printed, so it is not.
#[test]
fn a_secret_in_the_wrong_variable_is_not_shown() {
    let secret = "Ab18Q~hunter2.hunter2-hunter2_hunter2abc";
    for (name, word) in [
        ("AZURE_TENANT_ID", "neither the id of a tenant"),
        ("AZURE_CLIENT_ID", "a GUID"),
        ("AZURE_TOKEN_CREDENTIALS", "this program understands"),
        ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "neither true nor"),
    ] {
        let mut variables = vec![(name, secret)];
        variables.extend([TENANT, CLIENT, CERTIFICATE]);
        let message = refused(&variables);
        assert!(message.contains(name), "{message}");
        assert!(message.contains(word), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let message = refused(&[("AZURE_CLIENT_ID", secret), TENANT, MACHINE]);
    assert!(message.contains("AZURE_CLIENT_ID must hold"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    // A word that is nobody's secret is shown.
    let message = refused(&[("AZURE_TENANT_ID", "common"), CLIENT, SECRET]);
    assert!(message.contains("nor a domain: `common`"), "{message}");
}

#[test]
fn the_content_of_a_file_in_place_of_its_path_is_refused_and_not_shown() {
    let long = "hunter2".repeat(150);
    for name in [CERTIFICATE.0, FEDERATED.0] {
        for content in [
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY----- hunter2 -----END PRIVATE KEY-----",
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0thunter2",
            "eyJhbGciOiJub25lIn0.hunter2.hunter2",
            "Bearer eyJhbGciOiJub25lIn0.hunter2.hunter2",
            "hunter2\nhunter2",
            &long,
        ] {
            let message = refused(&[TENANT, CLIENT, (name, content)]);
            assert!(message.contains(name), "{message}");
            assert!(message.contains("must hold its path"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        let path = (name, "/run/keyJar 1/app.pem");
        let login = read(&[TENANT, CLIENT, path]).login;
        assert_ne!(way(&login), "secret");
    }
}

#[test]
fn what_is_missing_never_turns_into_the_login_of_the_machine_or_of_a_person() {
    // The machine has an identity, and somebody forgot the secret.
    let message = refused(&[TENANT, CLIENT, ENDPOINT, HEADER]);
    for word in [
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential",
        "AZURE_TOKEN_CREDENTIALS=AzureCliCredential",
    ] {
        assert!(message.contains(word), "{message}");
    }
    assert!(!message.contains("id-token"), "{message}");
    for way in [MACHINE, CLI] {
        let message = refused(&[CLIENT, way]);
        assert!(message.contains("AZURE_TENANT_ID"), "{message}");
    }
}

#[test]
fn a_workflow_of_github_is_told_which_permission_it_lacks() {
    let in_workflow = ("GITHUB_ACTIONS", "true");
    let message = refused(&[TENANT, CLIENT, in_workflow]);
    assert!(
        message.contains("`permissions: id-token: write`"),
        "{message}"
    );
    // One of the two is as good as none.
    let message = refused(&[TENANT, CLIENT, in_workflow, GITHUB_URL]);
    assert!(
        message.contains("`permissions: id-token: write`"),
        "{message}"
    );
    let message = refused(&[
        TENANT,
        CLIENT,
        in_workflow,
        ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"),
    ]);
    assert!(!message.contains("id-token"), "{message}");
}

#[test]
fn the_bearer_token_of_a_workflow_is_never_sent_without_encryption() {
    let url = (
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "http://pipelines.example/idtoken?hunter2",
    );
    let message = refused(&[TENANT, CLIENT, url, GITHUB_TOKEN]);
    assert!(
        message.contains("ACTIONS_ID_TOKEN_REQUEST_URL must begin with https://"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_password_of_a_certificate_is_refused_with_what_to_do_and_not_ignored() {
    let password = ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "password-hunter2");
    let message = refused(&[TENANT, CLIENT, CERTIFICATE, password]);
    assert!(
        message.contains("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        "{message}"
    );
    assert!(message.contains("openssl pkcs12 -nodes"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    // Of a certificate that is not used it says nothing.
    assert_eq!(
        way(&read(&[TENANT, CLIENT, SECRET, password]).login),
        "secret"
    );
}

#[test]
fn the_chain_is_sent_where_that_is_asked_for() {
    let sends = |text| {
        let chain = ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", text);
        match read(&[TENANT, CLIENT, CERTIFICATE, chain]).login {
            EntraLogin::Certificate { sends_chain, .. } => sends_chain,
            other => panic!("{other:?}"),
        }
    };
    assert!(sends("1") && sends("TRUE"));
    assert!(!sends("") && !sends("0") && !sends("false"));
    let message = refused(&[
        TENANT,
        CLIENT,
        CERTIFICATE,
        ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "ja"),
    ]);
    assert!(
        message.contains("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN is neither"),
        "{message}"
    );
}

#[test]
fn a_managed_identity_is_asked_for_where_the_machine_says() {
    let imds = |variables: Variables<'_>| match read(variables).login {
        EntraLogin::ManagedIdentity {
            endpoint: IdentityEndpoint::Imds { url },
            ..
        } => url.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        imds(&[TENANT, MACHINE]),
        "http://169.254.169.254/metadata/identity/oauth2/token"
    );
    let elsewhere = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://10.0.0.7:80/");
    assert_eq!(
        imds(&[TENANT, MACHINE, elsewhere]),
        "http://10.0.0.7/metadata/identity/oauth2/token"
    );
    for near in [
        "http://169.254.129.2:8081/msi/token",
        "http://localhost:42356/msi/token",
        "http://[fd00::1]/msi/token",
    ] {
        let endpoint = ("IDENTITY_ENDPOINT", near);
        let login = read(&[TENANT, MACHINE, endpoint, HEADER]).login;
        assert_eq!(way(&login), "app service");
    }
    for (variables, word) in [
        // The header would go to somebody else, for everybody to read.
        (
            vec![
                TENANT,
                MACHINE,
                ("IDENTITY_ENDPOINT", "http://public.example/msi/token"),
                HEADER,
            ],
            "IDENTITY_ENDPOINT must be the http://",
        ),
        (
            vec![
                TENANT,
                MACHINE,
                ("IDENTITY_ENDPOINT", "http://20.0.0.1/msi/token"),
                HEADER,
            ],
            "IDENTITY_ENDPOINT must be the http://",
        ),
        (
            vec![TENANT, MACHINE, ENDPOINT],
            "IDENTITY_HEADER is missing",
        ),
        // That of Service Fabric, whose certificate would have to be checked in a way of its own.
        (
            vec![
                TENANT,
                MACHINE,
                ("IDENTITY_ENDPOINT", "https://10.0.0.4:2377/x"),
                HEADER,
            ],
            "IDENTITY_ENDPOINT must be the http://",
        ),
        (
            vec![
                TENANT,
                MACHINE,
                ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "nonsense"),
            ],
            "AZURE_POD_IDENTITY_AUTHORITY_HOST must be",
        ),
    ] {
        let message = refused(&variables);
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn no_way_prints_its_secret() {
    for variables in [
        vec![TENANT, CLIENT, SECRET],
        vec![TENANT, CLIENT, GITHUB_URL, GITHUB_TOKEN],
        vec![TENANT, MACHINE, ENDPOINT, HEADER],
    ] {
        let credentials = read(&variables);
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(shown.contains("acme.onmicrosoft.com"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
