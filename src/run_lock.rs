//! One apply at a time for the same Azure groups on this machine: a lock file in the state folder of the user.
//!
//! Two at once do no harm, as each change is held against Entra again; they only get in each other's way. So what stands in the way of
//! a lock is said and does not keep anybody from applying. The operating system takes the lock away with the process that holds it:
//! a file that is not locked is stale, whatever it says.

use std::fmt;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::fold;
use crate::plan::{Target, hex};
use crate::settings::Settings;

/// The folder of this program in the state folder.
const FOLDER: &str = "keycloak-to-azure";

/// More is not written about who holds a lock.
const MOST_BYTES: u64 = 8 * 1024;

/// More is not said of one thing about who holds a lock.
const MOST_CHARACTERS: usize = 100;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct RunLock(File);

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Asked {
    /// It is held now.
    Taken(RunLock),
    /// Another process holds it.
    HeldBy(Option<Holder>),
    /// There can be none, for a reason.
    Impossible(String),
}

/// Who holds a lock: what is written in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The id of the process.
    pub process: u32,
    /// The machine that it runs on, if that is known. The state folder of a user can be shared by several.
    pub host: Option<String>,
    /// Who started it, as the environment says.
    pub operator: Option<String>,
    /// The plan that it carries out.
    pub plan_id: String,
    /// Since when.
    pub since: jiff::Timestamp,
}

impl Holder {
    /// This process, which begins to carry out a plan.
    pub fn this_process(
        plan_id: &str,
        operator: Option<String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            process: std::process::id(),
            host: host(variable),
            operator,
            plan_id: plan_id.to_owned(),
            since: jiff::Timestamp::now(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            host,
            operator,
            plan_id,
            since,
        } = self;
        let short = |text: &str| text.chars().take(MOST_CHARACTERS).collect::<String>();
        let since = since.strftime("%-d %B %Y, %H:%M:%S UTC");
        write!(f, "process {process}")?;
        if let Some(host) = host {
            write!(f, " on {}", short(host))?;
        }
        if let Some(operator) = operator {
            write!(f, ", started by {}", short(operator))?;
        }
        write!(f, ", with plan {}, since {since}", short(plan_id))
    }
}

