//! The report on disk: JSON Lines, appended to, readable by its owner only.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::execute::Recorder;
use crate::files;
use crate::model::{Address, ObjectId};
use crate::plan::Plan;
use crate::render::escape;
use crate::report::{Line, NotAReport, PlanOfRun, Reading, Report, Run, Step, Write};

/// The longest line that a report may have. What is longest in one is a refusal, of some kilobytes.
const LONGEST_LINE: u64 = 1024 * 1024;

/// A report that is open for a run, and for no other one meanwhile.
pub struct ReportFile {
    path: PathBuf,
    file: File,
}

impl ReportFile {
    /// Opens a report, makes it if there is none, and returns the accounts that invitations of earlier runs of the plan made, by address.
    /// Fails while another run has it open.
    pub fn open(path: &Path, plan: &Plan) -> anyhow::Result<(Self, BTreeMap<Address, ObjectId>)> {
        let shown = path.display();
        let file =
            open_to_write(path).with_context(|| format!("failed to open the report {shown}"))?;
        // Before it is read: what the other run does from here on would be missing.
        lock(&file, path, &FOR_A_RUN)?;
        let (report, ending) = read_lines(&file).map_err(|unreadable| match unreadable {
            Unreadable::Failed(error) => {
                anyhow::Error::new(error).context(format!("failed to read the report {shown}"))
            }
            Unreadable::NotAReport(error) => anyhow::Error::new(error).context(format!(
                "{shown} is not a report of this program; name another file with --report"
            )),
        })?;
        let invited = invited_before(&report, PlanOfRun::of(plan));
        let path = path.to_owned();
        let mut opened = Self { path, file };
        if ending == Ending::WithinALine {
            // A run that was killed in the middle of a line; the next line must not be glued to it.
            opened
                .append("\n")
                .with_context(|| format!("failed to write to the report {shown}"))?;
        }
        Ok((opened, invited))
    }

    /// Writes at the end, all of it or nothing.
    fn append(&mut self, text: &str) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        let written = self.file.write_all(text.as_bytes());
        if written.is_err() {
            // The next line must not be glued to one that the disk had no room for.
            let _ = self.file.set_len(end);
        }
        written
    }
}

/// Opens a report, and makes it if there is none.
fn open_to_write(path: &Path) -> io::Result<File> {
    files::check_regular_if_there(path)?;
    let mut options = OpenOptions::new();
    options.read(true).create(true);
    // What is opened for appending alone cannot be shortened on Windows.
    if cfg!(windows) {
        options.write(true).truncate(false);
    } else {
        options.append(true);
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    if file.metadata()?.len() == 0 {
        // Somebody else made it, for this report to go into. Not every file system knows permissions.
        let for_its_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        let _ = file.set_permissions(for_its_owner);
    }
    Ok(file)
}

/// What to do where a report cannot be locked.
struct Hints {
    /// Another run has it.
    in_use: &'static str,
    /// The file system has no locks.
    no_locks: &'static str,
}

const FOR_A_RUN: Hints = Hints {
    in_use: "wait until it has ended, or stop it; then run this again, which finishes what it left",
    no_locks: "name a file on another file system with --report",
};

const FOR_A_READER: Hints = Hints {
    in_use: "wait until it has ended, or stop it; then run this again",
    no_locks: "name a copy of it on another file system",
};

/// Two runs of a plan at once would each invite whom the other one is inviting. The lock goes with the process, so a run that was
/// killed leaves none behind.
fn lock(file: &File, path: &Path, hints: &Hints) -> anyhow::Result<()> {
    let shown = path.display();
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!("another run is using the report {shown}: {}", hints.in_use)
        }
        Err(TryLockError::Error(error)) => Err(error)
            .with_context(|| format!("failed to lock the report {shown}; {}", hints.no_locks)),
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        // Closing is not enough while a child process that another thread is just starting holds a copy of the file.
        let _ = self.file.unlock();
    }
}

fn invited_before(report: &Report, plan: PlanOfRun<'_>) -> BTreeMap<Address, ObjectId> {
    let mut accounts = BTreeMap::new();
    let runs = report.runs.iter().filter(|run| run.wrote_for(plan));
    for Run { steps, .. } in runs {
        let invited = steps.iter().filter(|step| step.write == Write::Invited);
        for Step { account, .. } in invited {
            if let (Ok(email), Some(id)) = (account.email.parse(), &account.id) {
                accounts.insert(email, id.clone());
            }
        }
    }
    accounts
}

/// Reads a report that no run is writing.
pub fn read_ended(path: &Path) -> anyhow::Result<Report> {
    let file = File::open(path).map_err(|error| cannot_read(path, error))?;
    lock(&file, path, &FOR_A_READER)?;
    // Not opened once more: on Windows a lock keeps everybody else from reading, this process too.
    let report = report_in(&file, path);
    let _ = file.unlock();
    report
}

/// Reads a report, also of a run that is still going; on Windows that fails, as nobody but the run can read it meanwhile.
pub fn read(path: &Path) -> anyhow::Result<Report> {
    let file = File::open(path).map_err(|error| cannot_read(path, error))?;
    report_in(&file, path)
}

