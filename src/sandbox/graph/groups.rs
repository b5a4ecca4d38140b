//! Groups and who is in them: reads only. Changes of members are in [`super::memberships`].

use serde_json::{Value, json};

use super::Graph;
use super::behaviour::HiddenMembership;
use super::call::{Call, Reply};
use super::filter::holds;
use super::filter_rules::filter_of;
use super::properties::{Object, READ_GROUPS, Resource, Selection};
use super::refusal::{
    Refusal, directory_bad_request, insufficient_privileges, needs_advanced_query, no_such_object,
};
use super::replication::View;
use super::users::count_reply;
use super::world::{Group, OtherKind, OtherObject};

/// What reads the members of groups.
const READ_MEMBERS: &[&str] = &[
    "GroupMember.ReadBasic.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

impl Graph {
    pub(super) fn list_groups(&self, call: &Call) -> Result<Reply, Refusal> {
        call.require(READ_GROUPS)?;
        let selection = Selection::of(call, Resource::Group)?;
        let fits = self.groups_that_fit(call)?;
        let context = format!("groups{}", Selection::in_context(selection.as_ref()));
        let items = self
            .world
            .groups
            .iter()
            .map(|(id, group)| (id.as_str(), group));
        self.page(call, &context, items, fits, |group| {
            Object::Group(group).render(call, selection.as_ref())
        })
    }

    pub(super) fn count_groups(&self, call: &Call) -> Result<Reply, Refusal> {
        call.require(READ_GROUPS)?;
        let fits = self.groups_that_fit(call)?;
        count_reply(
            call,
            self.world
                .groups
                .values()
                .filter(|group| fits(group))
                .count(),
        )
    }

    fn groups_that_fit(&self, call: &Call) -> Result<impl Fn(&Group) -> bool + use<'_>, Refusal> {
        let reading = &self.world.behaviour.reading;
        let filter = filter_of(call, Resource::Group, reading)?;
        Ok(move |group: &Group| {
            filter.as_ref().is_none_or(|filter| {
                !filter.matches_nothing
                    && holds(
                        &filter.condition,
                        &|name| Object::Group(group).property(name),
                        reading.filters_ignore_case,
                    )
            })
        })
    }

    pub(super) fn get_group(&self, call: &Call, id: &str) -> Result<Reply, Refusal> {
        call.require(READ_GROUPS)?;
        let selection = Selection::of(call, Resource::Group)?;
        let group = self.group(id)?;
        let mut body = Object::Group(group).render(call, selection.as_ref());
        body.insert(
            "@odata.context".to_owned(),
            json!(format!(
                "{}/v1.0/$metadata#groups{}/$entity",
                self.base_url,
                Selection::in_context(selection.as_ref())
            )),
        );
        Ok(Reply::json(Value::Object(body)))
    }

    /// The group with this id.
    pub(super) fn group(&self, id: &str) -> Result<&Group, Refusal> {
        require_guid(id)?;
        self.world
            .groups
            .get(&id.to_ascii_lowercase())
            .ok_or_else(|| no_such_object(id))
    }

    /// The members of every kind that v1.0 lists, or the accounts among them.
    pub(super) fn list_members(
        &self,
        call: &Call,
        id: &str,
        only_users: bool,
    ) -> Result<Reply, Refusal> {
        let resource = if only_users {
            Resource::User
        } else {
            Resource::Any
        };
        let selection = Selection::of(call, resource)?;
        let members = self.members_that_fit(call, id, only_users)?;
        let set = if only_users {
            "users"
        } else {
            "directoryObjects"
        };
        let context = format!("{set}{}", Selection::in_context(selection.as_ref()));
        let items = members.iter().map(|member| (member.id(), *member));
        self.page(
            call,
            &context,
            items,
            |_| true,
            |member| {
                if only_users {
                    member.render(call, selection.as_ref())
                } else {
                    member.render_typed(call, selection.as_ref())
                }
            },
        )
    }

    pub(super) fn count_members(
        &self,
        call: &Call,
        id: &str,
        only_users: bool,
    ) -> Result<Reply, Refusal> {
        count_reply(call, self.members_that_fit(call, id, only_users)?.len())
    }

    fn members_that_fit(
        &self,
        call: &Call,
        id: &str,
        only_users: bool,
    ) -> Result<Vec<Object<'_>>, Refusal> {
        call.require(READ_MEMBERS)?;
        let group = self.group(id)?;
        let is_hidden = group.visibility.as_deref() == Some("HiddenMembership")
            && !call.may(&["Member.Read.Hidden"]);
        let reading = &self.world.behaviour.reading;
        if is_hidden && reading.hidden_membership == HiddenMembership::Refused {
            return Err(insufficient_privileges());
        }
        if call.query.get("$filter").is_some() && !call.is_advanced() {
            return Err(needs_advanced_query());
        }
        let resource = if only_users {
            Resource::User
        } else {
            Resource::Any
        };
        let filter = filter_of(call, resource, reading)?;
        let members = group
            .members
            .iter()
            .filter(|_| !is_hidden)
            .filter_map(|id| Object::find(&self.world, id))
            // A known gap of v1.0: service principals are members, and are not listed.
            .filter(|member| {
                !matches!(
                    member,
                    Object::Other(OtherObject {
                        kind: OtherKind::ServicePrincipal,
                        ..
                    })
                )
            })
            .filter(|member| !only_users || matches!(member, Object::User(_)))
            .filter(|member| self.has_arrived(member.id(), View::List, call.now))
            .filter(|member| {
                filter.as_ref().is_none_or(|filter| {
                    !filter.matches_nothing
                        && holds(
                            &filter.condition,
                            &|name| member.property(name),
                            reading.filters_ignore_case,
                        )
                })
            });
        Ok(members.collect())
    }
}

/// Refuses what is not an object id.
pub(super) fn require_guid(id: &str) -> Result<(), Refusal> {
    if id.len() == 36 && uuid::Uuid::parse_str(id).is_ok() {
        Ok(())
    } else {
        // The words are from memory.
        Err(directory_bad_request(format!(
            "Invalid object identifier '{id}'."
        )))
    }
}
