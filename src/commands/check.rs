//! `check`: logs in on both sides, tests every permission and mapping, and says what is missing. It changes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::{CheckArgs, Purpose};
use crate::commands::session::Session;
use crate::commands::setup::Setup;
use crate::commands::{Context, ExitStatus};
use crate::config::EntraLogin;
use crate::entra::permissions::{self, GRAPH_APP_ID, PERMISSIONS, Permission};
use crate::entra::{Bearer, Reader};
use crate::keycloak::Keycloak;
use crate::matching::{is_protected, name_of_account};
use crate::render::{CheckLine, CheckState, check_table, escape};
use crate::settings::InvitationRules;
use crate::snapshot::Account;

pub async fn run(
    config: &Path,
    args: &CheckArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let setup = Setup::prepare(config, args.directories, context).await?;
    let is_complete = setup
        .with_each(context, async |keycloak, entra, context| {
            check(keycloak, entra, args.purpose, &setup, context).await
        })
        .await?;
    let notes = notes_on_mails(&setup.config.settings.invitations, setup.entra_login());
    context.ui.result(&notes)?;
    setup.finish().await?;
    Ok(if is_complete {
        ExitStatus::Done
    } else {
        ExitStatus::Missing
    })
}

/// Tests what can be tested, prints it, and says whether nothing is missing.
async fn check(
    keycloak: anyhow::Result<Keycloak>,
    entra: anyhow::Result<Reader>,
    purpose: Purpose,
    setup: &Setup,
    context: &mut Context,
) -> anyhow::Result<bool> {
    let keycloak_lines = match &keycloak {
        Ok(keycloak) => keycloak_lines(keycloak).await?,
        Err(_) => vec![CheckLine::missing("log in")],
    };
    let bearer = match &entra {
        Ok(entra) => Some(Bearer {
            app: Some(entra.app().to_owned()),
            roles: entra.roles().cloned(),
        }),
        Err(_) => setup.bearer(context).await,
    };
    let log_in = if bearer.is_some() {
        CheckLine::ok("log in", "", "plan, apply")
    } else {
        CheckLine::missing("log in")
    };
    let login = setup.entra_login();
    let configured = login.client_id().map(str::to_owned);
    let Bearer { app, roles } = bearer.unwrap_or_default();
    let app = app.or(configured);
    let grant = Grant {
        app: app.as_deref().unwrap_or("APP"),
        is_machine: matches!(login, EntraLogin::ManagedIdentity { .. }),
        graph_url: &setup.config.entra.graph_url,
    };
    let entra_lines = entra_lines(log_in, roles.as_ref(), &grant, purpose);

    let style = context.ui.out_style();
    let keycloak_heading = format!(
        "Keycloak   {}  realm {}  as {}",
        keycloak
            .as_ref()
            .map_or(setup.config.keycloak.url.as_str(), Keycloak::base_url),
        escape::plain(&setup.config.keycloak.realm),
        keycloak.as_ref().map_or_else(
            |_| "nobody".to_owned(),
            |keycloak| escape::plain(&keycloak.who())
        )
    );
    let entra_heading = format!(
        "Entra      {}  as {}",
        entra.as_ref().map_or_else(
            |_| "unknown tenant".to_owned(),
            |entra| escape::plain(&entra.tenant().name)
        ),
        match &app {
            Some(app) => format!("app {}", escape::plain(app)),
            None => "nobody".to_owned(),
        }
    );
    let mut is_complete = true;
    for (heading, lines) in [
        (keycloak_heading, keycloak_lines),
        (entra_heading, entra_lines),
    ] {
        is_complete &= lines.iter().all(|line| line.state != CheckState::Missing);
        context.ui.result(&check_table(&heading, &lines, &style))?;
    }
    is_complete &= check_protected(entra.as_ref().ok(), setup, context).await?;
    is_complete &= match (keycloak, entra) {
        (Ok(keycloak), Ok(entra)) => {
            let session = Session::new(&setup.config.keycloak.realm, keycloak, entra);
            check_mappings(&session, setup, context).await?
        }
        (keycloak, entra) => {
            context.ui.result("Mappings   not looked at\n")?;
            for error in [keycloak.err(), entra.err()].into_iter().flatten() {
                context.ui.error(&error);
            }
            false
        }
    };
    Ok(is_complete)
}

