//! The states of a user federation, as they were seen on real servers.

use std::time::Duration;

use serde_json::Value;

use super::tests::{Talk, world};
use super::*;

use ProviderKind::{Import, NoImport, ReadOnly};
use ProviderState as State;
use Version::{V21_1_2 as V21, V24_0_5 as V24, V26_0_8 as V26_0, V26_7_4 as V26};

const PROVIDER: &str = "4c0ffee0-0000-4000-8000-000000000001";

/// `/staff` with 25 people of a provider and one of the realm.
fn staff(version: Version, kind: ProviderKind, state: State) -> Talk {
    let mut world = world(version);
    let realm = world.realm_mut("acme").unwrap();
    realm.groups.push(Group::new("staff", "staff"));
    let mut provider = Provider::new(PROVIDER, "ldap", kind);
    provider.state = state;
    realm.providers.push(provider);
    realm.people.push(
        Person::new("p-local", "local", "Lo", "Cal")
            .with_email("local@acme.example")
            .in_group("staff"),
    );
    for number in 0..25 {
        let name = format!("u{number:02}");
        let id = if kind == NoImport {
            format!("f:{PROVIDER}:{name}")
        } else {
            format!("id-{name}")
        };
        realm.people.push(
            Person::new(&id, &name, "El", "Dap")
                .with_email(&format!("{name}@acme.example"))
                .in_group("staff")
                .from_provider(PROVIDER),
        );
    }
    Talk::with(world, "sync")
}

impl Talk {
    fn realm(&mut self) -> &mut Realm {
        self.keycloak.world_mut().realm_mut("acme").unwrap()
    }

    fn becomes(&mut self, state: State) {
        self.realm().provider_mut(PROVIDER).unwrap().state = state;
    }

    /// The members of `/staff`: `rows/disabled`, or the status.
    fn m(&mut self) -> String {
        let (status, body) =
            self.get("/admin/realms/acme/groups/staff/members?max=-1&briefRepresentation=true");
        match body {
            Value::Array(rows) if status == 200 => {
                let off = rows
                    .iter()
                    .filter(|row| row["enabled"] == json!(false))
                    .count();
                format!("{}/{off}", rows.len())
            }
            _ => status.to_string(),
        }
    }

    /// The groups of u00.
    fn ug(&mut self) -> String {
        let id = self.realm().person("u00").unwrap().id.replace(':', "%3A");
        let (status, body) = self.get(&format!("/admin/realms/acme/users/{id}/groups"));
        match body {
            Value::Array(groups) => groups
                .iter()
                .map(|group| group["path"].as_str().unwrap())
                .collect::<Vec<_>>()
                .join(" "),
            _ => status.to_string(),
        }
    }

    /// Whether u00 is enabled.
    fn u(&mut self) -> String {
        let id = self.realm().person("u00").unwrap().id.replace(':', "%3A");
        let (status, body) = self.get(&format!("/admin/realms/acme/users/{id}"));
        match body.get("enabled") {
            Some(enabled) => enabled.to_string(),
            None => status.to_string(),
        }
    }

    /// Whether u00 is enabled, by a search for the address; `none` if it finds nobody.
    fn e(&mut self) -> String {
        let (status, body) =
            self.get("/admin/realms/acme/users?email=u00%40acme.example&exact=true");
        match body.as_array().map(Vec::as_slice) {
            Some([]) => "none".to_owned(),
            Some([row]) => row["enabled"].to_string(),
            _ => status.to_string(),
        }
    }
}

