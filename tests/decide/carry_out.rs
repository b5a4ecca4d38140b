//! A tenant that does what it is asked, for runs of the program's own executor.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use keycloak_to_azure::execute::{
    AccountUpdate, Assignment, Directory, Invitation, Invited, Membership, StopSignal, WriteError,
    Written, execute,
};
use keycloak_to_azure::model::{ObjectId, UserType};
use keycloak_to_azure::plan::{NewAccount, Plan};
use keycloak_to_azure::report::ChangeOutcome;
use keycloak_to_azure::snapshot::Account;
use keycloak_to_azure::verify::verify;

use crate::execute::{Kept, Nobody};
use crate::world::World;

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

    async fn look(&self, accounts: &[ObjectId]) -> BTreeMap<ObjectId, Account> {
        let world = self.0.lock().unwrap();
        let found = accounts.iter().filter_map(|id| world.accounts.get(id));
        found
            .map(|account| (account.id.clone(), account.clone()))
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
    let verification = world.decide(|fresh| verify(plan, fresh));
    let known_accounts: HashSet<ObjectId> = world.accounts.keys().cloned().collect();
    let assignment = Assignment {
        run_id: "run",
        plan,
        verification: &verification,
        known_accounts: &known_accounts,
        protected: &world.settings.protected,
    };
    let tenant = Tenant(Mutex::new(world.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcomes = runtime
        .block_on(execute(
            assignment,
            &tenant,
            &mut Kept::default(),
            &mut Nobody,
            &StopSignal::default(),
        ))
        .unwrap();
    (tenant.0.into_inner().unwrap(), outcomes)
}
