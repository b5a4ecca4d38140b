//! What explain prints: one address on both sides, what leads from one to the other, and what comes of it.

use crate::explain::{
    Belonging, ExplainedAccount, ExplainedPerson, Explanation, MappedMembership, NotCounting,
    Staying,
};
use crate::plan::{Change, Plan};
use crate::report::{ChangeOutcome, Outcome};
use crate::settings::MatchAttribute;

use super::Style;
use super::layout::{hanging_marked, hanging_named};
use super::text::blocks;
use super::words::{
    GroupLabels, People, ProblemWords, Reception, addition_reason, address, field_changes,
    invited_as, listed, name, place, sentence,
};

/// Returns everything that is known about one address. `plan` is the one that the explanation was made with.
pub fn explanation(explanation: &Explanation, plan: &Plan, style: &Style) -> String {
    let style = *style;
    [
        in_keycloak(explanation, style),
        in_entra(explanation, style),
        problems(explanation, style),
        conclusion(explanation, plan, style),
    ]
    .concat()
}

fn in_keycloak(explanation: &Explanation, style: Style) -> String {
    if explanation.people.is_empty() {
        let nobody = format!(
            "shows nobody with the address {}",
            address(explanation.address.as_str())
        );
        return hanging_named("Keycloak   ", &nobody, style.width);
    }
    explanation
        .people
        .iter()
        .map(|person| person_lines(person, style))
        .collect()
}

fn person_lines(explained: &ExplainedPerson, style: Style) -> String {
    let ExplainedPerson {
        person,
        provider,
        does_not_count,
        mapped,
        not_mapped,
        missing_from,
    } = explained;
    let from = match (&person.provider, provider) {
        (None, _) => "from the realm itself".to_owned(),
        (Some(_), Some(name)) => format!("from the user federation {}", place(name)),
        (Some(id), None) => format!("from the user federation {}", place(id.as_str())),
    };
    let email = match &person.email {
        None => "without an address".to_owned(),
        Some(email) => format!(
            "{} ({})",
            address(email),
            if person.email_verified {
                "verified"
            } else {
                "not verified"
            }
        ),
    };
    let who = format!(
        "{} ({}), {}, {email}, id {}, {from}",
        name(Some(&full_name(explained))),
        name(Some(&person.username)),
        match (person.enabled, person.locked_out) {
            (true, false) => "enabled",
            (true, true) => "locked out after too many failed logins",
            (false, _) => "disabled",
        },
        place(person.id.as_str())
    );
    let mut text = hanging_named("Keycloak   ", &who, style.width);
    let counts = match does_not_count {
        None => "  counts in     ",
        Some(_) => "  is in         ",
    };
    for membership in mapped {
        text.push_str(&hanging_named(
            counts,
            &membership_words(membership),
            style.width,
        ));
    }
    if let Some(reason) = does_not_count {
        let reason = match reason {
            NotCounting::Disabled => "because disabled people do not (`users.disabled: remove`)",
            NotCounting::ServiceAccount => "because service accounts never do",
        };
        text.push_str(&hanging_named("  does not count, ", reason, style.width));
    }
    for path in missing_from {
        let words = format!(
            "{}, says Keycloak when asked, but the list of its members lacked this person",
            place(path)
        );
        text.push_str(&hanging_named("  is in         ", &words, style.width));
    }
    for path in not_mapped {
        let words = format!("{}   not mapped", place(path));
        text.push_str(&hanging_named("  is also in    ", &words, style.width));
    }
    if mapped.is_empty() && missing_from.is_empty() && not_mapped.is_empty() {
        text.push_str("  is in no group that Keycloak shows\n");
    }
    text
}

