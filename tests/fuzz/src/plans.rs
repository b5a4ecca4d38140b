//! Plans to begin with, and what has to hold of every plan.

use keycloak_to_azure::plan::Plan;
use keycloak_to_azure::plan_file::{Refusal, from_bytes, to_bytes};
use keycloak_to_azure::render::{MAX_CHARACTERS, Style, html, markdown, refusal_of_blocked, text};
use keycloak_to_azure::settings::Limit;
use keycloak_to_azure::snapshot::FederationProvider;

use crate::world::{World, team_of};

/// A plan with a change of every kind, problems and two groups, and one that is blocked.
pub fn samples() -> [Plan; 2] {
    let mut emptied = team_of(2);
    emptied.leave("p0", "/team");
    emptied.leave("p1", "/team");
    [company(), emptied].map(|world| world.plan().sealed())
}

/// Two directories between which there is a change of every kind to make.
pub fn company() -> World {
    let mut world = team_of(4);
    world.map("/ops", "acme-ops");
    world.map("/ops/night", "acme-ops");
    world.member_on_both_sides("olga", "/ops", "acme-ops");
    joins(&mut world, "ann", "/team");
    joins(&mut world, "p1", "/ops");
    world.leave("p0", "/team");
    world.delete("p2");
    world.account("p1").surname = Some("Old".to_owned());
    world.account("p3").user_type = None;
    joins(&mut world, "nomail", "/team");
    world.person("nomail").email = None;
    joins(&mut world, "x+y", "/team");
    world.components = Some(vec![FederationProvider {
        id: "ldap-1".parse().unwrap(),
        name: "ldap".to_owned(),
    }]);
    world.overrides.max_removals = Some(Limit::AtMost(7));
    world
        .overrides
        .without_witness
        .insert("acme-team".to_owned());
    world
}

fn joins(world: &mut World, username: &str, path: &str) {
    world.person(username);
    world.join(username, path);
}

/// Holds a sealed plan against everything that is said of plans: what is written is read as the same, and what is accepted can
/// be shown, without a character that a terminal or a page would obey. Returns whether it was accepted.
pub fn check(plan: &Plan, width: usize) -> bool {
    let bytes = to_bytes(plan).unwrap();
    match from_bytes(&bytes) {
        Ok(read) => assert_eq!(&read, plan, "written and read, it is another plan"),
        Err(Refusal::Inconsistent(_) | Refusal::OtherFormat(_)) => return false,
        Err(refusal) => panic!("what was written is not read: {refusal}"),
    }
    for colour in [false, true] {
        let style = Style { colour, width };
        let shown = text(plan, &style);
        if !colour {
            assert_harmless(&shown);
        }
        let refused = refusal_of_blocked(plan, &style);
        if !colour {
            assert_harmless(&refused);
        }
    }
    let page = markdown(plan);
    assert_harmless(&page);
    assert!(page.chars().count() <= MAX_CHARACTERS, "too long to post");
    assert_harmless(&html(plan));
    true
}

/// Nothing in the text moves the cursor, takes no room or changes the direction of writing, but for the isolates around what is written
/// from right to left: each ends on its line, and none is in another.
pub fn assert_harmless(text: &str) {
    let harmful = text.chars().find(|&c| {
        c != '\n'
            && (c.is_control()
                || matches!(c,
                    '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{2067}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'))
    });
    assert_eq!(harmful, None, "in {text:?}");
    for line in text.lines() {
        let isolates: String = line.matches(['\u{2068}', '\u{2069}']).collect();
        assert_eq!(
            isolates.replace("\u{2068}\u{2069}", ""),
            "",
            "in {line:?} of {text:?}"
        );
    }
}

/// Whether two plans say the same, whenever and under whatever id they were made.
pub fn say_the_same(one: &Plan, other: &Plan) -> bool {
    let mut one = one.clone();
    one.plan_id.clone_from(&other.plan_id);
    one.created_at = other.created_at;
    one == *other
}
