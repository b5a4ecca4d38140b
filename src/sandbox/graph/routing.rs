//! Which request is which: from method and path to the operation that answers it, and what that costs.

use reqwest::{Method, StatusCode};

use super::call::{Call, Reply};
use super::quotas::Cost;
use super::refusal::{
    Refusal, bad_request, method_not_allowed, no_such_segment, unsupported_query,
};
use super::{Graph, PerformedCall};

/// An operation of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operation {
    ListOrganization,
    ListDomains,
    ListUsers,
    CountUsers,
    GetUser(String),
    UpdateUser(String),
    DeleteUser(String),
    ListDeletedUsers,
    ListGroups,
    CountGroups,
    GetGroup(String),
    BindMembers(String),
    ListMembers { group: String, only_users: bool },
    CountMembers { group: String, only_users: bool },
    AddMember(String),
    RemoveMember { group: String, member: String },
    DeleteMemberObject { group: String, member: String },
    Invite,
    GetObjectsByIds,
    GetObject(String),
}

impl Operation {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let (get, post) = (call.method == Method::GET, call.method == Method::POST);
        let (patch, delete) = (call.method == Method::PATCH, call.method == Method::DELETE);
        let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        let only_users = |cast: &str| cast == "microsoft.graph.user";
        // Microsoft's own page writes it in both ways.
        let is_deleted_items = |name: &str| name.eq_ignore_ascii_case("deletedItems");
        match segments.as_slice() {
            ["organization"] if get => Ok(Self::ListOrganization),
            ["domains"] if get => Ok(Self::ListDomains),
            ["users"] if get => Ok(Self::ListUsers),
            ["users", "$count"] if get => Ok(Self::CountUsers),
            ["users", id] if get => Ok(Self::GetUser((*id).to_owned())),
            ["users", id] if patch => Ok(Self::UpdateUser((*id).to_owned())),
            ["users", id] if delete => Ok(Self::DeleteUser((*id).to_owned())),
            ["directory", container, cast]
                if get && is_deleted_items(container) && only_users(cast) =>
            {
                Ok(Self::ListDeletedUsers)
            }
            // Without a type, or with one that is not offered here.
            ["directory", container, ..] if get && is_deleted_items(container) => {
                Err(unsupported_query("Unsupported Query."))
            }
            ["groups"] if get => Ok(Self::ListGroups),
            ["groups", "$count"] if get => Ok(Self::CountGroups),
            ["groups", id] if get => Ok(Self::GetGroup((*id).to_owned())),
            ["groups", id] if patch => Ok(Self::BindMembers((*id).to_owned())),
            ["groups", id, "members"] if get => Ok(Self::ListMembers {
                group: (*id).to_owned(),
                only_users: false,
            }),
            ["groups", id, "members", "$count"] if get => Ok(Self::CountMembers {
                group: (*id).to_owned(),
                only_users: false,
            }),
            ["groups", id, "members", cast] if get && only_users(cast) => Ok(Self::ListMembers {
                group: (*id).to_owned(),
                only_users: true,
            }),
            ["groups", id, "members", cast, "$count"] if get && only_users(cast) => {
                Ok(Self::CountMembers {
                    group: (*id).to_owned(),
                    only_users: true,
                })
            }
            ["groups", _, "members", cast, ..] if get && cast.starts_with("microsoft.graph.") => {
                Err(unsupported_query("Unsupported Query."))
            }
            ["groups", id, "members", "$ref"] if post => Ok(Self::AddMember((*id).to_owned())),
            ["groups", _, "members", "$ref"] => Err(bad_request(
                "The request is currently not supported on the targeted entity set",
            )),
            ["groups", _, "members"] => Err(bad_request(
                "Write requests are only supported on contained entities",
            )),
            ["groups", group, "members", member, "$ref"] if delete => Ok(Self::RemoveMember {
                group: (*group).to_owned(),
                member: (*member).to_owned(),
            }),
            ["groups", group, "members", member] if delete => Ok(Self::DeleteMemberObject {
                group: (*group).to_owned(),
                member: (*member).to_owned(),
            }),
            ["invitations"] if post => Ok(Self::Invite),
            ["invitations"] if get => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "ResourceNotFound",
                "Invitations cannot be listed.",
            )),
            ["directoryObjects", "getByIds" | "microsoft.graph.getByIds"] if post => {
                Ok(Self::GetObjectsByIds)
            }
            ["directoryObjects", id] if get => Ok(Self::GetObject((*id).to_owned())),
            // `PATCH /directoryObjects/{id}` is among these, the old script's undocumented way to update an account.
            ["organization" | "domains" | "users" | "groups" | "invitations"]
            | ["users" | "groups" | "directoryObjects", _]
            | ["groups", _, "members", _, "$ref"] => Err(method_not_allowed()),
            [
                "organization" | "domains" | "invitations" | "directoryObjects",
                second,
                ..,
            ] => Err(no_such_segment(second)),
            ["users" | "groups", _, third, ..] => Err(no_such_segment(third)),
            [first, ..] => Err(no_such_segment(first)),
            [] => Err(no_such_segment("")),
        }
    }

    fn cost(&self, call: &Call, graph: &Graph) -> Cost {
        match self {
            Self::ListUsers => Cost::read(call, 2),
            Self::ListMembers { .. } => Cost::read(call, 3),
            // With `$select` it costs two, by Microsoft's table.
            Self::GetObjectsByIds if call.query.get("$select").is_some() => Cost {
                resource_units: 2,
                ..Cost::default()
            },
            Self::GetObjectsByIds => Cost {
                resource_units: 5,
                ..Cost::default()
            },
            Self::ListOrganization
            | Self::ListDomains
            | Self::CountUsers
            | Self::GetUser(_)
            | Self::ListDeletedUsers
            | Self::ListGroups
            | Self::CountGroups
            | Self::GetGroup(_)
            | Self::CountMembers { .. }
            | Self::GetObject(_) => Cost::read(call, 1),
            Self::UpdateUser(_)
            | Self::DeleteUser(_)
            | Self::AddMember(_)
            | Self::RemoveMember { .. }
            | Self::DeleteMemberObject { .. } => Cost::write(1),
            Self::BindMembers(_) => Cost::write(graph.bind_cost(call)),
            Self::Invite => Cost {
                invitations: 1,
                ..Cost::default()
            },
        }
    }
}

