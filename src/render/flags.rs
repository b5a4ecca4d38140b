//! The flags and commands that people copy: what they mean, and how a shell takes them back.

use std::fmt::Write;

use crate::model::ObjectId;
use crate::plan::{Block, Overrides, Plan};
use crate::settings::Limit;

use super::escape::plain;
use super::words::counted;

/// Returns the command that makes the same plan with every limit that blocks it lifted. A plan for some groups does not hold the other
/// mappings, so it cannot tell whether the name of a group means another one too: its groups are called by their ids. What stands in the
/// overrides and the blocks was named with all mappings at hand ([`crate::group_names`]).
pub(super) fn lifting_command(plan: &Plan) -> String {
    let mut command = match &plan.undoes {
        None => String::from("keycloak-to-azure plan"),
        Some(run) => format!(
            "keycloak-to-azure undo REPORT --run {}",
            shell_word(&run.run_id)
        ),
    };
    let mut chosen: Vec<&ObjectId> = Vec::new();
    for mapping in plan.scope.iter().flatten() {
        let id = &mapping.azure.id;
        if !chosen.contains(&id) {
            chosen.push(id);
            let _ = write!(command, " --group {id}");
        }
    }
    let lifting = lifting_flags(&plan.blocks);
    for (flag, _) in override_flags(&plan.overrides) {
        let kind = flag_kind(&flag);
        let is_replaced = |new: &&String| {
            if kind == "--allow-empty" {
                **new == flag
            } else {
                flag_kind(new) == kind
            }
        };
        if !lifting.iter().any(|new| is_replaced(&new)) {
            command.push(' ');
            command.push_str(&shell_flag(&flag));
        }
    }
    for flag in &lifting {
        command.push(' ');
        command.push_str(&shell_flag(flag));
    }
    command
}