/// Looks up what is protected. What fits no account protects nobody, which may be meant: the account can have been deleted.
async fn check_protected(
    entra: Option<&Reader>,
    setup: &Setup,
    context: &mut Context,
) -> anyhow::Result<bool> {
    let protected = &setup.config.settings.protected;
    if protected.is_empty() {
        return Ok(true);
    }
    let found = match entra {
        Some(entra) => entra.protected_accounts(protected).await.map_err(Some),
        None => Err(None),
    };
    match found {
        Ok(accounts) => {
            let lines: Vec<CheckLine> = protected
                .iter()
                .map(|entry| protected_line(entry, &accounts))
                .collect();
            let fitting = lines.iter().filter(|line| line.state == CheckState::Ok);
            let heading = format!(
                "Protected  {} of {} fit an account",
                fitting.count(),
                lines.len()
            );
            let style = context.ui.out_style();
            context.ui.result(&check_table(&heading, &lines, &style))?;
            Ok(true)
        }
        Err(error) => {
            context.ui.result("Protected  not looked at\n")?;
            if let Some(error) = error {
                context.ui.error(&error);
            }
            Ok(false)
        }
    }
}

/// Which accounts an entry of `protected` fits.
fn protected_line(entry: &str, accounts: &[Account]) -> CheckLine {
    let entry = entry.to_owned();
    let fitting: Vec<String> = accounts
        .iter()
        .filter(|account| is_protected(account, std::slice::from_ref(&entry)))
        .map(|account| format!("{} ({})", name_of_account(account), account.id))
        .collect();
    if fitting.is_empty() {
        CheckLine {
            state: CheckState::NoMatch,
            remedy: Some(
                "it protects nobody: write what the account is called in Entra, or take it out if the account is gone"
                    .to_owned(),
            ),
            ..CheckLine::ok(&entry, "no account", "")
        }
    } else {
        CheckLine::ok(&entry, &fitting.join(", "), "")
    }
}

async fn check_mappings(
    session: &Session,
    setup: &Setup,
    context: &mut Context,
) -> anyhow::Result<bool> {
    let settings = &setup.config.settings;
    match session.resolve(settings).await {
        Ok(_) => {
            let count = settings.mappings.len();
            context
                .ui
                .result(&format!("Mappings   {count} of {count} resolve\n"))?;
            Ok(true)
        }
        Err(error) => {
            context.ui.result("Mappings   not all of them resolve\n")?;
            context.ui.error(&error);
            Ok(false)
        }
    }
}

/// What of the mails of invitations Microsoft does not send as the configuration asks for it
/// (<https://learn.microsoft.com/entra/external-id/troubleshoot>,
/// <https://learn.microsoft.com/graph/api/resources/invitedusermessageinfo>).
fn notes_on_mails(invitations: &InvitationRules, login: &EntraLogin) -> String {
    let mut notes = String::new();
    if invitations.message.is_some() {
        notes += match login {
            EntraLogin::AzureCli => {
                "Mails      Microsoft leaves `invitations.message` out unless whoever invites has an address in the tenant\n"
            }
            _ => "Mails      Microsoft leaves `invitations.message` out, because an app invites\n",
        };
        if invitations.language.is_some() {
            notes +=
                "           where a mail has a text, Microsoft ignores `invitations.language`\n";
        }
    }
    notes
}

async fn keycloak_lines(keycloak: &Keycloak) -> anyhow::Result<Vec<CheckLine>> {
    let mut lines = vec![CheckLine::ok("log in", "", "plan, apply")];
    for permission in keycloak.permissions().await? {
        lines.push(CheckLine {
            state: match (permission.granted, permission.required) {
                (true, _) => CheckState::Ok,
                (false, true) => CheckState::Missing,
                (false, false) => CheckState::Optional,
            },
            name: permission.role.to_owned(),
            purpose: permission.purpose.to_owned(),
            needed_by: "plan, apply".to_owned(),
            remedy: (!permission.granted).then_some(permission.grant).flatten(),
            after: Vec::new(),
        });
    }
    Ok(lines)
}

