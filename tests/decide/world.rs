//! Two directories as data, that tests put together, change and let plans be made for and carried out on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keycloak_to_azure::diff::{Decision, Draft, draft};
use keycloak_to_azure::mapping::Inputs;
use keycloak_to_azure::matching::addresses_of;
use keycloak_to_azure::model::{Address, GroupPath, ObjectId, UserType};
use keycloak_to_azure::plan::{
    Change, FORMAT_VERSION, NewAccount, Overrides, Plan, PlanKind, Problem, ProblemCode,
    ScopeMapping, Source, Target,
};
use keycloak_to_azure::removal::{FoundPerson, ProofRequest, Proofs};
use keycloak_to_azure::report::Run;
use keycloak_to_azure::settings::{
    DisabledPolicy, DisplayNameTemplate, FederationSetting, InvitationRules, Limit, Limits,
    Mapping, MatchAttribute, RemovalPolicy, Settings, UnverifiedPolicy, UpdatePolicy, UserRules,
};
use keycloak_to_azure::snapshot::{
    Account, DeletedAccount, EntraGroup, EntraSnapshot, FederationProvider, KeycloakGroup,
    KeycloakSnapshot, Person, Tenant,
};

use keycloak_to_azure::undo::{Present, undo, undone};

/// Something that happens to a world.
pub type Happening = fn(&mut World);

/// An object id made of a number.
pub fn id(number: usize) -> ObjectId {
    format!("00000000-0000-4000-8000-{number:012x}")
        .parse()
        .unwrap()
}

/// Both directories, and the settings.
#[derive(Debug, Clone)]
pub struct World {
    pub people: BTreeMap<String, Person>,
    /// Direct members of each Keycloak group, by path. A path below another is its sub-group.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    pub components: Option<Vec<FederationProvider>>,
    pub accounts: BTreeMap<ObjectId, Account>,
    pub deleted: Vec<DeletedAccount>,
    /// Whether Entra does not show them.
    pub hides_deleted: bool,
    pub azure: BTreeMap<String, EntraGroup>,
    pub settings: Settings,
    pub overrides: Overrides,
    pub scope: Option<Vec<ScopeMapping>>,
    pub may_manage_role_assignable: bool,
    next_id: usize,
}

/// A realm without user federation, and a tenant; nobody and nothing in them.
pub fn empty() -> World {
    World {
        people: BTreeMap::new(),
        groups: BTreeMap::new(),
        components: Some(Vec::new()),
        accounts: BTreeMap::new(),
        deleted: Vec::new(),
        hides_deleted: false,
        azure: BTreeMap::new(),
        settings: Settings {
            mappings: Vec::new(),
            federation: FederationSetting::Auto,
            users: UserRules {
                user_type: Some(UserType::Member),
                update: UpdatePolicy::Invited,
                display_name: DisplayNameTemplate::parse("{first_name} {last_name}").unwrap(),
                match_by: vec![
                    MatchAttribute::Mail,
                    MatchAttribute::UserPrincipalName,
                    MatchAttribute::OtherMails,
                    MatchAttribute::ProxyAddresses,
                ],
                email_domains: BTreeMap::new(),
                disabled: DisabledPolicy::Remove,
                unverified_email: UnverifiedPolicy::Allow,
            },
            invitations: InvitationRules {
                redirect_url: "https://portal.azure.com/{tenant_id}".to_owned(),
                send_email: false,
                message: None,
                language: None,
                cc: None,
                allowed_domains: Vec::new(),
            },
            limits: Limits {
                removals: Limit::AtMost(5),
                removals_percent: Limit::AtMost(20),
                invitations: Limit::AtMost(100),
            },
            protected: Vec::new(),
        },
        overrides: Overrides::default(),
        scope: None,
        may_manage_role_assignable: false,
        next_id: 1,
    }
}

/// A world with the mapping `/team` → `acme-team` and so many people in both, `p0` on, as they should be.
pub fn team_of(size: usize) -> World {
    let mut world = empty();
    world.map("/team", "acme-team");
    for number in 0..size {
        let username = format!("p{number}");
        world.person(&username);
        world.join(&username, "/team");
        let account = world.new_account(&username);
        world.add_member(&account, "acme-team");
    }
    world
}

impl World {
    fn fresh_id(&mut self) -> ObjectId {
        self.next_id += 1;
        id(self.next_id)
    }

