//! Problems without the people in them. They are sentences, so nothing of them is kept: each becomes the general one of its code.

use crate::diff::new_address_of;
use crate::plan::{Add, Plan, Problem, ProblemCode, RemovalReason, Remove};
use crate::removal::held_in;
use crate::render::words::Changes;

use super::tokens::Tokens;

impl Tokens<'_> {
    /// What is said in general of a problem of its kind.
    pub fn problem(&self, problem: &Problem, plan: &Plan) -> Problem {
        let Problem {
            code,
            subject,
            message,
            hint: _,
        } = problem;
        let Some((general, hint)) = general(*code) else {
            return problem.clone();
        };
        let (whom, message) = match code {
            ProblemCode::RemovalNotConfirmed => match held_group(message, plan) {
                Some(group) => (subject, held_in(group) + "that is not proved"),
                None => (subject, general.to_owned()),
            },
            ProblemCode::AddressMayHaveChanged => match new_address(problem, plan) {
                Some((remove, add)) => (
                    &remove.account.email,
                    format!(
                        "leaves {}, and {}, of the same name, is invited to it: perhaps one person with a new address",
                        remove.group.name,
                        self.person(add.account.email.as_str())
                    ),
                ),
                None => (subject, general.to_owned()),
            },
            _ => (subject, general.to_owned()),
        };
        Problem {
            code: *code,
            subject: self.person(whom),
            message,
            hint: Some(hint.to_owned()),
        }
    }
}

/// The group of the plan that a removal is not confirmed from.
fn held_group<'p>(message: &str, plan: &'p Plan) -> Option<&'p str> {
    plan.groups
        .iter()
        .map(|group| group.azure.name.as_str())
        .find(|name| message.starts_with(&held_in(name)))
}

/// The changes of the plan that look like a new address of one person.
fn new_address<'p>(problem: &Problem, plan: &'p Plan) -> Option<(&'p Remove, &'p Add)> {
    let changes = Changes::of(plan);
    let removes = changes.remove.into_iter().filter(|remove| {
        remove.because == RemovalReason::UnknownToKeycloak
            && remove.account.display_name.as_deref() == Some(&problem.subject)
    });
    let pairs = removes.flat_map(|remove| {
        let adds = changes.add.iter();
        adds.filter(|add| add.account.id.is_none() && add.group.id == remove.group.id)
            .map(move |add| (remove, *add))
    });
    pairs
        .into_iter()
        .find(|(remove, add)| new_address_of(remove, add) == problem.message)
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
            "fits more than one account or person, or an account only by an attribute that `users.match` leaves out",
            "the plan file names them: leave one account to each person, or add the attribute to `users.match`",
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
        | ProblemCode::GroupNotMapped
        | ProblemCode::GroupDynamic
        | ProblemCode::GroupOnPremises
        | ProblemCode::GroupMailEnabled
        | ProblemCode::GroupRoleAssignable => return None,
    })
}
