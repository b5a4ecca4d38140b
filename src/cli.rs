//! The flags and commands, as clap types; nothing is decided here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::manual;
use crate::model::Address;
use crate::plan::Overrides;
use crate::settings::Limit;

/// The configuration file, if no other is named.
pub const DEFAULT_CONFIG: &str = "keycloak_to_azure.config.yaml";

/// Plan, review and apply Microsoft Entra B2B users and group memberships from Keycloak groups
///
/// `plan` reads both directories and writes what would change, people review that plan, and `apply` carries out exactly what
/// was reviewed. Running it again is always safe.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = manual::short(), after_long_help = manual::long())]
pub struct Cli {
    /// The configuration file
    #[arg(
        long,
        global = true, help_heading = "Everywhere",
        value_name = "FILE",
        default_value = DEFAULT_CONFIG
    )]
    pub config: PathBuf,
    /// When to use colours
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Say more about what is going on
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub verbose: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read both directories and write what would change, as a file and as a page to read
    Plan(PlanArgs),
    /// Show a saved plan again; needs neither configuration nor network
    Show(ShowArgs),
    /// Carry out a reviewed plan, and nothing else
    Apply(ApplyArgs),
    /// Log in on both sides, test every permission and mapping, and say what is missing; changes nothing
    Check(CheckArgs),
    /// Show the report of an apply: who ran what and when, and what became of each change; needs neither configuration nor network
    Report(ReportArgs),
    /// Write a plan that takes back what one run of apply did, to be reviewed and applied like any other; changes nothing
    Undo(UndoArgs),
    /// Say everything that is known about one person, and what a plan does about them and why; changes nothing
    Explain(ExplainArgs),
    /// Read both sides and report who is in each mapped group and why, and what is not in order; changes nothing
    Audit(AuditArgs),
    /// Check the configuration and say all mistakes with their places; needs neither credentials nor network
    Validate(ValidateArgs),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder: one of the program, and one of each command
    Man {
        /// The folder; it is created if it is not there
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
    },
    /// Serve the two simulated services until interrupted, for demonstrations and tests
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a pull request.
    Markdown,
    /// For a browser, a printer or a file: one page without scripts.
    Html,
    /// The data itself.
    Json,
}

/// The flags that say how a plan is shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct PresentationArgs {
    /// How it is shown
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Show people as tokens instead of names and addresses, for everybody to read; the plan file stays complete (the
    /// key of the tokens is `KEYCLOAK_TO_AZURE_REDACT_KEY`)
    #[arg(long)]
    pub redact: bool,
}

/// The flags of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Where the plan is written
    #[arg(
        long,
        value_name = "FILE",
        default_value = "keycloak_to_azure.plan.json"
    )]
    pub out: PathBuf,
    /// How it is shown.
    #[command(flatten)]
    pub presentation: PresentationArgs,
    /// Plan only the groups of these mappings (a Keycloak or Azure name of a mapping, or the id of an Azure group; repeatable)
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<String>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Where the directories are.
    #[command(flatten)]
    pub directories: DirectoryArgs,
    /// Limits that are other ones for this plan.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// The flags that set safety limits for one plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Safety limits, set for this plan and recorded in it")]
pub struct LimitArgs {
    /// Those of removals.
    #[command(flatten)]
    pub removals: RemovalLimitArgs,
    /// Invitations in the plan: a number, 0 to forbid, or off
    #[arg(long, value_name = "N", value_parser = parse_limit, allow_negative_numbers = true)]
    pub max_invitations: Option<Limit>,
    /// A group whose removals need no witness from the realm's user federation (a Keycloak or Azure name of a mapping, or the id of an Azure
    /// group; repeatable)
    #[arg(long, value_name = "NAME")]
    pub without_witness: Vec<String>,
}

impl LimitArgs {
    /// Returns what is lifted, as the plan records it. Fails if one kind of limit is given twice.
    pub fn overrides(&self) -> anyhow::Result<Overrides> {
        Ok(Overrides {
            max_invitations: self.max_invitations,
            without_witness: self.without_witness.iter().cloned().collect(),
            ..self.removals.overrides()?
        })
    }
}

/// The flags that set the safety limits of removals for one plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Safety limits, set for this plan and recorded in it")]
pub struct RemovalLimitArgs {
    /// Members that one group may lose: a number, a share (40%), 0 to forbid, or off (repeatable, once for each kind)
    #[arg(long, value_name = "N", value_parser = parse_removal_limit, allow_negative_numbers = true)]
    pub max_removals: Vec<RemovalLimit>,
    /// A group that may end up without members (a Keycloak or Azure name of a mapping, or the id of an Azure group; repeatable)
    #[arg(long, value_name = "NAME")]
    pub allow_empty: Vec<String>,
}

