//! What was made from other directories than the configured ones is refused, before anybody is asked for anything.

use crate::config::Config;
use crate::model::ObjectId;
use crate::plan::{Plan, Source, Target, is_same_keycloak};

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
