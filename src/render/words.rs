//! The words that the renderings share: counts, reasons and names. Everything it returns is harmless text.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use crate::model::{GroupPath, ObjectId, UserType};
use crate::plan::{
    Add, Block, BlockCode, Change, Federation, FederationSource, FieldChange, Fields, GroupName,
    Invite, Overrides, Plan, PlanKind, PlannedGroup, Problem, ProblemCode, RemovalReason, Remove,
    UndoneRun, Update, movements,
};

use crate::report::Run;

use super::escape::shortened;
use super::redact::token_of;

pub(super) use crate::wording::{counted, grouped, listed, time_with_seconds};

const NAME: usize = 60;
const GROUP: usize = 80;
const PATH: usize = 120;
/// No address that can receive mail is longer, so a real one is never shortened.
const ADDRESS: usize = 320;
/// Entra's limit for a display name.
const VALUE: usize = 256;
const SENTENCE: usize = 1_000;
/// Twice as wide as the longest text that the configuration takes has characters.
const MAIL_LINE: usize = 4_000;

/// Paths that are named one by one; of more, the number says more.
const NAMED_PATHS: usize = 4;

/// The changes of a plan by kind, each kind in the plan's order.
#[derive(Default)]
pub(super) struct Changes<'a> {
    pub invite: Vec<&'a Invite>,
    pub update: Vec<&'a Update>,
    pub add: Vec<&'a Add>,
    pub remove: Vec<&'a Remove>,
}

impl<'a> Changes<'a> {
    /// Sorts the changes of a plan by kind.
    pub fn of(plan: &'a Plan) -> Self {
        let mut changes = Self::default();
        for change in &plan.changes {
            match change {
                Change::Invite(invite) => changes.invite.push(invite),
                Change::Update(update) => changes.update.push(update),
                Change::Add(add) => changes.add.push(add),
                Change::Remove(remove) => changes.remove.push(remove),
            }
        }
        changes
    }

    /// Returns "2 to remove, 1 to invite", or `None` if nothing changes.
    pub fn total(&self) -> Option<String> {
        let parts: Vec<String> = [
            (self.remove.len(), "to remove"),
            (self.invite.len(), "to invite"),
            (self.update.len(), "to update"),
            (self.add.len(), "to add"),
        ]
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, verb)| format!("{} {verb}", grouped(*number)))
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Returns the answer of a plan that does nothing and has nothing to say, or `None` for every other.
pub(super) fn nothing_to_do(plan: &Plan) -> Option<String> {
    if !plan.changes.is_empty() || !plan.blocks.is_empty() || !plan.problems.is_empty() {
        return None;
    }
    if plan.overrides != Overrides::default() {
        return None;
    }
    if plan.kind == PlanKind::Undo {
        return Some(
            "Nothing to take back: everything that the run changed is as it was before it."
                .to_owned(),
        );
    }
    Some(format!(
        "Nothing to do: {} and {} are as Keycloak has them{}.",
        counted(plan.groups.len(), "group", "groups"),
        counted(plan.summary.unchanged, "membership", "memberships"),
        if plan.scope.is_some() {
            " (of the groups chosen with --group; the others are not in this plan)"
        } else {
            ""
        }
    ))
}

/// A heading, and which problems stand below it.
pub(super) type ProblemHeading = (&'static str, fn(ProblemCode) -> bool);

/// The headings of problems, with which of them stand below each.
pub(super) const PROBLEM_HEADINGS: [ProblemHeading; 2] = [
    (
        "Problems: left exactly as they are",
        ProblemCode::leaves_as_is,
    ),
    ("To look at, beside what the plan does", |code| {
        !code.leaves_as_is()
    }),
];

/// Returns the totals of a plan: "2 to remove, 1 to invite · 2 problems".
pub(super) fn totals(plan: &Plan) -> String {
    let mut totals = Changes::of(plan)
        .total()
        .unwrap_or_else(|| "Nothing to change".to_owned());
    if !plan.problems.is_empty() {
        totals.push_str(" · ");
        totals.push_str(&counted(plan.problems.len(), "problem", "problems"));
    }
    totals
}

/// Returns the addresses of the people removed, each once.
pub(super) fn addresses_of_removed<'a>(removals: &[&'a Remove]) -> BTreeSet<&'a str> {
    let emails = removals.iter().map(|remove| remove.account.email.as_str());
    emails.collect()
}

