//! What the tenant says of itself: `/organization` and `/domains`.

use serde_json::{Map, Value, json};

use super::Graph;
use super::call::{Call, Reply};
use super::properties::{Resource, Selection};
use super::refusal::{Refusal, unsupported_query};

impl Graph {
    pub(super) fn list_organization(&self, call: &Call) -> Result<Reply, Refusal> {
        call.require(&[
            "Organization.Read.All",
            "Organization.ReadWrite.All",
            "User.Read.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ])?;
        refuse_filter(call)?;
        let selection = Selection::of(call, Resource::Organization)?;
        let domains: Vec<Value> = self
            .world
            .domains()
            .enumerate()
            .map(|(at, name)| {
                json!({
                    "capabilities": "Email, OfficeCommunicationsOnline",
                    "isDefault": at == 0,
                    "isInitial": name.eq_ignore_ascii_case(&self.world.initial_domain),
                    "name": name,
                    "type": "Managed",
                })
            })
            .collect();
        let whole = object(json!({
            "id": self.world.tenant_id,
            "deletedDateTime": null,
            "businessPhones": [],
            "createdDateTime": "2019-04-01T08:00:00Z",
            "displayName": self.world.tenant_name,
            "onPremisesSyncEnabled": null,
            "tenantType": "AAD",
            "verifiedDomains": domains,
        }));
        let context = format!("organization{}", Selection::in_context(selection.as_ref()));
        let id = self.world.tenant_id.as_str();
        self.page(
            call,
            &context,
            std::iter::once((id, ())),
            |()| true,
            |()| Selection::apply(selection.as_ref(), whole.clone()),
        )
    }

    pub(super) fn list_domains(&self, call: &Call) -> Result<Reply, Refusal> {
        call.require(&[
            "Domain.Read.All",
            "Domain.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ])?;
        refuse_filter(call)?;
        let selection = Selection::of(call, Resource::Domain)?;
        let default = self.world.domains().next();
        let mut names: Vec<&str> = self.world.domains().collect();
        names.sort_unstable();
        let context = format!("domains{}", Selection::in_context(selection.as_ref()));
        let items = names.iter().map(|name| (*name, *name));
        self.page(
            call,
            &context,
            items,
            |_| true,
            |name| {
                let whole = object(json!({
                    "authenticationType": "Managed",
                    "availabilityStatus": null,
                    "id": name,
                    "isAdminManaged": true,
                    "isDefault": default == Some(name),
                    "isInitial": name.eq_ignore_ascii_case(&self.world.initial_domain),
                    "isRoot": true,
                    "isVerified": true,
                    "supportedServices": ["Email", "OfficeCommunicationsOnline"],
                }));
                Selection::apply(selection.as_ref(), whole)
            },
        )
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn refuse_filter(call: &Call) -> Result<(), Refusal> {
    match call.query.get("$filter") {
        None => Ok(()),
        Some(_) => Err(unsupported_query("Unsupported Query.")),
    }
}
