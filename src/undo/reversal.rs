//! The change that takes a write back.

use super::present::Present;
use super::problems::{invitation_not_undone, not_to_be_planned};
use crate::plan::{
    Add, Change, FieldChange, Fields, NewMember, Problem, RemovalReason, Remove, Update,
};
use crate::report::{ByChange, Step, Write};
use crate::verify::Task;

/// Returns the change that takes a write back, whether or not it is still due. An error is what is said of a write that cannot be taken
/// back; nothing is to be said of the second write for an invitation.
pub(super) fn reversed(
    step: &Step,
    run: &ByChange<'_>,
    present: &Present<'_>,
) -> Result<Option<Change>, Box<Problem>> {
    if step.is_of_invitation() {
        let mut steps = run.steps(step.change).iter();
        let is_said =
            step.write == Write::Updated && steps.any(|other| other.write == Write::Invited);
        return if is_said {
            Ok(None)
        } else {
            Err(Box::new(invitation_not_undone(step, run)))
        };
    }
    let incomplete = || {
        let number = step.change;
        let message = format!("change {number} of the run is not recorded completely");
        Box::new(not_to_be_planned(step, message))
    };
    let account = present.account_of(step).ok_or_else(incomplete)?;
    if step.write == Write::Updated {
        let fields = reversed_fields(&step.fields);
        return Ok((!fields.is_empty()).then_some(Change::Update(Update { account, fields })));
    }
    let group = step.group.clone().ok_or_else(incomplete)?;
    if step.write == Write::Added {
        return Ok(Some(Change::Remove(Remove {
            group,
            account,
            because: RemovalReason::Undo,
        })));
    }
    let nameless = |_| {
        let message = "has no address that the plan could name".to_owned();
        Box::new(not_to_be_planned(step, message))
    };
    Ok(Some(Change::Add(Add {
        group,
        account: NewMember {
            email: account.email.parse().map_err(nameless)?,
            id: Some(account.id),
            display_name: account.display_name,
        },
        because: Vec::new(),
    })))
}

/// The fields the other way round, without those that Entra does not let be absent.
fn reversed_fields(fields: &Fields) -> Fields {
    fn reversed<T: Clone>(change: Option<&FieldChange<T>>) -> Option<FieldChange<T>> {
        change.map(|FieldChange { before, after }| FieldChange {
            before: after.clone(),
            after: before.clone(),
        })
    }
    Fields {
        user_type: reversed(fields.user_type.as_ref()).filter(|change| change.after.is_some()),
        display_name: reversed(fields.display_name.as_ref())
            .filter(|change| change.after.is_some()),
        given_name: reversed(fields.given_name.as_ref()),
        surname: reversed(fields.surname.as_ref()),
    }
}

/// An update is taken back as far as it is still there.
pub(super) fn as_due(change: Change, task: &Task) -> Change {
    match (change, task) {
        (Change::Update(update), Task::Update { set, cleared, .. }) => Change::Update(Update {
            fields: update.fields.only(set, *cleared),
            ..update
        }),
        (change, _) => change,
    }
}
