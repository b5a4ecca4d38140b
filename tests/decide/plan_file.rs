//! Plans as bytes: what is written is read, and what is not a plan as it was made is refused.

use std::io::Write as _;

use keycloak_to_azure::files::write_privately;
use keycloak_to_azure::plan::{
    Block, BlockCode, Change, GroupName, Plan, PlannedGroup, ScopeMapping,
};
use keycloak_to_azure::plan_file::{Refusal, check_writable, from_bytes, read, to_bytes, write};
use tempfile::TempDir;

use crate::world::team_of;

fn sample() -> Plan {
    let mut world = team_of(4);
    world.person("ann");
    world.join("ann", "/team");
    world.leave("p0", "/team");
    world.account("p1").surname = Some("Old".to_owned());
    world.person("nomail").email = None;
    world.join("nomail", "/team");
    world.plan().sealed()
}

fn edited(edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut value = serde_json::to_value(sample()).unwrap();
    edit(&mut value);
    serde_json::to_vec(&value).unwrap()
}

/// An edit by somebody who also knows how the digest is made.
fn forged(edit: impl FnOnce(&mut Plan)) -> Vec<u8> {
    let mut plan = sample();
    edit(&mut plan);
    to_bytes(&plan.sealed()).unwrap()
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    let plan = sample();
    assert_eq!(from_bytes(&to_bytes(&plan).unwrap()), Ok(plan));
}

#[test]
fn a_plan_on_disk_is_read_as_it_was_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("plan.json");
    check_writable(&path).unwrap();
    assert!(!path.exists(), "only whether it can be written was asked");
    write(&path, &sample()).unwrap();
    assert_eq!(read(&path).unwrap(), sample());
    assert_eq!(
        std::fs::read(&path).unwrap(),
        to_bytes(&sample()).unwrap(),
        "nothing but the plan"
    );
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "no temporary file stays");
}

/// Which cannot be gone through twice, as a file is.
#[cfg(unix)]
#[test]
fn a_plan_is_read_from_a_pipe() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let written = to_bytes(&sample()).unwrap();
    let plan = std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(&pipe, &written));
        read(&pipe)
    });
    assert_eq!(plan.unwrap(), sample());
}

#[test]
fn a_plan_that_cannot_be_written_or_read_is_named() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("no-such-folder/plan.json");
    let said = |error: anyhow::Error| format!("{error:#}");
    let shown = nowhere.display().to_string();
    assert!(said(check_writable(&nowhere).unwrap_err()).contains(&shown));
    assert!(said(check_writable(folder.path()).unwrap_err()).contains("is a folder"));
    assert!(said(write(&nowhere, &sample()).unwrap_err()).contains(&shown));
    assert!(said(read(&nowhere).unwrap_err()).contains(&shown));
}

#[test]
fn a_file_without_a_folder_is_written_where_the_program_runs() {
    let name = format!(".decide-{}.json", std::process::id());
    let path = std::path::Path::new(&name);
    let checked = check_writable(path);
    let written = write_privately(path, |file| file.write_all(b"{}"));
    let there = std::fs::read(path);
    let _ = std::fs::remove_file(path);
    checked.unwrap();
    written.unwrap();
    assert_eq!(there.unwrap(), b"{}");
}

#[test]
fn each_refusal_says_why() {
    let said = |bytes: &[u8]| from_bytes(bytes).unwrap_err().to_string();
    assert!(said(b"{}").starts_with("it is not a plan of this program: missing field"));
    let other = edited(|plan| plan["format_version"] = "2.0".into());
    assert!(said(&other).starts_with("it has the format version 2.0, and this version"));
    let changed = edited(|plan| plan["changes"][0]["email"] = "eve@evil.example".into());
    assert!(said(&changed).starts_with("it was changed after it was made: it says sha256:"));
    let contradicts = forged(|plan| plan.summary.remove = 0);
    assert_eq!(
        said(&contradicts),
        "its parts contradict each other: its summary counts other changes than it lists; make a new plan"
    );
}

#[test]
fn the_format_is_what_the_design_says() {
    insta::assert_snapshot!(String::from_utf8(to_bytes(&sample()).unwrap()).unwrap());
}

