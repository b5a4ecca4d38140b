//! The properties of the directory's objects: which there are, which come without being asked for, and their values.
//!
//! `$select` is honoured strictly: what was not asked for is absent.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::property_names::{
    BASIC_USER, COLLECTIONS, DEFAULT_GROUP, DEFAULT_USER, DOMAIN, GROUP, ORGANIZATION, OTHER, USER,
};
use super::refusal::{Refusal, bad_request};
use super::world::{EntraWorld, Group, Identity, OtherKind, OtherObject, User};

/// The value of a property.
#[derive(Debug, Clone, Copy)]
pub(super) enum Property<'a> {
    Text(Option<&'a str>),
    Texts(&'a [String]),
    Flag(Option<bool>),
    Identities(&'a [Identity]),
    Json(&'a Value),
}

impl Property<'_> {
    fn to_value(self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Texts(texts) => json!(texts),
            Self::Flag(flag) => json!(flag),
            Self::Identities(identities) => json!(identities),
            Self::Json(value) => value.clone(),
        }
    }
}

/// An object of the directory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Object<'a> {
    User(&'a User),
    Group(&'a Group),
    Other(&'a OtherObject),
}

impl<'a> Object<'a> {
    pub(super) fn find(world: &'a EntraWorld, id: &str) -> Option<Self> {
        let id = id.to_ascii_lowercase();
        let user = world.users.get(&id).map(Object::User);
        user.or_else(|| world.groups.get(&id).map(Object::Group))
            .or_else(|| world.other_objects.get(&id).map(Object::Other))
    }

    pub(super) fn id(self) -> &'a str {
        match self {
            Self::User(user) => &user.id,
            Self::Group(group) => &group.id,
            Self::Other(object) => &object.id,
        }
    }

    pub(super) fn odata_type(self) -> &'static str {
        match self {
            Self::User(_) => "#microsoft.graph.user",
            Self::Group(_) => "#microsoft.graph.group",
            Self::Other(object) => match object.kind {
                OtherKind::Device => "#microsoft.graph.device",
                OtherKind::OrgContact => "#microsoft.graph.orgContact",
                OtherKind::ServicePrincipal => "#microsoft.graph.servicePrincipal",
            },
        }
    }

    pub(super) fn property(self, name: &str) -> Option<Property<'a>> {
        match self {
            Self::User(user) => user_property(user, name),
            Self::Group(group) => group_property(group, name),
            Self::Other(object) => match name {
                "id" => Some(Property::Text(Some(&object.id))),
                "displayName" => Some(Property::Text(Some(&object.display_name))),
                "mail" if object.kind == OtherKind::OrgContact => {
                    Some(Property::Text(object.mail.as_deref()))
                }
                _ => None,
            },
        }
    }

    fn resource(self) -> Resource {
        match self {
            Self::User(_) => Resource::User,
            Self::Group(_) => Resource::Group,
            Self::Other(_) => Resource::Other,
        }
    }

    /// The object as this caller sees it, with the properties it asked for or those that come by themselves.
    pub(super) fn render(self, call: &Call, selection: Option<&Selection>) -> Map<String, Value> {
        let resource = self.resource();
        let names: Vec<&str> = match selection {
            Some(selection) => selection
                .names
                .iter()
                .map(String::as_str)
                .filter(|name| resource.has(name))
                .collect(),
            None => resource.default_properties().to_vec(),
        };
        let sight = self.sight(call);
        names
            .into_iter()
            .filter(|name| sight != Sight::Basic || BASIC_USER.contains(name))
            .map(|name| {
                let value = if sight == Sight::Nothing && name != "id" {
                    Value::Null
                } else {
                    match self.property(name) {
                        Some(property) => property.to_value(),
                        None if COLLECTIONS.contains(&name) => json!([]),
                        None => Value::Null,
                    }
                };
                (name.to_owned(), value)
            })
            .collect()
    }

    /// As [`Self::render`], for lists of objects of several kinds. Of objects that the caller may not read, everything but
    /// type and id is null.
    pub(super) fn render_typed(
        self,
        call: &Call,
        selection: Option<&Selection>,
    ) -> Map<String, Value> {
        let mut rendered = self.render(call, selection);
        rendered.insert("@odata.type".to_owned(), json!(self.odata_type()));
        rendered
    }

    fn sight(self, call: &Call) -> Sight {
        let full: &[&str] = match self {
            Self::User(_) => READ_USERS,
            Self::Group(_) => READ_GROUPS,
            Self::Other(object) => match object.kind {
                OtherKind::Device => &[
                    "Device.Read.All",
                    "Directory.Read.All",
                    "Directory.ReadWrite.All",
                ],
                OtherKind::OrgContact => &[
                    "OrgContact.Read.All",
                    "Directory.Read.All",
                    "Directory.ReadWrite.All",
                ],
                OtherKind::ServicePrincipal => &[
                    "Application.Read.All",
                    "Directory.Read.All",
                    "Directory.ReadWrite.All",
                ],
            },
        };
        if call.may(full) {
            Sight::Everything
        } else if matches!(self, Self::User(_)) && call.may(&["User.ReadBasic.All"]) {
            Sight::Basic
        } else {
            Sight::Nothing
        }
    }
}

