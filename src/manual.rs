//! What help and man pages say beyond the flags, once for both: exit codes, variables, files, examples.

mod pages;

pub use self::pages::{Page, pages};

use crate::render::hanging;

/// How wide the help is: a terminal of the usual width shows it as it is.
const COLUMNS: usize = 80;

/// A list of things with what each means.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// What the help calls it.
    pub heading: &'static str,
    /// What man pages call it (see `man-pages(7)`).
    pub man_heading: &'static str,
    /// Each thing, and what it means.
    pub entries: &'static [(&'static str, &'static str)],
}

/// What the program ends with.
pub const EXIT_CODES: Section = Section {
    heading: "Exit codes",
    man_heading: "EXIT STATUS",
    entries: &[
        (
            "0",
            "done; for `plan` and `undo` with `--detailed-exitcode`: nothing to change; for `audit`: all is in order",
        ),
        (
            "1",
            "error (usage and configuration too), and for `check`: something is missing; nothing was written to Entra, or the report \
             says what was",
        ),
        (
            "2",
            "`plan` and `undo` with `--detailed-exitcode`: there are changes; `audit`: something is to be looked into",
        ),
        (
            "3",
            "the plan is blocked by a safety limit: `plan` or `undo` has written it, and `apply` refuses it",
        ),
        (
            "4",
            "apply ended, or was interrupted, with changes failed, in conflict or not attempted; running it again is safe",
        ),
    ],
};

/// The environment variables that the program looks at, credentials first.
pub const ENVIRONMENT: Section = Section {
    heading: "Environment",
    man_heading: "ENVIRONMENT",
    entries: &[
        (
            "KEYCLOAK_CLIENT_ID, KEYCLOAK_CLIENT_SECRET",
            "the service account that reads Keycloak",
        ),
        (
            "KEYCLOAK_USER, KEYCLOAK_PASSWORD",
            "or a user with a password",
        ),
        (
            "AZURE_TENANT_ID",
            "the tenant, whichever way the login goes: the program ends if it finds itself in another one",
        ),
        (
            "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET",
            "the app registration, with a secret",
        ),
        (
            "AZURE_CLIENT_CERTIFICATE_PATH, AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
            "or with a certificate: one PEM file with it and its RSA key; whether the certificates above it are sent as well",
        ),
        (
            "AZURE_FEDERATED_TOKEN_FILE",
            "or with a workload identity; in GitHub Actions, `permissions: id-token: write` is enough",
        ),
        (
            "AZURE_TOKEN_CREDENTIALS",
            "one way to log in alone: EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential or AzureCliCredential",
        ),
        (
            "AZURE_AUTHORITY_HOST",
            "another login host, as in the Azure SDKs",
        ),
        (
            "KEYCLOAK_TO_AZURE_REDACT_KEY",
            "what `--redact` makes its tokens with: a long random text",
        ),
        (
            "XDG_STATE_HOME",
            "where the locks of `apply` are kept; otherwise ~/.local/state, on Windows LOCALAPPDATA",
        ),
        (
            "SSL_CERT_FILE",
            "another certificate store than the one of the system (Linux)",
        ),
        (
            "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
            "a proxy, and what is not asked through it",
        ),
        (
            "NO_COLOR, CLICOLOR_FORCE",
            "no colours; colours even where there is no terminal",
        ),
    ],
};

/// The files that the program reads and writes, where no other names are given.
pub const FILES: Section = Section {
    heading: "Files",
    man_heading: "FILES",
    entries: &[
        (
            "keycloak_to_azure.config.yaml",
            "the configuration; its `logfile` names the log",
        ),
        (
            "keycloak_to_azure.plan.json",
            "the plan: names and addresses, and never a secret",
        ),
        (
            "keycloak_to_azure.plan.report.jsonl",
            "the report of `apply`, beside the plan and named after it",
        ),
        (
            "keycloak_to_azure.undo.json",
            "the plan of `undo`, which takes back a run",
        ),
        (
            "keycloak_to_azure.sandbox.json",
            "the state of the two simulated directories",
        ),
    ],
};

/// Command lines to begin with.
pub const EXAMPLES: Section = Section {
    heading: "Examples",
    man_heading: "EXAMPLES",
    entries: &[
        (
            "keycloak-to-azure plan --sandbox",
            "try it out, with nothing to set up",
        ),
        (
            "keycloak-to-azure plan --out plan.json",
            "read both directories, and write what would change",
        ),
        (
            "keycloak-to-azure show plan.json --format markdown",
            "show that plan in a pull request",
        ),
        (
            "keycloak-to-azure apply plan.json --plan-id sha256:…",
            "carry out exactly the plan that was approved",
        ),
        (
            "keycloak-to-azure report plan.report.jsonl",
            "say what became of each change",
        ),
    ],
};

/// What follows the flags in the short help.
pub fn short() -> String {
    as_help(&[EXIT_CODES])
}

/// What follows the flags in the long help.
pub fn long() -> String {
    as_help(&[EXAMPLES, EXIT_CODES, ENVIRONMENT, FILES])
}

fn as_help(sections: &[Section]) -> String {
    let sections: Vec<_> = sections.iter().map(Section::as_help).collect();
    sections.join("\n").trim_end().to_owned()
}

impl Section {
    fn as_help(&self) -> String {
        let mut text = format!("{}:\n", self.heading);
        for (name, meaning) in self.entries {
            if name.len() == 1 {
                text.push_str(&hanging(&format!("  {name}  "), meaning, COLUMNS));
            } else {
                text.extend(["  ", name, "\n"]);
                text.push_str(&hanging("      ", meaning, COLUMNS));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_a_terminal_of_the_usual_width() {
        for line in long().lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
        assert!(long().ends_with(FILES.entries.last().unwrap().1));
        assert!(short().starts_with("Exit codes:\n  0  done;"));
    }
}