impl RemovalLimitArgs {
    /// Returns what is lifted, as the plan records it. Fails if one kind of limit is given twice.
    pub fn overrides(&self) -> anyhow::Result<Overrides> {
        let mut overrides = Overrides {
            allow_empty: self.allow_empty.iter().cloned().collect(),
            ..Overrides::default()
        };
        for limit in &self.max_removals {
            let (place, limit) = match limit {
                RemovalLimit::Count(limit) => (&mut overrides.max_removals, limit),
                RemovalLimit::Percent(limit) => (&mut overrides.max_removals_percent, limit),
            };
            anyhow::ensure!(
                place.replace(*limit).is_none(),
                "--max-removals may be given once as a number and once as a share"
            );
        }
        Ok(overrides)
    }
}

/// A limit of removals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalLimit {
    /// So many members.
    Count(Limit),
    /// Such a share of them, in percent.
    Percent(Limit),
}

fn parse_removal_limit(text: &str) -> Result<RemovalLimit, String> {
    match text.strip_suffix('%') {
        None => parse_limit(text).map(RemovalLimit::Count).map_err(|_| {
            "a limit is a whole number from 0 on, a share such as 40%, or off".to_owned()
        }),
        Some("off") => Ok(RemovalLimit::Percent(Limit::Off)),
        Some(share) => match share.parse::<u32>() {
            Ok(percent @ 0..=100) => Ok(RemovalLimit::Percent(Limit::AtMost(percent))),
            _ => Err("a share is a whole number from 0% to 100%".to_owned()),
        },
    }
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    match text {
        "off" => Ok(Limit::Off),
        number => number
            .parse()
            .map(Limit::AtMost)
            .map_err(|_| "a limit is a whole number from 0 on, or off".to_owned()),
    }
}

fn parse_age(text: &str) -> Result<SignedDuration, String> {
    text.parse::<Span>()
        .ok()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| {
            "an age is more than nothing, in minutes, hours, days or weeks: 30m, 24h, 7d, 2w"
                .to_owned()
        })
}

/// Where the directories are.
#[derive(Debug, Clone, Copy, Args)]
pub struct DirectoryArgs {
    /// Use two simulated directories inside the program; nothing to set up, and --config is not read
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub sandbox: bool,
}

/// The flags of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The plan
    #[arg(value_name = "PLAN", default_value = "keycloak_to_azure.plan.json")]
    pub plan: PathBuf,
    /// Say how it differs from an older plan, such as the one that was approved
    #[arg(long, value_name = "OLDER")]
    pub against: Option<PathBuf>,
    /// How it is shown.
    #[command(flatten)]
    pub presentation: PresentationArgs,
}

/// The flags of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan
    #[arg(value_name = "PLAN", default_value = "keycloak_to_azure.plan.json")]
    pub plan: PathBuf,
    /// Do everything but write to Entra, and say what would become of each change
    #[arg(long)]
    pub dry_run: bool,
    /// Refuse any plan but this one (the id that was approved); a plan that takes back a run is applied only with it
    #[arg(long, value_name = "ID")]
    pub plan_id: Option<String>,
    /// Refuse a plan that is older, such as 30m, 24h or 7d; a convenience and no protection, because the time of a plan is not part of
    /// its id
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub max_age: Option<SignedDuration>,
    /// Where the report is appended to [default: beside the plan, ….report.jsonl]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Where the directories are.
    #[command(flatten)]
    pub directories: DirectoryArgs,
}

/// The flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The report
    #[arg(
        value_name = "REPORT",
        default_value = "keycloak_to_azure.plan.report.jsonl"
    )]
    pub report: PathBuf,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Show people as tokens instead of names and addresses, the same ones as in the plan, for everybody to read; the report file stays
    /// complete (the key of the tokens is `KEYCLOAK_TO_AZURE_REDACT_KEY`)
    #[arg(long)]
    pub redact: bool,
}

/// The flags of `undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The report of the run
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,
    /// Which run of the report [default: the last that wrote]
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Where the plan is written
    #[arg(
        long,
        value_name = "PLAN",
        default_value = "keycloak_to_azure.undo.json"
    )]
    pub out: PathBuf,
    /// How it is shown.
    #[command(flatten)]
    pub presentation: PresentationArgs,
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Where the directories are.
    #[command(flatten)]
    pub directories: DirectoryArgs,
    /// Limits that are other ones for this plan.
    #[command(flatten)]
    pub limits: RemovalLimitArgs,
}