/// How much of an object the caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Everything,
    Basic,
    Nothing,
}

/// What reads accounts with all their properties.
pub(super) const READ_USERS: &[&str] = &[
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

/// What reads groups. `GroupMember.ReadWrite.All` is not among them, according to Microsoft's permission list.
pub(super) const READ_GROUPS: &[&str] = &[
    "Group.ReadBasic.All",
    "GroupMember.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

/// The kinds of objects, as far as their properties differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    User,
    Group,
    Organization,
    Domain,
    Other,
    /// Objects of any of these kinds.
    Any,
}

impl Resource {
    /// Its name in types.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Organization => "organization",
            Self::Domain => "domain",
            Self::Other | Self::Any => "directoryObject",
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        match self {
            Self::User => USER.contains(&name),
            Self::Group => GROUP.contains(&name),
            Self::Organization => ORGANIZATION.contains(&name),
            Self::Domain => DOMAIN.contains(&name),
            Self::Other => OTHER.contains(&name),
            Self::Any => USER.contains(&name) || GROUP.contains(&name) || OTHER.contains(&name),
        }
    }

    fn default_properties(self) -> &'static [&'static str] {
        match self {
            Self::User => DEFAULT_USER,
            Self::Group => DEFAULT_GROUP,
            Self::Organization => ORGANIZATION,
            Self::Domain => DOMAIN,
            Self::Other | Self::Any => OTHER,
        }
    }
}

/// What `$select` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    names: Vec<String>,
}

impl Selection {
    /// Reads `$select`. Names that no such object has are refused, misspelt ones among them.
    pub(super) fn of(call: &Call, resource: Resource) -> Result<Option<Self>, Refusal> {
        let Some(text) = call.query.get("$select") else {
            return Ok(None);
        };
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        for name in &names {
            if !resource.has(name) {
                // The words are from memory.
                return Err(bad_request(format!(
                    "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
                     'microsoft.graph.{}'.",
                    resource.type_name()
                )));
            }
        }
        Ok(Some(Self { names }))
    }

    /// As it stands in `@odata.context`.
    pub(super) fn in_context(selection: Option<&Self>) -> String {
        selection.map_or_else(String::new, |selection| {
            format!("({})", selection.names.join(","))
        })
    }

    /// Leaves the chosen properties of an object that was put together whole.
    pub(super) fn apply(
        selection: Option<&Self>,
        mut whole: Map<String, Value>,
    ) -> Map<String, Value> {
        if let Some(selection) = selection {
            whole.retain(|name, _| selection.names.contains(name));
        }
        whole
    }
}

fn user_property<'a>(user: &'a User, name: &str) -> Option<Property<'a>> {
    use Property::{Flag, Identities, Json, Text, Texts};
    Some(match name {
        "id" => Text(Some(&user.id)),
        "userPrincipalName" => Text(Some(&user.user_principal_name)),
        "displayName" => Text(user.display_name.as_deref()),
        "givenName" => Text(user.given_name.as_deref()),
        "surname" => Text(user.surname.as_deref()),
        "mail" => Text(user.mail.as_deref()),
        "mailNickname" => Text(user.mail_nickname.as_deref()),
        "otherMails" => Texts(&user.other_mails),
        "proxyAddresses" => Texts(&user.proxy_addresses),
        "userType" => Text(user.user_type.as_deref()),
        "creationType" => Text(user.creation_type.as_deref()),
        "externalUserState" => Text(user.external_user_state.as_deref()),
        "externalUserStateChangeDateTime" => Text(user.external_user_state_changed.as_deref()),
        "accountEnabled" => Flag(Some(user.account_enabled)),
        "onPremisesSyncEnabled" => Flag(user.on_premises_sync_enabled),
        "createdDateTime" => Text(user.created.as_deref()),
        "identities" => Identities(&user.identities),
        "isManagementRestricted" => Flag(Some(user.management_restricted)),
        _ => Json(user.other.get(name)?),
    })
}

fn group_property<'a>(group: &'a Group, name: &str) -> Option<Property<'a>> {
    use Property::{Flag, Text, Texts};
    Some(match name {
        "id" => Text(Some(&group.id)),
        "displayName" => Text(Some(&group.display_name)),
        "description" => Text(group.description.as_deref()),
        "mailNickname" => Text(Some(&group.mail_nickname)),
        "mail" => Text(group.mail.as_deref()),
        "groupTypes" => Texts(&group.group_types),
        "mailEnabled" => Flag(Some(group.mail_enabled)),
        "securityEnabled" => Flag(Some(group.security_enabled)),
        "membershipRule" => Text(group.membership_rule.as_deref()),
        "membershipRuleProcessingState" => Text(group.membership_rule_processing_state.as_deref()),
        "onPremisesSyncEnabled" => Flag(group.on_premises_sync_enabled),
        "isAssignableToRole" => Flag(group.is_assignable_to_role),
        "isManagementRestricted" => Flag(group.is_management_restricted),
        "visibility" => Text(group.visibility.as_deref()),
        "createdDateTime" | "renewedDateTime" => Text(group.created.as_deref()),
        _ => return None,
    })
}
