//! Which groups the words on the command line mean, and what a group is called so that no other is meant.

use std::collections::BTreeSet;

use keycloak_to_azure::group_names::{
    GroupNames, NotNamed, choose_scope, name_groups, name_run_groups, with_azure,
};
use keycloak_to_azure::model::ObjectId;
use keycloak_to_azure::plan::{Overrides, ScopeMapping};
use keycloak_to_azure::settings::Limit;
use proptest::prelude::*;

use crate::carry_out::apply_and_report;
use crate::generate::world;
use crate::properties::config;
use crate::world::{Happening, World, id, team_of};

/// `/team` → `acme-team`, which would lose its only member, and `/ops` → `acme-ops`.
fn team_and_ops() -> World {
    let mut world = team_of(1);
    world.map("/ops", "acme-ops");
    world.person("p0").enabled = false;
    world
}

fn team_is_called(name: &str, world: &mut World) {
    name.clone_into(&mut world.azure.get_mut("acme-team").unwrap().name);
}

/// What a flag calls the group of `/team`.
fn flag_name(world: &World) -> String {
    let entra = world.entra();
    let names = GroupNames::of_mappings(&with_azure(&world.settings.mappings, &entra));
    names.flag_name(&world.azure["acme-team"]).to_owned()
}

fn scope_of(words: &[&str], world: &World) -> Result<Vec<ScopeMapping>, NotNamed> {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    let scope = choose_scope(&words, &world.settings, &world.entra())?;
    Ok(scope.unwrap_or_default())
}

fn chosen(words: &[&str], world: &World) -> Vec<String> {
    let scope = scope_of(words, world).unwrap().into_iter();
    scope
        .map(|mapping| format!("{} → {}", mapping.keycloak, mapping.azure.name))
        .collect()
}

fn allowing(word: &str) -> Overrides {
    Overrides {
        allow_empty: [word.to_owned()].into(),
        without_witness: [word.to_owned()].into(),
        max_invitations: Some(Limit::AtMost(7)),
        ..Overrides::default()
    }
}

fn ids(scope: &[ScopeMapping]) -> BTreeSet<&ObjectId> {
    scope.iter().map(|mapping| &mapping.azure.id).collect()
}

#[test]
fn a_flag_calls_a_group_by_its_name_where_that_means_no_other_and_else_by_its_id() {
    let cases: [(&str, bool, Happening); 12] = [
        ("its own", true, |_| {}),
        ("with a space", true, |world| {
            team_is_called("Acme Team", world);
        }),
        ("a path of its own", true, |world| {
            team_is_called("team", world);
        }),
        ("a path of another", false, |world| {
            team_is_called("ops", world);
        }),
        ("a path with its slash", false, |world| {
            team_is_called("/ops", world);
        }),
        ("a name of another", false, |world| {
            world.azure.get_mut("acme-ops").unwrap().name = "acme-team".to_owned();
        }),
        ("what the file calls another", false, |world| {
            world.azure.get_mut("acme-ops").unwrap().name = "Acme-Ops".to_owned();
            team_is_called("acme-ops", world);
        }),
        ("the id of another", false, |world| {
            let ops = world.azure["acme-ops"].id.to_string();
            team_is_called(&ops, world);
        }),
        ("an id of nothing", false, |world| {
            team_is_called(id(0xfade).as_str(), world);
        }),
        ("as a flag begins", false, |world| {
            team_is_called("-ops", world);
        }),
        ("shown as an escape", false, |world| {
            team_is_called("acme\u{200b}team", world);
        }),
        ("beyond ASCII", true, |world| {
            team_is_called("Équipe «Ацме» 組", world);
        }),
    ];
    for (case, by_name, change) in cases {
        let mut world = team_and_ops();
        change(&mut world);
        let team = world.azure["acme-team"].clone();
        let called = flag_name(&world);
        let expected = if by_name {
            &team.name
        } else {
            team.id.as_str()
        };
        assert_eq!(called, expected, "{case}");

        // It means that group alone, whichever flag it stands behind, and a block has the same.
        let scope = scope_of(&[&called], &world).unwrap();
        assert_eq!(ids(&scope), [&team.id].into(), "{case}");
        let block = &world.plan().blocks[0];
        assert_eq!(block.flag, format!("--allow-empty {called}"), "{case}");
        for word in [&called, &team.id.to_string(), &"/team".to_owned()] {
            let named = name_groups(&allowing(word), &world.settings, &world.entra());
            assert_eq!(named, Ok(allowing(&called)), "{case}: {word}");
        }
        world.overrides = allowing(&called);
        assert_eq!(world.plan().blocks, [], "{case}");
    }
}

#[test]
fn a_group_is_meant_by_each_of_its_names_and_with_all_of_its_mappings() {
    let mut world = team_and_ops();
    world.map("/a/second", "acme-team");
    world.map("/a/second", "acme-team");
    world.azure.get_mut("acme-team").unwrap().name = "Acme Team".to_owned();
    world.azure.get_mut("acme-team").unwrap().id = id(0xabc);
    let id = id(0xabc).to_string();
    let in_capitals = id.to_uppercase();
    for word in [
        "/team",
        "team",
        "/a/second",
        "a/second",
        "acme-team",
        "Acme Team",
        &id,
        &in_capitals,
    ] {
        let expected = ["/a/second → Acme Team", "/team → Acme Team"];
        assert_eq!(chosen(&[word], &world), expected, "{word}");
        let named = name_groups(&allowing(word), &world.settings, &world.entra());
        assert_eq!(named, Ok(allowing("Acme Team")), "{word}");
    }
    assert_eq!(chosen(&["team", "ops"], &world).len(), 3);
    assert_eq!(choose_scope(&[], &world.settings, &world.entra()), Ok(None));
}

