//! A YAML file as a tree that forgets nothing a mistake could hide in, and the line and column of every part of it.
//!
//! It knows YAML and nothing of the configuration: which keys there are stands in [`super::keys`].

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// The largest number of keys and values of one file, aliases written out. The parser's own limit on aliases counts jumps, not
/// what they unfold to, so that a file of a few kilobytes could still fill the memory.
const MOST_NODES: usize = 100_000;

/// The largest number of brackets that open lists and tables (`[`, `{`), wherever they stand. The parser goes through all that are still
/// open at every one, before it looks at how deep they are nested: two hundred thousand would keep it for a minute.
const MOST_BRACKETS: usize = 20_000;

/// A value of the file. Unlike `serde_yaml::Value` it keeps keys that stand twice.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'t> {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Switch(bool),
    /// A whole number from 0 on.
    Natural(u64),
    /// Any other number, as text for a message.
    OtherNumber(String),
    /// Text: a slice of the file where it stands there as it is.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// Keys with their values, in the order of the file.
    Table(Vec<Entry<'t>>),
    /// A value with a tag of an application: `!secret …`.
    Tagged(String),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry<'t> {
    pub key: Node<'t>,
    pub value: Node<'t>,
}

/// A line and a column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// Where the file begins.
    pub const START: Self = Self { line: 1, column: 1 };

    /// Returns the position behind one more character.
    pub fn after(self, character: char) -> Self {
        if character == '\n' {
            Self {
                line: self.line + 1,
                column: 1,
            }
        } else {
            Self {
                column: self.column + 1,
                ..self
            }
        }
    }

    /// Returns the position behind so much of a text.
    pub fn behind(text: &str) -> Self {
        let line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: text.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: text.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

/// A part of the file: the way to it from the top, as the numbers of the entries and elements on it. Their order is the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    steps: Vec<usize>,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Key,
    Value,
}

impl Place {
    /// The whole file.
    pub fn top() -> Self {
        Self {
            steps: Vec::new(),
            part: Part::Value,
        }
    }

    /// The key of the entry with this number.
    pub fn key(&self, entry: usize) -> Self {
        Self {
            part: Part::Key,
            ..self.value(entry)
        }
    }

    /// The value of the entry, or the element, with this number.
    pub fn value(&self, entry: usize) -> Self {
        let mut steps = self.steps.clone();
        steps.push(entry);
        Self {
            steps,
            part: Part::Value,
        }
    }
}

/// A file that is valid YAML.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: &'t str,
    /// Where each line begins.
    line_starts: Vec<usize>,
    /// What stands in it.
    pub root: Node<'t>,
}

/// Why a text is not a YAML file that can be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub position: Position,
    pub message: String,
}

impl<'t> Document<'t> {
    /// Parses a text that holds one document.
    pub fn parse(text: &'t str) -> Result<Self, Unreadable> {
        check_cost(text)?;
        let mut documents = serde_yaml::Deserializer::from_str(text);
        let left = Cell::new(MOST_NODES);
        let root = match documents.next() {
            Some(first) => Grow { left: &left }
                .deserialize(first)
                .map_err(|error| unreadable(text, &error, left.get() == 0))?,
            None => Node::Null,
        };
        if let Some(second) = documents.next() {
            let position = Stop
                .deserialize(second)
                .err()
                .and_then(|error| position_of(text, &error))
                .unwrap_or(Position::START);
            return Err(Unreadable {
                position,
                message: "a second document begins here; the file must hold one (a line `---` is allowed at the top only)".to_owned(),
            });
        }
        let later_starts = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Ok(Self {
            text,
            line_starts: std::iter::once(0).chain(later_starts).collect(),
            root,
        })
    }

    /// Returns where a part of the file stands.
    ///
    /// The parser tells positions in its errors only, so it reads the text once more and is stopped there with one.
    pub fn locate(&self, place: &Place) -> Option<Position> {
        self.stop_at(place)
            .and_then(|error| position_of(self.text, &error))
    }

