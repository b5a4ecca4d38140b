//! What is wrong with mappings once both sides have been asked about their groups.

use std::fmt;

use crate::settings::Settings;
use crate::wording::counted;

/// Mappings whose group does not exist, or is not one, on either side.
#[derive(Debug)]
pub struct UnusableMappings {
    total: usize,
    unusable: usize,
    lines: Vec<String>,
}

impl UnusableMappings {
    /// Fails with all of them, if the two sides said of any mapping that its group cannot be used.
    pub fn refuse(
        settings: &Settings,
        keycloak: &crate::keycloak::Resolution,
        entra: &crate::entra::Resolution,
    ) -> Result<(), Self> {
        let mut found = Self {
            total: settings.mappings.len(),
            unusable: 0,
            lines: Vec::new(),
        };
        for mapping in &settings.mappings {
            let before = found.lines.len();
            let mut list = |side: &str, name: &str, line: usize, reason: &str| {
                // Names come from elsewhere, and must not begin a line of their own.
                let reason = reason.replace(['\n', '\r'], " ");
                found
                    .lines
                    .push(format!("{side}: {name} (line {line}) {reason}"));
            };
            let in_keycloak = keycloak
                .unresolved
                .iter()
                .find(|(path, _)| *path == mapping.keycloak);
            if let Some((_, reason)) = in_keycloak {
                list(
                    "keycloak",
                    mapping.keycloak.as_str(),
                    mapping.keycloak_line,
                    reason,
                );
            }
            if let Some(reason) = entra.unresolved.get(&mapping.azure) {
                list("azure", &mapping.azure, mapping.azure_line, reason);
            }
            found.unusable += usize::from(found.lines.len() > before);
        }
        if found.lines.is_empty() {
            Ok(())
        } else {
            Err(found)
        }
    }
}

impl fmt::Display for UnusableMappings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} cannot be used",
            self.unusable,
            counted(self.total, "mapping", "mappings")
        )?;
        for line in &self.lines {
            write!(f, "\n{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnusableMappings {}
