//! Audits for whoever files them: the answer, what is to be looked into, each group with everybody in it, and what was read. What each
//! place that they go to shows is made of one [`Document`].

mod csv;
mod markdown;
mod text;

pub use csv::audit_csv;
pub use markdown::audit_markdown;
pub use text::audit_text;

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{
    Audit, AuditedAccount, AuditedGroup, Deviation, Doubt, Findings, Happened, Missing,
    MissingMember, NoMatter, Now, PendingInvitation, Reason, ReasonedMember, SinceReport,
    UnmappedAccount, Unreasoned, UnreasonedMember,
};
use crate::model::{Address, GroupPath, ObjectId, PersonId, UserType};
use crate::plan::{Action, GroupName};
use crate::snapshot::Obstacle;

use super::explain::staying_words;
use super::words::{
    GroupLabels, People, ProblemWords, address, counted, federation_of, field_changes, grouped,
    listed, name, place, sentence, started_by, time_with_seconds,
};

/// An audit in harmless words.
pub(super) struct Document {
    /// "In order", or what is to be looked into.
    pub answer: String,
    /// Whether it is in order.
    pub in_order: bool,
    /// The limits that a plan made now would exceed, and what it could not cover.
    pub problems: Vec<ProblemWords>,
    /// The mapped groups.
    pub groups: Vec<GroupPart>,
    /// What concerns no single group.
    pub lists: Vec<List>,
    /// What was read, when, and by whom.
    pub evidence: Vec<(&'static str, String)>,
}

/// A mapped group.
pub(super) struct GroupPart {
    /// What it is called.
    pub name: String,
    /// What is known of it as a whole.
    pub facts: String,
    /// Who is in it or should be.
    pub lists: Vec<List>,
}

/// What the people of a list have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// They are in the group without a reason.
    Unreasoned,
    /// They should be in the group and are not.
    Missing,
    /// They are in the group, for a reason.
    Reasoned,
    /// They have not accepted their invitation.
    Pending,
    /// They have an invited account and are in no mapped group.
    Unmapped,
    /// Their account is to be updated.
    Updated,
    /// What a report says of them is not so any more.
    Changed,
    /// Their account was made by others since, or they accepted their invitation.
    Happened,
}

/// A list of people.
pub(super) struct List {
    /// What they have in common.
    pub finding: Finding,
    /// What they have in common.
    pub heading: String,
    /// The people.
    pub rows: Vec<Row>,
}

impl List {
    /// The heading, with how many there are.
    pub fn counted_heading(&self) -> String {
        match self.rows.len() {
            0 => self.heading.clone(),
            number => format!("{} ({})", self.heading, grouped(number)),
        }
    }
}

/// Somebody, and what there is to say.
pub(super) struct Row {
    /// Whom it is about, by their address or by what they are called; `None` if it is nobody.
    pub whom: Option<String>,
    /// Who that is in Keycloak, if they were looked for there.
    pub person: Option<PersonId>,
    /// Whether it is to be looked into.
    pub to_look_into: bool,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// What the account is like: "Member", "Guest, disabled".
    pub account: String,
    /// What there is to say.
    pub words: String,
    /// The object id of the account, if there is one.
    pub id: String,
}

impl Row {
    /// Who it is, what their account is like, and what there is to say.
    pub fn cells(&self) -> [&str; 4] {
        [&self.name, &self.email, &self.account, &self.words]
    }
}

/// Where there is nothing to say.
const NOTHING: &str = "–";

impl Document {
    /// Says an audit in words.
    pub fn of(audit: &Audit) -> Self {
        let labels = GroupLabels::of_audit(audit);
        let shared = shared_addresses(audit);
        let lists = [
            pending_list(audit, &labels),
            unmapped_list(audit),
            updates_list(audit),
            audit.since.as_ref().map(|since| since_list(since, &labels)),
            audit.since.as_ref().and_then(by_others_list),
        ];
        let blocks = audit.blocks.iter().map(|block| ProblemWords {
            subject: "A plan made now is blocked:".to_owned(),
            message: sentence(&block.message),
            hint: None,
        });
        Self {
            answer: answer(audit),
            in_order: audit.in_order,
            problems: blocks
                .chain(audit.problems.iter().map(ProblemWords::of))
                .collect(),
            groups: audit
                .groups
                .iter()
                .map(|group| group_part(group, &labels, &shared))
                .collect(),
            lists: lists.into_iter().flatten().collect(),
            evidence: evidence(audit),
        }
    }
}

