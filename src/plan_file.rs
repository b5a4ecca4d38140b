//! Plans on disk: written whole or not at all, and refused with a sentence when they are not what they say.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::files;
use crate::plan::{FORMAT_VERSION, Plan, consistency};
use crate::render::escape;

/// The largest file that is read as a plan. A hundred thousand changes take about 50 MB.
const LARGEST: u64 = 1 << 30;

/// The largest number in a plan. The digest is over canonical JSON, whose numbers are doubles: beyond this one, two numbers could
/// have one digest, and a plan be another than the one approved.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// Why a file is not accepted as a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is not JSON, or not a plan.
    NotAPlan(String),
    /// Another major version of the format.
    OtherFormat(String),
    /// The digest does not fit the content.
    DigestMismatch {
        /// What the file says.
        stated: String,
        /// What its content gives.
        actual: String,
    },
    /// Its parts contradict each other.
    Inconsistent(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPlan(reason) => write!(f, "it is not a plan of this program: {reason}"),
            Self::OtherFormat(version) => write!(
                f,
                "it has the format version {version}, and this version of the program reads {FORMAT_VERSION} and its minor \
                 versions: plan again with this version"
            ),
            Self::DigestMismatch { stated, actual } => write!(
                f,
                "it was changed after it was made: it says {stated}, its content is {actual}; make a new plan instead of editing one"
            ),
            Self::Inconsistent(reason) => {
                write!(
                    f,
                    "its parts contradict each other: {reason}; make a new plan"
                )
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Returns the bytes of a plan: pretty-printed JSON with a newline at its end. It is shown as it is, so nothing in it hides.
pub fn to_bytes(plan: &Plan) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_json(plan, &mut bytes).context("failed to write the plan as JSON")?;
    Ok(bytes)
}

/// Writes the bytes of a plan as they come: a large plan as text would take as much memory again.
fn write_json(plan: &Plan, mut writer: impl Write) -> std::io::Result<()> {
    let visible = VisibleJson(PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut writer, visible);
    plan.serialize(&mut serializer)?;
    writer.write_all(b"\n")
}

/// Pretty-printed JSON in whose strings nothing hides.
struct VisibleJson(PrettyFormatter<'static>);

impl Formatter for VisibleJson {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        self.0
            .write_string_fragment(writer, &escape::json(fragment))
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Reads a plan from bytes.
pub fn from_bytes(bytes: &[u8]) -> Result<Plan, Refusal> {
    from_reader(std::io::Cursor::new(bytes))
}

/// Reads a plan as its bytes come. What cannot be read is no plan either.
fn from_reader(mut source: impl Read + Seek) -> Result<Plan, Refusal> {
    let mut numbers = Numbers::of(BufReader::new(&mut source));
    let parsed = parse(&mut numbers);
    let numbers_fit = numbers.fit();
    let plan = match parsed {
        Ok(plan) => plan,
        // Another version may well have other fields, which is not what is to be said of it.
        Err(refusal) => {
            let version = version_of(source);
            return Err(version
                .filter(|version| is_other_format(version))
                .map_or(refusal, Refusal::OtherFormat));
        }
    };
    if is_other_format(&plan.format_version) {
        return Err(Refusal::OtherFormat(plan.format_version));
    }
    let actual = plan.digest();
    if plan.plan_id != actual {
        return Err(Refusal::DigestMismatch {
            stated: plan.plan_id,
            actual,
        });
    }
    if !numbers_fit {
        return Err(Refusal::Inconsistent(format!(
            "it holds a number beyond {LARGEST_NUMBER}"
        )));
    }
    consistency::check(&plan).map_err(Refusal::Inconsistent)?;
    Ok(plan)
}

fn parse(reader: impl Read) -> Result<Plan, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let plan = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let place = match error.path().to_string().as_str() {
            "." => String::new(),
            path => format!("{path}: "),
        };
        Refusal::NotAPlan(format!("{place}{}", error.inner()))
    })?;
    deserializer
        .end()
        .map_err(|error| Refusal::NotAPlan(error.to_string()))?;
    Ok(plan)
}