/// The flags that lift all of the blocks: each once, and of several numbers for one limit the largest.
fn lifting_flags(blocks: &[Block]) -> Vec<String> {
    let number = |flag: &str| {
        flag.split_once(' ')
            .and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let mut flags: Vec<String> = Vec::new();
    for block in blocks {
        let same_limit = flags.iter().position(|flag| {
            *flag == block.flag
                || flag_kind(flag) == flag_kind(&block.flag)
                    && number(flag).is_some()
                    && number(&block.flag).is_some()
        });
        match same_limit.and_then(|at| flags.get_mut(at)) {
            None => flags.push(block.flag.clone()),
            Some(flag) if number(flag) < number(&block.flag) => flag.clone_from(&block.flag),
            Some(_) => {}
        }
    }
    flags
}

/// What a flag sets: for one limit there can be a number and a percentage.
fn flag_kind(flag: &str) -> &str {
    match flag.split_once(' ') {
        Some(("--max-removals", value)) if value.ends_with('%') => "--max-removals %",
        Some((name, _)) => name,
        None => flag,
    }
}

/// Each override as its flag, and what it means.
pub(super) fn override_flags(overrides: &Overrides) -> Vec<(String, String)> {
    let Overrides {
        max_removals,
        max_removals_percent,
        max_invitations,
        allow_empty,
        without_witness,
    } = overrides;
    let is_number = |limit: &Option<Limit>| matches!(limit, Some(Limit::AtMost(_)));
    let mut flags = Vec::new();
    if let Some(limit) = max_removals {
        flags.push((
            format!("--max-removals {limit}"),
            match limit {
                Limit::AtMost(number) => format!(
                    "a group may lose up to {}",
                    counted(*number as usize, "member", "members")
                ),
                Limit::Off if is_number(max_removals_percent) => {
                    "the share alone counts, not how many".to_owned()
                }
                Limit::Off => "a group may lose any number of members".to_owned(),
            },
        ));
    }
    if let Some(limit) = max_removals_percent {
        let (value, meaning) = match limit {
            Limit::AtMost(number) => (
                format!("{number}%"),
                format!("a group may lose up to {number} % of its members"),
            ),
            Limit::Off => (
                "off%".to_owned(),
                if is_number(max_removals) {
                    "the number alone counts, not which share".to_owned()
                } else {
                    "a group may lose any share of its members".to_owned()
                },
            ),
        };
        flags.push((format!("--max-removals {value}"), meaning));
    }
    if let Some(limit) = max_invitations {
        flags.push((
            format!("--max-invitations {limit}"),
            match limit {
                Limit::AtMost(number) => format!(
                    "the plan may hold up to {}",
                    counted(*number as usize, "invitation", "invitations")
                ),
                Limit::Off => "the plan may hold any number of invitations".to_owned(),
            },
        ));
    }
    for group in allow_empty {
        flags.push((
            format!("--allow-empty {group}"),
            "this group may lose its last member".to_owned(),
        ));
    }
    for group in without_witness {
        flags.push((
            format!("--without-witness {group}"),
            "removals from this group need no proof that the user federation answers".to_owned(),
        ));
    }
    flags
}

/// Returns a flag and its value, quoted for a shell where the value needs it.
pub(super) fn shell_flag(flag: &str) -> String {
    match flag.split_once(' ') {
        Some((name, value)) => format!("{} {}", shell_word(name), shell_word(value)),
        None => shell_word(flag),
    }
}

/// Returns a word as a shell takes it back. What the escapes of invisible characters stand for is lost on a shell, which then
/// finds no such name.
pub(super) fn shell_word(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || "._/%@:+,-".contains(c));
    if is_plain {
        plain(word)
    } else {
        plain(&format!("'{}'", word.replace('\'', "'\"'\"'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BlockCode;
    use crate::render::samples;

    #[test]
    fn a_copied_command_cannot_be_made_to_run_another() {
        for (word, quoted) in [
            ("acme-platform", "acme-platform"),
            ("Acme Platform", "'Acme Platform'"),
            ("x; rm -rf ~", "'x; rm -rf ~'"),
            ("it's $(x)", "'it'\"'\"'s $(x)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }

    #[test]
    fn no_part_of_a_flag_is_obeyed_by_a_shell() {
        for (flag, quoted) in [
            ("--max-removals 40%", "--max-removals 40%"),
            ("--allow-empty it's", "--allow-empty 'it'\"'\"'s'"),
            ("$(touch${IFS}/tmp/pwn) 5", "'$(touch${IFS}/tmp/pwn)' 5"),
            ("`x`", "'`x`'"),
        ] {
            assert_eq!(shell_flag(flag), quoted);
        }
    }

    #[test]
    fn the_command_that_lifts_a_block_keeps_scope_and_other_overrides() {
        let mut plan = samples::scoped_with_overrides();
        let block = |code, flag: &str| Block {
            code,
            group: None,
            message: String::new(),
            flag: flag.to_owned(),
        };
        plan.blocks = vec![
            block(BlockCode::TooManyRemovals, "--max-removals 40"),
            block(BlockCode::TooManyRemovals, "--max-removals 7"),
            block(BlockCode::TooManyInvitations, "--max-invitations 400"),
        ];
        assert_eq!(
            lifting_command(&plan),
            format!(
                "keycloak-to-azure plan --group {} --max-removals 25% --allow-empty acme-platform --max-removals 40 \
                 --max-invitations 400",
                plan.groups[0].azure.id
            )
        );
    }

    #[test]
    fn each_group_of_a_scope_is_named_once_whatever_it_is_called() {
        let mut plan = samples::scoped_with_overrides();
        plan.overrides = Overrides::default();
        let mapping = plan.scope.iter().flatten().next().unwrap().clone();
        let mut namesake = mapping.clone();
        namesake.azure.id = "5a3e0000-0000-4000-8000-000000000001".parse().unwrap();
        plan.scope = Some(vec![mapping.clone(), mapping.clone(), namesake.clone()]);
        assert_eq!(
            lifting_command(&plan),
            format!(
                "keycloak-to-azure plan --group {} --group {}",
                mapping.azure.id, namesake.azure.id
            )
        );
    }
}
