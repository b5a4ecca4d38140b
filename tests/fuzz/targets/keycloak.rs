//! What Keycloak answers, whatever is in it: logins, realms, groups and their trees, members, look-ups, refusals. The program only ever
//! reads, and below the realm it was told; no id or name in an answer leads it out of there. What it takes for an answer is complete:
//! each person and group once, and of a look-up nobody but who was asked for. No message holds the password or the token.

#![no_main]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use keycloak_to_azure::config::{KeycloakConnection, KeycloakCredentials};
use keycloak_to_azure::keycloak::Keycloak;
use keycloak_to_azure::model::{Address, GroupPath, fold};
use keycloak_to_azure::removal::ProofRequest;
use keycloak_to_azure::snapshot::KeycloakGroup;
use keycloak_to_azure_fuzz::seeds;
use keycloak_to_azure_fuzz::service::{
    Answer, Asked, Script, Service, TIMING, assert_kept, holds_any,
};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use tokio::runtime::Runtime;

const PASSWORD: &str = "the-password-value";
const TOKEN: &str = "the-token-value";
const ADDRESS: &str = "ann@partner.example";

fuzz_target!(init: seeds::plant("keycloak", seeds::written("keycloak")), |bytes: &[u8]| {
    if !holds_any(bytes, &[PASSWORD, TOKEN]) {
        SETTING.with_borrow_mut(|setting| setting.get_or_insert_with(Setting::new).run(bytes));
    }
});

thread_local! {
    static SETTING: RefCell<Option<Setting>> = const { RefCell::new(None) };
}

struct Setting {
    runtime: Runtime,
    service: Service,
    /// A session that no input has touched, for the inputs that are not about logging in.
    session: Option<Keycloak>,
}

impl Setting {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let service = runtime.block_on(Service::start(respond));
        Self {
            runtime,
            service,
            session: None,
        }
    }

    fn run(&mut self, bytes: &[u8]) {
        let script = Script::parse(bytes, |what| match what {
            "realm" => Vec::new(),
            "token" => vec![("{secret}", PASSWORD)],
            _ => vec![("{token}", TOKEN)],
        });
        // A token that the input made up itself is none to keep.
        let secrets = if script.has("token") {
            [PASSWORD].as_slice()
        } else {
            &[PASSWORD, TOKEN]
        };
        let Self {
            runtime,
            service,
            session,
        } = self;
        if ["realm", "token", "logout"]
            .iter()
            .any(|what| script.has(what))
        {
            service.answer_with(script);
            runtime.block_on(async {
                match connect(service).await {
                    Ok(keycloak) => {
                        use_it(&keycloak, secrets).await;
                        keycloak.log_out().await;
                    }
                    Err(error) => assert_kept(&error, secrets),
                }
            });
        } else {
            let keycloak = session.take().unwrap_or_else(|| {
                service.answer_with(Script::default());
                let connected = runtime.block_on(connect(service));
                service.asked();
                connected.unwrap()
            });
            service.answer_with(script);
            runtime.block_on(use_it(&keycloak, secrets));
            *session = Some(keycloak);
        }
        for asked in service.asked() {
            check_request(&asked);
            if asked.method == "POST" {
                // What an input did to the session is not to be found by the next one.
                *session = None;
            }
        }
    }
}

async fn connect(service: &Service) -> anyhow::Result<Keycloak> {
    let connection = KeycloakConnection {
        url: service.url.clone(),
        realm: "acme".to_owned(),
        auth_realm: "acme".to_owned(),
        ca_file: None,
    };
    let credentials = KeycloakCredentials::Password {
        user: "sync".to_owned(),
        password: SecretString::from(PASSWORD),
    };
    Keycloak::connect(&connection, credentials, TIMING).await
}

async fn use_it(keycloak: &Keycloak, secrets: &[&str]) {
    if let Err(error) = read_everything(keycloak).await {
        assert_kept(&error, secrets);
    }
    match keycloak.permissions().await {
        Ok(permissions) => assert_eq!(permissions.len(), 2),
        Err(error) => assert_kept(&error, secrets),
    }
}

