use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::*;

const SECRET: &str = "not-so-secret";

/// A realm with a sync client that has the role `view-users`.
pub(super) fn world(version: Version) -> KeycloakWorld {
    let mut realm = Realm::new("acme");
    realm.groups = vec![
        Group::new("g-1", "group1"),
        Group::new("g-2", "acme-group-1"),
        Group::new("g-3", "teams")
            .with(Group::new("g-4", "platform").with(Group::new("g-5", "core"))),
        Group::new("g-6", "semi;colon"),
        Group::new("g-7", "50% off"),
        Group::new("g-8", "with/slash"),
        Group::new("g-9", "O'Brien & Ünï[x]|y?#~_.+"),
    ];
    realm.clients = vec![
        Client::with_service_account("sync", SECRET),
        Client::with_service_account("powerless", SECRET),
        Client::with_service_account("querier", SECRET),
        Client::with_service_account("auditor", SECRET),
        Client {
            client_id: "public".to_owned(),
            ..Client::default()
        },
    ];
    let role = |id: &str, role: &str| {
        Person::service_account(&format!("s-{id}"), id).with_role("realm-management", role)
    };
    realm.people = vec![
        role("sync", "view-users"),
        Person::service_account("s-powerless", "powerless"),
        role("querier", "query-groups"),
        role("auditor", "view-users").with_role("realm-management", "view-realm"),
        Person::new("p-azure-sync", "azure-sync", "Azure", "Sync")
            .with_email("azure-sync@acme.example")
            .with_password("right")
            .with_role("realm-management", "view-users"),
        Person {
            first_name: None,
            last_name: None,
            ..Person::new("p-nameless", "nameless", "", "").with_password("right")
        },
        Person {
            enabled: false,
            ..Person::new("p-disabled", "disabled", "Di", "Sabled")
                .with_password("right")
                .with_email("Disabled@Acme.Example")
                .in_group("g-1")
        },
        Person::new("p-zoe", "zoe", "Zoe", "Zorn").in_group("g-1"),
        Person::service_account("s-ci", "ci").in_group("g-1"),
        Person::new("p-ann", "ann", "Ann", "Arbor")
            .with_email("Ann@Corp.Example")
            .in_group("g-1")
            .in_group("g-4"),
    ];
    let master = Realm {
        access_token_lifespan: 60,
        people: vec![
            Person::new("p-admin", "admin", "Ad", "Min")
                .with_email("admin@acme.example")
                .with_password("admin")
                .with_role("acme-realm", "view-users"),
        ],
        ..Realm::new("master")
    };
    KeycloakWorld {
        version,
        realms: vec![master, realm, Realm::new("other")],
        ..KeycloakWorld::default()
    }
}

#[test]
fn a_token_may_be_good_for_ever() {
    let mut world = world(Version::V26_7_4);
    for realm in &mut world.realms {
        (realm.access_token_lifespan, realm.session_idle) = (u64::MAX, u64::MAX);
    }
    let mut talk = Talk::with(world, "sync");
    talk.now = Duration::from_secs(1);
    let form = format!("grant_type=client_credentials&client_id=sync&client_secret={SECRET}");
    assert_eq!(talk.log_in(&form).0, 200);
}

/// A Keycloak, and somebody who talks to it.
pub(super) struct Talk {
    pub keycloak: Keycloak,
    pub now: Duration,
    token: String,
}

impl Talk {
    pub(super) fn with(world: KeycloakWorld, client: &str) -> Self {
        let mut talk = Self {
            keycloak: Keycloak::new(world),
            now: Duration::ZERO,
            token: String::new(),
        };
        let (status, body) = talk.log_in(&format!(
            "grant_type=client_credentials&client_id={client}&client_secret={SECRET}"
        ));
        assert_eq!(status, 200, "{body}");
        talk.token = body["access_token"].as_str().unwrap().to_owned();
        talk
    }

