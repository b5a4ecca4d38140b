//! What the account of a person is called.

use keycloak_to_azure::plan::Change;
use keycloak_to_azure::settings::DisplayNameTemplate;

use crate::world::team_of;

/// The display name that somebody with these names is invited under.
fn invited_as(template: &str, first_name: Option<&str>, last_name: Option<&str>) -> Option<String> {
    let mut world = team_of(1);
    world.settings.users.display_name = DisplayNameTemplate::parse(template).unwrap();
    let person = world.person("ann");
    person.first_name = first_name.map(str::to_owned);
    person.last_name = last_name.map(str::to_owned);
    world.join("ann", "/team");
    let changes = world.plan().changes;
    let mut invited = changes.into_iter().filter_map(|change| match change {
        Change::Invite(invite) => Some(invite.set.display_name),
        _ => None,
    });
    invited.next().unwrap()
}

#[test]
fn what_only_separates_stands_between_two_parts_and_nowhere_else() {
    let (ann, ash) = (Some("Ann"), Some("Ash"));
    for (template, first, last, expected) in [
        ("{first_name} {last_name}", ann, ash, Some("Ann Ash")),
        ("{last_name}, {first_name}", ann, ash, Some("Ash, Ann")),
        ("{last_name}, {first_name}", ann, None, Some("Ann")),
        ("{last_name}, {first_name}", None, ash, Some("Ash")),
        ("{last_name} / {first_name}", None, ash, Some("Ash")),
        ("{last_name}; {first_name}, ", ann, ash, Some("Ash; Ann")),
        ("{last_name}, {first_name}", None, None, None),
    ] {
        let name = invited_as(template, first, last);
        assert_eq!(name.as_deref(), expected, "{template}");
    }
}

#[test]
fn words_of_the_template_are_part_of_the_name_and_alone_are_none() {
    for (template, first, last, expected) in [
        (
            "{first_name} {last_name} (Acme)",
            Some("Ann"),
            Some("Ash"),
            Some("Ann Ash (Acme)"),
        ),
        (
            "{first_name} {last_name} (Acme)",
            Some("Ann"),
            None,
            Some("Ann (Acme)"),
        ),
        ("Acme: {last_name}", None, Some("Ash"), Some("Acme: Ash")),
        ("Acme {last_name}", None, None, None),
        ("{username} at Acme", None, None, Some("ann at Acme")),
        ("{email}", None, None, Some("ann@partner.example")),
    ] {
        let name = invited_as(template, first, last);
        assert_eq!(name.as_deref(), expected, "{template}");
    }
}
