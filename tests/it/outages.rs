//! Attacks through a user federation: whatever its provider does, and whenever, nobody who is still there loses anything.

use std::time::Duration;

use keycloak_to_azure::http::Timing;
use keycloak_to_azure::plan::{ProblemCode, RemovalReason};
use keycloak_to_azure::sandbox::keycloak::{ProviderKind, ProviderState, Version};
use keycloak_to_azure::sandbox::{Service, When, WorldMut};

use crate::house::{Cached, House, LDAP, removals};
use crate::program::{Stage, quick};

use ProviderKind::{Import, NoImport, ReadOnly};
use ProviderState as State;

const KINDS: [ProviderKind; 3] = [ReadOnly, NoImport, Import];

/// Of frozen servers, a provider of a [`House`] has no patience at all; older versions of Keycloak never answer.
const TROUBLES: [ProviderState; 10] = [
    State::Stopped,
    State::Frozen,
    State::Disabled,
    State::WrongBindPassword,
    State::UsersDnMissing,
    State::UsersDnWrong,
    State::GroupsDnWrong,
    State::GroupsUnreadable,
    State::SizeLimit(0),
    State::SizeLimit(2),
];

/// Who is in `/staff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Staff {
    LdapOnly,
    Mixed,
    LocalOnly,
    /// As well in `/crew`, which leads to the same Azure group.
    InTwoGroups,
}

const STAFFS: [Staff; 4] = [
    Staff::LdapOnly,
    Staff::Mixed,
    Staff::LocalOnly,
    Staff::InTwoGroups,
];

/// `/staff` → `acme-staff`, and `/all` → `acme-all` with more people of the provider. Both sides agree on everybody.
fn house(version: Version, kind: ProviderKind, staff: Staff) -> House {
    let mut house = House::new(version, kind);
    house.map("staff", "acme-staff");
    house.map("all", "acme-all");
    if staff != Staff::LocalOnly {
        for name in ["lea", "leo", "lia", "liz"] {
            house.both(name, true, &["staff"], &["acme-staff"]);
        }
    }
    if staff != Staff::LdapOnly {
        for name in ["moe", "max"] {
            house.both(name, false, &["staff"], &["acme-staff"]);
        }
    }
    if staff == Staff::InTwoGroups {
        house.map("crew", "acme-staff");
        for name in ["cat", "cem", "cia"] {
            house.both(name, true, &["crew"], &["acme-staff"]);
        }
    }
    house.both("ada", true, &["all"], &["acme-all"]);
    house.both("abe", true, &["all"], &["acme-all"]);
    house.both("art", false, &["all"], &["acme-all"]);
    house
}

/// Whether Keycloak would not answer within the time that a test has.
fn never_answers(version: Version, state: ProviderState) -> bool {
    state == State::Frozen && version != Version::V26_7_4
}

fn set(world: &mut WorldMut<'_>, state: ProviderState) {
    let realm = world.keycloak.realm_mut("acme").unwrap();
    realm.provider_mut(LDAP).unwrap().state = state;
}

async fn plan(stage: &Stage) -> u8 {
    let _ = std::fs::remove_file(stage.path("plan.json"));
    stage.run("plan --out @plan.json").await.status
}

/// The requests to Keycloak that a plan takes when all is well.
async fn requests_of(house: House) -> usize {
    let stage = house.stage().await;
    assert_eq!(plan(&stage).await, 0);
    let requests = stage.sandbox.requests();
    requests
        .iter()
        .filter(|request| request.service == Service::Keycloak)
        .count()
}

/// A size limit shows some people, who vouch for the provider. What catches it is that Keycloak, asked about one of the others,
/// still names the group; where that was computed in an earlier outage, nothing is left but the limits.
fn is_beyond_proof(state: ProviderState, cache: Cached) -> bool {
    matches!(state, State::SizeLimit(1..)) && cache == Cached::Poisoned
}

/// How many cases were tried, and how many were not for which reason.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    tried: usize,
    never_answers: usize,
    beyond_proof: usize,
    for_the_limits: usize,
}