    fn send(&mut self, method: Method, target: &str, body: &str) -> TimedResponse {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        headers.insert("host", "127.0.0.1:18080".parse().unwrap());
        let bearer = format!("Bearer {}", self.token);
        headers.insert("authorization", bearer.parse().unwrap());
        let request = Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.as_bytes().to_vec(),
        };
        self.keycloak.answer(&request, self.now)
    }

    pub(super) fn get_timed(&mut self, target: &str) -> TimedResponse {
        self.send(Method::GET, target, "")
    }

    pub(super) fn get(&mut self, target: &str) -> (u16, Value) {
        read(&self.get_timed(target).response)
    }

    fn admin(&mut self, target: &str) -> (u16, Value) {
        self.get(&format!("/admin/realms/acme/{target}"))
    }

    fn log_in(&mut self, form: &str) -> (u16, Value) {
        self.log_in_to("acme", form)
    }

    fn log_in_to(&mut self, realm: &str, form: &str) -> (u16, Value) {
        self.token = String::new();
        let path = format!("/realms/{realm}/protocol/openid-connect/token");
        read(&self.send(Method::POST, &path, form).response)
    }

    fn log_out(&mut self, form: &str) -> u16 {
        let path = "/realms/acme/protocol/openid-connect/logout";
        self.send(Method::POST, path, form).response.status.as_u16()
    }
}

fn read(response: &Response) -> (u16, Value) {
    let body = serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&response.body).into_owned()));
    (response.status.as_u16(), body)
}

/// The table of versions in the documentation of what real servers answered: a target, and for each version the status and
/// what `error` holds (empty for none).
#[test]
fn every_version_answers_as_the_real_one_did() {
    const PATH_MISSING: &str = "Group path does not exist";
    const ODD: (u16, &str) = (400, "missingNormalization");
    let found = (200, "");
    let missing = (404, PATH_MISSING);
    let table: [(&str, [(u16, &str); 6]); 13] = [
        ("group-by-path/group1", [found; 6]),
        ("group-by-path/group1/", [found; 6]),
        ("group-by-path/acme-group-1", [found; 6]),
        (
            "group-by-path/acme%2Dgroup%2D1",
            [found, found, found, found, found, ODD],
        ),
        (
            "group-by-path//group1",
            [found, found, found, found, found, ODD],
        ),
        (
            "group-by-path/teams//platform",
            [missing, missing, found, found, found, ODD],
        ),
        (
            "group-by-path/semi;colon",
            [
                missing,
                missing,
                missing,
                missing,
                missing,
                (400, "invalidCharacter"),
            ],
        ),
        (
            "group-by-path/semi%3Bcolon",
            [found, found, missing, found, found, found],
        ),
        (
            "group-by-path/50%25%20off",
            [
                found,
                found,
                (404, "HTTP 404 Not Found"),
                found,
                found,
                found,
            ],
        ),
        ("group-by-path/with%2Fslash", [found; 6]),
        ("group-by-path/with/slash", [found; 6]),
        ("group-by-path/GROUP1", [missing; 6]),
        (
            "group-by-path/O%27Brien%20%26%20%C3%9Cn%C3%AF%5Bx%5D%7Cy%3F%23~_.%2B",
            [found; 6],
        ),
    ];
    for (target, answers) in table {
        for (version, (status, error)) in Version::ALL.into_iter().zip(answers) {
            let (got, body) = Talk::with(world(version), "sync").admin(target);
            let text = body["error"].as_str().unwrap_or_default();
            assert_eq!((got, text), (status, error), "{version:?} {target}");
        }
    }
}

#[test]
fn errors_carry_a_description_in_24_and_25_only() {
    for version in Version::ALL {
        let mut talk = Talk::with(world(version), "sync");
        for target in ["group-by-path/nobody", "groups/none", "users/none"] {
            let (status, body) = talk.admin(target);
            let described = matches!(version, Version::V24_0_5 | Version::V25_0_6);
            assert_eq!(status, 404, "{version:?} {target}");
            assert_eq!(
                body.get("error_description").is_some(),
                described,
                "{version:?}"
            );
        }
    }
}

