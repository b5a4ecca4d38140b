//! The reader: the tenant, its mapped groups and their members, and the accounts that matter.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::accounts::Accounts;
use super::batch::{Get, Reads};
use super::failure::Failure;
use super::meaning::{Meaning, Operation, meaning};
use super::pages::{Entries, Entry};
use super::parse_bytes;
use super::permissions::{
    CHANGE_ROLE_ASSIGNABLE, Permission, READ_ACCOUNTS, READ_GROUPS, READ_HIDDEN_MEMBERS,
};
use super::refusal::shortened;
use super::resolve::{GroupFacts, Resolution};
use super::token::Who;
use crate::config::{EntraConnection, EntraCredentials};
use crate::http::Timing;
use crate::model::{Address, ObjectId, fold};
use crate::settings::MatchAttribute;
use crate::snapshot::{Account, DatedAccount, DeletedAccount, EntraGroup, EntraSnapshot, Tenant};

/// Reads a tenant. What it holds can only send GETs.
#[derive(Clone)]
pub struct Reader {
    reads: Reads,
    tenant: Tenant,
    roles: Option<BTreeSet<String>>,
}

impl Reader {
    /// Logs in and reads the facts of the tenant. Fails if it is not the configured one.
    pub async fn connect(
        connection: &EntraConnection,
        credentials: EntraCredentials,
        timing: Timing,
    ) -> anyhow::Result<Self> {
        let reads = Reads::new(connection, credentials, &timing)?;
        let token = reads.login().token().await.map_err(Failure::from)?;
        let tenant = read_tenant(&reads).await?;
        // An app without any permission could not have read that, so a token without roles does not tell them.
        let roles = token.roles().filter(|roles| !roles.is_empty()).cloned();
        Ok(Self {
            reads,
            tenant,
            roles,
        })
    }

    /// The tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The client id of the app that logged in.
    pub fn app(&self) -> &str {
        self.reads.login().app()
    }

