//! Which filters the directory accepts: the properties that can be filtered, how, and how long a filter may be.
//!
//! "Advanced" filters take the header `ConsistencyLevel: eventual` and `$count=true` in the query.

use super::behaviour::{LongComparison, ReadingBehaviour};
use super::call::Call;
use super::filter::{self, Condition, Function, Literal, Operator, Path};
use super::properties::Resource;
use super::refusal::{Refusal, bad_request, needs_advanced_query, unsupported_query};

/// The most values that a filter may offer as alternatives, in a chain of `or` or in one `in`.
const MOST_ALTERNATIVES: usize = 15;

/// The longest text that a property of a directory object is compared with.
const LONGEST_COMPARISON: usize = 120;

/// The longest URL of an advanced query.
const LONGEST_QUERY: usize = 2_048;

/// A filter that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) condition: Condition,
    /// It compares with a text that is too long, so that nothing fits.
    pub(super) matches_nothing: bool,
}

/// Reads the `$filter` of a call and checks that these objects can be filtered so.
pub(super) fn filter_of(
    call: &Call,
    resource: Resource,
    behaviour: &ReadingBehaviour,
) -> Result<Option<Filter>, Refusal> {
    let Some(text) = call.query.get("$filter") else {
        return Ok(None);
    };
    let advanced = call.is_advanced();
    let condition = filter::parse(text)
        .map_err(|reason| bad_request(format!("Invalid filter clause: {reason}")))?;
    Rules { resource, advanced }.check(&condition, &Names::Properties, false)?;
    if advanced {
        if call.query.length > LONGEST_QUERY {
            return Err(Refusal::new(
                reqwest::StatusCode::URI_TOO_LONG,
                "UriTooLong",
                "The request URI is too long.",
            ));
        }
    } else {
        let alternatives = most_alternatives(&condition);
        if alternatives > MOST_ALTERNATIVES {
            return Err(unsupported_query(format!(
                "Too many child clauses specified in search filter expression containing 'OR' operators: {alternatives}. Max \
                 allowed: {MOST_ALTERNATIVES}."
            )));
        }
    }
    let too_long = longest_comparison(&condition) > LONGEST_COMPARISON;
    if too_long && behaviour.long_comparison == LongComparison::Refused {
        // That there is a limit is documented; these words are not.
        return Err(unsupported_query(format!(
            "The length of the value in the filter clause exceeds the maximum of {LONGEST_COMPARISON} characters."
        )));
    }
    Ok(Some(Filter {
        condition,
        matches_nothing: too_long,
    }))
}

fn most_alternatives(condition: &Condition) -> usize {
    match condition {
        Condition::Or(parts) => parts.iter().map(most_alternatives).sum(),
        Condition::And(parts) => parts.iter().map(most_alternatives).max().unwrap_or(1),
        Condition::Not(inner) => most_alternatives(inner),
        Condition::Any { condition, .. } => most_alternatives(condition),
        Condition::OneOf { values, .. } => values.len(),
        Condition::Compare { .. } | Condition::Text { .. } => 1,
    }
}

fn longest_comparison(condition: &Condition) -> usize {
    let length = |value: &Literal| match value {
        Literal::Text(text) => text.chars().count(),
        Literal::Flag(_) | Literal::Null => 0,
    };
    match condition {
        Condition::Or(parts) | Condition::And(parts) => {
            parts.iter().map(longest_comparison).max().unwrap_or(0)
        }
        Condition::Not(inner) => longest_comparison(inner),
        Condition::Any { condition, .. } => longest_comparison(condition),
        Condition::OneOf { values, .. } => values.iter().map(length).max().unwrap_or(0),
        Condition::Compare { value, .. } => length(value),
        Condition::Text { .. } => 0,
    }
}

/// How a property can be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `eq`, `in`, `startsWith`; the rest advanced.
    Text,
    /// All but `endsWith`.
    GroupName,
    /// `eq`, `in`; `ne` and `not` advanced.
    Exact,
    /// A list of texts, with or without `in`.
    Texts { accepts_in: bool },
    /// The list of identities.
    Identities,
}

fn kind(resource: Resource, property: &str) -> Option<Kind> {
    match resource {
        Resource::User | Resource::Any => kind_of_user_property(property),
        Resource::Group => kind_of_group_property(property),
        Resource::Organization | Resource::Domain | Resource::Other => None,
    }
}

fn kind_of_user_property(property: &str) -> Option<Kind> {
    Some(match property {
        "mail" | "userPrincipalName" | "displayName" | "givenName" | "surname" | "mailNickname"
        | "jobTitle" | "department" => Kind::Text,
        "userType"
        | "creationType"
        | "externalUserState"
        | "accountEnabled"
        | "onPremisesSyncEnabled" => Kind::Exact,
        "otherMails" => Kind::Texts { accepts_in: true },
        "proxyAddresses" => Kind::Texts { accepts_in: false },
        "identities" => Kind::Identities,
        _ => return None,
    })
}

fn kind_of_group_property(property: &str) -> Option<Kind> {
    Some(match property {
        "displayName" => Kind::GroupName,
        "mail" | "mailNickname" => Kind::Text,
        "mailEnabled" | "securityEnabled" | "onPremisesSyncEnabled" | "isAssignableToRole" => {
            Kind::Exact
        }
        "groupTypes" | "proxyAddresses" => Kind::Texts { accepts_in: false },
        _ => return None,
    })
}

