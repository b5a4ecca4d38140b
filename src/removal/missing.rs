//! What is missing for a proof, and the words for it.

use crate::model::Address;

/// What is missing for a proof.
pub(super) enum Missing {
    NoAddress,
    NotLookedUp(Address),
    Appeared(Address),
    StillThere {
        person: String,
        path: String,
    },
    OthersAccount {
        person: String,
        path: String,
    },
    LockedOut {
        person: String,
        path: String,
    },
    Vanished {
        person: String,
    },
    ServiceAccount,
    /// Two readings do not agree about a person, or about a group.
    Changed {
        what: String,
    },
    Witness {
        provider: String,
        group: String,
    },
    AnyWitness {
        address: Address,
        provider: String,
    },
    Flickering {
        provider: String,
        path: String,
    },
    SameName {
        person: String,
        path: String,
    },
    Federation(Address),
    ExpectedFederation(Address),
}

impl Missing {
    /// Returns what is missing, and what to do about it. `lift` is what allows the removal all the same.
    pub(super) fn words(self, lift: &str) -> (String, String) {
        match self {
            Self::NoAddress => (
                "the account has no address that Keycloak could be asked about".to_owned(),
                "look at the account in Entra".to_owned(),
            ),
            Self::NotLookedUp(address) => (
                format!("Keycloak was not asked about {address}"),
                "plan again".to_owned(),
            ),
            Self::Appeared(address) => (
                format!("Keycloak first knew nobody with {address} and then did"),
                "plan again; if it stays so, look at the user federation of the realm".to_owned(),
            ),
            Self::StillThere { person, path } => (
                format!("its list of members left {person} out, but asked about this person Keycloak names {path}"),
                "plan again; if it stays so, look for a size limit, fine-grained permissions or a user federation in trouble".to_owned(),
            ),
            Self::OthersAccount { person, path } => (
                format!("it has an address of {person}, who is in {path}, but is not the account that is matched with this person"),
                "take the address off the account, or take the account out of the group in Entra".to_owned(),
            ),
            Self::LockedOut { person, path } => (
                format!(
                    "{person} is in {path} and is not disabled, but locked out after too many failed logins: everybody who knows a \
                     name can bring that about"
                ),
                "unlock this person in Keycloak, or take them out of the group there".to_owned(),
            ),
            Self::Vanished { person } => (
                format!("Keycloak first found {person} and then did not"),
                "plan again; if it stays so, look at the user federation of the realm".to_owned(),
            ),
            Self::ServiceAccount => (
                "a service account of Keycloak has its address".to_owned(),
                "take the address off the service account, or protect the account".to_owned(),
            ),
            Self::Changed { what } => (
                format!("two readings of Keycloak differ about {what}"),
                "plan again; if it stays so, look at the user federation of the realm".to_owned(),
            ),
            Self::Witness { provider, group } => (
                format!(
                    "the person comes from the user federation {provider}, and no other enabled person of it was seen in \
                     the Keycloak groups of {group}: it may be out of order"
                ),
                format!("see that {provider} works, keep a permanent member from it in the group, {lift}"),
            ),
            Self::AnyWitness { address, provider } => (
                format!(
                    "Keycloak shows nobody with {address}, but no enabled person of the user federation {provider} was seen \
                     in every round of reads: the person may come from there while it is out of order"
                ),
                format!("see that {provider} works and that a mapped group has a member from it, {lift}"),
            ),
            Self::Flickering { provider, path } => (
                format!(
                    "one reading of {path} showed people of the user federation {provider} and another none: it may be going in \
                     and out of order"
                ),
                format!("plan again; if it stays so, see that {provider} works, {lift}"),
            ),
            Self::SameName { person, path } => (
                format!("{person} in {path} has its name and is not clear, so it may be theirs"),
                "see what is said of this person; correct their address in Keycloak, or take them out of the group".to_owned(),
            ),
            Self::Federation(address) => (
                format!(
                    "Keycloak shows nobody with {address}, but whether the realm has a user federation is not known, and a person of \
                     one that is out of order looks the same"
                ),
                format!(
                    "give the sync account the role view-realm of the client realm-management, or set \
                     `keycloak_federation: none` if there is none, {lift}"
                ),
            ),
            Self::ExpectedFederation(address) => (
                format!(
                    "Keycloak shows nobody with {address}, but `keycloak_federation: expected` says that the realm has a user \
                     federation, and nobody from it was seen"
                ),
                format!("see that it works and that a mapped group has a member from it, {lift}"),
            ),
        }
    }
}