async fn read_everything(keycloak: &Keycloak) -> anyhow::Result<()> {
    let paths: BTreeMap<GroupPath, bool> = [("/teams/a b", true), ("/50% off;", false)]
        .into_iter()
        .map(|(path, with_subgroups)| Ok((path.parse()?, with_subgroups)))
        .collect::<anyhow::Result<_>>()?;
    let resolution = keycloak.resolve(&paths).await?;
    for path in resolution.groups.keys() {
        assert!(paths.contains_key(path));
    }
    assert_eq!(
        resolution.groups.len() + resolution.unresolved.len(),
        paths.len()
    );

    let snapshot = keycloak.read(&resolution).await?;
    assert!(snapshot.groups.keys().eq(resolution.groups.keys()));
    snapshot.groups.values().for_each(check_group);

    let address: Address = ADDRESS.parse()?;
    let request = ProofRequest {
        addresses: BTreeSet::from([address.clone()]),
        groups: resolution.groups.keys().cloned().collect(),
    };
    let proofs = keycloak.prove(&request, &resolution).await?;
    assert!(proofs.found.keys().eq([&address]));
    for found in proofs.found.values().flatten() {
        let email = found.person.email.as_deref().map(fold);
        assert_eq!(
            email.as_deref(),
            Some(ADDRESS),
            "somebody else was asked for"
        );
    }
    assert!(proofs.second_round.keys().eq(resolution.groups.keys()));
    proofs.second_round.values().for_each(check_group);
    Ok(())
}

/// Each group once in its tree, each person once in a group.
fn check_group(group: &KeycloakGroup) {
    let tree = group.tree(true);
    let ids: BTreeSet<_> = tree.iter().map(|group| &group.id).collect();
    assert_eq!(ids.len(), tree.len(), "a group stands twice in its tree");
    for group in tree {
        let people: BTreeSet<_> = group.members.iter().map(|person| &person.id).collect();
        assert_eq!(
            people.len(),
            group.members.len(),
            "a person is twice in {}",
            group.path
        );
    }
}

/// Reads of the realm, logins and logouts, and nothing else.
fn check_request(asked: &Asked) {
    let path = asked.path();
    let path = path.strip_prefix("/auth").unwrap_or(path);
    let is_plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
    };
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    assert!(
        segments.iter().all(|segment| is_plain(segment)),
        "{asked:?}"
    );
    let is_known = match (asked.method.as_str(), segments.as_slice()) {
        ("GET", ["admin", "realms", "acme", below @ ..]) => matches!(
            below,
            ["components" | "groups" | "users"]
                | ["groups", _]
                | ["groups", _, "children" | "members"]
                | ["users", _, "groups"]
                | ["group-by-path", "teams" | "50%25%20off%3B"]
                | ["group-by-path", "teams", "a%20b"]
                | ["attack-detection", "brute-force", "users", _]
        ),
        ("GET", segments) => segments == ["realms", "acme"],
        ("POST", ["realms", "acme", "protocol", "openid-connect", last]) => {
            matches!(*last, "token" | "logout")
        }
        _ => false,
    };
    assert!(is_known, "{asked:?}");
}

/// What a request asks for, by the word that inputs call it.
fn what_of(asked: &Asked) -> &'static str {
    let path = asked.path();
    let (_, below) = path.split_once("/realms/acme").unwrap_or_default();
    let has = |parameter: &str| asked.target.contains(parameter);
    match below.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        [] => "realm",
        ["protocol", _, "token"] => "token",
        ["protocol", ..] => "logout",
        ["group-by-path", ..] => "path",
        ["groups"] if has("search=") => "search",
        ["groups"] => "groups",
        ["groups", _] => "group",
        ["groups", _, "children"] => "children",
        ["groups", ..] => "members",
        ["users"] => "people",
        ["users", ..] => "memberships",
        ["components"] => "components",
        _ => "failures",
    }
}

fn respond(script: &mut Script, asked: &Asked) -> Answer {
    let what = what_of(asked);
    script
        .next(what)
        .unwrap_or_else(|| answer_in_order(what, asked))
}

/// What a Keycloak says with which nothing is wrong.
fn answer_in_order(what: &str, asked: &Asked) -> Answer {
    match what {
        "realm" => Answer::ok(r#"{"realm":"acme"}"#),
        "token" => Answer::ok(format!(
            r#"{{"access_token":"{TOKEN}","expires_in":300,"refresh_token":"again"}}"#
        )),
        "path" if asked.path().ends_with("off%3B") => {
            Answer::ok(r#"{"id":"g2","name":"50% off;","path":"/50% off;"}"#)
        }
        "path" => Answer::ok(r#"{"id":"g1","name":"a b","path":"/teams/a b"}"#),
        "members" => Answer::ok(
            r#"[{"id":"p1","username":"ann","enabled":true,"email":"ann@partner.example","firstName":"Ann"}]"#,
        ),
        "people" => Answer::ok(
            r#"[{"id":"p1","username":"ann","enabled":true,"email":"ann@partner.example"}]"#,
        ),
        "failures" => Answer::ok("{}"),
        _ => Answer::ok("[]"),
    }
}