#[test]
fn a_missing_role_is_told_apart_from_a_missing_group() {
    for version in Version::ALL {
        let mut talk = Talk::with(world(version), "powerless");
        let forbidden = if version <= Version::V24_0_5 {
            "unknown_error"
        } else {
            "HTTP 403 Forbidden"
        };
        for target in [
            "group-by-path/group1",
            "groups",
            "groups/g-1/members",
            "users",
            "components",
            "",
        ] {
            let (status, body) = talk.admin(target);
            assert_eq!(
                (status, &body["error"]),
                (403, &json!(forbidden)),
                "{target}"
            );
        }
        let (status, body) = talk.admin("group-by-path/nobody");
        assert_eq!(
            (status, &body["error"]),
            (404, &json!("Group path does not exist"))
        );
    }
}

#[test]
fn who_may_only_query_groups_sees_an_empty_realm_and_in_21_all_of_it() {
    for version in Version::ALL {
        let (status, body) = Talk::with(world(version), "querier").admin("groups");
        let count = if version == Version::V21_1_2 { 7 } else { 0 };
        assert_eq!(
            (status, body.as_array().unwrap().len()),
            (200, count),
            "{version:?}"
        );
    }
}

#[test]
fn components_and_the_whole_realm_need_view_realm() {
    let mut world = world(Version::V26_7_4);
    let realm = world.realm_mut("acme").unwrap();
    realm.providers = vec![
        Provider::new("ldap-1", "ldap", ProviderKind::NoImport),
        Provider {
            state: ProviderState::Disabled,
            ..Provider::new("ldap-2", "old", ProviderKind::ReadOnly)
        },
        Provider {
            state: ProviderState::Deleted,
            ..Provider::new("ldap-3", "gone", ProviderKind::ReadOnly)
        },
    ];
    let target = "components?type=org.keycloak.storage.UserStorageProvider";
    assert_eq!(Talk::with(world.clone(), "sync").admin(target).0, 403);
    let mut talk = Talk::with(world, "auditor");
    let (status, list) = talk.admin(target);
    assert_eq!(status, 200);
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["config"]["enabled"], json!(["true"]));
    assert_eq!(list[0]["config"]["importEnabled"], json!(["false"]));
    assert_eq!(list[1]["config"]["enabled"], json!(["false"]));
    assert_eq!(
        talk.admin("components?type=org.keycloak.keys.KeyProvider")
            .1,
        json!([])
    );
    assert!(talk.admin("").1.get("duplicateEmailsAllowed").is_some());
}

#[test]
fn realm_info_is_reduced_without_view_realm() {
    let (status, info) = Talk::with(world(Version::V26_7_4), "sync").admin("");
    assert_eq!((status, info.get("enabled")), (200, None));
}

#[test]
fn groups_come_with_their_tree_before_23_and_with_a_count_and_children_since() {
    for version in Version::ALL {
        let mut talk = Talk::with(world(version), "sync");
        let old = version <= Version::V22_0_5;
        let (_, teams) = talk.admin("group-by-path/teams");
        assert_eq!(
            teams["subGroups"].as_array().unwrap().len(),
            usize::from(old)
        );
        let counted = version >= Version::V26_0_8;
        assert_eq!(teams.get("subGroupCount").is_some(), counted, "{version:?}");
        if old {
            let core = &teams["subGroups"][0]["subGroups"][0];
            assert_eq!(core["path"], json!("/teams/platform/core"));
            assert_eq!(core.get("parentId"), None);
        }
        let (status, children) = talk.admin("groups/g-3/children");
        if old {
            assert_eq!(status, 405);
        } else {
            assert_eq!(children[0]["parentId"], json!("g-3"));
            assert_eq!(children[0]["subGroupCount"], json!(1));
        }
    }
}