fn answer(audit: &Audit) -> String {
    let Findings {
        without_reason,
        missing,
        pending,
        unmapped,
        updates,
        changed,
        doubts,
        blocks,
        problems,
    } = audit.findings;
    if audit.in_order {
        return in_order(audit);
    }
    let found: Vec<String> = [
        (
            without_reason,
            "member without a reason",
            "members without a reason",
        ),
        (missing, "membership missing", "memberships missing"),
        (
            pending,
            "invitation not accepted",
            "invitations not accepted",
        ),
        (
            unmapped,
            "invited account in no mapped group",
            "invited accounts in no mapped group",
        ),
        (updates, "account to be updated", "accounts to be updated"),
        (
            changed,
            "change undone since the report",
            "changes undone since the report",
        ),
        (
            doubts,
            "thing that the report leaves open",
            "things that the report leaves open",
        ),
        (blocks, "limit exceeded", "limits exceeded"),
        (problems, "problem", "problems"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, many)| counted(number, one, many))
    .collect();
    format!("Not in order: {}", found.join(", "))
}

/// The answer of an audit that found nothing, with what was not looked into, or left because the configuration asks for it.
fn in_order(audit: &Audit) -> String {
    let groups = audit.groups.iter();
    let left: usize = groups.map(|group| group.without_reason.len()).sum();
    let mut parts = vec![
        counted(audit.groups.len(), "group", "groups"),
        counted(
            audit.read.memberships - left,
            "membership with a reason",
            "memberships with a reason",
        ),
    ];
    if left > 0 {
        parts.push(format!(
            "{} that the configuration leaves without one",
            grouped(left)
        ));
    }
    let others = audit.read.other_members;
    if others > 0 {
        parts.push(counted(
            others,
            "member that is not a user and was not looked into",
            "members that are not users and were not looked into",
        ));
    }
    format!("In order: {}", parts.join(", "))
}

/// The addresses that several people have who should be in a group and are not. By such an address nobody is known.
fn shared_addresses(audit: &Audit) -> BTreeSet<&Address> {
    let mut people: BTreeMap<&Address, BTreeSet<&PersonId>> = BTreeMap::new();
    for member in audit.groups.iter().flat_map(|group| &group.missing) {
        if let Some(email) = &member.email {
            people.entry(email).or_default().insert(&member.person.id);
        }
    }
    let shared = people.into_iter().filter(|(_, people)| people.len() > 1);
    shared.map(|(email, _)| email).collect()
}

fn group_part(
    group: &AuditedGroup,
    labels: &GroupLabels<'_>,
    shared: &BTreeSet<&Address>,
) -> GroupPart {
    let members = group.members.len() + group.without_reason.len();
    let mut facts = vec![
        format!(
            "from {}",
            listed(&labels.keycloak_of(&group.azure.id), "and")
        ),
        counted(members, "member", "members"),
        format!("id {}", group.azure.id),
    ];
    if group.other_members > 0 {
        facts.push(counted(
            group.other_members,
            "more member that is not a user, and was not looked into",
            "more members that are not users, and were not looked into",
        ));
    }
    if let Some(obstacle) = group.obstacle {
        facts.push(format!(
            "cannot be managed: it {}",
            obstacle_words(obstacle)
        ));
    }
    let lists = [
        list(
            Finding::Unreasoned,
            "In it without a reason",
            group
                .without_reason
                .iter()
                .map(|member| unreasoned_row(member, group, labels)),
        ),
        list(
            Finding::Missing,
            "Should be in it and is not",
            group
                .missing
                .iter()
                .map(|member| missing_row(member, shared)),
        ),
        list(
            Finding::Reasoned,
            "In it, and why",
            group.members.iter().map(member_row),
        ),
    ];
    GroupPart {
        name: labels.of_group(&group.azure),
        facts: facts.join(" · "),
        lists: lists.into_iter().flatten().collect(),
    }
}

fn list(finding: Finding, heading: &str, rows: impl Iterator<Item = Row>) -> Option<List> {
    let rows: Vec<Row> = rows.collect();
    (!rows.is_empty()).then(|| List {
        finding,
        heading: heading.to_owned(),
        rows,
    })
}

