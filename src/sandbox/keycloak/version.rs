//! The versions of Keycloak that the simulator can be, and in what they differ.
//!
//! Each was run and its answers written down; a version between two of them is not claimed to behave like either.

use serde::{Deserialize, Serialize};

/// A version of Keycloak.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Version {
    /// 21.1.2.
    #[serde(rename = "21.1.2")]
    V21_1_2,
    /// 22.0.5.
    #[serde(rename = "22.0.5")]
    V22_0_5,
    /// 24.0.5.
    #[serde(rename = "24.0.5")]
    V24_0_5,
    /// 25.0.6.
    #[serde(rename = "25.0.6")]
    V25_0_6,
    /// 26.0.8.
    #[serde(rename = "26.0.8")]
    V26_0_8,
    /// 26.7.4.
    #[default]
    #[serde(rename = "26.7.4")]
    V26_7_4,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 6] = [
        Self::V21_1_2,
        Self::V22_0_5,
        Self::V24_0_5,
        Self::V25_0_6,
        Self::V26_0_8,
        Self::V26_7_4,
    ];

    /// The version of this number.
    pub fn of_number(number: &str) -> anyhow::Result<Self> {
        serde_json::from_value(number.into()).map_err(|_| {
            let known = Self::ALL.map(Self::number).join(", ");
            anyhow::anyhow!("Keycloak {number} cannot be simulated; those that can are {known}")
        })
    }

    /// Its number.
    pub fn number(self) -> &'static str {
        match self {
            Self::V21_1_2 => "21.1.2",
            Self::V22_0_5 => "22.0.5",
            Self::V24_0_5 => "24.0.5",
            Self::V25_0_6 => "25.0.6",
            Self::V26_0_8 => "26.0.8",
            Self::V26_7_4 => "26.7.4",
        }
    }

    /// The classic `RESTEasy` answered; from 23 on it is `RESTEasy` Reactive.
    pub(super) fn has_classic_resteasy(self) -> bool {
        self <= Self::V22_0_5
    }

    /// Errors of the admin API carry a description that says nothing.
    pub(super) fn describes_errors(self) -> bool {
        matches!(self, Self::V24_0_5 | Self::V25_0_6)
    }

    /// What `error` is in a 403.
    pub(super) fn forbidden(self) -> &'static str {
        if self >= Self::V25_0_6 {
            "HTTP 403 Forbidden"
        } else {
            "unknown_error"
        }
    }

    /// The status of `invalid_grant` for a wrong password (upgrade guide of 26.6).
    pub(super) fn wrong_password_status(self) -> u16 {
        if self >= Self::V26_7_4 { 400 } else { 401 }
    }

    /// A person needs names and an address to log in (the default user profile of 24).
    pub(super) fn needs_a_complete_profile(self) -> bool {
        self >= Self::V24_0_5
    }

    /// Paths that are not normalised are refused (CVE-2025-10939, since 26.4.3), and raw semicolons (since 26.6).
    pub(super) fn refuses_odd_paths(self) -> bool {
        self >= Self::V26_7_4
    }

    /// Empty segments inside the path of a group are skipped.
    pub(super) fn skips_empty_segments(self) -> bool {
        self >= Self::V24_0_5
    }

    /// The path of a group is decoded twice, so that no name with `%` or `;` is found by path.
    pub(super) fn decodes_group_paths_twice(self) -> bool {
        self == Self::V24_0_5
    }

    /// Groups come without their sub-groups, which have an endpoint of their own.
    pub(super) fn has_children_endpoint(self) -> bool {
        self >= Self::V24_0_5
    }

    /// `group-by-path` counts the sub-groups.
    pub(super) fn counts_subgroups_by_path(self) -> bool {
        self >= Self::V26_0_8
    }

    /// Who may only query groups sees all of them.
    pub(super) fn lists_groups_to_queriers(self) -> bool {
        self == Self::V21_1_2
    }

    /// Brief rows of people carry `createdTimestamp`.
    pub(super) fn brief_rows_are_dated(self) -> bool {
        self >= Self::V26_7_4
    }

    /// Brief rows of people carry the attributes that say why somebody is disabled and that an administrator is temporary.
    pub(super) fn brief_rows_have_marks(self) -> bool {
        self >= Self::V26_7_4
    }

    /// Rows of people name their provider in `origin` too, and in `federationLink` even where nothing is imported. Before, only full
    /// rows had an `origin`, and only where nothing is imported.
    pub(super) fn names_origins(self) -> bool {
        self >= Self::V26_7_4
    }

    /// An outage of a user federation is answered with 200 and the people missing, instead of an error.
    pub(super) fn hides_outages(self) -> bool {
        self >= Self::V26_7_4
    }

    /// A search finds people as the user cache has them, and leaves them there; before, it asked their provider about each.
    pub(super) fn searches_through_the_cache(self) -> bool {
        self >= Self::V26_7_4
    }

    /// An outage during a long answer cuts the array off and puts an error object after it.
    pub(super) fn breaks_long_answers(self) -> bool {
        self >= Self::V24_0_5 && !self.hides_outages()
    }

    /// The size limit of an LDAP server shortens the list of members; before, pages were asked for.
    pub(super) fn obeys_size_limits(self) -> bool {
        self >= Self::V24_0_5
    }

    /// Disabling a person of a provider in Keycloak itself is accepted and ignored.
    pub(super) fn ignores_disabling_of_linked_people(self) -> bool {
        self == Self::V24_0_5
    }
}
