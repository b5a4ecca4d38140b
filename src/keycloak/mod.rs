//! Reads people and groups from Keycloak. It can only read, and it decides nothing.
//!
//! Whatever it returns was answered completely; an answer that is missing, cut short, or not to the question is an error. That
//! an answer lacks somebody proves nothing all the same: with a user federation in trouble, Keycloak says 200 and leaves people
//! out, which is why [`Keycloak::prove`] asks again, in an order that [`crate::removal`] relies on.

mod account;
mod admin;
mod base;
mod groups;
mod login;
pub mod path;
mod people;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};

use self::account::SyncAccount;
use self::admin::{Admin, PREPARED, VIEW_REALM, VIEW_USERS};
use self::groups::GroupTree;
use self::login::Session;
pub use self::refusal::Refusal;
use crate::config::{KeycloakConnection, KeycloakCredentials, LARGEST_CA_FILE};
use crate::explain::KnownPerson;
use crate::files;
use crate::http::{self, Http, Options, Timing};
use crate::model::{Address, GroupPath, KeycloakGroupId, PersonId};
use crate::removal::{ProofRequest, Proofs};
use crate::snapshot::{KeycloakGroup, KeycloakSnapshot, Person};

/// A realm of a Keycloak, logged in to. Clones share the session.
#[derive(Clone)]
pub struct Keycloak {
    admin: Arc<Admin>,
}

/// What became of the paths in the mappings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The groups, by the path that the mappings give.
    pub groups: BTreeMap<GroupPath, ResolvedGroup>,
    /// The paths that cannot be used, each with what follows it in a sentence: "does not exist in realm acme".
    pub unresolved: Vec<(GroupPath, String)>,
}

/// A group that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedGroup {
    /// Its id.
    pub id: KeycloakGroupId,
    /// Whether its sub-groups are read as well.
    pub with_subgroups: bool,
}

/// A role of the sync account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The role's name.
    pub role: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Whether nothing works without it.
    pub required: bool,
    /// Whether the account has it.
    pub granted: bool,
    /// The command that grants it; `None` if no role can help, because the account lives in another realm than master and
    /// the one that is read.
    pub grant: Option<String>,
}

impl Keycloak {
    /// Finds the Keycloak and logs in.
    pub async fn connect(
        connection: &KeycloakConnection,
        credentials: KeycloakCredentials,
        timing: Timing,
    ) -> anyhow::Result<Self> {
        let ca_pem = match &connection.ca_file {
            Some(file) => {
                let read = files::read_regular_aside(file, LARGEST_CA_FILE).await;
                Some(read.with_context(|| {
                    format!("failed to read keycloak_ca_file {}", file.display())
                })?)
            }
            None => None,
        };
        let http = Http::new(&Options {
            ca_pem,
            loopback: is_plain_loopback(&connection.url),
            timing,
        })?;
        let base = base::find(&http, &connection.url, &connection.realm).await?;
        let account = SyncAccount::new(connection, &credentials);
        let session = Session::new(http.clone(), base.clone(), account.clone(), credentials);
        session.pass().await?;
        Ok(Self {
            admin: Arc::new(Admin::new(http, base, account, session)),
        })
    }

    /// The address under which Keycloak answered, without a slash at its end. With or without `/auth`, it may be another than
    /// the configured one.
    pub fn base_url(&self) -> &str {
        &self.admin.base
    }

    /// The account that is logged in, for messages.
    pub fn who(&self) -> String {
        self.admin.account.who()
    }

    /// Finds the group of each path; the value says whether its sub-groups are wanted. What cannot be used comes back as data,
    /// so that all bad mappings can be listed at once.
    pub async fn resolve(&self, paths: &BTreeMap<GroupPath, bool>) -> anyhow::Result<Resolution> {
        self.admin.resolve(paths).await
    }

    /// Reads the members of the groups, their sub-groups where wanted, and the realm's user federation.
    pub async fn read(&self, resolution: &Resolution) -> anyhow::Result<KeycloakSnapshot> {
        Ok(KeycloakSnapshot {
            groups: self.read_groups(&resolution.groups).await?,
            components: self.admin.federation_providers().await?,
        })
    }