/// State, kind, version, then M, UG, U and E for somebody whom the server has not cached.
#[test]
fn each_state_of_a_provider_looks_as_it_did() {
    let all = "26/0";
    let local = "1/0";
    let off = "26/25";
    let staffed = "/staff";
    let table = [
        (State::Healthy, ReadOnly, V26, all, staffed, "true", "true"),
        (State::Healthy, NoImport, V26, all, staffed, "true", "true"),
        (State::Healthy, Import, V26, all, staffed, "true", "true"),
        (State::Healthy, ReadOnly, V24, all, staffed, "true", "true"),
        (State::Healthy, NoImport, V21, all, staffed, "true", "true"),
        (State::Stopped, ReadOnly, V26, local, "", "false", "false"),
        (State::Stopped, NoImport, V26, local, "500", "500", "none"),
        (State::Stopped, Import, V26, off, staffed, "false", "false"),
        (State::Stopped, ReadOnly, V24, "400", "500", "500", "400"),
        (State::Stopped, NoImport, V24, "400", "500", "500", "400"),
        (State::Stopped, Import, V24, "400", "500", "500", "400"),
        (State::Stopped, ReadOnly, V21, "400", "500", "500", "400"),
        (State::Frozen, ReadOnly, V26, local, "", "false", "400"),
        (State::Frozen, NoImport, V26, local, "500", "500", "400"),
        (State::Frozen, Import, V26, off, staffed, "false", "400"),
        (State::Disabled, ReadOnly, V26, local, "", "false", "false"),
        (State::Disabled, NoImport, V26, local, "404", "404", "none"),
        (State::Disabled, Import, V26, off, staffed, "false", "false"),
        (State::Disabled, ReadOnly, V24, local, "", "false", "false"),
        (State::Disabled, Import, V21, off, staffed, "false", "false"),
        (State::Deleted, ReadOnly, V26, local, "404", "404", "none"),
        (State::Deleted, NoImport, V24, local, "404", "404", "none"),
        (State::Deleted, Import, V21, local, "404", "404", "none"),
        (
            State::WrongBindPassword,
            ReadOnly,
            V26,
            local,
            "",
            "false",
            "400",
        ),
        (
            State::WrongBindPassword,
            ReadOnly,
            V24,
            "400",
            "500",
            "500",
            "400",
        ),
        (
            State::UsersDnMissing,
            ReadOnly,
            V26,
            local,
            "",
            "false",
            "400",
        ),
        (
            State::UsersDnMissing,
            NoImport,
            V26,
            local,
            "500",
            "500",
            "400",
        ),
        (
            State::UsersDnMissing,
            ReadOnly,
            V24,
            local,
            "500",
            "500",
            "400",
        ),
        (
            State::UsersDnMissing,
            ReadOnly,
            V21,
            local,
            "500",
            "500",
            "400",
        ),
        (
            State::UsersDnWrong,
            ReadOnly,
            V26,
            local,
            "404",
            "404",
            "none",
        ),
        (
            State::UsersDnWrong,
            NoImport,
            V24,
            local,
            "404",
            "404",
            "none",
        ),
        (
            State::UsersDnWrong,
            Import,
            V26,
            local,
            "404",
            "404",
            "none",
        ),
        (
            State::GroupsDnWrong,
            ReadOnly,
            V26,
            local,
            "",
            "true",
            "true",
        ),
        (
            State::GroupsDnWrong,
            NoImport,
            V21,
            local,
            "",
            "true",
            "true",
        ),
        (
            State::GroupsDnWrong,
            Import,
            V26,
            all,
            staffed,
            "true",
            "true",
        ),
        (
            State::GroupsUnreadable,
            ReadOnly,
            V26,
            local,
            "",
            "true",
            "true",
        ),
        (
            State::GroupsUnreadable,
            NoImport,
            V24,
            local,
            "",
            "true",
            "true",
        ),
        (
            State::GroupsUnreadable,
            ReadOnly,
            V21,
            local,
            "",
            "true",
            "true",
        ),
        (
            State::SizeLimit(10),
            ReadOnly,
            V26,
            "11/0",
            staffed,
            "true",
            "true",
        ),
        (
            State::SizeLimit(10),
            NoImport,
            V24,
            "11/0",
            staffed,
            "true",
            "true",
        ),
        (
            State::SizeLimit(10),
            ReadOnly,
            V21,
            all,
            staffed,
            "true",
            "true",
        ),
    ];
    for (state, kind, version, members, groups, enabled, search) in table {
        let told = format!("{state:?} {kind:?} {version:?}");
        assert_eq!(staff(version, kind, state).m(), members, "M {told}");
        assert_eq!(staff(version, kind, state).ug(), groups, "UG {told}");
        assert_eq!(staff(version, kind, state).u(), enabled, "U {told}");
        assert_eq!(staff(version, kind, state).e(), search, "E {told}");
    }
}

