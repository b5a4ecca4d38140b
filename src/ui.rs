//! The streams: results to stdout, everything else to stderr and to the log file. Colours are decided here, once.

mod progress;

pub use self::progress::Progress;

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::ColorChoice;
use crate::commands::UnusableMappings;
use crate::config::{ConfigErrors, EnvironmentErrors};
use crate::render::{Style, escape};
use crate::{entra, keycloak};

/// How wide text is where there is no terminal.
const WIDTH_WITHOUT_TERMINAL: usize = 100;

/// The streams of one invocation.
pub struct Ui {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_style: Style,
    err_style: Style,
    err_is_terminal: bool,
    verbose: bool,
    log: Option<File>,
    /// Files that are no log, with what each is.
    not_logs: Vec<(&'static str, PathBuf)>,
}

impl Ui {
    /// The streams of this process.
    pub fn of_process(
        choice: ColorChoice,
        verbose: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let style = |is_terminal: bool, term: console::Term| Style {
            colour: wants_colour(choice, is_terminal, &variable),
            width: if is_terminal {
                usize::from(term.size().1)
            } else {
                WIDTH_WITHOUT_TERMINAL
            },
        };
        let (out, err) = (io::stdout(), io::stderr());
        Self {
            out_style: style(out.is_terminal(), console::Term::stdout()),
            err_style: style(err.is_terminal(), console::Term::stderr()),
            err_is_terminal: err.is_terminal(),
            out: Box::new(out),
            err: Box::new(err),
            verbose,
            log: None,
            not_logs: Vec::new(),
        }
    }

    /// Streams that go elsewhere, without colour: for tests.
    pub fn plain(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let style = Style {
            colour: false,
            width: WIDTH_WITHOUT_TERMINAL,
        };
        Self {
            out,
            err,
            out_style: style,
            err_style: style,
            err_is_terminal: false,
            verbose: false,
            log: None,
            not_logs: Vec::new(),
        }
    }

    /// What stdout can show.
    pub fn out_style(&self) -> Style {
        self.out_style
    }

    /// What stderr can show.
    pub fn err_style(&self) -> Style {
        self.err_style
    }