#[test]
fn a_word_that_means_several_groups_chooses_all_of_them_and_lifts_nothing() {
    let mut world = team_and_ops();
    team_is_called("ops", &mut world);
    assert_eq!(chosen(&["ops"], &world), ["/ops → acme-ops", "/team → ops"]);
    let [team, ops] = ["acme-team", "acme-ops"].map(|name| world.azure[name].id.clone());
    for overrides in [
        Overrides {
            allow_empty: ["ops".to_owned()].into(),
            ..Overrides::default()
        },
        Overrides {
            without_witness: ["ops".to_owned()].into(),
            ..Overrides::default()
        },
    ] {
        let refused = name_groups(&overrides, &world.settings, &world.entra()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "ops means several Azure groups: ops ({team}), acme-ops ({ops}); give the id of one"
            )
        );
    }
}

#[test]
fn words_that_mean_no_group_are_refused_together() {
    let world = team_and_ops();
    let nobody = id(0xfade);
    let refused = scope_of(&["nope", "team", nobody.as_str()], &world).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "no mapping is called nope, {nobody}; known here are /team → acme-team, /ops → acme-ops"
        )
    );
    let overrides = Overrides {
        allow_empty: ["nope".to_owned()].into(),
        without_witness: ["neither".to_owned()].into(),
        ..Overrides::default()
    };
    let refused = name_groups(&overrides, &world.settings, &world.entra()).unwrap_err();
    let words = ["nope", "neither"].map(str::to_owned).to_vec();
    assert!(
        matches!(&refused, NotNamed::OfTheMappings { words: unknown, .. } if *unknown == words),
        "{refused}"
    );
}

#[test]
fn an_undo_calls_the_groups_of_its_run_by_the_same_rule() {
    // Somebody joins each of two groups, and is the only member of one of them.
    let mut world = team_of(0);
    world.map("/ops", "acme-ops");
    for (username, path) in [("ann", "/team"), ("bob", "/ops")] {
        world.person(username);
        world.join(username, path);
        world.account(username);
    }
    let cases: [(&str, bool, Happening); 4] = [
        ("its own", true, |_| {}),
        ("a path of another", false, |world| {
            team_is_called("ops", world);
        }),
        ("as a flag begins", false, |world| {
            team_is_called("-ops", world);
        }),
        (
            "a path of another that no mapping leads to now",
            true,
            |world| {
                team_is_called("ops", world);
                world.settings.mappings.clear();
            },
        ),
    ];
    for (case, by_name, change) in cases {
        let mut named = world.clone();
        change(&mut named);
        // The run wrote to the groups as they are called now.
        let mut mapped = named.clone();
        mapped
            .settings
            .mappings
            .clone_from(&world.settings.mappings);
        let (after, run) = apply_and_report(&mapped.plan(), &mapped);
        named.azure = after.azure;
        named.accounts = after.accounts;
        let team = named.azure["acme-team"].clone();
        let expected = if by_name {
            team.name.clone()
        } else {
            team.id.to_string()
        };
        let blocks = named.undo(&run).blocks.into_iter();
        let flags: Vec<_> = blocks.map(|block| block.flag).collect();
        assert!(
            flags.contains(&format!("--allow-empty {expected}")),
            "{case}: {flags:?}"
        );
        let overrides = Overrides {
            allow_empty: [team.id.to_string()].into(),
            ..Overrides::default()
        };
        let lifted = name_run_groups(&overrides, &named.settings, &named.entra()).unwrap();
        assert_eq!(lifted.allow_empty, [expected].into(), "{case}");
        assert_eq!(
            name_run_groups(&lifted, &named.settings, &named.entra()),
            Ok(lifted),
            "{case}"
        );
    }
}

#[test]
fn of_a_run_only_the_groups_that_it_changed_are_meant() {
    let world = team_and_ops();
    let mut entra = world.entra();
    entra.groups.retain(|group| group.name == "acme-team");
    let team = entra.groups[0].id.clone();
    for word in ["acme-ops", "/ops", "ops"] {
        let refused = name_run_groups(&allowing(word), &world.settings, &entra).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("the run changed no group called {word}; it changed acme-team ({team})")
        );
    }
    let mut ops = entra.groups[0].clone();
    ops.id = id(0xfade);
    ops.name = "team".to_owned();
    let fade = ops.id.clone();
    entra.groups.push(ops);
    let refused = name_run_groups(&allowing("team"), &world.settings, &entra).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "team means several Azure groups: acme-team ({team}), team ({fade}); give the id of one"
        )
    );
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn what_a_flag_calls_a_group_means_that_one_and_no_other(world in world()) {
        let entra = world.entra();
        let mapped = with_azure(&world.settings.mappings, &entra);
        let names = GroupNames::of_mappings(&mapped);
        for (_, group) in &mapped {
            let called = names.flag_name(group);
            let scope = scope_of(&[called], &world).unwrap();
            prop_assert_eq!(ids(&scope), [&group.id].into());
            let named = name_groups(&allowing(group.id.as_str()), &world.settings, &entra);
            prop_assert_eq!(named, Ok(allowing(called)));
        }
    }
}