fn row(account: &AuditedAccount, to_look_into: bool, words: String) -> Row {
    Row {
        whom: Some(account.email.clone()),
        person: None,
        to_look_into,
        name: name(account.display_name.as_deref()),
        email: address(&account.email),
        account: account_words(account),
        words,
        id: account.id.to_string(),
    }
}

fn account_words(account: &AuditedAccount) -> String {
    let user_type = account.user_type.map_or("no user type", UserType::as_str);
    let mut facts = vec![user_type];
    if account.pending {
        facts.push("not accepted yet");
    }
    if !account.enabled {
        facts.push("disabled");
    }
    facts.join(", ")
}

fn member_row(member: &ReasonedMember) -> Row {
    let person = name(Some(&member.person.username));
    row(
        &member.account,
        false,
        format!("{person} {}", reasons(&member.because)),
    )
}

fn unreasoned_row(
    member: &UnreasonedMember,
    group: &AuditedGroup,
    labels: &GroupLabels<'_>,
) -> Row {
    let words = match member.what {
        Unreasoned::WouldBeRemoved(because) => format!(
            "{}; a plan made now removes it",
            labels.reason_to_remove(&group.azure.id, because, str::to_owned)
        ),
        Unreasoned::Stays(staying) => staying_words(staying).to_owned(),
    };
    row(&member.account, !member.as_configured, words)
}

fn missing_row(member: &MissingMember, shared: &BTreeSet<&Address>) -> Row {
    let what = match &member.what {
        Missing::WouldBeAdded => "a plan made now adds this person".to_owned(),
        Missing::WouldBeInvited => "a plan made now invites and adds this person".to_owned(),
        Missing::Protected => "protected, so nothing is changed".to_owned(),
        Missing::Unmanaged(obstacle) => {
            format!(
                "the group cannot be managed: it {}",
                obstacle_words(*obstacle)
            )
        }
        Missing::Problems(_) => "left exactly as is; see the problems".to_owned(),
    };
    let email = member.email.as_ref();
    let own = email.filter(|email| !shared.contains(email));
    Row {
        whom: Some(own.map_or_else(|| member.name.clone(), ToString::to_string)),
        person: Some(member.person.id.clone()),
        to_look_into: !member.as_configured,
        name: name(Some(&member.name)),
        email: email.map_or_else(|| NOTHING.to_owned(), |email| address(email.as_str())),
        account: NOTHING.to_owned(),
        words: format!("{}; {what}", reasons(&member.because)),
        id: NOTHING.to_owned(),
    }
}

/// "is in /teams/platform", "is in /teams/platform/core, below /teams/platform".
fn reasons(because: &[Reason]) -> String {
    let mut by_group: BTreeMap<&GroupPath, Vec<&GroupPath>> = BTreeMap::new();
    for Reason { mapping, group } in because {
        by_group.entry(group).or_default().push(mapping);
    }
    let named: Vec<String> = by_group
        .into_iter()
        .map(|(group, mappings)| {
            let shown = place(group.as_str());
            if mappings.contains(&group) {
                return shown;
            }
            let above: Vec<String> = mappings.iter().map(|path| place(path.as_str())).collect();
            format!("{shown} (below {})", listed(&above, "and"))
        })
        .collect();
    format!("is in {}", listed(&named, "and"))
}

fn obstacle_words(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Dynamic => "has a dynamic membership",
        Obstacle::OnPremises => "is synchronised from an on-premises directory",
        Obstacle::MailEnabled => "is mail-enabled",
        Obstacle::RoleAssignable => "can hold directory roles",
    }
}

fn pending_list(audit: &Audit, labels: &GroupLabels<'_>) -> Option<List> {
    let now = audit.evidence.ended;
    let rows = audit.pending.iter().map(|pending| {
        let PendingInvitation {
            account,
            since,
            groups,
        } = pending;
        let since = match since {
            Some(since) => {
                let days = now.duration_since(*since).as_hours() / 24;
                let days = counted(usize::try_from(days).unwrap_or(0), "day", "days");
                format!("open since {}, {} ago", time_with_seconds(*since), days)
            }
            None => "Entra does not say since when".to_owned(),
        };
        let groups: Vec<String> = groups.iter().map(|group| labels.of_group(group)).collect();
        let member = if groups.is_empty() {
            "in no mapped group".to_owned()
        } else {
            format!("in {}", listed(&groups, "and"))
        };
        row(account, true, format!("{since}, {member}"))
    });
    let heading = format!(
        "Invitations not accepted after {}",
        counted(audit.pending_days as usize, "day", "days")
    );
    list(Finding::Pending, &heading, rows)
}