fn report_in(file: &File, path: &Path) -> anyhow::Result<Report> {
    match read_lines(file) {
        Ok((report, _)) => Ok(report),
        Err(Unreadable::Failed(error)) => Err(cannot_read(path, error)),
        Err(Unreadable::NotAReport(error)) => Err(anyhow::Error::new(error).context(format!(
            "{} is not a report of this program",
            path.display()
        ))),
    }
}

fn cannot_read(path: &Path, error: io::Error) -> anyhow::Error {
    let hint = if error.kind() == ErrorKind::NotFound {
        "; `keycloak-to-azure apply` writes one beside its plan"
    } else if is_locked_by_another(&error) {
        "; a run is using it, and Windows lets nobody else read it until that has ended"
    } else {
        ""
    };
    anyhow::Error::new(error).context(format!(
        "failed to read the report {}{hint}",
        path.display()
    ))
}

/// Only Windows keeps others from reading what is locked (`ERROR_LOCK_VIOLATION`).
fn is_locked_by_another(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error() == Some(33)
}

/// How a report ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    AfterALine,
    WithinALine,
}

/// Why there is no report in a file.
#[derive(Debug)]
enum Unreadable {
    Failed(io::Error),
    NotAReport(NotAReport),
}

/// Reads a report line by line: all of it may be very large, and no line of it is.
fn read_lines(file: impl io::Read) -> Result<(Report, Ending), Unreadable> {
    let mut file = BufReader::new(file);
    let mut reading = Reading::default();
    let mut line = Vec::new();
    let mut ending = Ending::AfterALine;
    loop {
        let fits = files::read_line_bounded(&mut file, &mut line, LONGEST_LINE)
            .map_err(Unreadable::Failed)?;
        ending = match line.last() {
            None => return Ok((reading.end(), ending)),
            Some(b'\n') => Ending::AfterALine,
            Some(_) => Ending::WithinALine,
        };
        if !fits {
            let reason = format!("it is longer than {} KiB", LONGEST_LINE / 1024);
            return Err(Unreadable::NotAReport(reading.refused_next(reason)));
        }
        reading.line(&line).map_err(Unreadable::NotAReport)?;
    }
}

