//! Both services, logged in to: reading them, and deciding with what they say.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::commands::Context;
use crate::commands::unusable_mappings::UnusableMappings;
use crate::diff::{self, Decision};
use crate::entra::Reader;
use crate::keycloak::Keycloak;
use crate::mapping::Inputs;
use crate::matching::{ALL_ATTRIBUTES, wanted_addresses};
use crate::model::{Address, GroupPath, ObjectId};
use crate::plan::{Overrides, ScopeMapping};
use crate::removal::Proofs;
use crate::render::escape;
use crate::settings::Settings;
use crate::snapshot::{Account, EntraSnapshot, KeycloakSnapshot};
use crate::verify::{account_to_come, misfit};
use crate::wording::counted;

/// Both services, logged in to. Neither can be written to through it.
pub struct Session {
    /// The realm whose people are read.
    realm: String,
    /// Keycloak.
    pub keycloak: Keycloak,
    /// Entra.
    pub entra: Reader,
}

/// Both directories, read completely.
pub struct Survey {
    /// Which Keycloak groups were read.
    groups_read: crate::keycloak::Resolution,
    /// Keycloak.
    pub keycloak: KeycloakSnapshot,
    /// Entra.
    pub entra: EntraSnapshot,
}

impl Session {
    /// Puts a session together from both sides; `realm` is whose people are read.
    pub fn new(realm: &str, keycloak: Keycloak, entra: Reader) -> Self {
        Self {
            realm: realm.to_owned(),
            keycloak,
            entra,
        }
    }

    /// Finds the groups of every mapping on both sides; what cannot be used is listed for both together.
    pub async fn resolve(
        &self,
        settings: &Settings,
    ) -> anyhow::Result<(crate::keycloak::Resolution, crate::entra::Resolution)> {
        let mut paths: BTreeMap<GroupPath, bool> = BTreeMap::new();
        for mapping in &settings.mappings {
            *paths.entry(mapping.keycloak.clone()).or_default() |= mapping.subgroups;
        }
        let names: BTreeSet<String> = settings
            .mappings
            .iter()
            .map(|mapping| mapping.azure.clone())
            .collect();
        let (keycloak, entra) =
            tokio::join!(self.keycloak.resolve(&paths), self.entra.resolve(&names));
        let (keycloak, entra) = (keycloak?, entra?);
        UnusableMappings::refuse(settings, &keycloak, &entra)?;
        Ok((keycloak, entra))
    }

    /// Reads both directories. `invited` are accounts that an earlier run of the same plan invited; lists may not show them
    /// yet.
    pub async fn survey(
        &self,
        settings: &Settings,
        invited: &BTreeMap<Address, ObjectId>,
        context: &mut Context,
    ) -> anyhow::Result<Survey> {
        let (in_keycloak, in_entra) = self.resolve(settings).await?;
        let clock = context.timing.clock.clone();
        let begun = clock.now();
        let (tell, told) = oneshot::channel();
        // A task of its own, so that what both services say is taken in at the same time. It is given up with this set.
        let mut reading = JoinSet::new();
        reading.spawn({
            let (keycloak, groups) = (self.keycloak.clone(), in_keycloak.clone());
            async move { keycloak.read(&groups).await }
        });
        let read_keycloak = async {
            let read = reading.join_next().await;
            let keycloak = read
                .context("Keycloak was not read")?
                .context("reading Keycloak was given up")??;
            context
                .ui
                .say(&self.keycloak_line(&keycloak, clock.now() - begun));
            // Nobody waits for it where reading Entra has failed, which ends this as well.
            let _ = tell.send(wanted_addresses(settings, &keycloak));
            anyhow::Ok(keycloak)
        };
        let wanted = async {
            match told.await {
                Ok(wanted) => wanted,
                // Keycloak could not be read, which ends this as well. Nobody must be taken for unwanted meanwhile.
                Err(_) => std::future::pending().await,
            }
        };
        // Boxed, because it is large and stands inside of everything that a command waits for.
        let read_entra = Box::pin(self.entra.read(&in_entra, wanted, &ALL_ATTRIBUTES));
        let (keycloak, mut entra) = tokio::try_join!(read_keycloak, read_entra)?;
        let invited = self.invited_before(invited, &entra, &settings.protected, context);
        let invited = invited.await?;
        entra.accounts.extend(invited);
        context.ui.say(&entra_line(&entra, clock.now() - begun));
        Ok(Survey {
            groups_read: in_keycloak,
            keycloak,
            entra,
        })
    }

