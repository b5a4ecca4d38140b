//! Which group each mapping means: by object id, or by a display name that only one group has.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::accounts::{AccountCount, count_of_accounts};
use super::batch::{Get, Reads};
use super::batch_answer::Body;
use super::failure::Failure;
use super::odata::{Property, encoded, filters_for};
use super::pages::Entry;
use crate::model::{ObjectId, fold};

const FIELDS: &str = "id,displayName,createdDateTime,groupTypes,mailEnabled,securityEnabled,onPremisesSyncEnabled,\
    isAssignableToRole,visibility";

/// How many pages of groups are looked through for a similar name. Only a hint depends on it.
const PAGES_FOR_A_HINT: usize = 10;

/// Which group each name means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The groups, by the name or id that was asked for.
    pub resolved: BTreeMap<String, ObjectId>,
    /// Why a name means no group, as a sentence that reads on from the name: "does not exist in tenant acme".
    pub unresolved: BTreeMap<String, String>,
    pub(super) groups: BTreeMap<ObjectId, GroupFacts>,
    /// How many accounts the tenant has.
    pub(super) accounts: AccountCount,
}

/// What is known of a group before its members are read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupFacts {
    pub(super) id: ObjectId,
    pub(super) display_name: Option<String>,
    created_date_time: Option<String>,
    group_types: Option<Vec<String>>,
    mail_enabled: Option<bool>,
    on_premises_sync_enabled: Option<bool>,
    is_assignable_to_role: Option<bool>,
    visibility: Option<String>,
}

impl Entry for GroupFacts {
    fn id(&self) -> &ObjectId {
        &self.id
    }
}

impl GroupFacts {
    fn has_type(&self, wanted: &str) -> bool {
        self.group_types.iter().flatten().any(|own| own == wanted)
    }

    pub(super) fn is_dynamic(&self) -> bool {
        self.has_type("DynamicMembership")
    }

    pub(super) fn is_on_premises(&self) -> bool {
        // `false` means that it once was.
        self.on_premises_sync_enabled == Some(true)
    }

    /// Microsoft 365 groups have mail too, and can be changed.
    pub(super) fn is_mail_enabled(&self) -> bool {
        self.mail_enabled == Some(true) && !self.has_type("Unified")
    }

    pub(super) fn is_role_assignable(&self) -> bool {
        self.is_assignable_to_role == Some(true)
    }

    pub(super) fn hides_members(&self) -> bool {
        self.visibility.as_deref() == Some("HiddenMembership")
    }

    fn is_called(&self, name: &str) -> bool {
        self.display_name.as_deref() == Some(name)
    }
}

impl Reads {
    /// Finds the groups, and counts the accounts in the same batches. What cannot be found is part of the result; an error
    /// means that it was not possible to look.
    pub(super) async fn resolve_groups(
        &self,
        wanted: &BTreeSet<String>,
        tenant_name: &str,
    ) -> Result<Resolution, Failure> {
        let (ids, names): (Vec<&String>, Vec<&String>) = wanted
            .iter()
            .partition(|name| name.parse::<ObjectId>().is_ok());
        let by_id = ids
            .iter()
            .map(|id| Get::new(format!("/groups/{id}?$select={FIELDS}")));
        let others: Vec<Get> = by_id.chain([count_of_accounts()]).collect();
        let by_name = filters_for(
            Property::Text("displayName"),
            names.iter().map(|name| name.as_str()),
        )
        .into_iter()
        .map(|filter| {
            let filter = encoded(&filter);
            Get::new(format!(
                "/groups?$filter={filter}&$select={FIELDS}&$top=999"
            ))
        })
        .collect();
        let (found, mut others) = self.list_all_beside(by_name, &others).await;
        let mut resolution = Resolution {
            accounts: others.pop().map_or(AccountCount::Unknown, AccountCount::of),
            ..Resolution::default()
        };
        resolution.take_ids(&ids, others, tenant_name)?;
        let mut groups: BTreeMap<ObjectId, GroupFacts> = BTreeMap::new();
        for found in found {
            groups.extend(found?);
        }
        self.take_names(&names, groups, tenant_name, &mut resolution)
            .await;
        Ok(resolution)
    }

    async fn take_names(
        &self,
        names: &[&String],
        groups: BTreeMap<ObjectId, GroupFacts>,
        tenant_name: &str,
        resolution: &mut Resolution,
    ) {
        let mut unknown = Vec::new();
        for name in names {
            // Graph ignores case, and finds long names by their beginning.
            let called: Vec<&GroupFacts> = groups
                .values()
                .filter(|group| group.is_called(name))
                .collect();
            match called.as_slice() {
                [group] => resolution.found((*name).clone(), (*group).clone()),
                [] => unknown.push((*name).clone()),
                several => {
                    resolution
                        .unresolved
                        .insert((*name).clone(), ambiguous_reason(several));
                }
            }
        }
        if !unknown.is_empty() {
            let mut similar: Vec<GroupFacts> = groups.into_values().collect();
            // It serves a hint only, so a failure here is not one of the look-up.
            let list = format!("/groups?$select={FIELDS}&$top=999");
            if let Ok(listed) = self.list_up_to(Get::new(list), PAGES_FOR_A_HINT).await {
                similar.extend(listed.into_values());
            }
            for name in unknown {
                let reason = unknown_reason(&name, &similar, tenant_name);
                resolution.unresolved.insert(name, reason);
            }
        }
    }
}

impl Resolution {
    fn take_ids(
        &mut self,
        ids: &[&String],
        answers: Vec<Result<Body, Failure>>,
        tenant_name: &str,
    ) -> Result<(), Failure> {
        for (text, answer) in ids.iter().zip(answers) {
            match answer {
                Ok(body) => self.found((*text).clone(), body.parse()?),
                Err(Failure::Refused(refusal)) if refusal.status == 404 => {
                    let reason = format!("is not the id of a group in tenant {tenant_name}");
                    self.unresolved.insert((*text).clone(), reason);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn found(&mut self, name: String, group: GroupFacts) {
        self.resolved.insert(name, group.id.clone());
        self.groups.insert(group.id.clone(), group);
    }
}

fn ambiguous_reason(groups: &[&GroupFacts]) -> String {
    let listed: Vec<String> = groups
        .iter()
        .map(|group| match group.created_date_time.as_deref() {
            Some(created) => {
                let day = created.split('T').next().unwrap_or(created);
                format!("{} (created {day})", group.id)
            }
            None => group.id.to_string(),
        })
        .collect();
    format!(
        "fits {} groups: {}; give the id instead",
        groups.len(),
        listed.join(", ")
    )
}

fn unknown_reason(name: &str, groups: &[GroupFacts], tenant_name: &str) -> String {
    let named = || {
        groups
            .iter()
            .filter_map(|group| Some((group.display_name.as_deref()?, &group.id)))
    };
    if let Some((other, id)) = named().find(|(other, _)| fold(other) == fold(name)) {
        return format!(
            "does not exist in tenant {tenant_name}; it differs only in letter case or spaces from {other} ({id})"
        );
    }
    let closest = named()
        .map(|(other, _)| (strsim::osa_distance(&fold(other), &fold(name)), other))
        .min();
    match closest {
        // Two slips of the pen, or one in every four characters of a long name.
        Some((distance, other))
            if distance <= 2.max(name.chars().count() / 4) && distance < name.chars().count() =>
        {
            format!("does not exist in tenant {tenant_name}; did you mean {other}?")
        }
        _ => format!("does not exist in tenant {tenant_name}"),
    }
}