/// State, kind, version, then UG, U and E for somebody whom the server had cached with all groups when the state began.
#[test]
fn each_state_of_a_provider_looks_to_a_warm_cache_as_it_did() {
    let staffed = "/staff";
    let table = [
        (State::Stopped, ReadOnly, V26, staffed, "true", "true"),
        (State::Stopped, NoImport, V26, staffed, "true", "none"),
        (State::Stopped, Import, V26, staffed, "true", "true"),
        (State::Stopped, ReadOnly, V24, staffed, "true", "400"),
        (State::Stopped, NoImport, V21, staffed, "true", "400"),
        (State::Stopped, Import, V21, staffed, "true", "400"),
        (State::Disabled, ReadOnly, V26, "", "false", "false"),
        (State::Disabled, NoImport, V24, "404", "404", "none"),
        (State::Disabled, Import, V21, staffed, "false", "false"),
        (State::WrongBindPassword, ReadOnly, V26, "", "false", "400"),
        (State::WrongBindPassword, NoImport, V26, "500", "500", "400"),
        (
            State::WrongBindPassword,
            Import,
            V26,
            staffed,
            "false",
            "400",
        ),
        (State::WrongBindPassword, ReadOnly, V24, "500", "500", "400"),
        (State::WrongBindPassword, NoImport, V21, "500", "500", "400"),
        (State::WrongBindPassword, Import, V21, "500", "500", "400"),
        (State::UsersDnMissing, ReadOnly, V26, "", "false", "400"),
        (State::UsersDnMissing, NoImport, V26, "500", "500", "400"),
        (State::UsersDnMissing, Import, V24, "500", "500", "400"),
        (State::UsersDnWrong, ReadOnly, V26, "404", "404", "none"),
        (State::UsersDnWrong, NoImport, V24, "404", "404", "none"),
        (State::UsersDnWrong, Import, V21, "404", "404", "none"),
        (State::GroupsDnWrong, ReadOnly, V26, "", "true", "true"),
        (State::GroupsDnWrong, NoImport, V21, "", "true", "true"),
        (State::GroupsDnWrong, Import, V24, staffed, "true", "true"),
    ];
    for (state, kind, version, groups, enabled, search) in table {
        let told = format!("{state:?} {kind:?} {version:?}");
        let warm = || {
            let mut talk = staff(version, kind, State::Healthy);
            assert_eq!(talk.ug(), staffed);
            talk.becomes(state);
            talk
        };
        assert_eq!(warm().ug(), groups, "UG {told}");
        assert_eq!(warm().u(), enabled, "U {told}");
        assert_eq!(warm().e(), search, "E {told}");
    }
}

#[test]
fn settings_that_change_empty_the_user_cache_both_ways() {
    let mut talk = staff(V26, ReadOnly, State::Healthy);
    talk.ug();
    talk.becomes(State::GroupsDnWrong);
    assert_eq!(talk.ug(), "");
    talk.becomes(State::Healthy);
    assert_eq!(talk.ug(), "/staff");

    // What happens to the LDAP server is none of them.
    talk.becomes(State::GroupsUnreadable);
    assert_eq!(talk.ug(), "/staff");
    talk.realm().clear_user_cache();
    assert_eq!(talk.ug(), "");
    talk.becomes(State::Healthy);
    assert_eq!(talk.ug(), "");
}

