//! What two plans say differently beside their lists: directories, configuration, limits, scope.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::compare::Comparison;
use crate::plan::{Overrides, Plan, PlanKind, ScopeMapping};
use crate::render::flags::{override_flags, shell_flag};
use crate::render::words::{configuration, federation, grouped, place};

/// Something that the plans say differently.
pub(in crate::render) struct Otherwise {
    pub name: &'static str,
    pub then: Option<String>,
    pub now: Option<String>,
}

impl Otherwise {
    /// Returns it if it is the case. What differs and looks the same is another one all the same.
    fn new(name: &'static str, differs: bool, then: String, now: String) -> Option<Self> {
        let now = if then == now {
            "another one that looks the same".to_owned()
        } else {
            now
        };
        differs.then_some(Self {
            name,
            then: Some(then),
            now: Some(now),
        })
    }

    /// Returns what of a list is only in the older plan, and what only in the newer one.
    fn in_lists(name: &'static str, older: &[String], newer: &[String]) -> Vec<Self> {
        let (went, came) = list_difference(older, newer);
        let went = went.into_iter().map(|then| (Some(then), None));
        let came = came.into_iter().map(|now| (None, Some(now)));
        went.chain(came)
            .map(|(then, now)| Self { name, then, now })
            .collect()
    }

    pub fn words(&self) -> String {
        let Self { name, then, now } = self;
        match (then, now) {
            (Some(then), Some(now)) => format!("{name} {then} → {now}"),
            (Some(then), None) => format!("{name} no longer {then}"),
            (None, Some(now)) => format!("{name} now {now}"),
            (None, None) => (*name).to_owned(),
        }
    }
}

/// Returns what is in the older list alone and what in the newer one alone. For lists that people read, not for changes.
pub(super) fn list_difference(older: &[String], newer: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut went, mut came) = (Vec::new(), Vec::new());
    for operation in capture_diff_slices(Algorithm::Myers, older, newer) {
        if !matches!(operation, DiffOp::Equal { .. }) {
            went.extend_from_slice(older.get(operation.old_range()).unwrap_or_default());
            came.extend_from_slice(newer.get(operation.new_range()).unwrap_or_default());
        }
    }
    (went, came)
}

pub(super) fn other_directories(older: &Plan, newer: &Plan) -> Vec<Otherwise> {
    let (source, target) = (&older.source, &older.target);
    let tenant = |plan: &Plan| {
        format!(
            "{} ({})",
            place(&plan.target.tenant_name),
            plan.target.tenant_id
        )
    };
    [
        Otherwise::new(
            "Keycloak",
            !source.is_at(&newer.source.url),
            place(&source.url),
            place(&newer.source.url),
        ),
        Otherwise::new(
            "realm",
            source.realm != newer.source.realm,
            place(&source.realm),
            place(&newer.source.realm),
        ),
        Otherwise::new(
            "tenant",
            target.tenant_id != newer.target.tenant_id,
            tenant(older),
            tenant(newer),
        ),
        Otherwise::new(
            "Graph host",
            target.graph_url != newer.target.graph_url,
            place(&target.graph_url),
            place(&newer.target.graph_url),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns everything that the plans say differently beside their lists. The older one is taken apart field by field, so that no new
/// one is forgotten.
pub(in crate::render) fn settings(comparison: &Comparison) -> Vec<Otherwise> {
    let Comparison { came, went, .. } = comparison;
    let Plan {
        format_version,
        kind: _,
        plan_id: _,
        tool_version,
        created_at: _,
        source,
        target,
        config_sha256,
        undoes,
        overrides,
        scope,
        summary,
        groups: _,
        changes: _,
        blocks: _,
        problems: _,
    } = went;
    let run = |plan: &Plan| {
        plan.undoes
            .as_ref()
            .map_or("none".to_owned(), |run| place(&run.run_id))
    };
    let mut settings: Vec<Otherwise> = [
        Otherwise::new(
            "configuration:",
            *config_sha256 != came.config_sha256,
            configuration(went),
            configuration(came),
        ),
        Otherwise::new(
            "version of the program:",
            *tool_version != came.tool_version,
            place(tool_version),
            place(&came.tool_version),
        ),
        Otherwise::new(
            "format of the plan:",
            *format_version != came.format_version,
            place(format_version),
            place(&came.format_version),
        ),
        Otherwise::new(
            "address of Keycloak:",
            source.url != came.source.url && source.is_at(&came.source.url),
            place(&source.url),
            place(&came.source.url),
        ),
        Otherwise::new(
            "name of the tenant:",
            target.tenant_name != came.target.tenant_name
                && target.tenant_id == came.target.tenant_id,
            place(&target.tenant_name),
            place(&came.target.tenant_name),
        ),
        Otherwise::new(
            "user federation:",
            source.federation != came.source.federation && went.kind == came.kind,
            federation(went),
            federation(came),
        ),
        Otherwise::new(
            "run that is taken back:",
            *undoes != came.undoes,
            run(went),
            run(came),
        ),
        Otherwise::new(
            match came.kind {
                PlanKind::Sync => "memberships that are right already:",
                PlanKind::Undo => "changes that are taken back already:",
            },
            summary.unchanged != came.summary.unchanged,
            grouped(summary.unchanged),
            grouped(came.summary.unchanged),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    settings.extend(Otherwise::in_lists(
        "set for the plan:",
        &flags(overrides),
        &flags(&came.overrides),
    ));
    settings.extend(Otherwise::in_lists(
        "scope:",
        &mappings(scope.as_deref()),
        &mappings(came.scope.as_deref()),
    ));
    settings
}

fn flags(overrides: &Overrides) -> Vec<String> {
    override_flags(overrides)
        .iter()
        .map(|(flag, meaning)| format!("{} ({meaning})", shell_flag(flag)))
        .collect()
}

fn mappings(scope: Option<&[ScopeMapping]>) -> Vec<String> {
    let Some(mappings) = scope else {
        return vec!["all groups".to_owned()];
    };
    mappings
        .iter()
        .map(|mapping| {
            format!(
                "{} → {}",
                place(mapping.keycloak.as_str()),
                place(&mapping.azure.name)
            )
        })
        .collect()
}