#[test]
fn an_edited_plan_is_refused() {
    let bytes = edited(|plan| plan["changes"][0]["email"] = "eve@evil.example".into());
    assert!(matches!(
        from_bytes(&bytes),
        Err(Refusal::DigestMismatch { .. })
    ));
}

#[test]
fn a_number_that_another_could_be_taken_for_is_refused_and_digits_in_a_name_are_none() {
    let mut plan = sample();
    plan.groups[0].other_members = (1 << 53) - 1;
    assert!(from_bytes(&to_bytes(&plan.clone().sealed()).unwrap()).is_ok());
    plan.groups[0].other_members = 1 << 53;
    let bytes = to_bytes(&plan.clone().sealed()).unwrap();
    assert!(matches!(from_bytes(&bytes), Err(Refusal::Inconsistent(_))));

    let mut named = sample();
    named.target.tenant_name = r#"\"99999999999999999999\\ 9"99999999999999999999"#.to_owned();
    assert!(from_bytes(&to_bytes(&named.sealed()).unwrap()).is_ok());
}

#[test]
fn when_it_was_made_is_no_part_of_what_is_approved() {
    let bytes = edited(|plan| plan["created_at"] = "2030-01-01T00:00:00Z".into());
    assert!(from_bytes(&bytes).is_ok());
}

#[test]
fn another_format_is_refused_with_its_version() {
    assert_eq!(
        from_bytes(&edited(|plan| plan["format_version"] = "2.0".into())),
        Err(Refusal::OtherFormat("2.0".to_owned()))
    );
}

#[test]
fn unknown_and_repeated_fields_are_refused() {
    let unknown = edited(|plan| plan["extra"] = 1.into());
    assert!(matches!(from_bytes(&unknown), Err(Refusal::NotAPlan(_))));
    let nested = edited(|plan| plan["changes"][0]["extra"] = 1.into());
    assert!(matches!(from_bytes(&nested), Err(Refusal::NotAPlan(_))));
    let text = String::from_utf8(to_bytes(&sample()).unwrap()).unwrap();
    let repeated = text.replacen("\"scope\": null", "\"scope\": null, \"scope\": null", 1);
    assert!(matches!(
        from_bytes(repeated.as_bytes()),
        Err(Refusal::NotAPlan(_))
    ));
}

#[test]
fn a_forged_plan_that_contradicts_itself_is_refused() {
    let cases = [
        forged(|plan| plan.summary.remove = 0),
        forged(|plan| {
            plan.changes.pop();
        }),
        forged(|plan| plan.changes.reverse()),
        forged(|plan| {
            let last = plan.changes.last().cloned().unwrap();
            plan.changes.push(last);
            plan.summary.remove += 1;
        }),
        forged(|plan| plan.groups.clear()),
        forged(|plan| {
            plan.changes.remove(0);
            plan.summary.invite = 0;
        }),
        forged(|plan| plan.groups.push(plan.groups[0].clone())),
        forged(|plan| {
            let mut other = plan.groups[0].clone();
            other.azure.name = "harmless".to_owned();
            (other.members_before, other.members_after) = (0, 0);
            plan.groups.push(other);
        }),
        forged(|plan| {
            let mut azure = plan.groups[0].azure.clone();
            azure.name = "harmless".to_owned();
            plan.scope = Some(vec![ScopeMapping {
                keycloak: "/team".parse().unwrap(),
                azure,
            }]);
        }),
        forged(|plan| plan.groups[0].members_after += 1),
        forged(|plan| plan.groups[0].members_before += 1),
        forged(|plan| {
            for change in &mut plan.changes {
                if let Change::Update(update) = change {
                    let surname = update.fields.surname.as_mut().unwrap();
                    surname.before = surname.after.clone();
                }
            }
        }),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        assert!(
            matches!(from_bytes(bytes), Err(Refusal::Inconsistent(_))),
            "case {number}"
        );
    }
}