impl Graph {
    /// Answers a call, unless a fault is planned for it or a quota is used up.
    pub(super) fn perform(&mut self, call: &Call) -> Result<Reply, Refusal> {
        self.revision += u64::from(call.method != Method::GET);
        let (answer, cost) = match Operation::of(call) {
            Ok(operation) => {
                let cost = operation.cost(call, self);
                (self.perform_operation(call, &operation, cost), cost)
            }
            Err(refusal) => (Err(refusal), Cost::default()),
        };
        let status = match &answer {
            Ok(reply) => reply.status,
            Err(refusal) => refusal.status,
        };
        self.calls.push(PerformedCall {
            method: call.method.to_string(),
            path: call.path.clone(),
            status: status.as_u16(),
            resource_units: cost.resource_units,
            writes: cost.writes,
            invitations: cost.invitations,
        });
        answer
    }

    fn perform_operation(
        &mut self,
        call: &Call,
        operation: &Operation,
        cost: Cost,
    ) -> Result<Reply, Refusal> {
        let fault = self.take_fault(call);
        if let Some((refusal, false)) = &fault {
            return Err(refusal.clone());
        }
        let used = self.charge(call, cost)?;
        let usage = [
            (cost.resource_units > 0)
                .then(|| ("x-ms-resource-unit", cost.resource_units.to_string())),
            used.filter(|used| *used >= 0.8)
                .map(|used| ("x-ms-throttle-limit-percentage", format!("{used:.2}"))),
        ];
        let usage = usage.into_iter().flatten();
        match (self.carry_out(call, operation), fault) {
            (_, Some((refusal, _))) => Err(refusal),
            (Ok(mut reply), None) => {
                reply.headers.extend(usage);
                Ok(reply)
            }
            (Err(mut refusal), None) => {
                refusal.headers.extend(usage);
                Err(refusal)
            }
        }
    }

    fn carry_out(&mut self, call: &Call, operation: &Operation) -> Result<Reply, Refusal> {
        match operation {
            Operation::ListOrganization => self.list_organization(call),
            Operation::ListDomains => self.list_domains(call),
            Operation::ListUsers => self.list_users(call),
            Operation::CountUsers => self.count_users(call),
            Operation::GetUser(id) => self.get_user(call, id),
            Operation::UpdateUser(id) => self.update_user(call, id),
            Operation::DeleteUser(id) => self.delete_user_by_key(call, id),
            Operation::ListDeletedUsers => self.list_deleted_users(call),
            Operation::ListGroups => self.list_groups(call),
            Operation::CountGroups => self.count_groups(call),
            Operation::GetGroup(id) => self.get_group(call, id),
            Operation::BindMembers(id) => self.bind_members(call, id),
            Operation::ListMembers { group, only_users } => {
                self.list_members(call, group, *only_users)
            }
            Operation::CountMembers { group, only_users } => {
                self.count_members(call, group, *only_users)
            }
            Operation::AddMember(group) => self.add_member(call, group),
            Operation::RemoveMember { group, member } => self.remove_member(call, group, member),
            Operation::DeleteMemberObject { group, member } => {
                self.delete_member_object(call, group, member)
            }
            Operation::Invite => self.invite(call),
            Operation::GetObjectsByIds => self.get_objects_by_ids(call),
            Operation::GetObject(id) => self.get_object(call, id),
        }
    }

    /// The fault that is planned for a call, and whether the call has its effect all the same.
    fn take_fault(&mut self, call: &Call) -> Option<(Refusal, bool)> {
        let fault = self.world.faults.iter_mut().find(|fault| {
            (fault.skip > 0 || fault.times > 0)
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|method| method == call.method.as_str())
                && call.path.contains(&fault.path_contains)
        })?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        let status =
            StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut refusal = Refusal::new(status, &fault.code, fault.message.clone());
        if let Some(retry_after) = &fault.retry_after {
            refusal = refusal.with_header("retry-after", retry_after.clone());
        }
        Some((refusal, fault.after_effect))
    }
}