fn full_name(explained: &ExplainedPerson) -> String {
    let person = &explained.person;
    let parts = [person.first_name.as_deref(), person.last_name.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn membership_words(membership: &MappedMembership) -> String {
    let MappedMembership {
        mapping,
        source,
        azure,
        obstacle,
        in_scope,
    } = membership;
    let mut words = format!("{} → {}", place(mapping.as_str()), place(&azure.name));
    if source != mapping {
        words += "   through its sub-group ";
        words += &place(source.as_str());
    }
    if obstacle.is_some() {
        words += "   whose members cannot be managed";
    }
    if !in_scope {
        words += "   which the plan leaves out (`--group`)";
    }
    words
}

fn in_entra(explanation: &Explanation, style: Style) -> String {
    if explanation.accounts.is_empty() {
        let asked = explanation
            .in_entra
            .as_ref()
            .unwrap_or(&explanation.address);
        let attributes: Vec<String> = crate::matching::ALL_ATTRIBUTES
            .iter()
            .map(|attribute| attribute_name(*attribute).to_owned())
            .collect();
        let none = format!(
            "no account has the address {} (looked at {})",
            address(asked.as_str()),
            listed(&attributes, "and")
        );
        return hanging_named("Entra      ", &none, style.width);
    }
    explanation
        .accounts
        .iter()
        .map(|account| account_lines(account, explanation, style))
        .collect()
}

fn account_lines(explained: &ExplainedAccount, explanation: &Explanation, style: Style) -> String {
    let ExplainedAccount {
        account,
        has_address_in,
        belongs_to,
        protected,
        member_of,
    } = explained;
    let mut facts = vec![
        format!(
            "{} ({})",
            name(account.display_name.as_deref()),
            address(&account.user_principal_name)
        ),
        account
            .user_type
            .map_or("no user type".to_owned(), |user_type| user_type.to_string()),
        if account.is_invited() {
            "invited"
        } else {
            "not invited"
        }
        .to_owned(),
    ];
    for (is_so, words) in [
        (account.pending, "has not accepted yet"),
        (!account.enabled, "disabled"),
        (
            account.on_premises,
            "synchronised from an on-premises directory",
        ),
        (*protected, "protected: never touched"),
    ] {
        if is_so {
            facts.push(words.to_owned());
        }
    }
    facts.push(format!("id {}", account.id));
    let mut text = hanging_named("Entra      ", &facts.join(", "), style.width);
    let found = found_by(has_address_in, explanation);
    text.push_str(&hanging_named("  found by      ", &found, style.width));
    let whose = match belongs_to {
        Belonging::To(person) => sentence(person),
        Belonging::Unclear => "it is not clear to whom, so it is left exactly as it is".to_owned(),
        Belonging::Nobody => "nobody who counts in a mapped group".to_owned(),
    };
    text.push_str(&hanging_named("  belongs to    ", &whose, style.width));
    for (group, staying) in member_of {
        let mut words = place(&group.name);
        if let Some(staying) = staying {
            words += ", and ";
            words += staying_words(*staying);
        }
        text.push_str(&hanging_named("  is member of  ", &words, style.width));
    }
    if member_of.is_empty() {
        text.push_str("  is member of no mapped group\n");
    }
    text
}

/// Which attributes hold the address, and which of them decides.
fn found_by(has_address_in: &[MatchAttribute], explanation: &Explanation) -> String {
    let mut names = has_address_in.iter().map(|attribute| {
        let name = attribute_name(*attribute);
        match explanation.deciding {
            Some(deciding) if deciding == *attribute => format!("{name}, which decides"),
            _ if explanation.match_by.contains(attribute) => name.to_owned(),
            _ => format!("{name} (which users.match leaves out)"),
        }
    });
    let Some(first) = names.next() else {
        return "another address of the person".to_owned();
    };
    let rest: Vec<String> = names.collect();
    let mut text = if rest.is_empty() {
        first
    } else {
        format!("{first}; also {}", listed(&rest, "and"))
    };
    if let Some(deciding) = explanation.deciding
        && !has_address_in.contains(&deciding)
    {
        text += "; but another account has the address as ";
        text += attribute_name(deciding);
        text += ", which decides";
    }
    text
}

pub(super) fn staying_words(staying: Staying) -> &'static str {
    match staying {
        Staying::Protected => "stays, because it is protected",
        Staying::Unclear => "is left there, because it is not clear whose it is",
        Staying::RemovesNobody => "stays, because the mapping removes nobody (`removals: none`)",
        Staying::Unmanaged => "stays, because the members of this group cannot be managed",
        Staying::OutOfScope => "is left there, because the plan leaves this group out (`--group`)",
        Staying::Blocked => {
            "is left there while a safety limit blocks the group; whether it would have to go is not shown"
        }
        Staying::RemovesOnlyKnown => {
            "stays: Keycloak does not know it, and the mapping removes only people whom Keycloak knows (`removals: known`)"
        }
        Staying::NotConfirmed => "stays, although no mapping wants it there; see the problems",
    }
}

fn attribute_name(attribute: MatchAttribute) -> &'static str {
    match attribute {
        MatchAttribute::Mail => "mail",
        MatchAttribute::UserPrincipalName => "user principal name",
        MatchAttribute::OtherMails => "other mails",
        MatchAttribute::ProxyAddresses => "proxy addresses",
    }
}

