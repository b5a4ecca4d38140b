//! Of keys.

use secrecy::SecretString;

use super::some_key;
use crate::render::redact::{RedactionKey, WeakKey};

#[test]
fn a_short_key_is_none() {
    let short = SecretString::from("x".repeat(RedactionKey::LEAST - 1));
    assert_eq!(RedactionKey::new(&short).map(drop), Err(WeakKey::Short));
    assert_eq!(format!("{:?}", some_key()), "RedactionKey");
}

#[test]
fn a_key_of_few_different_characters_is_none() {
    for weak in ["a".repeat(32), "0123456".repeat(5)] {
        let weak = SecretString::from(weak);
        assert_eq!(RedactionKey::new(&weak).map(drop), Err(WeakKey::Repetitive));
    }
    assert!(RedactionKey::new(&SecretString::from("01234567".repeat(4))).is_ok());
}