/// Version, kind, whether the rows are brief, and whether they name their provider in `federationLink` and in `origin`.
#[test]
fn rows_name_their_provider_as_their_version_does() {
    for (version, kind, brief, link, origin) in [
        (V26, ReadOnly, true, true, true),
        (V26, NoImport, true, true, true),
        (V26, NoImport, false, true, true),
        (V24, ReadOnly, true, true, false),
        (V24, ReadOnly, false, true, false),
        (V24, NoImport, true, false, false),
        (V24, NoImport, false, false, true),
        (V21, NoImport, false, false, true),
    ] {
        let mut talk = staff(version, kind, State::Healthy);
        let told = format!("{version:?} {kind:?} brief: {brief}");
        for list in [
            "groups/staff/members?max=-1",
            "users?email=u00%40acme.example&exact=true",
        ] {
            let (_, rows) = talk.get(&format!(
                "/admin/realms/acme/{list}&briefRepresentation={brief}"
            ));
            let rows = rows.as_array().unwrap();
            let names = |name| rows.last().unwrap().get(name).is_some();
            assert_eq!(
                (names("federationLink"), names("origin")),
                (link, origin),
                "{list} {told}"
            );
            let of_the_realm = rows.iter().filter(|row| row["username"] == json!("local"));
            assert!(
                of_the_realm
                    .into_iter()
                    .all(|row| row.get("federationLink").is_none()),
                "{told}"
            );
        }
    }
}

#[test]
fn people_of_the_realm_come_first_where_the_directory_has_the_memberships() {
    for (kind, at) in [(ReadOnly, 0), (NoImport, 0), (Import, 0), (Import, 25)] {
        let mut talk = staff(V26, kind, State::Healthy);
        if at == 25 {
            talk.realm().person_mut("local").unwrap().username = "zora".to_owned();
        }
        let (_, rows) = talk.get("/admin/realms/acme/groups/staff/members?max=-1");
        let name = if at == 25 { "zora" } else { "local" };
        assert_eq!(rows[at]["username"], json!(name), "{kind:?}");
    }
}

#[test]
fn what_was_computed_in_an_outage_outlives_it() {
    let mut talk = staff(V26, ReadOnly, State::Healthy);
    talk.u();
    talk.becomes(State::Stopped);
    assert_eq!(talk.ug(), "");
    talk.becomes(State::Healthy);
    assert_eq!(talk.m(), "26/0");
    assert_eq!(talk.ug(), "");
    talk.realm().clear_user_cache();
    assert_eq!(talk.ug(), "/staff");

    // It is kept with the person, and nobody comes into the cache by an outage.
    let mut talk = staff(V26, ReadOnly, State::Stopped);
    assert_eq!(talk.ug(), "");
    talk.becomes(State::Healthy);
    assert_eq!(talk.ug(), "/staff");

    let mut talk = staff(V24, ReadOnly, State::Stopped);
    assert_eq!(talk.ug(), "500");
    talk.becomes(State::Healthy);
    assert_eq!(talk.ug(), "/staff");
}

#[test]
fn the_cache_hides_an_outage_about_those_it_holds() {
    for version in [V26, V24, V21] {
        for kind in [ReadOnly, NoImport, Import] {
            let mut talk = staff(version, kind, State::Healthy);
            assert_eq!(talk.ug(), "/staff");
            talk.becomes(State::Stopped);
            assert_eq!(
                (talk.ug(), talk.u()),
                ("/staff".to_owned(), "true".to_owned())
            );
        }
    }
}

