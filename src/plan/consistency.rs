//! Whether the parts of a plan say the same: people read it at its top, and it is carried out from its list.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Block, BlockCode, Change, FieldChange, Fields, GroupName, Overrides, Plan, PlanKind,
    PlannedGroup, RemovalReason, Summary, UndoneRun, is_plan_id, movements,
};
use crate::group_names::is_an_id;
use crate::model::ObjectId;
use crate::report;

/// Fails with what is wrong with a plan, as the end of a sentence about it, if its parts do not fit together.
pub(crate) fn check(plan: &Plan) -> Result<(), String> {
    check_kind(plan)?;
    check_groups(plan)?;
    plan.blocks.iter().try_for_each(check_flag)?;
    let counted = Summary {
        unchanged: plan.summary.unchanged,
        problems: plan.problems.len(),
        blocks: plan.blocks.len(),
        ..Summary::of(&plan.changes)
    };
    if counted != plan.summary {
        return Err("its summary counts other changes than it lists".to_owned());
    }
    if !plan.changes.is_sorted_by_key(Change::action) {
        return Err("its changes are not in their order".to_owned());
    }
    let mut invited = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let groups: BTreeSet<_> = plan.groups.iter().map(|group| &group.azure).collect();
    for change in &plan.changes {
        let group = match change {
            Change::Invite(invite) => {
                let is_about_mail =
                    invite.message.is_some() || invite.language.is_some() || invite.cc.is_some();
                if is_about_mail && !invite.send_email {
                    return Err(format!(
                        "the invitation of {} says what its mail is like, and sends none",
                        invite.email
                    ));
                }
                invited.insert(&invite.email);
                None
            }
            Change::Update(update) => {
                if update.fields.is_empty() || !values_differ(&update.fields) {
                    return Err(format!(
                        "the update of {} changes nothing",
                        update.account.id
                    ));
                }
                None
            }
            Change::Add(add) => {
                if add.account.id.is_none() && !invited.contains(&add.account.email) {
                    return Err(format!(
                        "{} is added without an account and not invited",
                        add.account.email
                    ));
                }
                Some(&add.group)
            }
            Change::Remove(remove) => Some(&remove.group),
        };
        if !seen.insert((change.action(), change.identity(plan.kind))) {
            return Err("it holds two changes of one object".to_owned());
        }
        if let Some(group) = group
            && !groups.contains(group)
        {
            return Err(format!(
                "{} ({}) is changed and not among its groups",
                group.name, group.id
            ));
        }
    }
    Ok(())
}

/// Each group stands once in its list, goes by one name everywhere, and has the members that the changes leave it.
fn check_groups(plan: &Plan) -> Result<(), String> {
    let mut names: BTreeMap<&ObjectId, &str> = BTreeMap::new();
    for PlannedGroup { azure, .. } in &plan.groups {
        if names.insert(&azure.id, &azure.name).is_some() {
            return Err(format!(
                "the group {} stands twice among its groups",
                azure.id
            ));
        }
    }
    let of_scope = plan.scope.iter().flatten().map(|mapping| &mapping.azure);
    let of_blocks = plan.blocks.iter().filter_map(|block| block.group.as_ref());
    for group in of_scope.chain(of_blocks) {
        if *names.entry(&group.id).or_insert(&group.name) != group.name {
            return Err(format!("the group {} goes by two names", group.id));
        }
    }
    let movements = movements(&plan.changes);
    for group in &plan.groups {
        let (joining, losing) = movements.get(&group.azure.id).copied().unwrap_or_default();
        let after = (group.members_before + joining).saturating_sub(losing);
        if group.members_after != after {
            return Err(format!(
                "{} ({}) is to have {} members, and its changes make {after} of {}",
                group.azure.name, group.azure.id, group.members_after, group.members_before
            ));
        }
    }
    Ok(())
}

/// Whether the flag of a block is the one that lifts it. People copy it into a shell.
fn check_flag(block: &Block) -> Result<(), String> {
    let (name, value) = block.flag.split_once(' ').unwrap_or((&block.flag, ""));
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<u32>().is_ok();
    let is_called =
        |group: &GroupName| (value == group.name && !is_an_id(value)) || value == group.id.as_str();
    let fits = match (block.code, &block.group) {
        (BlockCode::TooManyRemovals, Some(_)) => name == "--max-removals" && is_number,
        (BlockCode::TooManyInvitations, None) => name == "--max-invitations" && is_number,
        (BlockCode::WouldEmptyGroup | BlockCode::EmptySource, Some(group)) => {
            name == "--allow-empty" && is_called(group)
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "the flag {:?} does not lift the limit that is said to be exceeded",
            block.flag
        ))
    }
}

/// Whether the plan holds only what its kind of plan can hold.
fn check_kind(plan: &Plan) -> Result<(), String> {
    let is_undo = plan.kind == PlanKind::Undo;
    if is_undo != plan.undoes.is_some() {
        return Err("its kind and the run that it takes back do not fit".to_owned());
    }
    if let Some(run) = &plan.undoes {
        check_undo(plan, run)?;
    }
    for change in &plan.changes {
        let fits = match change {
            Change::Invite(_) => !is_undo,
            Change::Update(update) => fields_fit(&update.fields, is_undo),
            Change::Add(add) => {
                add.because.is_empty() == is_undo && (add.account.id.is_some() || !is_undo)
            }
            Change::Remove(remove) => (remove.because == RemovalReason::Undo) == is_undo,
        };
        if !fits {
            let (subject, _) = report::object_of(change);
            return Err(format!(
                "the change of {} ({}) is not one of this kind of plan",
                subject.email,
                change.action()
            ));
        }
    }
    Ok(())
}

/// Checks that an undo holds nothing that only a plan can hold which Keycloak is asked for, and that what it takes back looks like a run: it
/// is named in a sentence.
fn check_undo(plan: &Plan, run: &UndoneRun) -> Result<(), String> {
    if run.run_id.parse::<ObjectId>().is_err() || !is_plan_id(&run.plan_id) {
        return Err("the run that it takes back has no id of a run and a plan".to_owned());
    }
    let Overrides {
        max_removals: _,
        max_removals_percent: _,
        max_invitations,
        allow_empty: _,
        without_witness,
    } = &plan.overrides;
    if plan.scope.is_some()
        || plan.source.federation.is_some()
        || max_invitations.is_some()
        || !without_witness.is_empty()
    {
        return Err("it takes back a run, and says what only other plans do".to_owned());
    }
    Ok(())
}

/// Only who takes something back may take away a value, and only one that Entra lets be absent.
fn fields_fit(fields: &Fields, is_undo: bool) -> bool {
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    let has_value =
        |change: &Option<FieldChange<String>>| change.as_ref().is_none_or(|it| it.after.is_some());
    user_type.as_ref().is_none_or(|it| it.after.is_some())
        && has_value(display_name)
        && (is_undo || has_value(given_name) && has_value(surname))
}

/// Whether every field gets another value than it has.
fn values_differ(fields: &Fields) -> bool {
    fn differs<T: PartialEq>(change: Option<&FieldChange<T>>) -> bool {
        change.is_none_or(|change| change.before != change.after)
    }
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    differs(user_type.as_ref())
        && [display_name, given_name, surname]
            .into_iter()
            .all(|change| differs(change.as_ref()))
}