async fn trouble_all_the_time(kind: ProviderKind) {
    let (mut wrong, mut tally) = (Vec::new(), Tally::default());
    for version in [Version::V21_1_2, Version::V24_0_5, Version::V26_7_4] {
        for state in TROUBLES {
            for staff in STAFFS {
                for cache in Cached::ALL {
                    if never_answers(version, state) {
                        tally.never_answers += 1;
                        continue;
                    }
                    if is_beyond_proof(state, cache) {
                        tally.beyond_proof += 1;
                        continue;
                    }
                    tally.tried += 1;
                    let mut house = house(version, kind, staff);
                    house.cache(cache);
                    house.state(state);
                    let stage = house.stage().await;
                    plan(&stage).await;
                    let gone = removals(&stage);
                    if !gone.is_empty() {
                        wrong.push(format!(
                            "{version:?} {kind:?} {state:?} {staff:?} {cache:?}: {gone:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    let expected = Tally {
        // Two versions, four kinds of staff, four caches.
        never_answers: 32,
        // Three versions, four kinds of staff.
        beyond_proof: 12,
        tried: 436,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
}

#[tokio::test]
async fn nobody_goes_while_a_provider_with_copies_of_people_is_in_trouble() {
    trouble_all_the_time(ReadOnly).await;
}

#[tokio::test]
async fn nobody_goes_while_a_provider_without_copies_is_in_trouble() {
    trouble_all_the_time(NoImport).await;
}

#[tokio::test]
async fn nobody_goes_while_a_provider_with_copies_of_groups_is_in_trouble() {
    trouble_all_the_time(Import).await;
}

/// What is beyond proof is for the limits: people hidden by a size limit while Keycloak remembers an earlier outage vanish together.
#[tokio::test]
async fn what_cannot_be_told_from_leaving_trips_the_limits_when_it_is_many() {
    for kind in KINDS {
        let mut house = House::new(Version::V26_7_4, kind);
        house.settings = String::new();
        house.map("staff", "acme-staff");
        for number in 0..50 {
            house.both(&format!("p{number:02}"), true, &["staff"], &["acme-staff"]);
        }
        house.cache(Cached::Poisoned);
        house.state(State::SizeLimit(10));
        let stage = house.stage().await;
        let ended = stage.run("plan --out @plan.json").await;
        if kind == Import {
            // Memberships that are copied do not hang on the answer of the directory.
            assert_eq!(ended.status, 0, "{}", ended.out);
            continue;
        }
        assert_eq!(ended.status, 3, "{kind:?} {}", ended.out);
        assert!(
            ended
                .out
                .contains("acme-staff would lose 40 of 50 members; at most 10"),
            "{}",
            ended.out
        );
        assert!(ended.out.contains("--max-removals 40"), "{}", ended.out);
        assert!(
            ended
                .out
                .contains("is a user federation (LDAP) of the realm disabled or out of order"),
            "{}",
            ended.out
        );
        assert_eq!(stage.run("apply @plan.json").await.status, 3);
        assert_eq!(stage.writes(), Vec::<String>::new());
    }
}

/// As [`house`] with fewer people, so that every moment of a plan can be tried.
fn small_house(version: Version, kind: ProviderKind, staff: Staff) -> House {
    let mut house = House::new(version, kind);
    house.map("staff", "acme-staff");
    if staff != Staff::LocalOnly {
        house.both("lea", true, &["staff"], &["acme-staff"]);
        house.both("leo", true, &["staff"], &["acme-staff"]);
    }
    if staff != Staff::LdapOnly {
        house.both("moe", false, &["staff"], &["acme-staff"]);
    }
    if staff == Staff::InTwoGroups {
        // Read before `staff` and after it.
        house.map("crew", "acme-staff");
        house.both("cat", true, &["crew"], &["acme-staff"]);
        house.map("tail", "acme-staff");
        house.both("tom", true, &["tail"], &["acme-staff"]);
    } else {
        house.map("all", "acme-all");
        house.both("ada", true, &["all"], &["acme-all"]);
    }
    house
}

/// Lets a provider be in trouble from one request to Keycloak to before another.
fn script(stage: &Stage, from: usize, to: usize, state: ProviderState) {
    let at = |number| When::to(Service::Keycloak).from(number);
    stage
        .sandbox
        .faults()
        .change_world(at(from), move |world| set(world, state));
    stage
        .sandbox
        .faults()
        .change_world(at(to), |world| set(world, State::Healthy));
}

async fn outage_at_every_moment(version: Version, kind: ProviderKind, states: &[ProviderState]) {
    let mut wrong = Vec::new();
    for staff in STAFFS {
        let healthy = requests_of(small_house(version, kind, staff)).await;
        let last = healthy + 8;
        for from in 3..=healthy {
            for to in from + 1..=last {
                let state = states[(from + to) % states.len()];
                let mut house = small_house(version, kind, staff);
                house.cache(Cached::ALL[(from * 7 + to) % 4]);
                let stage = house.stage().await;
                script(&stage, from, to, state);
                plan(&stage).await;
                let gone = removals(&stage);
                if !gone.is_empty() {
                    wrong.push(format!(
                        "{version:?} {kind:?} {state:?} {staff:?} {from}-{to}: {gone:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// When a provider is in trouble, in terms of what the program asks.
#[derive(Debug, Clone, Copy)]
enum Spell {
    /// Until anybody is looked up.
    UntilLookUps,
    /// Until the groups are read once more.
    UntilSecondReading,
    /// From the second list of the first reading until the first list of the second.
    FromWithinFirstReading,
    /// On and off, for so many requests at a time.
    Flapping(usize),
}

const SPELLS: [Spell; 7] = [
    Spell::UntilLookUps,
    Spell::UntilSecondReading,
    Spell::FromWithinFirstReading,
    Spell::Flapping(1),
    Spell::Flapping(2),
    Spell::Flapping(3),
    Spell::Flapping(5),
];

/// Where several lists lead to one Azure group, one of them may hide the only person of a provider in both readings while another
/// shows some in both, if the provider comes and goes from request to request. Nothing tells such a list from one that nobody of
/// the provider is in, so that is for the limits.
fn is_for_the_limits(spell: Spell, staff: Staff) -> bool {
    matches!(spell, Spell::Flapping(_)) && staff == Staff::InTwoGroups
}

/// More requests than a plan of a [`small_house`] ever takes.
const ALL_REQUESTS: usize = 120;

fn script_spell(stage: &Stage, spell: Spell, lists: usize, state: ProviderState) {
    let change = |when: When, state| {
        stage
            .sandbox
            .faults()
            .change_world(when, move |world| set(world, state));
    };
    let to = || When::to(Service::Keycloak);
    let list = |number| to().path("/members").from(number);
    match spell {
        Spell::UntilLookUps => {
            change(to(), state);
            change(to().path("/users?email"), State::Healthy);
        }
        Spell::UntilSecondReading => {
            change(to(), state);
            change(list(lists + 1), State::Healthy);
        }
        Spell::FromWithinFirstReading => {
            change(list(2), state);
            change(list(lists + 1), State::Healthy);
        }
        Spell::Flapping(requests) => {
            for (turn, number) in (1..ALL_REQUESTS).step_by(requests).enumerate() {
                let state = if turn % 2 == 0 { state } else { State::Healthy };
                change(to().from(number), state);
            }
        }
    }
}

async fn trouble_for_a_spell(kind: ProviderKind) {
    let (mut wrong, mut tally) = (Vec::new(), Tally::default());
    for (at, state) in TROUBLES.into_iter().enumerate() {
        for staff in STAFFS {
            for (turn, spell) in SPELLS.into_iter().enumerate() {
                let cache = Cached::ALL[(at + turn) % 4];
                let version = match (at + turn + staff as usize) % 2 {
                    0 => Version::V26_7_4,
                    _ => Version::V24_0_5,
                };
                if never_answers(version, state) {
                    tally.never_answers += 1;
                    continue;
                }
                if is_beyond_proof(state, cache) {
                    tally.beyond_proof += 1;
                    continue;
                }
                if is_for_the_limits(spell, staff) {
                    tally.for_the_limits += 1;
                    continue;
                }
                tally.tried += 1;
                let mut house = small_house(version, kind, staff);
                house.cache(cache);
                let lists = house.realm().groups.len();
                let stage = house.stage().await;
                script_spell(&stage, spell, lists, state);
                plan(&stage).await;
                let gone = removals(&stage);
                if !gone.is_empty() {
                    wrong.push(format!(
                        "{version:?} {kind:?} {state:?} {staff:?} {cache:?} {spell:?}: {gone:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    // Ten troubles, four kinds of staff, seven spells; versions and caches take turns.
    let expected = Tally {
        never_answers: 14,
        beyond_proof: 8,
        for_the_limits: 37,
        tried: 221,
    };
    assert_eq!(tally, expected);
}

#[tokio::test]
async fn nobody_goes_in_a_spell_of_trouble_with_copies_of_people() {
    trouble_for_a_spell(ReadOnly).await;
}

#[tokio::test]
async fn nobody_goes_in_a_spell_of_trouble_without_copies() {
    trouble_for_a_spell(NoImport).await;
}

#[tokio::test]
async fn nobody_goes_in_a_spell_of_trouble_with_copies_of_groups() {
    trouble_for_a_spell(Import).await;
}

/// A page that came short, a size limit of a proxy, or a permission that hides single people: the list lacks somebody, and asked about
/// them Keycloak names the group.
#[tokio::test]
async fn whom_a_list_leaves_out_without_any_federation_is_a_problem() {
    for version in Version::ALL {
        let mut house = House::new(version, ReadOnly);
        house.realm().providers.clear();
        house.map("staff", "acme-staff");
        for name in ["moe", "max", "mia"] {
            house.both(name, false, &["staff"], &["acme-staff"]);
        }
        let realm = house.realm();
        let moe = realm.person_mut("moe").unwrap().id.clone();
        realm.groups[0].left_out.insert(moe);
        let stage = house.stage().await;
        assert_eq!(plan(&stage).await, 0);
        let plan = crate::house::plan(&stage).unwrap();
        assert_eq!(plan.changes, Vec::new(), "{version:?}");
        let [problem] = &plan.problems[..] else {
            panic!("{:?}", plan.problems)
        };
        assert_eq!(problem.code, ProblemCode::RemovalNotConfirmed);
        assert!(
            problem.message.contains("left moe Example (moe) out"),
            "{}",
            problem.message
        );
        assert!(
            problem
                .hint
                .as_deref()
                .unwrap_or_default()
                .contains("fine-grained permissions"),
            "{problem:?}"
        );
    }
}

/// Older versions wait for a frozen LDAP server for minutes; then there is no plan.
#[tokio::test]
async fn a_frozen_directory_behind_an_older_keycloak_is_an_error() {
    for kind in KINDS {
        let mut house = small_house(Version::V24_0_5, kind, Staff::Mixed);
        house.state(State::Frozen);
        let stage = house.stage().await;
        let timing = Timing {
            idle: Duration::from_millis(100),
            ..quick()
        };
        let ended = stage.run_with("plan --out @plan.json", timing).await;
        assert_eq!(ended.status, 1, "{kind:?} {}", ended.out);
        assert!(
            ended.err.contains("failed to read the members of group"),
            "{}",
            ended.err
        );
        assert!(!stage.path("plan.json").exists());
    }
}

/// What a provider that is deleted leaves behind cannot be told from people who were deleted, except by who set it up.
#[tokio::test]
async fn nobody_goes_with_a_deleted_provider_where_a_federation_is_expected() {
    let mut wrong = Vec::new();
    for version in Version::ALL {
        for kind in KINDS {
            for staff in STAFFS {
                let mut house = house(version, kind, staff);
                house.settings.push_str("keycloak_federation: expected\n");
                house.state(State::Deleted);
                house.realm().providers.clear();
                let stage = house.stage().await;
                assert_eq!(plan(&stage).await, 0);
                let gone = removals(&stage);
                if !gone.is_empty() {
                    wrong.push(format!("{version:?} {kind:?} {staff:?}: {gone:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

const HIDDEN: [ProviderState; 3] = [State::Stopped, State::GroupsUnreadable, State::UsersDnWrong];

#[tokio::test]
async fn nobody_goes_whenever_an_outage_begins_and_ends_with_copies_of_people() {
    outage_at_every_moment(Version::V26_7_4, ReadOnly, &HIDDEN).await;
}

#[tokio::test]
async fn nobody_goes_whenever_an_outage_begins_and_ends_without_copies() {
    outage_at_every_moment(Version::V26_7_4, NoImport, &HIDDEN).await;
}

#[tokio::test]
async fn nobody_goes_whenever_an_outage_begins_and_ends_on_an_older_keycloak() {
    outage_at_every_moment(
        Version::V24_0_5,
        NoImport,
        &[
            State::GroupsUnreadable,
            State::UsersDnMissing,
            State::Stopped,
        ],
    )
    .await;
}

/// The account of somebody from LDAP has a second address, which is that of a former local person.
fn house_with_a_former_person(version: Version, kind: ProviderKind, enabled: bool) -> House {
    let mut house = House::new(version, kind);
    house.map("staff", "acme-staff");
    house.map("all", "acme-all");
    house.both("ada", true, &["all"], &["acme-all"]);
    house.both("lea", true, &["staff"], &["acme-staff"]);
    house.both("leo", true, &["staff"], &["acme-staff"]);
    house.both("moe", false, &["staff"], &["acme-staff"]);
    house.person("lea.old", false, &[]);
    house.realm().person_mut("lea.old").unwrap().enabled = enabled;
    let users = &mut house.world.entra.users;
    let lea = users
        .values_mut()
        .find(|user| user.mail.as_deref() == Some("lea@partner.example"))
        .unwrap();
    lea.other_mails.push("lea.old@partner.example".to_owned());
    house
}

#[tokio::test]
async fn a_former_person_with_a_second_address_does_not_hide_that_somebody_is_hidden() {
    let mut wrong = Vec::new();
    for version in [Version::V24_0_5, Version::V26_7_4] {
        for kind in KINDS {
            for enabled in [true, false] {
                for state in [State::Healthy].into_iter().chain(TROUBLES) {
                    if never_answers(version, state) {
                        continue;
                    }
                    let mut house = house_with_a_former_person(version, kind, enabled);
                    house.state(state);
                    let stage = house.stage().await;
                    plan(&stage).await;
                    let gone = removals(&stage);
                    if !gone.is_empty() {
                        wrong.push(format!(
                            "{version:?} {kind:?} {state:?} {enabled}: {gone:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// Why somebody is really gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Left,
    Disabled,
    Deleted,
}

#[tokio::test]
async fn whoever_is_really_gone_goes_when_all_is_well() {
    let mut wrong = Vec::new();
    for version in Version::ALL {
        for kind in KINDS {
            for from_ldap in [true, false] {
                for gone in [Gone::Left, Gone::Disabled, Gone::Deleted] {
                    let is_ignored = version == Version::V24_0_5 && kind == ReadOnly && from_ldap;
                    if gone == Gone::Disabled && is_ignored {
                        continue;
                    }
                    let mut house = small_house(version, kind, Staff::Mixed);
                    let name = if from_ldap { "lea" } else { "moe" };
                    let realm = house.realm();
                    match gone {
                        Gone::Left => realm.person_mut(name).unwrap().groups.clear(),
                        Gone::Disabled => realm.person_mut(name).unwrap().enabled = false,
                        Gone::Deleted if from_ldap => {
                            realm.person_mut(name).unwrap().in_directory = false;
                        }
                        Gone::Deleted => realm.people.retain(|person| person.username != name),
                    }
                    let stage = house.stage().await;
                    let status = plan(&stage).await;
                    let because = match gone {
                        Gone::Left => RemovalReason::LeftGroup,
                        Gone::Disabled => RemovalReason::Disabled,
                        Gone::Deleted => RemovalReason::UnknownToKeycloak,
                    };
                    let wanted = (
                        "acme-staff".to_owned(),
                        format!("{name}@partner.example"),
                        because,
                    );
                    let removed = removals(&stage);
                    if status != 0 || removed != [wanted] {
                        wrong.push(format!(
                            "{version:?} {kind:?} {name} {gone:?}: {status} {removed:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn nobody_goes_in_trouble_whatever_the_settings_say() {
    let mut wrong = Vec::new();
    for (removals_of, settings) in [
        ("known", ""),
        ("all", "users: { disabled: keep }\n"),
        ("all", "keycloak_federation: none\n"),
        ("all", "keycloak_federation: expected\n"),
        ("all", "users: { unverified_email: skip }\n"),
    ] {
        for kind in KINDS {
            for state in TROUBLES {
                for staff in STAFFS {
                    let mut house = house(Version::V26_7_4, kind, staff);
                    house.removals = removals_of;
                    house.settings.push_str(settings);
                    house.state(state);
                    let stage = house.stage().await;
                    plan(&stage).await;
                    let gone = removals(&stage);
                    if !gone.is_empty() {
                        wrong.push(format!(
                            "{removals_of} {settings} {kind:?} {state:?} {staff:?}: {gone:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// `/staff` comes from a second provider, `/all` from the first, which is well.
async fn two_providers(may_view_realm: bool) -> Vec<String> {
    const OTHER: &str = "4c0ffee0-0000-4000-8000-000000000002";
    let mut wrong = Vec::new();
    for version in [Version::V21_1_2, Version::V24_0_5, Version::V26_7_4] {
        for kind in KINDS {
            for state in TROUBLES {
                if never_answers(version, state) {
                    continue;
                }
                let mut house = house(version, kind, Staff::Mixed);
                let realm = house.realm();
                let mut other = realm.providers[0].clone();
                (other.id, other.name, other.state) =
                    (OTHER.to_owned(), "second".to_owned(), state);
                realm.providers.push(other);
                for person in &mut realm.people {
                    if person.groups.contains("staff") && person.provider.is_some() {
                        person.provider = Some(OTHER.to_owned());
                        person.id = person.id.replace(LDAP, OTHER);
                    }
                }
                if !may_view_realm {
                    let sync = realm
                        .person_mut("service-account-keycloak-to-azure")
                        .unwrap();
                    sync.client_roles
                        .get_mut("realm-management")
                        .unwrap()
                        .remove("view-realm");
                }
                let stage = house.stage().await;
                plan(&stage).await;
                let gone = removals(&stage);
                if !gone.is_empty() {
                    wrong.push(format!("{version:?} {kind:?} {state:?}: {gone:?}"));
                }
            }
        }
    }
    wrong
}

#[tokio::test]
async fn a_provider_that_is_well_does_not_vouch_for_another() {
    let wrong = two_providers(true).await;
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// A provider that goes while a reviewed plan is applied takes nobody with it, and who was to go may go or stay.
#[tokio::test]
async fn an_outage_at_any_moment_of_an_apply_removes_only_whom_the_plan_names() {
    let mut wrong = Vec::new();
    for kind in KINDS {
        for number in 1..=24 {
            let mut house = small_house(Version::V26_7_4, kind, Staff::Mixed);
            house.realm().person_mut("leo").unwrap().groups.clear();
            let stage = house.stage().await;
            assert_eq!(plan(&stage).await, 0);
            let reviewed = removals(&stage).len();
            stage.sandbox.forget_requests();
            let at = When::to(Service::Keycloak).from(number);
            stage
                .sandbox
                .faults()
                .change_world(at, |world| set(world, State::Stopped));
            let _ = stage.run("apply @plan.json").await;
            let removed = stage
                .writes()
                .iter()
                .filter(|write| write.starts_with("DELETE"))
                .count();
            let written = stage.writes().len();
            if reviewed != 1 || removed > 1 || written > removed {
                wrong.push(format!("{kind:?} {number}: {:?}", stage.writes()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}