/// Version, kind, and UG of somebody who is cached without groups when the LDAP server stops.
#[test]
fn groups_that_are_not_cached_with_their_person_are_asked_for() {
    for (version, kind, groups) in [
        (V26, ReadOnly, ""),
        (V26, NoImport, "500"),
        (V26, Import, "/staff"),
        (V24, ReadOnly, "500"),
        (V24, Import, "500"),
        (V21, NoImport, "500"),
        (V21, Import, "500"),
    ] {
        let mut talk = staff(version, kind, State::Healthy);
        talk.u();
        talk.becomes(State::Stopped);
        assert_eq!(
            (talk.u(), talk.ug()),
            ("true".to_owned(), groups.to_owned()),
            "{version:?} {kind:?}"
        );
    }
}

/// Version, kind, whether the server has cached whom a search found, and then the same for a list of members.
#[test]
fn a_search_fills_the_cache_where_it_goes_through_it_and_a_list_never_does() {
    for (version, kind, searched) in [
        (V26, ReadOnly, "true"),
        (V26, Import, "true"),
        (V26, NoImport, "500"),
        (V24, ReadOnly, "500"),
        (V21, Import, "500"),
    ] {
        let told = format!("{version:?} {kind:?}");
        let mut talk = staff(version, kind, State::Healthy);
        assert_eq!(talk.e(), "true");
        talk.becomes(State::Stopped);
        assert_eq!(talk.u(), searched, "{told}");

        let uncached = staff(version, kind, State::Stopped).u();
        let mut talk = staff(version, kind, State::Healthy);
        assert_eq!(talk.m(), "26/0");
        talk.becomes(State::Stopped);
        assert_eq!(talk.u(), uncached, "{told}");
    }
}

#[test]
fn a_frozen_server_takes_its_time() {
    let members = "/admin/realms/acme/groups/staff/members?max=-1";
    let took = |version, kind| staff(version, kind, State::Frozen).get_timed(members).took;
    assert_eq!(took(V26, ReadOnly), Duration::from_secs(5));
    assert!(took(V26, Import) > Duration::from_secs(120));
    assert!(took(V24, ReadOnly) > Duration::from_secs(120));
    let healthy = staff(V24, ReadOnly, State::Healthy).get_timed(members).took;
    assert_eq!(healthy, Duration::ZERO);
}

#[test]
fn a_provider_made_again_gives_everybody_a_new_id() {
    let mut talk = staff(V26, ReadOnly, State::Deleted);
    let before = talk.realm().person("u00").unwrap().id.clone();
    talk.realm().make_provider_again(PROVIDER);
    assert_eq!(talk.m(), "26/0");
    assert_ne!(talk.realm().person("u00").unwrap().id, before);
    assert_eq!(
        talk.get(&format!("/admin/realms/acme/users/{before}")).0,
        404
    );
}

/// Kind, and whether the list of members brings the person back afterwards.
#[test]
fn whoever_is_asked_about_while_users_dn_is_wrong_loses_their_copy() {
    for (kind, members) in [(ReadOnly, "26/0"), (Import, "25/0")] {
        for version in [V26, V24, V21] {
            let mut talk = staff(version, kind, State::UsersDnWrong);
            let before = talk.realm().person("u00").unwrap().id.clone();
            assert_eq!(talk.u(), "404");
            talk.becomes(State::Healthy);
            assert_eq!(talk.u(), "404");
            assert_eq!(talk.m(), members, "{version:?} {kind:?}");
            assert_eq!(talk.e(), "true");
            assert_ne!(talk.realm().person("u00").unwrap().id, before);
        }
    }
}

#[test]
fn listing_members_while_users_dn_is_wrong_deletes_imported_people() {
    let mut talk = staff(V26, Import, State::UsersDnWrong);
    let before = talk.realm().person("u00").unwrap().id.clone();
    assert_eq!(talk.m(), "1/0");
    talk.becomes(State::Healthy);
    assert_eq!(talk.m(), "1/0", "the copies are gone");
    assert_eq!(talk.e(), "true");
    assert_ne!(
        talk.realm().person("u00").unwrap().id,
        before,
        "found again under a new id"
    );
    assert_eq!(talk.m(), "2/0");
}

