//! Judges the fields of an update, one by one.

use crate::matching::comparable;
use crate::plan::{FieldChange, Fields, NewAccount};
use crate::snapshot::Account;

/// What becomes of each field that was reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldVerdict {
    Execute,
    AlreadyDone,
    NotWanted,
    Conflict,
}

/// Judges each field of a reviewed update, and returns the values that are to be set.
pub(super) fn judge_fields(
    reviewed: &Fields,
    fresh: Option<&Fields>,
    account: &Account,
) -> ([Option<FieldVerdict>; 4], NewAccount) {
    let mut set = NewAccount {
        user_type: None,
        display_name: None,
        given_name: None,
        surname: None,
    };
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = reviewed;
    let verdicts = [
        judge_field(
            user_type.as_ref(),
            fresh.and_then(|f| f.user_type.as_ref()),
            account.user_type.as_ref(),
            &mut set.user_type,
            |a, b| a == b,
        ),
        judge_field(
            display_name.as_ref(),
            fresh.and_then(|f| f.display_name.as_ref()),
            account.display_name.as_ref(),
            &mut set.display_name,
            is_same_name,
        ),
        judge_field(
            given_name.as_ref(),
            fresh.and_then(|f| f.given_name.as_ref()),
            account.given_name.as_ref(),
            &mut set.given_name,
            is_same_name,
        ),
        judge_field(
            surname.as_ref(),
            fresh.and_then(|f| f.surname.as_ref()),
            account.surname.as_ref(),
            &mut set.surname,
            is_same_name,
        ),
    ];
    (verdicts, set)
}

#[expect(
    clippy::ptr_arg,
    reason = "it compares the values of a field as they are"
)]
fn is_same_name(a: &String, b: &String) -> bool {
    comparable(a) == comparable(b)
}

fn judge_field<T: Clone + PartialEq>(
    reviewed: Option<&FieldChange<T>>,
    fresh: Option<&FieldChange<T>>,
    now: Option<&T>,
    set: &mut Option<T>,
    is_same: fn(&T, &T) -> bool,
) -> Option<FieldVerdict> {
    let reviewed = reviewed?;
    Some(match fresh {
        Some(fresh) if fresh == reviewed => {
            set.clone_from(&reviewed.after);
            FieldVerdict::Execute
        }
        Some(_) => FieldVerdict::Conflict,
        None if now
            .zip(reviewed.after.as_ref())
            .is_some_and(|(now, after)| is_same(now, after)) =>
        {
            FieldVerdict::AlreadyDone
        }
        None => FieldVerdict::NotWanted,
    })
}

/// The values after an update.
pub(super) fn after_values(fields: &Fields) -> NewAccount {
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    let after = |change: &Option<FieldChange<String>>| {
        change.as_ref().and_then(|change| change.after.clone())
    };
    NewAccount {
        user_type: user_type.as_ref().and_then(|change| change.after),
        display_name: after(display_name),
        given_name: after(given_name),
        surname: after(surname),
    }
}