#[test]
fn children_come_in_tens() {
    let mut world = world(Version::V26_7_4);
    let teams = world
        .realm_mut("acme")
        .unwrap()
        .group_mut("/teams")
        .unwrap();
    for number in 0..30 {
        teams
            .subgroups
            .push(Group::new(&format!("t-{number}"), &format!("t{number}")));
    }
    let mut talk = Talk::with(world, "sync");
    assert_eq!(
        talk.admin("groups/g-3/children")
            .1
            .as_array()
            .unwrap()
            .len(),
        10
    );
    let (_, all) = talk.admin("groups/g-3/children?first=0&max=1000");
    assert_eq!(all.as_array().unwrap().len(), 31);
}

#[test]
fn a_search_brings_the_root_with_the_matching_branch() {
    for version in Version::ALL {
        let mut talk = Talk::with(world(version), "sync");
        let (_, roots) = talk.admin("groups?search=platform&exact=true&briefRepresentation=true");
        assert_eq!(roots.as_array().unwrap().len(), 1, "{version:?}");
        assert_eq!(roots[0]["path"], json!("/teams"));
        assert_eq!(roots[0]["subGroups"][0]["path"], json!("/teams/platform"));
        assert_eq!(roots[0]["subGroups"][0]["subGroups"], json!([]));
        assert_eq!(talk.admin("groups?search=platfor&exact=true").1, json!([]));
    }
}

#[test]
fn a_name_with_a_slash_is_shadowed_by_a_sibling_that_is_its_first_part() {
    let mut world = world(Version::V26_7_4);
    let realm = world.realm_mut("acme").unwrap();
    realm.groups.push(Group::new("g-10", "with"));
    let mut talk = Talk::with(world, "sync");
    assert_eq!(talk.admin("group-by-path/with/slash").0, 404);
}

#[test]
fn a_database_that_ignores_case_answers_with_the_other_spelling() {
    let world = KeycloakWorld {
        ignores_case: true,
        ..world(Version::V26_7_4)
    };
    let (status, group) = Talk::with(world, "sync").admin("group-by-path/GROUP1");
    assert_eq!((status, &group["path"]), (200, &json!("/group1")));
}

#[test]
fn members_are_ordered_and_hold_disabled_people_and_service_accounts() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    let (_, rows) = talk.admin("groups/g-1/members?max=-1&briefRepresentation=true");
    let names: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["username"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ann", "disabled", "service-account-ci", "zoe"]);
    assert_eq!(
        rows[0]["email"],
        json!("ann@corp.example"),
        "stored in lower case"
    );
    assert_eq!(rows[1]["enabled"], json!(false));
    assert_eq!(rows[3].get("email"), None, "what is not set is absent");
    assert_eq!(rows[2].get("serviceAccountClientId"), None);
}

#[test]
fn members_come_in_hundreds_unless_all_are_asked_for() {
    let mut world = world(Version::V26_7_4);
    let realm = world.realm_mut("acme").unwrap();
    for number in 0..250 {
        let name = format!("person{number:03}");
        realm
            .people
            .push(Person::new(&name, &name, "Per", "Son").in_group("g-4"));
    }
    let mut talk = Talk::with(world, "sync");
    let mut count = |query: &str| {
        let (_, rows) = talk.admin(&format!("groups/g-4/members{query}"));
        rows.as_array().unwrap().len()
    };
    assert_eq!(count(""), 100);
    assert_eq!(count("?max=0"), 0);
    assert_eq!(count("?max=-1"), 251);
    assert_eq!(count("?first=200&max=100"), 51);
}

#[test]
fn a_list_can_leave_people_out_and_show_others_twice() {
    let mut world = world(Version::V26_7_4);
    let group = world
        .realm_mut("acme")
        .unwrap()
        .group_mut("/group1")
        .unwrap();
    group.left_out.insert("p-ann".to_owned());
    group.listed_twice.insert("p-zoe".to_owned());
    let mut talk = Talk::with(world, "sync");
    let (_, rows) = talk.admin("groups/g-1/members?max=-1");
    let ids: Vec<&Value> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["id"])
        .collect();
    assert_eq!(ids, ["p-disabled", "s-ci", "p-zoe", "p-zoe"]);
    let (_, groups) = talk.admin("users/p-ann/groups");
    assert_eq!(
        groups[0]["path"],
        json!("/group1"),
        "asked about her, it says that she is in"
    );
    assert_eq!(groups[1]["path"], json!("/teams/platform"));
}