    /// Names files that are not to be taken for the log, with what each is: `the plan`.
    pub fn keep_log_out_of(&mut self, files: Vec<(&'static str, PathBuf)>) {
        self.not_logs = files;
    }

    /// Opens the log file, which only its owner can read.
    pub fn open_log(&mut self, path: &Path) -> anyhow::Result<()> {
        if let Some(what) = self.something_else(path) {
            anyhow::bail!(
                "refused to write the log to {}: it is {what}, which the lines of a log would spoil; name another file as `logfile` in the \
                 configuration",
                path.display()
            );
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(path)
            .with_context(|| format!("failed to open the log file {}", path.display()))?;
        self.log = Some(file);
        Ok(())
    }

    /// What a file is, if it is no log.
    fn something_else(&self, path: &Path) -> Option<&'static str> {
        let file = in_full(path);
        let known = self.not_logs.iter();
        let known = known.filter(|(_, other)| file.is_some() && in_full(other) == file);
        known
            .map(|(what, _)| *what)
            .next()
            .or_else(|| begins_json(path).then_some("a plan or a report"))
    }

    /// Prints a result to stdout. Whoever reads it may stop reading.
    pub fn result(&mut self, text: &str) -> anyhow::Result<()> {
        let printed = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        match printed {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("failed to print the result"),
        }
    }

    /// Says something to the person at the terminal; it is prepared text, and not for the log.
    pub fn say(&mut self, text: &str) {
        // Nobody is left to tell if stderr is gone.
        let _ = writeln!(self.err, "{text}");
    }

    /// Writes an event to the log, and with `-v` to stderr.
    pub fn event(&mut self, message: &str) {
        self.log_line("INFO", message);
        if self.verbose {
            self.say(&escape::plain(message));
        }
    }

    /// Warns on stderr and in the log.
    pub fn warn(&mut self, message: &str) {
        self.log_line("WARNING", message);
        let line = format!("warning: {}", escape::plain(message));
        self.say(&line);
    }

    /// Prints an error with its causes to stderr, and writes it to the log. What is withheld stands in the log alone.
    pub fn error(&mut self, error: &anyhow::Error) {
        let withheld = error.downcast_ref::<Withheld>();
        let complete = withheld.map_or(error, |withheld| &withheld.error);
        self.log_line("ERROR", &format!("{complete:#}"));
        let mut causes = error.chain().map(|cause| lines_of(cause).join("\n  "));
        let first = causes.next().unwrap_or_default();
        let heading = console::style("error:")
            .red()
            .bold()
            .force_styling(self.err_style.colour);
        let mut text = format!("{heading} {first}");
        for cause in causes {
            text.push_str("\n  ");
            text.push_str(&cause);
        }
        self.say(&text);
        if withheld.is_some() {
            self.say(if self.log.is_some() {
                "  The reason may name people, and stands in the log file alone."
            } else {
                "  The reason may name people. Without --redact it is printed; do that where only those look who may see it."
            });
        }
    }

    fn log_line(&mut self, level: &str, message: &str) {
        let Some(log) = &mut self.log else { return };
        // The format of the original script: 2023-04-03 07:46:42,250 [INFO] start run
        let time = jiff::ZonedDateTime::now()
            .strftime("%Y-%m-%d %H:%M:%S,%3f")
            .to_string();
        let line = format!("{time} [{level}] {}\n", escape::plain(message));
        if let Err(error) = log.write_all(line.as_bytes()) {
            self.log = None;
            self.say(&format!(
                "warning: the log file cannot be written any more: {error}"
            ));
        }
    }
}

/// An error whose causes may name people, where these must not be shown: what failed is said, and why stands in the log.
#[derive(Debug)]
pub struct Withheld {
    what: String,
    error: anyhow::Error,
}

impl Withheld {
    /// Says only what failed.
    pub fn new(what: String, error: anyhow::Error) -> Self {
        Self { what, error }
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Withheld {}

/// The lines of an error. Only errors that are made of lines have several, and they keep what comes from elsewhere on one line; in any
/// other, an end of a line comes from elsewhere.
fn lines_of(cause: &(dyn Error + 'static)) -> Vec<String> {
    let text = cause.to_string();
    let is_made_of_lines = cause.is::<ConfigErrors>()
        || cause.is::<EnvironmentErrors>()
        || cause.is::<keycloak::Refusal>()
        || cause.is::<entra::NotAllowed>()
        || cause.is::<UnusableMappings>();
    if is_made_of_lines {
        text.lines().map(indented).collect()
    } else {
        vec![escape::plain(&text)]
    }
}

/// A line of a message with its own indentation, which is ours; what follows may not be.
fn indented(line: &str) -> String {
    let text = line.trim_start_matches(' ');
    line[..line.len() - text.len()].to_owned() + &escape::plain(text)
}

/// The path of a file that may not be there yet, without links on the way to it.
fn in_full(path: &Path) -> Option<PathBuf> {
    if let Ok(there) = path.canonicalize() {
        return Some(there);
    }
    let folder = match path.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// Whether a file is JSON, or lines of it. Of a pipe nothing is read.
fn begins_json(path: &Path) -> bool {
    let mut first = [0];
    path.is_file()
        && File::open(path).is_ok_and(|mut file| file.read_exact(&mut first).is_ok())
        && first == *b"{"
}

/// `--color` before `NO_COLOR` before `CLICOLOR_FORCE` before what the terminal is.
fn wants_colour(
    choice: ColorChoice,
    is_terminal: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto
            if is_set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE").as_deref() != Some("0") =>
        {
            true
        }
        ColorChoice::Auto => is_terminal && variable("TERM").as_deref() != Some("dumb"),
    }
}

/// Says something from beside a run, which holds the streams.
pub fn say_while_running(text: &str) {
    // A terminal that has gone away is no reason to panic.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Ends the process as an apply that was interrupted ends.
#[expect(
    clippy::exit,
    reason = "whoever interrupts twice does not want to wait"
)]
pub fn end_at_once() -> ! {
    std::process::exit(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Credentials;

    #[test]
    fn an_error_has_the_lines_that_are_its_own_and_no_others() {
        let forged = anyhow::anyhow!("failed to look up a\n  everything is well\r\n@corp.example");
        assert_eq!(
            lines_of(forged.as_ref()),
            ["failed to look up a\\n\\u{20}\\u{20}everything is well\\r\\n@corp.example"]
        );
        let incomplete = Credentials::from_env(|_| None).unwrap_err();
        let lines = lines_of(&incomplete);
        assert!(lines.len() > 3 && lines[1].starts_with("  "), "{lines:?}");
    }
}
