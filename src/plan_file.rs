//! Plans on disk: written whole or not at all, and refused with a sentence when they are not what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::files;
use crate::model::ObjectId;
use crate::plan::{
    Block, BlockCode, Change, FORMAT_VERSION, FieldChange, Fields, GroupName, Overrides, Plan,
    PlanKind, PlannedGroup, RemovalReason, Summary, UndoneRun, movements,
};
use crate::render::escape;
use crate::report;

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
    check_consistency(&plan).map_err(Refusal::Inconsistent)?;
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
    write_privately(path, |file| write_json(plan, file))
        .with_context(|| format!("failed to write the plan {}", path.display()))
}

/// Finds out whether a plan can be written, before both directories are read for it.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a folder; name a file for the plan",
        path.display()
    );
    temporary_beside(path)
        .map(drop)
        .with_context(|| format!("no plan can be written to {}", path.display()))
}

/// A temporary file, for its owner only, which a rename keeps.
fn temporary_beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    // Empty for a name alone, which is a file in the folder where the program runs.
    let folder = path.parent().unwrap_or(path);
    tempfile::Builder::new()
        .prefix(".keycloak_to_azure.")
        .tempfile_in(folder)
        // The error of the crate names the temporary file, which means nothing to whoever reads it.
        .map_err(|error| error.kind().into())
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write_privately(path, |file| file.write_all(bytes))
}

fn write_privately(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut tempfile::NamedTempFile>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut file = temporary_beside(path)?;
    let mut writer = BufWriter::new(&mut file);
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A plan is read by people at its top and carried out from its list: both have to say the same.
fn check_consistency(plan: &Plan) -> Result<(), String> {
    check_kind(plan)?;
    check_groups(plan)?;
    plan.blocks.iter().try_for_each(check_flag)?;
    let counted = Summary {
        unchanged: plan.summary.unchanged,
        problems: plan.problems.len(),
        blocks: plan.blocks.len(),
        ..Summary::of(&plan.changes)
    };
    if counted != plan.summary {
        return Err("its summary counts other changes than it lists".to_owned());
    }
    if !plan.changes.is_sorted_by_key(Change::action) {
        return Err("its changes are not in their order".to_owned());
    }
    let mut invited = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let groups: BTreeSet<_> = plan.groups.iter().map(|group| &group.azure).collect();
    for change in &plan.changes {
        let group = match change {
            Change::Invite(invite) => {
                let is_about_mail =
                    invite.message.is_some() || invite.language.is_some() || invite.cc.is_some();
                if is_about_mail && !invite.send_email {
                    return Err(format!(
                        "the invitation of {} says what its mail is like, and sends none",
                        invite.email
                    ));
                }
                invited.insert(&invite.email);
                None
            }
            Change::Update(update) => {
                if update.fields.is_empty() || !values_differ(&update.fields) {
                    return Err(format!(
                        "the update of {} changes nothing",
                        update.account.id
                    ));
                }
                None
            }
            Change::Add(add) => {
                if add.account.id.is_none() && !invited.contains(&add.account.email) {
                    return Err(format!(
                        "{} is added without an account and not invited",
                        add.account.email
                    ));
                }
                Some(&add.group)
            }
            Change::Remove(remove) => Some(&remove.group),
        };
        if !seen.insert((change.action(), change.identity(plan.kind))) {
            return Err("it holds two changes of one object".to_owned());
        }
        if let Some(group) = group
            && !groups.contains(group)
        {
            return Err(format!(
                "{} ({}) is changed and not among its groups",
                group.name, group.id
            ));
        }
    }
    Ok(())
}

/// Each group stands once in its list, goes by one name everywhere, and has the members that the changes leave it.
fn check_groups(plan: &Plan) -> Result<(), String> {
    let mut names: BTreeMap<&ObjectId, &str> = BTreeMap::new();
    for PlannedGroup { azure, .. } in &plan.groups {
        if names.insert(&azure.id, &azure.name).is_some() {
            return Err(format!(
                "the group {} stands twice among its groups",
                azure.id
            ));
        }
    }
    let of_scope = plan.scope.iter().flatten().map(|mapping| &mapping.azure);
    let of_blocks = plan.blocks.iter().filter_map(|block| block.group.as_ref());
    for group in of_scope.chain(of_blocks) {
        if *names.entry(&group.id).or_insert(&group.name) != group.name {
            return Err(format!("the group {} goes by two names", group.id));
        }
    }
    let movements = movements(&plan.changes);
    for group in &plan.groups {
        let (joining, losing) = movements.get(&group.azure.id).copied().unwrap_or_default();
        let after = (group.members_before + joining).saturating_sub(losing);
        if group.members_after != after {
            return Err(format!(
                "{} ({}) is to have {} members, and its changes make {after} of {}",
                group.azure.name, group.azure.id, group.members_after, group.members_before
            ));
        }
    }
    Ok(())
}

/// Whether the flag of a block is the one that lifts it. People copy it into a shell.
fn check_flag(block: &Block) -> Result<(), String> {
    let (name, value) = block.flag.split_once(' ').unwrap_or((&block.flag, ""));
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<u32>().is_ok();
    let is_called = |group: &GroupName| value == group.name || value == group.id.as_str();
    let fits = match (block.code, &block.group) {
        (BlockCode::TooManyRemovals, Some(_)) => name == "--max-removals" && is_number,
        (BlockCode::TooManyInvitations, None) => name == "--max-invitations" && is_number,
        (BlockCode::WouldEmptyGroup | BlockCode::EmptySource, Some(group)) => {
            name == "--allow-empty" && is_called(group)
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "the flag {:?} does not lift the limit that is said to be exceeded",
            block.flag
        ))
    }
}

