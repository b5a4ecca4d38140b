//! A tenant that does what it is asked, for runs of the program's own executor.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use keycloak_to_azure::execute::{
    AccountUpdate, Assignment, Directory, Invitation, Invited, Membership, StopSignal, WriteError,
    Written, execute,
};
use keycloak_to_azure::model::{Address, ObjectId, UserType};
use keycloak_to_azure::plan::{NewAccount, Plan, PlanKind};
use keycloak_to_azure::report::{ChangeOutcome, Line, Reading, Run, Start};
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::undo::{self, Present};
use keycloak_to_azure::verify::verify;

use crate::execute::{Kept, Nobody};
use crate::world::World;

const RUN: &str = "5e6a9f1f-5d0c-4a59-9d0e-5e6a9f1f2a11";

struct Tenant(Mutex<World>);

impl Tenant {
    fn write<T>(
        &self,
        items: &[T],
        mut write: impl FnMut(&mut World, &T),
    ) -> Vec<Result<Written, WriteError>> {
        let mut world = self.0.lock().unwrap();
        items
            .iter()
            .map(|item| {
                write(&mut world, item);
                Ok(Written {
                    attempts: 1,
                    ..Written::default()
                })
            })
            .collect()
    }
}

impl Directory for Tenant {
    async fn invite(&self, invitations: &[Invitation]) -> Vec<Result<Invited, WriteError>> {
        let mut world = self.0.lock().unwrap();
        invitations
            .iter()
            .map(|invitation| {
                let account = world.invited(&invitation.email);
                world.accounts.get_mut(&account).unwrap().user_type = Some(UserType::Guest);
                Ok(Invited {
                    account,
                    written: Written {
                        attempts: 1,
                        ..Written::default()
                    },
                })
            })
            .collect()
    }

    async fn look(
        &self,
        invited: &[(ObjectId, Address)],
    ) -> BTreeMap<ObjectId, Result<Account, String>> {
        let world = self.0.lock().unwrap();
        let found = invited.iter().filter_map(|(id, _)| world.accounts.get(id));
        found
            .map(|account| (account.id.clone(), Ok(account.clone())))
            .collect()
    }

    async fn update(&self, updates: &[AccountUpdate]) -> Vec<Result<Written, WriteError>> {
        self.write(updates, |world, update| {
            let account = world.accounts.get_mut(&update.account).unwrap();
            let NewAccount {
                user_type,
                display_name,
                given_name,
                surname,
            } = update.set.clone();
            account.user_type = user_type.or(account.user_type);
            account.display_name = display_name.or(account.display_name.take());
            account.given_name = given_name.or(account.given_name.take());
            account.surname = surname.or(account.surname.take());
            if update.cleared.given_name {
                account.given_name = None;
            }
            if update.cleared.surname {
                account.surname = None;
            }
        })
    }

    async fn add(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        self.write(memberships, |world, membership| {
            world
                .group_by_id(&membership.group)
                .members
                .insert(membership.account.clone());
        })
    }

    async fn remove(&self, memberships: &[Membership]) -> Vec<Result<Written, WriteError>> {
        self.write(memberships, |world, membership| {
            assert!(
                world
                    .group_by_id(&membership.group)
                    .members
                    .remove(&membership.account)
            );
        })
    }
}

/// Applies a reviewed plan to the world as it is, as `apply` does: verified against a fresh decision, then carried out.
pub fn apply(plan: &Plan, world: &World) -> (World, Vec<ChangeOutcome>) {
    let (world, run) = apply_and_report(plan, world);
    let outcomes = run.outcomes.into_iter();
    let mut outcomes: Vec<_> = outcomes.map(|reported| reported.outcome).collect();
    outcomes.sort_by_key(|outcome| outcome.change);
    (world, outcomes)
}

/// The same, with what the report says of it.
pub fn apply_and_report(plan: &Plan, world: &World) -> (World, Run) {
    let verification = match plan.kind {
        PlanKind::Sync => world.decide(|fresh| verify(plan, fresh)),
        PlanKind::Undo => {
            let entra = world.entra();
            undo::verify(
                plan,
                &Present::new(&entra, &world.settings, &plan.overrides),
            )
        }
    };
    let known_accounts: HashSet<ObjectId> = world.accounts.keys().cloned().collect();
    let assignment = Assignment {
        run_id: RUN,
        plan,
        verification: &verification,
        known_accounts: &known_accounts,
        protected: &world.settings.protected,
    };
    let tenant = Tenant(Mutex::new(world.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut kept = Kept::default();
    runtime
        .block_on(execute(
            assignment,
            &tenant,
            &mut kept,
            &mut Nobody,
            &StopSignal::default(),
        ))
        .unwrap();
    (tenant.0.into_inner().unwrap(), reported(plan, &kept.lines))
}

/// What is read from the report of a run that left these lines.
fn reported(plan: &Plan, lines: &[Line]) -> Run {
    let plan = plan.clone().sealed();
    let start = Line::Start(Start::of(&plan, RUN, "app", plan.created_at));
    let lines = [start].into_iter().chain(lines.iter().cloned());
    let mut reading = Reading::default();
    for line in lines {
        reading.line(&serde_json::to_vec(&line).unwrap()).unwrap();
    }
    reading.end().runs.pop().unwrap()
}