impl Recorder for ReportFile {
    fn record(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&escape::json(&serde_json::to_string(line)?));
            text.push('\n');
        }
        // An accepted invitation must not be forgotten even if the machine goes down: lists that lag could otherwise cause a second
        // one. The rest can be read from the directory again.
        let is_invitation =
            |line: &Line| matches!(line, Line::Step(step) if step.write == Write::Invited);
        let written = self.append(&text).and_then(|()| {
            if lines.iter().any(is_invitation) {
                self.file.sync_data()
            } else {
                Ok(())
            }
        });
        written.with_context(|| format!("failed to write to the report {}", self.path.display()))
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-1111-4111-8111-111111111111";

    fn start(run: &str, plan: &str, dry_run: bool) -> String {
        format!(
            r#"{{"type":"start","run_id":"{run}","plan_id":"{plan}","plan_created_at":"2026-11-24T07:00:00Z","kind":"sync","changes":3,"tool_version":"0.1.0","source":{{"url":"https://auth.x.example","realm":"x"}},"target":{{"tenant_id":"{TENANT}","tenant_name":"X","graph_url":"https://graph.microsoft.com"}},"app_id":"app","time":"2026-11-24T08:00:00Z","dry_run":{dry_run}}}"#
        )
    }

    fn invited(run: &str, email: &str) -> String {
        format!(
            r#"{{"type":"step","run_id":"{run}","change":1,"write":"invited","account":{{"id":"22222222-2222-4222-8222-222222222222","email":"{email}","display_name":null}},"time":"2026-11-24T08:00:00Z"}}"#
        )
    }

    fn parse(text: &str) -> Report {
        read_lines(text.as_bytes()).unwrap().0
    }

    /// The addresses that were invited before, for the plan of a run that is in no report yet.
    fn invited_for_plan_made(created_at: &str, lines: &[String]) -> Vec<String> {
        let mut next = parse(&start("r9", "sha256:a", false));
        let run = &mut next.runs[0];
        run.start.plan_created_at = created_at.parse().unwrap();
        let accounts = invited_before(&parse(&lines.join("\n")), run.plan());
        accounts.keys().map(ToString::to_string).collect()
    }

    fn invited_earlier(lines: &[String]) -> Vec<String> {
        invited_for_plan_made("2026-11-24T07:00:00Z", lines)
    }

    #[test]
    fn runs_of_a_plan_for_another_tenant_are_of_another_one() {
        let elsewhere = start("r1", "sha256:a", false).replace(TENANT, &TENANT.replace('1', "3"));
        let lines = [elsewhere, invited("r1", "ann@x.example")];
        assert_eq!(invited_earlier(&lines), Vec::<String>::new());
    }

    #[test]
    fn invitations_of_earlier_runs_of_the_same_plan_are_remembered() {
        let earlier = invited_earlier(&[
            start("r1", "sha256:a", false),
            invited("r1", "ann@x.example"),
            start("r2", "sha256:b", false),
            invited("r2", "bob@x.example"),
            start("r3", "sha256:a", true),
            invited("r3", "cyd@x.example"),
        ]);
        assert_eq!(earlier, ["ann@x.example"]);
    }

    #[test]
    fn runs_of_an_earlier_plan_with_the_same_id_are_of_another_one() {
        let lines = [
            start("r1", "sha256:a", false),
            invited("r1", "ann@x.example"),
        ];
        let earlier = invited_for_plan_made("2026-11-24T06:59:59Z", &lines);
        assert_eq!(earlier, Vec::<String>::new());
    }

    #[test]
    fn a_line_that_a_killed_run_did_not_finish_is_passed_over() {
        let cut = invited("r1", "bob@x.example")[..60].to_owned();
        let earlier = invited_earlier(&[
            start("r1", "sha256:a", false),
            invited("r1", "ann@x.example"),
            cut,
        ]);
        assert_eq!(earlier.len(), 1);
    }

    #[test]
    fn a_line_is_cut_off_wherever_a_killed_run_left_it_and_the_next_run_ended_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.report.jsonl");
        let (first, last) = (
            start("r1", "sha256:a", false),
            start("r2", "sha256:a", false),
        );
        for length in 1..first.len() {
            let cut = &first[..length];
            std::fs::write(&path, format!("{cut}\n{last}\n")).unwrap();
            let report = read(&path).unwrap();
            assert_eq!(report.runs.len(), 1, "{cut}");
            let (_, ending) = read_lines(cut.as_bytes()).unwrap();
            assert_eq!(ending, Ending::WithinALine, "{cut}");
        }
        let (report, ending) = read_lines(format!("{last}\n").as_bytes()).unwrap();
        assert_eq!((report.runs.len(), ending), (1, Ending::AfterALine));
    }

    #[test]
    fn a_line_without_an_end_is_not_read_to_its_end() {
        let begun = format!("{}\n", start("r1", "sha256:a", false));
        let Err(Unreadable::NotAReport(refused)) =
            read_lines(io::Read::chain(begun.as_bytes(), io::repeat(b' ')))
        else {
            panic!("it is read");
        };
        assert_eq!(refused.to_string(), "line 2: it is longer than 1024 KiB");
    }

    #[test]
    fn lines_are_written_at_the_end_wherever_that_is_by_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.report.jsonl");
        drop(open_to_write(&path).unwrap());
        // As it is opened on Windows, where the system does not see to it.
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let mut run = ReportFile {
            file: file.unwrap(),
            path: path.clone(),
        };
        run.append("1\n").unwrap();
        let end = run.file.metadata().unwrap().len();
        run.file.write_all(b"no room for mo").unwrap();
        run.file.set_len(end).unwrap();
        run.append("2\n").unwrap();
        let mut of_another = OpenOptions::new().append(true).open(&path).unwrap();
        of_another.write_all(b"3\n").unwrap();
        run.append("4\n").unwrap();
        drop(run);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n4\n");
    }

    #[test]
    fn a_report_is_for_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.report.jsonl");
        let file = File::create(&path).unwrap();
        lock(&file, &path, &FOR_A_RUN).unwrap();
        // Closing the file of the run alone would leave the lock with this one.
        let _of_a_child = file.try_clone().unwrap();
        let run = ReportFile {
            path: path.clone(),
            file,
        };
        let beside = File::open(&path).unwrap();
        let refused = lock(&beside, &path, &FOR_A_RUN).unwrap_err().to_string();
        assert!(
            refused.contains("another run is using the report")
                && refused.contains("wait until it has ended"),
            "{refused}"
        );
        drop(run);
        lock(&beside, &path, &FOR_A_RUN).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_report_goes_to_a_regular_file_that_only_its_owner_reads() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let file = open_to_write(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = open_to_write(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.to_string(), "it is not a regular file");
    }

    /// On Windows the lock keeps the file from being opened and read once more. Here nothing is there any more to open.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_report_is_read_through_the_file_that_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        // Who opens it once more can be faster than who removes it, now and then.
        for _ in 0..30 {
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            assert!(made.unwrap().success());
            let path = pipe.clone();
            let reading = std::thread::spawn(move || read_ended(&path));
            let mut opened = OpenOptions::new().write(true).open(&pipe).unwrap();
            std::fs::remove_file(&pipe).unwrap();
            let line = start("r1", "sha256:a", false);
            opened.write_all(line.as_bytes()).unwrap();
            drop(opened);
            assert_eq!(reading.join().unwrap().unwrap().runs.len(), 1);
        }
    }

    #[test]
    fn a_file_that_is_something_else_is_refused() {
        assert!(read_lines(&b"hello"[..]).is_err());
        assert!(read_lines(&br#"{"type":"other"}"#[..]).is_err());
    }
}