    /// Maps a Keycloak group to an Azure group; makes both where they are missing.
    pub fn map(&mut self, keycloak: &str, azure: &str) -> &mut Mapping {
        self.groups.entry(keycloak.to_owned()).or_default();
        if !self.azure.contains_key(azure) {
            let id = self.fresh_id();
            self.azure.insert(
                azure.to_owned(),
                EntraGroup {
                    id,
                    name: azure.to_owned(),
                    dynamic: false,
                    on_premises: false,
                    mail_enabled: false,
                    role_assignable: false,
                    members: BTreeSet::new(),
                    other_members: 0,
                },
            );
        }
        self.settings.mappings.push(Mapping {
            keycloak: keycloak.parse().unwrap(),
            azure: azure.to_owned(),
            subgroups: false,
            removals: RemovalPolicy::All,
            allow_empty: false,
            keycloak_line: 1,
            azure_line: 2,
        });
        self.settings.mappings.last_mut().unwrap()
    }

    /// Gives an Azure group another display name. Its mappings go on meaning it, by its id.
    pub fn call(&mut self, azure: &str, name: &str) {
        let Some(mut group) = self.azure.remove(azure) else {
            return;
        };
        name.clone_into(&mut group.name);
        let id = group.id.to_string();
        for mapping in &mut self.settings.mappings {
            if mapping.azure == azure {
                mapping.azure.clone_from(&id);
            }
        }
        self.azure.insert(id, group);
    }

    /// The Azure group of a mapping.
    pub fn group_of(&self, mapping: &Mapping) -> &EntraGroup {
        &self.azure[&mapping.azure]
    }

    /// A person `ann`: Ann Example, ann@partner.example, enabled, of the realm itself.
    pub fn person(&mut self, username: &str) -> &mut Person {
        self.people
            .entry(username.to_owned())
            .or_insert_with(|| Person {
                id: format!("kc-{username}").parse().unwrap(),
                username: username.to_owned(),
                email: Some(format!("{username}@partner.example")),
                email_verified: true,
                first_name: Some(capitalised(username)),
                last_name: Some("Example".to_owned()),
                enabled: true,
                locked_out: false,
                provider: None,
            })
    }

    /// Puts a person into a Keycloak group.
    pub fn join(&mut self, username: &str, path: &str) {
        self.groups
            .entry(path.to_owned())
            .or_default()
            .insert(username.to_owned());
    }

    /// Takes a person out of a Keycloak group.
    pub fn leave(&mut self, username: &str, path: &str) {
        self.groups.get_mut(path).unwrap().remove(username);
    }

    /// Deletes a person.
    pub fn delete(&mut self, username: &str) {
        self.people.remove(username);
        for members in self.groups.values_mut() {
            members.remove(username);
        }
    }

    /// The invited account that a person `ann` would have, as it should be; made where it is missing.
    pub fn account(&mut self, username: &str) -> &mut Account {
        let address = format!("{username}@partner.example");
        let existing = self
            .accounts
            .values()
            .find(|account| account.mail.as_deref() == Some(&address));
        let id = match existing {
            Some(account) => account.id.clone(),
            None => self.new_account(username),
        };
        self.accounts.get_mut(&id).unwrap()
    }

    /// Makes the invited account of a person `ann`, without a look at whether there is one.
    fn new_account(&mut self, username: &str) -> ObjectId {
        let id = self.fresh_id();
        let address = format!("{username}@partner.example");
        let mut account = invited_account(&id, &address.parse().unwrap());
        account.display_name = Some(format!("{} Example", capitalised(username)));
        account.given_name = Some(capitalised(username));
        account.surname = Some("Example".to_owned());
        account.user_type = Some(UserType::Member);
        self.accounts.insert(id.clone(), account);
        id
    }

    /// Deletes an account, so that it could be restored.
    pub fn delete_account(&mut self, id: &ObjectId) {
        if let Some(account) = self.accounts.remove(id) {
            self.deleted.push(DeletedAccount {
                account,
                deleted: Some("2026-07-01T08:00:00Z".parse().unwrap()),
            });
        }
        for group in self.azure.values_mut() {
            group.members.remove(id);
        }
    }

    /// Makes an account a member of an Azure group.
    pub fn add_member(&mut self, account: &ObjectId, azure: &str) {
        self.azure
            .get_mut(azure)
            .unwrap()
            .members
            .insert(account.clone());
    }

