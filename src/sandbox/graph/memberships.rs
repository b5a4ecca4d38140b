//! Changes of who is in a group: single additions, additions of up to twenty at once, removals, and the two requests that look
//! like a removal and delete the object itself.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::Value;

use super::Graph;
use super::behaviour::{BindCost, BindRight, Concurrency, Conflict, NotAMember, RefusalStatus};
use super::call::{Call, Reply};
use super::groups::require_guid;
use super::properties::Object;
use super::refusal::{
    Refusal, bad_request, directory_bad_request, insufficient_privileges, mastered_on_premises,
    no_such_object,
};
use super::replication::Wish;
use super::world::{Group, User};

/// What changes members.
const WRITE_MEMBERS: &[&str] = &[
    "GroupMember.ReadWrite.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
];

/// What changes groups.
const WRITE_GROUPS: &[&str] = &["Group.ReadWrite.All", "Directory.ReadWrite.All"];

/// The most members that one request adds.
const MOST_LINKS: usize = 20;

/// The property of `PATCH /groups/{id}` that adds members.
const BIND: &str = "members@odata.bind";

impl Graph {
    /// `POST /groups/{id}/members/$ref`.
    pub(super) fn add_member(&mut self, call: &Call, group: &str) -> Result<Reply, Refusal> {
        call.require(WRITE_MEMBERS)?;
        let body = call.object()?;
        let reference = body
            .get("@odata.id")
            .and_then(Value::as_str)
            .ok_or_else(|| {
                bad_request("Invalid URL format specified in @odata.id for POST request.")
            })?;
        let member = self.referenced_id(reference)?;
        self.require_changeable(call, group)?;
        self.add_members(call, group, &[member])
    }

    /// `PATCH /groups/{id}` with `members@odata.bind`: adds all or nobody.
    pub(super) fn bind_members(&mut self, call: &Call, group: &str) -> Result<Reply, Refusal> {
        match self.world.behaviour.writing.bind_right {
            BindRight::GroupMember => call.require(WRITE_MEMBERS)?,
            BindRight::Group => call.require(WRITE_GROUPS)?,
        }
        let body = call.object()?;
        if let Some(other) = body.keys().find(|name| *name != BIND) {
            return Err(directory_bad_request(format!(
                "Property '{other}' cannot be changed here: the sandbox changes nothing of a group but its members."
            )));
        }
        let members = links(&body)
            .ok_or_else(|| bad_request(format!("'{BIND}' has to be a list of links.")))?
            .into_iter()
            .map(|link| self.referenced_id(link))
            .collect::<Result<Vec<_>, _>>()?;
        if members.len() > MOST_LINKS {
            return Err(directory_bad_request(format!(
                "A resource cannot contain more than {MOST_LINKS} link changes"
            )));
        }
        self.require_changeable(call, group)?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = members.iter().find(|member| !seen.insert(member.as_str())) {
            return Err(directory_bad_request(format!(
                "Object '[ResourceType=User,Id={twice},ChangedProperties=[],NonDefaultProperties=[INTERNAL_SingleResourceQuery]]' \
                 referenced from '[ResourceType=Group,Id={group},ChangedProperties=[],NonDefaultProperties=[]]' can only be present \
                 once as an add/remove change."
            )));
        }
        self.add_members(call, group, &members)
    }

    /// What a bind costs of the write quota.
    pub(super) fn bind_cost(&self, call: &Call) -> u32 {
        match self.world.behaviour.writing.bind_cost {
            BindCost::Table => 1,
            BindCost::ThirdOfMembers => u32::try_from(count_links(&call.body).div_ceil(3))
                .unwrap_or(u32::MAX)
                .max(1),
        }
    }