    /// The application permissions of the app, or `None` if its token cannot be looked into.
    pub fn roles(&self) -> Option<&BTreeSet<String>> {
        self.roles.as_ref()
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Finds the groups that mappings mean, by display name or object id. What means no group, or several, comes back as
    /// part of the result, so that the bad mappings of both sides can be listed at once.
    pub async fn resolve(&self, names: &BTreeSet<String>) -> anyhow::Result<Resolution> {
        self.reads
            .resolve_groups(names, &self.tenant.name)
            .await
            .map_err(|failure| self.explain(failure, "read groups", &READ_GROUPS))
    }

    /// Reads the resolved groups with their members, every account that has one of the wanted addresses in one of the
    /// attributes, and every account that is a member. The addresses may still be on their way.
    pub async fn read(
        &self,
        resolution: &Resolution,
        wanted: impl Future<Output = BTreeSet<Address>>,
        match_by: &[MatchAttribute],
    ) -> anyhow::Result<EntraSnapshot> {
        if let Some((name, reason)) = resolution.unresolved.first_key_value() {
            bail!("the Azure group {name} {reason}");
        }
        let groups = self.read_groups(resolution).await?;
        let members: BTreeSet<ObjectId> = groups
            .iter()
            .flat_map(|group| group.members.iter().cloned())
            .collect();
        let explained = |failure| self.explain(failure, "read accounts", &READ_ACCOUNTS);
        let total = resolution.accounts.total().map_err(explained)?;
        let accounts: Accounts = self
            .reads
            .find_accounts(total, wanted, match_by, &members)
            .await
            .map_err(explained)?;
        Ok(EntraSnapshot {
            tenant: self.tenant.clone(),
            groups,
            resolved: resolution.resolved.clone(),
            accounts: accounts.into_values().collect(),
            may_manage_role_assignable: self.has(&CHANGE_ROLE_ASSIGNABLE) == Some(true),
        })
    }

    /// Reads one account, or `None` if there is none with this id. It shows accounts that lists do not show yet.
    pub async fn account(&self, id: &ObjectId) -> anyhow::Result<Option<Account>> {
        self.reads
            .account(id)
            .await
            .map_err(|failure| self.explain(failure, &format!("read account {id}"), &READ_ACCOUNTS))
    }

    /// Reads accounts by id. Those that do not exist are left out.
    pub async fn accounts(&self, ids: &[&ObjectId]) -> anyhow::Result<Vec<Account>> {
        self.reads
            .accounts(ids)
            .await
            .map(|accounts| accounts.into_values().collect())
            .map_err(|failure| self.explain(failure, "read accounts", &READ_ACCOUNTS))
    }

    /// Finds the accounts that have an address in any attribute. Lists lag, so a new account may not be among them yet.
    pub async fn find_by_address(&self, address: &Address) -> anyhow::Result<Vec<Account>> {
        let accounts = self
            .reads
            .look_up(&BTreeSet::from([address.clone()]))
            .await
            .map_err(|failure| {
                self.explain(failure, &format!("look up {address}"), &READ_ACCOUNTS)
            })?;
        Ok(accounts.into_values().collect())
    }

    /// Finds the accounts that the entries of `protected` mean.
    pub async fn protected_accounts(&self, protected: &[String]) -> anyhow::Result<Vec<Account>> {
        let ids: Vec<ObjectId> = protected.iter().flat_map(|it| it.parse()).collect();
        let addresses = protected.iter().flat_map(|it| it.parse::<Address>());
        let spellings = addresses.flat_map(|address| address.spellings()).collect();
        let accounts = self
            .reads
            .look_up_either(&ids.iter().collect::<Vec<_>>(), &spellings)
            .await
            .map_err(|failure| {
                self.explain(failure, "look up protected accounts", &READ_ACCOUNTS)
            })?;
        Ok(accounts.into_values().collect())
    }

    /// Reads every account of the tenant, with its dates.
    pub async fn dated_accounts(&self) -> anyhow::Result<Vec<DatedAccount>> {
        let read = self.reads.dated_accounts().await;
        read.map_err(|failure| self.explain(failure, "list the accounts", &READ_ACCOUNTS))
    }

    /// Finds the accounts that were deleted in the last 30 days and have one of the addresses in any attribute, or `None` where the app
    /// may not see them.
    pub async fn deleted_accounts(
        &self,
        addresses: &BTreeSet<Address>,
    ) -> anyhow::Result<Option<Vec<DeletedAccount>>> {
        self.reads
            .deleted_accounts(addresses)
            .await
            .map_err(|failure| self.explain(failure, "read deleted accounts", &READ_ACCOUNTS))
    }

    /// Whether the app has a permission, where that is known.
    pub(super) fn has(&self, permission: &Permission) -> Option<bool> {
        Some(permission.granted_by(self.roles.as_ref()?).is_some())
    }

    async fn read_groups(&self, resolution: &Resolution) -> anyhow::Result<Vec<EntraGroup>> {
        let facts: Vec<&GroupFacts> = resolution.groups.values().collect();
        for group in &facts {
            // Graph answers with an empty list, which must not be taken for an empty group.
            let is_hidden = group.hides_members() && self.has(&READ_HIDDEN_MEMBERS) == Some(false);
            ensure!(
                !is_hidden,
                "the Azure group {} hides its members: {}",
                name_of(group),
                self.who().needs(&READ_HIDDEN_MEMBERS)
            );
        }
        let gets = facts
            .iter()
            .map(|group| Get::new(format!("/groups/{}/members?$select=id&$top=999", group.id)))
            .collect();
        let lists = self.reads.list_all::<WireMember>(gets).await;
        facts
            .into_iter()
            .zip(lists)
            .map(|(group, members)| {
                let what = format!("read the members of {} ({})", name_of(group), group.id);
                let permission = if group.hides_members() {
                    &READ_HIDDEN_MEMBERS
                } else {
                    &READ_GROUPS
                };
                let members =
                    members.map_err(|failure| self.explain(failure, &what, permission))?;
                // Where it is not known who may see hidden members, nobody may be all that is shown of many.
                let is_hidden = group.hides_members()
                    && members.is_empty()
                    && self.has(&READ_HIDDEN_MEMBERS).is_none();
                ensure!(
                    !is_hidden,
                    "the Azure group {} hides its members, and Graph shows none. That is how it answers whoever may not see them: {}. If \
                     the group really is empty, add its first member by hand.",
                    name_of(group),
                    self.who().needs(&READ_HIDDEN_MEMBERS)
                );
                Ok(group_with(group, &members))
            })
            .collect()
    }

    fn explain(&self, failure: Failure, what: &str, permission: &Permission) -> anyhow::Error {
        explain(failure, self.who(), what, permission)
    }

    pub(super) fn who(&self) -> Who<'_> {
        self.reads.login().who()
    }
}

/// What a token says of whoever has it.
#[derive(Debug, Clone, Default)]
pub struct Bearer {
    /// The client id of the app.
    pub app: Option<String>,
    /// The application permissions, or `None` if the token cannot be looked into or is that of a person.
    pub roles: Option<BTreeSet<String>>,
}

/// Logs in and says who that is, or `None` if there is no token. For an app that may not even read the tenant.
pub async fn bearer(
    connection: &EntraConnection,
    credentials: EntraCredentials,
    timing: Timing,
) -> Option<Bearer> {
    let reads = Reads::new(connection, credentials, &timing).ok()?;
    let token = reads.login().token().await.ok()?;
    Some(Bearer {
        app: reads.login().known_app().map(str::to_owned),
        roles: token.roles().cloned(),
    })
}

