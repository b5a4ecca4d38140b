//! The keys of the configuration file: all of them, what each may hold and what it is when it is left out.
//!
//! This is the only place that names them. `keycloak_to_azure.config.yaml.example` explains them, and a test compares the two. The
//! schema for editors is made of both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::model::{UserType, fold};
use crate::settings::{
    DisabledPolicy, DisplayNameTemplate, FederationSetting, InvitationRules, Limit, Limits,
    Mapping, MatchAttribute, RemovalPolicy, Settings, UnverifiedPolicy, UpdatePolicy, UserRules,
};

use super::kind::{self, Kind, Read};
use super::mistake::{Wrong, show};
use super::table::{Table, Value};
use super::yaml::Place;
use super::{EntraConnection, KeycloakConnection, value};

/// The environment variable that names the login host, as in the Azure SDKs.
pub(super) const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";

/// Everything that stands in the file.
pub(super) struct FileContents {
    pub logfile: Option<PathBuf>,
    pub keycloak: KeycloakConnection,
    pub entra: EntraConnection,
    pub settings: Settings,
}

/// Reads the whole file; `authority_host` is the value of `AZURE_AUTHORITY_HOST`, and `find_ca_file` looks for the file of a private
/// authority.
pub(super) fn read(
    top: &mut Table<'_, '_>,
    authority_host: Option<&str>,
    find_ca_file: impl FnOnce(PathBuf) -> Result<PathBuf, Wrong>,
) -> Option<FileContents> {
    let logfile = top.optional("logfile", kind::LOGFILE);
    let url = top.required(
        "keycloak_url",
        "the address of Keycloak, as in `https://keycloak.example.com/auth`",
        kind::KEYCLOAK_URL,
    );
    let realm = top.required(
        "keycloak_realm",
        "the realm whose people are read",
        kind::REALM,
    );
    let mappings = read_mappings(top);
    let auth_realm = top.optional("keycloak_auth_realm", kind::REALM);
    let federation = top.optional("keycloak_federation", kind::word());
    let ca_file = top.optional("keycloak_ca_file", kind::FILE.checked(find_ca_file));
    let entra = read_entra(top, authority_host);
    let users = top.section("users", read_users);
    let invitations = top.section("invitations", read_invitations);
    let limits = top.section("limits", read_limits);
    let protected = top.optional_list("protected", kind::PROTECTED_ACCOUNT);

    let realm = realm?;
    Some(FileContents {
        logfile,
        keycloak: KeycloakConnection {
            url: url?,
            auth_realm: auth_realm.unwrap_or_else(|| realm.clone()),
            realm,
            ca_file,
        },
        entra,
        settings: Settings {
            mappings,
            federation: federation.unwrap_or(FederationSetting::Auto),
            users,
            invitations,
            limits,
            protected,
        },
    })
}

fn read_mappings(top: &mut Table<'_, '_>) -> Vec<Mapping> {
    let found = top.entries(
        "groups",
        "the list of groups, each entry with `keycloak` and `azure`",
        read_mapping,
    );
    let mut lines = BTreeMap::new();
    for (mapping, place) in &found {
        // Entra compares display names without regard to case.
        let pair = (&mapping.keycloak, fold(&mapping.azure));
        if let Some(line) = lines.get(&pair) {
            let message = format!(
                "`{}` is mapped to `{}` already, on line {line}",
                show(mapping.keycloak.as_str()),
                show(&mapping.azure),
            );
            top.notes().mistake(place.clone(), message);
        } else {
            lines.insert(pair, mapping.keycloak_line);
        }
    }
    found.into_iter().map(|(mapping, _)| mapping).collect()
}

/// Reads one mapping, and the place of its Keycloak group.
fn read_mapping(entry: &mut Table<'_, '_>) -> Option<(Mapping, Place)> {
    let keycloak = entry.required(
        "keycloak",
        "the Keycloak group, by its name or path",
        kind::KEYCLOAK_GROUP,
    );
    let azure = entry.required(
        "azure",
        "the Azure group, by its display name or object id",
        kind::NAME,
    );
    let subgroups = entry.optional("subgroups", kind::SWITCH);
    let removals = entry.optional("removals", kind::word());
    let allow_empty = entry.optional("allow_empty", kind::SWITCH);

    let (place, keycloak_line) = entry.line_of("keycloak");
    let (_, azure_line) = entry.line_of("azure");
    let mapping = Mapping {
        keycloak: keycloak?,
        azure: azure?,
        subgroups: subgroups.unwrap_or(false),
        removals: removals.unwrap_or(RemovalPolicy::All),
        allow_empty: allow_empty.unwrap_or(false),
        keycloak_line,
        azure_line,
    };
    Some((mapping, place))
}