fn unmapped_list(audit: &Audit) -> Option<List> {
    let rows = audit.unmapped.iter().map(|unmapped| {
        let UnmappedAccount {
            account,
            created,
            as_configured,
            no_matter,
        } = unmapped;
        let made = match created {
            Some(created) => format!("made on {}", time_with_seconds(*created)),
            None => "Entra does not say when it was made".to_owned(),
        };
        let note = match no_matter {
            // The column of the account says so.
            None | Some(NoMatter::Disabled) => "",
            Some(NoMatter::Protected) => ", protected",
            Some(NoMatter::OtherDomain) => ", of a domain that nobody is invited from here",
        };
        row(account, !as_configured, made + note)
    });
    list(
        Finding::Unmapped,
        "Invited accounts in no mapped group",
        rows,
    )
}

fn updates_list(audit: &Audit) -> Option<List> {
    let rows = audit.updates.iter().map(|update| Row {
        whom: Some(update.account.email.clone()),
        person: None,
        to_look_into: true,
        name: name(update.account.display_name.as_deref()),
        email: address(&update.account.email),
        account: NOTHING.to_owned(),
        words: field_changes(&update.fields, People::Named).join(", "),
        id: update.account.id.to_string(),
    });
    list(
        Finding::Updated,
        "Accounts that a plan made now updates",
        rows,
    )
}

fn since_list(since: &SinceReport, labels: &GroupLabels<'_>) -> List {
    let doubts = since.doubts.iter().map(doubt_row);
    let changed = since.changed.iter().map(|it| deviation_row(it, labels));
    let mut facts = vec![format!("{} as left", grouped(since.unchanged))];
    if !since.changed.is_empty() {
        facts.push(format!("{} not", grouped(since.changed.len())));
    }
    if since.not_read > 0 {
        facts.push(format!(
            "{} in groups that are not mapped",
            grouped(since.not_read)
        ));
    }
    List {
        finding: Finding::Changed,
        heading: format!(
            "Since the report: of what its runs wrote, {}",
            listed(&facts, "and")
        ),
        rows: doubts.chain(changed).collect(),
    }
}

fn by_others_list(since: &SinceReport) -> Option<List> {
    let rows = since.by_others.iter().map(|happening| {
        let on = time_with_seconds(happening.time);
        let words = match happening.what {
            Happened::Made => format!("was made on {on}, by no run of the report"),
            Happened::Accepted => format!("the invitation was accepted on {on}"),
        };
        row(&happening.account, false, words)
    });
    list(
        Finding::Happened,
        "Since the report: invited accounts that others made, and invitations accepted",
        rows,
    )
}

fn doubt_row(doubt: &Doubt) -> Row {
    let (run, words) = match doubt {
        Doubt::NoEnd(run) => (
            run,
            "has no end in the report: what was on its way when it stopped is not known".to_owned(),
        ),
        Doubt::Uncertain(run, change) => (
            run,
            format!("does not know whether it made change {change}, because no answer told"),
        ),
    };
    Row {
        whom: None,
        person: None,
        to_look_into: true,
        name: format!("run {}", place(&run.run_id)),
        email: NOTHING.to_owned(),
        account: NOTHING.to_owned(),
        words,
        id: NOTHING.to_owned(),
    }
}

fn deviation_row(deviation: &Deviation, labels: &GroupLabels<'_>) -> Row {
    let Deviation {
        change,
        action,
        time,
        account,
        group,
        now,
        ..
    } = deviation;
    let group = group
        .as_ref()
        .map(|group| labels.of_group(group))
        .unwrap_or_default();
    let done = match action {
        Action::Invite => "was invited".to_owned(),
        Action::Update => "was updated".to_owned(),
        Action::Add => format!("was added to {group}"),
        Action::Remove => format!("was removed from {group}"),
    };
    let now = match now {
        Now::NotMember => "is not in it now".to_owned(),
        Now::MemberAgain => "is in it again".to_owned(),
        Now::NoAccount => "the account is gone".to_owned(),
        Now::OtherValues(fields) => format!(
            "is different now: {}",
            field_changes(fields, People::Named).join(", ")
        ),
    };
    Row {
        whom: Some(account.email.clone()),
        person: None,
        to_look_into: true,
        name: name(account.display_name.as_deref()),
        email: address(&account.email),
        account: NOTHING.to_owned(),
        words: format!(
            "{done} on {} (change {change}) and {now}",
            time_with_seconds(*time)
        ),
        id: account
            .id
            .as_ref()
            .map_or_else(|| NOTHING.to_owned(), ToString::to_string),
    }
}