    /// A person who is in the Keycloak group and whose account is in the Azure group. Returns the account.
    pub fn member_on_both_sides(&mut self, username: &str, path: &str, azure: &str) -> ObjectId {
        self.person(username);
        self.join(username, path);
        let account = self.account(username).id.clone();
        self.add_member(&account, azure);
        account
    }

    /// What Keycloak answers when its mapped groups are read.
    pub fn keycloak(&self) -> KeycloakSnapshot {
        let paths: BTreeSet<&GroupPath> = self
            .settings
            .mappings
            .iter()
            .map(|mapping| &mapping.keycloak)
            .collect();
        KeycloakSnapshot {
            groups: paths
                .into_iter()
                .map(|path| (path.clone(), self.keycloak_group(path.as_str())))
                .collect(),
            components: self.components.clone(),
        }
    }

    fn keycloak_group(&self, path: &str) -> KeycloakGroup {
        let members = self.groups.get(path).into_iter().flatten();
        let is_child = |other: &&String| {
            other
                .strip_prefix(path)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|name| !name.contains('/'))
        };
        KeycloakGroup {
            id: format!("group:{path}").parse().unwrap(),
            path: path.parse().unwrap(),
            members: members
                .map(|username| Arc::new(self.people[username].clone()))
                .collect(),
            subgroups: self
                .groups
                .keys()
                .filter(is_child)
                .map(|child| self.keycloak_group(child))
                .collect(),
        }
    }

    /// What Entra answers.
    pub fn entra(&self) -> EntraSnapshot {
        EntraSnapshot {
            tenant: Tenant {
                id: id(0xacbe),
                name: "Acme".to_owned(),
                verified_domains: ["acme.example", "acme.onmicrosoft.com"]
                    .map(str::to_owned)
                    .into(),
            },
            groups: self.azure.values().cloned().collect(),
            resolved: self
                .azure
                .iter()
                .map(|(name, group)| (name.clone(), group.id.clone()))
                .collect(),
            accounts: self.accounts.values().cloned().collect(),
            may_manage_role_assignable: self.may_manage_role_assignable,
        }
    }

    /// What Keycloak answers to the look-ups of a proof, as it is now.
    pub fn proofs(&self, request: &ProofRequest) -> Proofs {
        let mut people: BTreeMap<Address, Vec<&Person>> = BTreeMap::new();
        if !request.addresses.is_empty() {
            for person in self.people.values() {
                if let Some(address) = person.email.as_deref().and_then(|email| email.parse().ok())
                {
                    people.entry(address).or_default().push(person);
                }
            }
        }
        let with_address = |address: &Address| {
            let people = people.get(address).into_iter().flatten();
            people
                .map(|person| FoundPerson {
                    person: (*person).clone(),
                    groups: Some(self.groups_of(&person.username)),
                })
                .collect()
        };
        let found: BTreeMap<Address, Vec<FoundPerson>> = request
            .addresses
            .iter()
            .map(|address| (address.clone(), with_address(address)))
            .collect();
        let nobodys = found.iter().filter(|(_, people)| people.is_empty());
        Proofs {
            still_nobody: nobodys
                .map(|(address, _)| (address.clone(), true))
                .collect(),
            found,
            second_round: request
                .groups
                .iter()
                .map(|path| (path.clone(), self.keycloak_group(path.as_str())))
                .collect(),
        }
    }

    fn groups_of(&self, username: &str) -> BTreeSet<keycloak_to_azure::model::KeycloakGroupId> {
        self.groups
            .iter()
            .filter(|(_, members)| members.contains(username))
            .map(|(path, _)| format!("group:{path}").parse().unwrap())
            .collect()
    }

    /// Decides on the world as it is, and lets a test look at the decision.
    pub fn decide<T>(&self, look: impl FnOnce(&Decision<'_>) -> T) -> T {
        self.decide_with(|request| self.proofs(request), look)
    }

    /// The same with proofs that the test makes.
    pub fn decide_with<T>(
        &self,
        prove: impl FnOnce(&ProofRequest) -> Proofs,
        look: impl FnOnce(&Decision<'_>) -> T,
    ) -> T {
        let (keycloak, entra) = (self.keycloak(), self.entra());
        let draft = draft(Inputs {
            settings: &self.settings,
            overrides: &self.overrides,
            scope: self.scope.as_deref(),
            keycloak: &keycloak,
            entra: &entra,
        });
        let draft = self.ask_about_invitees(draft);
        let proofs = prove(&draft.proof_request());
        look(&draft.decide(&proofs))
    }

    /// Looks for deleted accounts, where there is somebody to invite.
    fn ask_about_invitees<'a>(&self, draft: Draft<'a>) -> Draft<'a> {
        let invitees = draft.invitees();
        if invitees.is_empty() {
            return draft;
        }
        if self.hides_deleted {
            return draft.not_knowing_deleted();
        }
        let is_asked_for =
            |deleted: &&DeletedAccount| !addresses_of(&deleted.account).is_disjoint(&invitees);
        let deleted: Vec<_> = self.deleted.iter().filter(is_asked_for).cloned().collect();
        draft.knowing(&deleted)
    }

    /// Plans for the world as it is. The plan is not sealed, which takes longer than making it.
    pub fn plan(&self) -> Plan {
        self.decide(|decision| self.assemble(decision))
    }

    /// The same with proofs that the test makes.
    pub fn plan_with(&self, prove: impl FnOnce(&ProofRequest) -> Proofs) -> Plan {
        self.decide_with(prove, |decision| self.assemble(decision))
    }

    /// Plans as if both directories had answered in another order, and Keycloak some rows twice.
    pub fn plan_shuffled(&self, seed: usize) -> Plan {
        let (mut keycloak, mut entra) = (self.keycloak(), self.entra());
        for group in keycloak.groups.values_mut() {
            turn_group(group, seed);
        }
        if let Some(components) = &mut keycloak.components {
            turn(components, seed);
        }
        turn(&mut entra.accounts, seed);
        turn(&mut entra.groups, seed);
        for account in &mut entra.accounts {
            turn(&mut account.other_mails, seed);
            turn(&mut account.proxy_addresses, seed);
        }
        let draft = draft(Inputs {
            settings: &self.settings,
            overrides: &self.overrides,
            scope: self.scope.as_deref(),
            keycloak: &keycloak,
            entra: &entra,
        });
        let draft = self.ask_about_invitees(draft);
        let mut proofs = self.proofs(&draft.proof_request());
        for group in proofs.second_round.values_mut() {
            turn_group(group, seed);
        }
        for found in proofs.found.values_mut() {
            turn(found, seed);
        }
        self.assemble(&draft.decide(&proofs))
    }

    fn assemble(&self, decision: &Decision<'_>) -> Plan {
        check_hints(&decision.problems);
        Plan {
            format_version: FORMAT_VERSION.to_owned(),
            kind: PlanKind::Sync,
            plan_id: String::new(),
            tool_version: "0.0.0".to_owned(),
            created_at: "2026-11-24T08:00:00Z".parse().unwrap(),
            source: Source {
                url: "https://auth.acme.example".to_owned(),
                realm: "acme".to_owned(),
                federation: decision.federation.clone(),
            },
            target: Target {
                tenant_id: id(0xacbe),
                tenant_name: "Acme".to_owned(),
                graph_url: "https://graph.microsoft.com".to_owned(),
            },
            config_sha256: "0".repeat(64),
            undoes: None,
            overrides: self.overrides.clone(),
            scope: self.scope.clone(),
            summary: decision.summary,
            groups: decision.groups.clone(),
            changes: decision.changes.clone(),
            blocks: decision.blocks.clone(),
            problems: decision.problems.clone(),
        }
    }

    /// A plan that takes back what a run did.
    pub fn undo(&self, run: &Run) -> Plan {
        let entra = self.entra();
        let overrides = Overrides {
            max_invitations: None,
            without_witness: BTreeSet::new(),
            ..self.overrides.clone()
        };
        let undoing = undo(
            &run.into(),
            &Present::new(&entra, &self.settings, &overrides),
        );
        let sync = self.plan();
        let plan = Plan {
            kind: PlanKind::Undo,
            undoes: Some(undone(run)),
            source: Source {
                federation: None,
                ..sync.source
            },
            scope: None,
            ..sync
        };
        let plan = undoing.in_plan(plan, overrides);
        check_hints(&plan.problems);
        plan
    }

    /// Does to Entra what the changes say.
    pub fn carry_out(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Invite(invite) => {
                    let id = self.invited(&invite.email);
                    let account = self.accounts.get_mut(&id).unwrap();
                    let NewAccount {
                        user_type,
                        display_name,
                        given_name,
                        surname,
                    } = invite.set.clone();
                    account.user_type = user_type.or(Some(UserType::Guest));
                    account.display_name =
                        display_name.or_else(|| Some(invite.email.local_part().to_owned()));
                    account.given_name = given_name;
                    account.surname = surname;
                }
                Change::Update(update) => {
                    let account = self.accounts.get_mut(&update.account.id).unwrap();
                    let fields = update.fields.clone();
                    if let Some(change) = fields.user_type {
                        account.user_type = change.after;
                    }
                    let places = [
                        (fields.display_name, &mut account.display_name),
                        (fields.given_name, &mut account.given_name),
                        (fields.surname, &mut account.surname),
                    ];
                    for (change, place) in places {
                        if let Some(change) = change {
                            *place = change.after;
                        }
                    }
                }
                Change::Add(add) => {
                    let account = add.account.id.clone().unwrap_or_else(|| {
                        let has_it = |account: &&Account| {
                            account.mail.as_deref() == Some(add.account.email.as_str())
                        };
                        self.accounts.values().find(has_it).unwrap().id.clone()
                    });
                    self.group_by_id(&add.group.id).members.insert(account);
                }
                Change::Remove(remove) => {
                    assert!(
                        self.group_by_id(&remove.group.id)
                            .members
                            .remove(&remove.account.id)
                    );
                }
            }
        }
    }

    /// Makes the account of an invitation.
    pub fn invited(&mut self, address: &Address) -> ObjectId {
        let id = self.fresh_id();
        let account = invited_account(&id, address);
        self.accounts.insert(id.clone(), account);
        id
    }

    pub fn group_by_id(&mut self, id: &ObjectId) -> &mut EntraGroup {
        self.azure
            .values_mut()
            .find(|group| group.id == *id)
            .unwrap()
    }
}