#[test]
fn people_are_found_by_address_whatever_the_letter_case() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    let (_, rows) = talk.admin("users?email=ANN%40corp.example&exact=true");
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["id"], json!("p-ann"));
    assert_eq!(
        talk.admin("users?email=nn%40corp.example&exact=true").1,
        json!([])
    );
    assert_eq!(
        talk.admin("users?email=nn%40corp.example")
            .1
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// The form, and in each version the status, `error` and `error_description`.
#[test]
fn the_token_endpoint_refuses_as_the_real_one_did() {
    let client = "Invalid client or Invalid client credentials";
    let table = [
        (
            "grant_type=password&client_id=admin-cli&username=azure-sync&password=wrong",
            0,
            "invalid_grant",
            "Invalid user credentials",
        ),
        (
            "grant_type=password&client_id=admin-cli&username=nobody&password=right",
            0,
            "invalid_grant",
            "Invalid user credentials",
        ),
        (
            "grant_type=password&client_id=admin-cli&username=disabled&password=right",
            400,
            "invalid_grant",
            "Account disabled",
        ),
        (
            "grant_type=password&client_id=nobody&username=azure-sync&password=right",
            401,
            "invalid_client",
            client,
        ),
        (
            "grant_type=password&client_id=sync&client_secret=not-so-secret&username=azure-sync&password=right",
            400,
            "unauthorized_client",
            "Client not allowed for direct access grants",
        ),
        (
            "grant_type=client_credentials&client_id=sync&client_secret=wrong",
            401,
            "unauthorized_client",
            client,
        ),
        (
            "grant_type=client_credentials&client_id=sync",
            401,
            "unauthorized_client",
            client,
        ),
        (
            "grant_type=client_credentials&client_id=public",
            401,
            "unauthorized_client",
            "Public client not allowed to retrieve service account",
        ),
        (
            "grant_type=magic&client_id=admin-cli",
            400,
            "unsupported_grant_type",
            "Unsupported grant_type",
        ),
        (
            "client_id=admin-cli",
            400,
            "invalid_request",
            "Missing form parameter: grant_type",
        ),
        (
            "grant_type=refresh_token&client_id=admin-cli&refresh_token=nonsense",
            400,
            "invalid_grant",
            "Invalid refresh token",
        ),
    ];
    for version in Version::ALL {
        let mut talk = Talk::with(world(version), "sync");
        for (form, status, error, description) in table {
            let wrong_password = if version == Version::V26_7_4 {
                400
            } else {
                401
            };
            let status = if status == 0 { wrong_password } else { status };
            let (got, body) = talk.log_in(form);
            assert_eq!(got, status, "{version:?} {form}");
            assert_eq!(body["error"], json!(error), "{form}");
            assert_eq!(body["error_description"], json!(description), "{form}");
        }
        let (status, body) =
            talk.log_in("grant_type=password&client_id=admin-cli&username=nameless&password=right");
        if version <= Version::V22_0_5 {
            assert_eq!(status, 200, "{version:?}");
        } else {
            assert_eq!(
                body["error_description"],
                json!("Account is not fully set up")
            );
        }
        let (status, body) = talk.log_in_to("nowhere", "grant_type=password&client_id=admin-cli");
        assert_eq!(
            (status, &body["error"]),
            (404, &json!("Realm does not exist"))
        );
    }
}

#[test]
fn one_time_codes_locks_and_realm_settings_stop_a_login() {
    let form = "grant_type=password&client_id=admin-cli&username=azure-sync&password=right";
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    assert_eq!(talk.log_in(form).0, 200);
    let change = |talk: &mut Talk, change: fn(&mut Realm)| {
        change(talk.keycloak.world_mut().realm_mut("acme").unwrap());
    };
    change(&mut talk, |realm| {
        realm.person_mut("azure-sync").unwrap().otp = Some("123456".to_owned());
    });
    assert_eq!(talk.log_in(form).0, 400);
    assert_eq!(talk.log_in(&format!("{form}&totp=123456")).0, 200);
    change(&mut talk, |realm| {
        realm.person_mut("azure-sync").unwrap().locked = true;
    });
    assert_eq!(
        talk.log_in(&format!("{form}&totp=123456")).1["error_description"],
        json!("Invalid user credentials")
    );
    change(&mut talk, |realm| realm.requires_https = true);
    assert_eq!(
        talk.log_in(form).1["error_description"],
        json!("HTTPS required")
    );
    change(&mut talk, |realm| {
        (realm.requires_https, realm.enabled) = (false, false);
    });
    assert_eq!(
        talk.log_in(form).1["error_description"],
        json!("Realm not enabled")
    );
}

#[test]
fn a_token_counts_for_its_time_and_its_realm() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    assert_eq!(talk.admin("groups/g-1").0, 200);
    assert_eq!(talk.get("/admin/realms/other/groups").0, 403);
    talk.now = Duration::from_secs(300);
    let (status, body) = talk.admin("groups/g-1");
    assert_eq!(
        (status, &body["error"]),
        (401, &json!("HTTP 401 Unauthorized"))
    );
}

