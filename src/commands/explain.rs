//! `explain`: everything that is known about one address, and what a plan does about it. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::ExplainArgs;
use crate::commands::apply::{refuse_other_directories, refuse_other_tenant};
use crate::commands::session::{Session, Setup, assemble};
use crate::commands::{Context, ExitStatus};
use crate::execute::rehearse;
use crate::explain::{Answers, addresses_to_ask, explain};
use crate::matching::{address_of, in_entra};
use crate::model::Address;
use crate::plan::Overrides;
use crate::settings::Settings;
use crate::verify::verify;
use crate::{plan_file, render};

pub async fn run(
    config: &Path,
    args: &ExplainArgs,
    context: &mut Context,
) -> anyhow::Result<ExitStatus> {
    let reviewed = args.plan.as_deref().map(plan_file::read).transpose()?;
    let setup = Setup::prepare(config, args.directories, context).await?;
    if let Some(plan) = &reviewed {
        refuse_other_directories(plan, &setup.config, setup.tenant_id().as_ref())?;
    }
    let session = setup.connect(context).await?;
    if let Some(plan) = &reviewed {
        refuse_other_tenant(plan, &session.entra.tenant().id)?;
    }
    let settings = &setup.config.settings;
    let survey = session.survey(settings, &BTreeMap::new(), context).await?;
    let none = Overrides::default();
    let overrides = reviewed.as_ref().map_or(&none, |plan| &plan.overrides);
    let scope = reviewed.as_ref().and_then(|plan| plan.scope.as_deref());
    let fresh = session.decide(&survey, settings, overrides, scope).await?;
    let answers = ask(&session, &args.address, settings).await?;
    session.keycloak.log_out().await;

    let outcomes = reviewed
        .as_ref()
        .map(|plan| rehearse("", plan, &verify(plan, &fresh), jiff::Timestamp::now()));
    let made_now = || assemble(&setup, &fresh, Overrides::default(), None);
    let plan = reviewed.clone().unwrap_or_else(made_now);
    let explanation = explain(&answers, &fresh, &plan, outcomes.as_deref());
    context.ui.say("");
    let style = context.ui.out_style();
    context
        .ui
        .result(&render::explanation(&explanation, &plan, &style))?;
    setup.finish().await?;
    Ok(ExitStatus::Done)
}

/// Asks both sides about an address: Keycloak under every domain that is rewritten to its own, Entra under the addresses of whoever
/// that is.
async fn ask(session: &Session, address: &Address, settings: &Settings) -> anyhow::Result<Answers> {
    let people = session
        .keycloak
        .know(&addresses_to_ask(address, settings))
        .await?;
    let of_people = people
        .iter()
        .filter_map(|known| address_of(&known.person, settings));
    let in_entra: BTreeSet<Address> = of_people.chain([in_entra(address, settings)]).collect();
    let mut accounts = Vec::new();
    for address in &in_entra {
        accounts.extend(session.entra.find_by_address(address).await?);
    }
    Ok(Answers {
        address: address.clone(),
        people,
        accounts,
    })
}