    /// Answers what has to be known before anybody is removed: who has the addresses and which groups they are in, once all of
    /// that is answered the groups once more, and then whether the addresses that nobody had still have nobody. `resolution` is
    /// the one that the first reading was made with.
    pub async fn prove(
        &self,
        request: &ProofRequest,
        resolution: &Resolution,
    ) -> anyhow::Result<Proofs> {
        let found = self.admin.look_up_all(&request.addresses).await?;
        let again: BTreeMap<GroupPath, ResolvedGroup> = request
            .groups
            .iter()
            .filter_map(|path| Some((path.clone(), resolution.groups.get(path)?.clone())))
            .collect();
        ensure!(
            again.len() == request.groups.len(),
            "a group was to be read again that was not read before"
        );
        let second_round = self.read_groups(&again).await?;
        let nobodys = found.iter().filter(|(_, people)| people.is_empty());
        let still_nobody = self
            .admin
            .have_nobody(nobodys.map(|(address, _)| address))
            .await?;
        Ok(Proofs {
            found,
            second_round,
            still_nobody,
        })
    }

    /// Whoever has one of the addresses, each person once, with every group that they are directly in.
    pub async fn know(&self, addresses: &BTreeSet<Address>) -> anyhow::Result<Vec<KnownPerson>> {
        let known = self.admin.know(addresses).await?;
        let by_id: BTreeMap<PersonId, KnownPerson> = known
            .into_values()
            .flatten()
            .map(|known| (known.person.id.clone(), known))
            .collect();
        Ok(by_id.into_values().collect())
    }

    /// Says which roles the account has, and what grants those that are missing.
    pub async fn permissions(&self) -> anyhow::Result<Vec<Permission>> {
        let permission = |role, purpose, required, granted| Permission {
            role,
            purpose,
            required,
            granted,
            grant: self.admin.account.grant_command(role),
        };
        Ok(vec![
            permission(
                VIEW_USERS,
                "read people and groups",
                true,
                self.admin.may_view_everybody().await?,
            ),
            permission(
                VIEW_REALM,
                "see whether the realm has user federation",
                false,
                self.admin.federation_providers().await?.is_some(),
            ),
        ])
    }

    /// Ends the session of a login by password. A failure is of no consequence: it ends by itself.
    pub async fn log_out(&self) {
        self.admin.session.log_out().await;
    }

    async fn read_groups(
        &self,
        groups: &BTreeMap<GroupPath, ResolvedGroup>,
    ) -> anyhow::Result<BTreeMap<GroupPath, KeycloakGroup>> {
        let admin = &self.admin;
        let trees: BTreeMap<GroupPath, GroupTree> = stream::iter(groups.clone())
            .map(|(path, group)| async move {
                let tree = admin.tree(&path, &group).await?;
                anyhow::Ok((path, tree))
            })
            .buffer_unordered(PREPARED)
            .try_collect()
            .await?;
        // A group may stand in several trees; read once, it looks the same in all of them.
        let wanted = trees
            .values()
            .flat_map(GroupTree::all)
            .map(|group| (group.id.clone(), group.path.to_string()))
            .collect();
        let members = admin.members_of(wanted).await?;
        Ok(trees
            .into_iter()
            .map(|(path, tree)| (path, with_members(tree, &members)))
            .collect())
    }
}

fn with_members(
    tree: GroupTree,
    members: &BTreeMap<KeycloakGroupId, Vec<Arc<Person>>>,
) -> KeycloakGroup {
    KeycloakGroup {
        members: members.get(&tree.id).cloned().unwrap_or_default(),
        id: tree.id,
        path: tree.path,
        subgroups: tree
            .subgroups
            .into_iter()
            .map(|group| with_members(group, members))
            .collect(),
    }
}

/// Whether the address is `http://` on this machine, where neither a proxy nor certificates are of any use.
fn is_plain_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    url.scheme() == "http" && http::is_loopback(&url)
}