#[test]
fn a_token_of_master_counts_where_it_has_roles() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    let form = "grant_type=password&client_id=admin-cli&username=admin&password=admin";
    let (_, body) = talk.log_in_to("master", form);
    assert_eq!(body["expires_in"], json!(60));
    talk.token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(talk.admin("groups/g-1/members").0, 200);
    assert_eq!(talk.get("/admin/realms/other/groups").0, 403);
    assert_eq!(
        talk.get("/admin/realms/nowhere/groups").1["error"],
        json!("Realm not found.")
    );
}

#[test]
fn a_session_is_renewed_until_it_ends_and_ends_with_its_logout() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    let form = "grant_type=password&client_id=admin-cli&username=azure-sync&password=right";
    let (_, first) = talk.log_in(form);
    let renew = |body: &Value| {
        let token = body["refresh_token"].as_str().unwrap();
        format!("grant_type=refresh_token&client_id=admin-cli&refresh_token={token}")
    };
    talk.now = Duration::from_secs(400);
    let (status, second) = talk.log_in(&renew(&first));
    assert_eq!(status, 200);
    talk.token = second["access_token"].as_str().unwrap().to_owned();
    assert_eq!(talk.admin("groups/g-1").0, 200);
    let access_token = talk.token.clone();
    let refresh_token = second["refresh_token"].as_str().unwrap();
    assert_eq!(
        talk.log_out(&format!(
            "client_id=admin-cli&refresh_token={refresh_token}"
        )),
        204
    );
    talk.token = access_token;
    assert_eq!(talk.admin("groups/g-1").0, 401);
    assert_eq!(
        talk.log_in(&renew(&second)).1["error_description"],
        json!("Session not active")
    );

    let (_, third) = talk.log_in(form);
    talk.now += Duration::from_secs(1801);
    assert_eq!(
        talk.log_in(&renew(&third)).1["error_description"],
        json!("Token is not active")
    );
}

#[test]
fn roles_stand_in_the_token_unless_it_came_through_admin_cli() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    let realm = talk.keycloak.world_mut().realm_mut("acme").unwrap();
    for person in &mut realm.people {
        person.client_roles.clear();
    }
    assert_eq!(talk.admin("groups/g-1").0, 200);
    let form = "grant_type=password&client_id=admin-cli&username=azure-sync&password=right";
    talk.token = talk.log_in(form).1["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(talk.admin("groups/g-1").0, 403);
    let realm = talk.keycloak.world_mut().realm_mut("acme").unwrap();
    let person = realm.person_mut("azure-sync").unwrap();
    *person = person.clone().with_role("realm-management", "view-users");
    assert_eq!(talk.admin("groups/g-1").0, 200);
}