    fn add_members(
        &mut self,
        call: &Call,
        group_id: &str,
        members: &[String],
    ) -> Result<Reply, Refusal> {
        for member in members {
            if Object::find(&self.world, member).is_none() {
                return Err(no_such_object(member));
            }
            self.require_arrived(member, Wish::Reference, call.now)?;
        }
        let group = self.group(group_id)?;
        if members.iter().any(|member| group.members.contains(member)) {
            return Err(directory_bad_request(
                "One or more added object references already exist for the following modified properties: 'members'.",
            ));
        }
        let is_guest = |member: &String| self.world.users.get(member).is_some_and(User::is_guest);
        if group.guests_refused && members.iter().any(is_guest) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "Authorization_RequestDenied",
                "Guests users are not allowed to join this Unified Group due to policy setting.",
            ));
        }
        let size = group.members.len() + members.len();
        if let Some(quota) = group.member_quota.filter(|quota| size > *quota) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "Directory_QuotaExceeded",
                format!(
                    "Unable to perform operation as '{size}' would exceed the maximum quota count '{quota}' for forward-link \
                     'members'."
                ),
            ));
        }
        self.change_members(group_id, |group| {
            group.members.extend(members.iter().cloned());
        });
        Ok(Reply::no_content())
    }

    /// `DELETE /groups/{id}/members/{member}/$ref`.
    pub(super) fn remove_member(
        &mut self,
        call: &Call,
        group: &str,
        member: &str,
    ) -> Result<Reply, Refusal> {
        call.require(WRITE_MEMBERS)?;
        require_guid(member)?;
        let member = member.to_ascii_lowercase();
        self.require_changeable(call, group)?;
        self.require_arrived(&member, Wish::Reference, call.now)?;
        if !self.group(group)?.members.contains(&member) {
            return Err(match self.world.behaviour.writing.not_a_member {
                NotAMember::NotFound => no_such_object(&member),
                NotAMember::BadRequest => directory_bad_request(
                    "One or more removed object references do not exist for the following modified properties: 'members'.",
                ),
            });
        }
        self.change_members(group, |group| {
            group.members.remove(&member);
        });
        Ok(Reply::no_content())
    }

    /// `DELETE /groups/{id}/members/{member}` **without** `/$ref`: deletes the member itself, if the app may do that.
    pub(super) fn delete_member_object(
        &mut self,
        call: &Call,
        group: &str,
        member: &str,
    ) -> Result<Reply, Refusal> {
        let member = member.to_ascii_lowercase();
        if !self.group(group)?.members.contains(&member) {
            return Err(no_such_object(&member));
        }
        if self.world.users.contains_key(&member) {
            return self.delete_user(call, &member);
        }
        call.require(WRITE_GROUPS)?;
        if self.world.groups.remove(&member).is_none() {
            return Err(insufficient_privileges());
        }
        for group in self.world.groups.values_mut() {
            group.members.remove(&member);
        }
        Ok(Reply::no_content())
    }

    fn change_members(&mut self, group: &str, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.world.groups.get_mut(&group.to_ascii_lowercase()) {
            change(group);
        }
    }

    /// Refuses changes to groups whose members nobody, or not this app, can change.
    fn require_changeable(&mut self, call: &Call, group_id: &str) -> Result<(), Refusal> {
        let writing = self.world.behaviour.writing.clone();
        let group = self.group(group_id)?;
        let is_kind = |kind: &str| group.group_types.iter().any(|other| other == kind);
        if is_kind("DynamicMembership") {
            return Err(refused_with(
                writing.dynamic_group,
                "You can't add or remove members of groups with dynamic memberships.",
            ));
        }
        if group.on_premises_sync_enabled == Some(true) {
            return Err(mastered_on_premises());
        }
        if group.mail_enabled && !is_kind("Unified") {
            return Err(refused_with(
                writing.mail_enabled_group,
                "Cannot Update a mail-enabled security groups and or distribution list.",
            ));
        }
        let needs_role_right = group.is_assignable_to_role == Some(true)
            && !call.may(&["RoleManagement.ReadWrite.Directory"]);
        if needs_role_right || group.is_management_restricted == Some(true) {
            return Err(insufficient_privileges());
        }
        self.require_alone(writing.concurrency, writing.conflict, group_id)
    }

    fn require_alone(
        &mut self,
        concurrency: Concurrency,
        conflict: Conflict,
        group: &str,
    ) -> Result<(), Refusal> {
        self.membership_writes += 1;
        let is_alone = match concurrency {
            Concurrency::Accepted => true,
            Concurrency::OncePerBatch => self
                .written_in_batch
                .as_mut()
                .is_none_or(|written| written.insert(group.to_ascii_lowercase())),
            Concurrency::EveryNth(nth) => {
                nth == 0 || !self.membership_writes.is_multiple_of(u64::from(nth))
            }
        };
        if is_alone {
            return Ok(());
        }
        let message = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.";
        Err(match conflict {
            Conflict::Conflict => Refusal::new(
                StatusCode::CONFLICT,
                "Directory_ConcurrencyViolation",
                message,
            ),
            Conflict::BadRequest => directory_bad_request(message),
        })
    }

    /// The id in a link, which has to be one of this service: `{base}/v1.0/directoryObjects/{id}`.
    fn referenced_id(&self, link: &str) -> Result<String, Refusal> {
        let id = link
            .strip_prefix(self.base_url.as_str())
            .and_then(|path| path.strip_prefix("/v1.0/"))
            .and_then(|path| path.split_once('/'))
            .filter(|(set, _)| matches!(*set, "directoryObjects" | "users" | "groups"))
            .map(|(_, id)| id)
            .ok_or_else(|| {
                bad_request(format!(
                    "Invalid URL format specified in @odata.id for POST request: '{link}'."
                ))
            })?;
        require_guid(id)?;
        Ok(id.to_ascii_lowercase())
    }
}

fn refused_with(status: RefusalStatus, message: &str) -> Refusal {
    match status {
        RefusalStatus::BadRequest => directory_bad_request(message),
        RefusalStatus::Forbidden => Refusal::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            message,
        ),
    }
}

fn links(body: &serde_json::Map<String, Value>) -> Option<Vec<&str>> {
    body.get(BIND)?
        .as_array()?
        .iter()
        .map(Value::as_str)
        .collect()
}

/// How many members a body would add.
pub(super) fn count_links(body: &[u8]) -> usize {
    serde_json::from_slice::<Value>(body)
        .ok()
        .as_ref()
        .and_then(Value::as_object)
        .and_then(links)
        .map_or(0, |links| links.len())
}