async fn read_tenant(reads: &Reads) -> anyhow::Result<Tenant> {
    let organization = Get::new("/organization?$select=id,displayName,verifiedDomains".to_owned());
    let list: OrganizationList = match reads.get(&organization).await {
        Ok(answer) => parse_bytes(&answer.body).context("failed to read the tenant")?,
        Err(failure) => {
            return Err(explain(
                failure,
                reads.login().who(),
                "read the tenant",
                &READ_ACCOUNTS,
            ));
        }
    };
    let Some(organization) = list.value.into_iter().next() else {
        bail!("Graph knows of no tenant: its answer about the organization is empty");
    };
    let verified_domains: BTreeSet<String> = organization
        .verified_domains
        .iter()
        .flatten()
        .filter_map(|domain| domain.name.as_deref().map(fold))
        .collect();
    let configured = reads.login().tenant();
    let is_configured = match configured.parse::<ObjectId>() {
        Ok(id) => id == organization.id,
        Err(_) => verified_domains.contains(&fold(configured)),
    };
    ensure!(
        is_configured,
        "the app logged in to tenant {} ({}), and AZURE_TENANT_ID says {configured}",
        organization.id,
        organization
            .display_name
            .as_deref()
            .unwrap_or("without a name"),
    );
    Ok(Tenant {
        name: organization
            .display_name
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| organization.id.to_string()),
        id: organization.id,
        verified_domains,
    })
}

/// Something that the app may not do. It prints as the message, then, on a line of its own, what to do about it.
#[derive(Debug)]
pub struct NotAllowed {
    /// One line, whatever names are in it.
    message: String,
    hint: String,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.message, self.hint)
    }
}

impl std::error::Error for NotAllowed {}

/// Says what failed, and what to do where that is known.
fn explain(failure: Failure, who: Who<'_>, what: &str, permission: &Permission) -> anyhow::Error {
    let Failure::Refused(refusal) = &failure else {
        return match failure {
            // The sentence says itself what failed and what to do.
            Failure::Login(_) => anyhow::Error::new(failure),
            _ => anyhow::Error::new(failure).context(format!("failed to {what}")),
        };
    };
    let not_allowed = |hint| -> anyhow::Error {
        let message = shortened(&format!("{who} may not {what} ({refusal})"), 2_000);
        NotAllowed { message, hint }.into()
    };
    match meaning(Operation::Read, refusal) {
        Meaning::PermissionMissing => not_allowed(match who {
            Who::App(_) => format!(
                "It needs the application permission {} with an administrator's consent; `keycloak-to-azure check` prints the command.",
                permission.name
            ),
            Who::Person => format!("{}.", who.needs(permission)),
        }),
        Meaning::AppUnknown => not_allowed(
            "The tenant has no enterprise application of it (any more), or it was made a moment ago."
                .to_owned(),
        ),
        _ => anyhow::Error::new(failure).context(format!("failed to {what}")),
    }
}

fn name_of(group: &GroupFacts) -> &str {
    group.display_name.as_deref().unwrap_or(group.id.as_str())
}

fn group_with(facts: &GroupFacts, members: &Entries<WireMember>) -> EntraGroup {
    let users: BTreeSet<ObjectId> = members
        .values()
        .filter(|member| member.is_user())
        .map(|member| member.id.clone())
        .collect();
    EntraGroup {
        id: facts.id.clone(),
        name: name_of(facts).to_owned(),
        dynamic: facts.is_dynamic(),
        on_premises: facts.is_on_premises(),
        mail_enabled: facts.is_mail_enabled(),
        role_assignable: facts.is_role_assignable(),
        other_members: members.len() - users.len(),
        members: users,
    }
}

/// A member. With `GroupMember.Read.All` alone Graph tells nothing else about it.
#[derive(Deserialize)]
pub(super) struct WireMember {
    #[serde(rename = "@odata.type")]
    kind: Option<Kind>,
    pub(super) id: ObjectId,
}

/// What a member is. Whatever does not say that it is a user is never touched.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Kind {
    #[serde(rename = "#microsoft.graph.user")]
    User,
    #[serde(other)]
    Other,
}

impl WireMember {
    pub(super) fn is_user(&self) -> bool {
        self.kind == Some(Kind::User)
    }
}

impl Entry for WireMember {
    fn id(&self) -> &ObjectId {
        &self.id
    }
}

#[derive(Deserialize)]
pub(super) struct OrganizationList {
    pub(super) value: Vec<Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub(super) id: ObjectId,
    display_name: Option<String>,
    verified_domains: Option<Vec<VerifiedDomain>>,
}

#[derive(Deserialize)]
struct VerifiedDomain {
    name: Option<String>,
}