#[test]
fn a_client_without_full_scope_gets_nowhere() {
    let mut world = world(Version::V26_7_4);
    world.realm_mut("acme").unwrap().clients[0].full_scope_allowed = false;
    assert_eq!(Talk::with(world, "sync").admin("groups/g-1").0, 403);
}

#[test]
fn the_prefix_decides_what_is_found() {
    for version in Version::ALL {
        let mut talk = Talk::with(world(version), "sync");
        assert_eq!(talk.get("/realms/acme").1["realm"], json!("acme"));
        let (status, body) = talk.get("/realms/nowhere");
        assert_eq!(
            (status, &body["error"]),
            (404, &json!("Realm does not exist"))
        );
        let (status, body) = talk.get("/auth/realms/acme");
        let error = body["error"].as_str().unwrap();
        let expected = if version <= Version::V22_0_5 {
            "RESTEASY003210: Could not find resource for full path: http://127.0.0.1:18080/auth/realms/acme"
        } else {
            "Unable to find matching target resource method"
        };
        assert_eq!((status, error), (404, expected));

        talk.keycloak.world_mut().relative_path = "/auth".to_owned();
        assert_eq!(talk.get("/auth/realms/acme").0, 200);
        let (status, body) = talk.get("/realms/acme");
        assert_eq!(status, 404);
        assert!(body.as_str().unwrap().contains("Resource not found"));
    }
}

#[test]
fn a_proxy_can_hide_the_admin_api_or_insist_on_https() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    talk.keycloak.world_mut().proxy = Proxy::HidesAdmin;
    assert_eq!(talk.get("/realms/acme").0, 200);
    let (status, body) = talk.admin("groups/g-1");
    assert_eq!(status, 404);
    assert!(body.as_str().unwrap().starts_with("<html>"));
    talk.keycloak.world_mut().proxy = Proxy::RedirectsToHttps;
    let answer = talk.get_timed("/realms/acme").response;
    assert_eq!(answer.status.as_u16(), 301);
    assert_eq!(
        answer.headers["location"],
        "https://127.0.0.1:18080/realms/acme"
    );
}

#[test]
fn single_endpoints_can_be_forbidden() {
    let mut talk = Talk::with(world(Version::V26_7_4), "sync");
    talk.keycloak.world_mut().forbidden_paths = vec!["/members".to_owned()];
    assert_eq!(talk.admin("groups/g-1").0, 200);
    assert_eq!(talk.admin("groups/g-1/members").0, 403);
}

#[test]
fn a_browser_gets_its_errors_as_pages() {
    let mut keycloak = Keycloak::new(world(Version::V26_7_4));
    let mut headers = HeaderMap::new();
    headers.insert("accept", "text/html,*/*".parse().unwrap());
    let request = Request {
        method: Method::GET,
        path: "/realms/nowhere".to_owned(),
        query: String::new(),
        headers,
        body: Vec::new(),
    };
    let answer = keycloak.answer(&request, Duration::ZERO).response;
    assert_eq!(answer.status.as_u16(), 404);
    assert!(answer.body.starts_with(b"<html>"));
}

#[test]
fn nothing_can_be_written() {
    let mut talk = Talk::with(world(Version::V26_7_4), "auditor");
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = talk
            .send(method, "/admin/realms/acme/users/p-ann", "{}")
            .response;
        assert_eq!(answer.status.as_u16(), 405);
    }
    assert_eq!(talk.admin("users/p-ann").0, 200);
}

#[test]
fn a_world_is_the_same_after_being_written_and_read() {
    let mut world = world(Version::V24_0_5);
    let realm = world.realm_mut("acme").unwrap();
    realm.providers = vec![Provider {
        state: ProviderState::SizeLimit(10),
        ..Provider::new("ldap", "ldap", ProviderKind::Import)
    }];
    let text = serde_json::to_string(&world).unwrap();
    assert_eq!(serde_json::from_str::<KeycloakWorld>(&text).unwrap(), world);
}
