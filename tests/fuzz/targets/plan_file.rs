//! Plan files, whatever is in them: what is accepted is written back as the same plan and can be shown. The same for the plan in the
//! bytes once it is sealed by somebody who knows how, because the digest would hide everything behind it.

#![no_main]

use keycloak_to_azure::plan::Plan;
use keycloak_to_azure::plan_file::{from_bytes, to_bytes};
use keycloak_to_azure_fuzz::{plans, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: plant(), |bytes: &[u8]| {
    match from_bytes(bytes) {
        Ok(plan) => assert!(plans::check(&plan, 100)),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
    if let Ok(plan) = serde_json::from_slice::<Plan>(bytes) {
        plans::check(&plan.sealed(), 100);
    }
});

fn plant() {
    let plans = plans::samples();
    let small = plans
        .each_ref()
        .map(|plan| serde_json::to_vec(plan).unwrap());
    let whole = plans.each_ref().map(|plan| to_bytes(plan).unwrap());
    seeds::plant("plan_file", small.into_iter().chain(whole));
}