    /// Returns the line of a key: at once where its text is a slice of the file, otherwise by [`Self::locate`].
    pub fn line_of_key(&self, key: &Node<'t>, place: &Place) -> Option<usize> {
        match key {
            Node::Text(Cow::Borrowed(slice)) => self.position_of_slice(slice),
            _ => self.locate(place),
        }
        .map(|position| position.line)
    }

    /// Whether a number stands in the file exactly as it would be printed: not as `0x1F`, `+5` or behind a tag.
    pub fn is_written(&self, number: u64, place: &Place) -> bool {
        let Some(location) = self.stop_at(place).and_then(|error| error.location()) else {
            return false;
        };
        let written = self.text.get(location.index()..).unwrap_or("");
        written
            .strip_prefix(&number.to_string())
            .is_some_and(|rest| {
                rest.chars().next().is_none_or(|next| {
                    next.is_whitespace() || matches!(next, ',' | ']' | '}' | ':')
                })
            })
    }

    /// Whether a character stands in the file as itself, not as an escape.
    pub fn holds(&self, character: char) -> bool {
        self.text.contains(character)
    }

    fn stop_at(&self, place: &Place) -> Option<serde_yaml::Error> {
        Seek { place, depth: 0 }
            .deserialize(serde_yaml::Deserializer::from_str(self.text))
            .err()
    }