/// The flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The command whose needs are checked
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value_t = Purpose::Apply)]
    pub purpose: Purpose,
    /// Where the directories are.
    #[command(flatten)]
    pub directories: DirectoryArgs,
}

/// The flags of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Print the JSON Schema of the configuration, for editors, and check nothing
    #[arg(long)]
    pub schema: bool,
}

/// The flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// An address of the person, as Keycloak or Entra has it
    #[arg(value_name = "ADDRESS")]
    pub address: Address,
    /// Say what would become of the changes of this plan; without it, what a plan made now would hold
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// Where the directories are.
    #[command(flatten)]
    pub directories: DirectoryArgs,
}

/// The flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// How it is shown
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = AuditFormat::Text)]
    pub format: AuditFormat,
    /// After how many days an invitation that nobody accepted is to be looked into
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub pending_days: u32,
    /// Say what is not as the runs of this report left it, and what became of invited accounts since by others
    #[arg(long, value_name = "REPORT")]
    pub since: Option<PathBuf>,
    /// Keep this audit in a folder as well, in every format for files: audit.html, audit.md, audit.csv and audit.json, none of which may be there
    #[arg(long, value_name = "DIRECTORY")]
    pub save: Option<PathBuf>,
    /// Where the directories are.
    #[command(flatten)]
    pub directories: DirectoryArgs,
}

/// How an audit is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For a terminal.
    Text,
    /// To be filed with other documents.
    Markdown,
    /// A page for a browser or a printer.
    Html,
    /// The data itself.
    Json,
    /// For a spreadsheet.
    Csv,
}

/// The command whose needs are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// `plan`, which only reads.
    Plan,
    /// `apply`, which needs what `plan` needs and more.
    Apply,
}

/// The flags of `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The address of the simulated Keycloak; it has to be a loopback address
    #[arg(long, value_name = "HOST:PORT")]
    pub keycloak: Option<SocketAddr>,
    /// The address of the simulated Graph and its login; it has to be a loopback address
    #[arg(long, value_name = "HOST:PORT")]
    pub graph: Option<SocketAddr>,
    /// What clients call the simulated Graph by, where they reach it through a proxy
    #[arg(long, value_name = "URL")]
    pub graph_url: Option<String>,
    /// The version of Keycloak that is simulated (21.1.2, 22.0.5, 24.0.5, 25.0.6, 26.0.8 or 26.7.4)
    #[arg(long, value_name = "VERSION")]
    pub keycloak_version: Option<String>,
    /// What Keycloak's addresses begin with, for instance `/auth`
    #[arg(long, value_name = "PATH")]
    pub keycloak_relative_path: Option<String>,
    /// Serve the realm of a realm export as well, or in place of the one of its name (repeatable)
    #[arg(long, value_name = "FILE")]
    pub realm: Vec<PathBuf>,
    /// Create an empty security group in the simulated Entra, if there is none of the name (repeatable)
    #[arg(long, value_name = "NAME")]
    pub azure_group: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_removal_limit_is_a_number_a_share_or_off() {
        assert_eq!(
            parse_removal_limit("12"),
            Ok(RemovalLimit::Count(Limit::AtMost(12)))
        );
        assert_eq!(
            parse_removal_limit("40%"),
            Ok(RemovalLimit::Percent(Limit::AtMost(40)))
        );
        assert_eq!(
            parse_removal_limit("off%"),
            Ok(RemovalLimit::Percent(Limit::Off))
        );
        assert_eq!(
            parse_removal_limit("off"),
            Ok(RemovalLimit::Count(Limit::Off))
        );
        for text in ["-1", "101%", "-5%", "", "%", "1.5", "none", "1e9999"] {
            assert!(parse_removal_limit(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_age_is_more_than_nothing() {
        for (text, minutes) in [
            ("30m", 30),
            ("24h", 24 * 60),
            ("1h 30m", 90),
            ("1h30m", 90),
            ("7d", 7 * 24 * 60),
            ("2w", 14 * 24 * 60),
            ("7 days", 7 * 24 * 60),
            ("P1D", 24 * 60),
        ] {
            assert_eq!(
                parse_age(text),
                Ok(SignedDuration::from_mins(minutes)),
                "{text:?}"
            );
        }
        for text in [
            "",
            "24",
            "0h",
            "-1h",
            "1h ago",
            "1mo",
            "1y",
            "h",
            "1e9h",
            "yesterday",
            "99999999999h",
        ] {
            assert!(parse_age(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        for line in [
            ["keycloak-to-azure", "--color", "never", "show"],
            ["keycloak-to-azure", "show", "--color", "never"],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap().color, ColorChoice::Never);
        }
    }
}