#[test]
fn who_left_the_directory_is_gone_at_once_from_lists_and_later_from_the_cache() {
    for version in [V26, V24, V21] {
        for kind in [ReadOnly, NoImport, Import] {
            let told = format!("{version:?} {kind:?}");
            let deleted = || {
                let mut talk = staff(version, kind, State::Healthy);
                assert_eq!(talk.ug(), "/staff");
                talk.realm().person_mut("u00").unwrap().in_directory = false;
                talk
            };
            let mut talk = deleted();
            assert_eq!((talk.ug(), talk.u()), ("/staff".into(), "true".into()));
            assert_eq!(talk.m(), "25/0", "{told}");
            // A search finds the cached copy if it goes through the cache.
            let searched = if version == V26 && kind != NoImport {
                "true"
            } else {
                "none"
            };
            assert_eq!(deleted().e(), searched, "{told}");

            let mut talk = deleted();
            talk.realm().clear_user_cache();
            assert_eq!(
                (talk.ug(), talk.u(), talk.e()),
                ("404".into(), "404".into(), "none".into()),
                "{told}"
            );
        }
    }
}

/// Kind, and UG of somebody who is cached without groups when they are deleted in the directory: then, and when asked again.
#[test]
fn who_left_the_directory_and_is_cached_is_in_no_group_if_that_was_not() {
    for (kind, groups, again) in [
        (ReadOnly, "", "404"),
        (Import, "", "404"),
        (NoImport, "", ""),
    ] {
        for version in [V26, V24, V21] {
            let mut talk = staff(version, kind, State::Healthy);
            talk.u();
            talk.realm().person_mut("u00").unwrap().in_directory = false;
            assert_eq!(
                (talk.ug(), talk.ug()),
                (groups.to_owned(), again.to_owned()),
                "{version:?} {kind:?}"
            );
        }
    }
}

#[test]
fn who_left_the_ldap_group_is_gone_at_once_from_lists_and_later_from_the_cache() {
    let mut talk = staff(V26, ReadOnly, State::Healthy);
    assert_eq!(talk.ug(), "/staff");
    talk.realm().person_mut("u00").unwrap().groups.clear();
    assert_eq!(
        (talk.m(), talk.ug()),
        ("25/0".to_owned(), "/staff".to_owned())
    );
    talk.realm().clear_user_cache();
    assert_eq!(talk.ug(), "");
}

