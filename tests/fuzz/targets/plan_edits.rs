//! Plans that somebody edited and sealed again: fields replaced, taken out, repeated and exchanged. What is accepted is written back as
//! the same plan and can be shown, and two plans that say different things never have one id.

#![no_main]

use std::sync::LazyLock;

use keycloak_to_azure::plan::Plan;
use keycloak_to_azure_fuzz::edits::{self, edit};
use keycloak_to_azure_fuzz::{plans, seeds};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

static SAMPLES: LazyLock<[Plan; 2]> = LazyLock::new(plans::samples);

fuzz_target!(init: plant(), |bytes: &[u8]| {
    let mut choices = Unstructured::new(bytes);
    let _ = run(&mut choices);
});

fn plant() {
    seeds::plant("plan_edits", edits::thrown());
}

fn run(choices: &mut Unstructured<'_>) -> Result<()> {
    let original = choices.choose(SAMPLES.as_slice())?;
    let width = choices.int_in_range(0..=300)?;
    let mut value = serde_json::to_value(original).unwrap_or_default();
    for _ in 0..choices.int_in_range(0..=12)? {
        edit(&mut value, choices)?;
    }
    let Ok(edited) = serde_json::from_value::<Plan>(value) else {
        return Ok(());
    };
    let edited = edited.sealed();
    if plans::check(&edited, width) {
        assert_eq!(
            edited.plan_id == original.plan_id,
            plans::say_the_same(&edited, original),
            "the id does not tell two plans apart"
        );
    }
    Ok(())
}