fn problems(explanation: &Explanation, style: Style) -> String {
    let mut text = String::new();
    for provider in &explanation.unseen_providers {
        let line = format!(
            "no enabled person of the user federation {} was seen in any mapped group: while it is out of order, Keycloak shows its \
             people as disabled, in no group, or not at all",
            place(provider)
        );
        let block = hanging_marked("  ! ", "    | ", &line, style.width);
        text.push_str(&style.lines(&block, Style::yellow));
    }
    let problems = explanation.problems.iter().map(|problem| {
        let ProblemWords {
            subject,
            message,
            hint,
        } = ProblemWords::of(problem);
        (format!("{subject} {message}"), hint)
    });
    for (line, hint) in problems {
        let block = hanging_marked("  ! ", "    | ", &line, style.width);
        text.push_str(&style.lines(&block, Style::yellow));
        if let Some(hint) = hint {
            text.push_str(&hanging_named("    ", &hint, style.width));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("{}\n{text}", style.bold("Problems"))
}

fn conclusion(explanation: &Explanation, plan: &Plan, style: Style) -> String {
    let labels = GroupLabels::of(plan);
    let mut lines = String::new();
    for number in &explanation.changes {
        let Some(change) = numbered(plan, *number) else {
            continue;
        };
        lines.push_str(&change_lines(change, &labels, style));
        let mut outcomes = explanation.outcomes.iter().flatten();
        if !plan.is_blocked()
            && let Some(outcome) = outcomes.find(|outcome| outcome.change == *number)
        {
            let verdict = verdict_words(outcome);
            lines.push_str(&hanging_named("      ", &verdict, style.width));
        }
    }
    for change in &explanation.further {
        let (symbol, words) = change_words(change, &labels);
        let line = format!("{words}: not in this plan, so it is not done; plan again");
        lines.push_str(&style.lines(
            &hanging_named(&format!("  {symbol} "), &line, style.width),
            Style::yellow,
        ));
    }
    let heading = match (&explanation.outcomes, lines.is_empty()) {
        (None, false) => "So a plan would hold",
        (None, true) => "So nothing changes",
        (Some(_), false) if plan.is_blocked() => "So this plan holds",
        (Some(_), false) => "So this plan holds, and an apply of it now makes of it",
        (Some(_), true) => "So this plan holds nothing about it, and nothing changes",
    };
    let mut text = String::new();
    if plan.is_blocked() {
        text.push_str(&style.bold("The plan is blocked, and nothing of it can be applied"));
        text.push('\n');
        text.push_str(&blocks(plan, style));
    }
    text.push_str(&style.bold(heading));
    text.push('\n');
    text.push_str(&lines);
    text
}

/// The change of a plan with a number, counted from 1.
fn numbered(plan: &Plan, number: usize) -> Option<&Change> {
    plan.changes.get(number.checked_sub(1)?)
}

/// What would become of a reviewed change now.
fn verdict_words(outcome: &ChangeOutcome) -> String {
    let verdict = match outcome.outcome {
        Outcome::Done => "would be done".to_owned(),
        other => other.to_string(),
    };
    if outcome.message.is_empty() {
        verdict
    } else {
        format!("{verdict}: {}", sentence(&outcome.message))
    }
}

fn change_lines(change: &Change, labels: &GroupLabels<'_>, style: Style) -> String {
    let (symbol, words) = change_words(change, labels);
    let paint = match change {
        Change::Invite(_) | Change::Add(_) => Style::green,
        Change::Update(_) => Style::yellow,
        Change::Remove(_) => Style::red,
    };
    style.lines(
        &hanging_named(&format!("  {symbol} "), &words, style.width),
        paint,
    )
}

/// A change as what happens to the person, with its reason.
fn change_words(change: &Change, labels: &GroupLabels<'_>) -> (&'static str, String) {
    match change {
        Change::Invite(invite) => (
            "+",
            format!(
                "is invited as {} {}; {}",
                address(invite.email.as_str()),
                invited_as(invite),
                Reception::of(invite, People::Named).in_one_line()
            ),
        ),
        Change::Update(update) => (
            "~",
            format!(
                "{} is updated: {}",
                address(&update.account.email),
                field_changes(&update.fields, People::Named).join(", ")
            ),
        ),
        Change::Add(add) => (
            "+",
            format!(
                "{} is added to {}, because the person {}",
                address(add.account.email.as_str()),
                labels.of_group(&add.group),
                addition_reason(add)
            ),
        ),
        Change::Remove(remove) => {
            let reason = labels.removal_reason(remove, str::to_owned);
            (
                "-",
                format!(
                    "{} is removed from {}: {reason}",
                    address(&remove.account.email),
                    labels.of_group(&remove.group)
                ),
            )
        }
    }
}