/// Returns what removals come to, "2 people lose 3 memberships in all"; `None` if there are none.
pub(super) fn losses(removals: &[&Remove]) -> Option<String> {
    let accounts = removals.iter().map(|remove| &remove.account.id);
    let who = match accounts.collect::<BTreeSet<_>>().len() {
        0 => return None,
        1 => "1 person loses".to_owned(),
        number => format!("{} lose", counted(number, "person", "people")),
    };
    let memberships = counted(removals.len(), "membership", "memberships");
    Some(format!("{who} {memberships} in all"))
}

/// Returns the groups of a plan, those that change first, each with how many join it and how many leave.
pub(super) fn changed_first(plan: &Plan) -> Vec<(&PlannedGroup, (usize, usize))> {
    let movements = movements(&plan.changes);
    let of = |group: &PlannedGroup| movements.get(&group.azure.id).copied();
    let mut groups: Vec<_> = plan.groups.iter().collect();
    groups.sort_by_key(|group| of(group).is_none());
    let groups = groups
        .into_iter()
        .map(|group| (group, of(group).unwrap_or_default()));
    groups.collect()
}

/// Says which other members a group has, "1 member that is not a user, never touched"; `None` if it has none.
pub(super) fn other_members(group: &PlannedGroup) -> Option<String> {
    (group.other_members > 0).then(|| {
        let others = counted(
            group.other_members,
            "member that is not a user",
            "members that are not users",
        );
        format!("{others}, never touched")
    })
}

/// What groups are called, so that no two of a plan have one name.
pub(super) struct GroupLabels<'a> {
    labels: BTreeMap<&'a ObjectId, String>,
    keycloak: BTreeMap<&'a ObjectId, Vec<&'a GroupPath>>,
}

impl<'a> GroupLabels<'a> {
    /// Names the groups of a plan; where two share a display name, the id goes with it.
    pub fn of(plan: &'a Plan) -> Self {
        let mut names: BTreeMap<&ObjectId, &str> = BTreeMap::new();
        let mut keycloak: BTreeMap<&ObjectId, Vec<&GroupPath>> = BTreeMap::new();
        for group in &plan.groups {
            names.insert(&group.azure.id, &group.azure.name);
            keycloak
                .entry(&group.azure.id)
                .or_default()
                .extend(group.keycloak.iter().map(|group| &group.path));
        }
        for change in &plan.changes {
            if let Change::Add(Add { group, .. }) | Change::Remove(Remove { group, .. }) = change {
                names.entry(&group.id).or_insert(&group.name);
            }
        }
        Self::new(names, keycloak)
    }

    /// Names the groups of a run in the same way.
    pub fn of_run(run: &'a Run) -> Self {
        Self::of_runs(std::slice::from_ref(run))
    }

    /// Names the groups of runs in the same way; one that was renamed between them has the newer name.
    pub fn of_runs(runs: &'a [Run]) -> Self {
        let groups = runs.iter().flat_map(|run| {
            let outcomes = run.outcomes.iter().filter_map(|it| it.group.as_ref());
            outcomes.chain(run.steps.iter().filter_map(|it| it.group.as_ref()))
        });
        let names = groups.map(|group| (&group.id, group.name.as_str()));
        Self::new(names.collect(), BTreeMap::new())
    }

    pub(super) fn new(
        names: BTreeMap<&'a ObjectId, &'a str>,
        keycloak: BTreeMap<&'a ObjectId, Vec<&'a GroupPath>>,
    ) -> Self {
        // An accented letter and a letter with its accent are two names, and look like one.
        let as_read = |shown: &str| shown.nfc().collect::<String>();
        let shown: BTreeMap<&ObjectId, String> = names
            .into_iter()
            .map(|(id, name)| (id, shortened(name, GROUP)))
            .collect();
        let mut bearers: BTreeMap<String, usize> = BTreeMap::new();
        for name in shown.values() {
            *bearers.entry(as_read(name)).or_default() += 1;
        }
        let labels = shown
            .into_iter()
            .map(|(id, name)| match bearers.get(&as_read(&name)) {
                Some(2..) => (id, format!("{name} ({id})")),
                _ => (id, name),
            })
            .collect();
        Self { labels, keycloak }
    }