    fn position_of_slice(&self, slice: &str) -> Option<Position> {
        let offset = (slice.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let line_start = self.line_starts.get(line.checked_sub(1)?)?;
        Some(Position {
            line,
            column: self.text.get(*line_start..offset)?.chars().count() + 1,
        })
    }
}

/// Refuses what would keep the parser for minutes: of both, it holds each against all those before it.
fn check_cost(text: &str) -> Result<(), Unreadable> {
    let refused = |at: usize, message: String| {
        let position = Position::behind(text.get(..at).unwrap_or(text));
        Err(Unreadable { position, message })
    };
    if let Some((at, _)) = text.match_indices(['[', '{']).nth(MOST_BRACKETS) {
        return refused(
            at,
            format!(
                "this is one bracket (`[`, `{{`) more than the {MOST_BRACKETS} that a file may hold; put keys and list elements on lines \
                 of their own"
            ),
        );
    }
    let is_at_line_start = |at: usize| at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n');
    let mut tags = text.match_indices("%TAG");
    match tags.find(|(at, _)| is_at_line_start(*at)) {
        Some((at, _)) => refused(at, "nothing here has a tag; leave out this line".to_owned()),
        None => Ok(()),
    }
}

/// Lines are counted here and not by the parser, which counts one more at the end of a file without a last newline.
fn position_of(text: &str, error: &serde_yaml::Error) -> Option<Position> {
    let location = error.location()?;
    Some(Position::behind(
        text.get(..location.index()).unwrap_or(text),
    ))
}

fn unreadable(text: &str, error: &serde_yaml::Error, is_too_large: bool) -> Unreadable {
    let position = position_of(text, error).unwrap_or(Position::START);
    let mut shown = error.to_string();
    // The error repeats its position in its text, where a reader has seen it already.
    if let Some(location) = error.location() {
        let repeated = format!(" at line {} column {}", location.line(), location.column());
        shown = shown.replacen(&repeated, "", 1);
    }
    let indented_with_tab = text
        .lines()
        .nth(position.line - 1)
        .is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'));
    let message = if is_too_large || shown.contains("repetition limit") {
        format!(
            "its aliases (`*name`) unfold to too much, or it holds more than {MOST_NODES} values"
        )
    } else if shown.contains("recursion limit") {
        "lists or keys are nested too deeply here".to_owned()
    } else if indented_with_tab {
        format!("not valid YAML: {shown}; indent with spaces, not with tabs")
    } else if shown.contains("did not find expected") {
        format!("not valid YAML: {shown}; is the line indented like the one it belongs with?")
    } else {
        format!("not valid YAML: {shown}")
    };
    Unreadable { position, message }
}

/// Builds the tree.
#[derive(Clone, Copy)]
struct Grow<'b> {
    left: &'b Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Grow<'_> {
    fn count_one<E: serde::de::Error>(self) -> Result<(), E> {
        let too_many = || E::custom("too many values");
        let left = self.left.get().checked_sub(1).ok_or_else(too_many)?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Node<'de>, E> {
        self.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::Switch(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::Natural(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node<'de>, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::OtherNumber(value.to_string()))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::OtherNumber(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::OtherNumber(value.to_string()))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node<'de>, E> {
        self.count_one()?;
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node<'de>, A::Error> {
        self.count_one()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        self.count_one()?;
        let mut table = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let value = entries.next_value_seed(self)?;
            table.push(Entry { key, value });
        }
        Ok(Node::Table(table))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node<'de>, A::Error> {
        self.count_one()?;
        let (tag, value) = tagged.variant::<String>()?;
        value.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged(tag))
    }
}

/// Walks to a place, and stops there with an error that knows its position.
struct Seek<'p> {
    place: &'p Place,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth == self.place.steps.len() {
            Stop.deserialize(deserializer)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'p> Seek<'p> {
    /// The number of the entry or element to go to, and whether its key is the end of the way.
    fn next_step(&self) -> (usize, bool) {
        let is_last = self.depth + 1 == self.place.steps.len();
        let step = self.place.steps.get(self.depth).copied().unwrap_or(0);
        (step, is_last && self.place.part == Part::Key)
    }

    fn deeper(&self) -> Seek<'p> {
        Seek {
            place: self.place,
            depth: self.depth + 1,
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the way to a place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let (step, _) = self.next_step();
        for _ in 0..step {
            elements.next_element::<IgnoredAny>()?;
        }
        elements.next_element_seed(self.deeper())?;
        Err(A::Error::custom("no such place"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (step, ends_at_key) = self.next_step();
        for _ in 0..step {
            entries.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if ends_at_key {
            entries.next_key_seed(Stop)?;
        } else if entries.next_key::<IgnoredAny>()?.is_some() {
            entries.next_value_seed(self.deeper())?;
        }
        Err(A::Error::custom("no such place"))
    }
}

/// Refuses whatever it is given, so that the parser says where that stands.
struct Stop;

impl<'de> DeserializeSeed<'de> for Stop {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Without a single `visit_…` of its own a visitor refuses every value.
impl Visitor<'_> for Stop {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to stop here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns every place of a tree with what stands there, as it is printed.
    fn places<'n>(node: &'n Node<'_>, place: &Place, found: &mut Vec<(Place, &'n Node<'n>)>) {
        found.push((place.clone(), node));
        match node {
            Node::List(list) => {
                for (number, element) in list.iter().enumerate() {
                    places(element, &place.value(number), found);
                }
            }
            Node::Table(table) => {
                for (number, entry) in table.iter().enumerate() {
                    found.push((place.key(number), &entry.key));
                    places(&entry.value, &place.value(number), found);
                }
            }
            _ => {}
        }
    }

    fn positions(text: &str) -> Vec<(usize, usize, String)> {
        let document = Document::parse(text).unwrap();
        let mut found = Vec::new();
        places(&document.root, &Place::top(), &mut found);
        found
            .into_iter()
            .map(|(place, node)| {
                let position = document.locate(&place).unwrap();
                let shown = match node {
                    Node::Text(text) => text.to_string(),
                    Node::List(_) => "[".to_owned(),
                    Node::Table(_) => "{".to_owned(),
                    other => format!("{other:?}"),
                };
                (position.line, position.column, shown)
            })
            .collect()
    }

    #[test]
    fn every_key_and_value_is_located_in_block_style() {
        let text =
            "---\n# comment\na: 1\nb:\n  - x: 'é'\n    y: \"z\\n\"\n  - q\nc: |\n  long\nd:\n";
        let expected = [
            (3, 1, "{"),
            (3, 1, "a"),
            (3, 4, "Natural(1)"),
            (4, 1, "b"),
            (5, 3, "["),
            (5, 5, "{"),
            (5, 5, "x"),
            (5, 8, "é"),
            (6, 5, "y"),
            (6, 8, "z\n"),
            (7, 5, "q"),
            (8, 1, "c"),
            (8, 4, "long\n"),
            (10, 1, "d"),
            (10, 3, "Null"),
        ];
        assert_eq!(
            positions(text),
            expected.map(|(line, column, shown)| (line, column, shown.to_owned()))
        );
    }

    #[test]
    fn every_key_and_value_is_located_in_flow_style() {
        let text = "{ a: [ö, 2.5],\r\n  \"b\": { c: true, c: ~ } }\r\n";
        let expected = [
            (1, 1, "{"),
            (1, 3, "a"),
            (1, 6, "["),
            (1, 7, "ö"),
            (1, 10, "OtherNumber(\"2.5\")"),
            (2, 3, "b"),
            (2, 8, "{"),
            (2, 10, "c"),
            (2, 13, "Switch(true)"),
            (2, 19, "c"),
            (2, 22, "Null"),
        ];
        assert_eq!(
            positions(text),
            expected.map(|(line, column, shown)| (line, column, shown.to_owned()))
        );
    }

    #[test]
    fn a_slice_of_the_file_stands_where_the_parser_says() {
        let text = "\nä: [ö, b]\n\"k\": 'v'\r\nx:\n    y";
        let document = Document::parse(text).unwrap();
        let mut found = Vec::new();
        places(&document.root, &Place::top(), &mut found);
        let mut compared = 0;
        for (place, node) in found {
            if let Node::Text(Cow::Borrowed(slice)) = node {
                let mut of_slice = document.position_of_slice(slice).unwrap();
                if matches!(*slice, "k" | "v") {
                    of_slice.column -= 1; // the quote
                }
                assert_eq!(Some(of_slice), document.locate(&place), "{slice}");
                compared += 1;
            }
        }
        assert_eq!(compared, 7);
    }

    #[test]
    fn a_key_that_is_not_a_slice_is_located_all_the_same() {
        let document = Document::parse("a: 1\n\n\"\\u0062\": 2\n").unwrap();
        let Node::Table(table) = &document.root else {
            panic!("{document:?}");
        };
        assert!(matches!(&table[1].key, Node::Text(Cow::Owned(key)) if key == "b"));
        let line = document.line_of_key(&table[1].key, &Place::top().key(1));
        assert_eq!(line, Some(3));
    }

    #[test]
    fn a_mistake_in_an_alias_is_shown_where_its_text_stands() {
        let document = Document::parse("a: &x\n  - one\nb: *x\n").unwrap();
        let element = Place::top().value(1).value(0);
        assert_eq!(
            document.locate(&element),
            Some(Position { line: 2, column: 5 })
        );
    }

    #[test]
    fn aliases_that_multiply_are_refused_before_they_fill_the_memory() {
        let elements = "x, ".repeat(2_000);
        let aliases = "*a, ".repeat(2_000);
        let text = format!("a: &a [{elements}]\nb: [{aliases}]\n");
        let refused = Document::parse(&text).unwrap_err();
        assert!(
            refused.message.contains("unfold to too much"),
            "{refused:?}"
        );
    }

    #[test]
    fn a_number_counts_as_text_only_as_it_is_printed() {
        for (text, expected) in [
            ("2024", true),
            ("[2024, 1]", true),
            ("0x7e8", false),
            ("+2024", false),
            ("!!int 2024", false),
        ] {
            let text = format!("ä: {text}\n");
            let document = Document::parse(&text).unwrap();
            let mut place = Place::top().value(0);
            if text.contains('[') {
                place = place.value(0);
            }
            assert_eq!(document.is_written(2024, &place), expected, "{text}");
        }
    }
}
