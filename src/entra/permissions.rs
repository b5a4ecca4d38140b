//! The application permissions of Graph that each command needs, as data for `check`.
//!
//! From Microsoft's permissions reference; the ids are those of Graph's app roles and the same in every tenant.

use std::collections::BTreeSet;

/// The app id of Microsoft Graph, whose app roles these are.
pub const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

/// What the app is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// `plan`, `check --for plan` and `apply --dry-run`: read.
    Plan,
    /// `apply`: read and write.
    Apply,
}

/// An application permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Its name, as the `roles` of a token have it.
    pub name: &'static str,
    /// The id of the app role, which is what is granted.
    pub id: &'static str,
    /// What it is for.
    pub allows: &'static str,
    /// The first purpose that needs it; apply needs what plan needs.
    pub needed_from: Purpose,
    /// Whether it is needed only for some groups.
    pub optional: bool,
    /// Wider permissions that do as well.
    pub or_one_of: &'static [&'static str],
}

/// To read accounts and the facts of the tenant.
pub const READ_ACCOUNTS: Permission = Permission {
    name: "User.Read.All",
    id: "df021288-bdef-4463-88db-98f22de89214",
    allows: "read accounts and the tenant's domains",
    needed_from: Purpose::Plan,
    optional: false,
    or_one_of: &["Directory.Read.All"],
};

/// To read groups and their members. `GroupMember.ReadWrite.All` reads members, but no groups.
pub const READ_GROUPS: Permission = Permission {
    name: "GroupMember.Read.All",
    id: "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    allows: "read groups and their members",
    needed_from: Purpose::Plan,
    optional: false,
    or_one_of: &["Group.Read.All", "Directory.Read.All"],
};

/// To invite.
pub const INVITE: Permission = Permission {
    name: "User.Invite.All",
    id: "09850681-111b-4a89-9bed-3f2cae46d706",
    allows: "invite people",
    needed_from: Purpose::Apply,
    optional: false,
    or_one_of: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
};

/// To set names and user types.
pub const UPDATE_ACCOUNTS: Permission = Permission {
    name: "User.ReadWrite.All",
    id: "741f803b-c850-494e-b5df-cde7c675a1ca",
    allows: "set names and user types",
    needed_from: Purpose::Apply,
    optional: false,
    or_one_of: &[],
};

/// To add and remove members.
pub const CHANGE_MEMBERS: Permission = Permission {
    name: "GroupMember.ReadWrite.All",
    id: "dbaae8cf-10b5-4b86-a4a1-f871c94c6695",
    allows: "add and remove members of groups",
    needed_from: Purpose::Apply,
    optional: false,
    or_one_of: &["Group.ReadWrite.All", "Directory.ReadWrite.All"],
};

/// To see the members of groups that hide them.
pub const READ_HIDDEN_MEMBERS: Permission = Permission {
    name: "Member.Read.Hidden",
    id: "658aa5d8-239f-45c4-aa12-864f4fc7e490",
    allows: "read the members of groups that hide them",
    needed_from: Purpose::Plan,
    optional: true,
    or_one_of: &[],
};

/// To change role-assignable groups.
pub const CHANGE_ROLE_ASSIGNABLE: Permission = Permission {
    name: "RoleManagement.ReadWrite.Directory",
    id: "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
    allows: "change role-assignable groups",
    // A plan holds their changes only if the app that plans shows that it could make them.
    needed_from: Purpose::Plan,
    optional: true,
    or_one_of: &[],
};

/// All of them, in the order in which they are shown.
pub const PERMISSIONS: [Permission; 7] = [
    READ_ACCOUNTS,
    READ_GROUPS,
    INVITE,
    UPDATE_ACCOUNTS,
    CHANGE_MEMBERS,
    READ_HIDDEN_MEMBERS,
    CHANGE_ROLE_ASSIGNABLE,
];

impl Permission {
    /// Whether the roles of a token grant it, itself or by a wider one. Returns the name that does.
    pub fn granted_by<'a>(&self, roles: &'a BTreeSet<String>) -> Option<&'a str> {
        std::iter::once(&self.name)
            .chain(self.or_one_of)
            .find_map(|name| roles.get(*name))
            .map(String::as_str)
    }

    /// Whether it is for this purpose.
    pub fn is_for(&self, purpose: Purpose) -> bool {
        self.needed_from <= purpose
    }
}

/// Returns the roles of a token that could be taken away without a purpose missing them.
pub fn excess(roles: &BTreeSet<String>, purpose: Purpose) -> BTreeSet<&str> {
    let used: BTreeSet<&str> = PERMISSIONS
        .iter()
        .filter(|permission| permission.is_for(purpose))
        .filter_map(|permission| permission.granted_by(roles))
        .collect();
    roles
        .iter()
        .map(String::as_str)
        .filter(|role| !used.contains(role))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn names(permissions: &[Permission]) -> Vec<&'static str> {
        permissions
            .iter()
            .map(|permission| permission.name)
            .collect()
    }

    /// The permissions that a purpose cannot do without and the roles of a token do not grant.
    fn missing(roles: &BTreeSet<String>, purpose: Purpose) -> Vec<Permission> {
        PERMISSIONS
            .into_iter()
            .filter(|permission| permission.is_for(purpose) && !permission.optional)
            .filter(|permission| permission.granted_by(roles).is_none())
            .collect()
    }

    #[test]
    fn a_wider_permission_stands_in_for_a_narrow_one_and_is_excess_beside_it() {
        let wide = roles(&["Directory.Read.All"]);
        assert!(missing(&wide, Purpose::Plan).is_empty());
        assert!(excess(&wide, Purpose::Plan).is_empty());
        let both = roles(&[
            "Directory.Read.All",
            "User.Read.All",
            "GroupMember.Read.All",
        ]);
        assert_eq!(
            excess(&both, Purpose::Plan),
            BTreeSet::from(["Directory.Read.All"])
        );
    }

    #[test]
    fn apply_needs_what_plan_needs_and_a_plan_app_needs_no_write() {
        let all = roles(&[
            "User.Read.All",
            "GroupMember.Read.All",
            "User.Invite.All",
            "User.ReadWrite.All",
            "GroupMember.ReadWrite.All",
        ]);
        assert!(missing(&all, Purpose::Apply).is_empty());
        assert!(excess(&all, Purpose::Apply).is_empty());
        assert_eq!(excess(&all, Purpose::Plan).len(), 3);
        let reader = roles(&["User.Read.All", "GroupMember.ReadWrite.All"]);
        assert_eq!(
            names(&missing(&reader, Purpose::Plan)),
            ["GroupMember.Read.All"]
        );
        assert_eq!(
            names(&missing(&reader, Purpose::Apply)),
            [
                "GroupMember.Read.All",
                "User.Invite.All",
                "User.ReadWrite.All"
            ]
        );
    }
}