    /// The accounts that earlier runs invited and that were not read with the others, as they are, or as they will be once Entra shows them.
    async fn invited_before(
        &self,
        invited: &BTreeMap<Address, ObjectId>,
        read: &EntraSnapshot,
        protected: &[String],
        context: &mut Context,
    ) -> anyhow::Result<Vec<Account>> {
        let known = read.accounts.iter().map(|account| &account.id);
        let mut known: HashSet<&ObjectId> = known.collect();
        let (mut accounts, mut unseen) = (Vec::new(), BTreeMap::new());
        for (email, id) in invited {
            // Two addresses of one home account lead to one account.
            if !known.insert(id) {
                continue;
            }
            let Some(account) = self.entra.account(id).await? else {
                unseen.insert(email.clone(), id);
                continue;
            };
            match misfit(&account, email, protected) {
                None => accounts.push(account),
                Some(misfit) => context.ui.warn(&format!(
                    "the report says that {email} was invited as account {id}, which {misfit}; it is left alone"
                )),
            }
        }
        let deleted = self.deleted_among(unseen.keys().cloned().collect()).await?;
        for (email, id) in unseen {
            if deleted.contains(id) {
                context.ui.warn(&format!(
                    "the account {id}, as which {email} was invited, was deleted since; it is left alone"
                ));
            } else {
                accounts.push(account_to_come(&email, id, jiff::Timestamp::now()));
            }
        }
        Ok(accounts)
    }

    /// The accounts with these addresses that can be restored, if Entra shows those.
    async fn deleted_among(&self, wanted: BTreeSet<Address>) -> anyhow::Result<HashSet<ObjectId>> {
        if wanted.is_empty() {
            return Ok(HashSet::new());
        }
        let deleted = self.entra.deleted_accounts(&wanted).await?;
        let deleted = deleted.into_iter().flatten();
        Ok(deleted.map(|deleted| deleted.account.id).collect())
    }

    /// Looks up whoever is to be invited and whoever seems to have to go, and decides.
    pub async fn decide<'a>(
        &self,
        survey: &'a Survey,
        settings: &'a Settings,
        overrides: &'a Overrides,
        scope: Option<&'a [ScopeMapping]>,
    ) -> anyhow::Result<Decision<'a>> {
        let mut draft = diff::draft(Inputs {
            settings,
            overrides,
            scope,
            keycloak: &survey.keycloak,
            entra: &survey.entra,
        });
        let invitees = draft.invitees();
        if !invitees.is_empty() {
            draft = match self.entra.deleted_accounts(&invitees).await? {
                Some(deleted) => draft.knowing(&deleted),
                None => draft.not_knowing_deleted(),
            };
        }
        let request = draft.proof_request();
        let proofs = if request.addresses.is_empty() {
            Proofs::default()
        } else {
            self.keycloak.prove(&request, &survey.groups_read).await?
        };
        Ok(draft.decide(&proofs))
    }

    fn keycloak_line(&self, snapshot: &KeycloakSnapshot, took: Duration) -> String {
        let people: HashSet<_> = snapshot
            .groups
            .values()
            .flat_map(|group| group.tree(true))
            .flat_map(|group| group.members.iter().map(|person| &person.id))
            .collect();
        format!(
            "Keycloak  {} · realm {} · {}, {}   {:.1} s",
            self.keycloak.base_url(),
            escape::plain(&self.realm),
            counted(snapshot.groups.len(), "group", "groups"),
            counted(people.len(), "person", "people"),
            took.as_secs_f64()
        )
    }
}

fn entra_line(snapshot: &EntraSnapshot, took: Duration) -> String {
    let members: usize = snapshot
        .groups
        .iter()
        .map(|group| group.members.len())
        .sum();
    format!(
        "Entra     {} · {}, {}, {} read   {:.1} s",
        escape::plain(&snapshot.tenant.name),
        counted(snapshot.groups.len(), "group", "groups"),
        counted(members, "membership", "memberships"),
        counted(snapshot.accounts.len(), "account", "accounts"),
        took.as_secs_f64()
    )
}

/// Reads some groups and accounts, by id. What is not there is left out.
pub async fn survey_objects(
    entra: &Reader,
    groups: &BTreeSet<&ObjectId>,
    accounts: &BTreeSet<&ObjectId>,
    context: &mut Context,
) -> anyhow::Result<EntraSnapshot> {
    let clock = context.timing.clock.clone();
    let begun = clock.now();
    let ids: BTreeSet<String> = groups.iter().map(ToString::to_string).collect();
    let mut resolution = entra.resolve(&ids).await?;
    resolution.unresolved.clear();
    let mut snapshot = entra
        .read(
            &resolution,
            std::future::ready(BTreeSet::new()),
            &ALL_ATTRIBUTES,
        )
        .await?;
    let seen: BTreeSet<&ObjectId> = snapshot.accounts.iter().map(|it| &it.id).collect();
    let unseen: Vec<&ObjectId> = accounts.difference(&seen).copied().collect();
    snapshot.accounts.extend(entra.accounts(&unseen).await?);
    context.ui.say(&entra_line(&snapshot, clock.now() - begun));
    Ok(snapshot)
}