#[test]
fn a_long_answer_breaks_where_the_version_breaks_it() {
    let members = "/admin/realms/acme/groups/staff/members?max=-1&briefRepresentation=true";
    for (version, breaks) in [(V21, false), (V24, true), (V26_0, true), (V26, false)] {
        let mut talk = staff(version, ReadOnly, State::Stopped);
        for number in 0..600 {
            let name = format!("more{number:03}");
            let person = Person::new(&name, &name, "Mo", "Re").in_group("staff");
            talk.realm().people.push(person);
        }
        let answer = talk.get_timed(members).response;
        assert_eq!(answer.status.as_u16(), 200, "{version:?}");
        let rows = serde_json::from_slice::<Vec<Value>>(&answer.body);
        match rows {
            Ok(rows) => assert_eq!((rows.len(), breaks), (601, false), "{version:?}"),
            Err(_) => assert!(breaks, "{version:?}"),
        }
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(text.ends_with(r#"{"error":"unknown_error"}"#), breaks);
    }
}

#[test]
fn a_short_answer_of_21_holds_an_array_and_an_error() {
    let mut talk = staff(V21, ReadOnly, State::Stopped);
    let mut ask = |target: &str| {
        let answer = talk.get_timed(target).response;
        assert_eq!(answer.status.as_u16(), 400);
        String::from_utf8(answer.body).unwrap()
    };
    let members = ask("/admin/realms/acme/groups/staff/members?max=-1");
    assert!(
        members.starts_with("[{") && members.contains("]{\"error\""),
        "{members}"
    );
    let mut copied = staff(V21, Import, State::Stopped);
    copied.realm().person_mut("local").unwrap().username = "zora".to_owned();
    let nothing_yet = copied.get_timed("/admin/realms/acme/groups/staff/members?max=-1");
    assert_eq!(
        String::from_utf8(nothing_yet.response.body).unwrap(),
        r#"[]{"error":"unknown_error"}"#
    );
    let nobody = ask("/admin/realms/acme/users?email=u00%40acme.example&exact=true");
    assert_eq!(nobody, r#"[]{"error":"unknown_error"}"#);
}

#[test]
fn a_search_that_fails_says_of_current_versions_what_it_is_not() {
    for (version, description) in [(V26, json!("Cannot parse the JSON")), (V26_0, Value::Null)] {
        let mut talk = staff(version, ReadOnly, State::WrongBindPassword);
        let search = "/admin/realms/acme/users?email=u00%40acme.example&exact=true";
        let (status, body) = talk.get(search);
        assert_eq!((status, &body["error_description"]), (400, &description));
    }
}

#[test]
fn a_look_up_that_fails_says_as_much_as_its_version_does() {
    for (version, description) in [
        (V26, json!("For more on this error consult the server log.")),
        (
            V24,
            json!("For more on this error consult the server log at the debug level."),
        ),
        (V21, Value::Null),
    ] {
        for about in ["", "/groups"] {
            let mut talk = staff(version, NoImport, State::Stopped);
            let id = format!("f%3A{PROVIDER}%3Au00");
            let (status, body) = talk.get(&format!("/admin/realms/acme/users/{id}{about}"));
            assert_eq!(
                (status, &body["error"], &body["error_description"]),
                (500, &json!("unknown_error"), &description)
            );
        }
    }
}

#[test]
fn of_two_providers_the_dead_one_is_missing_or_breaks_the_list() {
    for (version, members) in [(V26, "27/0"), (V24, "400"), (V21, "400")] {
        let mut talk = staff(version, ReadOnly, State::Healthy);
        let realm = talk.realm();
        let mut dead = Provider::new("dead", "dead", ReadOnly);
        dead.state = State::Stopped;
        realm.providers.push(dead);
        for name in ["x1", "x2"] {
            let person = Person::new(name, name, "X", "X").in_group("staff");
            realm.people.push(person.from_provider("dead"));
        }
        realm
            .people
            .push(Person::new("p-2", "local2", "Lo", "Cal").in_group("staff"));
        assert_eq!(talk.m(), members, "{version:?}");
    }
}

#[test]
fn disabling_a_linked_person_in_keycloak_is_ignored_by_24_for_people_that_ldap_masters() {
    for (version, kind, members) in [
        (V26, ReadOnly, "26/1"),
        (V26, Import, "26/1"),
        (V24, ReadOnly, "26/0"),
        (V24, Import, "26/1"),
        (V21, ReadOnly, "26/1"),
    ] {
        let mut talk = staff(version, kind, State::Healthy);
        talk.realm().person_mut("u00").unwrap().enabled = false;
        assert_eq!(talk.m(), members, "{version:?} {kind:?}");
    }
}

#[test]
fn people_of_the_realm_are_known_through_every_outage_but_for_searches() {
    let mut talk = staff(V26, ReadOnly, State::Stopped);
    assert_eq!(talk.get("/admin/realms/acme/users/p-local").0, 200);
    assert_eq!(
        talk.get("/admin/realms/acme/users/p-local/groups").1[0]["path"],
        json!("/staff")
    );
    let search = "/admin/realms/acme/users?email=local%40acme.example&exact=true";
    assert_eq!(talk.get(search).1.as_array().unwrap().len(), 1);
    talk.becomes(State::WrongBindPassword);
    assert_eq!(talk.get(search).0, 400);
}