    /// Returns what a group is called.
    pub fn of_group(&self, group: &GroupName) -> String {
        self.labels
            .get(&group.id)
            .cloned()
            .unwrap_or_else(|| shortened(&group.name, GROUP))
    }

    /// Returns the Keycloak groups behind an Azure group, each harmless by itself.
    pub fn keycloak_of(&self, group: &ObjectId) -> Vec<String> {
        self.keycloak
            .get(group)
            .into_iter()
            .flatten()
            .map(|path| shortened(path.as_str(), PATH))
            .collect()
    }

    /// Returns why somebody is removed: "is no longer in /teams/platform", with the paths as `show` makes them.
    pub fn removal_reason(&self, remove: &Remove, show: fn(&str) -> String) -> String {
        self.reason_to_remove(&remove.group.id, remove.because, show)
    }

    /// Returns why somebody is removed from a group.
    pub fn reason_to_remove(
        &self,
        group: &ObjectId,
        because: RemovalReason,
        show: fn(&str) -> String,
    ) -> String {
        match because {
            RemovalReason::Disabled => "is disabled in Keycloak".to_owned(),
            RemovalReason::UnknownToKeycloak => "nobody in Keycloak has this address".to_owned(),
            RemovalReason::Undo => "was added by the run".to_owned(),
            RemovalReason::LeftGroup => {
                let paths: Vec<String> = self
                    .keycloak_of(group)
                    .iter()
                    .map(|path| show(path))
                    .collect();
                match paths.len() {
                    0 => "has left the Keycloak group".to_owned(),
                    1..=NAMED_PATHS => format!("is no longer in {}", listed(&paths, "or")),
                    number => format!("is no longer in any of its {number} Keycloak groups"),
                }
            }
        }
    }
}

/// Returns why somebody is added: "is in /teams/platform".
pub(super) fn addition_reason(add: &Add) -> String {
    let paths: Vec<String> = add
        .because
        .iter()
        .take(NAMED_PATHS)
        .map(|path| shortened(path.as_str(), PATH))
        .collect();
    match add.because.len() {
        // Only what takes a run back adds without a Keycloak group.
        0 => "was removed by the run".to_owned(),
        1..=NAMED_PATHS => format!("is in {}", listed(&paths, "and")),
        number => format!("is in {number} of its Keycloak groups"),
    }
}

/// Returns a display name, or what stands for it where there is none.
pub(super) fn name(display_name: Option<&str>) -> String {
    match display_name {
        Some(name) if !name.trim().is_empty() => shortened(name, NAME),
        _ => "(no name)".to_owned(),
    }
}

/// Returns the name that an invited person gets, or the username where that is left to Entra.
pub(super) fn invited_name(invite: &Invite) -> String {
    name(Some(
        invite
            .set
            .display_name
            .as_deref()
            .unwrap_or(&invite.person.username),
    ))
}

/// Returns an address.
pub(super) fn address(address: &str) -> String {
    shortened(address, ADDRESS)
}

/// Returns a URL, a tenant's name or the like.
pub(super) fn place(text: &str) -> String {
    shortened(text, PATH)
}

/// Returns who started something, as far as that is known.
pub(super) fn started_by(operator: Option<&str>) -> String {
    match operator {
        // Nobody has checked it, and whoever set it chose the words.
        Some(operator) => format!("(as the environment says) {}", place(operator)),
        None => "somebody whom the environment does not name".to_owned(),
    }
}

/// Returns a sentence that another part of the program made, with names in it.
pub(super) fn sentence(text: &str) -> String {
    shortened(text, SENTENCE)
}

/// Returns as what somebody is invited.
pub(super) fn invited_as(invite: &Invite) -> String {
    match invite.set.user_type {
        Some(user_type) => format!("as {user_type}"),
        None => "with the user type that Entra gives".to_owned(),
    }
}

