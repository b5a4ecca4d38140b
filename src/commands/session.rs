//! What `plan`, `apply`, `undo`, `check`, `explain` and `audit` share: setting up, connecting to both services, reading them, deciding, and
//! refusing a plan of other directories.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cli::DirectoryArgs;
use crate::commands::Context;
use crate::config::{Config, Credentials, EntraLogin};
use crate::diff::{self, Decision};
use crate::entra::{Bearer, Reader};
use crate::keycloak::Keycloak;
use crate::mapping::Inputs;
use crate::matching::{ALL_ATTRIBUTES, wanted_addresses};
use crate::model::{Address, GroupPath, ObjectId};
use crate::plan::{
    FORMAT_VERSION, Overrides, Plan, PlanKind, ScopeMapping, Source, Target, is_same_keycloak,
};
use crate::removal::Proofs;
use crate::render::escape;
use crate::settings::Settings;
use crate::snapshot::{Account, EntraSnapshot, KeycloakSnapshot};
use crate::verify::misfit;
use crate::wording::counted;

/// Where the directories are and how to log in, before anything is connected.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    credentials: Credentials,
    /// Keeps the simulated services alive, where they are used.
    #[cfg(feature = "sandbox")]
    sandbox: Option<crate::sandbox::Sandbox>,
}

