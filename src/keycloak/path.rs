//! Pieces of request paths and queries, encoded so that nothing in them can leave its place.

use anyhow::ensure;

pub use crate::encoding::encoded as value;
use crate::model::GroupPath;

/// Encodes one segment of a path. `.` and `..` cannot be encoded and are refused: they would climb out of the path.
pub fn segment(text: &str) -> anyhow::Result<String> {
    ensure!(
        !matches!(text, "" | "." | ".."),
        "{text:?} cannot stand in a request path"
    );
    Ok(value(text))
}

/// Encodes the path of a group, without a slash at its start: Keycloak from 26.4.3 on refuses a double slash.
pub fn group_path(path: &GroupPath) -> anyhow::Result<String> {
    let segments: Vec<String> = path.segments().map(segment).collect::<Result<_, _>>()?;
    Ok(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_unreserved_characters_is_encoded() {
        for (plain, encoded) in [
            ("acme-group_1.x~y", "acme-group_1.x~y"),
            ("50% off", "50%25%20off"),
            ("semi;colon", "semi%3Bcolon"),
            ("a+b&c=d", "a%2Bb%26c%3Dd"),
            ("O'Brien", "O%27Brien"),
            ("Ünï", "%C3%9Cn%C3%AF"),
            ("q?m#h/s\\", "q%3Fm%23h%2Fs%5C"),
            ("f:p:x/../y", "f%3Ap%3Ax%2F..%2Fy"),
        ] {
            assert_eq!(segment(plain).unwrap(), encoded);
        }
    }

    #[test]
    fn a_segment_cannot_climb_out_of_its_path() {
        for text in ["", ".", ".."] {
            assert!(segment(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_slashes_of_a_group_path_stay_and_none_is_doubled() {
        assert_eq!(
            group_path(&"/teams/a b".parse().unwrap()).unwrap(),
            "teams/a%20b"
        );
    }
}