/// How invited people are received: the same for all of a plan, or said for each.
#[derive(PartialEq, Eq)]
pub(super) struct Reception {
    /// Whether a mail is sent, who gets a copy, and where accepting leads to.
    pub sentence: String,
    /// The lines of the text that is given to the mail, to be shown after [`ABOUT_TEXT`]; none without a text.
    pub text: Vec<String>,
}

/// What is to be known of a text before it is read
/// (<https://learn.microsoft.com/entra/external-id/troubleshoot>, on messages that are not included).
pub(super) const ABOUT_TEXT: &str = "The mail is given this text, which Microsoft leaves out where an app invites, or somebody without an address in the tenant:";

impl Reception {
    /// Returns how one person is received.
    pub fn of(invite: &Invite, people: People) -> Self {
        let lines = invite.message.iter().flat_map(|text| text.split('\n'));
        Self {
            sentence: format!(
                "{}, and accepting leads to {}",
                if invite.send_email {
                    mail(invite, people)
                } else {
                    "no mail is sent".to_owned()
                },
                place(&invite.redirect_url)
            ),
            text: lines.map(|line| shortened(line, MAIL_LINE)).collect(),
        }
    }

    /// Returns the reception that all invitations share, if they do.
    pub fn shared(invitations: &[&Invite], people: People) -> Option<Self> {
        let mut receptions = invitations.iter().map(|invite| Self::of(invite, people));
        let first = receptions.next()?;
        receptions.all(|other| other == first).then_some(first)
    }

    /// Returns all of it as one line.
    pub fn in_one_line(&self) -> String {
        let Self { sentence, text } = self;
        if text.is_empty() {
            return sentence.clone();
        }
        let text = text.join("\\n").replace('"', "\\\"");
        format!("{sentence}. {ABOUT_TEXT} \"{text}\"")
    }
}

/// What Microsoft sends: `Microsoft mails the invitation in de-DE, with a copy to people@acme.example`.
fn mail(invite: &Invite, people: People) -> String {
    let mut mail = "Microsoft mails the invitation".to_owned();
    if let Some(language) = &invite.language {
        mail += " in ";
        mail += language.as_str();
        if invite.message.is_some() {
            // https://learn.microsoft.com/graph/api/resources/invitedusermessageinfo
            mail += " (which it ignores where the mail has a text)";
        }
    }
    if let Some(cc) = &invite.cc {
        mail += ", with a copy to ";
        mail += &people.called(cc.as_str());
    }
    mail
}

/// How people are called in a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum People {
    /// By their names and addresses.
    Named,
    /// By the tokens of a redacted plan, in which nobody has a name.
    Redacted,
}

impl People {
    /// How many cells of a line say who somebody is.
    pub fn cells(self) -> usize {
        match self {
            Self::Named => 2,
            Self::Redacted => 1,
        }
    }

    /// Returns the cells that say who somebody is.
    pub fn who(self, name: String, email: &str) -> Vec<String> {
        match self {
            Self::Named => vec![name, self.called(email)],
            Self::Redacted => vec![self.called(email)],
        }
    }

    /// Returns who somebody is, in a sentence: "Ann Ash (ann@partner.example)".
    pub fn in_words(self, display_name: Option<&str>, email: &str) -> String {
        match self {
            Self::Named => format!("{} ({})", name(display_name), self.called(email)),
            Self::Redacted => self.called(email),
        }
    }

    /// Returns the address, or the token that stands for it.
    pub fn called(self, email: &str) -> String {
        address(match self {
            Self::Named => email,
            Self::Redacted => token_of(email),
        })
    }
}

