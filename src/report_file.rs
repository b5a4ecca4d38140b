//! The report on disk: JSON Lines, appended to, readable by its owner only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::execute::Recorder;
use crate::model::{Address, ObjectId};
use crate::plan::Plan;
use crate::render::escape;
use crate::report::{Line, Write as Written};

/// A report that is open for a run.
pub struct ReportFile {
    path: PathBuf,
    file: File,
}

/// What tells the runs of a plan from others.
struct OfPlan<'a> {
    plan_id: &'a str,
    tenant: &'a ObjectId,
    created_at: jiff::Timestamp,
}

impl<'a> OfPlan<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan_id: &plan.plan_id,
            tenant: &plan.target.tenant_id,
            created_at: plan.created_at,
        }
    }
}

/// What earlier runs of a plan left in its report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierRuns {
    /// The accounts that invitations of this plan made, by address.
    pub invited: BTreeMap<Address, ObjectId>,
    /// How many runs there were that wrote.
    pub runs: usize,
}

impl ReportFile {
    /// Opens a report, makes it if there is none, and returns what earlier runs of the plan left in it.
    pub fn open(path: &Path, plan: &Plan) -> anyhow::Result<(Self, EarlierRuns)> {
        let shown = path.display();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(path)
            .with_context(|| format!("failed to open the report {shown}"))?;
        let mut text = String::new();
        file.read_to_string(&mut text)
            .with_context(|| format!("failed to read the report {shown}"))?;
        let earlier = earlier_runs(&text, &OfPlan::new(plan)).with_context(|| {
            format!("{shown} is not a report of this program; name another file with --report")
        })?;
        if !text.is_empty() && !text.ends_with('\n') {
            // A run that was killed in the middle of a line; the next line must not be glued to it.
            file.write_all(b"\n")
                .with_context(|| format!("failed to write to the report {shown}"))?;
        }
        let path = path.to_owned();
        Ok((Self { path, file }, earlier))
    }
}

/// What happened before the plan was made is no concern of it: the same situation gives the same id again, and an account that was
/// invited then may be gone since.
fn earlier_runs(text: &str, of: &OfPlan<'_>) -> anyhow::Result<EarlierRuns> {
    let mut earlier = EarlierRuns::default();
    let mut of_this_plan = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let line: Line = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(_) if line.trim().is_empty() => continue,
            // A line that a killed run did not finish has no closing brace. Whatever has one was finished.
            Err(_) if line.starts_with("{\"type\":") && !line.ends_with('}') => continue,
            Err(error) => anyhow::bail!("line {}: {error}", at + 1),
        };
        match line {
            Line::Start(start)
                if start.plan_id == of.plan_id
                    && start.tenant_id == *of.tenant
                    && start.time >= of.created_at
                    && !start.dry_run =>
            {
                of_this_plan.insert(start.run_id);
                earlier.runs += 1;
            }
            Line::Step(step)
                if step.write == Written::Invited && of_this_plan.contains(&step.run_id) =>
            {
                if let Some(email) = step.email {
                    earlier.invited.insert(email, step.account);
                }
            }
            _ => {}
        }
    }
    Ok(earlier)
}

impl Recorder for ReportFile {
    fn record(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&escape::json(&serde_json::to_string(line)?));
            text.push('\n');
        }
        let write = |file: &mut File| {
            file.write_all(text.as_bytes())?;
            // An accepted invitation must not be forgotten even if the machine goes down: lists that lag could otherwise
            // cause a second one. The rest can be read from the directory again.
            let is_invitation =
                |line: &Line| matches!(line, Line::Step(step) if step.write == Written::Invited);
            if lines.iter().any(is_invitation) {
                file.sync_data()
            } else {
                Ok(())
            }
        };
        write(&mut self.file)
            .with_context(|| format!("failed to write to the report {}", self.path.display()))
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
            r#"{{"type":"start","run_id":"{run}","plan_id":"{plan}","tool_version":"0.1.0","tenant_id":"{TENANT}","time":"2026-11-24T08:00:00Z","dry_run":{dry_run}}}"#
        )
    }

    fn invited(run: &str, email: &str) -> String {
        format!(
            r#"{{"type":"step","run_id":"{run}","change":1,"write":"invited","email":"{email}","account":"22222222-2222-4222-8222-222222222222","time":"2026-11-24T08:00:00Z"}}"#
        )
    }

    fn read(lines: &[String]) -> anyhow::Result<EarlierRuns> {
        earlier_runs_since("2026-11-24T07:00:00Z", lines)
    }

    fn earlier_runs_since(created_at: &str, lines: &[String]) -> anyhow::Result<EarlierRuns> {
        let of = OfPlan {
            plan_id: "sha256:a",
            tenant: &TENANT.parse().unwrap(),
            created_at: created_at.parse().unwrap(),
        };
        earlier_runs(&lines.join("\n"), &of)
    }

    #[test]
    fn invitations_of_earlier_runs_of_the_same_plan_are_remembered() {
        let earlier = read(&[
            start("r1", "sha256:a", false),
            invited("r1", "ann@x.example"),
            start("r2", "sha256:b", false),
            invited("r2", "bob@x.example"),
            start("r3", "sha256:a", true),
            invited("r3", "cyd@x.example"),
        ])
        .unwrap();
        assert_eq!(
            earlier
                .invited
                .keys()
                .map(Address::as_str)
                .collect::<Vec<_>>(),
            ["ann@x.example"]
        );
        assert_eq!(earlier.runs, 1);
    }

    #[test]
    fn runs_before_the_plan_was_made_are_of_an_earlier_one_with_the_same_id() {
        let lines = [
            start("r1", "sha256:a", false),
            invited("r1", "ann@x.example"),
        ];
        let earlier = earlier_runs_since("2026-11-24T09:00:00Z", &lines).unwrap();
        assert_eq!(earlier, EarlierRuns::default());
    }

    #[test]
    fn a_line_that_a_killed_run_did_not_finish_is_passed_over() {
        let cut = invited("r1", "bob@x.example")[..60].to_owned();
        let earlier = read(&[
            start("r1", "sha256:a", false),
            invited("r1", "ann@x.example"),
            cut,
        ])
        .unwrap();
        assert_eq!(earlier.invited.len(), 1);
    }

    #[test]
    fn a_file_that_is_something_else_is_refused() {
        assert!(read(&["hello".to_owned()]).is_err());
        assert!(read(&[r#"{"type":"other"}"#.to_owned()]).is_err());
    }
}