fn evidence(audit: &Audit) -> Vec<(&'static str, String)> {
    let Audit {
        read,
        federation,
        evidence,
        ..
    } = audit;
    vec![
        (
            "Keycloak",
            format!(
                "{} realm {}: {} and {}, completely, as {}. {}",
                place(&evidence.source.url),
                place(&evidence.source.realm),
                counted(read.keycloak_groups, "group", "groups"),
                counted(read.people, "person in them", "people in them"),
                place(&evidence.keycloak_account),
                federation_of(federation.as_ref())
            ),
        ),
        (
            "Entra",
            format!(
                "{} (tenant {}) at {}: {} with {}, and {}, {}, completely, as app {}",
                place(&evidence.target.tenant_name),
                evidence.target.tenant_id,
                place(&evidence.target.graph_url),
                counted(read.azure_groups, "group", "groups"),
                counted(read.memberships, "membership", "memberships"),
                counted(read.accounts, "account", "accounts"),
                counted(read.invited_accounts, "of them invited", "of them invited"),
                place(&evidence.app_id)
            ),
        ),
        ("Asked", asked(audit)),
        ("Began", time_with_seconds(evidence.began)),
        ("Ended", time_with_seconds(evidence.ended)),
        ("By", started_by(evidence.operator.as_deref())),
        (
            "With",
            format!(
                "keycloak-to-azure {}, configuration {}",
                place(&evidence.tool_version),
                place(&evidence.config_sha256)
            ),
        ),
    ]
}

/// What the audit was asked to look for.
fn asked(audit: &Audit) -> String {
    let days = counted(audit.pending_days as usize, "day", "days");
    let mut asked = format!("which invitations have not been accepted after {days}");
    if let Some(since) = &audit.since {
        let runs = since.runs.iter().map(|run| {
            format!(
                "{} of {} (plan {})",
                place(&run.run_id),
                time_with_seconds(run.began),
                place(&run.plan_id)
            )
        });
        let runs: Vec<String> = runs.collect();
        asked.push_str(", and what is not so any more of ");
        if runs.is_empty() {
            asked.push_str("a report of dry runs, which wrote nothing");
        } else {
            asked.push_str("what these runs wrote: ");
            asked.push_str(&listed(&runs, "and"));
        }
    }
    asked
}

impl<'a> GroupLabels<'a> {
    /// Names the groups of an audit, as those of a plan.
    fn of_audit(audit: &'a Audit) -> Self {
        let groups = audit.groups.iter();
        let mut names: BTreeMap<&ObjectId, &str> = groups
            .clone()
            .map(|group| (&group.azure.id, group.azure.name.as_str()))
            .collect();
        let deviations = audit.since.iter().flat_map(|since| &since.changed);
        for GroupName { id, name } in deviations.filter_map(|it| it.group.as_ref()) {
            names.entry(id).or_insert(name);
        }
        let paths = |group: &'a AuditedGroup| group.keycloak.iter().map(|group| &group.path);
        Self::new(
            names,
            groups
                .map(|group| (&group.azure.id, paths(group).collect()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::render::samples;

    #[test]
    fn days_are_counted_in_whole_ones_and_with_their_noun() {
        for (hours, days) in [
            (-5, "0 days ago"),
            (23, "0 days ago"),
            (47, "1 day ago"),
            (48, "2 days ago"),
            (24 * 1_204, "1,204 days ago"),
        ] {
            let mut audit = samples::audit();
            let since = audit.pending[0].since.unwrap();
            audit.evidence.ended = since + SignedDuration::from_hours(hours);
            let markdown = audit_markdown(&audit);
            assert!(markdown.contains(&format!(" UTC, {days}")), "{markdown}");
        }
    }
}
