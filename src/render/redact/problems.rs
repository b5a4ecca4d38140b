//! Problems without the people in them. They are sentences, so nothing of them is kept: each becomes the general one of its code.

use crate::model::PersonId;
use crate::plan::{About, Problem, ProblemCode};
use crate::removal::held_in;

use super::tokens::{NAME, Tokens};

impl Tokens<'_> {
    /// What is said in general of a problem of its kind.
    pub fn problem(&self, problem: &Problem) -> Problem {
        let Problem {
            code,
            subject: _,
            message: _,
            hint: _,
            about,
        } = problem;
        let Some((general, hint)) = general(*code) else {
            return problem.clone();
        };
        let mut everybody = whom(about).map(|whom| self.person(whom));
        let group = about.group.as_ref().map(|group| group.name.as_str());
        let (subject, message) = match (code, group) {
            (ProblemCode::RemovalNotConfirmed, Some(group)) => {
                (everybody.next(), held_in(group) + "that is not proved")
            }
            (ProblemCode::AddressMayHaveChanged, Some(group)) => {
                let (leaves, comes) = (everybody.next(), everybody.next());
                let comes = comes.unwrap_or_else(|| NAME.to_owned());
                let message = format!(
                    "leaves {group}, and {comes}, of the same name, is invited to it: perhaps one person with a new address"
                );
                (leaves, message)
            }
            _ => {
                let everybody: Vec<String> = everybody.collect();
                let everybody = (!everybody.is_empty()).then(|| everybody.join(", "));
                (everybody, general.to_owned())
            }
        };
        Problem {
            code: *code,
            subject: subject.unwrap_or_else(|| NAME.to_owned()),
            message,
            hint: Some(hint.to_owned()),
            about: self.about(about),
        }
    }

    fn about(&self, about: &About) -> About {
        let About {
            emails,
            people,
            account,
            group,
        } = about;
        About {
            emails: emails.iter().map(|email| self.email(email)).collect(),
            people: people.iter().map(|id| self.person_id(id)).collect(),
            account: account.as_ref().map(|id| self.account_id(id)),
            group: group.clone(),
        }
    }
}

/// By what the people have their tokens that a problem is about: their addresses, or what they are in Keycloak.
pub(super) fn whom(about: &About) -> impl Iterator<Item = &str> {
    let in_keycloak = about.people.iter().map(PersonId::as_str);
    let in_keycloak = in_keycloak.filter(|_| about.emails.is_empty());
    about.emails.iter().map(String::as_str).chain(in_keycloak)
}

/// What is said of everybody with a problem of this kind, and what to do. `None` where a problem is about nobody: its text is made
/// from nothing but the code and the name of a group.
pub(super) fn general(code: ProblemCode) -> Option<(&'static str, &'static str)> {
    Some(match code {
        ProblemCode::NoEmail => (
            "has no e-mail address in Keycloak",
            "enter one there; until then this person is neither invited nor added",
        ),
        ProblemCode::InvalidEmail => (
            "has an e-mail address in Keycloak that is none, or that Entra does not accept",
            "correct it there, or give them another one",
        ),
        ProblemCode::OwnDomain => (
            "has an address at a domain of this tenant: nobody there can be invited",
            "create the account in Entra, or correct the address in Keycloak",
        ),
        ProblemCode::DomainNotAllowed => (
            "has an address at a domain that is not among `invitations.allowed_domains`",
            "add the domain there if these people may be invited",
        ),
        ProblemCode::DuplicateEmail => (
            "has an address that several people in Keycloak have",
            "give each their own address there, or take all but one out of the mapped groups",
        ),
        ProblemCode::AmbiguousAccount => (
            "fits more than one account or person, or an account only by an attribute that `users.match` leaves out or in another \
             spelling",
            "the plan file names them: leave one account to each person, write the address in Keycloak as Entra does, or add the attribute to \
             `users.match`",
        ),
        ProblemCode::DeletedAccount => (
            "has the address of an account that was deleted",
            "restore the account in Entra (Users, Deleted users; for 30 days) or delete it there for good, and plan again",
        ),
        ProblemCode::UnverifiedEmail => (
            "has an address that Keycloak has not verified",
            "have it verified there, or set `users.unverified_email: allow`",
        ),
        ProblemCode::OnPremisesAccount => (
            "has other names or another user type than Keycloak, but is synchronised from an on-premises directory",
            "change it there; Entra does not accept it",
        ),
        ProblemCode::NameTooLong => (
            "has a name that is longer than Entra takes, so it is left alone",
            "shorten it in Keycloak",
        ),
        ProblemCode::AddressMayHaveChanged => (
            "leaves a group, and somebody of the same name is invited to it: perhaps one person with a new address",
            "if so, give the account the new address in Entra before applying, and plan again",
        ),
        ProblemCode::RemovalNotConfirmed => (
            "seems to have to leave a group, but stays: that is not proved",
            "the plan file says what is missing",
        ),
        ProblemCode::InvitationNotUndone => (
            "was invited; an invitation is not taken back",
            "delete the account in Entra if nobody needs it",
        ),
        ProblemCode::ChangedSinceRun => (
            "is neither as the run left it nor as before, and stays as it is",
            "the plan file says what has changed",
        ),
        ProblemCode::ValueNotRestorable => (
            "had no value before the run where Entra requires one",
            "see whether the account is to keep what the run gave it",
        ),
        ProblemCode::OutcomeNotKnown => (
            "has a change of which it is not known whether the run made it",
            "compare with Entra's audit log; it is not taken back",
        ),
        // Of groups, of runs, and of a whole directory.
        ProblemCode::DeletedAccountsHidden
        | ProblemCode::RunCutOff
        | ProblemCode::OtherRunNotUndone
        | ProblemCode::GroupNotMapped
        | ProblemCode::GroupDynamic
        | ProblemCode::GroupOnPremises
        | ProblemCode::GroupMailEnabled
        | ProblemCode::GroupRoleAssignable => return None,
    })
}