/// What grants a permission.
struct Grant<'a> {
    app: &'a str,
    is_machine: bool,
    graph_url: &'a str,
}

impl Grant<'_> {
    fn command(&self, permission: &Permission) -> String {
        let Self {
            app,
            is_machine,
            graph_url,
        } = self;
        let id = permission.id;
        if *is_machine {
            // A managed identity has no app registration that could ask for it.
            format!(
                "az rest --method POST --uri {graph_url}/v1.0/servicePrincipals/$ME/appRoleAssignments --body \
                 \"{{'principalId':'$ME','resourceId':'$GRAPH','appRoleId':'{id}'}}\""
            )
        } else {
            format!(
                "az ad app permission add --id {app} --api {GRAPH_APP_ID} --api-permissions {id}=Role"
            )
        }
    }

    /// What belongs to all of the commands.
    fn after(&self) -> Vec<String> {
        let app = self.app;
        if self.is_machine {
            vec![
                format!(
                    "before: ME=$(az ad sp show --id {app} --query id -o tsv) GRAPH=$(az ad sp show --id {GRAPH_APP_ID} --query id -o tsv)"
                ),
                // https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identity-best-practice-recommendations
                "then: wait; Azure keeps the tokens of managed identities for hours, up to a day, and an older token shows nothing of it"
                    .to_owned(),
            ]
        } else {
            vec![format!(
                "then: az ad app permission admin-consent --id {app}"
            )]
        }
    }
}

fn entra_lines(
    log_in: CheckLine,
    roles: Option<&BTreeSet<String>>,
    grant: &Grant<'_>,
    purpose: Purpose,
) -> Vec<CheckLine> {
    let needed = match purpose {
        Purpose::Plan => permissions::Purpose::Plan,
        Purpose::Apply => permissions::Purpose::Apply,
    };
    let mut lines = vec![log_in];
    let Some(roles) = roles else {
        lines.push(CheckLine {
            state: CheckState::Unknown,
            name: "permissions".to_owned(),
            purpose: "no token shows them".to_owned(),
            needed_by: String::new(),
            remedy: None,
            after: Vec::new(),
        });
        return lines;
    };
    lines.extend(
        PERMISSIONS
            .iter()
            .filter(|permission| permission.is_for(needed))
            .map(|permission| {
                let granted = permission.granted_by(roles);
                CheckLine {
                    state: match (granted, permission.optional) {
                        (Some(_), _) => CheckState::Ok,
                        (None, false) => CheckState::Missing,
                        (None, true) => CheckState::Optional,
                    },
                    name: permission.name.to_owned(),
                    purpose: match granted {
                        Some(wider) if wider != permission.name => {
                            format!("{} (by {})", permission.allows, escape::plain(wider))
                        }
                        _ => permission.allows.to_owned(),
                    },
                    needed_by: if permission.is_for(permissions::Purpose::Plan) {
                        "plan, apply"
                    } else {
                        "apply"
                    }
                    .to_owned(),
                    remedy: granted.is_none().then(|| grant.command(permission)),
                    after: Vec::new(),
                }
            }),
    );
    let missing = |line: &&mut CheckLine| line.state == CheckState::Missing;
    if let Some(last) = lines.iter_mut().rev().find(missing) {
        last.after = grant.after();
    }
    let excess_words = match purpose {
        Purpose::Plan => "not needed to plan; take it away if this app does nothing else",
        Purpose::Apply => "not needed; take it away",
    };
    let excess: BTreeSet<&str> = permissions::excess(roles, needed);
    lines.extend(excess.into_iter().map(|role| CheckLine {
        state: CheckState::Excess,
        name: role.to_owned(),
        purpose: excess_words.to_owned(),
        needed_by: String::new(),
        remedy: None,
        after: Vec::new(),
    }));
    lines
}
