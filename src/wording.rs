//! How numbers, lists and times stand in a sentence, wherever one is made.

/// Returns a number with its noun: "1 change", "1,204 changes".
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// Returns a number with its thousands set off.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns "a", "a and b" or "a, b and c".
pub fn listed(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

/// Returns the first ten, and how many more there are: a list for a person to read, however long it is.
pub fn first_ten(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(10);
    let named = items.take(10).collect::<Vec<_>>().join(", ");
    match more {
        0 => named,
        more => format!("{named} and {} more", grouped(more)),
    }
}

/// Returns a time as people write it, to the second.
pub fn time_with_seconds(time: jiff::Timestamp) -> String {
    time.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_noun_and_their_thousands() {
        assert_eq!(counted(0, "group", "groups"), "0 groups");
        assert_eq!(counted(1, "group", "groups"), "1 group");
        assert_eq!(counted(1_204, "group", "groups"), "1,204 groups");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(grouped(100), "100");
    }

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let numbers = |most: usize| first_ten((0..most).map(|at| (at + 1).to_string()));
        assert_eq!(numbers(0), "");
        assert_eq!(numbers(2), "1, 2");
        assert_eq!(numbers(10), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
        assert_eq!(numbers(11), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1 more");
        assert!(numbers(1_210).ends_with("9, 10 and 1,200 more"));
    }
}