impl Setup {
    /// Reads the configuration and the credentials, or starts the sandbox.
    #[cfg_attr(
        not(feature = "sandbox"),
        expect(
            clippy::unused_async,
            reason = "only the sandbox waits for anything here"
        )
    )]
    pub async fn prepare(
        config: &Path,
        directories: DirectoryArgs,
        context: &mut Context,
    ) -> anyhow::Result<Self> {
        #[cfg(feature = "sandbox")]
        if directories.sandbox {
            let (sandbox, config, credentials) = super::sandbox::start_seeded().await?;
            return Ok(Self {
                config,
                credentials,
                sandbox: Some(sandbox),
            });
        }
        let _ = directories;
        let config = Config::load(config, &context.variable)?;
        let credentials = Credentials::from_env(&context.variable)?;
        if let Some(logfile) = &config.logfile {
            context.ui.open_log(logfile)?;
        }
        for notice in &credentials.notices {
            context.ui.warn(notice);
        }
        Ok(Self {
            config,
            credentials,
            #[cfg(feature = "sandbox")]
            sandbox: None,
        })
    }

    /// The tenant as the environment names it, if it names it by id.
    pub fn tenant_id(&self) -> Option<ObjectId> {
        self.credentials.entra.tenant.parse().ok()
    }

    /// Logs in on both sides.
    pub async fn connect(&self, context: &Context) -> anyhow::Result<Session> {
        let (keycloak, entra) = self.connect_each(context).await;
        Ok(Session::new(self, keycloak?, entra?))
    }

    /// Logs in to Entra alone.
    pub async fn connect_entra(&self, context: &Context) -> anyhow::Result<Reader> {
        // Boxed, because it is large and stands inside of everything that a command waits for.
        let connecting = Reader::connect(
            &self.config.entra,
            self.credentials.entra.clone(),
            context.timing.clone(),
        );
        Box::pin(connecting).await
    }

    /// Logs in on each side, whatever becomes of the other.
    pub async fn connect_each(
        &self,
        context: &Context,
    ) -> (anyhow::Result<Keycloak>, anyhow::Result<Reader>) {
        let keycloak = &self.config.keycloak;
        tokio::join!(
            Keycloak::connect(
                keycloak,
                self.credentials.keycloak.clone(),
                context.timing.clone()
            ),
            self.connect_entra(context),
        )
    }

    /// What the token for Entra says of whoever has it, even if that is too little to read anything with. `None` if there is no token.
    pub async fn bearer(&self, context: &Context) -> Option<Bearer> {
        let credentials = self.credentials.entra.clone();
        crate::entra::bearer(&self.config.entra, credentials, context.timing.clone()).await
    }

    /// What is to be logged in to Entra with.
    pub fn entra_login(&self) -> &EntraLogin {
        &self.credentials.entra.login
    }

    /// Ends what was begun for this invocation.
    #[cfg_attr(
        not(feature = "sandbox"),
        expect(
            clippy::unused_async,
            reason = "only the sandbox waits for anything here"
        )
    )]
    pub async fn finish(self) -> anyhow::Result<()> {
        #[cfg(feature = "sandbox")]
        if let Some(sandbox) = self.sandbox {
            sandbox
                .shut_down()
                .await
                .context("failed to save the state of the sandbox")?;
        }
        Ok(())
    }
}

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
    /// Puts a session together from both sides.
    pub fn new(setup: &Setup, keycloak: Keycloak, entra: Reader) -> Self {
        Self {
            realm: setup.config.keycloak.realm.clone(),
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
        let unusable = UnusableMappings::find(settings, &keycloak, &entra);
        if unusable.lines.is_empty() {
            Ok((keycloak, entra))
        } else {
            Err(unusable.into())
        }
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
                .say(&self.keycloak_line(&self.realm, &keycloak, clock.now() - begun));
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
        let known = entra.accounts.iter().map(|account| account.id.clone());
        let mut known: HashSet<ObjectId> = known.collect();
        for (email, id) in invited {
            // Two addresses of one home account lead to one account.
            if known.insert(id.clone()) {
                let protected = &settings.protected;
                entra
                    .accounts
                    .extend(self.invited_account(email, id, protected, context).await?);
            }
        }
        context.ui.say(&entra_line(&entra, clock.now() - begun));
        Ok(Survey {
            groups_read: in_keycloak,
            keycloak,
            entra,
        })
    }

    /// An account that an earlier run invited, as it is, or as it will be once Entra shows it. `None` if it is another's.
    async fn invited_account(
        &self,
        email: &Address,
        id: &ObjectId,
        protected: &[String],
        context: &mut Context,
    ) -> anyhow::Result<Option<Account>> {
        match self.entra.account(id).await? {
            Some(account) => match misfit(&account, email, protected) {
                None => Ok(Some(account)),
                Some(misfit) => {
                    context.ui.warn(&format!(
                        "the report says that {email} was invited as account {id}, which {misfit}; it is left alone"
                    ));
                    Ok(None)
                }
            },
            None => Ok(Some(Account {
                id: id.clone(),
                user_principal_name: String::new(),
                mail: Some(email.to_string()),
                other_mails: vec![email.to_string()],
                proxy_addresses: Vec::new(),
                display_name: None,
                given_name: None,
                surname: None,
                user_type: None,
                created_by_invitation: true,
                created: Some(jiff::Timestamp::now()),
                pending: true,
                enabled: true,
                on_premises: false,
            })),
        }
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

    fn keycloak_line(&self, realm: &str, snapshot: &KeycloakSnapshot, took: Duration) -> String {
        let people: HashSet<_> = snapshot
            .groups
            .values()
            .flat_map(|group| group.tree(true))
            .flat_map(|group| group.members.iter().map(|person| &person.id))
            .collect();
        format!(
            "Keycloak  {} · realm {} · {}, {}   {:.1} s",
            self.keycloak.base_url(),
            escape::plain(realm),
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

/// Puts a plan together from what was decided.
pub fn assemble(
    setup: &Setup,
    decision: &Decision<'_>,
    overrides: Overrides,
    scope: Option<Vec<ScopeMapping>>,
) -> Plan {
    let Config {
        keycloak,
        entra,
        sha256,
        ..
    } = &setup.config;
    let tenant = &decision.draft.inputs.entra.tenant;
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        kind: PlanKind::Sync,
        plan_id: String::new(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: jiff::Timestamp::now(),
        source: Source {
            url: keycloak.url.clone(),
            realm: keycloak.realm.clone(),
            federation: decision.federation.clone(),
        },
        target: Target {
            tenant_id: tenant.id.clone(),
            tenant_name: tenant.name.clone(),
            graph_url: entra.graph_url.clone(),
        },
        config_sha256: sha256.clone(),
        undoes: None,
        overrides,
        scope,
        summary: decision.summary,
        groups: decision.groups.clone(),
        changes: decision.changes.clone(),
        blocks: decision.blocks.clone(),
        problems: decision.problems.clone(),
    }
    .sealed()
}

/// A plan is only ever applied to the directories that it was made from, and a run taken back where it was. Nothing has been asked of
/// anybody yet. `file` says where that comes from: "plan", "report".
pub fn refuse_other_directories(
    file: &str,
    plan: &Plan,
    config: &Config,
    tenant: Option<&ObjectId>,
) -> anyhow::Result<()> {
    let Source { url, realm, .. } = &plan.source;
    refuse_other_places(file, (url, realm), &plan.target, config, tenant)
}

/// The same for whatever was made from a realm of a Keycloak, for a tenant.
pub fn refuse_other_places(
    file: &str,
    (url, realm): (&str, &str),
    target: &Target,
    config: &Config,
    tenant: Option<&ObjectId>,
) -> anyhow::Result<()> {
    let differs = |what: &str, made_for: &str, here: &str| {
        anyhow::bail!(
            "refused the {file}: it was made for the {what} {made_for}, and here it is {here}; use it where it was made, or make a new one"
        )
    };
    if !is_same_keycloak(url, &config.keycloak.url) {
        return differs("Keycloak", url, &config.keycloak.url);
    }
    if realm != config.keycloak.realm {
        return differs("realm", realm, &config.keycloak.realm);
    }
    if target.graph_url != config.entra.graph_url {
        return differs("Graph host", &target.graph_url, &config.entra.graph_url);
    }
    match tenant {
        Some(tenant) => refuse_another_tenant(file, target, tenant),
        None => Ok(()),
    }
}

/// The same for the tenant, once that is known.
pub fn refuse_other_tenant(file: &str, plan: &Plan, tenant: &ObjectId) -> anyhow::Result<()> {
    refuse_another_tenant(file, &plan.target, tenant)
}

fn refuse_another_tenant(file: &str, target: &Target, tenant: &ObjectId) -> anyhow::Result<()> {
    anyhow::ensure!(
        target.tenant_id == *tenant,
        "refused the {file}: it was made for the tenant {} ({}), and the credentials are for {tenant}",
        target.tenant_id,
        target.tenant_name
    );
    Ok(())
}

/// Mappings whose group does not exist, or is not one, on either side.
#[derive(Debug)]
pub struct UnusableMappings {
    total: usize,
    unusable: usize,
    lines: Vec<String>,
}

impl UnusableMappings {
    fn find(
        settings: &Settings,
        keycloak: &crate::keycloak::Resolution,
        entra: &crate::entra::Resolution,
    ) -> Self {
        let mut found = Self {
            total: settings.mappings.len(),
            unusable: 0,
            lines: Vec::new(),
        };
        for mapping in &settings.mappings {
            let before = found.lines.len();
            let mut list = |side: &str, name: &str, line: usize, reason: &str| {
                // Names come from elsewhere, and must not begin a line of their own.
                let reason = reason.replace(['\n', '\r'], " ");
                found
                    .lines
                    .push(format!("{side}: {name} (line {line}) {reason}"));
            };
            let in_keycloak = keycloak
                .unresolved
                .iter()
                .find(|(path, _)| *path == mapping.keycloak);
            if let Some((_, reason)) = in_keycloak {
                list(
                    "keycloak",
                    mapping.keycloak.as_str(),
                    mapping.keycloak_line,
                    reason,
                );
            }
            if let Some(reason) = entra.unresolved.get(&mapping.azure) {
                list("azure", &mapping.azure, mapping.azure_line, reason);
            }
            found.unusable += usize::from(found.lines.len() > before);
        }
        found
    }
}

impl fmt::Display for UnusableMappings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} cannot be used",
            self.unusable,
            counted(self.total, "mapping", "mappings")
        )?;
        for line in &self.lines {
            write!(f, "\n{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnusableMappings {}