/// A national cloud of Microsoft (<https://learn.microsoft.com/graph/deployments>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cloud {
    Public,
    UsGovernment,
    UsGovernmentDod,
    China,
}

impl Cloud {
    const ALL: [Self; 4] = [
        Self::Public,
        Self::UsGovernment,
        Self::UsGovernmentDod,
        Self::China,
    ];

    fn login_url(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment | Self::UsGovernmentDod => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    fn graph_url(self) -> &'static str {
        match self {
            Self::Public => "https://graph.microsoft.com",
            Self::UsGovernment => "https://graph.microsoft.us",
            Self::UsGovernmentDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGovernment => "us_government",
            Self::UsGovernmentDod => "us_government_dod",
            Self::China => "china",
        }
    }
}

fn read_entra(top: &mut Table<'_, '_>, authority_host: Option<&str>) -> EntraConnection {
    let cloud = top.optional("azure_cloud", kind::word());
    let graph_url = top.optional("azure_graph_url", kind::HOST_URL);
    // A login of one cloud gives tokens that the Graph of another refuses, so the two must fit unless Graph is named as well. With a
    // mistake in azure_cloud there is nothing to compare with.
    let is_compared = !top.has("azure_graph_url") && cloud.is_some() == top.has("azure_cloud");
    let cloud = cloud.unwrap_or(Cloud::Public);
    let fitting = |login_url: String| {
        if is_compared {
            check_cloud(&login_url, cloud)?;
        }
        Ok(login_url)
    };
    let in_file = top.has("azure_login_url");
    let login_url = top.optional("azure_login_url", kind::HOST_URL.checked(fitting));
    let from_environment = authority_host.filter(|_| !in_file).and_then(|host| {
        parse_authority_host(host)
            .and_then(fitting)
            .map_err(|wrong| {
                top.notes()
                    .environment_mistake(format!("{AUTHORITY_HOST} {}", wrong.predicate));
            })
            .ok()
    });
    EntraConnection {
        login_url: login_url
            .or(from_environment)
            .unwrap_or_else(|| cloud.login_url().to_owned()),
        graph_url: graph_url.unwrap_or_else(|| cloud.graph_url().to_owned()),
    }
}

/// The Azure SDKs accept the host with its scheme and without.
fn parse_authority_host(host: &str) -> Result<String, Wrong> {
    if host.contains("://") {
        value::bare_host_url(host)
    } else {
        value::bare_host_url(&format!("https://{host}"))
    }
}

fn check_cloud(login_url: &str, cloud: Cloud) -> Result<(), Wrong> {
    let clouds_of_login: Vec<&str> = Cloud::ALL
        .into_iter()
        .filter(|other| other.login_url() == login_url)
        .map(Cloud::as_str)
        .collect();
    if clouds_of_login.is_empty() || login_url == cloud.login_url() {
        return Ok(());
    }
    Err(Wrong::value(format!(
        "names the login host of another cloud than azure_cloud ({}); write `azure_cloud: {}`",
        cloud.as_str(),
        clouds_of_login.join("` or `azure_cloud: ")
    )))
}

fn read_users(users: &mut Table<'_, '_>) -> UserRules {
    UserRules {
        user_type: users
            .optional("user_type", kind::USER_TYPE)
            .unwrap_or(Some(UserType::Member)),
        update: users
            .optional("update", kind::word())
            .unwrap_or(UpdatePolicy::Invited),
        display_name: users
            .optional("display_name", kind::DISPLAY_NAME)
            .unwrap_or_else(default_display_name),
        match_by: users.optional("match", MATCH).unwrap_or_else(default_match),
        email_domains: users
            .optional("email_domains", EMAIL_DOMAINS)
            .unwrap_or_default(),
        disabled: users
            .optional("disabled", kind::word())
            .unwrap_or(DisabledPolicy::Remove),
        unverified_email: users
            .optional("unverified_email", kind::word())
            .unwrap_or(UnverifiedPolicy::Allow),
    }
}