/// Returns the fields of an update: `user type Guest → Member`.
pub(super) fn field_changes(fields: &Fields, people: People) -> Vec<String> {
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    let mut changes = Vec::new();
    if let Some(FieldChange { before, after }) = user_type {
        let shown = |value: Option<UserType>| value.map_or("none", UserType::as_str);
        changes.push(format!("user type {} → {}", shown(*before), shown(*after)));
    }
    for (label, change) in [
        ("display name", display_name),
        ("given name", given_name),
        ("surname", surname),
    ] {
        let Some(FieldChange { before, after }) = change else {
            continue;
        };
        let shown = |value: &Option<String>| value.as_deref().map_or("none".to_owned(), quoted);
        changes.push(match (people, before, after) {
            (People::Named, before, after) => {
                format!("{label} {} → {}", shown(before), shown(after))
            }
            (People::Redacted, Some(_), Some(_)) => format!("another {label}"),
            (People::Redacted, None, _) => format!("a {label} instead of none"),
            (People::Redacted, Some(_), None) => format!("no {label} instead of one"),
        });
    }
    changes
}

/// Quotes keep a value from passing for the words around it.
pub(super) fn quoted(value: &str) -> String {
    format!("\"{}\"", shortened(value, VALUE).replace('"', "\\\""))
}

/// A problem in harmless words.
pub(super) struct ProblemWords {
    pub subject: String,
    pub message: String,
    pub hint: Option<String>,
}

impl ProblemWords {
    /// Returns the words of a problem.
    pub fn of(problem: &Problem) -> Self {
        Self {
            subject: sentence(&problem.subject),
            message: sentence(&problem.message),
            hint: problem.hint.as_deref().map(sentence),
        }
    }
}

/// The words for what makes a plan of this kind: of `plan again with --max-removals 30`.
pub(super) fn again(kind: PlanKind) -> &'static str {
    match kind {
        PlanKind::Sync => "plan again",
        PlanKind::Undo => "undo the run again",
    }
}

/// What a plan that takes a run back does, and what it does not: one sentence each.
pub(super) struct UndoWords {
    /// Which run.
    pub run: String,
    /// That it does not last by itself.
    pub warning: &'static str,
}

/// Returns what is to be said of a plan that takes a run back; `None` for every other.
pub(super) fn undo_words(plan: &Plan) -> Option<UndoWords> {
    let UndoneRun {
        run_id,
        plan_id,
        kind,
        time: began,
    } = plan.undoes.as_ref()?;
    Some(UndoWords {
        run: format!(
            "Takes back what run {} of {} did with plan {}",
            place(run_id),
            time(*began),
            place(plan_id)
        ),
        warning: match kind {
            PlanKind::Sync => {
                "Keycloak is not asked. The next plan will want the same changes again, unless Keycloak or the mapping is put right first."
            }
            PlanKind::Undo => {
                "Keycloak is not asked. That run took back another; this plan brings back what it took."
            }
        },
    })
}

/// Returns how much needs no change: "44 memberships are already right".
pub(super) fn already_so(plan: &Plan) -> String {
    let number = plan.summary.unchanged;
    match plan.kind {
        PlanKind::Sync => counted(number, "membership is", "memberships are") + " already right",
        PlanKind::Undo => counted(number, "change is", "changes are") + " taken back already",
    }
}

/// Returns by what to recognise the configuration of a plan: the beginning of its digest.
pub(super) fn configuration(plan: &Plan) -> String {
    let digits = plan.config_sha256.chars().filter(char::is_ascii_hexdigit);
    digits.take(12).collect()
}

/// Returns the blocks of a plan, each with what to ask oneself if that was not the intention. What was asked already is not asked again:
/// where fifty groups lose too many, it is for one reason.
pub(super) fn blocks_with_questions(
    plan: &Plan,
) -> impl Iterator<Item = (&Block, Option<&'static str>)> {
    let mut asked = BTreeSet::new();
    plan.blocks.iter().map(move |block| {
        let question = question(block.code, plan.kind);
        (block, asked.insert(question).then_some(question))
    })
}

/// Returns what to ask oneself where a limit is exceeded and that was not the intention.
fn question(code: BlockCode, kind: PlanKind) -> &'static str {
    match code {
        _ if kind == PlanKind::Undo => {
            "did that run really add so many, and were none of them members for another reason?"
        }
        BlockCode::TooManyRemovals => {
            "is a user federation (LDAP) of the realm disabled or out of order, or was a group emptied or moved by mistake?"
        }
        BlockCode::WouldEmptyGroup => {
            "was the Keycloak group emptied, moved or made anew by mistake, or is the wrong one mapped?"
        }
        BlockCode::EmptySource => {
            "is the wrong Keycloak group mapped, may the account that reads not see its members, or is a user federation (LDAP) \
             out of order?"
        }
        BlockCode::TooManyInvitations => {
            "is the wrong Keycloak group mapped, or do the people have accounts that users.match or users.email_domains miss?"
        }
    }
}

