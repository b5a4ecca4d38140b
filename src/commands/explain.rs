//! `explain`: everything that is known about one address, and what a plan does about it. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::ExplainArgs;
use crate::commands::made_elsewhere::{refuse_other_directories, refuse_other_tenant};
use crate::commands::plan::assemble;
use crate::commands::session::Session;
use crate::commands::setup::Setup;
use crate::commands::{Context, ExitStatus};
use crate::execute::rehearse;
use crate::explain::{Answers, Explanation, addresses_to_ask, addresses_to_find, explain};
use crate::matching::{address_of, addresses_of};
use crate::model::{Address, ObjectId};
use crate::plan::{Overrides, Plan, PlanKind};
use crate::settings::Settings;
use crate::snapshot::Account;
use crate::verify::verify;
use crate::{plan_file, render};

pub async fn run(
    config: &Path,
    args: &ExplainArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let reviewed = args.plan.as_deref().map(plan_file::read).transpose()?;
    if let (Some(plan), Some(path)) = (&reviewed, &args.plan) {
        anyhow::ensure!(
            plan.kind == PlanKind::Sync,
            "{} takes back what a run did, whatever Keycloak says; what would become of it, apply says with --dry-run",
            path.display()
        );
    }
    let setup = Setup::prepare(config, args.directories, context).await?;
    if let Some(plan) = &reviewed {
        refuse_other_directories("plan", plan, &setup.config, setup.tenant_id().as_ref())?;
    }
    let (explanation, plan) = setup
        .with_session(context, async |session, context| {
            explained(&session, &args.address, reviewed, &setup, context).await
        })
        .await?;
    context.ui.say("");
    let style = context.ui.out_style();
    context
        .ui
        .result(&render::explanation(&explanation, &plan, &style))?;
    setup.finish().await?;
    Ok(ExitStatus::Done)
}

/// Reads both sides, and puts together what is known of an address, with the plan that it is about: the reviewed one, or one made now.
async fn explained(
    session: &Session,
    address: &Address,
    reviewed: Option<Plan>,
    setup: &Setup,
    context: &mut Context,
) -> anyhow::Result<(Explanation, Plan)> {
    if let Some(plan) = &reviewed {
        refuse_other_tenant("plan", plan, &session.entra.tenant().id)?;
    }
    let settings = &setup.config.settings;
    let survey = session.survey(settings, &BTreeMap::new(), context).await?;
    let none = Overrides::default();
    let overrides = reviewed.as_ref().map_or(&none, |plan| &plan.overrides);
    let scope = reviewed.as_ref().and_then(|plan| plan.scope.as_deref());
    let fresh = session.decide(&survey, settings, overrides, scope).await?;
    let answers = ask(session, address, settings).await?;
    let outcomes = reviewed
        .as_ref()
        .map(|plan| rehearse("", plan, &verify(plan, &fresh), jiff::Timestamp::now()));
    let made_now = || assemble(setup, &fresh, Overrides::default(), None);
    let plan = reviewed.clone().unwrap_or_else(made_now);
    let explanation = explain(&answers, &fresh, &plan, outcomes.as_deref());
    Ok((explanation, plan))
}

/// Asks both sides about an address: Entra under the addresses that it can have there, then Keycloak under every address of the
/// accounts that came, as removals do, and Entra once more under those of whoever that is.
async fn ask(session: &Session, address: &Address, settings: &Settings) -> anyhow::Result<Answers> {
    let mut accounts = BTreeMap::new();
    let in_entra: Vec<Address> = addresses_to_find(address, settings).into_iter().collect();
    find(session, &in_entra, &mut accounts).await?;
    let of_accounts = accounts.values().flat_map(addresses_of);
    let asked: BTreeSet<Address> = of_accounts
        .chain([address.clone()])
        .flat_map(|address| addresses_to_ask(&address, settings))
        .collect();
    let people = session.keycloak.know(&asked).await?;
    let of_people: Vec<Address> = people
        .iter()
        .filter_map(|known| address_of(&known.person, settings))
        .flat_map(|address| address.spellings())
        .collect();
    find(session, &of_people, &mut accounts).await?;
    Ok(Answers {
        address: address.clone(),
        people,
        accounts: accounts.into_values().collect(),
    })
}

/// Finds the accounts that have one of the addresses.
async fn find(
    session: &Session,
    addresses: &[Address],
    accounts: &mut BTreeMap<ObjectId, Account>,
) -> anyhow::Result<()> {
    for address in addresses {
        let found = session.entra.find_by_address(address).await?;
        accounts.extend(
            found
                .into_iter()
                .map(|account| (account.id.clone(), account)),
        );
    }
    Ok(())
}