fn default_display_name() -> DisplayNameTemplate {
    DisplayNameTemplate::parse("{first_name} {last_name}")
        .expect("the default template names placeholders that exist")
}

const MATCH: Kind<Read<Vec<MatchAttribute>>> = Kind {
    read: read_match,
    schema: || {
        json!({
            "type": "array",
            "items": (kind::word::<MatchAttribute>().schema)(),
            "uniqueItems": true,
            "contains": { "enum": ["mail", "other_mails"] },
        })
    },
};

fn read_match(list: &Value<'_, '_>) -> Result<Vec<MatchAttribute>, Wrong> {
    let mut attributes = Vec::new();
    let Some(elements) = list.parse_list(value::word::<MatchAttribute>) else {
        return Ok(attributes);
    };
    let all_are_known = elements.len() == list.length();
    for (element, attribute) in elements {
        if attributes.contains(&attribute) {
            element.mistake(&Wrong::value("stands here a second time"));
        } else {
            attributes.push(attribute);
        }
    }
    let finds_the_invited = [MatchAttribute::Mail, MatchAttribute::OtherMails]
        .iter()
        .any(|attribute| attributes.contains(attribute));
    if all_are_known && !finds_the_invited {
        return Err(Wrong::value(
            "needs mail or other_mails among its entries: an invited person would not be found again without",
        ));
    }
    Ok(attributes)
}

fn default_match() -> Vec<MatchAttribute> {
    use MatchAttribute::{Mail, OtherMails, ProxyAddresses, UserPrincipalName};
    vec![Mail, UserPrincipalName, OtherMails, ProxyAddresses]
}

const EMAIL_DOMAINS: Kind<Read<BTreeMap<String, String>>> = Kind {
    read: |pairs| {
        let mut domains = BTreeMap::new();
        for (key, from, to) in pairs
            .parse_pairs(value::domain, value::public_domain)
            .unwrap_or_default()
        {
            if domains.insert(from, to).is_some() {
                key.mistake(&Wrong::value("stands here a second time"));
            }
        }
        Ok(domains)
    },
    schema: || json!({ "type": "object", "additionalProperties": (kind::PUBLIC_DOMAIN.schema)() }),
};

fn read_invitations(invitations: &mut Table<'_, '_>) -> InvitationRules {
    let redirect_url = invitations.optional("redirect_url", kind::REDIRECT_URL);
    let send_email = invitations.optional("send_email", kind::SWITCH);
    let rules = InvitationRules {
        redirect_url: redirect_url
            .unwrap_or_else(|| "https://portal.azure.com/{tenant_id}".to_owned()),
        send_email: send_email.unwrap_or(false),
        message: invitations.optional("message", kind::MESSAGE),
        language: invitations.optional("language", kind::LANGUAGE),
        cc: invitations.optional("cc", kind::MAILBOX),
        allowed_domains: invitations.optional_list("allowed_domains", kind::PUBLIC_DOMAIN),
    };
    // What nobody is sent must not look as if they were. With a mistake in send_email it is not known what was meant.
    if !rules.send_email && send_email.is_some() == invitations.has("send_email") {
        for key in ["message", "language", "cc"] {
            if invitations.has(key) {
                let (place, _) = invitations.line_of(key);
                let message = format!(
                    "`{key}` is about a mail, and none is sent; write `send_email: true`, or take this out"
                );
                invitations.notes().mistake(place, message);
            }
        }
    }
    rules
}

fn read_limits(limits: &mut Table<'_, '_>) -> Limits {
    Limits {
        removals: limits
            .optional("removals", kind::limit::<{ u32::MAX }>())
            .unwrap_or(Limit::AtMost(5)),
        removals_percent: limits
            .optional("removals_percent", kind::limit::<100>())
            .unwrap_or(Limit::AtMost(20)),
        invitations: limits
            .optional("invitations", kind::limit::<{ u32::MAX }>())
            .unwrap_or(Limit::AtMost(100)),
    }
}