fn is_other_format(version: &str) -> bool {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    major(version) != major(FORMAT_VERSION)
}

/// The format version of a file that could not be read as a plan, if it has one.
fn version_of(mut source: impl Read + Seek) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: String,
    }
    source.rewind().ok()?;
    let Version { format_version } = serde_json::from_reader(BufReader::new(source)).ok()?;
    Some(format_version)
}

/// Passes JSON on, and looks at its numbers on the way.
struct Numbers<R> {
    reader: R,
    place: NumberPlace,
    digits: u64,
    fit: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NumberPlace {
    Outside,
    InString { escaped: bool },
}

impl<R: Read> Numbers<R> {
    fn of(reader: R) -> Self {
        Self {
            reader,
            place: NumberPlace::Outside,
            digits: 0,
            fit: true,
        }
    }

    /// Whether none of them is beyond [`LARGEST_NUMBER`]. A plan holds whole numbers alone.
    fn fit(&self) -> bool {
        self.fit
    }

    fn look_at(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (NumberPlace::InString { escaped: false }, b'"') => NumberPlace::Outside,
            (NumberPlace::InString { escaped: false }, b'\\') => {
                NumberPlace::InString { escaped: true }
            }
            (NumberPlace::InString { .. }, _) | (NumberPlace::Outside, b'"') => {
                NumberPlace::InString { escaped: false }
            }
            (NumberPlace::Outside, _) => {
                self.digits = if byte.is_ascii_digit() {
                    let digit = u64::from(byte - b'0');
                    self.digits.saturating_mul(10).saturating_add(digit)
                } else {
                    0
                };
                self.fit &= self.digits <= LARGEST_NUMBER;
                NumberPlace::Outside
            }
        };
    }
}

impl<R: Read> Read for Numbers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        for byte in buffer.iter().take(read) {
            self.look_at(*byte);
        }
        Ok(read)
    }
}

/// Reads the plan file at a path.
pub fn read(path: &Path) -> anyhow::Result<Plan> {
    read_at_most(path, LARGEST)
}

fn read_at_most(path: &Path, most: u64) -> anyhow::Result<Plan> {
    let shown = path.display();
    let file = std::fs::metadata(path).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => "; `keycloak-to-azure plan` writes one",
            _ => "",
        };
        anyhow::Error::new(error).context(format!("failed to read the plan {shown}{hint}"))
    })?;
    anyhow::ensure!(
        !file.is_dir(),
        "failed to read the plan {shown}: it is a folder"
    );
    let size = file.len();
    anyhow::ensure!(
        size <= most,
        "refused {shown}: {size} bytes are too many for a plan"
    );
    if !file.is_file() {
        // A pipe, which cannot be read twice and does not say how much comes.
        let bytes = File::open(path)
            .map_err(anyhow::Error::new)
            .and_then(|pipe| files::read_bounded(pipe, most))
            .with_context(|| format!("failed to read the plan {shown}"))?;
        return from_bytes(&bytes).with_context(|| format!("refused the plan {shown}"));
    }
    let file = File::open(path).with_context(|| format!("failed to read the plan {shown}"))?;
    from_reader(file).with_context(|| format!("refused the plan {shown}"))
}

/// Writes a plan file that only its owner can read: to a temporary file beside it, then renamed.
pub fn write(path: &Path, plan: &Plan) -> anyhow::Result<()> {
    files::write_privately(path, |file| write_json(plan, file))
        .with_context(|| format!("failed to write the plan {}", path.display()))
}

/// Finds out whether a plan can be written, before both directories are read for it.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a folder; name a file for the plan",
        path.display()
    );
    files::check_writable(path)
        .with_context(|| format!("no plan can be written to {}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_say_how_large_it_is_is_read_to_the_limit_and_no_further() {
        let error = read_at_most(Path::new("/dev/zero"), 2_048).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "failed to read the plan /dev/zero: it is larger than 2 KiB"
        );
    }
}
