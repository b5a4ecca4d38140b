//! Which addresses can be invited, at the edges of what Entra takes.

use keycloak_to_azure::matching::invitation_obstacle;

use crate::world::empty;

/// What is wrong with an address, as the plan says it.
fn obstacle(address: &str) -> Option<String> {
    let world = empty();
    let tenant = world.entra().tenant;
    let address = address.parse().unwrap();
    invitation_obstacle(&address, &tenant, &world.settings.invitations)
        .map(|(_, message, _)| message)
}

fn is_refused_for(address: &str, reason: &str) {
    let message = obstacle(address).unwrap_or_else(|| panic!("{address} is taken"));
    assert!(message.contains(reason), "{address}: {message}");
}

#[test]
fn lengths_are_taken_up_to_the_limits_and_no_further() {
    let name = "n".repeat(64);
    let label = "d".repeat(63);
    // 64, an `@`, and 63, 63 and 61 with two points: 254.
    let longest = format!("{name}@{label}.{label}.{}", "d".repeat(61));
    assert_eq!(longest.len(), 254);
    for taken in [
        format!("{name}@partner.example"),
        format!("n@{label}.example"),
        longest.clone(),
    ] {
        assert_eq!(obstacle(&taken), None, "{taken}");
    }
    is_refused_for(&format!("{name}n@partner.example"), "too long");
    is_refused_for(&format!("{longest}d"), "too long");
    is_refused_for(&format!("n@{label}d.example"), "is not a domain");
}

#[test]
fn points_and_hyphens_stand_within_and_not_at_the_ends() {
    for taken in ["a.b-c@x-y.example", "a_b@x.example", "0@1.example"] {
        assert_eq!(obstacle(taken), None, "{taken}");
    }
    for refused in [
        ".a@x.example",
        "a.@x.example",
        "-a@x.example",
        "a-@x.example",
        "a..b@x.example",
    ] {
        is_refused_for(refused, "a `.` or `-` where none may be");
    }
    for refused in [
        "a@-x.example",
        "a@x-.example",
        "a@x..example",
        "a@example",
        "a@x_y.example",
        "a@.example",
        "a@x.",
    ] {
        is_refused_for(refused, "is not a domain");
    }
}

#[test]
fn each_character_that_entra_refuses_is_named() {
    for character in "~!#$%^&*()+=[]{}\\/|;:\"<>?,".chars() {
        is_refused_for(
            &format!("a{character}b@x.example"),
            &format!("`{character}` in it"),
        );
    }
    is_refused_for("ä@x.example", "'ä' in it");
    is_refused_for("a@b@x.example", "more than one `@`");
}