fn host(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let of_system = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    ["HOSTNAME", "COMPUTERNAME"]
        .into_iter()
        .find_map(variable)
        .or_else(of_system)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

/// Returns the folder that locks are in, as the environment names it: `XDG_STATE_HOME`, or its default in the home of the user.
pub fn folder(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf, String> {
    // A relative path would be another folder in each folder that the program runs in.
    let path = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else {
        path("XDG_STATE_HOME").or_else(|| path("HOME").map(|home| home.join(".local/state")))
    };
    let variables = if cfg!(windows) {
        "LOCALAPPDATA names no folder"
    } else {
        "neither XDG_STATE_HOME nor HOME names a folder"
    };
    state
        .map(|state| state.join(FOLDER))
        .ok_or_else(|| variables.to_owned())
}

/// Returns the name of the file for a tenant and the Azure groups that the configuration maps, whichever of them a plan is for.
pub fn name(target: &Target, settings: &Settings) -> String {
    let mut groups: Vec<String> = settings
        .mappings
        .iter()
        .map(|mapping| fold(&mapping.azure))
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let tenant = (target.tenant_id.as_str(), target.graph_url.as_str());
    let text = serde_json::to_string(&(tenant, groups)).unwrap_or_default();
    let digest = hex(&Sha256::digest(text));
    format!("{}.lock", digest.get(..32).unwrap_or_default())
}

/// Asks for a lock, and writes into its file who holds it.
pub fn ask(folder: &Path, name: &str, holder: &Holder) -> Asked {
    let path = folder.join(name);
    let opened = prepare(folder).and_then(|()| open(&path));
    let file = match opened {
        Ok(file) => file,
        Err(reason) => return Asked::Impossible(reason),
    };
    match file.try_lock() {
        Ok(()) => {
            let mut lock = RunLock(file);
            // It is only said to others, and the lock holds without it.
            let _ = lock.say(holder);
            Asked::Taken(lock)
        }
        Err(TryLockError::WouldBlock) => Asked::HeldBy(read(file)),
        Err(TryLockError::Error(error)) => {
            Asked::Impossible(format!("{} cannot be locked: {error}", path.display()))
        }
    }
}

impl RunLock {
    fn say(&mut self, holder: &Holder) -> io::Result<()> {
        self.0.set_len(0)?;
        let text = serde_json::to_string(holder)?;
        self.0.write_all(format!("{text}\n").as_bytes())
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Nobody holds it any more. The file stays: who is just opening it would lock one that is gone.
        let _ = self.0.set_len(0);
        // Closing is not enough while a child process that another thread is just starting holds a copy of the file.
        let _ = self.0.unlock();
    }
}

/// Makes the folder if there is none. In one that others can write to, they could put something else in place of a file.
fn prepare(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| format!("the folder {shown} cannot be made: {error}"))?;
    let metadata = folder
        .symlink_metadata()
        .map_err(|error| format!("the folder {shown} cannot be looked at: {error}"))?;
    if !metadata.is_dir() {
        return Err(format!("{shown} is no folder but leads to one"));
    }
    if others_may_write(&metadata) {
        return Err(format!("others can write to the folder {shown}"));
    }
    Ok(())
}

#[cfg(unix)]
fn others_may_write(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn others_may_write(_: &Metadata) -> bool {
    false
}

/// Opens the file of a lock, and nothing that it leads to.
fn open(path: &Path) -> Result<File, String> {
    let failed = |error: io::Error| format!("{} cannot be opened: {error}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(failed),
    }
    let metadata = path.symlink_metadata().map_err(failed)?;
    if metadata.is_file() {
        options.open(path).map_err(failed)
    } else {
        Err(format!("{} is not a file", path.display()))
    }
}

/// What a file says of who holds its lock. It may say nothing yet, and where locks keep others from reading it cannot be read.
fn read(file: File) -> Option<Holder> {
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn holder() -> Holder {
        Holder {
            process: 4711,
            host: Some("build-7".to_owned()),
            operator: Some("ann".to_owned()),
            plan_id: "sha256:4f1c".to_owned(),
            since: "2026-11-27T03:01:05Z".parse().unwrap(),
        }
    }

    fn taken(asked: Asked) -> RunLock {
        match asked {
            Asked::Taken(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    fn impossible(asked: Asked) -> String {
        match asked {
            Asked::Impossible(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lock_is_for_one_at_a_time_and_says_whose_it_is() {
        let state = TempDir::new().unwrap();
        let folder = state.path().join("a/b");
        let lock = taken(ask(&folder, "x.lock", &holder()));
        assert!(
            matches!(ask(&folder, "x.lock", &holder()), Asked::HeldBy(Some(found)) if found == holder())
        );
        let other = taken(ask(&folder, "y.lock", &holder()));
        drop((lock, other));
        let left = std::fs::read_to_string(folder.join("x.lock")).unwrap();
        assert_eq!(left, "", "nobody holds it");
        drop(taken(ask(&folder, "x.lock", &holder())));
    }

    #[test]
    fn a_file_that_nobody_holds_is_stale_whatever_it_says() {
        let state = TempDir::new().unwrap();
        let stale = serde_json::to_string(&holder()).unwrap() + &" ".repeat(100);
        std::fs::write(state.path().join("x.lock"), stale).unwrap();
        let other = Holder {
            process: 1,
            ..holder()
        };
        let lock = taken(ask(state.path(), "x.lock", &other));
        assert!(
            matches!(ask(state.path(), "x.lock", &other), Asked::HeldBy(Some(found)) if found == other)
        );
        drop(lock);
    }

    #[test]
    fn what_a_file_says_is_said_in_short() {
        assert_eq!(
            holder().to_string(),
            "process 4711 on build-7, started by ann, with plan sha256:4f1c, since 27 November 2026, 03:01:05 UTC"
        );
        let endless = Holder {
            operator: Some("z".repeat(5_000)),
            ..holder()
        };
        let shown = endless.to_string();
        assert!(shown.len() < 300, "{shown}");
        for nonsense in ["", "{}", "[1", "\u{0}"] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), nonsense).unwrap();
            assert_eq!(read(file.reopen().unwrap()), None);
        }
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_file_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let state = TempDir::new().unwrap();
        let folder = state.path().join("state/keycloak-to-azure");
        let lock = taken(ask(&folder, "x.lock", &holder()));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(folder.parent().unwrap()), 0o700);
        assert_eq!(mode(&folder.join("x.lock")), 0o600);
        drop(lock);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_followed_to_somewhere_else() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let state = TempDir::new().unwrap();
        let folder = state.path().join("folder");
        drop(taken(ask(&folder, "x.lock", &holder())));

        let target = state.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        symlink(&target, folder.join("y.lock")).unwrap();
        symlink(state.path().join("nothing"), folder.join("z.lock")).unwrap();
        for name in ["y.lock", "z.lock"] {
            let reason = impossible(ask(&folder, name, &holder()));
            assert!(reason.ends_with("is not a file"), "{reason}");
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert!(!state.path().join("nothing").exists());

        let leads_there = state.path().join("leads_there");
        symlink(&folder, &leads_there).unwrap();
        let reason = impossible(ask(&leads_there, "x.lock", &holder()));
        assert!(reason.contains("is no folder but leads to one"), "{reason}");

        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o770)).unwrap();
        let reason = impossible(ask(&folder, "x.lock", &holder()));
        assert!(reason.contains("others can write to"), "{reason}");

        let reason = impossible(ask(&target.join("folder"), "x.lock", &holder()));
        assert!(reason.contains("cannot be made"), "{reason}");
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_where_the_environment_says() {
        let of = |variables: &[(&str, &str)]| {
            folder(|name| {
                let mut variables = variables.iter();
                let found = variables.find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let home = ("HOME", "/home/ann");
        for (variables, expected) in [
            (vec![home], "/home/ann/.local/state/keycloak-to-azure"),
            (
                vec![home, ("XDG_STATE_HOME", "/var/state")],
                "/var/state/keycloak-to-azure",
            ),
            (
                vec![home, ("XDG_STATE_HOME", "state")],
                "/home/ann/.local/state/keycloak-to-azure",
            ),
            (
                vec![home, ("XDG_STATE_HOME", "")],
                "/home/ann/.local/state/keycloak-to-azure",
            ),
        ] {
            assert_eq!(of(&variables).unwrap(), Path::new(expected));
        }
        assert!(of(&[]).is_err());
    }

    #[test]
    fn the_name_depends_on_the_tenant_and_the_azure_groups_alone() {
        let settings = |text: &str| {
            let text = format!(
                "keycloak_url: https://auth.acme.example\nkeycloak_realm: acme\ngroups:\n{text}"
            );
            let config = crate::config::Config::parse(text.as_bytes(), "FILE", |_| None);
            config.unwrap().settings
        };
        let target = |tenant: &str| Target {
            tenant_id: tenant.parse().unwrap(),
            tenant_name: "Acme".to_owned(),
            graph_url: "https://graph.microsoft.com".to_owned(),
        };
        let acme = target("00000000-0000-4000-8000-0000000000ac");
        let beta = target("00000000-0000-4000-8000-0000000000be");
        let two = settings("  - { keycloak: a, azure: x }\n  - { keycloak: b, azure: y }\n");
        let turned = settings(
            "  - { keycloak: c, azure: Y }\n  - { keycloak: b, azure: x, removals: none }\n  - { keycloak: d, azure: x }\n",
        );
        let one = settings("  - { keycloak: a, azure: x }\n");
        assert_eq!(name(&acme, &two), name(&acme, &turned));
        assert_ne!(name(&acme, &two), name(&acme, &one));
        assert_ne!(name(&acme, &two), name(&beta, &two));
        let shown = name(&acme, &two);
        assert_eq!(Path::new(&shown).extension().unwrap(), "lock");
    }
}