/// What a name in a condition is.
enum Names<'a> {
    Properties,
    Variable {
        name: &'a str,
        collection: &'a str,
        kind: Kind,
    },
}

struct Rules {
    resource: Resource,
    advanced: bool,
}

impl Rules {
    fn check(
        &self,
        condition: &Condition,
        names: &Names<'_>,
        negated: bool,
    ) -> Result<(), Refusal> {
        match condition {
            Condition::And(parts) | Condition::Or(parts) => parts
                .iter()
                .try_for_each(|part| self.check(part, names, negated)),
            Condition::Not(inner) => self.check(inner, names, true),
            Condition::Compare { path, operator, .. } => {
                let usage = match operator {
                    Operator::Equal => Usage::Equal,
                    Operator::NotEqual => Usage::NotEqual,
                    Operator::AtLeast | Operator::AtMost => Usage::Range,
                };
                self.check_usage(path, names, usage, negated)
            }
            Condition::OneOf { path, .. } => self.check_usage(path, names, Usage::In, negated),
            Condition::Text { path, function, .. } => {
                let usage = match function {
                    Function::StartsWith => Usage::StartsWith,
                    Function::EndsWith => Usage::EndsWith,
                };
                self.check_usage(path, names, usage, negated)
            }
            Condition::Any {
                collection,
                variable,
                condition,
            } => {
                self.check_exists(collection)?;
                match (names, kind(self.resource, collection)) {
                    (Names::Properties, Some(kind @ (Kind::Texts { .. } | Kind::Identities))) => {
                        if kind == Kind::Identities && !names_issuer(condition) {
                            return Err(self.not_filterable(collection));
                        }
                        let names = Names::Variable {
                            name: variable,
                            collection,
                            kind,
                        };
                        self.check(condition, &names, negated)
                    }
                    _ => Err(self.not_filterable(collection)),
                }
            }
        }
    }

    fn check_usage(
        &self,
        path: &Path,
        names: &Names<'_>,
        usage: Usage,
        negated: bool,
    ) -> Result<(), Refusal> {
        let (kind, property) = match names {
            Names::Properties => {
                self.check_exists(&path.first)?;
                match (kind(self.resource, &path.first), &path.rest) {
                    (Some(kind @ (Kind::Text | Kind::GroupName | Kind::Exact)), None) => {
                        (kind, path.first.as_str())
                    }
                    _ => return Err(self.not_filterable(&path.first)),
                }
            }
            Names::Variable {
                name,
                collection,
                kind,
            } => {
                let fits = match kind {
                    Kind::Identities => matches!(
                        path.rest.as_deref(),
                        Some("issuer" | "issuerAssignedId" | "signInType")
                    ),
                    _ => path.rest.is_none(),
                };
                if path.first != *name || !fits {
                    return Err(self.not_filterable(collection));
                }
                (*kind, *collection)
            }
        };
        let need = if negated && kind != Kind::GroupName {
            Need::Advanced
        } else {
            usage.need(kind)
        };
        match need {
            Need::Nothing => Ok(()),
            Need::Advanced if self.advanced => Ok(()),
            Need::Advanced => Err(needs_advanced_query()),
            Need::Impossible => Err(self.not_filterable(property)),
        }
    }

    fn check_exists(&self, property: &str) -> Result<(), Refusal> {
        if self.resource.has(property) {
            Ok(())
        } else {
            Err(bad_request(format!(
                "Invalid filter clause: Could not find a property named '{property}' on type 'microsoft.graph.{}'.",
                self.resource.type_name()
            )))
        }
    }

    fn not_filterable(&self, property: &str) -> Refusal {
        let resource = match self.resource {
            Resource::User => "User",
            Resource::Group => "Group",
            _ => "DirectoryObject",
        };
        unsupported_query(format!(
            "Unsupported or invalid query filter clause specified for property '{property}' of resource '{resource}'."
        ))
    }
}

fn names_issuer(condition: &Condition) -> bool {
    match condition {
        Condition::And(parts) => parts.iter().any(names_issuer),
        Condition::Compare {
            path,
            operator: Operator::Equal,
            ..
        } => path.rest.as_deref() == Some("issuer"),
        _ => false,
    }
}

/// How a property is used in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Equal,
    NotEqual,
    In,
    Range,
    StartsWith,
    EndsWith,
}

enum Need {
    Nothing,
    Advanced,
    Impossible,
}

impl Usage {
    fn need(self, kind: Kind) -> Need {
        match (self, kind) {
            (Self::Equal, _)
            | (
                Self::In,
                Kind::Text | Kind::GroupName | Kind::Exact | Kind::Texts { accepts_in: true },
            )
            | (Self::StartsWith, Kind::Text | Kind::GroupName | Kind::Texts { .. })
            | (Self::Range | Self::NotEqual, Kind::GroupName) => Need::Nothing,
            (Self::NotEqual, Kind::Text | Kind::Exact | Kind::Texts { .. })
            | (Self::Range, Kind::Text)
            | (Self::EndsWith, Kind::Text | Kind::Texts { .. }) => Need::Advanced,
            _ => Need::Impossible,
        }
    }
}