/// Whether the plan holds only what its kind of plan can hold.
fn check_kind(plan: &Plan) -> Result<(), String> {
    let is_undo = plan.kind == PlanKind::Undo;
    if is_undo != plan.undoes.is_some() {
        return Err("its kind and the run that it takes back do not fit".to_owned());
    }
    if let Some(run) = &plan.undoes {
        check_undo(plan, run)?;
    }
    for change in &plan.changes {
        let fits = match change {
            Change::Invite(_) => !is_undo,
            Change::Update(update) => fields_fit(&update.fields, is_undo),
            Change::Add(add) => {
                add.because.is_empty() == is_undo && (add.account.id.is_some() || !is_undo)
            }
            Change::Remove(remove) => (remove.because == RemovalReason::Undo) == is_undo,
        };
        if !fits {
            let (subject, _) = report::object_of(change);
            return Err(format!(
                "the change of {} ({}) is not one of this kind of plan",
                subject.email,
                change.action()
            ));
        }
    }
    Ok(())
}

/// Checks that an undo holds nothing that only a plan can hold which Keycloak is asked for, and that what it takes back looks like a run: it
/// is named in a sentence.
fn check_undo(plan: &Plan, run: &UndoneRun) -> Result<(), String> {
    let is_digest = |id: &str| {
        id.strip_prefix("sha256:").is_some_and(|digits| {
            digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    if run.run_id.parse::<ObjectId>().is_err() || !is_digest(&run.plan_id) {
        return Err("the run that it takes back has no id of a run and a plan".to_owned());
    }
    let Overrides {
        max_removals: _,
        max_removals_percent: _,
        max_invitations,
        allow_empty: _,
        without_witness,
    } = &plan.overrides;
    if plan.scope.is_some()
        || plan.source.federation.is_some()
        || max_invitations.is_some()
        || !without_witness.is_empty()
    {
        return Err("it takes back a run, and says what only other plans do".to_owned());
    }
    Ok(())
}

/// Only who takes something back may take away a value, and only one that Entra lets be absent.
fn fields_fit(fields: &Fields, is_undo: bool) -> bool {
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    let has_value =
        |change: &Option<FieldChange<String>>| change.as_ref().is_none_or(|it| it.after.is_some());
    user_type.as_ref().is_none_or(|it| it.after.is_some())
        && has_value(display_name)
        && (is_undo || has_value(given_name) && has_value(surname))
}

/// Whether every field gets another value than it has.
fn values_differ(fields: &Fields) -> bool {
    fn differs<T: PartialEq>(change: Option<&FieldChange<T>>) -> bool {
        change.is_none_or(|change| change.before != change.after)
    }
    let Fields {
        user_type,
        display_name,
        given_name,
        surname,
    } = fields;
    differs(user_type.as_ref())
        && [display_name, given_name, surname]
            .into_iter()
            .all(|change| differs(change.as_ref()))
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