#[test]
fn the_flag_of_a_block_is_the_one_that_lifts_it() {
    let with_flag = |code: BlockCode, flag: &str| {
        forged(|plan| {
            let group = plan.groups[0].azure.clone();
            plan.blocks.push(Block {
                code,
                group: (code != BlockCode::TooManyInvitations).then_some(group),
                message: "too much".to_owned(),
                flag: flag.to_owned(),
            });
            plan.summary.blocks = 1;
        })
    };
    let group = sample().groups[0].azure.clone();
    let by_name = format!("--allow-empty {}", group.name);
    let by_id = format!("--allow-empty {}", group.id);
    for (code, flag) in [
        (BlockCode::TooManyRemovals, "--max-removals 7"),
        (BlockCode::TooManyInvitations, "--max-invitations 101"),
        (BlockCode::WouldEmptyGroup, &by_name),
        (BlockCode::EmptySource, &by_id),
    ] {
        assert_eq!(
            from_bytes(&with_flag(code, flag)).map(drop),
            Ok(()),
            "{flag}"
        );
    }
    for (code, flag) in [
        (BlockCode::TooManyRemovals, "$(touch${IFS}/tmp/pwn) 5"),
        (BlockCode::TooManyRemovals, "--max-removals $(x)"),
        (BlockCode::TooManyRemovals, "--max-removals +5"),
        (BlockCode::TooManyRemovals, "--max-removals"),
        (BlockCode::TooManyRemovals, "--max-invitations 5"),
        (BlockCode::TooManyInvitations, "--max-invitations off"),
        (BlockCode::WouldEmptyGroup, "--allow-empty another"),
        (BlockCode::EmptySource, "--without-witness team"),
        (BlockCode::EmptySource, ""),
    ] {
        let refused = from_bytes(&with_flag(code, flag)).unwrap_err().to_string();
        assert!(
            refused.contains("does not lift the limit"),
            "{flag}: {refused}"
        );
    }
    // Where a group is called what another one's id is, that is not it.
    let named = |id: &str, flag: &str| {
        from_bytes(&forged(|plan| {
            let azure = GroupName {
                id: "00000000-0000-4000-8000-0000000000f1".parse().unwrap(),
                name: id.to_owned(),
            };
            plan.groups.push(PlannedGroup {
                azure: azure.clone(),
                members_before: 1,
                members_after: 1,
                ..plan.groups[0].clone()
            });
            plan.blocks.push(Block {
                code: BlockCode::EmptySource,
                group: Some(azure),
                message: "nobody is left".to_owned(),
                flag: flag.to_owned(),
            });
            plan.summary.blocks = 1;
        }))
    };
    let id_of_another = "00000000-0000-4000-8000-0000000000f2";
    let refused = named(id_of_another, &format!("--allow-empty {id_of_another}"));
    assert!(refused.is_err(), "another group is meant");
    let own = named(
        id_of_another,
        "--allow-empty 00000000-0000-4000-8000-0000000000f1",
    );
    assert_eq!(own.map(drop), Ok(()));
}

#[test]
fn a_number_that_the_digest_does_not_tell_from_the_next_is_refused() {
    for number in [1 << 53, (1 << 53) + 1, usize::MAX] {
        let bytes = forged(|plan| plan.groups[0].members_before = number);
        assert!(matches!(from_bytes(&bytes), Err(Refusal::Inconsistent(_))));
    }
    let largest = forged(|plan| {
        let before = (1 << 53) - 1;
        // One joins and one leaves.
        (plan.groups[0].members_before, plan.groups[0].members_after) = (before, before);
    });
    assert_eq!(from_bytes(&largest).map(drop), Ok(()));
}

#[test]
fn whatever_is_no_plan_is_refused() {
    for bytes in [
        &b""[..],
        b"{}",
        b"[]",
        b"null",
        b"{\"format_version\":1}",
        b"\xff\xfe",
        b"{\"format_version\":\"1.0\"}",
    ] {
        assert!(from_bytes(bytes).is_err());
    }
    let cut = to_bytes(&sample()).unwrap();
    assert!(from_bytes(&cut[..cut.len() / 2]).is_err());
}

#[test]
fn where_there_is_no_plan_it_is_said_what_writes_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("plan.json");
    let missing = read(&path).unwrap_err().to_string();
    assert!(
        missing.ends_with("plan.json; `keycloak-to-azure plan` writes one"),
        "{missing}"
    );
    std::fs::write(&path, "a file and no folder").unwrap();
    let elsewhere = read(&path.join("plan.json")).unwrap_err().to_string();
    assert!(!elsewhere.contains("writes one"), "{elsewhere}");
}