/// Brings a list into another order.
pub fn turn<T>(list: &mut [T], seed: usize) {
    if !list.is_empty() {
        list.rotate_left(seed % list.len());
        list.reverse();
    }
}

fn turn_group(group: &mut KeycloakGroup, seed: usize) {
    turn(&mut group.members, seed);
    if seed.is_multiple_of(2) {
        group.members.extend(group.members.first().cloned());
    }
    turn(&mut group.subgroups, seed);
    for below in &mut group.subgroups {
        turn_group(below, seed);
    }
}

/// An account as Entra makes it for an invitation.
pub fn invited_account(id: &ObjectId, address: &Address) -> Account {
    Account {
        id: id.clone(),
        user_principal_name: format!(
            "{}_{}#EXT#@acme.onmicrosoft.com",
            address.local_part(),
            address.domain()
        ),
        mail: Some(address.to_string()),
        other_mails: vec![address.to_string()],
        proxy_addresses: vec![format!("SMTP:{address}")],
        display_name: None,
        given_name: None,
        surname: None,
        user_type: Some(UserType::Guest),
        created_by_invitation: true,
        created: "2030-01-01T00:00:00Z".parse().ok(),
        pending: true,
        enabled: true,
        on_premises: false,
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A plan's changes in short: `invite ann@…`, `add ann@… acme-team`.
pub fn changes(plan: &Plan) -> Vec<String> {
    plan.changes
        .iter()
        .map(|change| match change {
            Change::Invite(invite) => format!("invite {}", invite.email),
            Change::Update(update) => format!("update {}", update.account.email),
            Change::Add(add) => format!("add {} {}", add.account.email, add.group.name),
            Change::Remove(remove) => format!(
                "remove {} {} {:?}",
                remove.account.email, remove.group.name, remove.because
            ),
        })
        .collect()
}

/// The codes of a plan's problems.
pub fn codes(plan: &Plan) -> Vec<ProblemCode> {
    plan.problems
        .iter()
        .map(|problem: &Problem| problem.code)
        .collect()
}

/// Every hint of every plan that a test makes goes on from the sentence before it: it begins in lower case and has no full stop.
fn check_hints(problems: &[Problem]) {
    for hint in problems
        .iter()
        .filter_map(|problem| problem.hint.as_deref())
    {
        let goes_on = !hint.starts_with(char::is_uppercase) && !hint.ends_with(['.', ' ']);
        assert!(goes_on, "{hint}");
    }
}