/// Returns what a plan knows of user federation, as a sentence.
pub(super) fn federation(plan: &Plan) -> String {
    federation_of(plan.source.federation.as_ref())
}

/// Returns what is known of user federation, as a sentence.
pub(super) fn federation_of(federation: Option<&Federation>) -> String {
    let Some(federation) = federation else {
        return "Whether people come from a user federation (LDAP) is not known, so nobody is removed who has an address that Keycloak \
                does not know."
            .to_owned();
    };
    let names: Vec<String> = federation
        .providers
        .iter()
        .map(|provider| place(provider.name.as_deref().unwrap_or(provider.id.as_str())))
        .collect();
    let source = match federation.known_from {
        FederationSource::Components => "read from the realm",
        FederationSource::Seen => "seen among the people read",
        FederationSource::Declared => "keycloak_federation: none",
    };
    match names.len() {
        0 => format!("People come from no user federation ({source})."),
        1..=5 => format!(
            "People also come from user federation: {} ({source}).",
            listed(&names, "and")
        ),
        number => format!("People also come from {number} user federation providers ({source})."),
    }
}

/// Returns how long something took: "3.2 s", "2 h 05 min".
pub(super) fn seconds_of(took: jiff::SignedDuration) -> String {
    let seconds = took.as_secs_f64();
    let minutes = took.as_secs() / 60;
    match minutes {
        0 => format!("{seconds:.1} s"),
        1..60 => format!("{minutes} min {:02} s", took.as_secs() % 60),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

/// Returns how long something lasts, to the minute or the hour: "30 min", "24 h", "2 days 3 h".
pub(super) fn lasting(duration: jiff::SignedDuration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let with = |rest: i64, unit: &str| match rest {
        0 => String::new(),
        rest => format!(" {rest} {unit}"),
    };
    match (minutes, hours) {
        (0, _) => format!("{seconds} s"),
        (_, 0) => format!("{minutes} min"),
        (_, 1..48) => format!("{hours} h{}", with(minutes % 60, "min")),
        _ => format!("{} days{}", hours / 24, with(hours % 24, "h")),
    }
}

/// Returns a time as people write it.
pub(super) fn time(time: jiff::Timestamp) -> String {
    time.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn a_value_cannot_pass_for_the_words_around_it() {
        let fields = Fields {
            surname: Some(FieldChange {
                before: None,
                after: Some("Ek\", user type Guest → \"Member".to_owned()),
            }),
            ..Fields::default()
        };
        assert_eq!(
            field_changes(&fields, People::Named),
            ["surname none → \"Ek\\\", user type Guest → \\\"Member\""]
        );
    }

    #[test]
    fn groups_of_one_name_are_told_apart_by_their_ids() {
        let mut plan = samples::every_kind();
        let name = plan.groups[0].azure.name.clone();
        plan.groups[1].azure.name = name.clone();
        let labels = GroupLabels::of(&plan);
        let (first, second) = (&plan.groups[0].azure, &plan.groups[1].azure);
        assert_eq!(labels.of_group(first), format!("{name} ({})", first.id));
        assert_ne!(labels.of_group(first), labels.of_group(second));
        assert_eq!(
            labels.of_group(&plan.groups[2].azure),
            plan.groups[2].azure.name
        );
    }

    #[test]
    fn groups_whose_names_look_the_same_are_told_apart_by_their_ids() {
        let mut plan = samples::every_kind();
        plan.groups[0].azure.name = "\u{c9}quipe".to_owned();
        plan.groups[1].azure.name = "E\u{301}quipe".to_owned();
        let labels = GroupLabels::of(&plan);
        for group in &plan.groups[..2] {
            let GroupName { id, name } = &group.azure;
            assert_eq!(labels.of_group(&group.azure), format!("{name} ({id})"));
        }
    }
}
